"""Lists of records by id, and single records."""

from bisect import bisect_left
from itertools import chain

from sandbox.disturb import commit_late, edit_some
from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import Answer, missing, succeed
from sandbox.hubspot.call import Call, is_digits
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.render import view_of
from sandbox.hubspot.unique import find_unique
from sandbox.table import Entry, Json, Row, Table

LIMIT, MOST, MOST_WITH_HISTORY = 10, 100, 50


def list_records(call: Call) -> Answer:
    kind, archived = call.kind(), call.flag("archived")
    portal, limit, after = (
        call.portal,
        call.limit(LIMIT, MOST_WITH_HISTORY if call.names("propertiesWithHistory") else MOST),
        call.after(),
    )
    table = (portal.archives if archived else portal.tables)[kind.plural]
    view = view_of(call, kind)
    order = table.order("id")
    end = find_end(portal, order)
    empty = portal.faults.empties(f"{call.path} {archived}", first="after" not in call.query, swallows=not archived)
    dropped = frozenset() if archived else portal.dropped.get(kind.plural, frozenset())
    found: list[Row] = []
    place = bisect_left(order, (after,))
    while place < end and len(found) <= limit:
        row = table.rows[order[place][1]]
        place += 1
        if not row.withheld and row.record["id"] not in dropped:
            found.append(row)
    page = [] if empty and archived else found[:limit]  # what was archived follows, live records are swallowed
    following = next(iter(found[len(page) :]), None)
    body: Json = {"results": [] if empty else [view.show(row.record, archived=archived) for row in page]}
    if following:
        # The place is one after the last id passed, so that what comes to be between two pages is not passed over.
        body["paging"] = call.link(int(page[-1].record["id"]) + 1 if page else after)
    disturb(portal, table, page, following)
    return succeed(body)


def find_end(portal: Portal, order: list[Entry]) -> int:
    """Where the list ends, the fault that ends lists early being what it is."""
    part = portal.faults.get("listEndsEarly")
    return len(order) if part is None else int(len(order) * part)


def disturb(portal: Portal, table: Table, page: list[Row], following: Row | None) -> None:
    """What others do to the data while this list is read."""
    edits = portal.faults.get("editWhilePaging", 0)
    if following and edits:
        order = table.order("id")
        place = bisect_left(order, (following.record["id"],))
        coming = [table.rows[key] for _, key in order[place : place + edits]]
        edit_some(table, edits, list(chain.from_iterable(zip(page, coming, strict=False))))
    if portal.faults.get("lateCommits", 0):
        commit_late(table, "id", following)


def show_record(call: Call) -> Answer:
    """By id, also one that was merged away, or by `idProperty`; archived ones only where asked for."""
    kind, archived = call.kind(), call.flag("archived")
    row = find_archived(call, kind) if archived else find_row(call, kind)
    return succeed(view_of(call, kind).show(row.record, archived=archived))


def find_archived(call: Call, kind: Kind) -> Row:
    row = call.portal.archives[kind.plural].get(call.key())
    if row is None:
        raise missing(call.args["id"])
    return row


def find_row(call: Call, kind: Kind) -> Row:
    """The live record that the path names."""
    name, text = call.query.get("idProperty") or "hs_object_id", call.args["id"]
    row = find_by(call.portal, kind, name, text)
    if row is None:
        raise missing(text)
    return row


def find_by(portal: Portal, kind: Kind, name: str, text: str) -> Row | None:
    """By the value of a unique property, an id being one; 400 for a property that is none."""
    if name == "hs_object_id":
        return portal.find(kind.plural, int(text)) if is_digits(text) else None
    return find_unique(portal, kind, name, text)
