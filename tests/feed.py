"""The change feed as a client replays it, and records as they have to be then."""

from collections.abc import Iterable, Mapping
from typing import Any

SHAPES = {
    "Contact": "kind name firstName lastName jobTitle email phone lifecycleStage tags archivedAt customFields"
    " emails { value label primary } phones { value e164 label primary }"
    " address { street city region postalCode country } organization { id } owner { externalId integration { id } }",
    "Organization": "name domain website industry employeeCount phone tags archivedAt customFields"
    " address { street city region postalCode country } owner { externalId integration { id } }",
    "Deal": "title status stage pipeline probability expectedCloseOn closedAt archivedAt customFields"
    " amount { amount currency } organization { id } owner { externalId integration { id } }"
    " contacts(archived: INCLUDE) { nodes { id } }",
    "Activity": "kind kindLabel subject body dueOn dueAt durationMinutes isDone archivedAt customFields"
    " organization { id } deal { id } owner { externalId integration { id } }"
    " contacts(archived: INCLUDE) { nodes { id } }",
}
LISTS = {"Contact": "contacts", "Organization": "organizations", "Deal": "deals", "Activity": "activities"}
CHANGES = """
query($first: Int, $after: String, $types: [RecordType!]) {
  changes(first: $first, after: $after, recordTypes: $types) {
    nodes { cursor kind recordId recordType mergedIntoId cause at syncRun { id } record { id }
      changes { field before after } }
    pageInfo { hasNextPage endCursor }
  }
}
"""


def flatten(node: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a list as the feed tells it."""
    told = {name: value for name, value in node.items() if name not in ("id", "customFields")}
    told |= {f"customFields.{name}": value for name, value in (node.get("customFields") or {}).items()}
    for name in ("organization", "deal"):
        if told.get(name):
            told[name] = told[name]["id"]
    if owner := told.get("owner"):
        told["owner"] = {"externalId": owner["externalId"], "integrationId": owner["integration"]["id"]}
    if "contacts" in told:
        told["contacts"] = sorted(each["id"] for each in told["contacts"]["nodes"])
    return {name: value for name, value in told.items() if value not in (None, [], {})}


def replay(changes: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the changes make of nothing; each has to begin where the one before it has ended."""
    records: dict[str, dict[str, Any]] = {}
    for change in changes:
        key = change["recordId"]
        if change["kind"] == "CREATED":
            assert key not in records, "created twice"
            records[key] = {}
        if change["kind"] == "MERGED":
            del records[key]
            continue
        for each in change["changes"]:
            name, record = each["field"], records[key]
            before = sorted(each["before"]) if name == "contacts" and each["before"] else each["before"]
            assert record.get(name) == (before or None if before in ([], {}) else before), name
            record[name] = sorted(each["after"]) if name == "contacts" and each["after"] else each["after"]
            if each["after"] in (None, [], {}):
                del record[name]
    return records
