"""HubSpot's changes by search: whatever their times, and whatever happens meanwhile, each is shown, and the list ends."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import CrmError
from connectors.facts import Field
from connectors.hubspot.objects import CONTACTS
from connectors.hubspot.reading import Changes
from connectors.reading import Paging

BEGIN = 1_795_000_000_000
CAP = 30
"""In the place of the vendor's 10,000."""


class Searched:
    """A CRM with contacts that can only be searched: ties come in another order each time, after some pages somebody
    edits one, and some pages are cut short, or empty, as if they were the last, never three in a row; the count is right."""

    paging: Mapping[str, Paging] = {}  # never changed

    def __init__(self, times: Sequence[int], edits: Sequence[int], chance: int, lies: float) -> None:
        self.lies, self.lied = lies, 0
        self.times = {number: BEGIN + time for number, time in enumerate(times, start=1)}
        self.edits = list(edits)
        self.random = random.Random(chance)  # noqa: S311 # an order, no secret
        self.calls = 0

    async def fields(self, external_type: str) -> Sequence[Field]:
        raise AssertionError(external_type)

    def error(self, kind: type[CrmError], what: str) -> Any:
        return kind(what)

    async def ask(
        self, path: str, params: Mapping[str, str], cost: int, *, body: Any = None, search: bool = False
    ) -> Any:
        assert (path, params, cost, search) == ("/crm/objects/2026-09/contacts/search", {}, 1, True)
        self.calls += 1
        rows = [(number, time) for number, time in self.times.items() if self.passes(body, number, time)]
        self.random.shuffle(rows)
        by_id = body["sorts"][0]["propertyName"] == "hs_object_id"
        rows.sort(key=lambda row: row[0] if by_id else row[1])
        start, limit = int(body["after"]), body["limit"]
        assert start + limit <= CAP
        shown = rows[start : start + limit]
        if self.edits and self.times:
            number = self.edits.pop() % len(self.times) + 1
            self.times[number] = max(self.times.values()) + self.random.choice((0, 1, 5))
        if self.lied < 2 and self.random.random() < self.lies:
            self.lied += 1
            return {"total": len(rows), "results": [self.row(*one) for one in shown[: self.random.randrange(limit)]]}
        self.lied = 0
        following = {"paging": {"next": {"after": str(start + limit)}}} if len(rows) > start + limit else {}
        return {"total": len(rows), "results": [self.row(*one) for one in shown], **following}

    def passes(self, body: Any, number: int, time: int) -> bool:
        values = {"lastmodifieddate": time, "hs_object_id": number}
        tests = {"GTE": int.__ge__, "LTE": int.__le__, "GT": int.__gt__}
        (group,) = body["filterGroups"]
        return all(tests[one["operator"]](values[one["propertyName"]], int(one["value"])) for one in group["filters"])

    def row(self, number: int, time: int) -> dict[str, Any]:
        moment = datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"id": str(number), "updatedAt": moment, "properties": {"lastmodifieddate": moment}}


@given(
    times=st.lists(st.integers(0, 12), max_size=60),
    edits=st.lists(st.integers(0, 100), max_size=20),
    size=st.integers(1, 9),
    since=st.integers(0, 12),
    chance=st.integers(0, 1000),
    lies=st.sampled_from((0.0, 0.3)),
)
async def test_every_change_is_shown_and_the_list_ends(
    times: list[int], edits: list[int], size: int, since: int, chance: int, lies: float
) -> None:
    crm = Searched(times, edits, chance, lies)
    expected = {str(number) for number, time in crm.times.items() if time >= BEGIN + since}
    start = datetime.fromtimestamp((BEGIN + since) / 1000, UTC)
    changes, shown, cursor = Changes(kind=CONTACTS), set[str](), None

    while True:
        page = await changes.page(crm, cursor, since=start, size=size)
        shown |= {str(row["id"]) for row in page.records}
        cursor = page.next
        if cursor is None:
            break
        assert crm.calls < 50 + 4 * (len(times) + len(edits))

    assert expected <= shown
