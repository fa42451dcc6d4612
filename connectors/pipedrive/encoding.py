"""Pipedrive's fields by their types, as API v2 takes them: the reverse of how they are read."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from connectors.custom import name_options, read_number
from connectors.facts import Field
from connectors.pipedrive.parts import PLACES
from connectors.values import Json
from connectors.writing import Making
from storage.declare import camel

LINE = ("street", "postal_code", "city", "region", "country")
"""The parts of an address in the order in which one line has them."""
OWNERS = ("owner_id", "user_id")
"""Fields with the id of a user, whether the account tells its fields or not."""
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LISTS = {"email": "emails", "phone": "phones"}
"""Fields of entries, as the list of fields calls them, and as records have them."""


def encode_field(name: str, value: Any, making: Making) -> Mapping[str, Any]:
    """A value as JSON has it, by the type of the field; the name stays, but of lists of entries. Raises Unwritable for one
    that is none."""
    field = making.fields.get(name)
    if name in LISTS:
        texts = value if isinstance(value, list) else [value] if value else []
        entries = [one if isinstance(one, dict) else {"value": str(one)} for one in texts]
        return {LISTS[name]: write_entries(entries)}
    if value in (None, "", [], {}):
        return {name: None}
    if field is None:  # the fields of activities are told to nobody but administrators
        return {name: int(value) if name in OWNERS and str(value).isdecimal() else value}
    if field.type == "monetary" and name == "value":
        worth = write_money(field, value, making)
        return {"value": worth["value"], "currency": worth["currency"]}
    write = WRITERS.get(field.type)
    return {name: write(field, value, making) if write else value}


def refuse(field: Field, making: Making, what: str) -> Exception:
    """The error of a value that is none of the field's type."""
    return making.refuse(field.name, f"{field.label} takes {what}.")


def write_entries(value: Any) -> list[dict[str, Any]]:
    """Values with a label, one of them primary: the first where none says so."""
    entries = list(value or ())
    is_said = any(one.get("primary") for one in entries)
    return [
        {
            "value": one["value"],
            "primary": bool(one.get("primary")) if is_said else not place,
            **({"label": one["label"]} if one.get("label") else {}),
        }
        for place, one in enumerate(entries)
    ]


def write_text(field: Field, value: Any, making: Making) -> str:
    """A text; of a list the first, of entries the value."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(value, list) and len(value) > 1:
        making.leave(field.name, f"{field.label} takes one value: {len(value) - 1} more are left out.")
    text = first.get("value") if isinstance(first, dict) else first
    if isinstance(text, bool):
        return str(text).lower()
    if not isinstance(text, str | int | float):
        raise refuse(field, making, "a text")
    return str(text)


def write_number(value: Any) -> Any:
    """A number, out of one that is written as a text too; None for nothing."""
    if value is None:
        return None
    number = read_number(value)
    return float(number) if isinstance(number, str) else number


def write_double(field: Field, value: Any, making: Making) -> Any:
    """A number."""
    try:
        return write_number(value)
    except ValueError:
        raise refuse(field, making, "a number") from None


def write_flag(field: Field, value: Any, making: Making) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise refuse(field, making, "true or false")
    return value


def write_day(field: Field, value: Any, making: Making) -> str:
    """A day; of a moment its day."""
    if not isinstance(value, str) or not DAY.match(value):
        raise refuse(field, making, "a day, such as 2026-11-02")
    return value[:10]


def write_id(field: Field, value: Any, making: Making) -> int:
    """The id of a user or of another record."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise refuse(field, making, "the id of a record") from None


def write_option(field: Field, value: Any, making: Making) -> Any:
    """The id of the option of that label; capitals count only where two differ by them."""
    labels = name_options(field.options)
    text = str(value).strip()
    found = [one for one, label in labels.items() if label == text] or [
        one for one, label in labels.items() if label.strip().casefold() == text.casefold()
    ]
    if not found:
        raise making.refuse(field.name, f"{field.label} has no option {text[:100]}.")
    return int(found[0]) if found[0].isdecimal() else found[0]


def write_options(field: Field, value: Any, making: Making) -> list[Any]:
    """The ids of several."""
    return [write_option(field, one, making) for one in (value if isinstance(value, list) else [value])]


def write_money(field: Field, value: Any, making: Making) -> Json:
    """An amount with its currency."""
    amount, currency = (value.get("amount"), value.get("currency")) if isinstance(value, dict) else (value, None)
    if amount is None or not currency:
        raise refuse(field, making, "an amount with its currency")
    return {"value": write_double(field, amount, making), "currency": currency}


def write_place(value: Mapping[str, Any] | str) -> Json:
    """An address in its parts, and in one line; named as GraphQL does, or as our columns do."""
    parts = {"street": value} if isinstance(value, str) else value
    given = {name: parts.get(name, parts.get(camel(name))) for name in ("street", *PLACES.values())}
    line = ", ".join(str(given[name]) for name in LINE if given[name])
    found = {"value": line, "route": given["street"]} | {theirs: given[ours] for theirs, ours in PLACES.items()}
    return {name: text for name, text in found.items() if text}


def write_span(start: str, end: str) -> Callable[[Field, Any, Making], Json]:
    """From one part to another, and where it is that time."""

    def write(field: Field, value: Any, making: Making) -> Json:
        if not isinstance(value, dict) or not value.get(start):
            raise refuse(field, making, "a table with its parts")
        parts = {"value": value.get(start), "until": value.get(end), "timezone_name": value.get("timeZone")}
        return {name: part for name, part in parts.items() if part is not None}

    return write


WRITERS: Mapping[str, Callable[[Field, Any, Making], Any]] = {
    **dict.fromkeys(("varchar", "varchar_auto", "text", "varchar_options", "phone"), write_text),
    **dict.fromkeys(("int", "double"), write_double),
    "boolean": write_flag,
    "date": write_day,
    "enum": write_option,
    "set": write_options,
    "status": write_option,
    "monetary": write_money,
    "address": lambda _field, value, _making: write_place(value),
    "daterange": write_span("start", "end"),
    "time": write_span("time", ""),
    "timerange": write_span("start", "end"),
    **dict.fromkeys(("user", "org", "people", "deal"), write_id),
}
"""By type; what has none here goes as it is."""
