"""Scalars, stricter than Strawberry's own: a time needs a zone, an amount is finite, JSON can be stored."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import strawberry
from graphql import FloatValueNode, GraphQLError, IntValueNode, StringValueNode, ValueNode, print_ast
from graphql.utilities import value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

from storage.listing import clean

TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
AMOUNT = re.compile(r"-?\d{1,100}(\.\d{1,100})?", re.ASCII)
LARGEST = 2**63 - 1


def parse_time(value: object) -> datetime:
    """RFC 3339; the zone is not optional."""
    try:
        if isinstance(value, str) and TIME.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise GraphQLError(f"Not a time with a zone, as in 2026-11-20T10:15:30Z: {shorten(value)}")


def write_time(value: datetime) -> str:
    """In UTC, to the microsecond."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_day(value: object) -> date:
    """A day of the calendar."""
    try:
        if isinstance(value, str) and DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise GraphQLError(f"Not a day, as in 2026-11-20: {shorten(value)}")


def parse_amount(value: object) -> Decimal:
    """Plain notation; a number of JSON is taken as it would be written."""
    text = value if isinstance(value, str) else ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = format(Decimal(repr(value)), "f")
    if not AMOUNT.fullmatch(text):
        raise GraphQLError(f"Not a number in plain notation, as in 1234.50: {shorten(value)}")
    return Decimal(text)


def parse_amount_literal(node: ValueNode, _variables: Any = None) -> Decimal:
    """As it is written in the document, digit for digit."""
    if isinstance(node, IntValueNode | FloatValueNode | StringValueNode):
        return parse_amount(node.value)
    raise GraphQLError(f"Not a number in plain notation, as in 1234.50: {shorten(print_ast(node))}")


def write_amount(value: Decimal) -> str:
    """In plain notation, never with an exponent."""
    return format(value, "f")


def tidy(value: Any) -> Any:
    """JSON that every client and Postgres can hold: no NUL, no lone surrogates, no integers beyond 64 bits."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(str(name)): tidy(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [tidy(inner) for inner in value]
    if isinstance(value, int) and not -LARGEST - 1 <= value <= LARGEST:
        return str(value)
    return value


def parse_json_literal(node: ValueNode, variables: Any = None) -> Any:
    """JSON as GraphQL writes it."""
    return tidy(value_from_ast_untyped(node, variables))


def shorten(value: object) -> str:
    """A value in a message: enough of it to be recognised."""
    text = clean(repr(value))
    return text if len(text) <= 60 else f"{text[:60]}…"


JSON = strawberry.scalar(
    name="JSON",
    description="Any JSON value. A NUL in it is dropped, a lone surrogate becomes U+FFFD,"
    " an integer beyond 64 bits a string.",
    serialize=tidy,
    parse_value=tidy,
    parse_literal=parse_json_literal,
)
SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment: RFC 3339 with a zone. It comes out in UTC, as 2026-11-20T10:15:30.000000Z.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=write_time,
        parse_value=parse_time,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A day of the calendar, without a time or a zone: 2026-11-20.",
        serialize=date.isoformat,
        parse_value=parse_day,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="An exact, finite number in plain notation, as a string: 1234.50.",
        serialize=write_amount,
        parse_value=parse_amount,
        parse_literal=parse_amount_literal,
    ),
    dict: JSON,
    strawberry.scalars.JSON: JSON,
}
