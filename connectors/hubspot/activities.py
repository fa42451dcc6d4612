"""HubSpot's calls, e-mails, meetings, tasks and notes in our shape."""

from collections.abc import Collection, Mapping
from datetime import date, datetime

from connectors.declaration import Convert
from connectors.facts import Catalog, Payload
from connectors.hubspot.mapping import require_properties
from connectors.hubspot.names import label_of
from connectors.hubspot.times import read_time
from connectors.values import read_body, read_decimal, read_text
from storage.records import ActivityKind

TASKS: Mapping[str, ActivityKind] = {
    "LINKED_IN": ActivityKind.LINKEDIN,
    "LINKED_IN_CONNECT": ActivityKind.LINKEDIN,
    "LINKED_IN_MESSAGE": ActivityKind.LINKEDIN,
}
"""By `hs_task_type`: tasks that are more than something to do. A task to call somebody is no call yet."""

UNDER_WAY = frozenset({"QUEUED", "CALLING_CRM_USER", "CONNECTING", "RINGING", "IN_PROGRESS"})
"""Values of `hs_call_status` of calls that are not over."""

WORDS = {"TODO": "To-do", "CALL": "Call", "EMAIL": "Email"}


def always(kind: ActivityKind) -> Convert:
    """The kind of all records of a type."""
    return lambda _payload, _catalog: kind


def say(word: str) -> Convert:
    """HubSpot's word for all records of a type."""
    return lambda _payload, _catalog: word


def read_task_kind(payload: Payload, _: Catalog) -> ActivityKind:
    """A TASK; LINKEDIN where its type is one of LinkedIn's."""
    return TASKS.get(str(require_properties(payload).get("hs_task_type")), ActivityKind.TASK)


TASK_TYPE = label_of("hs_task_type")


def read_task_label(payload: Payload, catalog: Catalog) -> str:
    """What HubSpot calls the type of the task."""
    label = TASK_TYPE(payload, catalog)
    return WORDS.get(label, label) if label else "Task"


def body_of(*names: str) -> Convert:
    """The first of these properties that has a text: HTML with what could run taken out."""

    def convert(payload: Payload, _: Catalog) -> str | None:
        given = require_properties(payload)
        return next((body for name in names if (body := read_body(given.get(name)))), None)

    return convert


def moment_in(payload: Payload, names: Collection[str]) -> datetime | None:
    """The moment in the first of these properties that has one."""
    given = require_properties(payload)
    return next((moment for name in names if (moment := read_time(given.get(name), name))), None)


def at(*names: str) -> Convert:
    """The moment in the first of these properties that has one."""
    return lambda payload, _: moment_in(payload, names)


def on(*names: str) -> Convert:
    """The day, in UTC, of the moment in the first of these properties that has one."""

    def convert(payload: Payload, _: Catalog) -> date | None:
        moment = moment_in(payload, names)
        return moment.date() if moment else None

    return convert


def is_one_of(name: str, *values: str) -> Convert:
    """Whether a property has one of these values."""
    return lambda payload, _: require_properties(payload).get(name) in values


def is_over(payload: Payload, _: Catalog) -> bool:
    """A call is logged when it is over; one that is under way says so."""
    return str(require_properties(payload).get("hs_call_status")) not in UNDER_WAY


def is_sent(payload: Payload, _: Catalog) -> bool:
    """Whether it was sent: its status is SENT, or it came in, so somebody has sent it."""
    given = require_properties(payload)
    return given.get("hs_email_status") == "SENT" or given.get("hs_email_direction") == "INCOMING_EMAIL"


def read_call_minutes(payload: Payload, _: Catalog) -> int | None:
    """Whole minutes: the duration is in milliseconds."""
    span = read_decimal(read_text(require_properties(payload).get("hs_call_duration")), "hs_call_duration")
    return None if span is None else minutes(float(span) / 1000)


def read_meeting_minutes(payload: Payload, _: Catalog) -> int | None:
    """Whole minutes from the start to the end."""
    given = require_properties(payload)
    start, end = (read_time(given.get(name), name) for name in ("hs_meeting_start_time", "hs_meeting_end_time"))
    return minutes((end - start).total_seconds()) if start and end else None


def minutes(seconds: float) -> int | None:
    """Whole minutes; None for what ends before it begins, as people type it."""
    return int((seconds + 30) // 60) if seconds >= 0 else None


def values(kind: Convert, word: Convert, **more: str | Convert) -> dict[str, str | Convert]:
    """What is mapped alike for all types: kind, time and owner; and what is not."""
    return {
        "kind": kind,
        "kind_label": word,
        "due_on": on("hs_timestamp"),
        "due_at": at("hs_timestamp"),
        "owner_external_id": "properties.hubspot_owner_id",
        **more,
    }
