"""Pipedrive's fields by the names that its API has for them: what each holds, and its value."""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from connectors.custom import name_options, read_number
from connectors.facts import Catalog, Payload
from connectors.families import Family
from connectors.pipedrive.custom import read_value
from connectors.pipedrive.metadata import HASH
from connectors.pipedrive.names import Custom, names_of
from connectors.pipedrive.parts import ADDRESS

FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(("varchar", "varchar_auto", "text", "varchar_options"), Family.TEXT),
    **dict.fromkeys(("int", "double"), Family.NUMBER),
    "boolean": Family.FLAG,
    "date": Family.TIME,
    "monetary": Family.MONEY,
    "address": Family.ADDRESS,
    **dict.fromkeys(("enum", "status", "stage", "pipeline"), Family.CHOICE),
    "set": Family.CHOICES,
    "phone": Family.ENTRIES,
    **dict.fromkeys(("user", "org", "people", "deal", "lead", "project"), Family.LINK),
}
"""By type. A day and a moment are one type: built-in fields have moments, custom ones days."""

OLDER: Mapping[str, tuple[str, ...]] = {
    "email": ("emails",),
    "phone": ("phones",),
    "label_ids": ("label",),
    "owner_id": ("user_id",),
}
"""Other names of a field in payloads: v1's, and those of v2 that the list of fields writes otherwise."""

PARTS = (
    "currency",
    "until",
    "timezone_id",
    "timezone_name",
    "lat",
    "long",
    "formatted_address",
    "subpremise",
    *ADDRESS,
)
"""What v1 has beside a field of several parts, under the field's name with theirs."""

_made: WeakKeyDictionary[Catalog, Mapping[str, Custom]] = WeakKeyDictionary()


def read_field(payload: Payload, catalog: Catalog, name: str) -> Any:
    """The value of a field by its type, options by label; None for an empty one. v2 has custom fields apart."""
    held = payload.get("custom_fields")
    values = held if isinstance(held, dict) and name in held else payload
    value = next((values[one] for one in (name, *OLDER.get(name, ())) if values.get(one) is not None), None)
    field = _known(catalog).get(name)
    if field is None or value is None:
        return value
    if field.type in ("stage", "pipeline"):
        return _name(catalog, field.type, str(value))
    if field.type == "monetary" and values is payload and name == "value":
        return _worth(payload, value)
    return read_value(field, name, value, values)


def list_keys(name: str) -> list[str]:
    """The keys under which payloads have a field and its parts."""
    names = (name, *OLDER.get(name, ()))
    return [*names, *(f"{one}_{part}" for one in names for part in PARTS)]


def list_places(name: str) -> list[str]:
    """Where `read_field` looks for a built-in field; of a custom one and of an address v1 has parts all over a payload."""
    if HASH.fullmatch(name) or name.endswith("address"):
        return []
    return [name, *OLDER.get(name, ()), *(("currency",) if name == "value" else ())]


def _known(catalog: Catalog) -> Mapping[str, Custom]:
    found = _made.get(catalog)
    if found is None:
        found = _made[catalog] = {
            field.name: Custom(name=field.label, type=field.type, options=name_options(field.options))
            for each in catalog.fields.values()
            for field in each
        }
    return found


def _name(catalog: Catalog, type_: str, key: str) -> str | None:
    names = names_of(catalog)
    return names.stages.get(key, (None, None))[0] if type_ == "stage" else names.pipelines.get(key)


def _worth(payload: Payload, value: Any) -> dict[str, Any]:
    """A deal has its currency beside the value, a lead both in one."""
    parts = value if isinstance(value, dict) else {"amount": value, "currency": payload.get("currency")}
    return {"amount": read_number(parts.get("amount")), "currency": parts.get("currency")}
