"""What a run reads, step by step: a listing, named records, what the CRM has deleted, what no listing showed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias, TypedDict

from connectors.client import Client
from connectors.declaration import ExternalType, Removals, Removed
from connectors.errors import Unmappable
from connectors.facts import Catalog, Payload
from connectors.mapping import compile_type
from connectors.paths import follow_path
from connectors.reading import Lists
from connectors.values import read_moment
from storage import staging, upserts
from storage.database import Database
from storage.tables import Integration, SyncRun

SETTLED = 60
"""Seconds after its time at which a change counts as seen: times are whole seconds, and clocks differ."""
NOTHING = Catalog()
"""Whether a record is deleted is told by the record alone."""

AT_A_TIME = 200
"""Records asked for by their ids between two commits."""

Cursor: TypeAlias = Any
"""Where a step goes on: whatever JSON the step has given."""


class Proof(TypedDict, total=False):
    """What a CRM has told of a type apart from its lists, to be added up over batches."""

    remote: int
    """Records that it has counted, or shown."""
    shown: int
    """Of those that it has counted, how many it has shown since."""
    missing: int
    """Shown, and not here."""
    ids: Sequence[str]
    """Theirs; the first of them."""
    broken: bool
    """It could not be asked to the end."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a step brings at a time, to be committed as one."""

    records: Sequence[Payload] = ()
    """All of the step's type."""
    removed: Sequence[Removed] = ()
    """Deleted in the CRM, or named by somebody and gone for good."""
    vanished: Sequence[str] = ()
    """Ids that the CRM knows no more, though nobody has named them: archived at the end of the run, if at all."""
    cleared: Sequence[str] = ()
    """Ids that were asked for since no list has shown them, and that are not known to be gone."""
    missing: Sequence[str] = ()
    """Ids that were asked for, and that the CRM does not show."""
    skipped: int = 0
    """Records that were read, and are here as they are."""
    unlisted: Sequence[str] = ()
    """Ids of records that are there, and that the listing has not shown."""
    proof: Proof | None = None
    """What the CRM has told of a type apart from its lists."""
    round: str = ""
    """What it is a part of, where that goes on from run to run."""
    place: Cursor | None = None
    """Where the round goes on; None: it begins anew."""
    next: Cursor | None = None

    @property
    def is_void(self) -> bool:
        """There is nothing that a commit would have to keep."""
        return not (self.records or self.removed or self.vanished or self.cleared or self.missing or self.proof)


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
    listing: Lists
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
        rows = await self._choose(page.records)
        records = await client.complete(self.external, rows)
        return Batch(records=records, skipped=len(page.records) - len(rows), next=page.next)

    async def _choose(self, rows: Sequence[Payload]) -> Sequence[Payload]:
        """Those of a page that are to be stored."""
        return rows


@dataclass(frozen=True, kw_only=True)
class ChangeStep(ListStep):
    """Reads what has changed since. It looks back further than it must, so most of what it is shown is here already."""

    database: Database
    integration: Integration

    async def _choose(self, rows: Sequence[Payload]) -> Sequence[Payload]:
        """What is new on a page."""
        known = await self._find_known(rows)
        program = compile_type(self.external)
        return [row for row in rows if str(program.identifier(row)) not in known]

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
    run: SyncRun
    """What was read from the CRM since it began is there; a dry one has crossed out what it has read."""
    optional: bool = False
    ahead: bool = False

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """The next few of them, in the order of their ids."""
        values = {"integration": self.run.integration_id, "type": self.external.name, "run": self.run.id}
        values |= {"before": self.run.started_at, "after": cursor or "", "most": AT_A_TIME}
        statement = staging.LEFT if self.run.is_dry_run else upserts.UNSEEN
        asked = [row["external_id"] for row in await self.database.fetch(self.run.workspace_id, statement, values)]
        if not asked:
            return Batch()
        found, gone = await client.prove(self.external, asked)
        return Batch(
            records=list(found.values()),
            vanished=gone,
            cleared=[one for one in asked if one not in gone],
            unlisted=[one for one in asked if one in found],
            next=asked[-1] if len(asked) == AT_A_TIME else None,
        )
