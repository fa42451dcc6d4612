"""The page loop: one run, from where it stands to its end. What it has to survive is in its cursor."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.catalogs import Catalogs
from connectors.client import Client
from connectors.declaration import ExternalType, Removed
from connectors.errors import CrmError, Missing, Reauthorize, Rejected, Unmappable, Unsupported
from connectors.facts import Mapped, Payload
from connectors.mapping import map_record
from connectors.paths import follow_path
from storage import runs
from storage.database import Database
from storage.shapes import IntegrationStatus, SyncKind, SyncStatus
from storage.tables import Integration, SyncRun
from sync.feed import Feed
from sync.pages import Writer
from sync.people import People, side_task
from sync.plan import Plan
from sync.steps import Batch, Cursor, ListStep, Step

AT_ONCE = 50
"""Records mapped before others get their turn: requests are answered by the same process."""

DISCONNECTED = "The integration was disconnected."
PAUSED = "The integration is paused: the run goes on when it is resumed."

SIDE_BY_SIDE = 3
"""Steps of a FULL that fetch at a time: two ahead of the one that is written. A DELTA, whose lists are short, asks for all
at once."""

PASSED_OVER: Mapping[type[CrmError], str] = {
    Unsupported: "UNSUPPORTED",
    Missing: "UNSUPPORTED",
    Rejected: "UNREADABLE",
}
"""Errors of one type's lists that do not keep the others from being read, and the code of the SyncError."""

Error = dict[str, str | None]


class Superseded(Exception):  # noqa: N818 # it is no error: another worker goes on
    """Another worker has taken the run: nothing of this page may be kept."""


class Stopped(Exception):  # noqa: N818 # it is no error: somebody asked for it
    """A person cancelled the run, or paused or disconnected its integration."""

    def __init__(self, status: SyncStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run has ended, and from where the next one may go on."""

    status: SyncStatus
    message: str | None = None
    watermarks: Mapping[str, str] = field(default_factory=dict)
    """external type -> the CRM's time up to which its changes are here."""
    rounds: Mapping[str, Any] = field(default_factory=dict)
    """How far rounds have come, by name."""


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

    def __post_init__(self) -> None:
        self.plan = Plan(self.database, self.integration, self.run)
        self.filter = self.plan.filter
        self.state: dict[str, Any] = {"listing": 0, "page": None, **(self.run.cursor or {})}
        """The run's cursor: {"listing": number of the step, "page": its own cursor, "started": the CRM's time,
        "newest": {type: time}, "taken": {type: records}, "unlisted": records, "failed": [types],
        "rounds": {name: where the next run goes on}}."""

    async def carry_out(self) -> Result:
        """Does step after step; each batch's records, counts and cursor are one commit."""
        steps = self.plan.steps()
        people = People(self.database, self.client, self.integration)
        is_full = self.run.kind == SyncKind.FULL.value
        for external in self.plan.types if is_full else ():
            self.catalogs.start(external)
        if self.filter.asks_for_kinds:
            self.customers = await people.find_customers()
        async with side_task(people.keep_users() if is_full and not self.run.cursor else None):
            await self._take_all(steps)
        await people.find_owners(self.owners)
        return await self._end()

    async def _take_all(self, steps: Sequence[Step]) -> None:
        at, cursor = self.state["listing"], self.state["page"]
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
        if name in self.state.get("failed", ()):
            return True
        if not isinstance(step, ListStep):
            return False
        taken = self.state.get("taken", {}).get(name, 0)
        return self.plan.limit is not None and taken >= self.plan.limit

    # ------------------------------------------------------------ one batch

    async def _store(self, number: int, step: Step, prepared: Prepared) -> None:
        external, batch, mapped = step.external, prepared.batch, prepared.mapped
        errors = [*prepared.errors, *(tell_missing(external, one) for one in batch.missing if external)]
        self._note(step, mapped)
        taken = self._choose(external, mapped) if external else []
        if batch.unlisted:
            self.state["unlisted"] = self.state.get("unlisted", 0) + sum(not one.is_deleted for one in taken)
        if batch.round:
            self.state["rounds"] = {**self.state.get("rounds", {}), batch.round: batch.place}
        last = batch.next is None or self._is_enough(step)
        self.state |= {"listing": number + last, "page": None if last else batch.next}
        if batch.records or batch.removed or errors:
            await self._commit(step, taken, batch, errors)
        elif external:  # nothing that a commit would have to keep
            self._count(external.name, {"fetched": batch.skipped, "skipped": batch.skipped})

    async def _commit(self, step: Step, taken: Sequence[Mapped], batch: Batch | None, errors: Sequence[Error]) -> None:
        self.state.pop("waits", None)
        self.run.cursor = self.state
        async with self.database.session(self.run.workspace_id) as session:
            writer = Writer(self.database, session, self.integration)
            if step.external and taken:
                stored = await writer.store_page(step.external, taken)
                self._count(step.external.name, stored.counts())
            if batch:
                await self._archive(writer, batch.removed)
                if step.external:
                    name, failed = step.external.name, len(errors) - len(batch.missing)
                    met = len(batch.records) + batch.skipped
                    self._count(name, {"fetched": met, "skipped": batch.skipped, "failed": failed})
            await runs.add_errors(self.database, session, self.run, errors)
            state = await runs.commit_page(self.database, session, self.run, self.charge())
            if state is None:
                raise Superseded
        self._obey(state)

    async def _archive(self, writer: Writer, removed: Sequence[Removed]) -> None:
        for external in self.plan.connector.types:
            if ids := [one.external_id for one in removed if one.external_type == external.name]:
                self._count(external.name, {"archived": await writer.archive(external, ids)})

    async def _pass_over(self, number: int, step: Step, error: CrmError) -> None:
        """What the account does not allow, or what cannot be read, is told, and the rest goes on."""
        self.failure = error
        if step.external is None or step.optional:
            errors: list[Error] = []
        else:
            self.state["failed"] = [*self.state.get("failed", ()), step.external.name]
            name = step.external.name
            errors = [tell(name, None, PASSED_OVER[type(error)], f"{name}: {error.message}")]
        self.state |= {"listing": number + 1, "page": None}
        await self._commit(step, (), None, errors)

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
                mapped.append(map_record(external, payload, catalog))
            except Unmappable as error:
                errors.append(explain(external, payload, error))
        return mapped, errors

    def _choose(self, external: ExternalType, mapped: Sequence[Mapped]) -> list[Mapped]:
        """Those that the run is to take: named ones always, deleted ones too, others as filter and limit have it."""
        if "records" in self.run.scope:
            return list(mapped)
        chosen = [one for one in mapped if one.is_deleted or self.filter.accepts(external, one, self.customers)]
        if self.plan.limit is not None:
            taken = self.state.setdefault("taken", {})
            chosen = chosen[: self.plan.limit - taken.get(external.name, 0)]
            taken[external.name] = taken.get(external.name, 0) + len(chosen)
        self.owners.update(one.values["owner_external_id"] for one in chosen if one.values.get("owner_external_id"))
        return chosen

    def _note(self, step: Step, mapped: Sequence[Mapped]) -> None:
        """How far the changes of a type are seen by now."""
        self.state.setdefault("started", (self.begun + timedelta(seconds=self.client.wire.ahead)).isoformat())
        times = [one.remote_updated_at for one in mapped if one.remote_updated_at]
        if step.external and times:
            newest = self.state.setdefault("newest", {})
            newest[step.external.name] = max(newest.get(step.external.name, ""), max(times).astimezone(UTC).isoformat())

    def _count(self, name: str, made: Mapping[str, int]) -> None:
        counts = self.run.counts.setdefault(name, {})
        for each, number in made.items():
            counts[each] = counts.get(each, 0) + number

    # ------------------------------------------------------------ beginning and end

    async def _end(self) -> Result:
        async with self.database.session(self.run.workspace_id) as session:
            await Writer(self.database, session, self.integration).relink()
            has_errors = await runs.has_errors(self.database, session, self.run.id)
        failed = set(self.state.get("failed", ()))
        if self.failure and failed.issuperset(external.name for external in self.plan.types):
            raise self.failure
        unlisted = self.state.get("unlisted", 0)
        message = None
        if unlisted:
            label = self.plan.connector.label
            message = f"{label} has {unlisted} records that its lists did not show; others may be missing here."
        return Result(
            status=SyncStatus.PARTIAL if has_errors or unlisted else SyncStatus.SUCCEEDED,
            message=message,
            watermarks=self._mark(failed) if not unlisted else {},
            rounds=self.state.get("rounds", {}),
        )

    def _mark(self, failed: Collection[str]) -> dict[str, str]:
        """The newest change seen of each type, and never later than the beginning: what changed after it may be unseen."""
        if not self.plan.is_whole:
            return {}
        started, newest = self.state.get("started", self.begun.isoformat()), self.state.get("newest", {})
        before = self.integration.watermarks if self.plan.is_delta else {}
        return {
            name: max(before.get(name, ""), min(newest.get(name) or before.get(name) or started, started))
            for name in (external.name for external in self.plan.types)
            if name not in failed
        }

    def charge(self) -> int:
        """The calls since the last time."""
        calls, self.spent = self.client.calls - self.spent, self.client.calls
        return calls

    def _obey(self, state: Mapping[str, Any]) -> None:
        """What a person has asked for since the last page, or what the CRM has refused meanwhile."""
        if state["integration_status"] == IntegrationStatus.ERROR.value and not state["cancel_requested"]:
            message = state["integration_error"] or "The credential is refused."
            raise Reauthorize(message, crm=self.integration.crm, integration=str(self.integration.id))
        if state["integration_status"] == IntegrationStatus.PAUSED.value:
            raise Stopped(SyncStatus.WAITING, PAUSED)
        if state["cancel_requested"] or state["integration_status"] != IntegrationStatus.ACTIVE.value:
            disconnected = state["integration_status"] == IntegrationStatus.DISCONNECTED.value
            raise Stopped(SyncStatus.CANCELLED, DISCONNECTED if disconnected else "Cancelled.")


def tell(external_type: str, external_id: str | None, code: str, message: str, field: str | None = None) -> Error:
    """A SyncError."""
    return {
        "external_type": external_type,
        "external_id": external_id,
        "field": field,
        "code": code,
        "message": message,
    }


def explain(external: ExternalType, payload: Payload, error: Unmappable) -> Error:
    """The SyncError of a record that could not be mapped."""
    name = follow_path(payload, external.identifier)
    return tell(external.name, None if name is None else str(name), "UNMAPPABLE", error.message, error.field)


def tell_missing(external: ExternalType, name: str) -> Error:
    """The SyncError of a record that was asked for."""
    return tell(external.name, name, "MISSING", "The CRM has no such record, or does not show it.")
