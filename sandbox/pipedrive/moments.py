"""Times as this vendor writes them: v2 in RFC 3339, v1 without zone, leads with milliseconds; all UTC."""

import time
from datetime import UTC, datetime, timedelta
from functools import cache

DAY = 86_400

END = int(
    datetime(2026, 11, 1, tzinfo=UTC).timestamp()
)  # made-up records end here, so that data never depends on today
BEGIN = END - 2 * 365 * DAY

V1 = "%Y-%m-%d %H:%M:%S"
V2 = "%Y-%m-%dT%H:%M:%SZ"

# What stands between day and clock, and after them.
V1_FORM = (" ", "")
V2_FORM = ("T", "Z")
LEAD_FORM = ("T", ".000Z")


def write_v1(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(V1)


def write_v2(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(V2)


def write_lead(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@cache
def write_date(day: int) -> str:
    """By the number of days since 1970."""
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY))


def write_day(seconds: int) -> str:
    return write_date(seconds // DAY)


def write_seconds(seconds: int, form: tuple[str, str]) -> str:
    day, rest = divmod(seconds, DAY)
    return f"{write_date(day)}{form[0]}{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}{form[1]}"


def v1_from_v2(moment: str | None) -> str | None:
    return moment and moment[:19].replace("T", " ")


def read_rfc3339(text: str) -> datetime:
    """Raises ValueError for anything without a date, a time and a zone."""
    if "T" not in text.upper():
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)


def whole_second_from(moment: datetime) -> datetime:
    """The first whole second not before it: records are stamped by the second."""
    return moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)
