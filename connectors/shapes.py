"""The validated shape of each unified record, made from its declaration: what a mapping may fill."""

from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from storage.declare import Relation, columns, declared
from storage.records import BY_TYPE, Record
from storage.shapes import RecordType

OURS = {"id", "workspace_id", "created_at", "updated_at", "archived_at", "owner_integration_id", "warmness"}
APART = {"custom_fields"}
"""Any JSON will do, so there is nothing to validate."""
INTEGER = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""What Postgres' integer takes."""


class Shape(BaseModel):
    """The base of the shapes."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


@cache
def shape_of(record_type: RecordType, only: frozenset[str] | None = None) -> type[Shape]:
    """The shape of a record, or of some columns of it: its columns without ours and without the keys of relations."""
    record = BY_TYPE[record_type]
    keys = {relation.key for relation in declared(record, Relation).values() if not relation.many}
    left = set(columns(record)) - OURS - APART - keys
    made: dict[str, Any] = {name: _typed(record, name) for name in columns(record) if name in left & (only or left)}
    return create_model(f"{record.__name__}Shape", __base__=Shape, **made)


def _typed(record: type[Record], name: str) -> tuple[Any, Any]:
    column, field = columns(record)[name], record.model_fields[name]
    kind = INTEGER if column.type is int else column.type
    default = Field(default_factory=field.default_factory) if field.default_factory else field.default
    return (kind | None if column.nullable else kind), default
