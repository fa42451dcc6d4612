"""How a record declares itself: `column`, `group`, `one`, `many`, `criterion`. No GraphQL and no database here.

Everything else is derived from these declarations: the table, the validated shape that a connector fills, the GraphQL
fields, filters and orders, the loaders' statements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from sqlmodel import Field, SQLModel

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One stored value of a record."""

    name: str
    type: Any
    nullable: bool
    description: str | None
    """None: stored, not shown."""
    filter: str | None
    """The filter's name, where the column can be filtered by."""
    order: str | None
    """The order's name, where rows can be sorted by the column."""
    within: str | None
    """A column that is sorted by first, always ascending: amounts are comparable within a currency only."""
    merge: str
    """How the values of several sources become one: `first` (the best source that has one) or `union`; `derived` follows
    from other records, `local` is no source's business."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """A value object made of several columns: the name of each part -> our column."""

    description: str
    type: type
    parts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Relation:
    """How one record leads to another, or to many."""

    description: str
    target: str
    many: bool
    key: str = ""
    """The foreign key: ours for one, theirs for many."""
    through: str = ""
    """Or the table between."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """A filter that is not one column.

    `sql` is a condition over `{t}`, the record's alias. With `value`, it looks at several values: `{match}` stands for the
    comparison of the SQL expression `value` with what was asked. Without, `{given}` stands for the list that was asked.
    """

    type: Any
    sql: str
    value: str = ""
    ignore_case: bool = False


def column(
    description: str | None = None,
    *,
    default: Any = None,
    filter: bool | str = False,
    order: bool | str = False,
    within: str | None = None,
    merge: str = "first",
    **stored: Any,
) -> Any:
    """A column; without a description it is stored but not shown. `stored` goes to SQLModel's Field."""
    uses = {"filter": filter, "order": order, "within": within, "merge": merge}
    stored["default_factory" if callable(default) else "default"] = default
    return Field(description=description, schema_extra={"json_schema_extra": uses}, **stored)


def group(description: str, type: type, **parts: str) -> Any:
    """A value object over columns."""
    return Group(description=description, type=type, parts=parts)


def one(description: str, target: str, *, key: str) -> Any:
    """A relation to one record, by a foreign key of ours."""
    return Relation(description=description, target=target, many=False, key=key)


def many(description: str, target: str, *, key: str = "", through: str = "") -> Any:
    """A relation to many records, by a foreign key of theirs or `through` a table."""
    return Relation(description=description, target=target, many=True, key=key, through=through)


def criterion(type: Any, sql: str, *, value: str = "", ignore_case: bool = False) -> Any:
    """A filter over more than one column."""
    return Criterion(type=type, sql=sql, value=value, ignore_case=ignore_case)


class Declared(SQLModel):
    """The base of all declared records."""

    model_config = {"ignored_types": (Relation, Group, Criterion)}


@cache
def columns(record: type[Declared]) -> Mapping[str, Column]:
    """The columns of a record by name, in the order of their declaration."""
    return {name: _column(name, field) for name, field in record.model_fields.items()}


def _column(name: str, field: Any) -> Column:
    options: Sequence[Any] = (field.annotation,)
    if get_origin(field.annotation) in (Union, UnionType):
        options = get_args(field.annotation)
    uses = field.json_schema_extra or {}
    return Column(
        name=name,
        type=next(option for option in options if option is not NoneType),
        nullable=NoneType in options,
        description=field.description,
        filter=_named(name, uses.get("filter")),
        order=_named(name, uses.get("order")),
        within=uses.get("within"),
        merge=uses.get("merge", "first"),
    )


def _named(name: str, use: bool | str | None) -> str | None:
    return name if use is True else use or None


@cache
def declared(record: type[Declared], kind: type[T]) -> Mapping[str, T]:
    """The relations, groups or criteria of a record, its bases' included."""
    found: dict[str, T] = {}
    for base in reversed(record.__mro__):
        found |= {name: value for name, value in vars(base).items() if isinstance(value, kind)}
    return found


def sort_key(column: Column, table: str = "") -> str:
    """What rows are sorted by, as SQL. Text by its first 250 characters: an index takes no more than 2,700 bytes."""
    name = f"{table}.{column.name}" if table else column.name
    return f"left({name}, 250)" if column.type is str else name


def camel(name: str) -> str:
    """`first_name` -> `firstName`, as GraphQL and JSON write it."""
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
