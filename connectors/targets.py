"""The local fields that mappings fill: what each holds, and how a value becomes one of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, get_origin

from connectors.errors import Unmappable
from connectors.families import Family
from connectors.values import DAY, read_day, read_decimal, read_entries, read_moment, read_phones, read_text
from storage.declare import Column, Group, camel, columns, declared
from storage.records import BY_TYPE, Address, Money, PhoneNumber
from storage.shapes import RecordType

CUSTOM = "customFields."
OWNER = "owner"
FOLLOWED: Mapping[tuple[RecordType, str], str] = {
    (RecordType.CONTACT, "email"): "emails",
    (RecordType.CONTACT, "phone"): "phones",
}
"""Columns that are the first of a list: they follow it."""

NAME = re.compile(r"[^\s.\x00-\x1f\x7f](?:[^.\x00-\x1f\x7f]{0,98}[^\s.\x00-\x1f\x7f])?")
"""Of a custom field: it is a part of paths."""

FAMILIES: Mapping[Any, Family] = {
    str: Family.TEXT,
    int: Family.NUMBER,
    Decimal: Family.NUMBER,
    bool: Family.FLAG,
    date: Family.DAY,
    datetime: Family.MOMENT,
    Address: Family.ADDRESS,
    Money: Family.MONEY,
    list[str]: Family.CHOICES,
}
"""By the type of a column or of a group."""


class Unfit(Exception):  # noqa: N818 # it is told to a person
    """A value that is none of the field's: what it is not, as the end of a sentence."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A local field."""

    name: str
    """As GraphQL writes it."""
    family: Family
    columns: tuple[str, ...] = ()
    """What it fills, the one that matters first; none: a custom field."""
    type: Any = None

    @property
    def custom(self) -> str | None:
        """The name of a custom field; None where it is none."""
        return None if self.columns else self.name.removeprefix(CUSTOM)

    def convert(self, value: Any, region: str | None) -> dict[str, Any]:
        """By column what a value makes; a column that is left out stays without one. Raises Unfit."""
        made = READERS[self.family](value, self, region)
        if self.family is Family.MONEY:
            return {name: part for name, part in zip(self.columns, made, strict=True) if part is not None}
        return {} if made is None else {self.columns[0]: made}


@cache
def list_targets(record_type: RecordType) -> Mapping[str, Target]:
    """The local fields of a type by name, custom ones left out, in the order of their declaration."""
    record = BY_TYPE[record_type]
    groups = declared(record, Group)
    parts = {column: name for name, group in groups.items() for column in group.parts.values()}
    found: dict[str, Target] = {}
    for column in columns(record).values():
        if column.name in parts:
            name, group = parts[column.name], groups[parts[column.name]]
            made = Target(name=camel(name), family=FAMILIES[group.type], columns=tuple(group.parts.values()))
        elif not _is_told(record_type, column):
            continue
        else:
            made = _of(column)
        found.setdefault(made.name, made)
    return {**found, OWNER: Target(name=OWNER, family=Family.LINK, columns=("owner_external_id",), type=str)}


def find_target(record_type: RecordType, local_field: str) -> Target | None:
    """The local field of that name; None where nothing can be mapped to it."""
    if local_field.startswith(CUSTOM):
        named = NAME.fullmatch(local_field.removeprefix(CUSTOM))
        return Target(name=local_field, family=Family.OTHER) if named else None
    return list_targets(record_type).get(local_field)


def _is_told(record_type: RecordType, column: Column) -> bool:
    """Whether a CRM says it of a record, and it is no part of another field."""
    told = column.description is not None and column.merge != "local" and column.name != "custom_fields"
    return told and (record_type, column.name) not in FOLLOWED


def _of(column: Column) -> Target:
    family = FAMILIES.get(column.type)
    if family is None:
        family = Family.ENTRIES if get_origin(column.type) is list else Family.CHOICE
    return Target(name=camel(column.name), family=family, columns=(column.name,), type=column.type)


# ---------------------------------------------------------------- values


def _read_text(value: Any, *_: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if value is not None and not isinstance(value, str | int | float):
        raise Unfit("is no single text: a transform can make one of it")
    return read_text(value)


def _read_number(value: Any, target: Target, _: Any) -> Any:
    number = _decimal(value)
    if number is None or target.type is Decimal:
        return number
    if number != number.to_integral_value():
        raise Unfit("is no whole number")
    return int(number)


def _decimal(value: Any) -> Decimal | None:
    try:
        return read_decimal(value.strip() if isinstance(value, str) else value, "")
    except Unmappable:
        raise Unfit("is no number") from None


def _read_flag(value: Any, *_: Any) -> bool | None:
    if value is None or value == "" or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    known = {"true": True, "false": False, "1": True, "0": False}
    found = known.get(str(value).strip().lower())
    if found is None:
        raise Unfit("is neither true nor false")
    return found


def _read_day(value: Any, *_: Any) -> date | None:
    try:
        if isinstance(value, str) and not DAY.fullmatch(value):
            moment = read_moment(value, "")
            return moment.date() if moment else None
        return read_day(value, "")
    except Unmappable:
        raise Unfit("is no day, such as 2026-11-02") from None


def _read_moment(value: Any, *_: Any) -> datetime | None:
    try:
        return read_moment(value, "")
    except Unmappable:
        raise Unfit("is no moment, such as 2026-11-02T10:11:12Z") from None


def _read_choice(value: Any, target: Target, _: Any) -> Enum | None:
    text = _read_text(value)
    if text is None:
        return None
    options: type[Enum] = target.type
    found = options.__members__.get(text.strip().upper().replace(" ", "_"))
    if found is None:
        raise Unfit(f"is none of {', '.join(options.__members__)}")
    return found


def _read_choices(value: Any, *_: Any) -> list[str] | None:
    several = value if isinstance(value, list) else [value]
    texts = (_read_text(one) for one in several)
    return list(dict.fromkeys(text for text in texts if text)) or None


def _read_entries(value: Any, target: Target, region: str | None) -> list[dict[str, Any]] | None:
    several = value if isinstance(value, list) else [value]
    if not all(one is None or isinstance(one, str | int | dict) for one in several):
        raise Unfit("is no list of addresses or numbers")
    return (read_phones(several, region) if target.type == list[PhoneNumber] else read_entries(several)) or None


def _read_money(value: Any, *_: Any) -> tuple[Decimal | None, str | None]:
    if not isinstance(value, dict):
        return _decimal(value), None
    currency = value.get("currency")
    if currency is not None and not isinstance(currency, str):
        raise Unfit("has a currency that is no text")
    return _decimal(value.get("amount")), currency or None


def _read_address(value: Any, *_: Any) -> dict[str, str] | None:
    if not isinstance(value, dict):
        street = _read_text(value)
        return {"street": street} if street else None
    parts = {name: _read_text(value.get(camel(name), value.get(name))) for name in Address.model_fields}
    return {name: text for name, text in parts.items() if text} or None


READERS: Mapping[Family, Callable[[Any, Target, str | None], Any]] = {
    Family.TEXT: _read_text,
    Family.LINK: _read_text,
    Family.NUMBER: _read_number,
    Family.FLAG: _read_flag,
    Family.DAY: _read_day,
    Family.MOMENT: _read_moment,
    Family.CHOICE: _read_choice,
    Family.CHOICES: _read_choices,
    Family.ENTRIES: _read_entries,
    Family.MONEY: _read_money,
    Family.ADDRESS: _read_address,
}
