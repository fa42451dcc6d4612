"""Unified records, written from what their sources say, in the transaction of the caller."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.registry import CONNECTORS
from storage import upserts
from storage.database import Database
from storage.shapes import RecordType
from sync.merge import Source, merge_sources

Targets = Mapping[tuple[UUID, str, str], UUID]
"""(integration, external type, external id) -> the unified record that it leads to."""
PROMOTING = tuple(f"{crm}:{type_.name}" for crm, one in CONNECTORS.items() for type_ in one.types if type_.promotes)


@dataclass(frozen=True)
class Settler:
    """Writes records of one workspace."""

    database: Database
    session: AsyncSession
    workspace: UUID

    async def lock(self) -> None:
        """Before anything is read: a person of two accounts is written by both, each from what the other one has said."""
        await self.database.run(self.session, upserts.LOCK_MATCHING, {"workspace": self.workspace})

    async def gather(
        self, records: Iterable[UUID], page: Mapping[UUID, Source], made: Collection[UUID] = ()
    ) -> dict[UUID, list[Source]]:
        """All sources of these records: those of the page as they came, the others as they are stored."""
        sources: dict[UUID, list[Source]] = {record: [] for record in records}
        older = [record for record in sources if record not in made]
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
        """Writes these records and their links from all that their sources say. Gives the contacts whose kind may change."""
        rows, links = [], dict[str, dict[UUID, list[UUID]]]()
        for record, speaking in sources.items():
            row, several = merge_sources(type_, speaking, targets)
            rows.append({**row, "id": record})
            for relation, others in several.items():
                links.setdefault(relation, {})[record] = others
        await upserts.write_records(self.database, self.session, type_, rows)
        touched = set[UUID]()
        for relation, ends in links.items():
            moved = await upserts.write_links(self.database, self.session, self.workspace, type_, relation, ends)
            touched.update(moved, *ends.values())
        if type_ is RecordType.CONTACT:
            return set(sources)
        return touched if type_ is RecordType.DEAL else set()

    async def settle_kinds(self, contacts: Iterable[UUID]) -> None:
        """LEAD or CONTACT, anew, once the sources of their deals are stored."""
        await upserts.settle_kinds(self.database, self.session, list(contacts), PROMOTING)

    async def settle_anew(self, type_: RecordType, records: Collection[UUID], *, without: UUID | None = None) -> None:
        """Writes records anew from the sources that they have, apart from those of an integration that leaves."""
        found = await self.gather(records, {})
        sources = {key: [one for one in each if one.integration_id != without] for key, each in found.items()}
        await self.settle_kinds(await self.settle(type_, sources, await self.find_targets(sources)))
