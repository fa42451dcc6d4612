"""Lists of API v2: filters, orders, and cursors that hold the place of the first record of the next page."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from sandbox.disturb import commit_late, edit_some
from sandbox.pipedrive.answers import Answer, invalid, missing, succeed_with
from sandbox.pipedrive.call import Call, Handler, write_cursor
from sandbox.pipedrive.moments import write_v2
from sandbox.pipedrive.shapes import render_rows
from sandbox.table import Entry, Json, Key, Row, Table, entry
from sandbox.wire import encode

MOST_IDS = 100
TIMES = ("id", "update_time", "add_time")
STATUSES = ("open", "won", "lost", "deleted")

Test = Callable[[Json], bool]


@dataclass(frozen=True)
class Listing:
    """`numbers` are the query parameters that name a number, and the field each is compared with."""

    kind: str
    numbers: tuple[tuple[str, str], ...] = ()
    sorts: tuple[str, ...] = TIMES
    archived: bool = False


OWNED = (("owner_id", "owner_id"),)
LINKED = (("person_id", "person_id"), ("org_id", "org_id"))
PERSONS = Listing("Person", (*OWNED, ("org_id", "org_id")))
ORGANIZATIONS = Listing("Organization", OWNED)
DEALS = Listing("Deal", (*OWNED, *LINKED, ("pipeline_id", "pipeline_id"), ("stage_id", "stage_id")))
ARCHIVED_DEALS = Listing("Deal", DEALS.numbers, archived=True)
ACTIVITIES = Listing("Activity", (*OWNED, *LINKED, ("deal_id", "deal_id")), (*TIMES, "due_date"))
PIPELINES = Listing("Pipeline")
STAGES = Listing("Stage", (("pipeline_id", "pipeline_id"),), (*TIMES, "order_nr"))


def list_records(listing: Listing) -> Handler:
    def handle(call: Call) -> Answer:
        return List(call, listing).answer()

    return handle


def equals(field: str, value: Any) -> Test:
    return lambda record: bool(record[field] == value)


class List:
    """One call to a list."""

    def __init__(self, call: Call, listing: Listing) -> None:
        if call.query.get("filter_id"):
            raise missing("Filter")  # no company here has saved any
        self.call = call
        self.listing = listing
        self.table: Table = call.company.table(listing.kind)
        self.faults = call.company.faults
        self.sort = call.choice("sort_by", listing.sorts, "id")
        self.falling = call.choice("sort_direction", ("asc", "desc"), "asc") == "desc"
        self.limit = call.limit()
        self.cursor = self.read_cursor()
        self.since = self.read_bound("updated_since")
        self.until = self.read_bound("updated_until")
        self.ids = {int(one) if one.isdigit() else one for one in call.names("ids", MOST_IDS)}
        self.tests = list(self.make_tests())

    def read_cursor(self) -> Json | None:
        place = self.call.cursor()
        direction = "desc" if self.falling else "asc"
        if place and (place.get("field"), place.get("sortDirection")) != (self.sort, direction):
            raise invalid("cursor", "belongs to another order of this list")
        return place

    def read_bound(self, name: str) -> str:
        moment = self.call.moment(name)
        return write_v2(moment) if moment else ""

    def make_tests(self) -> Iterator[Test]:
        for name, field in self.listing.numbers:
            number = self.call.integer(name)
            if number is not None:
                yield equals(field, number)
        yield from MORE_TESTS[self.listing.kind](self)
        if self.since:
            yield lambda record: bool(record["update_time"] >= self.since)
        if self.until:
            yield lambda record: bool(record["update_time"] < self.until)
        dropped = self.call.company.dropped.get(self.listing.kind)
        if dropped and self.is_default():
            yield lambda record: record["id"] not in dropped

    def is_default(self) -> bool:
        """Whether it comes in the order that faults leave records out of."""
        return self.sort == "id" and not self.falling and not self.ids

    def swallows(self) -> bool:
        """Whether the rows of a page that is empty by a fault are shown nowhere else; of changes they follow."""
        return self.is_default() and not (self.since or self.until)

    def passes(self, row: Row) -> bool:
        return not row.withheld and all(test(row.record) for test in self.tests)

    def order(self) -> list[Entry]:
        if not self.ids:
            return self.table.order(self.sort)
        rows = (self.table.get(key) for key in self.ids)
        return sorted(entry(row.record, self.sort) for row in rows if row)

    def entries(self) -> Iterator[Entry]:
        """From the cursor's place on, within the bounds of time if that is the order."""
        order = self.order()
        by_time = self.sort == "update_time"
        low = bisect_left(order, (self.since,)) if by_time and self.since else 0
        high = bisect_left(order, (self.until,)) if by_time and self.until else len(order)
        if self.cursor:
            place = (self.cursor["fieldValue"], self.cursor["id"])
            low, high = (
                (low, min(high, bisect_right(order, place)))
                if self.falling
                else (max(low, bisect_left(order, place)), high)
            )
        return (order[at] for at in (range(high - 1, low - 1, -1) if self.falling else range(low, high)))

    def rows(self) -> Iterator[Row]:
        found = (self.table.rows[key] for _, key in self.entries())
        return (row for row in found if self.passes(row))

    def shown(self) -> int:
        """How many more records this list may show, the fault that ends lists early being what it is."""
        part = self.faults.get("listEndsEarly")
        if part is None:
            return len(self.table.rows)
        total = sum(1 for _, key in self.order() if self.passes(self.table.rows[key]))
        return max(0, int(total * part) - self.seen())

    def seen(self) -> int:
        return int(self.cursor["seen"]) if self.cursor else 0

    def page(self) -> int:
        return int(self.cursor["page"]) + 1 if self.cursor else 1

    def answer(self) -> Answer:
        rows = self.rows()
        empty = self.faults.get("emptyPage") == self.page()
        follow = empty and not self.swallows()
        limit = 0 if follow else min(self.limit, self.shown())
        passed = list(islice(rows, limit))
        found = [] if empty else passed
        ends = self.shown() <= limit and not follow
        following = None if ends else next(rows, None)
        bodies = render_rows(self.call, self.listing.kind, found)
        tail = encode({"next_cursor": self.next_cursor(following, len(passed)) if following else None})
        self.disturb(found, following, rows)
        return succeed_with(bodies, b'"additional_data":' + tail)

    def next_cursor(self, following: Row, count: int) -> str:
        value, key = entry(following.record, self.sort)
        return write_cursor(
            {
                "field": self.sort,
                "fieldValue": value,
                "sortDirection": "desc" if self.falling else "asc",
                "id": key,
                "page": self.page(),
                "seen": self.seen() + count,
            }
        )

    def disturb(self, found: list[Row], following: Row | None, rest: Iterator[Row]) -> None:
        """What others do to the data while this list is read."""
        late = self.faults.get("lateCommits", 0)
        edits = self.faults.get("editWhilePaging", 0)
        if following and edits:
            coming = [following, *islice(rest, edits)]
            edit_some(self.table, edits, list(chain.from_iterable(zip(found, coming, strict=False))))
        if late and not self.falling and self.sort in {"id", "update_time"}:
            commit_late(self.table, self.sort, following)


def person_tests(listed: List) -> Iterator[Test]:
    yield lambda record: not record["is_deleted"]
    deal = listed.call.integer("deal_id")
    if deal is not None:
        row = listed.call.company.tables["Deal"].get(deal)
        person: Any = row and row.record["person_id"]
        yield lambda record: record["id"] == person


def deal_tests(listed: List) -> Iterator[Test]:
    archived = listed.listing.archived
    yield lambda record: record["is_archived"] == archived
    statuses = listed.call.names("status")
    if set(statuses) - set(STATUSES):
        raise invalid("status", f"must be one of {', '.join(STATUSES)}")
    if not statuses:
        yield lambda record: not record["is_deleted"]
    else:
        yield lambda record: ("deleted" if record["is_deleted"] else record["status"]) in statuses


def activity_tests(listed: List) -> Iterator[Test]:
    yield lambda record: not record["is_deleted"]
    done, lead = listed.call.flag("done"), listed.call.query.get("lead_id")
    if done is not None:
        yield lambda record: record["done"] == done
    if lead:
        yield lambda record: record["lead_id"] == lead


def kept_tests(_: List) -> Iterator[Test]:
    yield lambda record: not record["is_deleted"]


MORE_TESTS: dict[str, Callable[[List], Iterator[Test]]] = {
    "Person": person_tests,
    "Organization": kept_tests,
    "Deal": deal_tests,
    "Activity": activity_tests,
    "Pipeline": kept_tests,
    "Stage": kept_tests,
}


def show_record(kind: str) -> Handler:
    """One record by id; a deleted one too, which says so."""

    def handle(call: Call) -> Answer:
        key: Key = call.number()
        row = call.company.table(kind).get(key)
        if row is None:
            raise missing(kind)
        body = render_rows(call, kind, [row])[0]
        return Answer(b'{"success":true,"data":' + body + b"}")

    return handle
