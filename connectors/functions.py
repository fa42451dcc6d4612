"""The functions that a transform may call beside CEL's own. Each takes the region of phone numbers, then its arguments."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeAlias

from connectors.errors import Unmappable
from connectors.phones import to_e164
from connectors.values import DAY, read_decimal, read_moment

Region: TypeAlias = str | None

PARTS = {"DD": r"(?P<day>\d{1,2})", "MM": r"(?P<month>\d{1,2})", "YYYY": r"(?P<year>\d{4})"}
MILLISECONDS = re.compile(r"-?\d{9,14}")
CURRENCY = re.compile(r"[A-Z]{3}")


class Wrong(Exception):  # noqa: N818 # it is told to a person
    """An argument that a function can make nothing of: how that came, as the end of a sentence."""


def trim(_: Region, value: Any) -> Any:
    """A text without the blanks at its ends; of a list each."""
    return _each("trim", value, str.strip)


def lower(_: Region, value: Any) -> Any:
    """A text in small letters; of a list each."""
    return _each("lower", value, str.lower)


def upper(_: Region, value: Any) -> Any:
    """A text in capitals; of a list each."""
    return _each("upper", value, str.upper)


def e164(region: Region, value: Any, country: Any = None) -> str | None:
    """A phone number as +420602123456; null where it cannot be one. A country (CZ) is for numbers without one."""
    return to_e164(_text("e164", value), _text("e164", country) if country else region)


def first_name(_: Region, value: Any) -> str | None:
    """All but the last word of a full name, or what is behind its comma; the only word of one that has no more."""
    return split_name(_text("firstName", value))[0]


def last_name(_: Region, value: Any) -> str | None:
    """The last word of a full name, or what is before its comma; null where there is one word only."""
    return split_name(_text("lastName", value))[1]


def pick(_: Region, value: Any, table: Any, otherwise: Any = None) -> Any:
    """What a table has for a value; what it has not is null, or the third argument. Of a list each that it has."""
    if not isinstance(table, dict):
        raise Wrong("calls pick() without a table, such as {'Lead': 'LEAD'}")
    if isinstance(value, list):
        return [found for one in value if (found := _look_up(table, one, None)) is not None]
    return _look_up(table, value, otherwise)


def read_date(_: Region, value: Any, form: Any = None) -> str | None:
    """The day of a date, of a moment (in UTC) or of milliseconds since 1970, as 2026-11-02. A form of DD, MM and YYYY
    says how else it is written: date(value, 'DD.MM.YYYY')."""
    text = _text("date", value).strip()
    if not text:
        return None
    try:
        if form is not None:
            return _read_form(text, _text("date", form)).isoformat()
        if MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC).date().isoformat()
        if DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
        moment = read_moment(text, "date")
    except (ValueError, OverflowError, OSError, Unmappable):
        moment = None
    if moment is None:
        raise Wrong("calls date() with what is no date")
    return moment.date().isoformat()


def money(_: Region, value: Any, currency: Any = None) -> dict[str, Any] | None:
    """An amount with its currency: a code of three letters."""
    code = None if currency is None else _text("money", currency).strip().upper()
    if code is not None and not CURRENCY.fullmatch(code):
        raise Wrong("calls money() with a currency that is no code of three letters, such as EUR")
    try:
        amount = read_decimal(value.strip() if isinstance(value, str) else value, "money")
    except Unmappable:
        raise Wrong("calls money() with what is no amount") from None
    return None if amount is None else {"amount": str(amount), "currency": code}


def length(_: Region, value: Any) -> int:
    """How many characters a text has, or entries a list or a table."""
    if not isinstance(value, str | list | dict):
        raise Wrong("calls length() with what is neither text, list nor table")
    return len(value)


FUNCTIONS: Mapping[str, tuple[Callable[..., Any], int, int]] = {
    "trim": (trim, 1, 1),
    "lower": (lower, 1, 1),
    "upper": (upper, 1, 1),
    "e164": (e164, 1, 2),
    "firstName": (first_name, 1, 1),
    "lastName": (last_name, 1, 1),
    "pick": (pick, 2, 3),
    "date": (read_date, 1, 2),
    "money": (money, 1, 2),
    "length": (length, 1, 1),
}
"""By their names in transforms: the function, and how many arguments it takes, from and to."""


def call(name: str, region: Region, arguments: tuple[Any, ...]) -> Any:
    """What a function makes of its arguments; of null nothing. Raises Wrong."""
    function, least, most = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        several = str(least) if least == most else f"{least} to {most}"
        raise Wrong(f"calls {name}() with {len(arguments)} arguments in the place of {several}")
    return None if arguments[0] is None else function(region, *arguments)


def split_name(name: str) -> tuple[str | None, str | None]:
    """(first, last): `Ada King`, `King, Ada`."""
    last, comma, first = name.partition(",")
    if comma:
        return " ".join(first.split()) or None, " ".join(last.split()) or None
    *before, end = name.split() or [""]
    return (" ".join(before), end) if before else (end or None, None)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    raise Wrong(f"calls {name}() with what is no text")


def _each(name: str, value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [change(_text(name, one)) for one in value]
    return change(_text(name, value))


def _look_up(table: Mapping[Any, Any], value: Any, otherwise: Any) -> Any:
    if isinstance(value, list | dict):
        raise Wrong("calls pick() with what is no single value")
    return table.get(value, table.get(str(value), otherwise))


def _read_form(text: str, form: str) -> date:
    if any(form.count(part) != 1 for part in PARTS):
        raise Wrong("calls date() with a form that is not made of DD, MM and YYYY")
    pattern = re.escape(form)
    for part, digits in PARTS.items():
        pattern = pattern.replace(part, digits)
    found = re.fullmatch(pattern, text)
    if found is None:
        raise ValueError(form)
    return date(*(int(found[name]) for name in ("year", "month", "day")))
