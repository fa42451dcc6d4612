"""Which records, in which order: filters, searches and orders compiled from the declarations into SQL with bound values.

Identifiers come from declarations only, never from a request. The alias of the record is `t`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, Final
from uuid import UUID

from storage.custom import read_comparison
from storage.declare import Column, Criterion, Relation, camel, columns, declared, sort_key
from storage.listing import CONDITIONS, WITHIN, GlobalId, InvalidQuery, Key, Listing, Values, Window, clean
from storage.records import RECORDS, SEARCHED_TOO, Record

__all__ = ["Arguments", "InvalidQuery", "describe_filters", "describe_orders", "list_records", "list_related"]

COMPARISONS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
PATTERNS: Final = {"contains": "%{}%", "startsWith": "{}%", "endsWith": "%{}"}
ARCHIVED: Final = {
    "EXCLUDE": ("t.archived_at IS NULL",),
    "ONLY": ("t.archived_at IS NOT NULL",),
    "INCLUDE": (),
}
WORDS: Final = 32
"""Of one search, at most."""


@dataclass(frozen=True, kw_only=True)
class Arguments(Window):
    """What a list of records can be asked for. Filter and orders are as GraphQL has them: names in camelCase."""

    search: str | None = None
    filter: Mapping[str, Any] | None = field(default=None, hash=False)
    order_by: Sequence[Mapping[str, Any]] | None = field(default=None, hash=False)
    archived: str = "EXCLUDE"


def list_records(record: type[Record], arguments: Arguments) -> Listing:
    """All records of a type. Raises InvalidQuery, as do all that read arguments here."""
    return _listing(record, arguments, "")


def list_related(record: type[Record], name: str, arguments: Arguments) -> Listing:
    """The records that a relation leads to from each of several parents."""
    relation = declared(record, Relation)[name]
    if not relation.many:
        raise TypeError(f"{record.__name__}.{name} leads to one record")
    parent = f"t.{relation.key} = k.id"
    if relation.through:
        ours, theirs = f"{record.__name__.lower()}_id", f"{relation.target.lower()}_id"
        parent = (  # an array: as a join, before the first ANALYZE, Postgres reads the whole table for each parent
            f"t.id = ANY(ARRAY(SELECT l.{theirs} FROM {relation.through} l"
            f" WHERE l.workspace_id = %(workspace)s AND l.{ours} = k.id))"
        )
    return _listing(RECORDS[relation.target], arguments, parent)


def _listing(record: type[Record], arguments: Arguments, parent: str) -> Listing:
    values = Values()
    filter_, words = tidy(arguments.filter or {}), cut(record, arguments.search or "")
    picked = [*Filter(record, values).conditions(filter_), *(match(record, word, values) for word in words)]
    if not words and (arguments.search or "").strip():
        picked.append("false")  # nothing that was typed is a word: nobody is found by it
    return Listing(
        record,
        order_keys(record, arguments.order_by or ()),
        arguments,
        values,
        conditions=[*ARCHIVED[arguments.archived], *picked],
        parent=parent,
        about=(filter_, words, arguments.archived),
        sparse=bool(picked),
    )


def tidy(value: Any) -> Any:
    """A filter without what says nothing: null is the same as absent. Enums by their value."""
    if isinstance(value, Mapping):
        return {name: tidy(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [tidy(inner) for inner in value]
    return value.value if isinstance(value, Enum) else value


# ---------------------------------------------------------------- orders


@cache
def describe_orders(record: type[Record]) -> Mapping[str, Column]:
    """`AMOUNT` -> the column, for each order of a record."""
    return {column.order.upper(): column for column in columns(record).values() if column.order}


def order_keys(record: type[Record], orders: Sequence[Mapping[str, Any]]) -> list[Key]:
    """What rows are sorted by. The id comes last and breaks ties, in the direction of the key before it."""
    fields = describe_orders(record)
    keys: dict[str, Key] = {}
    for order in orders or ({"field": "UPDATED_AT", "direction": "DESC"},):
        column = fields[word(order["field"])]
        descending = word(order.get("direction", "ASC")) == "DESC"
        if column.within:
            keys.setdefault(column.within, _key(columns(record)[column.within], plain=True))
        keys.setdefault(column.name, _key(column, descending))
    last = list(keys.values())[-1]
    return [*keys.values(), Key(name="id", type=UUID, sql="{t}.id", descending=last.descending)]


def _key(column: Column, descending: bool = False, plain: bool = False) -> Key:
    cut_off = column.type is str and not plain
    return Key(
        name=column.name,
        type=column.type,
        sql=sort_key(column, "{t}") if cut_off else f"{{t}}.{column.name}",
        nullable=column.nullable,
        descending=descending,
        length=LENGTH if cut_off else None,
    )


LENGTH: Final = 250
"""Of a text that is sorted by: what `sort_key` cuts off."""


def word(value: Any) -> str:
    """The text of an enum's member, or the text itself."""
    return str(value.value if isinstance(value, Enum) else value)


# ---------------------------------------------------------------- filters


@cache
def describe_filters(record: type[Record]) -> Mapping[str, Column | Criterion]:
    """The filters of a record by their name in Python: `organization_id`, `email`, `owner_email`."""
    found: dict[str, Column | Criterion] = {
        column.filter: column for column in columns(record).values() if column.filter
    }
    return found | {name.removesuffix("_filter"): each for name, each in declared(record, Criterion).items()}


@cache
def _named(record: type[Record]) -> Mapping[str, tuple[str, Column | Criterion]]:
    return {camel(name): (name, each) for name, each in describe_filters(record).items()}


class Filter:
    """Writes the conditions of a filter."""

    def __init__(self, record: type[Record], values: Values) -> None:
        self.record, self.values, self.written = record, values, 0

    def conditions(self, asked: Mapping[str, Any]) -> Iterator[str]:
        """One for each member; all must hold."""
        for name, value in asked.items():
            self._count()
            match name:
                case "and":
                    yield f"({' AND '.join(map(self.all, value)) or 'true'})"
                case "or":
                    yield f"({' OR '.join(map(self.all, value)) or 'false'})"
                case "not":
                    yield f"({self.all(value)}) IS NOT TRUE"
                case _:
                    yield from self._member(*_named(self.record)[name], value)

    def _count(self) -> None:
        self.written += 1
        if self.written > CONDITIONS:
            raise InvalidQuery(f"More than {CONDITIONS} conditions.")

    def all(self, asked: Mapping[str, Any]) -> str:
        """The conditions as one."""
        return f"({' AND '.join(self.conditions(asked)) or 'true'})"

    def _member(self, name: str, each: Column | Criterion, value: Any) -> Iterator[str]:
        if isinstance(each, Column):
            sql = f"t.{each.name}"
            if isinstance(value, Mapping):
                yield from compare(sql, value, self.values)
            elif isinstance(value, list):
                yield self._among(f"{sql} = ANY({{given}})", name, each.type, value)
            else:
                yield f"{sql} = {self.values.bind(value)}"
        elif each.type is dict:
            for entry in value:
                self._count()
                yield from self._several(*read_comparison(entry, self.values))
        elif each.type is bool:
            sql = each.sql.format(t="t")
            yield sql if value else f"({sql}) IS NOT TRUE"
        elif each.value:
            yield from self._several(each, value)
        else:
            yield self._among(each.sql, name, each.type, value)

    def _among(self, sql: str, name: str, type_: Any, given: Sequence[Any]) -> str:
        """A condition on one of several values; on none of none."""
        found = self._keys(name, given) if type_ is UUID else list(given)
        if not found:
            return "false"
        array = "uuid" if type_ is UUID else "text"
        return sql.format(t="t", given=f"{self.values.bind(found)}::{array}[]")

    def _keys(self, name: str, given: Sequence[str]) -> list[UUID]:
        """The keys in ids; those of another type are of nothing here."""
        wanted = self.record.__name__ if name == "ids" else name.removesuffix("_id").capitalize()
        ids = [GlobalId.read(each) for each in given]
        return [each.key for each in ids if each.type == wanted]

    def _several(self, each: Criterion, asked: Mapping[str, Any]) -> Iterator[str]:
        """A record that has several values: one of them has to meet all that is asked, and none may be what it is not."""
        positive = {name: value for name, value in asked.items() if name not in ("ne", "isNull")}
        if positive:
            conditions = compare(each.value, positive, self.values, each.ignore_case)
            yield each.sql.format(t="t", match=" AND ".join(conditions))
        if "ne" in asked:
            [equal] = compare(each.value, {"eq": asked["ne"]}, self.values, each.ignore_case)
            yield f"({each.sql.format(t='t', match=equal)}) IS NOT TRUE"
        if "isNull" in asked:
            some = each.sql.format(t="t", match=f"{each.value} IS NOT NULL")
            yield f"NOT {some}" if asked["isNull"] else some


def compare(sql: str, asked: Mapping[str, Any], values: Values, ignore_case: bool = False) -> Iterator[str]:
    """The conditions of one operator input, such as StringFilter, on an SQL expression."""
    for operator, operand in asked.items():
        if operator == "isNull":
            yield f"{sql} IS {'' if operand else 'NOT '}NULL"
        elif operator == "ne":
            yield f"({next(compare(sql, {'eq': operand}, values, ignore_case))}) IS NOT TRUE"
        elif operator == "in":
            yield _in(sql, operand, values, ignore_case)
        elif pattern := PATTERNS.get(operator):
            escaped = re.sub(r"([\\%_])", r"\\\1", clean(operand))
            yield f'{sql} COLLATE "default" ILIKE {values.bind(pattern.format(escaped))}'
        elif ignore_case:
            yield f"lower({sql}) = lower({values.bind(operand)})"
        else:
            yield f"{sql} {COMPARISONS[operator]} {values.bind(operand)}"


def _in(sql: str, operand: Sequence[str], values: Values, ignore_case: bool) -> str:
    if not operand:
        return "false"
    given = f"{values.bind([clean(each) for each in operand])}::text[]"
    if ignore_case:
        return f"lower({sql}) = ANY (ARRAY(SELECT lower(given) FROM unnest({given}) AS given))"
    return f"{sql} = ANY({given})"


# ---------------------------------------------------------------- search


def cut(record: type[Record], search: str) -> list[str]:
    """The words of a search. What looks like a phone number is one word: its digits."""
    if "phones" in columns(record) and re.fullmatch(r"[\s\d()+./-]*\d[\s\d()+./-]*", search, re.ASCII):
        return [re.sub(r"\D", "", search)]
    words = "".join(each if each.isalnum() else " " for each in clean(search)).split()
    if len(words) > WORDS:
        raise InvalidQuery(f"A search takes {WORDS} words at most.")
    return words


def match(record: type[Record], word: str, values: Values) -> str:
    """A word, or the beginning of one, among those of the record or of the one that it is found by too."""
    beginning = values.bind(f"'{word}':*")
    query = f"to_tsquery('simple', {beginning})"
    found = f"t.search @@ {query}"
    if record.__name__ not in SEARCHED_TOO:
        return found
    relation = declared(record, Relation)[SEARCHED_TOO[record.__name__]]
    also = f"SELECT t.id FROM {relation.target.lower()} t WHERE {WITHIN} AND t.search @@ {query}"
    return f"({found} OR t.{relation.key} IN ({also}))"
