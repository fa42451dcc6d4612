"""`recents`: what changed since a time, deleted records included, in v1 shapes."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

from sandbox.pipedrive.answers import Answer, fail
from sandbox.pipedrive.call import Call
from sandbox.pipedrive.legacy import SHOWN
from sandbox.pipedrive.moments import V1
from sandbox.pipedrive.offsets import page_offsets
from sandbox.table import Entry, Json, Table

ITEMS = {"activity": "Activity", "deal": "Deal", "note": "Note", "organization": "Organization", "person": "Person"}
ALSO_KNOWN = {"activityType", "file", "filter", "pipeline", "product", "stage", "user"}


def list_recents(call: Call) -> Answer:
    try:
        since = datetime.strptime(call.query.get("since_timestamp", ""), V1).replace(tzinfo=UTC)
    except ValueError as error:
        raise fail(400, "since_timestamp is required, as YYYY-MM-DD HH:MM:SS") from error
    items = call.names("items") or list(ITEMS)
    if unknown := set(items) - set(ITEMS) - ALSO_KNOWN:
        raise fail(400, f"unknown item: {sorted(unknown)[0]}")
    found = sorted(
        (str(moment)[:19].replace("T", " "), item, key)
        for item in items
        if item in ITEMS
        for moment, key in changed_since(call.company.tables[ITEMS[item]], since)
    )

    def show(entry: tuple[str, str, int]) -> Json:
        _, item, key = entry
        kind = ITEMS[item]
        return {"item": item, "id": key, "data": SHOWN[kind](call.company, call.company.tables[kind].rows[key].record)}

    return page_offsets(call, found, show)


def changed_since(table: Table, since: datetime) -> Iterator[Entry]:
    order = table.order("update_time")
    first = bisect_left(order, (table.stamp(since),))
    return (entry for entry in islice(order, first, None) if not table.rows[entry[1]].withheld)
