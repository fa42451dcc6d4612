"""What a run reads, step by step: a listing, named records, what the CRM has deleted, what no listing showed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from connectors.client import Client
from connectors.declaration import Catalog, Connector, ExternalType, Listing, Payload, Removals, Removed
from connectors.errors import Unmappable
from connectors.mapping import compile_type
from connectors.paths import follow_path
from connectors.registry import CONNECTORS
from connectors.values import read_moment
from storage import upserts
from storage.database import Database
from storage.shapes import SyncKind
from storage.tables import Integration, SyncRun
from sync.filters import Filter

SETTLED = 60
"""Seconds after its time at which a change counts as seen: times are whole seconds, and clocks differ."""
NOTHING = Catalog()
"""Whether a record is deleted is told by the record alone."""

AT_A_TIME = 200
"""Records asked for by their ids between two commits."""

Cursor: TypeAlias = Any
"""Where a step goes on: whatever JSON the step has given."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a step brings at a time, to be committed as one."""

    records: Sequence[Payload] = ()
    """All of the step's type."""
    removed: Sequence[Removed] = ()
    """Deleted in the CRM, or gone for good."""
    missing: Sequence[str] = ()
    """Ids that were asked for, and that the CRM does not show."""
    skipped: int = 0
    """Records that were read, and are here as they are."""
    unlisted: int = 0
    """Records that are there, and that the listing has not shown."""
    next: Cursor | None = None


class Step(Protocol):
    """One part of a run. A run that resumes makes the same steps again."""

    @property
    def external(self) -> ExternalType | None:
        """The type of its records; None where it brings none."""

    @property
    def optional(self) -> bool:
        """An account that does not allow it is served without it."""

    @property
    def ahead(self) -> bool:
        """It may be asked for before the steps before it are done."""

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """The batch at the cursor; the first one at None."""


@dataclass(frozen=True, kw_only=True)
class ListStep:
    """Reads a listing page by page, all of it or what has changed since."""

    external: ExternalType
    listing: Listing
    since: datetime | None = None
    size: int | None = None
    """Rows of a page, where fewer are wanted than the largest page has."""
    ahead: bool = True

    @property
    def optional(self) -> bool:
        """As the listing says."""
        return self.listing.optional

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """A page."""
        page = await client.page(self.listing, cursor, since=self.since, size=self.size)
        return Batch(records=page.records, next=page.next)


@dataclass(frozen=True, kw_only=True)
class ChangeStep(ListStep):
    """Reads what has changed since. It looks back further than it must, so most of what it is shown is here already."""

    database: Database
    integration: Integration

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """What is new on a page."""
        batch = await super().fetch(client, cursor)
        known = await self._find_known(batch.records)
        program = compile_type(self.external)
        records = [row for row in batch.records if str(program.identifier(row)) not in known]
        return replace(batch, records=records, skipped=len(batch.records) - len(records))

    async def _find_known(self, rows: Sequence[Payload]) -> set[str]:
        """The ids of the rows that are stored as they are: of the same time, and read when that time was over."""
        program = compile_type(self.external)
        asked = [
            {
                "id": str(program.identifier(row)),
                "at": moment,
                "deleted": bool(program.deleted(row, NOTHING)) if program.deleted else False,
            }
            for row in rows
            if (moment := self._read_time(row)) is not None
        ]
        if not asked:
            return set()
        values = {"integration": self.integration.id, "type": self.external.name, "settled": SETTLED}
        values |= {"rows": upserts.packed(asked)}
        found = await self.database.fetch(self.integration.workspace_id, upserts.UNCHANGED, values)
        return {row["id"] for row in found}

    def _read_time(self, row: Payload) -> datetime | None:
        """When the row was changed; None where that cannot be told."""
        try:
            return read_moment(follow_path(row, self.external.updated or ""), "")
        except Unmappable:
            return None


@dataclass(frozen=True, kw_only=True)
class NameStep:
    """Reads the records that somebody has named."""

    external: ExternalType
    ids: Sequence[str]
    optional: bool = False
    ahead: bool = True

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """The next few."""
        start = int(cursor or 0)
        asked = self.ids[start : start + AT_A_TIME]
        found, gone = await client.prove(self.external, asked)
        after = start + len(asked)
        return Batch(
            records=list(found.values()),
            removed=[Removed(external_type=self.external.name, external_id=one) for one in gone],
            missing=[one for one in asked if one not in found],
            next=after if after < len(self.ids) else None,
        )


@dataclass(frozen=True, kw_only=True)
class RemovalStep:
    """Reads what the CRM names as deleted."""

    removals: Removals
    types: frozenset[str]
    since: datetime
    external: None = None
    ahead: bool = True

    @property
    def optional(self) -> bool:
        """As the listing says."""
        return self.removals.listing.optional

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """The deletions on a page."""
        page = await client.page(self.removals.listing, cursor, since=self.since)
        removed = [one for one in self.removals.read(page.records) if one.external_type in self.types]
        return Batch(removed=removed, next=page.next)


@dataclass(frozen=True, kw_only=True)
class CheckStep:
    """Asks by id for what is here and what the listings of this run have not shown: absence alone proves nothing."""

    external: ExternalType
    database: Database
    workspace: UUID
    integration: UUID
    before: datetime
    """When the run began: what was read from the CRM since is there."""
    optional: bool = False
    ahead: bool = False

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """The next few of them, in the order of their ids."""
        values = {"integration": self.integration, "type": self.external.name, "before": self.before}
        values |= {"after": cursor or "", "most": AT_A_TIME}
        rows = await self.database.fetch(self.workspace, upserts.UNSEEN, values)
        asked = [row["external_id"] for row in rows]
        if not asked:
            return Batch()
        found, gone = await client.prove(self.external, asked)
        return Batch(
            records=list(found.values()),
            removed=[Removed(external_type=self.external.name, external_id=one) for one in gone],
            unlisted=len(found),
            next=asked[-1] if len(asked) == AT_A_TIME else None,
        )


@dataclass(frozen=True)
class Plan:
    """What a run does, worked out from its row and its integration alone."""

    database: Database
    integration: Integration
    run: SyncRun

    @property
    def connector(self) -> Connector:
        """Of the integration's CRM."""
        return CONNECTORS[self.integration.crm]

    @property
    def types(self) -> list[ExternalType]:
        """The types that it reads, in their order: a record comes after what it points at."""
        return [one for one in self.connector.types if one.record_type.value in self.run.record_types]

    @property
    def filter(self) -> Filter:
        """Which of their records it takes."""
        return Filter.read(self.run.scope.get("filter"))

    @property
    def limit(self) -> int | None:
        """After how many records of each type it stops."""
        return self.run.scope.get("limit")

    @property
    def is_delta(self) -> bool:
        """Reads what has changed since the last time."""
        return self.run.kind == SyncKind.DELTA.value

    @property
    def is_whole(self) -> bool:
        """Reads all there is: only then is what it does not show conspicuous, and the next run may start from here."""
        plain = self.limit is None and self.run.scope.get("filter") == self.integration.filter
        return plain and self.run.kind != SyncKind.SELECTIVE.value

    def steps(self) -> list[Step]:
        """All of it, in order."""
        if "records" in self.run.scope:
            return list(self._name())
        steps: list[Step] = [step for external in self.types for step in self._list(external)]
        return [*steps, *(self._find_removed() if self.is_delta else self._check())]

    def since(self, external: ExternalType) -> datetime | None:
        """From when on a DELTA reads the changes of a type; None where it reads all of them."""
        mark = self.integration.watermarks.get(external.name)
        if not self.is_delta or mark is None or not external.changes:
            return None
        return datetime.fromisoformat(mark) - timedelta(seconds=self.connector.overlap)

    def _name(self) -> list[Step]:
        ids: dict[str, list[str]] = {}
        for external_type, external_id in self.run.scope["records"]:
            ids.setdefault(external_type, []).append(external_id)
        return [NameStep(external=one, ids=ids[one.name]) for one in self.connector.types if one.name in ids]

    def _list(self, external: ExternalType) -> list[Step]:
        since, filter_ = self.since(external), self.filter
        times = [moment for moment in (since, filter_.updated_since) if moment is not None]
        size = self.limit if filter_ == Filter() else None
        known: dict[str, Any] = {"external": external, "since": max(times, default=None), "size": size}
        if since is None:
            return [ListStep(listing=listing, **known) for listing in external.listings]
        known |= {"database": self.database, "integration": self.integration}
        return [ChangeStep(listing=listing, **known) for listing in external.changes]

    def _find_removed(self) -> list[Step]:
        since: Mapping[str, datetime] = {one.name: moment for one in self.types if (moment := self.since(one))}
        if not since or self.connector.removals is None:
            return []
        return [
            RemovalStep(removals=self.connector.removals, types=frozenset(since), since=min(since.values())),
        ]

    def _check(self) -> list[Step]:
        if not self.is_whole or self.run.started_at is None:
            return []
        return [
            CheckStep(
                external=external,
                database=self.database,
                workspace=self.run.workspace_id,
                integration=self.integration.id,
                before=self.run.started_at,
            )
            for external in self.types
        ]
