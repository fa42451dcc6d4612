"""Values of custom fields by field type, in their v2 shape: made up, and checked when written."""

import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sandbox.people import Human
from sandbox.pipedrive.fields import ADDRESS_PARTS
from sandbox.pipedrive.moments import BEGIN, END, write_day

Json = dict[str, Any]

PHRASES = (
    "Met at the trade fair", "Prefers to be called in the morning", "Budget is decided in Q1", "Asked for a discount",
    "Knows the product from an earlier job", "Do not send newsletters", "Wants an offer for 25 seats",
)  # fmt: skip
CLOCKS = [f"{hour:02d}:{minute:02d}:00" for hour in range(7, 20) for minute in (0, 15, 30, 45)]
CURRENCY_CODES = ("EUR", "EUR", "EUR", "USD", "GBP", "PLN", "JPY")


class Source(NamedTuple):
    """What values may refer to."""

    dice: random.Random
    users: list[int]
    persons: int
    organizations: int
    zone: str


def draw_day(dice: random.Random) -> str:
    return write_day(dice.randrange(BEGIN, END))


def draw_clock(dice: random.Random) -> str:
    return dice.choice(CLOCKS)


def draw_span(source: Source) -> Json:
    first, second = sorted((draw_day(source.dice), draw_day(source.dice)))
    return {"value": first, "until": second}


def draw_hours(source: Source) -> Json:
    first, second = sorted((draw_clock(source.dice), draw_clock(source.dice)))
    return {"value": first, "until": second, "timezone_name": source.zone}


def draw_amount(dice: random.Random) -> float | int:
    return dice.choice((dice.randrange(50, 900) * 100, round(dice.uniform(10, 90_000), 2)))


def draw_address(dice: random.Random) -> Json:
    return make_address(f"Mill Street {dice.randrange(1, 90)}", dice.choice(("Leeds", "Lyon", "Łódź", "Köln")), None)


def make_address(street: str, city: str, country: str | None) -> Json:
    """All parts, those not known being null."""
    route, _, number = street.rpartition(" ")
    text = ", ".join(part for part in (street, city, country) if part)
    known = {"value": text, "route": route, "street_number": number, "locality": city, "country": country}
    return {part: known.get(part) for part in ADDRESS_PARTS} | {"formatted_address": text}


def draw_option(source: Source, field: Json) -> int:
    return int(source.dice.choice(field["options"])["id"])


def draw_options(source: Source, field: Json) -> list[int]:
    chosen = source.dice.sample(field["options"], source.dice.randrange(1, len(field["options"])))
    return [option["id"] for option in chosen]


DRAWN: dict[str, Callable[[Source, Json], Any]] = {
    "varchar": lambda source, _: source.dice.choice(PHRASES),
    "varchar_auto": lambda source, _: source.dice.choice(("Spring", "Autumn", "Webinar", "Fair")),
    "text": lambda source, _: "\n".join(source.dice.sample(PHRASES, 3)),
    "double": lambda source, _: draw_amount(source.dice),
    "monetary": lambda source, _: {
        "value": draw_amount(source.dice),
        "currency": source.dice.choice(CURRENCY_CODES),
    },
    "enum": draw_option,
    "set": draw_options,
    "user": lambda source, _: source.dice.choice(source.users),
    "org": lambda source, _: source.dice.randrange(source.organizations) + 1 if source.organizations else None,
    "people": lambda source, _: source.dice.randrange(source.persons) + 1 if source.persons else None,
    "date": lambda source, _: draw_day(source.dice),
    "daterange": lambda source, _: draw_span(source),
    "time": lambda source, _: {"value": draw_clock(source.dice), "timezone_name": source.zone},
    "timerange": lambda source, _: draw_hours(source),
    "address": lambda source, _: draw_address(source.dice),
    "phone": lambda source, _: f"+49 30 {source.dice.randrange(1_000_000, 9_999_999)}",
}


def draw_custom(source: Source, fields: list[Json], always: dict[str, None]) -> Json:
    """A few of the fields filled; those in `always` show as null where they are empty, the others not at all."""
    values: Json = dict(always)
    for _ in range(int(source.dice.random() * 5) if fields else 0):
        field = fields[int(source.dice.random() * len(fields))]
        values[field["field_code"]] = DRAWN[field["field_type"]](source, field)
    return values


def phone_spellings(human: Human) -> tuple[str, ...]:
    """One number, as different people write it."""
    bare = human.phone[1:]
    return (human.phone, human.national, f"00{bare}", human.national.replace(" ", "-"), f"+{bare[:2]} (0) {bare[2:]}")


DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\Z")
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?\Z")


def is_text(value: Any, longest: int = 65_535) -> bool:
    return isinstance(value, str) and len(value) <= longest


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_day(value: Any) -> bool:
    return isinstance(value, str) and DAY.match(value) is not None


def is_clock(value: Any) -> bool:
    return isinstance(value, str) and CLOCK.match(value) is not None


def has(check: Callable[[Any], bool], *names: str) -> Callable[[Any, Json], bool]:
    """An object whose named parts all pass the check."""
    return lambda value, _: isinstance(value, dict) and all(check(value.get(name)) for name in names)


def is_option(value: Any, field: Json) -> bool:
    return is_id(value) and any(option["id"] == value for option in field["options"] or ())


CHECKED: dict[str, Callable[[Any, Json], bool]] = {
    "varchar": lambda value, _: is_text(value, 255),
    "varchar_auto": lambda value, _: is_text(value, 255),
    "text": lambda value, _: is_text(value),
    "double": lambda value, _: is_number(value),
    "monetary": lambda value, _: (
        isinstance(value, dict) and is_number(value.get("value")) and is_text(value.get("currency"), 3)
    ),
    "enum": is_option,
    # A set is cleared with null, never with [].
    "set": lambda value, field: isinstance(value, list) and value != [] and all(is_option(one, field) for one in value),
    "user": lambda value, _: is_id(value),
    "org": lambda value, _: is_id(value),
    "people": lambda value, _: is_id(value),
    "date": lambda value, _: is_day(value),
    "daterange": has(is_day, "value", "until"),
    "time": has(is_clock, "value"),
    "timerange": has(is_clock, "value", "until"),
    "address": has(is_text, "value"),
    "phone": lambda value, _: is_text(value, 255),
}


def accepts(field: Json, value: Any) -> bool:
    return value is None or CHECKED[field["field_type"]](value, field)
