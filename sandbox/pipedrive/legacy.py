"""Records as API v1 still shows them: in answers of merges and in `recents`."""

from collections.abc import Callable
from typing import Any

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.moments import v1_from_v2
from sandbox.table import Json

TIMES = (
    "add_time", "update_time", "archive_time", "stage_change_time", "close_time", "won_time", "lost_time",
    "marked_as_done_time",
)  # fmt: skip
SUFFIXED = {"currency": "currency", "until": "until", "timezone_name": "timezone_name", "locality": "locality",
            "country": "country", "postal_code": "postal_code", "formatted_address": "formatted_address"}  # fmt: skip


def flatten_custom(values: Json) -> Json:
    """Custom fields at the top level; what v2 nests goes under keys with a suffix."""
    flat: Json = {}
    for code, value in values.items():
        if isinstance(value, dict):
            flat[code] = value.get("value")
            flat |= {f"{code}_{name}": value[part] for part, name in SUFFIXED.items() if part in value}
        else:
            flat[code] = ",".join(map(str, value)) if isinstance(value, list) else value
    return flat


def find_name(company: Company, kind: str, key: Any) -> Any:
    row = company.tables[kind].get(key) if key else None
    return row and row.record[company.tables[kind].title]


def show_common(company: Company, record: Json) -> Json:
    """What all types share: times without zone, `active_flag`, text for `visible_to`, names beside ids."""
    left_out = {"is_deleted", "custom_fields", "attendees", *TIMES}
    owner = company.user(record["owner_id"])
    return {
        **{name: value for name, value in record.items() if name not in left_out},
        **{name: v1_from_v2(record[name]) for name in TIMES if name in record},
        "company_id": company.profile.company_id,
        "active_flag": not record["is_deleted"],
        "visible_to": str(record.get("visible_to", 3)),
        "owner_name": owner and owner["name"],
        **flatten_custom(record.get("custom_fields", {})),
    }


def show_person(company: Company, record: Json) -> Json:
    shown = show_common(company, record)
    shown["email"], shown["phone"] = shown.pop("emails"), shown.pop("phones")
    shown["org_name"] = find_name(company, "Organization", record["org_id"])
    return shown | {"label": (record["label_ids"] or [None])[0], "first_char": (record["name"] or " ")[:1].lower()}


def show_organization(company: Company, record: Json) -> Json:
    address = record["address"]
    return show_common(company, record) | {"address": address and address["value"]}


def show_deal(company: Company, record: Json) -> Json:
    shown = show_common(company, record)
    deleted = record["is_deleted"]
    return shown | {
        "user_id": shown.pop("owner_id"),
        "active": not deleted and record["status"] == "open",
        "deleted": deleted,
        "status": "deleted" if deleted else record["status"],
        "label": ",".join(map(str, record["label_ids"])) or None,
        "person_name": find_name(company, "Person", record["person_id"]),
        "org_name": find_name(company, "Organization", record["org_id"]),
    }


def show_activity(company: Company, record: Json) -> Json:
    shown = show_common(company, record)
    location = record["location"]
    return shown | {
        "user_id": record["owner_id"],
        "created_by_user_id": record["creator_user_id"],
        "busy_flag": record["busy"],
        "due_time": (record["due_time"] or "")[:5],
        "duration": (record["duration"] or "")[:5],
        "location": location and location["value"],
        "participants": [
            {"person_id": one["person_id"], "primary_flag": one["primary"]} for one in record["participants"]
        ],
        "person_name": find_name(company, "Person", record["person_id"]),
        "org_name": find_name(company, "Organization", record["org_id"]),
        "deal_title": find_name(company, "Deal", record["deal_id"]),
    }


SHOWN: dict[str, Callable[[Company, Json], Json]] = {
    "Person": show_person,
    "Organization": show_organization,
    "Deal": show_deal,
    "Activity": show_activity,
    "Note": lambda _, record: record,
}
