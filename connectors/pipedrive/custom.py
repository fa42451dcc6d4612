"""Pipedrive's custom fields: each value as the field's type has it in JSON."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from connectors.custom import read_number
from connectors.facts import Catalog, Payload
from connectors.pipedrive.names import Custom, names_of, read_labels
from connectors.pipedrive.parts import ADDRESS, gather_parts, linked_id, split_address
from storage.declare import camel

OLD_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def custom_fields(external: str, payload: Payload, catalog: Catalog) -> dict[str, Any]:
    """The values of custom fields by name, options by label; empty fields left out.

    v2 has them under `custom_fields`; v1 beside the other fields, parts of one under the key with a suffix.
    https://pipedrive.readme.io/docs/core-api-concepts-custom-fields
    """
    held = payload.get("custom_fields")
    values = held if isinstance(held, dict) else payload
    known = names_of(catalog).custom.get(external, {})
    found: dict[str, Any] = {}
    for key, value in values.items():
        if value is None or (custom := known.get(key)) is None:  # nearly all
            continue
        if (shown := read_value(custom, key, value, values)) is not None:
            found[custom.name] = shown
    return found


def lead_fields(payload: Payload, catalog: Catalog) -> dict[str, Any]:
    """A lead's custom fields, which are those of deals, and its labels: a Deal has no place of its own for them."""
    labels = read_labels("Lead", payload, catalog)
    return ({"Labels": labels} if labels else {}) | custom_fields("Lead", payload, catalog)


def read_value(custom: Custom, key: str, value: Any, values: Payload) -> Any:
    """A field's value by its type; what is not of that type stays as it is. None for an empty one."""
    if value is None or value == "":
        return None
    if custom.type in PARTED:
        names, read = PARTED[custom.type]
        return read(gather_parts(values, key, value, names))
    if custom.type in PICKED:
        return PICKED[custom.type](custom, value)
    return READERS.get(custom.type, keep)(value)


def keep(value: Any) -> Any:
    """Texts and phone numbers."""
    return value


def read_day(value: Any) -> Any:
    """A day, which v1 may write with a midnight; built-in fields of this type have moments, in v1 without a zone."""
    if not isinstance(value, str) or not OLD_MOMENT.fullmatch(value):
        return value
    day, clock = value.split(" ")
    return day if clock == "00:00:00" else f"{day}T{clock}Z"


def read_link(value: Any) -> Any:
    """A user, an organization or a person: the id, which is a text everywhere."""
    return linked_id(value) or value


READERS: Mapping[str, Callable[[Any], Any]] = {
    "double": read_number,
    "date": read_day,
    "user": read_link,
    "org": read_link,
    "people": read_link,
}


def label_option(custom: Custom, value: Any) -> Any:
    """The label of an option; the id as a text where the field has no such option any more."""
    key = linked_id(value)
    return value if key is None else custom.options.get(key, key)


def label_options(custom: Custom, value: Any) -> list[Any]:
    """The labels of several; v1 has their ids in one text."""
    several = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    return [label_option(custom, one) for one in several]


PICKED: Mapping[str, Callable[[Custom, Any], Any]] = {"enum": label_option, "set": label_options}


def read_money(parts: Payload) -> dict[str, Any] | None:
    """An amount in its currency."""
    amount = parts.get("value")
    return None if amount is None else {"amount": read_number(amount), "currency": parts.get("currency")}


def read_days(parts: Payload) -> dict[str, Any] | None:
    """The first and the last day."""
    return fill(start=read_day(parts.get("value")), end=read_day(parts.get("until")))


def read_clock(parts: Payload) -> dict[str, Any] | None:
    """A time of the day, and where it is that time."""
    return fill(time=parts.get("value"), timeZone=parts.get("timezone_name"))


def read_hours(parts: Payload) -> dict[str, Any] | None:
    """A time of the day and another one."""
    return fill(start=parts.get("value"), end=parts.get("until"), timeZone=parts.get("timezone_name"))


def read_place(parts: Payload) -> dict[str, Any] | None:
    """An address in the parts that `address` has."""
    address = split_address(parts)
    return {camel(name): text for name, text in address.items()} if address else None


def fill(**parts: Any) -> dict[str, Any] | None:
    """The parts that are there; None where there are none."""
    return {name: part for name, part in parts.items() if part is not None} or None


PARTED: Mapping[str, tuple[tuple[str, ...], Callable[[Payload], Any]]] = {
    "monetary": (("currency",), read_money),
    "daterange": (("until",), read_days),
    "time": (("timezone_name",), read_clock),
    "timerange": (("until", "timezone_name"), read_hours),
    "address": (ADDRESS, read_place),
}
"""By type: the parts that v1 has beside the value, and what is made of them."""
