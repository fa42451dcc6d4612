"""What can be wrong with a mapping that somebody wants: each error names its row."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from connectors.declaration import Connector, ExternalType
from connectors.defaults import list_defaults
from connectors.facts import Field
from connectors.families import TAKES, Family
from connectors.targets import CUSTOM, FOLLOWED, Target, find_target, list_targets
from connectors.transforms import BadTransform, compile_transform
from resolvers.errors import Refused, UserErrorCode
from storage.shapes import Direction

INWARD = frozenset({Direction.INBOUND, Direction.BIDIRECTIONAL})
OUTWARD = frozenset({Direction.OUTBOUND, Direction.BIDIRECTIONAL})


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A mapping that somebody wants."""

    external_type: str
    local_field: str
    crm_field: str
    direction: Direction
    transform: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one of: external type, local field, direction."""
        return self.external_type, self.local_field, self.direction.value


class RefusedRows(Exception):  # noqa: N818 # named by remedy
    """Rows of an input that are wrong: nothing was done."""

    def __init__(self, rows: Sequence[Refused]) -> None:
        super().__init__(" ".join(f"{'.'.join(row.field)}: {row.message}" for row in rows))
        self.rows = tuple(rows)


def refuse(row: int, part: str, message: str) -> Refused:
    """What is wrong with a row, and in which part of it."""
    return Refused(UserErrorCode.BAD_INPUT, message, ("mappings", str(row), part))


def check_rows(
    connector: Connector,
    wishes: Sequence[Wish],
    fields: Mapping[str, Sequence[Field]],
    excluded: Iterable[str],
) -> list[Refused]:
    """What is wrong with each row alone. `fields`: external type -> the CRM's own list of its fields."""
    wrong: list[Refused] = []
    left_out = frozenset(excluded)
    for number, wish in enumerate(wishes):
        external = connector.by_name.get(wish.external_type)
        if external is None:
            names = ", ".join(connector.by_name)
            wrong.append(refuse(number, "externalType", f"`externalType` is one of {names}."))
            continue
        known = {one.name: one for one in fields.get(external.name, ())}
        check = Check(connector, external, wish, known, left_out)
        wrong += [refuse(number, part, message) for part, message in check.run()]
    return wrong


def check_together(wishes: Sequence[Wish], stay: Iterable[Wish]) -> list[Refused]:
    """What is wrong with rows beside one another, and beside the mappings that `stay`: two to one target."""
    wrong: list[Refused] = []
    before = [(one, "A mapping that is saved") for one in stay]
    for number, wish in enumerate(wishes):
        for other, told in before:
            if other.external_type != wish.external_type:
                continue
            if other.key == wish.key or (other.local_field == wish.local_field and _meet(other, wish, INWARD)):
                message = (
                    f"{told} fills {wish.local_field} already: a field is filled from one. Change that one instead."
                )
                wrong.append(refuse(number, "localField", message))
                break
            if other.crm_field == wish.crm_field and _meet(other, wish, OUTWARD):
                message = f"{told} writes {wish.crm_field} already: give one of them the direction INBOUND."
                wrong.append(refuse(number, "crmField", message))
                break
        before.append((wish, f"Row {number} of the input"))
    return wrong


def _meet(one: Wish, other: Wish, directions: frozenset[Direction]) -> bool:
    return one.direction in directions and other.direction in directions


@dataclass(frozen=True)
class Check:
    """Of one row."""

    connector: Connector
    external: ExternalType
    wish: Wish
    known: Mapping[str, Field]
    excluded: frozenset[str]

    def run(self) -> Iterator[tuple[str, str]]:
        """(part of the row, what is wrong with it)."""
        target = find_target(self.external.record_type, self.wish.local_field)
        if target is None:
            yield "localField", self._explain_local()
        wrong = self._explain_crm()
        if wrong:
            yield "crmField", wrong
        has_transform = self.wish.transform is not None
        if has_transform:
            try:
                compile_transform(self.wish.transform or "")
            except BadTransform as bad:
                yield "transform", str(bad)
        field = self.known.get(self.wish.crm_field)
        if field is None or wrong:
            return
        if self.wish.direction in OUTWARD and not (field.is_writable and self.external.is_writable):
            hint = "; where none is given it is BIDIRECTIONAL" if self.wish.direction is Direction.BIDIRECTIONAL else ""
            message = f"{self.connector.label} lets nobody write {field.name}: give the direction INBOUND{hint}."
            yield "direction", message
        elif target and not has_transform and not self._is_usual:
            yield from self._check_types(target, field)

    @property
    def _is_usual(self) -> bool:
        """Whether the connector does that by itself, whatever the types are."""
        pair = (self.wish.local_field, self.wish.crm_field)
        return any(pair == (one.local_field, one.crm_field) for one in list_defaults(self.external))

    def _explain_local(self) -> str:
        name, record_type = self.wish.local_field, self.external.record_type
        for (type_, column), lead in FOLLOWED.items():
            if (type_, column) == (record_type, name):
                return f"{name} is the first of {lead}: map {lead}."
        if name.startswith(CUSTOM):
            return f"A custom field is {CUSTOM}name: 1 to 100 characters, no dot, no blank at its ends."
        names = ", ".join(list_targets(record_type))
        return f"Nothing can be mapped to {name[:100]}: there are {names}, and {CUSTOM}name."

    def _explain_crm(self) -> str | None:
        name, label = self.wish.crm_field, self.connector.label
        if name in self.excluded:
            return f"{name} is excluded from this integration: take it out of excludedFields first."
        usual = [one.crm_field for one in list_defaults(self.external)]
        if name in self.known or name in usual:
            return None
        if not self.known:
            return f"{label} does not list the fields of {self.external.name}: only {', '.join(usual)} can be mapped."
        near = get_close_matches(name, self.known, n=1) or [
            one.name for one in self.known.values() if one.label.lower() == name.lower()
        ]
        hint = f": do you mean {near[0]}?" if near else "; `fields` of the integration lists what it has."
        return f"{label} has no field {name[:100]} of {self.external.name}{hint}"

    def _check_types(self, target: Target, field: Field) -> Iterator[tuple[str, str]]:
        theirs = self.connector.families.get(field.type, Family.OTHER)
        ours = f"{target.name} holds {target.family.value}"
        other = f"{field.name} {theirs.value} ({field.type})"
        if self.wish.direction in INWARD and theirs not in TAKES[target.family]:
            yield "crmField", f"{ours}, and {other}: give a transform that makes the one of the other."
        elif self.wish.direction in OUTWARD and target.columns and target.family not in TAKES[theirs]:
            yield "crmField", f"{ours}, and {other}: give the direction INBOUND, or a transform."
