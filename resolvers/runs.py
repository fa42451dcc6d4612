"""Sync runs: asking for one, cancelling it, following it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from resolvers.context import Context
from resolvers.errors import BadInput, Refused, Unknown, UserErrorCode
from resolvers.integrations import get_integration, not_active
from resolvers.loaders import load
from resolvers.scope import Request
from storage import integrations, runs
from storage.records import now
from storage.shapes import LIVE, IntegrationStatus, SyncStatus, SyncTrigger
from storage.tables import Integration, SyncRun

LIVE_VALUES = frozenset(status.value for status in LIVE)


async def start_sync(
    context: Context, *, integration_id: UUID, request: Request, trigger: SyncTrigger | None = None
) -> tuple[SyncRun, bool]:
    """The run that does what is asked for, and whether it is new; the job that wakes a worker commits with it. It begins, or
    goes on, although the account's quota is used up, as far as we know."""
    known = await get_integration(context, integration_id)
    if known is not None and known.status == IntegrationStatus.ACTIVE.value:
        await context.services.clients.release(known)
    usual = SyncTrigger.API_KEY if context.caller.key_id else SyncTrigger.MEMBER
    async with context.database.session(context.workspace) as session:
        integration = await integrations.find(session, integration_id, locked=True)
        if integration is None:
            raise Unknown("integration", "integrationId")
        if integration.status != IntegrationStatus.ACTIVE.value:
            raise not_active(integration)
        kind = request.choose_kind(integration)
        run, is_new = await runs.request(
            context.database,
            session,
            integration=integration.id,
            kind=kind,
            types=request.choose_types(integration),
            scope=request.make_scope(integration, kind),
            asked_by=(trigger or usual, context.caller.member_id),
            dry=request.dry_run,
        )
        if is_new:
            await context.services.jobs.defer_sync(session, run)
        elif run.status == SyncStatus.WAITING.value and run.resumes_at is not None:
            await context.database.run(session, runs.WAIT_NO_LONGER, {"integration": integration.id})
            await context.services.jobs.defer_sync(session, run)
        return run, is_new


async def cancel_sync(context: Context, run_id: UUID) -> SyncRun:
    """Ends it after the page under way, or at once where no page is."""
    async with context.database.session(context.workspace) as session:
        run = await runs.find(context.database, session, run_id)
        if run is None:
            raise Unknown("sync run", "syncRunId")
        cancelled = await runs.cancel(context.database, session, run_id)
        if cancelled is None:
            message = f"The run has ended already: it is {run.status}."
            raise Refused(UserErrorCode.ALREADY_ENDED, message, ("syncRunId",), {"status": run.status})
        if cancelled.status == SyncStatus.CANCELLED.value:
            for follower in await runs.find_next(context.database, session, run.integration_id):
                if follower.status == SyncStatus.QUEUED.value:
                    await context.services.jobs.defer_sync(session, follower)
        return cancelled


async def approve_sync(context: Context, run_id: UUID) -> SyncRun:
    """Lets a held run archive what it waits with."""
    async with context.database.session(context.workspace) as session:
        run = await runs.find(context.database, session, run_id)
        if run is None:
            raise Unknown("sync run", "syncRunId")
        approved = await runs.approve(context.database, session, run_id)
        if approved is None:
            message = f"Only a run that is HELD can be approved: this one is {run.status}."
            raise Refused(UserErrorCode.BAD_INPUT, message, ("syncRunId",), {"status": run.status})
        await context.services.jobs.defer_sync(session, approved)
        return approved


async def get_run(context: Context, id: UUID) -> SyncRun | None:
    """One run of the workspace."""

    async def fetch(ids: Sequence[UUID]) -> list[SyncRun | None]:
        values = {"workspace": context.workspace, "ids": list(ids)}
        rows = await context.database.fetch(context.workspace, runs.BY_IDS, values)
        found = {row["id"]: runs.load(row) for row in rows}
        return [found.get(each) for each in ids]

    run: SyncRun | None = await load(context, SyncRun, fetch, id)
    return run


# ---------------------------------------------------------------- how far it is


def count_done(run: SyncRun) -> tuple[int, int] | None:
    """(met, expected) records; None while nobody knows how many there will be."""
    expected = sum(counts.get("expected", 0) for counts in run.counts.values())
    if not expected:
        return None
    return sum(min(one.get("fetched", 0), one.get("expected", 0)) for one in run.counts.values()), expected


def run_progress(run: SyncRun) -> float | None:
    """0 to 1. A run that has read everything is at 1, whatever was expected."""
    if run.status in (SyncStatus.SUCCEEDED.value, SyncStatus.PARTIAL.value):
        return 1.0
    done = count_done(run)
    return None if done is None else min(done[0] / done[1], 0.99)


def run_eta(run: SyncRun, moment: datetime | None = None) -> int | None:
    """Seconds until it ends, at the speed so far; None where that cannot be told."""
    done = count_done(run)
    if run.status != SyncStatus.RUNNING.value or done is None or not done[0] or run.started_at is None:
        return None
    elapsed = ((moment or now()) - run.started_at).total_seconds()
    return round(elapsed * (done[1] - done[0]) / done[0])


# ---------------------------------------------------------------- watching


async def read_run(context: Context, id: UUID) -> SyncRun | None:
    """The run as it is now, past any loader."""
    values = {"workspace": context.workspace, "ids": [id]}
    rows = await context.database.fetch(context.workspace, runs.BY_IDS, values)
    return runs.load(rows[0]) if rows else None


async def watch_run(context: Context, id: UUID) -> AsyncIterator[SyncRun]:
    """The run as it is now, then after each change of it, until it ends."""
    with context.services.hub.subscribe(f"run:{id}") as events:
        run = await read_run(context, id)
        if run is None:
            raise BadInput("There is no such sync run.")
        yield run
        if run.status not in LIVE_VALUES:
            return
        seen = run.updated_at
        async for _ in events:
            run = await read_run(context, id)
            if run is None:
                return
            if run.updated_at != seen:
                seen = run.updated_at
                yield run
            if run.status not in LIVE_VALUES:
                return


async def watch_runs(context: Context, integration_id: UUID | None) -> AsyncIterator[SyncRun]:
    """The runs under way, then every run as it starts, changes and ends; of one integration where it is given, as long as
    that is there."""
    if integration_id and await get_integration(context, integration_id) is None:
        raise BadInput("There is no such integration.")
    with context.services.hub.subscribe(f"runs:{context.workspace}") as events:
        for run in await list_live(context, integration_id):
            yield run
        async for about in events:
            found = await read_run(context, UUID(about)) if about else None
            if found is None and integration_id and await read_integration(context, integration_id) is None:
                return
            if about is None:  # something may have been missed: all that is under way, again
                for run in await list_live(context, integration_id):
                    yield run
            elif found and integration_id in (None, found.integration_id):
                yield found


async def list_live(context: Context, integration_id: UUID | None) -> list[SyncRun]:
    """The runs that have not ended, the oldest first."""
    values = {"workspace": context.workspace, "integration": integration_id}
    return [runs.load(row) for row in await context.database.fetch(context.workspace, runs.UNDER_WAY, values)]


async def watch_integration(context: Context, id: UUID) -> AsyncIterator[Integration]:
    """The integration that the id leads to, as it is now and then after each change. It ends with the time in which somebody
    should have consented."""
    with ExitStack() as stack:
        events = stack.enter_context(context.services.hub.subscribe(f"integration:{id}"))
        found, followed = await read_integration(context, id), id
        if found is None:
            raise BadInput("There is no such integration.")
        seen: tuple[Any, ...] | None = None
        while found is not None:
            if found.id != followed:  # the consent was for an account that was here already
                followed, seen = found.id, None
                events = stack.enter_context(context.services.hub.subscribe(f"integration:{followed}"))
                found = await read_integration(context, followed)
                continue
            state = (found.updated_at, found.health)  # a test is no change of the integration, and is told all the same
            if state != seen:
                seen = state
                yield found
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds_left(found)):
                    await anext(events)
            found = await read_integration(context, id)


async def read_integration(context: Context, id: UUID) -> Integration | None:
    """The integration as it is now, past any loader."""
    async with context.database.session(context.workspace) as session:
        return await integrations.find(session, id)


def seconds_left(integration: Integration) -> float | None:
    """Until it ends, where it waits for a consent; a moment more, since the database's clock decides."""
    if integration.status != IntegrationStatus.PENDING.value or integration.pending_until is None:
        return None
    return max(0.0, (integration.pending_until - now()).total_seconds()) + 0.1
