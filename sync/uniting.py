"""What was written here of records that become one, or fall apart: whose values stay, in the transaction of a settler."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from storage import local
from storage.outbound import LocalValue
from storage.shapes import RecordType
from sync.golden import Source, Targets, name_entry, plan_of, unite
from sync.holding import ask_all
from sync.local import ARCHIVED, find_unit, is_nothing
from sync.naming import NAMES
from sync.settle import Settler


async def unite_written(settler: Settler, type_: RecordType, absorbed: Mapping[UUID, UUID]) -> None:
    """old -> the record that it becomes part of, while both are still there: lists have what either one has, that of the
    record that stays first; its other values stay, and what is empty is filled. Sources that meet a value have not changed
    by that: what they say is what both start from."""
    keepers = set(absorbed.values())
    everybody = {*absorbed, *keepers}
    written = await settler.holder.find(everybody)
    if not written:
        return
    found = await settler.gather(everybody, {}, everybody & settler.made)
    targets = await settler.find_targets(found)
    present = await local.find_present(settler.database, settler.session, type_, keepers)
    changed = []
    for keeper in sorted(keepers):
        olds = [old for old, new in absorbed.items() if new == keeper]
        others = [written[old] for old in olds if old in written]
        others.sort(key=lambda each: max(one.at for one in each.values()), reverse=True)
        union = Union(type_, keeper, dict(written.get(keeper, {})), present.get(keeper, {}), (found[keeper], targets))
        taken = [one for other in others for one in union.take(other)]
        taken += union.meet([source for one in (keeper, *olds) for source in found[one]])
        if taken:
            changed += [union.mine[name] for name in dict.fromkeys(taken)]
            settler.holder.to_push.append((type_, keeper, tuple(dict.fromkeys(taken))))
    await local.write_values(settler.database, settler.session, changed)


async def part_written(settler: Settler, type_: RecordType, record: UUID, source: UUID) -> None:
    """A source leaves the record: from lists that were written of it goes what only that source has."""
    changed, key = [], str(source)
    for name, held in (await settler.holder.find([record])).get(record, {}).items():
        if name not in list_united(type_) or not held.bases.get(key):
            continue
        others = {name_entry(one) for other, base in held.bases.items() if other != key for one in base or ()}
        gone = {name_entry(one) for one in held.bases[key]} - others
        left = [one for one in held.value or () if name_entry(one) not in gone]
        if left and left != held.value:
            row = {**held.model_dump(), "value": unite([left, []], [])}
            changed.append(LocalValue.model_construct(**row))
    await local.write_values(settler.database, settler.session, changed)
    settler.holder.to_push += [(type_, record, (one.name,)) for one in changed]


def list_united(type_: RecordType) -> set[str]:
    """The lists of which records that are one have both."""
    return {name for name, nothing in plan_of(type_).united if nothing == []}


@dataclass(frozen=True)
class Union:
    """A record that stays: what was written of it, and what it shows."""

    type_: RecordType
    record: UUID
    mine: dict[str, LocalValue]
    shown: Mapping[str, Any]
    told: tuple[Sequence[Source], Targets]

    def take(self, other: Mapping[str, LocalValue]) -> list[str]:
        """Takes in what was written of another record; gives the names of what that changes."""
        lists = list_united(self.type_)
        names = [name for name in other if name != ARCHIVED]
        free = [name for name in names if name not in lists and self._is_free(name)]
        for name in free:
            self.mine[name] = self._make(other[name], other[name].value, other[name].bases)
        longer = [name for name in names if name in lists and other[name].value]
        for name in longer:
            self._widen(name, other[name])
        return [*free, *longer]

    def meet(self, sources: Sequence[Source]) -> list[str]:
        """Notes what these say where nobody has asked them yet, lists apart, of which nothing is lost; gives the names."""
        met, asked = [], (sources, self.told[1])
        for name in self.mine.keys() - {ARCHIVED, *list_united(self.type_)}:
            own = self.mine[name]
            bases = {**ask_all(self.type_, name, *asked), **own.bases}
            if bases != own.bases:
                self.mine[name] = self._make(own, own.value, bases)
                met.append(name)
        return sorted(met)

    def _is_free(self, name: str) -> bool:
        """Nothing of what belongs together with it was written of the record, or what was is empty."""
        family: Collection[str] = NAMES if name in NAMES else find_unit(self.type_, name).parts
        return all(one not in self.mine or is_nothing(self.mine[one].value) for one in family)

    def _widen(self, name: str, other: LocalValue) -> None:
        """A list that was not written of the record begins with what the record shows."""
        own = self.mine.get(name)
        before = own.value if own else self.shown.get(name)
        bases = own.bases if own else ask_all(self.type_, name, *self.told)
        self.mine[name] = self._make(other, unite([before or [], other.value], []), {**other.bases, **bases})

    def _make(self, other: LocalValue, value: Any, bases: Mapping[str, Any]) -> LocalValue:
        row = other.model_dump(exclude={"record_id", "value", "bases"})
        return LocalValue.model_construct(**row, record_id=self.record, value=value, bases=dict(bases))
