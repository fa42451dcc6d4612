"""Times as this vendor writes them: ISO 8601 with milliseconds in properties, epoch milliseconds in searches; UTC."""

from datetime import UTC, datetime
from functools import cache

DAY = 86_400
END = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())  # made-up records end here: data never depends on today
BEGIN = END - 2 * 365 * DAY
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


def write_moment(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


@cache
def write_date(day: int) -> str:
    """By the number of days since 1970."""
    return datetime.fromtimestamp(day * DAY, UTC).strftime("%Y-%m-%d")


def write_seconds(seconds: int, milliseconds: int = 0) -> str:
    day, rest = divmod(seconds, DAY)
    return f"{write_date(day)}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}.{milliseconds:03d}Z"


def write_ms(milliseconds: int) -> str:
    """Times out of all calendars become the first or the last there is."""
    seconds, rest = divmod(min(max(milliseconds, FIRST_MS), LAST_MS), 1000)
    return write_moment(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000))


def read_moment(text: str) -> str:
    """Epoch milliseconds, or ISO 8601 with or without a clock, in this vendor's writing; ValueError for the rest."""
    if text.lstrip("-").isdigit() and text.isascii():
        return write_ms(int(text))
    moment = datetime.fromisoformat(text)
    return write_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
