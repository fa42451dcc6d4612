"""The names behind Pipedrive's ids in one account: options, stages, pipelines, custom fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias
from weakref import WeakKeyDictionary

from connectors.custom import name_fields, name_options
from connectors.facts import Catalog, Payload

Options: TypeAlias = Mapping[str, str]

LABELS = ("label_ids", "label")
"""The built-in field whose options are the labels: v2's code and v1's. https://pipedrive.readme.io/docs/working-with-labels"""


@dataclass(frozen=True, kw_only=True)
class Custom:
    """A custom field: what it is called, and what its options are called."""

    name: str
    type: str
    options: Options


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
            options=name_options(field.options),
        )
        for field in fields
        if field.is_custom
    }


def _options_of(catalog: Catalog, external: str, names: tuple[str, ...]) -> Options:
    fields = catalog.fields.get(external, ())
    return next((dict(field.options) for field in fields if field.name in names and not field.is_custom), {})


def read_labels(external: str, payload: Payload, catalog: Catalog) -> list[str]:
    """The names of a record's labels; ids of labels that are gone have none."""
    ids = payload.get("label_ids")
    if ids is None:
        ids = payload.get("label")  # v1: one id, or several in a text
    several = ids if isinstance(ids, list) else ids.split(",") if isinstance(ids, str) else [ids]
    options = names_of(catalog).labels.get(external, {})
    named = (options.get(str(one)) for one in several if isinstance(one, int | str))
    return list(dict.fromkeys(name for name in named if name))
