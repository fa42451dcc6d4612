"""The page loop: one run, from where it stands to its end. What it has to survive is in its cursor."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.catalogs import Catalogs
from connectors.client import Client
from connectors.declaration import ExternalType
from connectors.errors import CrmError, Reauthorize, Unmappable
from connectors.facts import Mapped, Payload
from connectors.mapping import map_record
from connectors.overrides import NONE, Overrides
from storage import runs, staging
from storage.database import Database
from storage.shapes import IntegrationStatus, SyncKind, SyncStatus
from storage.tables import Integration, SyncRun
from sync.attest import CountStep, ProofStep
from sync.ending import Ending, Result
from sync.feed import Feed
from sync.journal import Origin
from sync.mappings import find_overrides, read_overrides, renew
from sync.pages import Writer
from sync.people import People, side_task
from sync.plan import Plan
from sync.progress import Progress
from sync.staging import MOST_SAMPLES, sketch
from sync.steps import Batch, Cursor, ListStep, Step
from sync.trouble import (
    DISCONNECTED,
    PASSED_OVER,
    PAUSED,
    Error,
    Stopped,
    Superseded,
    explain,
    tell,
    tell_missing,
)

AT_ONCE = 50
"""Records mapped before others get their turn: requests are answered by the same process."""

SIDE_BY_SIDE = 3
"""Steps of a FULL that fetch at a time: two ahead of the one that is written. A DELTA, whose lists are short, asks for all
at once."""


@dataclass(frozen=True)
class Prepared:
    """A batch, ready to be written."""

    batch: Batch
    mapped: Sequence[Mapped]
    errors: Sequence[Error]

    @property
    def next(self) -> Cursor | None:
        """Where the step goes on."""
        return self.batch.next


@dataclass
class Loop:
    """Carries one run through its steps."""

    database: Database
    client: Client
    integration: Integration
    run: SyncRun
    catalogs: Catalogs
    spent: int = 0
    """Calls of the client that the run has been charged with."""
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    customers: Collection[str] = ()
    """The CRM's persons who take part in a deal, where somebody has asked for one kind of contact."""
    owners: set[str] = field(default_factory=set)
    """Users of the CRM whom records have named."""
    failure: CrmError | None = None
    """What the last step met that the account does not allow."""
    overrides: Overrides = NONE
    """What people have put in the place of the connector's mapping, as a page has last found it."""

    def __post_init__(self) -> None:
        self.plan = Plan(self.database, self.integration, self.run)
        self.filter = self.plan.filter
        self.progress = Progress(self.run)

    async def carry_out(self) -> Result:
        """Does step after step; each batch's records, counts and cursor are one commit. An approved run has done them."""
        if not self.run.approved:
            await self._read()
        failed = set(self.progress.failed)
        if self.failure and failed.issuperset(external.name for external in self.plan.types):
            raise self.failure
        ending = Ending(
            database=self.database,
            integration=self.integration,
            run=self.run,
            plan=self.plan,
            progress=self.progress,
            begun=self.begun,
            charge=self.charge,
        )
        return await ending.finish()

    async def _read(self) -> None:
        self.overrides = await read_overrides(self.database, self.integration)
        steps = self.plan.steps()
        people = People(self.database, self.client, self.integration)
        is_full, is_new = self.run.kind == SyncKind.FULL.value, not self.run.cursor
        for external in self.plan.types if is_full else ():
            self.catalogs.start(external)
        for step in steps:
            if isinstance(step, CountStep):
                step.start(self.client)
        if self.filter.asks_for_kinds:
            self.customers = await people.find_customers()
        if self.run.is_dry_run:
            await self._begin_trial()
        keeps_users = is_full and is_new and not self.run.is_dry_run
        async with side_task(people.keep_users() if keeps_users else None):
            await self._take_all(steps)
        if not self.run.is_dry_run:
            await people.find_owners(self.owners)

    async def _take_all(self, steps: Sequence[Step]) -> None:
        at, cursor = self.progress.place
        width = 0 if self.plan.limit else len(steps) if self.plan.is_delta else SIDE_BY_SIDE
        async with Feed.open(self._fetch, steps, width) as feed:
            for number in range(at, len(steps)):
                step = steps[number]
                if not self._is_enough(step):
                    try:
                        await self._take(feed, number, cursor)
                    except tuple(PASSED_OVER) as error:
                        await self._pass_over(number, step, error)
                cursor = None

    async def _take(self, feed: Feed[Prepared], number: int, cursor: Cursor | None) -> None:
        step = feed.steps[number]
        async with aclosing(feed.batches(number, cursor)) as batches:
            async for prepared in batches:
                await self._store(number, step, prepared)
                if self._is_enough(step):
                    return

    async def _fetch(self, step: Step, cursor: Cursor | None) -> Prepared:
        """A batch with its records in our shape: made while the database writes the one before."""
        batch = await step.fetch(self.client, cursor)
        mapped, errors = await self._map(step.external, batch.records) if step.external else ([], [])
        return Prepared(batch, mapped, errors)

    def _is_enough(self, step: Step) -> bool:
        """A trial has as many records of the type as were asked for, or the CRM does not allow to read the type at all."""
        name = step.external.name if step.external else ""
        if name in self.progress.failed:
            return True
        if not isinstance(step, ListStep):
            return False
        return self.plan.limit is not None and self.progress.count_taken(name) >= self.plan.limit

    # ------------------------------------------------------------ one batch

    async def _store(self, number: int, step: Step, prepared: Prepared) -> None:
        external, batch, mapped = step.external, prepared.batch, prepared.mapped
        errors = [*prepared.errors, *(tell_missing(external, one) for one in batch.missing if external)]
        self.progress.note_times(external, mapped, self.begun + timedelta(seconds=self.client.wire.ahead))
        taken = self._choose(external, mapped) if external else []
        if batch.round:
            self.progress.go_round(batch.round, batch.place)
        if external and batch.unlisted:
            there = {one.external_id for one in taken if not one.is_deleted}
            self.progress.note_unlisted(external.name, [one for one in batch.unlisted if one in there])
        if external and self.run.is_dry_run and self.plan.is_proven and isinstance(step, ListStep):
            self.progress.spare(1 if external.second or batch.next is None else 0)
        if external and batch.proof:
            self.progress.add_proof(external.name, batch.proof)
        last = batch.next is None or self._is_enough(step)
        self.progress.move(number + last, None if last else batch.next)
        if errors or not batch.is_void:
            await self._commit(step, taken, batch, errors)
        elif external:  # nothing that a commit would have to keep
            self.progress.count(external.name, {"fetched": batch.skipped, "skipped": batch.skipped})

    async def _commit(self, step: Step, taken: Sequence[Mapped], batch: Batch, errors: Sequence[Error]) -> None:
        self.progress.save()
        async with self.database.session(self.run.workspace_id) as session:
            if step.external and taken:
                taken, late = await self._renew(session, step.external, taken)
                errors = [*errors, *late]
            if self.run.is_dry_run:
                await self._try(session, step, taken, batch)
            else:
                await self._write(session, step, taken, batch)
            if step.external and not (batch.is_void or batch.proof):
                met, failed = len(batch.records) + batch.skipped, len(errors) - len(batch.missing)
                self.progress.count(step.external.name, {"fetched": met, "skipped": batch.skipped, "failed": failed})
            await runs.add_errors(self.database, session, self.run, errors)
            state = await runs.commit_page(self.database, session, self.run, self.charge())
            if state is None:
                raise Superseded
        self._obey(state)

    async def _write(self, session: AsyncSession, step: Step, taken: Sequence[Mapped], batch: Batch) -> Writer:
        """What a batch changes here."""
        writer = Writer(self.database, session, self.integration, Origin.of(self.run))
        if step.external and taken:
            stored = await writer.store_page(step.external, taken)
            self.progress.count(step.external.name, stored.counts())
        for external in self.plan.connector.types:
            if ids := [one.external_id for one in batch.removed if one.external_type == external.name]:
                self.progress.count(external.name, {"archived": await writer.archive(external, ids)})
        if step.external and batch.vanished:
            await staging.stage(self.database, session, self.run, step.external.name, batch.vanished)
        return writer

    async def _pass_over(self, number: int, step: Step, error: CrmError) -> None:
        """What the account does not allow, or what cannot be read, is told, and the rest goes on."""
        self.failure = error
        errors: list[Error] = []
        if step.external and isinstance(step, ProofStep):
            self.progress.add_proof(step.external.name, {"broken": True})
        elif step.external and not step.optional:
            name = step.external.name
            self.progress.fail(name)
            errors.append(tell(name, None, PASSED_OVER[type(error)], f"{name}: {error.message}"))
        self.progress.move(number + 1, None)
        await self._commit(step, (), Batch(), errors)

    # ------------------------------------------------------------ a dry run

    async def _begin_trial(self) -> None:
        """All that a dry FULL could find to be gone: what it is shown, it crosses out."""
        names = [one.name for one in self.plan.types]
        if self.plan.checks and not self.run.cursor:
            async with self.database.session(self.run.workspace_id) as session:
                await staging.stage_all(self.database, session, self.run, names)

    async def _try(self, session: AsyncSession, step: Step, taken: Sequence[Mapped], batch: Batch) -> None:
        """What a batch would change: it is done, looked at and undone."""
        async with session.begin_nested() as trial:
            writer = await self._write(session, step, taken, batch)
            room = MOST_SAMPLES - len(self.progress.sample)
            differences = await writer.settler.journal.list_differences(self.integration.id, room) if room > 0 else ()
            self.progress.sample.extend(sketch(differences))
            await trial.rollback()
        if self.plan.checks:
            shown = {(step.external.name, one) for one in batch.cleared} if step.external else set()
            shown |= {(step.external.name, one.external_id) for one in taken} if step.external else set()
            shown |= {(one.external_type, one.external_id) for one in batch.removed}
            for name in {name for name, _ in shown}:
                ids = [one for other, one in shown if other == name]
                await staging.cross_out(self.database, session, self.run, name, ids)

    # ------------------------------------------------------------ records

    async def _map(self, external: ExternalType, records: Sequence[Payload]) -> tuple[list[Mapped], list[Error]]:
        """The records in our shape, and what is told of those that have none."""
        mapped: list[Mapped] = []
        errors: list[Error] = []
        if not records:
            return mapped, errors
        catalog = await self.catalogs.of(external)
        for number, payload in enumerate(records):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            try:
                mapped.append(map_record(external, payload, catalog, self.overrides))
            except Unmappable as error:
                errors.append(explain(external, payload, error))
        return mapped, errors

    async def _renew(
        self, session: AsyncSession, external: ExternalType, taken: Sequence[Mapped]
    ) -> tuple[list[Mapped], list[Error]]:
        """The records as the mappings have them that are there when the page is written; and what is told of others."""
        await Writer(self.database, session, self.integration).settler.lock()
        self.overrides = await find_overrides(self.database, session, self.integration)
        kept, failed = renew(external, taken, await self.catalogs.of(external), self.overrides)
        return kept, [explain(external, one.payload, error) for one, error in failed]

    def _choose(self, external: ExternalType, mapped: Sequence[Mapped]) -> list[Mapped]:
        """Those that the run is to take: named ones always, deleted ones too, others as filter and limit have it."""
        if "records" in self.run.scope:
            return list(mapped)
        chosen = [one for one in mapped if one.is_deleted or self.filter.accepts(external, one, self.customers)]
        if self.plan.limit is not None:
            chosen = chosen[: self.plan.limit - self.progress.count_taken(external.name)]
            self.progress.count_taken(external.name, len(chosen))
        self.owners.update(one.values["owner_external_id"] for one in chosen if one.values.get("owner_external_id"))
        return chosen

    def charge(self) -> int:
        """The calls since the last time."""
        calls, self.spent = self.client.calls - self.spent, self.client.calls
        return calls

    def _obey(self, state: dict[str, Any]) -> None:
        """What a person has asked for since the last page, or what the CRM has refused meanwhile."""
        if state["integration_status"] == IntegrationStatus.ERROR.value and not state["cancel_requested"]:
            message = state["integration_error"] or "The credential is refused."
            raise Reauthorize(message, crm=self.integration.crm, integration=str(self.integration.id))
        if state["integration_status"] == IntegrationStatus.PAUSED.value:
            raise Stopped(SyncStatus.WAITING, PAUSED)
        if state["cancel_requested"] or state["integration_status"] != IntegrationStatus.ACTIVE.value:
            disconnected = state["integration_status"] == IntegrationStatus.DISCONNECTED.value
            raise Stopped(SyncStatus.CANCELLED, DISCONNECTED if disconnected else "Cancelled.")
