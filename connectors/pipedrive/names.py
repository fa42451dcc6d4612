"""The names behind Pipedrive's ids in one account: options, stages, pipelines, custom fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from connectors.custom import name_fields
from connectors.facts import Catalog, Payload

Options: TypeAlias = Mapping[str, str]

PICKED = ("enum", "set")
LABELS = ("label_ids", "label")
"""The built-in field whose options are the labels: v2's code and v1's. https://pipedrive.readme.io/docs/working-with-labels"""


@dataclass(frozen=True, kw_only=True)
class Custom:
    """A custom field: what it is called, and what its options are called."""

    name: str
    type: str
    options: Options | None


@dataclass(frozen=True, kw_only=True)
class Names:
    """All of them, by external type where they differ."""

    custom: Mapping[str, Mapping[str, Custom]]
    labels: Mapping[str, Options]
    industries: Options
    stages: Mapping[str, tuple[str, int | None]]
    """id -> name, probability."""
    pipelines: Options


_made: WeakKeyDictionary[Catalog, Names] = WeakKeyDictionary()


def names_of(catalog: Catalog) -> Names:
    """The names of an account, made once for each catalog."""
    found = _made.get(catalog)
    if found is None:
        found = _made[catalog] = _make_names(catalog)
    return found


def _make_names(catalog: Catalog) -> Names:
    return Names(
        custom={external: _custom_of(catalog, external) for external in catalog.fields},
        labels={external: _options_of(catalog, external, LABELS) for external in catalog.fields}
        | {"Lead": catalog.words.get("leadLabels", {})},
        industries=_options_of(catalog, "Organization", ("industry",)),
        stages={
            stage.external_id: (stage.name, stage.probability)
            for pipeline in catalog.pipelines
            for stage in pipeline.stages
        },
        pipelines={pipeline.external_id: pipeline.name for pipeline in catalog.pipelines},
    )


def _custom_of(catalog: Catalog, external: str) -> Mapping[str, Custom]:
    fields = catalog.fields[external]
    named = name_fields(fields)
    return {
        field.name: Custom(
            name=named[field.name],
            type=field.type,
            options=dict(field.options) if field.type in PICKED else None,
        )
        for field in fields
        if field.is_custom
    }


def _options_of(catalog: Catalog, external: str, names: tuple[str, ...]) -> Options:
    fields = catalog.fields.get(external, ())
    return next((dict(field.options) for field in fields if field.name in names and not field.is_custom), {})


def custom_fields(external: str, payload: Payload, catalog: Catalog) -> dict[str, Any]:
    """The values of custom fields by name, options by label; empty fields left out.

    v2 has them under `custom_fields`; v1 beside the other fields, a currency under the key with a suffix.
    """
    held = payload.get("custom_fields")
    values = held if isinstance(held, dict) else payload
    known = names_of(catalog).custom.get(external, {})
    found: dict[str, Any] = {}
    for key, value in values.items():
        custom = known.get(key)
        if custom is None or value is None:
            continue
        if custom.options is not None:
            found[custom.name] = label_options(custom, value)
        elif custom.type == "monetary" and not isinstance(value, dict):
            found[custom.name] = {"value": value, "currency": values.get(f"{key}_currency")}
        else:
            found[custom.name] = value
    return found


def lead_fields(payload: Payload, catalog: Catalog) -> dict[str, Any]:
    """A lead's custom fields, which are those of deals, and its labels: a Deal has no place of its own for them."""
    labels = read_labels("Lead", payload, catalog)
    return ({"Labels": labels} if labels else {}) | custom_fields("Lead", payload, catalog)


def label_options(custom: Custom, value: Any) -> Any:
    """The label of an option, or of each of a set's; an option that the field has not got stays as it is."""
    options = custom.options or {}
    if custom.type == "set":
        several = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        return [_label(options, one) for one in several]
    return _label(options, value)


def _label(options: Options, value: Any) -> Any:
    return options.get(str(value), value) if isinstance(value, int | str) else value


def read_labels(external: str, payload: Payload, catalog: Catalog) -> list[str]:
    """The names of a record's labels; ids of labels that are gone have none."""
    ids = payload.get("label_ids")
    if ids is None:
        ids = payload.get("label")  # v1: one id, or several in a text
    several = ids if isinstance(ids, list) else ids.split(",") if isinstance(ids, str) else [ids]
    options = names_of(catalog).labels.get(external, {})
    named = (options.get(str(one)) for one in several if isinstance(one, int | str))
    return list(dict.fromkeys(name for name in named if name))
