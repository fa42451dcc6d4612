"""What a transaction does to unified records, noted as it goes: at its end it becomes events of the change feed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import changes
from storage.database import Database
from storage.records import BY_TYPE
from storage.shapes import ChangeCause, RecordType, SyncKind, SyncTrigger
from storage.tables import SyncRun


@dataclass(frozen=True)
class Origin:
    """What has caused a change."""

    cause: ChangeCause = ChangeCause.SYNC
    run_id: UUID | None = None

    @classmethod
    def of(cls, run: SyncRun) -> Self:
        """A run: of a mapping that has changed, of a webhook, or of any other cause."""
        if run.kind == SyncKind.REMAP.value:
            return cls(ChangeCause.MAPPING, run.id)
        by_webhook = run.trigger == SyncTrigger.WEBHOOK.value
        return cls(ChangeCause.WEBHOOK if by_webhook else ChangeCause.SYNC, run.id)


@dataclass(frozen=True)
class Difference:
    """What a transaction has done to a record, and the integration's source that it was about."""

    record_type: RecordType
    record_id: UUID
    kind: str
    external_type: str | None
    external_id: str | None
    changes: Mapping[str, Sequence[Any]]
    """field -> [before, after], as the feed has it."""


@dataclass
class Journal:
    """Of one transaction in one workspace, which holds its lock: `keep` before a record is written, `finish` at the end."""

    database: Database
    session: AsyncSession
    workspace: UUID
    origin: Origin = field(default_factory=Origin)
    before: dict[tuple[RecordType, UUID], str | None] = field(default_factory=dict)
    """What records were; None for those that are new."""
    merged: dict[UUID, UUID] = field(default_factory=dict)
    first: int | None = None
    """The number of the first event that the transaction has written."""

    async def keep(self, type_: RecordType, records: Iterable[UUID], made: Collection[UUID] = ()) -> None:
        """Notes how these records are, before they are written for the first time; `made` are known to be new."""
        unknown = [one for one in records if (type_, one) not in self.before]
        found = await changes.find_images(
            self.database, self.session, type_, [one for one in unknown if one not in made]
        )
        for one in unknown:
            self.before[type_, one] = found.get(one)

    async def note_merged(self, type_: RecordType, into: Mapping[UUID, UUID]) -> None:
        """Records are about to become part of others, by their ids: to be called before anything of them is moved.

        What leads to them changes too, and is kept.
        """
        if not into:
            return
        await self.keep(type_, [*into, *into.values()])
        for other, statement in changes.find_pointing(BY_TYPE[type_]).items():
            rows = await self.database.run(self.session, statement, {"ids": list(into)})
            await self.keep(other, [row["id"] for row in rows])
        self.merged |= into

    async def finish(self) -> None:
        """Writes one event for each record that differs from what it was."""
        rows = [
            changes.pack_row(type_, record, before, self._find_survivor(record))
            for (type_, record), before in self.before.items()
            if before is not None or record not in self.merged  # nobody has heard of one that came and went
        ]
        self.before, self.merged = {}, {}
        if rows:
            cause, run = self.origin.cause, self.origin.run_id
            written = await changes.write(self.database, self.session, self.workspace, rows, cause=cause, run=run)
            self.first = self.first or written

    async def list_differences(self, integration: UUID, most: int) -> list[Difference]:
        """What the transaction has done so far, of what is finished; the first ones. For a trial that is rolled back."""
        if self.first is None:
            return []
        values = {"first": self.first, "integration": integration, "most": most}
        rows = await self.database.run(self.session, changes.DIFFERENCES, values)
        return [
            Difference(
                **{**row, "record_type": RecordType(row["record_type"]), "changes": changes.read_changes(row)},
            )
            for row in rows
        ]

    def _find_survivor(self, record: UUID) -> UUID | None:
        survivor = self.merged.get(record)
        while survivor in self.merged:
            survivor = self.merged[survivor]
        return survivor
