"""What the fields of an input say together: what one leaves open is taken from another one, or from the record as it is."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from resolvers.entries import Unfit, Values, day, read_full_name, read_line, write_moment
from storage.records import DealStatus, now
from storage.shapes import RecordType
from sync.local import compose_name

WEST, EAST = timedelta(hours=12), timedelta(hours=14)
"""How far clocks are behind UTC, and ahead of it, at most."""


def finish(type_: RecordType, given: Mapping[str, Any], values: Values, present: Values) -> dict[str, Any]:
    """The values, once what one field leaves open is taken from another one, or from the record as it is. Raises Unfit where
    two contradict each other."""
    made = dict(values)
    if type_ is RecordType.CONTACT:
        _finish_name(given, made, present)
    if type_ is RecordType.ACTIVITY and given.get("due_on") and given.get("due_at"):
        made |= day("due_on")(given["due_on"])
        check_due(made["due_on"], made["due_at"])
    if type_ is RecordType.DEAL and made.get("status") not in (None, present.get("status")):
        is_open = made["status"] == DealStatus.OPEN.value
        made["closed_at"] = None if is_open else write_moment(now())
    return made


def _finish_name(given: Mapping[str, Any], values: dict[str, Any], present: Values) -> None:
    """A part that nobody names stays; a whole that its parts do not make is kept as it is said."""
    parts = ("first_name", "last_name")
    if not any(name in values for name in parts):
        return
    if "name" not in given and not any(present.get(name) for name in parts):
        values.update({name: each for name, each in read_full_name(present.get("name")).items() if name not in values})
    whole = read_line(given.get("name"))
    now = {**present, **values}
    if whole and whole != compose_name(now.get("first_name"), now.get("last_name")):
        values["name"] = whole


def check_due(due_on: str, due_at: str) -> None:
    """Raises Unfit where the moment is on another day, wherever one lives."""
    since = datetime.fromisoformat(due_at) - datetime.combine(date.fromisoformat(due_on), time(), UTC)
    if not -EAST <= since < timedelta(days=1) + WEST:
        raise Unfit("It is another day than that of dueAt: give one of them, or the same day in both.", "due_on")
