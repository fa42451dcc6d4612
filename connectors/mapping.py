"""Executes a type's mapping: a payload of the CRM becomes a record in our shape, valid and ready for JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from pydantic import ValidationError

from connectors.declaration import Convert, ExternalType
from connectors.errors import Unmappable
from connectors.facts import Catalog, Mapped, Payload, Reference
from connectors.paths import compile_path
from connectors.shapes import Shape, shape_of
from connectors.values import read_id, read_moment
from storage.shapes import RecordType

Values: TypeAlias = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Program:
    """A type's mapping, compiled."""

    shape: type[Shape]
    identifier: Callable[[Any], Any]
    paths: tuple[tuple[str, Callable[[Any], Any]], ...]
    functions: tuple[tuple[str, Convert], ...]
    custom: Convert | None
    follow: Callable[[Values], None] | None
    created: Callable[[Any], Any] | None
    updated: Callable[[Any], Any] | None
    deleted: Convert | None
    merged: Convert | None


def map_record(external: ExternalType, payload: Payload, catalog: Catalog) -> Mapped:
    """The payload in our shape. Raises Unmappable, and nothing else, for one that has no such shape."""
    program = compile_type(external)
    identifier = read_id(program.identifier(payload))
    if identifier is None:
        raise Unmappable("The record has no id.", field=external.identifier)
    values: Values = {column: get(payload) for column, get in program.paths}
    for column, convert in program.functions:
        values[column] = convert(payload, catalog)
    if program.follow:
        program.follow(values)
    values = validate(external, program.shape, values)
    values["custom_fields"] = program.custom(payload, catalog) if program.custom else {}
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
    )


def validate(external: ExternalType, shape: type[Shape], values: Values) -> Values:
    """The values as the shape has them, ready for JSON."""
    try:
        valid = shape.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        column = str(first["loc"][0]) if first["loc"] else ""
        source = external.mapping.get(column)
        field = source if isinstance(source, str) else column
        raise Unmappable(f"{field}: {first['msg']}.", field=field) from None
    return valid.model_dump(mode="json")


def refer(external: ExternalType, payload: Payload, catalog: Catalog) -> Mapping[str, list[Reference]]:
    """The CRM's records that the payload points at, each once; relations that point nowhere are left out."""
    found = {}
    for relation, convert in external.references.items():
        if targets := convert(payload, catalog):
            found[relation] = list(dict.fromkeys(targets))
    return found


@cache
def compile_type(external: ExternalType) -> Program:
    """A type's mapping with its paths compiled; once for each type."""
    entries = {name: entry for name, entry in external.mapping.items() if name != "custom_fields"}
    custom = external.mapping.get("custom_fields")
    deleted = external.deleted
    if isinstance(custom, str):
        raise TypeError("custom fields are mapped by a function")
    return Program(
        shape=shape_of(external.record_type),
        identifier=compile_path(external.identifier),
        paths=tuple((name, _value_at(entry)) for name, entry in entries.items() if isinstance(entry, str)),
        functions=tuple((name, entry) for name, entry in entries.items() if not isinstance(entry, str)),
        custom=custom,
        follow=FOLLOWS.get(external.record_type),
        created=compile_path(external.created) if external.created else None,
        updated=compile_path(external.updated) if external.updated else None,
        deleted=_marked(deleted) if isinstance(deleted, str) else deleted,
        merged=external.merged,
    )


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
