"""Gives each source its unified record, and makes of the records what their sources now say, under the workspace's lock."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import matching, merges
from storage.database import Database
from storage.identifiers import uuid7
from storage.shapes import RecordType
from sync.golden import Source
from sync.identity import HANDFUL, NOWHERE, Carrier, Groups, Key, Member, Word, divide, find_joined

Keys = Mapping[UUID, Collection[Key]]
"""Of each source all that it has ever been known by."""

Page = tuple[Sequence[tuple[set[UUID], set[UUID]]], Mapping[UUID, Source], Keys, Mapping[Key, Sequence[Carrier]]]
"""What belongs together at first sight, as (records, new sources); the new sources, and all their keys;
and who on the page has a key."""
NOTHING: Page = ((), {}, {}, {})


@dataclass
class Fate:
    """What becomes of records when their sources are found to belong elsewhere."""

    absorbed: dict[UUID, UUID] = field(default_factory=dict)
    """old -> the record that it becomes part of."""
    moves: dict[UUID, UUID] = field(default_factory=dict)
    """Stored source -> the record that it has, where that is not what became of its old one."""
    torn: set[UUID] = field(default_factory=set)
    """Records that have lost a source to another one: who leads to them may have meant that one."""
    places: dict[UUID, UUID] = field(default_factory=dict)
    """Source that is not stored yet -> its record."""

    @property
    def touched(self) -> set[UUID]:
        """The records to be written anew, apart from those that new sources go to."""
        return (self.torn | set(self.moves.values()) | set(self.absorbed.values())) - self.absorbed.keys()

    def find(self, source: Source) -> UUID:
        """The record of a source, new or not."""
        old = source.record_id
        if old is None:
            return self.places[source.id]
        return self.moves.get(source.id) or self.absorbed.get(old, old)


@dataclass(frozen=True)
class Matcher:
    """Decides which sources of one type are one record, in the transaction of its caller, who holds the lock."""

    database: Database
    session: AsyncSession
    type_: RecordType

    async def place(
        self, fresh: Sequence[Source], keys: Keys, linked: Iterable[tuple[UUID, UUID]] = ()
    ) -> tuple[Fate, set[UUID]]:
        """Finds the record of every fresh source: of those that are new, and of those that have got a key.

        `linked`: what a CRM says to be the same, as records, or sources that are new. Gives what becomes of stored records
        too, and the ids of those that did not exist before.
        """
        bearers = _list_bearers(fresh, keys)
        stored = await self._find_carriers(bearers)
        page = {
            key: [_as_carrier(one, keys) for one in mine] for key, mine in bearers.items() if key in stored or mine[1:]
        }
        groups, hard = Groups(), set[UUID]()
        for key, mine in page.items():
            hard |= _unite_carriers(groups, key[0], stored.get(key, {}), mine)
        for one, other in linked:
            groups.unite(one, other)
        new = {source.id: source for source in fresh if source.record_id is None}
        united = [
            ({one for one in group if one not in new}, {one for one in group if one in new})
            for group in groups.list_all()
        ]
        known = set[UUID]().union(*(records for records, _ in united))
        hard |= await matching.find_held_apart(self.database, self.session, known)
        fate, made = Fate(), set[UUID]()
        if hard:
            hard = await self._divide(hard, (united, new, keys, page), fate, made)
        for records, sources in united:
            if hard.isdisjoint(records):
                keeper = min(records, default=None) or _make(made)
                fate.absorbed.update((record, keeper) for record in records if record != keeper)
                fate.places.update(dict.fromkeys(sources, keeper))
        for one in new:
            if one not in fate.places:
                fate.places[one] = _make(made)
        return fate, made

    async def find_parts(self, record: UUID) -> list[set[UUID]]:
        """The sources of a record, and of those that have to do with it, as they would be divided now."""
        members, joined, _ = await self._gather({record}, NOTHING)
        return await self._partition(members, joined)

    async def apply(self, fate: Fate) -> dict[RecordType, set[UUID]]:
        """Moves stored sources and makes records part of others. Gives the records to be written anew once all sources are
        stored, since they lead to what was torn."""
        referring: dict[RecordType, set[UUID]] = {}
        if fate.torn:
            referring = await merges.find_referring(self.database, self.session, self.type_, fate.torn)
        await merges.move_sources(self.database, self.session, fate.moves)
        await merges.absorb(self.database, self.session, self.type_, fate.absorbed)
        return referring

    async def _divide(self, hard: set[UUID], page: Page, fate: Fate, made: set[UUID]) -> set[UUID]:
        """Divides all that has to do with these records from nothing, and adds it to the fate. Gives the records it was
        about."""
        members, joined, about = await self._gather(hard, page)
        _settle_fate(await self._partition(members, joined), members, fate, made)
        return about

    async def _partition(
        self, members: Mapping[UUID, Member], joined: Mapping[Key, Collection[UUID]]
    ) -> list[set[UUID]]:
        said = await matching.find_said(self.database, self.session, members)
        return divide(members, joined, [Word(**row) for row in said])

    async def _gather(
        self, records: Collection[UUID], page: Page
    ) -> tuple[dict[UUID, Member], dict[Key, Collection[UUID]], set[UUID]]:
        """All members of these records, of those that share a key with them, and so on; whom each key joins; the records."""
        united, fresh, keys_of, carriers = page
        about = set(records)
        while True:
            new = set[UUID]()
            for olds, sources in united:
                if about & olds:
                    about |= olds
                    new |= sources
            members = await self._read_members(about) | {one: _as_member(fresh[one], keys_of[one]) for one in new}
            keys = {key for member in members.values() for key in member.keys}
            keys |= {key for key, each in carriers.items() if any(one.source in members for one in each)}
            stored = await self._find_carriers(keys)
            joined = {}
            for key in keys:
                here = {one.source: one for one in carriers.get(key, ())}
                joined[key] = find_joined(key[0], {**stored.get(key, {}), **here}.values())
            reached = {one.record for each in joined.values() for one in each if one.record}
            if reached <= about:
                return members, {key: [one.source for one in each] for key, each in joined.items()}, about
            about |= reached

    async def _find_carriers(self, keys: Iterable[Key]) -> dict[Key, dict[UUID, Carrier]]:
        found: dict[Key, dict[UUID, Carrier]] = {}
        for row in await matching.find_carriers(self.database, self.session, self.type_, keys):
            carrier = Carrier(row["source"], row["record"], row["integration"], row["domains"])
            found.setdefault((row["kind"], row["value"]), {})[carrier.source] = carrier
        return found

    async def _read_members(self, records: Collection[UUID]) -> dict[UUID, Member]:
        sources, rows = await matching.find_members(self.database, self.session, records)
        keys: dict[UUID, set[Key]] = {}
        found = {
            row["id"]: Member(
                id=row["id"],
                record=row["record_id"],
                name=(str(row["integration_id"]), row["external_type"], row["external_id"]),
                keys=keys.setdefault(row["id"], set()),
            )
            for row in sources
        }
        for row in rows:
            one, record = row["source_id"], row["record_id"]
            keys.setdefault(one, set()).add((row["kind"], row["value"]))
            found.setdefault(one, Member(id=one, record=record, name=(NOWHERE, "", str(one)), keys=keys[one]))
        return found


def _make(made: set[UUID]) -> UUID:
    record = uuid7()
    made.add(record)
    return record


def _as_member(source: Source, keys: Collection[Key]) -> Member:
    name = (str(source.integration_id), source.external_type, source.external_id)
    return Member(id=source.id, record=None, name=name, keys=keys)


def _list_bearers(fresh: Sequence[Source], keys: Keys) -> dict[Key, list[Source]]:
    """Who on the page has a key."""
    found: dict[Key, list[Source]] = {}
    for source in fresh:
        for key in keys[source.id]:
            found.setdefault(key, []).append(source)
    return found


def _as_carrier(source: Source, keys: Keys) -> Carrier:
    domains = [value for kind, value in keys[source.id] if kind == "domain"]
    return Carrier(source.id, source.record_id, source.integration_id, domains)


def _unite_carriers(groups: Groups, kind: str, stored: Mapping[UUID, Carrier], mine: Sequence[Carrier]) -> set[UUID]:
    """Unites what a key joins, and gives the records that it has joined and, because of the page, does so no more."""
    before: Collection[Carrier] = ()
    after: Collection[Carrier] = [*stored.values(), *mine]
    few = len(stored) + len(mine) <= HANDFUL and all(one.integration for one in stored.values())
    if kind == "name" or not few:  # nearly all keys are others
        before = find_joined(kind, stored.values())
        after = find_joined(kind, {**stored, **{one.source: one for one in mine}}.values())
    ends = [one.record or one.source for one in after]
    for other in ends[1:]:
        groups.unite(ends[0], other)
    left = {one.source for one in after}
    if len(before) > 1 and any(one.source not in left for one in before):
        return {one.record for one in before if one.record}
    return set()


def _settle_fate(groups: Sequence[set[UUID]], members: Mapping[UUID, Member], fate: Fate, made: set[UUID]) -> None:
    """Which group keeps which record: the one with its oldest source; of several records the oldest one stays.

    What a record was known by while it had no sources is nobody by itself: it stays with the record, or goes with others.
    """
    place = {one: number for number, group in enumerate(groups) for one in group}
    heirs: dict[UUID, int] = {}
    for member in sorted(members.values(), key=lambda one: (not one.is_source, one.id)):
        if member.record:
            heirs.setdefault(member.record, place[member.id])
    for number, group in enumerate(groups):
        claimed = [record for record, heir in heirs.items() if heir == number]
        if not claimed and not any(members[one].is_source for one in group):
            continue
        keeper = min(claimed, default=None) or _make(made)
        fate.absorbed |= {record: keeper for record in claimed if record != keeper}
        for one in group:
            record = members[one].record
            if record is None:
                fate.places[one] = keeper
            elif heirs[record] != number:
                fate.moves[one] = keeper
                fate.torn.add(record)
