"""Readers of single values: days, moments, e-mail addresses, phones, domains, texts. What a CRM has not got is None."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import nh3

from connectors.errors import Unmappable
from connectors.phones import to_e164

Json: TypeAlias = dict[str, Any]

DAY = re.compile(r"\d{4}-\d\d-\d\d")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?")
TAG = re.compile(r"<[A-Za-z/!?]")
"""What a browser would take for markup begins like this; a text without it is safe as it is."""
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


def read_text(value: Any) -> str | None:
    """A text; None for one of spaces only. Numbers are texts too: some CRMs store names as typed."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def read_id(value: Any) -> str | None:
    """An id, which is a number or a text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def read_day(value: Any, field: str) -> date | None:
    """A day; it stays one. Raises Unmappable for a day that no calendar has."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Unmappable(f"{field} is not a day.", field=field)


def read_moment(value: Any, field: str) -> datetime | None:
    """A moment in UTC; without a zone it is UTC already. Raises Unmappable for one that no clock shows."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str) and MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unmappable(f"{field} is not a moment.", field=field)


def read_decimal(value: Any, field: str) -> Decimal | None:
    """An amount, exactly as it was written."""
    if value is None or value == "":
        return None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_finite() and abs(number.adjusted()) < 100:
            return number
    raise Unmappable(f"{field} is not an amount.", field=field)


def read_entries(value: Any) -> list[Json]:
    """Values with a label, one of them primary: the primary first, the others in their order, empty ones left out.

    None of them marked primary: the first is. Several: the first of those.
    """
    found: list[Json] = []
    primary = 0
    marked = False
    for item in value if isinstance(value, list) else (value,):
        is_labelled = isinstance(item, dict)
        text = read_text(item.get("value") if is_labelled else item)
        if text is None:
            continue
        if is_labelled and not marked and item.get("primary") is True:
            primary, marked = len(found), True
        label = item.get("label") if is_labelled else None
        found.append({"value": text, "label": label if isinstance(label, str) and label else None, "primary": False})
    if found:
        found.insert(0, found.pop(primary))
        found[0]["primary"] = True
    return found


def read_phones(value: Any, region: str | None) -> list[Json]:
    """Phone numbers as they came, each with its E.164 where it can be parsed."""
    found = read_entries(value)
    for phone in found:
        phone["e164"] = to_e164(phone["value"], region)
    return found


def read_domain(website: Any) -> str | None:
    """The internet domain of a website's address, without `www.`."""
    text = read_text(website)
    if text is None:
        return None
    try:
        host = urlsplit(text.strip() if "//" in text else f"//{text.strip()}").hostname or ""
        host = host.rstrip(".").encode("idna").decode("ascii").removeprefix("www.")
    except ValueError:  # UnicodeError, of a host that is none, is one too
        return None
    return host if len(host) <= 253 and HOST.fullmatch(host) else None


def is_site(text: str) -> bool:
    """Whether a text is an address of the web; without a scheme, one that begins with a domain."""
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        is_whole = parts.port != 0 and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:  # a port that is none
        return False
    return is_whole and parts.scheme in ("http", "https") and ("://" in text or read_domain(text) is not None)


def read_body(value: Any) -> str | None:
    """HTML with what could run taken out; plain text as it is."""
    text = read_text(value)
    if text is None or TAG.search(text) is None:
        return text
    return nh3.clean(text) or None
