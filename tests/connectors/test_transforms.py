"""Transforms: what each function makes, what is refused before it runs, and that nothing takes long."""

from contextlib import suppress
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.transforms import BadTransform, Failed, compile_transform

LONGEST_TURN = 0.25
"""Seconds that one value may take here, on a busy machine: far more than is needed, far less than a hang."""

MADE: list[tuple[str, Any, Any]] = [
    ("trim(value)", "  Ada ", "Ada"),
    ("lower(value)", "ADA", "ada"),
    ("upper(value)", ["a", "b"], ["A", "B"]),
    ("upper(trim(value))", " ada", "ADA"),
    ("value.trim()", " ada", "ada"),
    ("e164(value)", "602 123 456", "+420602123456"),
    ("e164(value, 'DE')", "030 1234567", "+49301234567"),
    ("e164(value)", "ask for Ada", None),
    ("firstName(value)", "Ada King Lovelace", "Ada King"),
    ("lastName(value)", "Ada King Lovelace", "Lovelace"),
    ("firstName(value)", "Lovelace, Ada", "Ada"),
    ("lastName(value)", "Lovelace, Ada", "Lovelace"),
    ("firstName(value)", "Ada", "Ada"),
    ("lastName(value)", "Ada", None),
    ("pick(value, {'New': 'LEAD', 'Won': 'CONTACT'})", "Won", "CONTACT"),
    ("pick(value, {'New': 'LEAD'})", "Lost", None),
    ("pick(value, {'New': 'LEAD'}, 'CONTACT')", "Lost", "CONTACT"),
    ("pick(value, {'1': 'one'})", 1, "one"),
    ("pick(value, {'a': 'A', 'b': 'B'})", ["b", "c", "a"], ["B", "A"]),
    ("date(value)", "2026-11-02T23:30:00Z", "2026-11-02"),
    ("date(value, 'DD.MM.YYYY')", "2.11.2026", "2026-11-02"),
    ("date(value, 'MM/DD/YYYY')", "11/02/2026", "2026-11-02"),
    ("date(value)", 1_700_000_000_000, "2023-11-14"),
    ("money(value, 'EUR')", "12.50", {"amount": "12.50", "currency": "EUR"}),
    ("money(value)", 3, {"amount": "3", "currency": None}),
    ("value.amount", {"amount": 5, "currency": "EUR"}, 5),
    ("value * 2", 21, 42),
    ("double(value) / 4.0", "10", 2.5),
    ("string(value) + ' people'", 7, "7 people"),
    ("value > 100 ? 'large' : 'small'", 7, "small"),
    ("value in ['a', 'b']", "b", True),
    ("value.contains('Ltd') || value.endsWith('GmbH')", "Acme GmbH", True),
    ("value.matches(r'^[A-Z]+$') ? value : null", "ABC", "ABC"),
    ("length(value)", "Žluť", 4),
    ("value.length()", "Žluť", 4),
    ("has(value.a) ? value.a : 'none'", {}, "none"),
    ("timestamp(value)", "2026-11-02T10:00:00+01:00", "2026-11-02T09:00:00Z"),
    ("timestamp(value).getFullYear()", "2026-11-02T10:00:00Z", 2026),
    ("1 / 0", None, None),
]


@pytest.mark.parametrize(("expression", "value", "expected"), MADE)
def test_a_transform_makes_of_a_value_what_it_says(expression: str, value: Any, expected: Any) -> None:
    assert compile_transform(expression)(value, "CZ") == expected


REFUSED = [
    ("", "The transform is empty"),
    ("value +", "The transform does not parse: at character 8"),
    ("value.upper(", "The transform does not parse"),
    ("upper(value", "The transform does not parse"),
    ("'abc", "The transform has a text without an end."),
    ("x" * 1_001, "The transform has 1,001 characters: 1,000 are allowed."),
    ("(" * 500 + "value" + ")" * 495, "The transform does not parse"),
    ("record.name", "The transform names `record`: there is only `value`."),
    ("open('/etc/passwd')", "The transform calls open(), which it may not: there are bool, contains"),
    ("[1, 2].map(x, x)", "The transform calls map()"),
    ("value.all(value, true)", "The transform calls all()"),
    ("value.map (value, 1)", "The transform calls map()"),
    ("value.map // \n (value, 1)", "The transform has a comment"),
    (r"r'\' + [1].map(x, x) + 'x'", "The transform calls map()"),
    ("'''a' + [1].map(x, x) + '''", "The transform has a comment, a back quote or a text in three quotes"),
    ("1.map(value, value)", "The transform calls map()"),
    ("value.`map`(value, 1)", "The transform has a comment, a back quote"),
    ("value.matches(value)", "matches() takes one regular expression as it is"),
    ("value.matches('a{1000}')", "A regular expression has up to 100 characters, and nothing that is counted"),
    (r"value.matches('a\x7b1000}')", "matches() takes one regular expression as it is"),
    ("value.matches('" + "a" * 101 + "')", "A regular expression has up to 100 characters"),
    ("google.protobuf.Int32Value{value: 1}", "The transform names `google`"),
]


@pytest.mark.parametrize(("expression", "message"), REFUSED)
def test_an_expression_that_cannot_be_used_is_refused_and_says_why(expression: str, message: str) -> None:
    with pytest.raises(BadTransform) as told:
        compile_transform(expression)
    assert str(told.value).startswith(message)


FAILING: list[tuple[str, Any, str]] = [
    ("100 / int(value)", "0", "divides by zero"),
    ("int(value) + 9223372036854775807", "1", "makes a number that is too large"),
    ("value + 1", "1", "puts types together that do not fit: int(), double() and string() convert"),
    ("value.b", {"a": 1}, "looks for something that is not there"),
    ("value[3]", [1], "looks for something that is not there"),
    ("int(value)", "seven", "makes nothing of this value"),
    ("date(value)", "soon", "calls date() with what is no date"),
    ("date(value, 'DD.MM')", "2.11.", "calls date() with a form that is not made of DD, MM and YYYY"),
    ("money(value, 'euro')", "1", "calls money() with a currency that is no code of three letters, such as EUR"),
    ("trim()", "a", "calls trim() with 0 arguments in the place of 1"),
    ("trim(value)", {"a": 1}, "calls trim() with what is no text"),
    ("double('NaN')", "a", "makes no number"),
    ("value", "a" * 100_001, "gets a value that is too long for it"),
    ("value + value", "a" * 60_000, "makes a value that is too long"),
    ("[value, value]", {"a": "\ud800"}, "gets a value that it cannot take"),
]


@pytest.mark.parametrize(("expression", "value", "reason"), FAILING)
def test_what_a_transform_makes_nothing_of_says_why(expression: str, value: Any, reason: str) -> None:
    transform = compile_transform(expression)
    with pytest.raises(Failed) as told:
        transform(value)
    assert str(told.value) == reason


def fill(part: str, between: str) -> str:
    """As long an expression as is allowed, of one part again and again."""
    return between.join([part] * ((1_000 + len(between)) // (len(part) + len(between))))


TEXT, LIST = "ab" * 1_999, list(range(800))
HOSTILE: list[tuple[str, Any]] = [
    (fill("value", "+"), TEXT),
    (f"[{fill('value', ',')[:995]}]", TEXT),
    (fill("!value.contains(value + 'b')", "&&"), TEXT),
    (fill(r"value.matches(r'(\w*\w*)*\W$')", "||"), TEXT),
    (fill(r"value.matches(r'(?i)(\w+)+(\w+)+(\w+)+(\w+)+(\w+)+(\w+)+(\w+)+\W$')", "||"), TEXT),
    (fill("value.matches(r'[ab]*a[ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab][ab]c')", "||"), TEXT),
    (fill("value.matches(r'(.*)*(.*)*(.*)*x')", "||"), TEXT),
    (fill("firstName(value)", "+"), "a " * 1_999),
    (fill("e164(value)", "=="), "1" * 3_900),
    (fill("date(value, 'DD.MM.YYYY')", "=="), "1" * 3_900),
    (fill("value", "+"), LIST),
    (fill("!(value in value)", "&&"), LIST),
    (fill("pick('x', value)", "=="), {str(each): each for each in range(400)}),
    ("lower(" * 90 + "value" + ")" * 90, "Ä" * 1_000),
    ("!" * 990 + "true", "a"),
    ("-" * 300 + "1", "a"),
    (fill("1", "-"), "a"),
    ("value" + "[0]" * 300, [[[[1]]]]),
    ("value" + ".a" * 490, {"a": {}}),
    ("-9223372036854775808 / -1", "a"),
    ("timestamp(value) - timestamp('0001-01-01T00:00:00Z')", "9999-12-31T23:59:59Z"),
    ("value", [[[[]]]] * 5_000),
]


@pytest.mark.parametrize(("expression", "value"), HOSTILE, ids=[each[:30] for each, _ in HOSTILE])
def test_a_hostile_expression_takes_no_time_worth_speaking_of(expression: str, value: Any) -> None:
    times = []
    for _ in range(3):  # the best counts: other processes may hold a turn up
        begun = perf_counter()
        with suppress(BadTransform, Failed):
            compile_transform(expression)(value, "CZ")
        times.append(perf_counter() - begun)
    assert min(times) < LONGEST_TURN


WORDS = (
    "value ( ) [ ] { } , . ? : + - * / % ! && || == < in 'a' r'\\' \"b\" 1 2.5 null true trim( upper( pick( matches( length("
    " map( all( x // ` ''' .a date( money( int( double( timestamp("
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(expression=st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join), value=JSON)
def test_whatever_is_written_it_works_or_says_why(expression: str, value: Any) -> None:
    begun, made = perf_counter(), None
    with suppress(BadTransform, Failed):
        made = compile_transform(expression)(value, "CZ")
    assert made is None or isinstance(made, bool | int | float | str | list | dict)
    assert perf_counter() - begun < 1
