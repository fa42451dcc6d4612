"""Pipedrive's values of several parts: links, addresses."""

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.facts import Payload
from connectors.values import read_id, read_text

PLACES: Mapping[str, str] = {
    "locality": "city",
    "admin_area_level_1": "region",
    "postal_code": "postal_code",
    "country": "country",
}
"""The parts of an address that are parts of ours."""
ADDRESS = ("route", "street_number", *PLACES)
"""All that are read."""


def linked_id(value: Any) -> str | None:
    """The id of a linked record: v2 has the id, v1 often an object with it under `value`."""
    return read_id(value.get("value", value.get("id")) if isinstance(value, dict) else value)


def gather_parts(payload: Payload, field: str, value: Any, names: Iterable[str]) -> Payload:
    """The value of a field with its parts, as v2 has it; v1 has the parts beside it, under the field's name with theirs."""
    return value if isinstance(value, dict) else {"value": value} | {n: payload.get(f"{field}_{n}") for n in names}


def split_address(parts: Payload) -> dict[str, str] | None:
    """The address in our parts; one that is written in one line is its street."""
    whole, route, number = (read_text(parts.get(name)) for name in ("value", "route", "street_number"))
    places = {ours: text for name, ours in PLACES.items() if (text := read_text(parts.get(name)))}
    street = join_street(whole, route, number) if route or says_more(whole, places.values()) else None
    return {**({"street": street} if street else {}), **places} or None


def says_more(whole: str | None, parts: Iterable[str]) -> bool:
    """Whether there is anything in it but these parts: an address without a street is the line of its other parts."""
    rest = whole or ""
    for part in sorted(parts, key=len, reverse=True):
        rest = rest.replace(part, "", 1)
    return any(letter.isalnum() for letter in rest)


def join_street(whole: str | None, route: str | None, number: str | None) -> str | None:
    """Street and number in the order in which the whole address has them: it differs between countries."""
    if route and number:
        return f"{number} {route}" if whole and whole.startswith(f"{number} ") else f"{route} {number}"
    return route or whole
