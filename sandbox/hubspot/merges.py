"""Merging two records into a third, whose id is new."""

from datetime import UTC, datetime

from sandbox.hubspot.answers import Answer, invalid, missing, succeed
from sandbox.hubspot.call import Call, is_digits
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.records import now
from sandbox.hubspot.render import View
from sandbox.table import Json, Row

MOST = 250
MERGED, VIDS = "hs_merged_object_ids", "hs_calculated_merged_vids"


def merge_records(call: Call) -> Answer:
    """The primary's values win; the other's fill the gaps. With `keepPrimaryId` the survivor is the primary."""
    portal, kind, given = call.portal, call.kind(), call.fields()
    primary, other = (find_merging(call, kind, given.get(name)) for name in ("primaryObjectId", "objectIdToMerge"))
    if primary is other:
        raise invalid("A record cannot be merged with itself")
    table, keeps = portal.tables[kind.plural], portal.faults.get("keepPrimaryId", False)
    old = [primary.record["id"], other.record["id"]]
    key = old[0] if keeps else table.next_id()
    record = combine(kind, primary.record, other.record) | {"id": key, "hs_object_id": str(key), kind.changed: now()}
    record |= mark_merged(kind, primary.record, other.record, old[1:] if keeps else old)
    if len(record[MERGED].split(";")) > MOST:
        raise invalid(f"A record can be merged at most {MOST} times")
    for each in old:
        if each != key:
            table.drop(each)
            portal.forwards[kind.plural][each] = key
    row = table.put(record)
    for each in old:
        if each != key:
            portal.links.move(kind.plural, each, key)
    return succeed(View(call, kind, [MERGED]).show(row.record))


def find_merging(call: Call, kind: Kind, given: object) -> Row:
    text = str(given)
    row = call.portal.find(kind.plural, int(text)) if is_digits(text) else None
    if row is None:
        raise missing(text)
    return row


def combine(kind: Kind, primary: Json, other: Json) -> Json:
    """The older create time stays; the other's address becomes an additional one."""
    record = other | primary
    times = [each[kind.created] for each in (primary, other) if each.get(kind.created)]
    record |= {kind.created: min(times)} if times else {}
    addresses = [
        address
        for each in (primary, other)
        for address in (each.get("email"), *each.get("hs_additional_emails", "").split(";"))
        if kind.plural == "contacts" and address and address != record.get("email")
    ]
    if addresses:
        record["hs_additional_emails"] = ";".join(dict.fromkeys(addresses))
    return record


def mark_merged(kind: Kind, primary: Json, other: Json, gone: list[int]) -> Json:
    """The ids that went into the survivor, those of earlier merges first."""
    before = [number for each in (primary, other) for number in each.get(MERGED, "").split(";") if number]
    found = {MERGED: ";".join(dict.fromkeys([*before, *map(str, gone)]))}
    if kind.plural == "contacts":
        moment = int(datetime.now(UTC).timestamp() * 1000)
        found[VIDS] = ";".join(f"{number}:{moment}" for number in gone)
    return found
