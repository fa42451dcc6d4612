"""Carries out who is who: records become one, or fall apart, by what was found, and by what people say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from storage import matching
from storage.identifiers import uuid7
from storage.shapes import RecordType
from sync.golden import Source
from sync.handing import send_again
from sync.identity import KEYS
from sync.matching import Fate, Keys, Matcher
from sync.settle import Settler
from sync.uniting import part_written, unite_written

AT_ONCE = 500
"""Records that are written anew together."""

Referring = Mapping[RecordType, Collection[UUID]]
"""Records that are to be written anew once all sources are stored, by their type."""


@dataclass(frozen=True)
class Joiner:
    """Works on the records of one type, in the transaction of its settler, which holds the workspace's lock."""

    settler: Settler
    type_: RecordType

    @property
    def matcher(self) -> Matcher:
        """Who finds out."""
        return Matcher(self.settler.database, self.settler.session, self.type_)

    async def place(
        self, sources: Sequence[Source], keys: Keys, linked: Sequence[tuple[UUID, UUID]] = ()
    ) -> tuple[Fate, set[UUID], Referring]:
        """Gives these sources their records, stores what they are known by, and does to stored records what follows from it.

        Sources with a record are stored already, others are new. `linked`: see Matcher.place. The records that are touched
        are to be written by the caller, who stores the sources first. Gives the records that are new, too.
        """
        database, session = self.settler.database, self.settler.session
        old = [source.id for source in sources if source.record_id and self.type_ in KEYS]
        known = await matching.find_keys(database, session, old)
        everything = {**keys, **{one: each.union(keys[one]) for one, each in known.items()}} if known else keys
        fresh = [one for one in sources if not one.record_id or len(everything[one.id]) > len(known.get(one.id, ()))]
        fate, made = await self.matcher.place(fresh, everything, linked)
        referring = await self.carry_out(fate, made)
        for source in sources:
            source.record_id = fate.find(source)
        rows = [
            {
                "source_id": one.id,
                "record_id": one.record_id,
                "record_type": self.type_.value,
                "kind": kind,
                "value": value,
            }
            for one in fresh
            for kind, value in keys[one.id]
            if not known or (kind, value) not in known.get(one.id, ())
        ]
        await matching.add_keys(database, session, rows)
        return fate, made, referring

    async def carry_out(self, fate: Fate, made: Collection[UUID]) -> Referring:
        """Does to stored sources and records what was decided. What is touched is not written yet."""
        self.settler.made.update(made)
        await self.settler.journal.note_merged(self.type_, fate.absorbed)
        await unite_written(self.settler, self.type_, fate.absorbed)
        return await self.matcher.apply(fate)

    async def settle_referring(self, referring: Referring) -> None:
        """Records lead to sources: where one has another record now, so do they."""
        for type_, records in referring.items():
            found = list(records)
            for start in range(0, len(found), AT_ONCE):
                await self.settler.settle_anew(type_, found[start : start + AT_ONCE])

    async def recognise(self, records: Collection[UUID], keys: Keys) -> None:
        """Stored sources of these records have these keys now. What follows from it is done, and written."""
        found = await self.settler.gather(records, {})
        sources = [one for each in found.values() for one in each if one.id in keys]
        fate, _, referring = await self.place(sources, keys)
        await self._settle(fate, referring)

    async def merge(self, keep: UUID, others: Collection[UUID]) -> None:
        """A person says that records are one."""
        database, session = self.settler.database, self.settler.session
        stored, _ = await matching.find_members(database, session, [keep, *others])
        mine = [row["id"] for row in stored if row["record_id"] == keep]
        theirs = [row["id"] for row in stored if row["record_id"] != keep]
        await matching.reconcile(database, session, [*mine, *theirs])
        await matching.judge(database, session, [(one, other) for one in mine for other in theirs], same=True)
        fate = Fate(absorbed=dict.fromkeys(others, keep))
        await self._settle(fate, await self.carry_out(fate, ()))

    async def split(self, source: UUID, record: UUID) -> UUID | None:
        """A person says that a source is none of its record's others. Gives its own record; None where it is the only one.

        The others stay together, even where only that source has brought them together.
        """
        database, session = self.settler.database, self.settler.session
        stored, keys = await matching.find_members(database, session, [record])
        sources = {row["id"] for row in stored} - {source}
        if not sources:
            return None
        rest = sources | {row["source_id"] for row in keys} - {source}
        await matching.judge(database, session, [(source, other) for other in rest], same=False)
        parts = [min(found) for part in await self.matcher.find_parts(record) if (found := part & sources)]
        await matching.judge(database, session, [(parts[0], other) for other in parts[1:]], same=True)
        await part_written(self.settler, self.type_, record, source)
        own = uuid7()
        fate = Fate(moves={source: own}, torn={record})
        await self._settle(fate, await self.carry_out(fate, {own}))
        return own

    async def _settle(self, fate: Fate, referring: Referring) -> None:
        await self.settler.settle_anew(self.type_, fate.touched)
        await self.settle_referring(referring)
        await send_again(self.settler)
        await self.settler.finish()
