"""What bodies of API v2 may say: every field's check, and what is stored for it."""

from collections.abc import Callable
from typing import Any

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import fail, invalid, read_only, unknown
from sandbox.pipedrive.fields import ADDRESS_PARTS, custom_fields
from sandbox.pipedrive.moments import read_rfc3339
from sandbox.pipedrive.values import accepts, is_clock, is_day, is_id, is_number, is_text
from sandbox.table import Json

Check = Callable[[Any], bool]


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(read_rfc3339(value.replace(" ", "T").removesuffix("Z") + "Z"))
    except ValueError:
        return False


def is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(is_id(one) for one in value)


def is_items(value: Any) -> bool:
    """E-mails and phones: objects that have a value at least."""
    parts: dict[str, Check] = {"value": is_text, "primary": is_flag, "label": is_text}
    return isinstance(value, list) and all(
        isinstance(one, dict) and "value" in one and all(name in parts and parts[name](one[name]) for name in one)
        for one in value
    )


def is_address(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and is_text(value.get("value"))
        and all(name in ADDRESS_PARTS and (part is None or is_text(part)) for name, part in value.items())
    )


def is_participants(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and is_id(one.get("person_id")) for one in value)


def is_visibility(value: Any) -> bool:
    return is_id(value) and value in {1, 3, 5, 7}


def is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


COMMON: dict[str, Check] = {
    "owner_id": is_id,
    "visible_to": is_visibility,
    "label_ids": is_ids,
    "custom_fields": is_object,
}
WRITABLE: dict[str, dict[str, Check]] = {
    "Person": COMMON | {"name": is_text, "org_id": is_id, "emails": is_items, "phones": is_items, "add_time": is_moment},
    "Organization": COMMON | {"name": is_text, "address": is_address, "add_time": is_moment},
    "Deal": COMMON
    | {
        "title": is_text, "person_id": is_id, "org_id": is_id, "pipeline_id": is_id, "stage_id": is_id,
        "value": is_number, "currency": is_text, "is_deleted": is_flag, "is_archived": is_flag,
        "archive_time": is_moment, "status": lambda value: value in {"open", "won", "lost"},
        "probability": is_number, "lost_reason": is_text, "close_time": is_moment, "won_time": is_moment,
        "lost_time": is_moment, "expected_close_date": is_day,
    },
    "Activity": {
        "subject": is_text, "type": is_text, "owner_id": is_id, "deal_id": is_id, "lead_id": is_text,
        "org_id": is_id, "due_date": is_day, "due_time": is_clock, "duration": is_clock, "busy": is_flag,
        "done": is_flag, "location": is_address, "participants": is_participants, "attendees": is_objects,
        "public_description": is_text, "priority": is_id, "note": is_text,
    },
}  # fmt: skip
CONTACT_SYNC: dict[str, Check] = {
    "notes": is_text, "im": is_items, "birthday": is_day, "job_title": is_text, "postal_address": is_address,
}  # fmt: skip
FIRMOGRAPHICS: dict[str, Check] = {
    "website": is_text, "linkedin": is_text, "industry": is_id, "annual_revenue": is_number, "employee_count": is_number,
}  # fmt: skip
NEVER_NULL = {
    "name", "title", "owner_id", "visible_to", "custom_fields", "is_deleted", "is_archived", "status", "type", "done",
    "pipeline_id", "stage_id",
}  # fmt: skip
REQUIRED = {"Person": "name", "Organization": "name", "Deal": "title"}
REFERENCES = {
    "person_id": "Person", "org_id": "Organization", "deal_id": "Deal", "lead_id": "Lead", "pipeline_id": "Pipeline",
    "stage_id": "Stage",
}  # fmt: skip


def check_body(company: Company, kind: str, given: Json) -> None:
    """Refuses what the vendor would, with the field named."""
    allowed = dict(WRITABLE[kind])
    if kind == "Person":
        if not company.profile.contact_sync and (synced := sorted(set(given) & set(CONTACT_SYNC))):
            raise fail(403, f"Contact Sync is not enabled: {synced[0]} cannot be set", field_code=synced[0])
        allowed |= CONTACT_SYNC
    if kind == "Organization" and company.profile.firmographics:
        allowed |= FIRMOGRAPHICS
    if kind == "Activity" and "person_id" in given:
        raise read_only("person_id", "Add a primary participant to set 'person_id' instead.")
    if more := [name for name in given if name not in allowed]:
        raise unknown(more)
    for name, value in given.items():
        if name in NEVER_NULL if value is None else not allowed[name](value):
            raise invalid(name, "is not valid")
    check_references(company, kind, given)
    check_custom(company, kind, given.get("custom_fields") or {})


def exists(company: Company, kind: str, key: Any) -> bool:
    row = company.table(kind).get(key)
    return row is not None and not row.record.get("is_deleted")


def check_references(company: Company, kind: str, given: Json) -> None:
    for name, referred in REFERENCES.items():
        if given.get(name) is not None and not exists(company, referred, given[name]):
            raise invalid(name, f"{referred} {given[name]} does not exist")
    for each in given.get("participants") or ():
        if not exists(company, "Person", each["person_id"]):
            raise invalid("participants", f"Person {each['person_id']} does not exist")
    if given.get("owner_id") is not None and company.user(given["owner_id"]) is None:
        raise invalid("owner_id", "is no user of this company")
    if given.get("label_ids"):
        options = next(field["options"] for field in company.fields[kind] if field["field_code"] == "label_ids")
        if set(given["label_ids"]) - {option["id"] for option in options}:
            raise invalid("label_ids", "names a label that does not exist")
    kinds = {each["key_string"] for each in company.activity_types if each["active_flag"]}
    if kind == "Activity" and given.get("type") is not None and given["type"] not in kinds:
        raise invalid("type", f"must be one of {', '.join(sorted(kinds))}")


def check_custom(company: Company, kind: str, values: Json) -> None:
    known = custom_fields(company.fields[kind])
    for code, value in values.items():
        if code not in known:
            raise invalid(code, "is no custom field", field_code=code)
        if not accepts(known[code], value):
            raise invalid(code, f"is not a valid {known[code]['field_type']}", field_code=code)


def store_items(items: list[Json] | None) -> list[Json]:
    """With labels; the first is primary unless one says that it is."""
    found = any(one.get("primary") for one in items or ())
    return [
        {"value": one["value"], "primary": one.get("primary", False) or (not found and place == 0),
         "label": one.get("label", "work")}
        for place, one in enumerate(items or ())
    ]  # fmt: skip


def store_address(address: Json | None) -> Json | None:
    """Every part; those not given become null."""
    if address is None:
        return None
    return {part: address.get(part) for part in ADDRESS_PARTS} | {"formatted_address": address["value"]}


def store_clock(clock: str | None) -> str | None:
    return f"{clock}:00" if clock and len(clock) == 5 else clock


STORED: dict[str, Callable[[Any], Any]] = {
    "emails": store_items,
    "phones": store_items,
    "im": store_items,
    "address": store_address,
    "location": store_address,
    "postal_address": store_address,
    "due_time": store_clock,
    "duration": store_clock,
    "label_ids": lambda ids: list(ids or ()),
    "participants": lambda given: [
        {"person_id": one["person_id"], "primary": bool(one.get("primary"))} for one in given or ()
    ],
}


def store(given: Json) -> Json:
    return {name: STORED[name](value) if name in STORED else value for name, value in given.items()}
