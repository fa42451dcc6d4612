"""Notes: API v1 only."""

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.pipedrive.answers import Answer, fail, succeed
from sandbox.pipedrive.call import Call
from sandbox.pipedrive.moments import write_v1
from sandbox.pipedrive.offsets import disturb, find_rows, keep_listed, matches, page_records, sort_rows, updated_since
from sandbox.pipedrive.values import is_id
from sandbox.table import Json, Key, Row

LINKS = {"person_id": "Person", "org_id": "Organization", "deal_id": "Deal", "lead_id": "Lead"}
NAMES = {"person": ("person_id", "Person", "name"), "organization": ("org_id", "Organization", "name"),
         "deal": ("deal_id", "Deal", "title"), "lead": ("lead_id", "Lead", "title")}  # fmt: skip
PARAMETERS = {name: name for name in (*LINKS, "user_id", "project_id", "task_id")}
PINS = tuple(f"pinned_to_{name}_flag" for name in ("lead", "deal", "organization", "person", "project", "task"))
SORTS = ("id", "user_id", "deal_id", "person_id", "org_id", "content", "add_time", "update_time")
LONGEST = 100_000
SCRIPT = re.compile(r"<script\b.*?</script\s*>", re.IGNORECASE | re.DOTALL)


def show(call: Call, row: Row) -> Json:
    """With the names of what it is about, as they are now."""
    company, note = call.company, row.record
    user = company.user(note["user_id"])
    named: Json = {}
    for name, (link, kind, title) in NAMES.items():
        linked = company.tables[kind].get(note[link]) if note[link] else None
        named[name] = linked and {title: linked.record[title]}
    return {
        **note,
        **named,
        "project": None,
        "user": user and {key: user[key] for key in ("email", "icon_url", "is_you", "name")},
    }


def is_wanted(call: Call) -> Any:
    pins = {pin: call.flag(pin) for pin in PINS if call.query.get(pin)}
    first, last = call.query.get("start_date") or "", call.query.get("end_date") or "9999"
    wanted, newer = matches(call, PARAMETERS), updated_since(call)
    return lambda note: (
        note["active_flag"]
        and wanted(note)
        and newer(note)
        and all(note[pin] == value for pin, value in pins.items())
        and first <= note["add_time"][:10] <= last
    )


def list_notes(call: Call) -> Answer:
    table, wanted = call.company.tables["Note"], is_wanted(call)
    rows = [row for row in find_rows(call, table, "id") if wanted(row.record)]
    rows = sort_rows(call, keep_listed(call, "Note", rows), SORTS)
    return disturb(call, table, page_records(call, rows, lambda row: show(call, row)), rows)


def find_note(call: Call) -> Row:
    key: Key = call.number()
    row = call.company.tables["Note"].get(key)
    if row is None:
        raise fail(404, "Note not found", "Object was not found.")
    return row


def show_note(call: Call) -> Answer:
    return succeed(show(call, find_note(call)))


def check_note(call: Call, given: Json) -> Json:
    """What the body may say, flags as booleans, scripts taken out of the HTML."""
    for name in PARAMETERS:
        if given.get(name) is not None and not (
            isinstance(given[name], str) if name == "lead_id" else is_id(given[name])
        ):
            raise fail(400, f"{name} is not valid")
    for name, kind in LINKS.items():
        if given.get(name) and call.company.tables[kind].get(given[name]) is None:
            raise fail(400, f"{name} names nothing that exists")
    if given.get("user_id") and call.company.user(given["user_id"]) is None:
        raise fail(400, "user_id names no user")
    if len(given.get("content") or "") > LONGEST:
        raise fail(400, "content is too long")
    unknown = set(given) - {*PARAMETERS, *PINS, "content", "add_time"}
    if unknown:
        raise fail(400, f"{sorted(unknown)[0]} is not allowed")
    pins = {pin: bool(given[pin]) for pin in PINS if pin in given}
    text = {"content": SCRIPT.sub("", given["content"])} if given.get("content") else {}
    return given | pins | text


def create_note(call: Call) -> Answer:
    company, given = call.company, call.fields()
    if not isinstance(given.get("content"), str) or not given["content"]:
        raise fail(400, "content is required")
    if not any(given.get(name) for name in (*LINKS, "project_id", "task_id")):
        raise fail(400, "A note must be attached to a deal, person, organization, lead, project or task")
    table, now = company.tables["Note"], write_v1(datetime.now(UTC))
    note = {
        "id": table.next_id(), "active_flag": True, "add_time": now, "update_time": now, "content": "",
        **dict.fromkeys((*LINKS, "project_id", "task_id")), "user_id": company.me()["id"],
        "last_update_user_id": None, **dict.fromkeys(PINS, False),
    }  # fmt: skip
    return succeed(show(call, table.put(note | check_note(call, given))))


def update_note(call: Call) -> Answer:
    row, given = find_note(call), check_note(call, call.fields())
    if not row.record["active_flag"]:
        raise fail(404, "Note not found", "Object was not found.")
    stamp = {"update_time": write_v1(datetime.now(UTC)), "last_update_user_id": call.company.me()["id"]}
    return succeed(show(call, call.company.tables["Note"].put(row.record | given | stamp)))


def delete_note(call: Call) -> Answer:
    row = find_note(call)
    call.company.tables["Note"].put(row.record | {"active_flag": False, "update_time": write_v1(datetime.now(UTC))})
    return succeed(data=True)
