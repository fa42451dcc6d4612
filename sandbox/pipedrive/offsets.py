"""Lists of API v1: unstable pages by `start` and `limit`, and orders by `sort`."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from sandbox.disturb import commit_late, edit_some
from sandbox.pipedrive.answers import Answer, fail, succeed
from sandbox.pipedrive.call import Call
from sandbox.pipedrive.moments import V1, whole_second_from
from sandbox.table import Json, Row, Table, entry


def page_offsets(call: Call, rows: list[Any], show: Callable[[Any], Any], *, swallows: bool = False) -> Answer:
    """The page; one that is empty by a fault either `swallows` its rows, or they follow."""
    start, limit = call.integer("start", 0) or 0, call.limit()
    faults = call.company.faults
    part = faults.get("listEndsEarly")
    if part is not None:
        rows = rows[: int(len(rows) * part)]
    empty = faults.empties(f"{call.path} {swallows}", first=start == 0, swallows=swallows)
    page = [] if empty else rows[start : start + limit]
    following = start if empty and not swallows else start + limit
    more = len(rows) > following
    pagination: Json = {"start": start, "limit": limit, "more_items_in_collection": more}
    if more:
        pagination["next_start"] = following
    return succeed([show(row) for row in page], additional_data={"pagination": pagination})


def disturb(call: Call, table: Table, answer: Answer, rows: list[Row]) -> Answer:
    """What others do to the data while this list is read."""
    start = (call.integer("start", 0) or 0) + call.limit()
    edits, late = call.company.faults.get("editWhilePaging", 0), call.company.faults.get("lateCommits", 0)
    if edits and start < len(rows):
        edit_some(table, edits, [row for pair in zip(rows[:start], rows[start:], strict=False) for row in pair])
    if late and start >= len(rows):
        commit_late(table, "id", None)
    return answer


def sort_rows(call: Call, rows: list[Row], allowed: tuple[str, ...]) -> list[Row]:
    """By `field ASC, other DESC`; with none given the rows stay in the order they have."""
    for part in reversed(call.names("sort")):
        field, _, mode = part.partition(" ")
        if field not in allowed or mode.upper() not in {"", "ASC", "DESC"}:
            raise fail(400, f"Invalid sort: {part}")
        rows = sorted(rows, key=lambda row: str(row.record.get(field) or ""), reverse=mode.upper() == "DESC")
    return rows


def keep_listed(call: Call, kind: str, rows: list[Row]) -> list[Row]:
    """Without those a fault drops from lists in their default order."""
    dropped = call.company.dropped.get(kind)
    return [row for row in rows if row.record["id"] not in dropped] if dropped and not call.names("sort") else rows


def page_records(call: Call, rows: list[Row], show: Callable[[Row], Json]) -> Answer:
    """A page of records. One that is empty by a fault swallows them if no other order than by id was asked for; of changes
    alone they follow."""
    whole = call.names("sort") in ([], ["id"], ["id ASC"]) and not call.query.get("updated_since")
    return page_offsets(call, rows, show, swallows=whole)


def find_rows(call: Call, table: Table, order: str) -> list[Row]:
    """All rows in that order; where `updated_since` is given, only those that can have changed since."""
    entries, moment = table.order(order), call.moment("updated_since")
    if moment is not None:
        changed = table.order("update_time")
        first = bisect_left(changed, (table.stamp(whole_second_from(moment)),))
        entries = sorted(entry(table.rows[key].record, order) for _, key in changed[first:])
    return [row for _, key in entries if (row := table.get(key))]


def updated_since(call: Call) -> Callable[[Json], bool]:
    moment = call.moment("updated_since")
    if moment is None:
        return lambda _: True
    bound = whole_second_from(moment).strftime(V1)
    return lambda record: bool(record["update_time"][:19].replace("T", " ") >= bound)


def matches(call: Call, parameters: dict[str, str]) -> Callable[[Json], bool]:
    """Equality for each query parameter given with the field it names; numbers by number, ids of leads by text."""
    wanted = {
        field: call.query[name] if field == "lead_id" else call.integer(name)
        for name, field in parameters.items()
        if call.query.get(name)
    }
    return lambda record: all(record.get(field) == value for field, value in wanted.items())
