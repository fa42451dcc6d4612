"""Unified records, written from what their sources say, in the transaction of the caller."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.registry import CONNECTORS
from storage import local, upserts, workspaces
from storage.database import Database
from storage.shapes import RecordType
from sync.golden import Source, Targets, merge_sources
from sync.holding import Holder, Values
from sync.journal import Journal, Origin
from sync.local import lay_over

PROMOTING = tuple(f"{crm}:{type_.name}" for crm, one in CONNECTORS.items() for type_ in one.types if type_.promotes)


@dataclass
class Settler:
    """Writes records of one workspace, in one transaction: `lock` comes first, `finish` last."""

    database: Database
    session: AsyncSession
    workspace: UUID
    origin: Origin = field(default_factory=Origin)
    priority: Sequence[UUID] = ()
    """The integrations whose values come first; `lock` reads it."""

    def __post_init__(self) -> None:
        self.journal = Journal(self.database, self.session, self.workspace, self.origin)
        self.holder = Holder(self.database, self.session)
        self.made = set[UUID]()
        """Records that were not there before the transaction."""

    async def lock(self) -> None:
        """Before anything is read: a person of two accounts is written by both, each from what the other one has said."""
        await self.database.run(self.session, upserts.LOCK_MATCHING, {"workspace": self.workspace})
        self.priority, self.holder.is_needed = await workspaces.find_rules(self.database, self.session)

    async def finish(self) -> None:
        """Tells the change feed what has become of the records."""
        await self.journal.finish()

    async def gather(
        self, records: Iterable[UUID], page: Mapping[UUID, Source], made: Collection[UUID] = ()
    ) -> dict[UUID, list[Source]]:
        """All sources of these records: those of the page as they came, the others as they are stored."""
        sources: dict[UUID, list[Source]] = {record: [] for record in records}
        older = [record for record in sources if record not in made]
        self.made.update(made)
        stored = await upserts.find_sources(self.database, self.session, self.workspace, older)
        for source in [*page.values(), *(Source(**row) for row in stored if row["id"] not in page)]:
            if source.record_id:
                sources[source.record_id].append(source)
        return sources

    async def find_targets(self, sources: Mapping[UUID, Sequence[Source]]) -> Targets:
        """What these sources point at, as far as it is here."""
        wanted = {target for each in sources.values() for source in each for target in source.targets}
        return await upserts.find_targets(self.database, self.session, wanted)

    async def settle(self, type_: RecordType, sources: Mapping[UUID, Sequence[Source]], targets: Targets) -> set[UUID]:
        """Writes these records and their links from all that their sources say, and what was written here. One without
        sources stays as it is, apart from the latter. Gives the contacts whose kind may change."""
        written = await self.holder.find(sources)
        standing = await self.holder.merge(type_, written, sources, targets) if written else {}
        bare = [record for record, speaking in sources.items() if not speaking and record in standing]
        present = await local.find_present(self.database, self.session, type_, bare)
        await self.journal.keep(type_, sources, self.made)
        rows, links = [], dict[str, dict[UUID, list[UUID]]]()
        for record, speaking in sources.items():
            if speaking:
                row, several = merge_sources(type_, speaking, targets, self.priority)
            elif record in present:
                row, several = present[record], {}
            else:
                continue
            if values := standing.get(record):
                lay_over(type_, row, several, values)
            rows.append({**row, "id": record})
            for relation, others in several.items():
                links.setdefault(relation, {})[record] = others
        return await self._write(type_, rows, links, standing)

    async def _write(
        self,
        type_: RecordType,
        rows: Sequence[Mapping[str, Any]],
        links: Mapping[str, Mapping[UUID, Sequence[UUID]]],
        standing: Mapping[UUID, Values],
    ) -> set[UUID]:
        await upserts.write_records(self.database, self.session, type_, rows)
        touched = set[UUID]()
        for relation, ends in links.items():
            moved = await upserts.write_links(self.database, self.session, self.workspace, type_, relation, ends)
            touched.update(moved, *ends.values())
        if type_ is RecordType.CONTACT:
            kinds = [
                {"id": one, "kind": each["kind"], "has_kind": True} for one, each in standing.items() if "kind" in each
            ]
            await local.set_columns(self.database, self.session, kinds)
            return {row["id"] for row in rows}
        return touched if type_ is RecordType.DEAL else set()

    async def settle_kinds(self, contacts: Iterable[UUID]) -> None:
        """LEAD or CONTACT, anew, once the sources of their deals are stored; what somebody has written here stays."""
        asked = set(contacts)
        written = await self.holder.find(asked)
        asked -= {one for one, each in written.items() if "kind" in each}
        known = list(asked - self.made)
        misplaced = await upserts.find_misplaced(self.database, self.session, known, PROMOTING)
        await self.journal.keep(RecordType.CONTACT, misplaced)
        among = [*(asked & self.made), *misplaced]
        await upserts.settle_kinds(self.database, self.session, among, PROMOTING)

    async def settle_anew(self, type_: RecordType, records: Collection[UUID], *, without: UUID | None = None) -> None:
        """Writes records anew from the sources that they have, apart from those of an integration that leaves."""
        found = await self.gather(records, {})
        speaking = {key: [one for one in each if one.integration_id != without] for key, each in found.items()}
        sources = {key: each for key, each in speaking.items() if each or self.holder.is_needed}
        await self.settle_kinds(await self.settle(type_, sources, await self.find_targets(sources)))
