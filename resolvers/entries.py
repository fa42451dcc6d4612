"""What the fields of inputs write: one declaration for each type of record, from a field's name to the values it makes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeAlias

import orjson

from connectors.errors import Unmappable
from connectors.targets import NAME
from connectors.values import (
    is_site,
    read_body,
    read_day,
    read_decimal,
    read_domain,
    read_entries,
    read_moment,
    read_phones,
)
from storage.listing import clean
from storage.records import ActivityKind, ContactKind, DealStatus
from storage.shapes import RecordType
from sync.identity import ADDRESS
from sync.local import CUSTOM_FIELD

LINE = 255
"""Characters of a text of one line."""
PAGE = 100_000
"""Of a longer one."""
MOST = 100
"""Entries of a list."""
LARGEST = 2**31 - 1


class Unfit(Exception):  # noqa: N818 # it is told to a person
    """A value that a field does not take: a sentence that says what it takes."""

    def __init__(self, message: str, name: str = "") -> None:
        super().__init__(message)
        self.name = name
        """The field's, where it is not the one that is being read."""


Values: TypeAlias = Mapping[str, Any]
Read: TypeAlias = Callable[[Any], Values]
"""From what is in the input to values by name, as sources have them. Raises Unfit."""


@dataclass(frozen=True)
class Related:
    """A field that names records."""

    relation: str
    target: str
    """The type's name."""
    many: bool = False
    least: int = 0


@dataclass(frozen=True)
class Owner:
    """A field that names a user of a CRM by the e-mail address."""


Entry: TypeAlias = Read | Related | Owner


# ---------------------------------------------------------------- readers


def read_line(value: Any, longest: int = LINE) -> str | None:
    """A text of one line; None for one of spaces only."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise Unfit("It is a text.")
    text = " ".join(clean(value).split())
    if len(text) > longest:
        raise Unfit(f"It has {longest} characters at most.")
    return text or None


def line(name: str, longest: int = LINE) -> Read:
    """A text of one line that may be missing."""
    return lambda value: {name: read_line(value, longest)}


def title(name: str) -> Read:
    """A text of one line that has to be there."""

    def read(value: Any) -> Values:
        text = read_line(value)
        if text is None:
            raise Unfit("It cannot be empty.")
        return {name: text}

    return read


def word(name: str, kind: type[Enum], *refused: Enum) -> Read:
    """One of an enum's words."""
    allowed = [each for each in kind if each not in refused]

    def read(value: Any) -> Values:
        found = next((each for each in allowed if value in (each, each.value)), None)
        if found is None:
            raise Unfit(f"Give one of {', '.join(str(each.value) for each in allowed)}.")
        return {name: found.value}

    return read


def number(name: str, least: int, most: int) -> Read:
    """A whole number."""

    def read(value: Any) -> Values:
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
            raise Unfit(f"It is a whole number from {least} to {most}.")
        return {name: value}

    return read


def flag(name: str) -> Read:
    """True or false."""

    def read(value: Any) -> Values:
        if not isinstance(value, bool):
            raise Unfit("It is true or false.")
        return {name: value}

    return read


def day(name: str) -> Read:
    """A day."""

    def read(value: Any) -> Values:
        try:
            found = value if isinstance(value, date) else read_day(value, name)
        except Unmappable:
            raise Unfit("It is a day, as in 2026-11-20.") from None
        return {name: found.isoformat() if found else None}

    return read


def read_full_name(value: Any) -> Values:
    """The family name is the last word; whoever knows better says the parts."""
    name = read_line(value)
    *given, family = (name or "").split() or [""]
    if not given:
        return {"first_name": family or None, "last_name": None}
    return {"first_name": " ".join(given), "last_name": family}


def read_emails(value: Any) -> Values:
    """Each address once, the primary one first."""
    found = read_entries(_check_entries(value, 254))
    for each in found:
        each["value"] = each["value"].strip()
        if not ADDRESS.fullmatch(each["value"]):
            raise Unfit(f"{each['value']!r} is no e-mail address.")
    once = {each["value"].casefold(): each for each in reversed(found)}
    return {"emails": [each for each in found if once[each["value"].casefold()] is each]}


def read_numbers(value: Any) -> Values:
    """Phone numbers, the primary one first."""
    found = read_phones(_check_entries(value, 50), None)
    for each in found:
        if not re.search(r"\d", each["value"]):
            raise Unfit(f"{each['value']!r} is no phone number.")
    return {"phones": found}


def _check_entries(value: Any, longest: int) -> list[dict[str, Any]]:
    entries = _check_list(value)
    if any(not isinstance(each, Mapping) for each in entries):
        raise Unfit("Each entry is an object with a `value`.")
    if sum(each.get("primary") is True for each in entries) > 1:
        raise Unfit("One entry at most is the primary one.")
    return [
        {
            "value": read_line(each.get("value"), longest),
            "label": read_line(each.get("label"), 50),
            "primary": each.get("primary") is True,
        }
        for each in entries
    ]


def _check_list(value: Any) -> Sequence[Any]:
    if value is not None and not isinstance(value, list):
        raise Unfit("It is a list.")
    if value and len(value) > MOST:
        raise Unfit(f"It has {MOST} entries at most.")
    return value or []


def read_address(value: Any) -> Values:
    """None where nothing of it is said."""
    if value is not None and not isinstance(value, Mapping):
        raise Unfit("It is an object with street, city, region, postalCode and country.")
    parts = {
        "street": "street",
        "city": "city",
        "region": "region",
        "postal_code": "postalCode",
        "country": "country",
    }
    found = {name: read_line((value or {}).get(name, (value or {}).get(shown))) for name, shown in parts.items()}
    return {"address": found if any(found.values()) else None}


def read_tags(value: Any) -> Values:
    """Each once."""
    found = [read_line(each, 100) for each in _check_list(value)]
    return {"tags": list(dict.fromkeys(each for each in found if each))}


def read_custom(value: Any) -> Values:
    """Each custom field by its own name."""
    if not isinstance(value, Mapping):
        raise Unfit("It is an object: the names of the custom fields with their values, null for none.")
    if len(value) > MOST or len(orjson.dumps(value)) > PAGE:
        raise Unfit(f"It has {MOST} fields and {PAGE} characters at most.")
    if wrong := [name for name in value if not NAME.fullmatch(name)]:
        raise Unfit(f"{wrong[0]!r} is no name of a custom field: it has 1 to 100 characters and no dot.")
    return {f"{CUSTOM_FIELD}{name}": None if each == "" else each for name, each in value.items()}


def read_site(value: Any) -> Values:
    """A website; its domain is the company's, where nobody says another one."""
    site = read_line(value)
    if site and not is_site(site):
        raise Unfit(f"{site!r} is no address of a website, as in https://acme.com.")
    domain = read_domain(site)
    return {"website": site, **({"domain": domain} if domain else {})}


def read_own_domain(value: Any) -> Values:
    """As `acme.com`."""
    text = read_line(value)
    domain = read_domain(text)
    if text and not domain:
        raise Unfit(f"{text!r} is no internet domain.")
    return {"domain": domain}


def read_money(value: Any) -> Values:
    """An amount and its currency, or neither."""
    if value is None:
        return {"amount_value": None, "amount_currency": None}
    if not isinstance(value, Mapping):
        raise Unfit("It is an object with amount and currency.")
    currency = str(value.get("currency") or "").strip().upper()
    if not re.fullmatch("[A-Z]{3}", currency):
        raise Unfit("The currency is a code of three letters of ISO 4217, as in EUR.")
    given = value.get("amount")
    try:
        amount = read_decimal(str(given) if isinstance(given, Decimal) else given, "amount")
    except (Unmappable, InvalidOperation):
        amount = None
    if amount is None or abs(amount) >= 10**15:
        raise Unfit("The amount is a number below 10^15.")
    return {"amount_value": format(amount, "f"), "amount_currency": currency}


def read_text(name: str) -> Read:
    """A text of several lines, or HTML without what could run."""

    def read(value: Any) -> Values:
        if value is not None and not isinstance(value, str):
            raise Unfit("It is a text.")
        text = clean(value) if value else None
        if text and len(text) > PAGE:
            raise Unfit(f"It has {PAGE} characters at most.")
        return {name: read_body(text)}

    return read


def read_due(value: Any) -> Values:
    """A moment, and its day in UTC, where nobody says another one."""
    try:
        found = value if isinstance(value, datetime) else read_moment(value, "dueAt")
    except Unmappable:
        raise Unfit("It is a moment with a zone, as in 2026-11-20T10:15:30Z.") from None
    if found is None:
        return {"due_at": None}
    moment = found.astimezone(UTC)
    return {"due_at": write_moment(moment), "due_on": moment.date().isoformat()}


def write_moment(moment: datetime) -> str:
    """A moment in UTC, as it is stored."""
    return moment.isoformat().replace("+00:00", "Z")


def read_due_day(value: Any) -> Values:
    """A day; the time of another day goes with it."""
    return {**day("due_on")(value), "due_at": None}


# ---------------------------------------------------------------- what each input has

COMMON: Mapping[str, Entry] = {"custom_fields": read_custom, "owner_email": Owner()}
ENTRIES: Mapping[RecordType, Mapping[str, Entry]] = {
    RecordType.CONTACT: {
        "kind": word("kind", ContactKind),
        "name": read_full_name,
        "first_name": line("first_name"),
        "last_name": line("last_name"),
        "job_title": line("job_title"),
        "emails": read_emails,
        "phones": read_numbers,
        "address": read_address,
        "organization_id": Related("organization", "Organization"),
        "warmness": number("warmness", 0, 5),
        "tags": read_tags,
        **COMMON,
    },
    RecordType.ORGANIZATION: {
        "name": title("name"),
        "website": read_site,
        "domain": read_own_domain,
        "industry": line("industry"),
        "employee_count": number("employee_count", 0, LARGEST),
        "phone": line("phone", 50),
        "address": read_address,
        "tags": read_tags,
        **COMMON,
    },
    RecordType.DEAL: {
        "title": title("title"),
        "amount": read_money,
        "status": word("status", DealStatus),
        "stage": line("stage"),
        "pipeline": line("pipeline"),
        "expected_close_on": day("expected_close_on"),
        "organization_id": Related("organization", "Organization"),
        "contact_ids": Related("contacts", "Contact", many=True),
        **COMMON,
    },
    RecordType.ACTIVITY: {
        "kind": word("kind", ActivityKind, ActivityKind.OTHER),
        "subject": title("subject"),
        "body": read_text("body"),
        "due_on": read_due_day,
        "due_at": read_due,
        "duration_minutes": number("duration_minutes", 0, LARGEST),
        "is_done": flag("is_done"),
        "contact_ids": Related("contacts", "Contact", many=True, least=1),
        "deal_id": Related("deal", "Deal"),
        "organization_id": Related("organization", "Organization"),
        "owner_email": Owner(),
    },
}
"""By the field's name; where two write the same value, the later one counts: the more exact one."""
