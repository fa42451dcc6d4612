"""HubSpot's properties by the names that its API has for them: what each holds, and its value."""

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from connectors.facts import Catalog, Payload
from connectors.families import Family
from connectors.hubspot.metadata import FLAG, SEVERAL
from connectors.hubspot.names import properties_of, read_by_type

FAMILIES: Mapping[str, Family] = {
    "string": Family.TEXT,
    "phone_number": Family.TEXT,
    "number": Family.NUMBER,
    "date": Family.DAY,
    "datetime": Family.MOMENT,
    "enumeration": Family.CHOICE,
    SEVERAL: Family.CHOICES,
    FLAG: Family.FLAG,
}
"""By type."""

_made: WeakKeyDictionary[Catalog, Mapping[str, Callable[[str], Any]]] = WeakKeyDictionary()


def read_field(payload: Payload, catalog: Catalog, name: str) -> Any:
    """The value of a property by its type, options by label; None for an empty one."""
    value = properties_of(payload).get(name)
    if not isinstance(value, str) or not value or value.isspace():
        return None
    read = _readers(catalog).get(name)
    return read(value) if read else value


def _readers(catalog: Catalog) -> Mapping[str, Callable[[str], Any]]:
    found = _made.get(catalog)
    if found is None:
        found = {field.name: read_by_type(field) for each in catalog.fields.values() for field in each}
        _made[catalog] = found
    return found
