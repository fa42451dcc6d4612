"""Executes a type's mapping: a payload of the CRM becomes a record in our shape, valid and ready for JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import ValidationError

from connectors.declaration import Convert, ExternalType
from connectors.defaults import list_defaults
from connectors.errors import Unmappable
from connectors.excluding import strip_payload
from connectors.facts import Catalog, Mapped, Payload, Reference
from connectors.overrides import NONE, Overrides, Rule
from connectors.paths import compile_path
from connectors.shapes import Shape, shape_of
from connectors.targets import Target, Unfit, find_target
from connectors.transforms import BadTransform, Failed, Transform, compile_transform
from connectors.values import read_id, read_moment
from storage.shapes import RecordType

Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Filling:
    """A rule of somebody's own, compiled."""

    rule: Rule
    target: Target
    transform: Transform | None


@dataclass(frozen=True, kw_only=True)
class Program:
    """A type's mapping, compiled."""

    shape: type[Shape]
    identifier: Callable[[Any], Any]
    paths: tuple[tuple[str, Callable[[Any], Any]], ...]
    functions: tuple[tuple[str, Convert], ...]
    fillings: tuple[Filling, ...]
    sources: Mapping[str, str]
    """column -> the CRM's field that it is of, or the column again, to name it in errors."""
    custom: Convert | None
    follow: Callable[[Values], None] | None
    created: Callable[[Any], Any] | None
    updated: Callable[[Any], Any] | None
    deleted: Convert | None
    merged: Convert | None


def map_record(external: ExternalType, payload: Payload, catalog: Catalog, overrides: Overrides = NONE) -> Mapped:
    """The payload in our shape, by the connector's mapping and what people have put in its place. Of excluded fields nothing
    is in it, and the payload is without them.

    Raises Unmappable, and nothing else, for one that has no such shape: it names the CRM's field.
    """
    program = compile_type(external, overrides.of(external.name))
    identifier = read_id(program.identifier(payload))
    if identifier is None:
        raise Unmappable("The record has no id.", field=external.identifier)
    payload = strip_payload(external, payload, overrides.excluded)
    values, custom = map_values(program, external, payload, catalog)
    values = validate(program, values)
    values["custom_fields"] = custom
    page = external.page if catalog.account_url else None
    return Mapped(
        external_id=identifier,
        values=values,
        refs=refer(external, payload, catalog),
        payload=payload,
        url=page.format(account=catalog.account_url, id=identifier) if page else None,
        remote_created_at=read_moment(program.created(payload), external.created or "") if program.created else None,
        remote_updated_at=read_moment(program.updated(payload), external.updated or "") if program.updated else None,
        is_deleted=bool(program.deleted(payload, catalog)) if program.deleted else False,
        merged=program.merged(payload, catalog) if program.merged else (),
        version=overrides.version,
    )


def map_values(
    program: Program, external: ExternalType, payload: Payload, catalog: Catalog
) -> tuple[Values, dict[str, Any]]:
    """The values by column, and the custom fields."""
    values: Values = {column: get(payload) for column, get in program.paths}
    for column, convert in program.functions:
        values[column] = convert(payload, catalog)
    custom = program.custom(payload, catalog) if program.custom else {}
    for filling in program.fillings:
        value = fill(filling, external.read(payload, catalog, filling.rule.crm_field), catalog.region)
        name = filling.target.custom
        if name is None:
            values |= value
        elif value:
            custom[name] = value[name]
        else:
            custom.pop(name, None)
    if program.follow:
        program.follow(values)
    return values, custom


def fill(filling: Filling, value: Any, region: str | None) -> dict[str, Any]:
    """What a rule makes of the CRM's value: by column, or by the name of a custom field; empty where there is nothing."""
    rule, target = filling.rule, filling.target
    try:
        made = value if filling.transform is None else filling.transform(value, region)
        if target.custom is None:
            return target.convert(made, region)
        return {} if made is None or made == "" else {target.custom: made}
    except Failed as failed:
        reason = f"the transform {failed}"
    except Unfit as unfit:
        reason = f"the value {unfit}"
    raise Unmappable(f"{rule.local_field}, from {rule.crm_field}: {reason}.", field=rule.crm_field)


def validate(program: Program, values: Values) -> Values:
    """The values as the shape has them, ready for JSON."""
    try:
        valid = program.shape.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        column = str(first["loc"][0]) if first["loc"] else ""
        field = program.sources.get(column, column)
        raise Unmappable(f"{field}: {first['msg']}.", field=field) from None
    return valid.model_dump(mode="json")


def refer(external: ExternalType, payload: Payload, catalog: Catalog) -> Mapping[str, list[Reference]]:
    """The CRM's records that the payload points at, each once; relations that point nowhere are left out."""
    found = {}
    for relation, convert in external.references.items():
        if targets := convert(payload, catalog):
            found[relation] = list(dict.fromkeys(targets))
    return found


@lru_cache(maxsize=1_000)
def compile_type(external: ExternalType, rules: tuple[Rule, ...] = ()) -> Program:
    """A type's mapping with its paths and expressions compiled; once for each type and its rules.

    Raises Unmappable for a rule that cannot be used: those that are saved have been checked.
    """
    fillings = compile_rules(external, rules)
    replaced = {one.target.columns[0] for one in fillings if one.target.columns}
    entries = {name: entry for name, entry in external.mapping.items() if name not in {"custom_fields", *replaced}}
    custom = external.mapping.get("custom_fields")
    deleted = external.deleted
    if isinstance(custom, str):
        raise TypeError("custom fields are mapped by a function")
    named = {column: one.rule.crm_field for one in fillings for column in one.target.columns}
    return Program(
        shape=shape_of(external.record_type),
        identifier=compile_path(external.identifier),
        paths=tuple((name, _value_at(entry)) for name, entry in entries.items() if isinstance(entry, str)),
        functions=tuple((name, entry) for name, entry in entries.items() if not isinstance(entry, str)),
        fillings=fillings,
        sources={name: entry for name, entry in entries.items() if isinstance(entry, str)} | named,
        custom=custom,
        follow=FOLLOWS.get(external.record_type),
        created=compile_path(external.created) if external.created else None,
        updated=compile_path(external.updated) if external.updated else None,
        deleted=_marked(deleted) if isinstance(deleted, str) else deleted,
        merged=external.merged,
    )


def compile_rules(external: ExternalType, rules: tuple[Rule, ...]) -> tuple[Filling, ...]:
    """Those that differ from what the connector does anyway."""
    usual = {one.local_field: one.crm_field for one in list_defaults(external)}
    made = []
    for rule in rules:
        target = find_target(external.record_type, rule.local_field)
        if target is None:
            raise Unmappable(f"Nothing can be mapped to {rule.local_field}.", field=rule.crm_field)
        if rule.transform is None and usual.get(rule.local_field) == rule.crm_field:
            continue
        try:
            transform = None if rule.transform is None else compile_transform(rule.transform)
        except BadTransform as bad:
            raise Unmappable(f"{rule.local_field}, from {rule.crm_field}: {bad}", field=rule.crm_field) from None
        made.append(Filling(rule=rule, target=target, transform=transform))
    return tuple(made)


def _value_at(path: str) -> Callable[[Any], Any]:
    """What is at the path; a blank text is nothing."""
    get = compile_path(path)

    def read(payload: Any) -> Any:
        value = get(payload)
        return None if isinstance(value, str) and (not value or value.isspace()) else value

    return read


def _marked(path: str) -> Convert:
    get = compile_path(path)
    return lambda payload, _: get(payload)


def follow_contact(values: Values) -> None:
    """A person's primary address and number are the first of the lists."""
    if emails := values.get("emails"):
        values.setdefault("email", emails[0]["value"])
    if phones := values.get("phones"):
        values.setdefault("phone", phones[0]["e164"] or phones[0]["value"])


FOLLOWS: Mapping[RecordType, Callable[[Values], None]] = {RecordType.CONTACT: follow_contact}
