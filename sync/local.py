"""What was written here against what a CRM says: the three-way merge of one field, without any statement."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, get_origin
from uuid import UUID

from storage.declare import Column, Group, Relation, camel, columns, declared
from storage.fields import CUSTOM, OWNER, Told
from storage.records import BY_TYPE, PhoneNumber, Record
from storage.shapes import ConflictPolicy, RecordType
from sync.golden import Source, Targets

ARCHIVED = "archived_at"
"""The name of a value that no source is asked about: nobody brings the record back."""
OWNED = "owner"
"""The name of a value that is of two columns: {"email": address, "users": {integration id: external id}}."""
CUSTOM_FIELD = "custom_fields."
SENT = "sent"
"""In a push's progress: the values that it has sent, by name, so that they are known again when they come back."""

FOLLOWERS: Mapping[RecordType, Mapping[str, tuple[str, ...]]] = {
    RecordType.CONTACT: {"name": ("first_name", "last_name"), "email": ("emails",), "phone": ("phones",)},
}
"""Columns that follow others where those are held, and they are not."""


class Outcome(Enum):
    """What becomes of a value that was written here, seen from one source."""

    AGREED = "AGREED"
    """The source says the same."""
    OURS = "OURS"
    """The source says what it said before."""
    AGAIN = "AGAIN"
    """Both have changed and ours counts: it has to be sent once more."""
    THEIRS = "THEIRS"
    """Both have changed and the source's counts."""
    ASKED = "ASKED"
    """Both have changed, and a person decides; until then ours is shown."""


def decide(is_agreed: bool, is_unchanged: bool, policy: ConflictPolicy, is_newer: bool) -> Outcome:
    """The three-way merge of one field. `is_agreed`: the source says what we say; `is_unchanged`: it says what it said when
    both agreed last; `is_newer`: it has come to say so after ours was written."""
    if is_agreed:
        return Outcome.AGREED
    if is_unchanged:
        return Outcome.OURS
    if policy is ConflictPolicy.MANUAL:
        return Outcome.ASKED
    is_theirs = is_newer if policy is ConflictPolicy.NEWEST_WINS else policy is ConflictPolicy.CRM_WINS
    return Outcome.THEIRS if is_theirs else Outcome.AGAIN


@dataclass(frozen=True)
class Unit:
    """What is decided as one: a column, a custom field, a relation, the owner, or the columns of a group."""

    name: str
    parts: tuple[str, ...]
    """The names of its local values."""
    told: Told | None
    """None: a custom field."""

    @property
    def field(self) -> str:
        """Its name in GraphQL."""
        return f"{CUSTOM}.{self.name.removeprefix(CUSTOM_FIELD)}" if self.told is None else camel(self.name)

    @property
    def since(self) -> tuple[str, ...]:
        """The names under which a source keeps since when it says what it says."""
        if self.told is OWNER:
            return ("owner_external_id",)
        return tuple(f"refs.{name}" for name in self.parts) if isinstance(self.told, Relation) else self.parts

    def join(self, values: Mapping[str, Any]) -> Any:
        """The value, from those of its parts."""
        if isinstance(self.told, Group) and self.told is not OWNER:
            held = {part: values.get(name) for part, name in self.told.parts.items()}
            return held if held[next(iter(held))] is not None else None
        return values.get(self.name)

    def split(self, value: Any) -> dict[str, Any]:
        """The values of its parts."""
        if isinstance(self.told, Group) and self.told is not OWNER:
            return {name: (value or {}).get(part) for part, name in self.told.parts.items()}
        return {self.name: value}

    def ask(self, source: Source, targets: Targets) -> Any:
        """What a source says."""
        mapped = source.mapped
        if self.told is None:
            return (mapped.get("custom_fields") or {}).get(self.name.removeprefix(CUSTOM_FIELD))
        if isinstance(self.told, Relation):
            found = [str(one) for one in dict.fromkeys(source.find_targets(self.name, targets))]
            return found if self.told.many else next(iter(found), None)
        return mapped.get("owner_external_id") if self.told is OWNER else self.join(mapped)

    def answer(self, value: Any, source: Source) -> Any:
        """Ours, in the words of a source: an owner is another user in each CRM; one who is none is nobody there."""
        if self.told is not OWNER or value is None:
            return value
        return value["users"].get(str(source.integration_id), value["email"])

    def is_same(self, record: type[Record], one: Any, other: Any) -> bool:
        """Whether two values say the same, however they are written."""
        return one == other or _is_alike(record, self.told, one, other)

    def is_said(self, record: type[Record], mapped: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
        """Whether what a source has mapped says the same as these values of some of the parts, or of all."""
        if self.told is None:
            said = (mapped.get("custom_fields") or {}).get(self.name.removeprefix(CUSTOM_FIELD))
            return self.is_same(record, said, values[self.name])
        if not isinstance(self.told, Group):
            return self.is_same(record, mapped.get(self.name), values[self.name])
        own = columns(record)
        is_alike = all(_is_alike(record, own[name], mapped.get(name), value) for name, value in values.items())
        return is_alike or self.is_same(record, self.join(mapped), self.join(values))


def find_unit(type_: RecordType, name: str) -> Unit:
    """The unit that a local value belongs to."""
    if name.startswith(CUSTOM_FIELD):
        return Unit(name, (name,), None)
    return _list_units(type_)[name]


@cache
def _list_units(type_: RecordType) -> Mapping[str, Unit]:
    record = BY_TYPE[type_]
    found = {name: Unit(name, (name,), column) for name, column in columns(record).items()}
    found |= {name: Unit(name, (name,), relation) for name, relation in declared(record, Relation).items()}
    for name, group in declared(record, Group).items():
        unit = Unit(name, tuple(group.parts.values()), group)
        found |= dict.fromkeys((name, *unit.parts), unit)
    return {**found, OWNED: Unit(OWNED, (OWNED,), OWNER)}


# ---------------------------------------------------------------- what is the same


def is_nothing(value: Any) -> bool:
    """None, and what is as empty."""
    return value is None or value in ("", [], {})


def _is_alike(record: type[Record], told: Told | None, one: Any, other: Any) -> bool:
    if is_nothing(one) or is_nothing(other):
        return is_nothing(one) and is_nothing(other)
    if isinstance(told, Column) and told.type == list[PhoneNumber]:
        return _list_numbers(one, "value") == _list_numbers(other, "value") or _list_numbers(one) == _list_numbers(
            other
        )
    return bool(_simplify(record, told, one) == _simplify(record, told, other))


def _list_numbers(phones: list[Any], *names: str) -> tuple[str, frozenset[str]]:
    """The primary one and all, by their digits."""
    keys = [next(phone[name] for name in (*names, "e164", "value") if phone.get(name)) for phone in phones]
    bare = [re.sub(r"\D", "", key) or key for key in keys]
    return bare[0], frozenset(bare)


def _simplify(record: type[Record], told: Told | None, value: Any) -> Any:
    """A value of JSON, as it compares: without labels, zones, spaces around it, or the order of what has none."""
    if isinstance(told, Group) and told is not OWNER:
        return {part: _simplify(record, columns(record)[name], value.get(part)) for part, name in told.parts.items()}
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and "value" in value[0]:
            addresses = [str(one["value"]).strip().casefold() for one in value]
            return addresses[0], frozenset(addresses)
        return frozenset(map(str, value))
    if isinstance(value, dict):
        return {name: part for name, part in value.items() if not is_nothing(part)}
    return value if value is None or isinstance(value, bool) else _simplify_one(told, value)


def _simplify_one(told: Told | None, value: Any) -> Any:
    kind = told.type if isinstance(told, Column) else None
    if kind is Decimal or (kind is None and isinstance(value, int | float)):
        return Decimal(str(value))
    return datetime.fromisoformat(value) if kind is datetime else str(value).strip()


# ---------------------------------------------------------------- over what the sources say


def list_followers(type_: RecordType, held: Collection[str]) -> list[str]:
    """The columns that follow what is held, and are not held themselves."""
    followers = FOLLOWERS.get(type_, {})
    return [name for name, leaders in followers.items() if name not in held and not set(leaders).isdisjoint(held)]


def lay_over(type_: RecordType, row: dict[str, Any], links: dict[str, list[UUID]], values: Mapping[str, Any]) -> None:
    """Puts what was written here in the place of what the sources say: `values` by name, into a row and its links."""
    record = BY_TYPE[type_]
    relations = declared(record, Relation)
    for name, value in values.items():
        if name.startswith(CUSTOM_FIELD):
            own = name.removeprefix(CUSTOM_FIELD)
            others = {key: each for key, each in row["custom_fields"].items() if key != own}
            row["custom_fields"] = others if value is None else {**others, own: value}
        elif name == OWNED:
            row["owner_integration_id"], row["owner_external_id"] = _choose_user(row, value)
        elif name in relations and relations[name].many:
            links[name] = [UUID(one) for one in value or ()]
        elif name in relations:
            row[relations[name].key] = value
        else:
            row[name] = [] if value is None and get_origin(columns(record)[name].type) is list else value
    for name in list_followers(type_, values):
        row[name] = FOLLOWED[name](row)


def _choose_user(row: Mapping[str, Any], value: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """In the CRM whose user was in charge so far, where that has the new one too; else in any that has."""
    users: Mapping[str, str] = (value or {}).get("users") or {}
    if not users:
        return None, None
    own = str(row.get("owner_integration_id"))
    chosen = own if own in users else min(users)
    return chosen, users[chosen]


def compose_name(first: str | None, last: str | None) -> str | None:
    """The full name, as mappings make it of its parts."""
    return " ".join(part for part in (first, last) if part) or None


def _first(entries: Any, *names: str) -> Any:
    return next((entries[0][name] for name in names if entries[0].get(name)), None) if entries else None


FOLLOWED: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "name": lambda row: compose_name(row.get("first_name"), row.get("last_name")),
    "email": lambda row: _first(row.get("emails"), "value"),
    "phone": lambda row: _first(row.get("phones"), "e164", "value"),
}
"""How a column follows others."""
