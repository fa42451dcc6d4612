"""Single values: days, moments, addresses, numbers, domains, texts."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import Unmappable
from connectors.phones import to_e164
from connectors.values import read_body, read_day, read_decimal, read_domain, read_entries, read_moment


@pytest.mark.parametrize(
    ("value", "region", "expected"),
    [
        ("+3725550101", None, "+3725550101"),
        ("+1 (415) 555-0101", None, "+14155550101"),
        ("+49 (0)30 1234567", None, "+49301234567"),
        ("tel:+44-20-7946-0958", None, "+442079460958"),
        ("030 1234567", "DE", "+49301234567"),
        ("0049 30 1234567", "DE", "+49301234567"),
        ("(415) 555-0101 ext. 12", "US", "+14155550101"),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("030 1234567", None, None),
        ("555-0101", "US", None),
        ("12345", "US", None),
        ("+1 555", None, None),
        ("+999 12345678", None, None),
        ("call me", "DE", None),
        ("+", None, None),
        ("030 1234567", "XX", None),
        ("9" * 5000, "DE", None),
    ],
)
def test_phones_become_e164_where_they_can(value: str, region: str | None, expected: str | None) -> None:
    assert to_e164(value, region) == expected


@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.from_regex(r"0{0,2}[0-9]{4,12}", fullmatch=True))
def test_national_numbers_are_as_parsing_makes_them(region: str, value: str) -> None:
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        assert to_e164(value, region) is None
        return
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else None
    assert to_e164(value, region) == expected


@given(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.from_regex(r"[0-9]{4,12}", fullmatch=True))
def test_the_short_way_finds_what_parsing_finds(code: int, national: str) -> None:
    value = f"+{code}{national}"
    number = phonenumbers.parse(value)
    possible = phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE
    expected = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else None

    assert to_e164(value, None) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ([], []),
        ([{"value": None}, {"value": ""}, {"value": "  "}, None, 5.5, {"label": "x"}], [("5.5", None, True)]),
        ("one", [("one", None, True)]),
        ([{"value": "a", "label": "work"}, {"value": "b", "label": ""}], [("a", "work", True), ("b", None, False)]),
        (
            [{"value": "a", "primary": False}, {"value": "b", "primary": True}, {"value": "c", "primary": True}],
            [("b", None, True), ("a", None, False), ("c", None, False)],
        ),
        ([{"value": "", "primary": True}, {"value": "b"}], [("b", None, True)]),
        ({"value": "a"}, [("a", None, True)]),
    ],
)
def test_entries_have_one_primary_and_it_is_first(value: Any, expected: list[tuple[str, str | None, bool]]) -> None:
    assert [(one["value"], one["label"], one["primary"]) for one in read_entries(value)] == expected


@pytest.mark.parametrize(
    ("website", "expected"),
    [
        ("https://www.acme.com/about?x=1", "acme.com"),
        ("Acme.Example", "acme.example"),
        ("http://user@shop.acme.co.uk:8080", "shop.acme.co.uk"),
        ("https://bücher.example", "xn--bcher-kva.example"),
        ("acme.com.", "acme.com"),
        ("localhost", None),
        ("http://192.168.1.1", None),
        ("http://[::1", None),
        ("not a site", None),
        ("", None),
        (None, None),
        (17, None),
        ("a" * 300 + ".com", None),
    ],
)
def test_a_domain_is_the_host_without_www(website: Any, expected: str | None) -> None:
    assert read_domain(website) == expected


def test_days_stay_days() -> None:
    assert read_day("2026-02-28", "due_date") == date(2026, 2, 28)
    assert read_day("", "due_date") is None
    assert read_day(None, "due_date") is None


@pytest.mark.parametrize(
    "value", ["2026-02-30", "2026-13-01", "0000-00-00", "tomorrow", "2026-2-3", 20260228, True, []]
)
def test_a_day_that_no_calendar_has_is_unmappable(value: Any) -> None:
    with pytest.raises(Unmappable) as caught:
        read_day(value, "due_date")

    assert caught.value.field == "due_date"


def test_moments_are_utc() -> None:
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    for value in (
        "2026-11-20T12:00:00Z",
        "2026-11-20 12:00:00",
        "2026-11-20T14:00:00+02:00",
        "2026-11-20T12:00:00.000Z",
    ):
        assert read_moment(value, "add_time") == noon


@pytest.mark.parametrize("value", ["2026-11-20", "2026-11-20T25:00:00Z", "0001-01-01T00:00:00+14:00", 1700000000, {}])
def test_a_moment_that_no_clock_shows_is_unmappable(value: Any) -> None:
    with pytest.raises(Unmappable) as caught:
        read_moment(value, "add_time")

    assert caught.value.field == "add_time"


def test_amounts_are_exact() -> None:
    assert read_decimal(0.1, "value") == Decimal("0.1")
    assert read_decimal("12345678901234567890", "value") == Decimal("12345678901234567890")
    assert read_decimal(None, "value") is None


@pytest.mark.parametrize("value", [True, "much", "NaN", "Infinity", [], "1e999999"])
def test_what_is_no_amount_is_unmappable(value: Any) -> None:
    with pytest.raises(Unmappable) as caught:
        read_decimal(value, "value")

    assert caught.value.field == "value"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<p>Hi <b>Ann</b><script>alert(1)</script></p>", "<p>Hi <b>Ann</b></p>"),
        ('<img src=x onerror="alert(1)">', '<img src="x">'),
        ('<a href="javascript:alert(1)">x</a>', '<a rel="noopener noreferrer">x</a>'),
        ("a < b & c > d", "a < b & c > d"),
        ("plain", "plain"),
        ("<script>alert(1)</script>", None),
        ("  ", None),
        (None, None),
    ],
)
def test_html_is_sanitized_and_plain_text_is_left(value: str | None, expected: str | None) -> None:
    assert read_body(value) == expected
