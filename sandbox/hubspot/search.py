"""Searches: groups of filters, one order, pages up to 10,000 results, over an index that may lag behind the writes."""

import time
from collections.abc import Iterator
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from sandbox.disturb import commit_late, edit_some
from sandbox.hubspot.answers import Answer, invalid, succeed
from sandbox.hubspot.call import Call, read_after, read_limit
from sandbox.hubspot.filters import Filter, Test, narrow, unknown_property
from sandbox.hubspot.render import View
from sandbox.table import Json, Key, Row

LIMIT, MOST, CAP = 10, 200, 10_000
LONGEST_BODY = 3_000
GROUPS, FILTERS, FILTERS_IN_ALL = 5, 6, 18


def search_records(call: Call) -> Answer:
    return Search(call).answer()


class Search:
    """One call to a search."""

    def __init__(self, call: Call) -> None:
        if len(call.content.decode("utf-8", "replace")) > LONGEST_BODY:
            raise invalid(f"The request body is too long: at most {LONGEST_BODY} characters are allowed.")
        given = call.fields()
        self.call, self.portal, self.kind = call, call.portal, call.kind()
        self.table = self.portal.tables[self.kind.plural]
        self.faults = self.portal.faults
        self.limit = read_limit(given.get("limit") or LIMIT, MOST)
        self.first = not given.get("after")
        self.after = read_after(given.get("after"))
        if self.after + self.limit > CAP:
            raise invalid(f"A search returns at most {CAP} results: after and limit go beyond them.")
        self.groups = self.read_groups(given)
        self.words = str(given.get("query") or "").lower().split()
        self.sort, self.falling = self.read_sort(given)
        self.view = View(call, self.kind, self.read_properties(given))
        self.moment = time.monotonic() - self.faults.get("searchLagSeconds", 0)

    def read_properties(self, given: Json) -> list[str]:
        names = given.get("properties") or []
        if not isinstance(names, list):
            raise invalid("Invalid input JSON: properties must be a list")
        return [str(name) for name in names]

    def read_groups(self, given: Json) -> list[list[Filter]]:
        """Filters given without a group are one group."""
        groups = given.get("filterGroups") or ([{"filters": given["filters"]}] if given.get("filters") else [])
        if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
            raise invalid("Invalid input JSON: filterGroups must be a list of objects")
        found = [[Filter(self.portal, self.kind, each) for each in group.get("filters") or []] for group in groups]
        found = [group for group in found if group]
        sizes = [len(group) for group in found]
        if len(sizes) > GROUPS or max(sizes, default=0) > FILTERS or sum(sizes) > FILTERS_IN_ALL:
            raise invalid(
                f"Too many filters: at most {GROUPS} filterGroups of {FILTERS} filters, and {FILTERS_IN_ALL} in all."
            )
        return found

    def read_sort(self, given: Json) -> tuple[str, bool]:
        """The property, `id` being the record's own number, and whether the last comes first."""
        sorts = given.get("sorts") or []
        if not isinstance(sorts, list) or len(sorts) > 1:
            raise invalid("Only one sort is allowed")
        sort = sorts[0] if sorts else "hs_object_id"
        if not isinstance(sort, dict):
            sort = {"propertyName": str(sort)}
        name, way = sort.get("propertyName"), sort.get("direction", "ASCENDING")
        if way not in {"ASCENDING", "DESCENDING", "ASC", "DESC"}:
            raise invalid(f"Unknown sort direction: {way}")
        if name not in self.portal.properties[self.kind.plural]:
            raise unknown_property(str(name))
        return "id" if name == "hs_object_id" else str(name), way.startswith("DESC")

    def sort_type(self) -> str:
        return "id" if self.sort == "id" else str(self.portal.properties[self.kind.plural][self.sort]["type"])

    def key(self, record: Json) -> Any:
        """What a record is sorted by; numbers as numbers, and those without a value first."""
        value = record.get(self.sort)
        if self.sort_type() != "number":
            return "" if value is None else value
        try:
            return float("-inf") if value is None else float(value)
        except ValueError:
            return float("-inf")

    def hits(self, record: Json) -> bool:
        """Whether every word of the query is part of what is searched of a record of this type."""
        text = " ".join(str(record[name]) for name in self.kind.searched if record.get(name)).lower()
        return all(word in text for word in self.words)

    def answer(self) -> Answer:
        total, page, rest = self.find()
        following = next(rest, None)
        part = self.faults.get("listEndsEarly")
        ends = total if part is None else int(total * part)
        page = page[: max(0, ends - self.after)]
        empty = self.faults.empties(self.call.path, first=self.first)
        shown = [] if empty else [self.show(record) for record in page]
        more: Json = {}
        if empty or self.after + len(page) < ends:
            more = {"paging": {"next": {"after": str(self.after + len(shown))}}}
        self.disturb(page, following, rest)
        return succeed({"total": total, "results": shown, **more})

    def show(self, record: Json) -> Json:
        shown = self.view.show(record)
        if self.kind.plural == "contacts" and self.faults.get("searchHidesMerges"):
            properties = shown["properties"]
            shown["properties"] = properties | {name: None for name in properties if name == "hs_merged_object_ids"}
        return shown

    def find(self) -> tuple[int, list[Json], Iterator[Json]]:
        """How many there are, the page, and what follows it."""
        recent = self.table.written_since(self.moment) if self.faults.get("searchLagSeconds") else set()
        found = narrow(self.table, self.groups[0]) if len(self.groups) == 1 else None
        if not self.groups and self.sort_type() in {"id", "datetime"}:
            found = (self.sort, 0, len(self.table.rows), [])
        if found and found[0] == self.sort and not (found[3] or recent or self.words or self.faults.get("lateCommits")):
            return self.slice(found[1], found[2])
        matches = self.collect(found, recent)
        end = self.after + self.limit
        return len(matches), matches[self.after : end], islice(matches, end, None)

    def slice(self, low: int, high: int) -> tuple[int, list[Json], Iterator[Json]]:
        """Straight out of the table's order, where the filters are no more than a range of it."""
        order, rows = self.table.order(self.sort), self.table.rows
        places = range(high - 1, low - 1, -1) if self.falling else range(low, high)
        page = [rows[order[place][1]].record for place in places[self.after : self.after + self.limit]]
        rest = (rows[order[place][1]].record for place in places[self.after + self.limit :])
        return high - low, page, rest

    def collect(self, found: tuple[str, int, int, list[Filter]] | None, recent: set[Key]) -> list[Json]:
        """All that match, in order; what was written of late as it was before."""
        test = self.make_test(found[3] if found else None)
        rows = self.table.rows
        keys = (key for _, key in self.table.order(found[0])[found[1] : found[2]]) if found else iter(rows)
        settled = (rows[key] for key in keys if key not in recent)
        records = [row.record for row in settled if not row.withheld and test(row.record)]
        if recent:
            whole = self.make_test(None)
            old = (rows[key].as_of(self.moment) for key in recent if not rows[key].withheld)
            records += [record for record in old if record is not None and whole(record)]
        if self.sort == "id":
            return sorted(records, key=itemgetter("id"), reverse=self.falling)
        return sorted(records, key=lambda record: (self.key(record), record["id"]), reverse=self.falling)

    def make_test(self, rest: list[Filter] | None) -> Test:
        """What a record must pass: the filters that are left, or all groups where none are covered by a range."""
        groups = self.groups if rest is None else [rest]
        tests = [[each.test() for each in group] for group in groups]
        words = self.words

        if len(tests) <= 1 and not words:
            return all_of(tests[0] if tests else [])

        def passes(record: Json) -> bool:
            if words and not self.hits(record):
                return False
            return not tests or any(all(test(record) for test in group) for group in tests)

        return passes

    def disturb(self, page: list[Json], following: Json | None, rest: Iterator[Json]) -> None:
        """What others do to the data while these pages are read."""
        edits = self.faults.get("editWhilePaging", 0)
        rows = self.table.rows
        if following and edits:
            coming = [following, *islice(rest, edits)]
            near = chain.from_iterable(zip(page, coming, strict=False))
            edit_some(self.table, edits, [rows[record["id"]] for record in near])
        if self.faults.get("lateCommits", 0) and not self.falling and self.sort in {"id", self.table.time}:
            passed: Row | None = rows[following["id"]] if following else None
            commit_late(self.table, self.sort, passed)


def all_of(tests: list[Test]) -> Test:
    """One test of several, without a generator where there is one only."""
    if len(tests) == 1:
        return tests[0]
    return lambda record: all(test(record) for test in tests)
