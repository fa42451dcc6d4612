"""The names behind HubSpot's values in one account: options, stages, pipelines, custom properties."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from connectors.custom import name_fields, name_options, read_number
from connectors.facts import Catalog, Field, Payload, Stage
from connectors.hubspot.metadata import FLAG, SEVERAL
from connectors.hubspot.times import write_day, write_moment
from connectors.values import read_text

FLAGS = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Names:
    """All of them, of one type."""

    options: Mapping[str, Mapping[str, str]]
    """property -> label by value."""
    custom: Mapping[str, tuple[str, Callable[[str], Any]]]
    """property -> what it is called, and how its value is read."""
    stages: Mapping[str, Stage]
    pipelines: Mapping[str, str]


_made: WeakKeyDictionary[Catalog, Names] = WeakKeyDictionary()


def names_of(catalog: Catalog) -> Names:
    """The names of a type's catalog, made once for each."""
    found = _made.get(catalog)
    if found is None:
        found = _made[catalog] = _make_names(catalog)
    return found


def _make_names(catalog: Catalog) -> Names:
    fields = [field for each in catalog.fields.values() for field in each]
    named = name_fields(fields)
    return Names(
        options={field.name: dict(field.options) for field in fields if field.options},
        custom={field.name: (named[field.name], read_by_type(field)) for field in fields if field.is_custom},
        stages={stage.external_id: stage for pipeline in catalog.pipelines for stage in pipeline.stages},
        pipelines={pipeline.external_id: pipeline.name for pipeline in catalog.pipelines},
    )


def read_by_type(field: Field) -> Callable[[str], Any]:
    """How the text that the CRM gives becomes a value of the field's type; a text that is none stays as it is."""
    options = name_options(field.options)
    if field.type == SEVERAL:
        return lambda text: [options.get(one, one) for one in text.split(";") if one]
    return READERS.get(field.type, lambda text: options.get(text, text))


def read_flag(text: str) -> bool | str:
    """True or false."""
    return FLAGS.get(text.lower(), text)


READERS: Mapping[str, Callable[[str], Any]] = {
    "number": read_number,
    FLAG: read_flag,
    "date": write_day,
    "datetime": write_moment,
}
"""By type. An amount is a number too: HubSpot keeps no currency with it."""


def custom_fields(payload: Payload, catalog: Catalog) -> dict[str, Any]:
    """The values of custom properties by name, options by label; empty ones left out."""
    given, found = properties_of(payload), dict[str, Any]()
    for name, (label, read) in names_of(catalog).custom.items():
        value = given.get(name)
        if isinstance(value, str) and value:
            found[label] = read(value)
    return found


def properties_of(payload: Payload) -> Mapping[str, Any]:
    """The record's properties."""
    found = payload.get("properties")
    return found if isinstance(found, dict) else {}


def label_of(name: str) -> Callable[[Payload, Catalog], str | None]:
    """The label of the option that a property has; the value itself where it is none of the options."""

    def convert(payload: Payload, catalog: Catalog) -> str | None:
        value = read_text(properties_of(payload).get(name))
        return names_of(catalog).options.get(name, {}).get(value, value) if value else None

    return convert
