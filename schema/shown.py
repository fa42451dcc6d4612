"""Values of fields outside of their records, as the record's own field shows them."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args, get_origin
from uuid import UUID

import strawberry
from pydantic import BaseModel

from schema.field import shown
from schema.scalars import write_amount, write_time
from storage.declare import Column, Group, camel, columns
from storage.fields import list_fields
from storage.listing import GlobalId
from storage.records import Record


def show(record: type[Record], field: str, value: Any) -> Any:
    """A value that was stored as JSON, as GraphQL writes it; of a relation the global id. Custom fields are as they are."""
    told = list_fields(record).get(field)
    if value is None or told is None:
        return value
    if isinstance(told, Column):
        return write(told.type, value)
    if isinstance(told, Group):
        return {part: write(columns(record)[name].type, value.get(part)) for part, name in told.parts.items()}
    if told.many:
        return [str(GlobalId(told.target, UUID(each))) for each in value]
    return str(GlobalId(told.target, UUID(value)))


WRITERS: Mapping[Any, Callable[[Any], str]] = {
    UUID: lambda value: str(GlobalId("Integration", UUID(value))),  # of an owner
    Decimal: lambda value: write_amount(Decimal(str(value))),
    datetime: lambda value: write_time(datetime.fromisoformat(value)),
    date: lambda value: date.fromisoformat(value).isoformat(),
}


def write(type_: Any, value: Any) -> Any:
    """A value of a declared type."""
    if value is None:
        return None
    if writer := WRITERS.get(type_):
        return writer(value)
    if get_origin(type_) is list:
        return [write(get_args(type_)[0], each) for each in value]
    if isinstance(type_, type) and issubclass(type_, BaseModel):
        return {camel(name): value.get(name) for name in type_.model_fields}
    return value


@strawberry.type(description="A field that has another value than before.")
class FieldChange:
    field: str = shown("Its name, as the record's type has it; a custom field as customFields.x.")
    before: strawberry.scalars.JSON | None = shown("The value before; null where there was none.")
    after: strawberry.scalars.JSON | None = shown("The value since; null where there is none.")
    row: strawberry.Private[Any]

    @classmethod
    def list_of(cls, record: type[Record], changes: Any) -> "list[FieldChange]":
        """From field -> [before, after], in the order of the names."""
        return [
            cls(row={"field": name, "before": show(record, name, before), "after": show(record, name, after)})
            for name, (before, after) in sorted(changes.items())
        ]
