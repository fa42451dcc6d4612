"""Associations between records: who is linked with whom, in both directions, and by which types."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sandbox.table import Json

Type = tuple[str, int]  # category and type id
Pair = tuple[str, str]  # the types of two records, in a direction
Ends = Mapping[int, tuple[Type, ...]]

BUILT_IN, CUSTOM = "HUBSPOT_DEFINED", "USER_DEFINED"
NOBODY: Ends = MappingProxyType({})

# The type id of an association without label, by direction.
PLAIN: dict[Pair, int] = {
    ("contacts", "companies"): 279, ("companies", "contacts"): 280, ("contacts", "deals"): 4, ("deals", "contacts"): 3,
    ("deals", "companies"): 341, ("companies", "deals"): 342, ("contacts", "contacts"): 449,
    ("companies", "companies"): 450, ("deals", "deals"): 451,
}  # fmt: skip
ENDS = {"companies": 181, "contacts": 193, "deals": 205}  # the type id of each with its calls; the others follow
STEPS = {"calls": 0, "emails": 4, "meetings": 6, "notes": 8, "tasks": 10}
PLAIN |= {(other, name): first + step for other, first in ENDS.items() for name, step in STEPS.items()}
PLAIN |= {(name, other): first + step + 1 for other, first in ENDS.items() for name, step in STEPS.items()}
PRIMARY: dict[Pair, int] = {
    ("contacts", "companies"): 1, ("companies", "contacts"): 2, ("deals", "companies"): 5, ("companies", "deals"): 6,
}  # fmt: skip

# Labels that people of every account here have made: type id and label, the same in both directions.
LABELS: dict[Pair, tuple[tuple[int, str], ...]] = {
    ("contacts", "companies"): ((21, "Billing contact"), (23, "Founder")),
    ("deals", "contacts"): ((31, "Decision maker"),),
}
LABELS |= {(pair[1], pair[0]): labels for pair, labels in tuple(LABELS.items())}


def plain(pair: Pair) -> Type:
    return (BUILT_IN, PLAIN[pair])


def describe_types(pair: Pair) -> list[Json]:
    """What there is between two types of records, those with a label first."""
    found: list[Json] = []
    if pair in PRIMARY:
        found.append({"category": BUILT_IN, "typeId": PRIMARY[pair], "label": "Primary"})
    found += [{"category": CUSTOM, "typeId": key, "label": label} for key, label in LABELS.get(pair, ())]
    if pair in PLAIN:
        found.append({"category": BUILT_IN, "typeId": PLAIN[pair], "label": None})
    return found


TYPES = {
    pair: {(each["category"], each["typeId"]): each for each in describe_types(pair)} for pair in {*PLAIN, *PRIMARY}
}


def mirror(pair: Pair, kind: Type) -> Type:
    """The type as it is called from the other end."""
    back = (pair[1], pair[0])
    if kind[0] == CUSTOM:
        return kind
    return (BUILT_IN, PRIMARY[back] if kind[1] == PRIMARY.get(pair) else PLAIN[back])


class Links:
    """By direction and record: the records at the other end. What is inside is replaced, never changed."""

    def __init__(self, found: Mapping[Pair, Mapping[int, Ends]] = MappingProxyType({})) -> None:
        self.found: dict[Pair, dict[int, Ends]] = {pair: dict(records) for pair, records in found.items()}

    def ends(self, pair: Pair, key: int) -> Ends:
        records = self.found.get(pair)
        return records.get(key, NOBODY) if records else NOBODY

    def primary(self, pair: Pair, key: int) -> int | None:
        wanted = (BUILT_IN, PRIMARY.get(pair, 0))
        return next((other for other, types in self.ends(pair, key).items() if wanted in types), None)

    def add(self, pair: Pair, key: int, other: int, types: Iterable[Type]) -> None:
        """Adds types to what there is; a label brings the plain type along, and one company alone is the primary."""
        wanted = dict.fromkeys((*types, plain(pair)))
        first = self.primary_type(pair)
        if first:
            if self.primary_owner(pair, key, other) is None:
                wanted = dict.fromkeys((first, *wanted))
            if first in wanted:
                self.resign(pair, key, other)
        known = self.ends(pair, key).get(other, ())
        rank = list(TYPES[pair])
        self.write(pair, key, other, tuple(sorted({*known, *wanted}, key=rank.index)))

    def primary_type(self, pair: Pair) -> Type | None:
        return (BUILT_IN, PRIMARY[pair]) if pair in PRIMARY else None

    def primary_owner(self, pair: Pair, key: int, other: int) -> int | None:
        """The company that is primary already; a company is no one's to have a primary of."""
        return self.primary((pair[1], pair[0]), other) if pair[0] == "companies" else self.primary(pair, key)

    def resign(self, pair: Pair, key: int, other: int) -> None:
        """Takes the primary mark from another company, of which there is one."""
        pair, key = (pair, key) if pair[0] != "companies" else ((pair[1], pair[0]), other)
        old, first = self.primary(pair, key), self.primary_type(pair)
        if old is not None:
            self.write(pair, key, old, tuple(each for each in self.ends(pair, key)[old] if each != first))

    def write(self, pair: Pair, key: int, other: int, types: tuple[Type, ...]) -> None:
        """Sets what is between two records, in both directions; nothing, where there are no types."""
        back = (pair[1], pair[0])
        for way, one, end, kinds in (
            (pair, key, other, types),
            (back, other, key, tuple(mirror(pair, each) for each in types)),
        ):
            records = self.found.setdefault(way, {})
            ends = {number: each for number, each in records.get(one, NOBODY).items() if number != end}
            records[one] = ends | {end: kinds} if kinds else ends

    def begin(self, pair: Pair, key: int, other: int, types: tuple[Type, ...]) -> None:
        """As `write`, in place: while an account is made, what is inside is still nobody else's."""
        back = (pair[1], pair[0])
        mirrored = tuple(mirror(pair, each) for each in types)
        for way, one, end, kinds in ((pair, key, other, types), (back, other, key, mirrored)):
            records = self.found.setdefault(way, {})
            ends = records.get(one)
            if isinstance(ends, dict):
                ends[end] = kinds
            else:
                records[one] = {end: kinds}

    def move(self, kind: str, old: int, new: int) -> None:
        """Gives the new record what the old one was linked with; where it has a primary already, that stays."""
        for pair in [pair for pair in self.found if pair[0] == kind]:
            for other, types in dict(self.ends(pair, old)).items():
                self.write(pair, old, other, ())
                if other == new:
                    continue
                first = self.primary_type(pair)
                taken = first in types and pair[0] != "companies" and self.primary(pair, new) is not None
                known = self.ends(pair, new).get(other, ())
                kept = {*known, *types} - ({first} if taken and first not in known else set())
                rank = list(TYPES[pair])
                self.write(pair, new, other, tuple(sorted((each for each in kept if each), key=rank.index)))
