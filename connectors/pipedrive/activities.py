"""Pipedrive's activities and notes in our shape."""

import re
from datetime import datetime
from typing import Any

from connectors.errors import Unmappable
from connectors.facts import Catalog, Payload, Reference
from connectors.pipedrive.parts import linked_id
from connectors.values import read_body, read_id, read_moment, read_text
from storage.records import ActivityKind

CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?")

KINDS = {
    **{kind.value.lower(): kind for kind in ActivityKind if kind is not ActivityKind.OTHER},
    "deadline": ActivityKind.TASK,
}
"""By the key of the type. Companies add types of their own and rename the built-in ones: the key stays. A lunch is none
of our kinds. https://developers.pipedrive.com/docs/api/v1/ActivityTypes"""


def read_kind(payload: Payload, _: Catalog) -> ActivityKind:
    """Which of our kinds; OTHER for what is none of them."""
    return KINDS.get(str(payload.get("type")).lower(), ActivityKind.OTHER)


def read_kind_label(payload: Payload, catalog: Catalog) -> str | None:
    """What the company calls the type."""
    key = read_text(payload.get("type"))
    return catalog.words.get("activityTypes", {}).get(key, key) if key else None


def read_due_at(payload: Payload, _: Catalog) -> datetime | None:
    """The moment, only where there is a time: both are UTC."""
    day, time = payload.get("due_date"), payload.get("due_time")
    if not day or not time:
        return None
    found = CLOCK.fullmatch(time) if isinstance(time, str) else None
    if found is None or not isinstance(day, str):
        raise Unmappable("due_time is not a time.", field="due_time")
    hours, minutes, seconds = found.groups()
    return read_moment(f"{day}T{hours:0>2}:{minutes}:{seconds or '00'}Z", "due_time")


def read_minutes(payload: Payload, _: Catalog) -> int | None:
    """`01:30` or `01:30:00`, as whole minutes."""
    value = payload.get("duration")
    if value is None or value == "":
        return None
    found = CLOCK.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Unmappable("duration is not a span of time.", field="duration")
    hours, minutes, seconds = found.groups()
    return int(hours) * 60 + int(minutes) + (int(seconds or 0) + 30) // 60


def read_note(payload: Payload, _: Catalog) -> str | None:
    """The note of an activity: HTML with what could run taken out."""
    return read_body(payload.get("note"))


def is_done(payload: Payload, _: Catalog) -> bool:
    """Ticked off; v1 writes 1 for true."""
    return payload.get("done") in (True, 1, "1", "true")


def read_participants(payload: Payload, _: Catalog) -> list[Reference]:
    """The persons who take part, the primary first; without a list of them, the one that is named."""
    listed = payload.get("participants")
    people = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    people.sort(key=lambda one: not (one.get("primary") is True or one.get("primary_flag") is True))
    found = [identifier for one in people if (identifier := linked_id(one.get("person_id")))]
    if not found and (only := linked_id(payload.get("person_id"))):
        found = [only]
    return [("Person", identifier) for identifier in found]


def read_deal(payload: Payload, _: Catalog) -> list[Reference]:
    """The deal that it is for, or the lead: a lead is a deal without a stage."""
    if deal := linked_id(payload.get("deal_id")):
        return [("Deal", deal)]
    lead = read_id(payload.get("lead_id"))
    return [("Lead", lead)] if lead else []


# ---------------------------------------------------------------- notes


def always_note(_payload: Payload, _catalog: Catalog) -> ActivityKind:
    """The kind of every note."""
    return ActivityKind.NOTE


def say_note(_payload: Payload, _catalog: Catalog) -> str:
    """Pipedrive's word for it."""
    return "Note"


def read_content(payload: Payload, _: Catalog) -> Any:
    """The text of a note: HTML with what could run taken out."""
    return read_body(payload.get("content"))
