"""A REMAP: stored payloads in our shape anew, with the mappings as they are now. No CRM is called."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from connectors.facts import Catalog
from connectors.overrides import Overrides
from connectors.registry import CONNECTORS
from storage import remap, runs
from storage.database import Database
from storage.shapes import IntegrationStatus, SyncStatus
from storage.tables import Integration, SyncRun
from sync.catalogs import find_catalogs
from sync.mappings import find_overrides
from sync.pages import Gone
from sync.project import Projection, project
from sync.rewrite import Anew, Packed, Rewriter, pack
from sync.trouble import DISCONNECTED, PAUSED, Stopped, Superseded

BATCH = 500
"""Records that are mapped while those before are written."""
CHUNKS = 3
"""So many times that many are one transaction, which the pages of the workspace's syncs wait for."""

ANY = "*"
"""In the place of a type: any column of any."""

UNREAD = "{type} has not been synced since mappings are kept: sync it once, and map it anew then."


@dataclass
class Remap:
    """Carries one run from where it stands to its end; each batch's records, counts and cursor are one commit."""

    database: Database
    integration: Integration
    run: SyncRun
    region: str | None
    """ISO country of phone numbers without one."""
    batch: int = BATCH
    catalogs: Mapping[str, Catalog] = field(default_factory=dict)

    @property
    def types(self) -> list[ExternalType]:
        """The types that it covers."""
        types = CONNECTORS[self.integration.crm].types
        return [one for one in types if one.record_type.value in self.run.record_types]

    @property
    def state(self) -> dict[str, Any]:
        """The run's cursor: {"version": of the mappings, "fields": {type: […]} or null for all, "type": how many types are
        done, "after": external id}."""
        if self.run.cursor is None:
            raise RuntimeError("a remap begins with its first batch")
        return self.run.cursor

    async def carry_out(self) -> SyncStatus:
        """How it has ended: PARTIAL where some records could not be mapped. Raises Stopped, Superseded, Gone."""
        self.catalogs = await find_catalogs(self.database, self.integration, self.region)
        while await self._take():
            pass
        async with self.database.session(self.run.workspace_id) as session:
            has_errors = await runs.has_errors(self.database, session, self.run.id)
        return SyncStatus.PARTIAL if has_errors else SyncStatus.SUCCEEDED

    async def _take(self) -> bool:
        """The next batch; False where there is none."""
        async with self.database.session(self.run.workspace_id) as session:
            rewriter = Rewriter(self.database, session, self.run)
            await rewriter.settler.lock()
            overrides = await self._read_overrides(session)
            if self.run.cursor is None or self.state["version"] != overrides.version:
                await self._begin(session, overrides)
            types = self.types
            if self.state["type"] == len(types):
                return False
            await self._rewrite(rewriter, types[self.state["type"]], overrides)
            found = await runs.commit_page(self.database, session, self.run, 0)
            if found is None:
                raise Superseded
        obey(found)
        return True

    async def _read_overrides(self, session: AsyncSession) -> Overrides:
        """As they are in this transaction. Raises Gone where the integration is."""
        if await find_state(self.database, session, self.integration.id) is None:
            raise Gone
        return await find_overrides(self.database, session, self.integration)

    async def _begin(self, session: AsyncSession, overrides: Overrides) -> None:
        """From the first record, also where the mappings have changed on the way."""
        state = await find_state(self.database, session, self.integration.id)
        fields = choose_fields(state and state["to_remap"], [one.name for one in self.types])
        expected = await self.database.run(session, remap.EXPECTED, {"integration": self.integration.id})
        numbers = {row["external_type"]: row["n"] for row in expected}
        here = [one.name for one in self.types if numbers.get(one.name)]
        if unread := [name for name in here if name not in self.catalogs]:
            raise Stopped(SyncStatus.FAILED, UNREAD.format(type=unread[0]))
        self.run.counts = {name: {"expected": numbers[name]} for name in here if fields is None or name in fields}
        self.run.cursor = {"version": overrides.version, "fields": fields, "type": 0, "after": ""}
        await self.database.run(session, remap.DROP_ERRORS, {"run": self.run.id})

    async def _rewrite(self, rewriter: Rewriter, external: ExternalType, overrides: Overrides) -> None:
        """Some records of the type; behind its last one, the next type is due. While some are mapped, those before are
        written and the next ones read; not where what is written can make two records one, which comes first then."""
        if external.name not in self.run.counts:
            self._move(())
            return
        fields = self.state["fields"] and self.state["fields"][external.name]
        projection = Projection.of(external, self.catalogs[external.name], overrides, fields)
        found, before = await self._read(rewriter, projection), Batch.of(external, ())
        for number in range(1, CHUNKS + 1):
            self._move(found)
            is_last = len(found) < self.batch or number == CHUNKS
            making, next_up = self._make(projection, found), None if is_last else projection
            if projection.is_keyed:
                found = await self._write(rewriter, await making, next_up)
            else:
                before, found = await asyncio.gather(making, self._write(rewriter, before, next_up))
            if is_last:
                break
        await self._write(rewriter, before, None)

    async def _make(self, projection: Projection, found: Sequence[Mapping[str, Any]]) -> "Batch":
        return Batch.of(projection.external, await project(projection, found))

    async def _write(
        self, rewriter: Rewriter, batch: "Batch", projection: Projection | None
    ) -> Sequence[Mapping[str, Any]]:
        """Writes these, and gives what comes next where it is asked for."""
        if batch.rows:
            errors = [row.error for row in batch.rows if row.error]
            await runs.add_errors(self.database, rewriter.session, self.run, errors)
            await rewriter.write(batch.packed)
            self._count(batch)
        return await self._read(rewriter, projection) if projection else ()

    async def _read(self, rewriter: Rewriter, projection: Projection) -> Sequence[Mapping[str, Any]]:
        known = {"integration": self.integration.id, "after": self.state["after"], "most": self.batch}
        return await self.database.run(rewriter.session, projection.statement, {**known, **projection.values})

    def _move(self, found: Sequence[Mapping[str, Any]]) -> None:
        """Behind what was read."""
        if len(found) < self.batch:
            self.run.cursor = {**self.state, "type": self.state["type"] + 1, "after": ""}
        else:
            self.run.cursor = {**self.state, "after": found[-1]["external_id"]}

    def _count(self, batch: "Batch") -> None:
        name, read, written = batch.external.name, len(batch.rows), len(batch.packed.rows)
        failed = sum(row.error is not None for row in batch.rows)
        made = {"fetched": read, "updated": written, "failed": failed, "skipped": read - written - failed}
        counts = self.run.counts[name]
        self.run.counts[name] = counts | {key: counts.get(key, 0) + number for key, number in made.items()}


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Sources of a type that were mapped anew."""

    external: ExternalType
    rows: Sequence[Anew]
    packed: Packed

    @classmethod
    def of(cls, external: ExternalType, rows: Sequence[Anew]) -> Self:
        """Ready to be written."""
        return cls(external=external, rows=rows, packed=pack(external, rows))


def obey(state: Mapping[str, Any]) -> None:
    """What a person has asked for since the last batch."""
    status = state["integration_status"]
    if state["cancel_requested"] or status == IntegrationStatus.DISCONNECTED.value:
        disconnected = status == IntegrationStatus.DISCONNECTED.value
        raise Stopped(SyncStatus.CANCELLED, DISCONNECTED if disconnected else "Cancelled.")
    if status == IntegrationStatus.PAUSED.value:
        raise Stopped(SyncStatus.WAITING, PAUSED)


def choose_fields(noted: Mapping[str, Sequence[str]] | None, types: Sequence[str]) -> dict[str, list[str]] | None:
    """Of the types of a run, by name, the fields that are known to be mapped otherwise since; None for all there are,
    also where nothing is known of them: somebody wants it so."""
    if not noted or ANY in noted:
        return None
    return {name: list(noted[name]) for name in types if name in noted} or None


# ---------------------------------------------------------------- asking for one, and ending it


async def find_state(database: Database, session: AsyncSession, integration: UUID) -> dict[str, Any] | None:
    """{crm, mappings_version, to_remap, record_types}; None where the integration is gone."""
    found = await database.run(session, remap.STATE, {"integration": integration})
    return found[0] if found else None


async def finish(database: Database, session: AsyncSession, run: SyncRun) -> bool:
    """In the transaction that ends the run, with the integration locked: whether all is mapped as it is to be by now."""
    state = await find_state(database, session, run.integration_id)
    if state is None:
        return True
    if run.cursor is None or run.cursor["version"] != state["mappings_version"]:
        return False
    covered = {one.name for one in CONNECTORS[state["crm"]].types if one.record_type.value in run.record_types}
    covered |= {ANY} if set(run.record_types).issuperset(state["record_types"]) else set()
    left = {name: fields for name, fields in (state["to_remap"] or {}).items() if name not in covered}
    await remap.keep_fields(database, session, run.integration_id, left or None)
    return True


async def note_changed(
    database: Database, session: AsyncSession, integration: Integration, changed: Mapping[str, Sequence[str]]
) -> None:
    """In the transaction that changes mappings: by external type, the fields that the next remap looks at, and those that
    the last one has not come to."""
    state = await find_state(database, session, integration.id)
    before: Mapping[str, Sequence[str]] = (state and state["to_remap"]) or {}
    names = [*before, *(name for name in changed if name not in before)]
    fields = {name: list(dict.fromkeys([*before.get(name, ()), *changed.get(name, ())])) for name in names}
    await remap.keep_fields(database, session, integration.id, fields)


def list_changed(before: Overrides, after: Overrides) -> dict[str, list[str]]:
    """By external type, the local fields whose rules differ."""
    if before.excluded != after.excluded:
        return {ANY: []}
    names = sorted({*before.rules, *after.rules})
    changed = {name: {rule.local_field for rule in {*before.of(name)} ^ {*after.of(name)}} for name in names}
    return {name: sorted(fields) for name, fields in changed.items() if fields}
