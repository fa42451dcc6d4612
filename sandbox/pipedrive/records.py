"""Creating, changing and deleting records in API v2."""

from datetime import UTC, datetime
from typing import Any

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import Answer, fail, invalid, missing, succeed
from sandbox.pipedrive.call import Call, Handler
from sandbox.pipedrive.checks import FIRMOGRAPHICS, REQUIRED, check_body, store
from sandbox.pipedrive.moments import write_v2
from sandbox.table import Json, Row

NOTHING_SYNCED: Json = {"notes": None, "im": [], "birthday": None, "job_title": None, "postal_address": None}


def blank(company: Company, kind: str) -> Json:
    """A new record before its body is applied."""
    now, me = write_v2(datetime.now(UTC)), company.me()["id"]
    base: Json = {"owner_id": me, "add_time": now, "update_time": now, "is_deleted": False}
    if kind == "Activity":
        names = (
            "deal_id", "lead_id", "person_id", "org_id", "project_id", "due_date", "due_time", "duration", "busy",
            "marked_as_done_time", "location", "attendees", "conference_meeting_client", "conference_meeting_url",
            "conference_meeting_id", "public_description", "priority", "note",
        )  # fmt: skip
        more = {"subject": "Call", "type": "call", "creator_user_id": me, "done": False, "participants": []}
        return base | dict.fromkeys(names) | more
    base |= {"visible_to": 3, "label_ids": [], "custom_fields": {}}
    if kind == "Person":
        person: Json = {"name": None, "first_name": None, "last_name": None, "org_id": None, "emails": [], "phones": []}
        return base | person | {"picture_id": None} | (NOTHING_SYNCED if company.profile.contact_sync else {})
    if kind == "Organization":
        return (
            base
            | {"name": None, "address": None}
            | dict.fromkeys(FIRMOGRAPHICS if company.profile.firmographics else ())
        )
    empty = (
        "person_id", "org_id", "archive_time", "stage_change_time", "probability", "lost_reason", "close_time",
        "won_time", "lost_time", "local_won_date", "local_lost_date", "local_close_date", "expected_close_date",
        "origin_id", "channel", "channel_id", "acv", "arr", "mrr",
    )  # fmt: skip
    deal = {"title": None, "creator_user_id": me, "value": 0, "currency": company.profile.currency, "status": "open"}
    place = {"pipeline_id": 1, "stage_id": 1, "is_archived": False, "origin": "API"}
    return base | dict.fromkeys(empty) | deal | place


def create_record(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        given = call.fields()
        required = REQUIRED.get(kind)
        if required and not given.get(required):
            raise invalid(required, "is required")
        check_body(call.company, kind, given)
        table = call.company.tables[kind]
        record = change(call.company, kind, blank(call.company, kind), given)
        return show(table.put({"id": table.next_id()} | record))

    return handle


def update_record(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        row, given = find_row(call, kind), call.fields()
        if row.record["is_deleted"] and given.get("is_deleted") is not False:
            raise missing(kind)
        if row.record.get("is_archived") and given.get("is_archived") is not False:
            raise fail(403, "Archived deals are read-only")
        check_body(call.company, kind, given)
        record = change(call.company, kind, row.record, given) | {"update_time": write_v2(datetime.now(UTC))}
        return show(call.company.tables[kind].put(record))

    return handle


def delete_record(kind: str) -> Handler:
    """Soft: gone from lists, there by id, purged after 30 days, which nobody here waits for."""

    def handle(call: Call) -> Answer:
        row = find_row(call, kind)
        if row.record["is_deleted"]:
            raise missing(kind)
        gone = {"is_deleted": True, "update_time": write_v2(datetime.now(UTC))}
        call.company.tables[kind].put(row.record | gone)
        return succeed({"id": row.record["id"]})

    return handle


def find_row(call: Call, kind: str) -> Row:
    row = call.company.tables[kind].get(call.number())
    if row is None:
        raise missing(kind)
    return row


def show(row: Row) -> Answer:
    return Answer(b'{"success":true,"data":' + row.encoded() + b"}")


def change(company: Company, kind: str, old: Json, given: Json) -> Json:
    """The record as the body makes it, what follows from it included."""
    record = old | store(given)
    if "custom_fields" in old:
        record["custom_fields"] = old["custom_fields"] | given.get("custom_fields", {})
    follow = FOLLOWS.get(kind)
    return record | follow(company, old, record, given) if follow else record


def follow_person(_: Company, __: Json, record: Json, given: Json) -> Json:
    if "name" not in given:
        return {}
    first, _space, last = str(record["name"]).strip().rpartition(" ")
    return {"first_name": first or last, "last_name": last if first else None}


def follow_activity(_: Company, old: Json, record: Json, given: Json) -> Json:
    found: Json = {}
    if "participants" in given:
        people = record["participants"]
        if people and not any(one["primary"] for one in people):
            people[0]["primary"] = True
        found["person_id"] = next((one["person_id"] for one in people if one["primary"]), None)
    if record["done"] != old["done"] or (record["done"] and old["marked_as_done_time"] is None):
        found["marked_as_done_time"] = write_v2(datetime.now(UTC)) if record["done"] else None
    return found


def follow_deal(company: Company, old: Json, record: Json, given: Json) -> Json:
    now = write_v2(datetime.now(UTC))
    if given.get("lost_reason") and record["status"] != "lost":
        raise invalid("lost_reason", "can only be set if the deal is lost")
    found = place_deal(company, old, record, given)
    if found["stage_id"] != old["stage_id"]:
        found["stage_change_time"] = now
    if record["is_archived"] != old["is_archived"]:
        found["archive_time"] = (given.get("archive_time") or now) if record["is_archived"] else None
    return found | (close_deal(record, given, now) if record["status"] != old["status"] else {})


def place_deal(company: Company, old: Json, record: Json, given: Json) -> Json:
    """A stage decides its pipeline; a pipeline alone puts the deal into its first stage."""
    if "stage_id" in given:
        row = company.settings["Stage"].rows[given["stage_id"]]
        if given.get("pipeline_id", row.record["pipeline_id"]) != row.record["pipeline_id"]:
            raise invalid("stage_id", "is no stage of that pipeline")
        return {"stage_id": row.record["id"], "pipeline_id": row.record["pipeline_id"]}
    if "pipeline_id" in given and given["pipeline_id"] != old["pipeline_id"]:
        stages = (row.record for row in company.settings["Stage"].rows.values())
        first = next(stage["id"] for stage in stages if stage["pipeline_id"] == given["pipeline_id"])
        return {"stage_id": first, "pipeline_id": given["pipeline_id"]}
    return {"stage_id": record["stage_id"], "pipeline_id": record["pipeline_id"]}


def close_deal(record: Json, given: Json, now: str) -> Json:
    status = record["status"]
    closed: str | None = None if status == "open" else given.get("close_time") or given.get(f"{status}_time") or now
    day = closed[:10] if closed else None
    times: dict[str, Any] = {"close_time": closed, "local_close_date": day}
    for each in ("won", "lost"):
        times |= {
            f"{each}_time": closed if status == each else None,
            f"local_{each}_date": day if status == each else None,
        }
    return times if status == "lost" else times | {"lost_reason": None}


FOLLOWS = {"Person": follow_person, "Activity": follow_activity, "Deal": follow_deal}
