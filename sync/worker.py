"""What a worker does with a run: takes it, carries it out, and writes how it ended or until when it waits."""

import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlmodel.ext.asyncio.session import AsyncSession
from structlog.contextvars import bind_contextvars

from connectors.catalogs import Catalogs
from connectors.client import Client
from connectors.errors import CrmError, QuotaExhausted, Reauthorize, Retryable
from storage import changes, consents, integrations, notifications, pushes, runs
from storage.database import Database
from storage.errors import DatabaseUnavailable, StorageError
from storage.records import now
from storage.shapes import LIVE, Direction, IntegrationStatus, SyncKind, SyncStatus
from storage.tables import Integration, SyncRun
from sync.catalogs import Keeper
from sync.clients import Clients
from sync.jobs import Jobs
from sync.loop import Loop
from sync.observer import Claim, Nobody, Observer
from sync.pages import Gone
from sync.pushing import FAILURES
from sync.remap import Remap, finish
from sync.trouble import PAUSED, Stopped, Superseded

log = logging.getLogger(__name__)

MANY = 1_000
"""Records after which the planner should look at the tables again."""
WRITTEN = (
    "source_record",
    "match_key",
    "contact",
    "organization",
    "deal",
    "activity",
    "deal_contact",
    "activity_contact",
)
WELL = (SyncStatus.SUCCEEDED, SyncStatus.PARTIAL)
CHANGED_AGAIN = "The mappings have changed meanwhile: it begins anew."
WAITS = (5, 15, 45, 120)
"""Seconds between the attempts of a run whose CRM does not answer; after the last one it has FAILED."""


@dataclass(frozen=True)
class Outcome:
    """How a run stands when a worker leaves it."""

    status: SyncStatus
    message: str | None = None
    resumes_at: datetime | None = None
    refused: bool = False
    """The credential is: the integration goes to ERROR."""
    code: str | None = None
    """Of the SyncError, where an error of the CRM has ended the run; the integration tells it too."""
    watermarks: Mapping[str, str] = field(default_factory=dict)
    """external type -> the time from which the next DELTA goes on."""
    rounds: Mapping[str, Any] = field(default_factory=dict)
    """How far rounds have come, by name."""


@dataclass(frozen=True)
class Used:
    """With what a run has called."""

    integration: Integration
    """As it was when the run was taken."""
    client: Client | None


@dataclass(frozen=True)
class Worker:
    """Carries out the runs that jobs wake it for."""

    database: Database
    jobs: Jobs
    clients: Clients
    observer: Observer = field(default_factory=Nobody)

    async def run_sync(self, workspace: UUID, run_id: UUID) -> None:
        """One run, as far as it goes. Does nothing where it has ended or another run holds the integration."""
        async with self.database.session(workspace) as session:
            run = await runs.claim(self.database, session, run_id)
            if run is None:
                await runs.park(self.database, session, run_id, PAUSED)
            integration = await integrations.find(session, run.integration_id) if run else None
        if run is None or integration is None:
            return
        claim = describe(run, integration)
        bind_contextvars(integration=str(integration.id), crm=integration.crm)  # for the log, as long as the job lasts
        with self.observer.claim(claim):
            try:
                outcome = await self._carry_out(run, integration)
            except DatabaseUnavailable:
                raise  # its job is tried again
            except Exception:
                claim.status = SyncStatus.FAILED.value  # by `fail`, which comes next
                raise
            claim.status = outcome.status.value if outcome else None
        await changes.forget(self.database, workspace)
        await pushes.forget(self.database, workspace)

    async def _carry_out(self, run: SyncRun, integration: Integration) -> Outcome | None:
        """The run as far as it goes, and how it was left; None where another worker has taken it, or it is gone."""
        client: Client | None = None
        loop: Loop | None = None
        try:
            if run.cancel_requested:
                raise Stopped(SyncStatus.CANCELLED, "Cancelled.")
            if run.kind == SyncKind.REMAP.value:
                return await self._remap(run, integration)
            client = await self.clients.open(integration, yields=writes_out(integration))
            await self._expect(run)
            catalogs = Catalogs(client, self.clients.region, Keeper(self.database, integration).keep)
            try:
                loop = Loop(self.database, client, integration, run, catalogs)
                result = await loop.carry_out()
                if count_written(run) >= MANY:
                    await self.database.analyze(*WRITTEN)  # now, and not beside the run that comes next
                outcome = Outcome(result.status, result.message, watermarks=result.watermarks, rounds=result.rounds)
            finally:
                await catalogs.close()
        except (Superseded, Gone):
            return None
        except Stopped as stopped:
            outcome = Outcome(stopped.status, stopped.message)
        except DatabaseUnavailable:
            raise  # nothing can be said of the run either
        except (CrmError, StorageError) as error:
            outcome = judge(run, error)
        calls = loop.charge() if loop else client.calls if client else 0
        used = Used(integration, client)
        return outcome if await self._leave(run, outcome, calls, used) else None

    async def _remap(self, run: SyncRun, integration: Integration) -> Outcome | None:
        """A run that calls no CRM."""
        outcome = Outcome(await Remap(self.database, integration, run, self.clients.region).carry_out())
        return outcome if await self._leave(run, outcome, 0) else None

    async def fail(self, workspace: UUID, run_id: UUID, error: BaseException) -> None:
        """Ends a run that met an error of ours, so that nobody waits for it; the log has the error."""
        async with self.database.session(workspace) as session:
            run = await runs.find(self.database, session, run_id)
        if run is None:
            log.info("sync run %s ended with its integration: %s", run_id, error)
            return
        name = uuid4().hex[:12]
        log.error("sync run %s failed, %s", run_id, name, exc_info=error)
        if run.status == SyncStatus.RUNNING.value:
            message = f"Something went wrong here; the log has it under {name}."
            await self._leave(run, Outcome(SyncStatus.FAILED, message), 0)

    async def _expect(self, run: SyncRun) -> None:
        """Counts what the run will meet, as far as that can be told."""
        async with self.database.session(run.workspace_id) as session:
            expected = await runs.count_expected(self.database, session, run)
        expected = expected or dict(Counter(name for name, _ in run.scope.get("records", ())))
        for name, number in expected.items():
            run.counts.setdefault(name, {}).setdefault("expected", number)

    async def _leave(self, run: SyncRun, outcome: Outcome, calls: int, used: Used | None = None) -> bool:
        """Writes how the run stands, and wakes what comes next; locked, so that no request slips in between. False where
        another worker has taken it."""
        ended = outcome.status not in LIVE or outcome.status is SyncStatus.HELD  # which holds up no other run
        async with self.database.session(run.workspace_id) as session:
            await self.database.run(session, runs.LOCK_INTEGRATION, {"integration": run.integration_id})
            is_remap, went_well = run.kind == SyncKind.REMAP.value, outcome.status in WELL
            if is_remap and went_well and not await finish(self.database, session, run):
                outcome, ended, went_well = Outcome(SyncStatus.WAITING, CHANGED_AGAIN, now()), False, False
            left = await runs.settle(
                self.database,
                session,
                run,
                outcome.status,
                message=outcome.message,
                calls=calls,
                resumes_at=outcome.resumes_at,
            )
            if left is None:
                return False
            if went_well and not run.is_dry_run and not is_remap:
                marks = outcome.watermarks, outcome.rounds
                await integrations.note_synced(self.database, session, run.integration_id, *marks)
                is_free = await pushes.end_hold(self.database, session, run.integration_id, FAILURES)
                if await pushes.look_again(self.database, session, run.integration_id) or is_free:
                    await self.jobs.defer_push(session, run.integration_id)
            elif outcome.code and outcome.message:
                await self._note_error(session, run, outcome, used)
                if ended:
                    error = {"code": outcome.code, "message": outcome.message}
                    await runs.add_errors(self.database, session, run, [error])
            if left.status == SyncStatus.HELD.value:
                await self._tell(session, left, outcome)
            followers = await runs.find_next(self.database, session, run.integration_id) if ended else [left]
            for follower in followers if ended or outcome.resumes_at else ():
                if follower.status != SyncStatus.RUNNING.value:  # of the other lane, whose worker has its own job
                    await self.jobs.defer_sync(session, follower, at=outcome.resumes_at)
        return True

    async def _note_error(self, session: AsyncSession, run: SyncRun, outcome: Outcome, used: Used | None) -> None:
        message = outcome.message or ""
        if outcome.refused and used is not None:
            await self._refuse(session, used, message)
            return
        await integrations.note_error(session, run.integration_id, message)
        await self._tell(session, run, outcome)

    async def _refuse(self, session: AsyncSession, used: Used, message: str) -> None:
        """The CRM takes the credential of the run no more; nothing where somebody has given another one meanwhile."""
        current = await integrations.find(session, used.integration.id)
        if current is None:
            return
        is_same = current.credentials == used.integration.credentials
        if is_same and current.credentials is None:
            await integrations.note_error(session, current.id, message, IntegrationStatus.ERROR)
            await notifications.notify_refused(self.database, session, current, message)
        elif is_same or self._holds(current, used):
            await consents.refuse(self.database, session, current, message)

    def _holds(self, current: Integration, used: Used) -> bool:
        """Whether the credential is what the run has renewed its own to."""
        with suppress(CrmError, StorageError):
            token = used.client.wire.credential.token if used.client else None
            return self.clients.vault.open(current, force=True).token == token
        return False

    async def _tell(self, session: AsyncSession, run: SyncRun, outcome: Outcome) -> None:
        """What a person should know of how a run was left: once, whatever else finds it out."""
        integration = await integrations.find(session, run.integration_id)
        if integration is None:
            return
        if outcome.code == "CRM_QUOTA" and outcome.resumes_at:
            name = integration.display_name
            await notifications.notify_quota(self.database, session, integration.id, name, outcome.resumes_at)
        elif outcome.status is SyncStatus.HELD:
            await notifications.notify_held(self.database, session, run, integration.display_name)


def writes_out(integration: Integration) -> bool:
    """Whether there is anything that runs should let go first."""
    is_told = integration.push_warm_leads or integration.replicate_activities
    return is_told or integration.direction != Direction.INBOUND.value


def count_written(run: SyncRun) -> int:
    """Records that it has created or changed."""
    if run.is_dry_run:
        return 0
    return sum(counts.get("created", 0) + counts.get("updated", 0) for counts in run.counts.values())


def describe(run: SyncRun, integration: Integration) -> Claim:
    """A claim, as who looks on may know it."""
    waited = run.started_at - run.created_at if run.claim == 1 and run.started_at else None
    return Claim(
        workspace=run.workspace_id,
        integration=run.integration_id,
        run=run.id,
        crm=integration.crm,
        kind=run.kind,
        waited=waited.total_seconds() if waited else None,
    )


def judge(run: SyncRun, error: CrmError | StorageError) -> Outcome:
    """What becomes of a run that the CRM, or a lost key, has stopped."""
    message = str(error)
    if isinstance(error, QuotaExhausted):
        message = f"{message} It goes on at {error.until:%Y-%m-%d %H:%M} UTC."
        return Outcome(SyncStatus.WAITING, message, error.until, code="CRM_QUOTA")
    if isinstance(error, Retryable):
        cursor: Mapping[str, int] = run.cursor or {}
        waits = cursor.get("waits", 0)
        if waits < len(WAITS):
            run.cursor = {**(run.cursor or {}), "waits": waits + 1}
            resumes_at = now() + timedelta(seconds=max(WAITS[waits], error.after or 0))
            message = f"{message} It is tried again at {resumes_at:%H:%M:%S} UTC."
            return Outcome(SyncStatus.WAITING, message, resumes_at, code="CRM_UNAVAILABLE")
    refused = isinstance(error, Reauthorize)
    return Outcome(
        SyncStatus.FAILED, message, refused=refused, code="CRM_REAUTHORIZE" if refused else "CRM_UNAVAILABLE"
    )
