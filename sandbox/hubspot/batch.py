"""Batches: many records in one call, of which some may fail."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from sandbox.hubspot.answers import Answer, VendorError, fail, invalid, missing, succeed
from sandbox.hubspot.call import Call, is_digits
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.lists import find_by
from sandbox.hubspot.moments import write_moment
from sandbox.hubspot.records import archive, create, plan_change, plan_record, update
from sandbox.hubspot.render import View
from sandbox.table import Json, Row

MOST = 100

Write = Callable[[], Json]  # writes a record and shows it
Plan = Callable[[Json], Write]  # checks an input


def answer_batch(started: datetime, results: list[Json], errors: list[Json], status: int = 200) -> Answer:
    """207 where some inputs failed."""
    body: Json = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": write_moment(started),
        "completedAt": write_moment(datetime.now(UTC)),
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return succeed(body, 207 if errors else status)


def describe_error(category: str, message: str, context: dict[str, list[str]], **more: Any) -> Json:
    return {
        "status": "error",
        "category": category,
        **more,
        "message": message,
        "context": context,
        "links": {},
        "errors": [],
    }


def shuffle(results: list[Json]) -> list[Json]:
    """In an order that is not that of the inputs, and the same each time."""
    return sorted(results, key=lambda each: crc32(str(each.get("id")).encode()))


def read_batch(call: Call) -> Answer:
    """By id, merged ones too, or by `idProperty`; what is found twice is shown once."""
    started, kind, given = datetime.now(UTC), call.kind(), call.fields()
    inputs, archived = call.inputs(MOST), call.flag("archived")
    name = str(given.get("idProperty") or "hs_object_id")
    view = View(call, kind, given.get("properties") or [], given.get("propertiesWithHistory") or [])
    rows: dict[Any, Row] = {}
    lacking: list[str] = []
    for one in inputs:
        text = str(one.get("id", ""))
        if archived:
            row = call.portal.archives[kind.plural].get(int(text)) if is_digits(text) else None
        else:
            row = find_by(call.portal, kind, name, text)
        if row is None:
            lacking.append(text)
        else:
            rows[row.record["id"]] = row
    errors = []
    if lacking:
        what = kind.singular.upper()
        message = f"Could not get some {what} objects, they may be deleted or not exist. Check that ids are valid."
        errors.append(describe_error("OBJECT_NOT_FOUND", message, {"ids": lacking}))
    results = [view.show(row.record, archived=archived) for row in rows.values()]
    return answer_batch(started, shuffle(results), errors)


def write_batch(call: Call, plan: Plan, status: int) -> Answer:
    """Inputs with marks fail each for itself; without, the first that fails fails them all, before any is written."""
    started, inputs = datetime.now(UTC), call.inputs(MOST)
    marks = {str(one.get("objectWriteTraceId") or "") for one in inputs}
    if len(marks) < len(inputs) or "" in marks:
        results = [write() for write in [plan(one) for one in inputs]]
        return answer_batch(started, shuffle(results), [], status)
    results, errors = [], []
    for one in inputs:
        mark = str(one["objectWriteTraceId"])
        try:
            results.append(plan(one)() | {"objectWriteTraceId": mark})
        except VendorError as refusal:
            found = describe_error(refusal.body["category"], str(refusal), {"objectWriteTraceId": [mark]})
            errors.append(found | {"errors": refusal.body.get("errors", [])})
    return answer_batch(started, shuffle(results), errors, status)


def create_batch(call: Call) -> Answer:
    kind = call.kind()
    if kind.plural == "contacts":
        check_addresses(call)
    return write_batch(call, lambda one: plan_create(call, kind, one), 201)


def plan_create(call: Call, kind: Kind, one: Json) -> Write:
    draft = plan_record(call.portal, kind, one)
    view = View(call, kind, one["properties"])
    return lambda: view.show(create(call.portal, kind, draft).record)


def check_addresses(call: Call) -> None:
    """No two new contacts of one batch have one address."""
    given = [one.get("properties") for one in call.inputs(MOST)]
    emails = [str(each["email"]).lower() for each in given if isinstance(each, dict) and each.get("email")]
    if len(set(emails)) < len(emails):
        raise fail(409, "CONFLICT", "The batch has an email address twice")


def update_batch(call: Call) -> Answer:
    kind = call.kind()
    check_twice(call)
    return write_batch(call, lambda one: plan_update(call, kind, one, find_input(call, kind, one)), 200)


def plan_update(call: Call, kind: Kind, one: Json, row: Row | None) -> Write:
    if row is None:
        raise missing(str(one.get("id")))
    values = plan_change(call.portal, kind, row, one.get("properties"))
    view = View(call, kind, one["properties"])
    return lambda: view.show(update(call.portal, kind, row, values).record)


def find_input(call: Call, kind: Kind, one: Json) -> Row | None:
    return find_by(call.portal, kind, str(one.get("idProperty") or "hs_object_id"), str(one.get("id", "")))


def check_twice(call: Call) -> None:
    """The same record twice in one batch locks itself out."""
    keys = [str(one.get("id")) for one in call.inputs(MOST)]
    if len(set(keys)) < len(keys):
        raise fail(423, "LOCKED", "The same record is in the batch twice")


def upsert_batch(call: Call) -> Answer:
    """By a unique property, which a new record gets from the input's id."""
    kind = call.kind()
    check_twice(call)
    return write_batch(call, lambda one: plan_upsert(call, kind, one), 200)


def plan_upsert(call: Call, kind: Kind, one: Json) -> Write:
    name, given = str(one.get("idProperty") or ""), one.get("properties")
    if not name or not isinstance(given, dict):
        raise invalid("An upsert needs an idProperty and properties")
    row = find_input(call, kind, one)
    if row is None and name == "hs_object_id":
        raise missing(str(one.get("id")))
    if row is None:
        write = plan_create(call, kind, one | {"properties": {name: one.get("id"), **given}})
    else:
        write = plan_update(call, kind, one, row)
    return lambda: write() | {"new": row is None}


def archive_batch(call: Call) -> Answer:
    """Those that are not there are passed over."""
    kind, table = call.kind(), call.portal.tables[call.kind().plural]
    for one in call.inputs(MOST):
        text = str(one.get("id", ""))
        row = table.get(int(text)) if is_digits(text) else None
        if row is not None:
            archive(call.portal, kind, row)
    return Answer(status=204)
