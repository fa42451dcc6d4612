"""Scalars take what they can mean, and nothing else; what they give, they take."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from graphql import GraphQLError, parse_value
from hypothesis import given
from hypothesis import strategies as st

from schema.scalars import (
    parse_amount,
    parse_amount_literal,
    parse_day,
    parse_json_literal,
    parse_time,
    tidy,
    write_amount,
    write_time,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-20T12:00:00Z", NOON),
        ("2026-11-20t12:00:00z", NOON),
        ("2026-11-20T14:00:00+02:00", NOON),
        ("2026-11-20T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2026-11-20T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
    ],
)
def test_a_time_has_a_zone(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T12:00:00",
        "2026-11-20T12:00Z",
        "2026-11-20 12:00:00Z",
        "2026-11-20",
        "2026",
        "2026-W47-5T12:00:00Z",
        "20261120T120000Z",
        "2026-02-30T00:00:00Z",
        "2026-11-20T24:00:01Z",
        "0001-01-01T00:00:00+01:00",
        "٢٠٢٦-11-20T12:00:00Z",
        "\ud800",
        "",
        1_700_000_000,
        None,
        True,
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError, match="Not a time with a zone"):
        parse_time(value)


@given(st.datetimes(timezones=st.timezones()))
def test_a_time_comes_out_as_it_can_go_in(moment: datetime) -> None:
    try:
        instant = moment.astimezone(UTC)
    except OverflowError:
        return
    text = write_time(moment)
    assert len(text) == len("2026-11-20T10:15:30.000000Z")
    assert parse_time(text) == instant


@pytest.mark.parametrize("value", ["2026-02-30", "2026-1-1", "20260101", "2026-11-20T00:00:00Z", 7, None, "\0"])
def test_what_is_no_day_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError, match="Not a day"):
        parse_day(value)


def test_a_day_is_a_day() -> None:
    assert parse_day("2026-11-20") == date(2026, 11, 20)


@pytest.mark.parametrize(
    ("value", "amount"),
    [("12.50", "12.50"), ("-0.1", "-0.1"), (7, "7"), (0.1, "0.1"), (1e21, "1000000000000000000000"), ("007", "7")],
)
def test_an_amount_is_exact(value: Any, amount: str) -> None:
    assert parse_amount(value) == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "Infinity", "1e5", "1_000", " 1", "1.", ".5", "", "١", "+1", "1,5", "9" * 101),
        float("nan"),
        float("inf"),
        True,
        None,
        [1],
    ],
)
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError, match="Not a number"):
        parse_amount(value)


def test_an_amount_in_a_document_keeps_all_its_digits() -> None:
    digits = "12345678901234567890.12345678901234567890"
    assert parse_amount_literal(parse_value(digits)) == Decimal(digits)
    assert parse_amount_literal(parse_value(f'"{digits}"')) == Decimal(digits)
    for literal in ("1e5", "true", "[1]", "{a: 1}"):
        with pytest.raises(GraphQLError, match="Not a number"):
            parse_amount_literal(parse_value(literal))


@pytest.mark.parametrize(
    ("amount", "text"),
    [("1E+3", "1000"), ("1E-7", "0.0000001"), ("0E-20", "0.00000000000000000000"), ("12.50", "12.50")],
)
def test_an_amount_comes_out_in_plain_notation(amount: str, text: str) -> None:
    assert write_amount(Decimal(amount)) == text


def test_json_is_what_everybody_can_hold() -> None:
    value = {"a\0b": ["\0", "\ud800x", 2**63, -(2**63), 2**63 - 1, True, None, 1.5, {"deep": -(2**64)}]}
    assert tidy(value) == {
        "ab": [
            "",
            "\ufffdx",
            "9223372036854775808",
            -(2**63),
            2**63 - 1,
            True,
            None,
            1.5,
            {"deep": "-18446744073709551616"},
        ]
    }


def test_json_in_a_document_is_the_same() -> None:
    literal = parse_value('{a: [1, "x", {b: null}], c: 99999999999999999999}')
    assert parse_json_literal(literal) == {"a": [1, "x", {"b": None}], "c": "99999999999999999999"}
