"""Leads and their labels: API v1 only."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sandbox.pipedrive.answers import Answer, VendorError, fail, succeed
from sandbox.pipedrive.call import Call, Handler
from sandbox.pipedrive.company import COLORS
from sandbox.pipedrive.fields import custom_fields
from sandbox.pipedrive.moments import write_lead
from sandbox.pipedrive.offsets import disturb, find_rows, keep_listed, matches, page_records, sort_rows, updated_since
from sandbox.pipedrive.values import accepts, is_day, is_id, is_number
from sandbox.table import Json, Row

PARAMETERS = {"owner_id": "owner_id", "person_id": "person_id", "organization_id": "organization_id"}
SORTS = (
    "id", "title", "owner_id", "creator_id", "was_seen", "expected_close_date", "next_activity_id", "add_time",
    "update_time",
)  # fmt: skip
LABEL_COLORS = {*COLORS, "brown", "dark-gray", "orange", "pink"}


def lead_missing() -> VendorError:
    return fail(404, "requested lead not found", "Object was not found.")


def list_leads(*, archived: bool) -> Handler:
    def handle(call: Call) -> Answer:
        if call.query.get("filter_id"):
            raise fail(404, "Filter not found", "Object was not found.")
        table = call.company.tables["Lead"]
        wanted, newer = matches(call, PARAMETERS), updated_since(call)
        rows = [row for row in find_rows(call, table, "add_time") if row.record["is_archived"] == archived]
        rows = [row for row in rows if wanted(row.record) and newer(row.record)]
        rows = sort_rows(call, keep_listed(call, "Lead", rows), SORTS)
        return disturb(call, table, page_records(call, rows, lambda row: row.record), rows)

    return handle


def find_lead(call: Call) -> Row:
    row = call.company.tables["Lead"].get(call.args["id"])
    if row is None:
        raise lead_missing()
    return row


def show_lead(call: Call) -> Answer:
    return succeed(find_lead(call).record)


def is_money(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"amount", "currency"}
        and is_number(value["amount"])
        and isinstance(value["currency"], str)
    )


def is_label_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


# Which values a body may have; None clears, except where a lead cannot be without.
WRITABLE: dict[str, Callable[[Any], bool]] = {
    "title": lambda value: isinstance(value, str) and value != "",
    "owner_id": is_id,
    "label_ids": is_label_list,
    "person_id": is_id,
    "organization_id": is_id,
    "is_archived": lambda value: isinstance(value, bool),
    "value": is_money,
    "expected_close_date": is_day,
    "visible_to": lambda value: value in {"1", "3", "5", "7"},
    "was_seen": lambda value: isinstance(value, bool),
    "origin_id": lambda value: isinstance(value, str),
    "channel": is_id,
    "channel_id": lambda value: isinstance(value, str),
}
NEVER_NULL = {"title", "owner_id", "is_archived", "visible_to", "was_seen"}
REFERENCES = {"person_id": "Person", "organization_id": "Organization"}


def check_lead(call: Call, given: Json) -> None:
    custom = custom_fields(call.company.fields["Deal"])
    for name, value in given.items():
        if name in custom:
            valid = accepts(custom[name], value)
        elif name in WRITABLE:
            valid = name not in NEVER_NULL if value is None else WRITABLE[name](value)
        else:
            raise fail(400, f'"{name}" is not allowed')
        if not valid:
            raise fail(400, f'"{name}" is not valid')
    for name, kind in REFERENCES.items():
        row = call.company.tables[kind].get(given[name]) if given.get(name) else None
        if given.get(name) and (row is None or row.record["is_deleted"]):
            raise fail(404, f"{kind} with id {given[name]} was not found", "Object was not found.")
    if given.get("owner_id") and not call.company.user(given["owner_id"]):
        raise fail(400, '"owner_id" names no user')
    known = {label["id"] for label in call.company.lead_labels}
    if set(given.get("label_ids") or ()) - known:
        raise fail(400, '"label_ids" names a label that does not exist')


def create_lead(call: Call) -> Answer:
    given, company = call.fields(), call.company
    if not given.get("title"):
        raise fail(400, '"title" is required')
    if not (given.get("person_id") or given.get("organization_id")):
        raise fail(400, "A lead must be linked to a person or an organization")
    check_lead(call, given)
    now, me = write_lead(datetime.now(UTC)), company.me()["id"]
    lead = {
        "id": str(uuid4()), "title": "", "owner_id": me, "creator_id": me, "label_ids": [], "person_id": None,
        "organization_id": None, "source_name": "API", "origin": "API", "origin_id": None, "channel": None,
        "channel_id": None, "is_archived": False, "was_seen": False, "value": None, "expected_close_date": None,
        "next_activity_id": None, "add_time": now, "update_time": now, "visible_to": "3",
        "cc_email": f"{company.profile.domain}@pipedrivemail.example", "archive_time": None,
    }  # fmt: skip
    return succeed(company.tables["Lead"].put(lead | given).record, 201)


def update_lead(call: Call) -> Answer:
    row, given = find_lead(call), call.fields()
    check_lead(call, given)
    if row.record["is_archived"] and given.get("is_archived") is not False:
        raise fail(403, "Archived leads are read-only")
    lead = row.record | given
    if not (lead["person_id"] or lead["organization_id"]):
        raise fail(400, "A lead must be linked to a person or an organization")
    lead["update_time"] = write_lead(datetime.now(UTC))
    if lead["is_archived"] != row.record["is_archived"]:
        lead["archive_time"] = lead["update_time"] if lead["is_archived"] else None
    return succeed(call.company.tables["Lead"].put(lead).record)


def delete_lead(call: Call) -> Answer:
    key = find_lead(call).record["id"]
    call.company.tables["Lead"].drop(key)
    return succeed({"id": key})


def list_labels(call: Call) -> Answer:
    return succeed(call.company.lead_labels)


def create_label(call: Call) -> Answer:
    given = call.fields()
    if not given.get("name") or given.get("color") not in LABEL_COLORS or set(given) - {"name", "color"}:
        raise fail(400, f'"name" and "color" are required, color being one of {", ".join(sorted(LABEL_COLORS))}')
    now = write_lead(datetime.now(UTC))
    label = {"id": str(uuid4()), **given, "add_time": now, "update_time": now}
    call.company.lead_labels.append(label)
    return succeed(label)


def delete_label(call: Call) -> Answer:
    labels = call.company.lead_labels
    found = next((label for label in labels if label["id"] == call.args["id"]), None)
    if found is None:
        raise fail(404, "Lead label not found", "Object was not found.")
    labels.remove(found)
    return succeed({"id": found["id"]})
