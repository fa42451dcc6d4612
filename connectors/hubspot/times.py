"""HubSpot's days and moments, which are written out or in milliseconds since 1970."""

import re
from datetime import UTC, datetime
from typing import Any

from connectors.errors import Unmappable
from connectors.values import read_moment

MILLISECONDS = re.compile(r"-?\d{9,14}")


def read_time(value: Any, field: str) -> datetime | None:
    """A moment: written out, or in milliseconds since 1970."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and MILLISECONDS.fullmatch(text):
        try:
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            raise Unmappable(f"{field} is not a moment.", field=field) from None
    if isinstance(text, str) and len(text) == len("2026-11-02"):
        text = f"{text}T00:00:00Z"
    return read_moment(text, field)


def write_day(text: str) -> str:
    """The day, as 2026-11-02, which HubSpot also writes as its midnight in UTC; a text that is none stays as it is."""
    moment = try_time(text)
    return moment.date().isoformat() if moment else text


def write_moment(text: str) -> str:
    """The moment in UTC, as 2026-11-02T10:11:12Z; one written so stays as it is, and so does a text that is none."""
    moment = None if text.endswith("Z") else try_time(text)
    return moment.isoformat().replace("+00:00", "Z") if moment else text


def try_time(text: str) -> datetime | None:
    """The moment; None for a text that is none."""
    try:
        return read_time(text, "")
    except Unmappable:
        return None
