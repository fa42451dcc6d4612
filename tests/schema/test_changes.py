"""The change feed: gap-free, in order, enough to make the records from; and what is told where it ends."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from schema.build import schema
from tests.feed import CHANGES, replay
from tests.schema.conftest import Home
from tests.schema.pages import Pages, person

FOLLOW = """
subscription($after: String, $types: [RecordType!]) {
  recordChanges(after: $after, recordTypes: $types) { cursor kind recordId record { id } }
}
"""


@pytest.fixture
async def pages(home: Home) -> Pages:
    return await Pages.open(home)


async def live(pages: Pages) -> None:
    """Links that wait, a person of two accounts, a merge in the CRM, one deleted and back, a deal that changes hands."""
    deal = {"id": 20, "title": "Pumps", "value": 12.5, "currency": "EUR"}
    await pages.store("Deal", {**deal, "person_id": 1, "org_id": 10})
    await pages.store("Person", person(1, org_id=10), person(2), person(3))
    await pages.store("Organization", {"id": 10, "name": "Acme", "website": "https://acme.test"})
    await pages.store("Activity", {"id": 30, "subject": "Call", "deal_id": 20, "participants": [{"person_id": 1}]})
    await pages.end()
    await pages.store("Person", person(91, "1@acme.test", day=2, name="Ann"), account=1)
    await pages.store("Person", person(3, "3@acme.test", "2@acme.test", day=3))
    await pages.store("Person", person(2, is_deleted=True))
    await pages.store("Deal", {**deal, "person_id": 3, "org_id": None, "value": 1, "currency": None})
    await pages.archive("Person", "3")
    await pages.store("Person", person(3, day=4, name="Back"))
    await pages.end()


async def test_the_replay_of_all_changes_gives_the_records_as_they_are(pages: Pages) -> None:
    await live(pages)

    changes = await pages.changes()

    assert replay(changes) == await pages.records()
    assert Counter((each["recordType"], each["kind"]) for each in changes) == {
        ("CONTACT", "CREATED"): 3,
        ("CONTACT", "UPDATED"): 5,
        ("CONTACT", "MERGED"): 1,
        ("CONTACT", "ARCHIVED"): 1,
        ("CONTACT", "RESTORED"): 1,
        ("ORGANIZATION", "CREATED"): 1,
        ("DEAL", "CREATED"): 1,
        ("DEAL", "UPDATED"): 2,
        ("ACTIVITY", "CREATED"): 1,
    }
    assert {each["cause"] for each in changes} == {"SYNC"}
    assert [each["at"] for each in changes] == sorted(each["at"] for each in changes)
    [merged] = [each for each in changes if each["kind"] == "MERGED"]
    assert merged["mergedIntoId"] != merged["recordId"]
    assert merged["record"] == {"id": merged["mergedIntoId"]}
    assert all(each["record"] == {"id": each["recordId"]} for each in changes if each["recordId"] != merged["recordId"])


async def test_what_changes_nothing_is_no_change(pages: Pages) -> None:
    await live(pages)
    before = await pages.changes()

    await pages.store("Person", person(3, day=4, name="Back"), person(1, org_id=10, day=1))
    await pages.store("Person", person(91, "1@acme.test", day=5, name="Ann"), account=1)
    await pages.end()

    assert await pages.changes() == before


async def test_one_type_is_followed_by_itself(pages: Pages) -> None:
    await live(pages)
    expected = [each for each in await pages.changes() if each["recordType"] == "DEAL"]

    page = (await pages.home.read(CHANGES, first=250, types=["DEAL"]))["changes"]

    assert page["nodes"] == expected
    assert [each["kind"] for each in expected] == ["CREATED", "UPDATED", "UPDATED"]
    assert expected[2]["changes"][0] == {
        "field": "amount",
        "before": {"amount": "12.5", "currency": "EUR"},
        "after": {"amount": "1", "currency": None},
    }


async def test_nobody_sees_the_changes_of_another_workspace(pages: Pages, neighbour: Home) -> None:
    await live(pages)
    [first, *_] = await pages.changes()

    assert (await neighbour.read(CHANGES))["changes"]["nodes"] == []
    assert await neighbour.refused(CHANGES, after=first["cursor"]) == (
        "BAD_INPUT",
        "A cursor goes with the order, the filter and the search that it was given for.",
    )


async def test_a_cursor_that_was_never_given_is_refused(pages: Pages) -> None:
    await pages.store("Person", person(1))
    [change] = await pages.changes()
    mark, number = change["cursor"], 10**15
    text = base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)).decode()
    later = base64.urlsafe_b64encode(f"{text.rpartition(',')[0]},{number}]".encode()).decode().rstrip("=")

    for cursor, message in (
        ("nonsense", "That is no cursor of this list."),
        (later, "That is no cursor of this list: nothing has come so far yet."),
    ):
        assert await pages.home.refused(CHANGES, after=cursor) == ("BAD_INPUT", message)


# ---------------------------------------------------------------- what is kept


async def test_a_cursor_before_what_is_kept_has_expired(pages: Pages) -> None:
    """Also where the old changes are still there: nobody sees a change once it is too old."""
    await pages.store("Person", person(1), person(2))
    [first, second] = await pages.changes()
    await pages.grow_old(31)
    await pages.store("Person", person(3))
    message = (
        "Changes are kept for 30 days, and some after this cursor are forgotten:"
        " read the records anew, and then the changes without a cursor."
    )
    expired = ("CURSOR_EXPIRED", message)
    for _ in range(2):
        [third] = await pages.changes()
        assert third["kind"] == "CREATED"
        assert await pages.home.refused(CHANGES, after=first["cursor"]) == expired
        assert await pages.changes(after=second["cursor"]) == [third], "nothing after it is forgotten"
        assert await anext(aiter(follow(pages, first["cursor"], wants_error=True))) == expired[0]
        await pages.forget()


# ---------------------------------------------------------------- following


async def follow(pages: Pages, after: str | None, *, wants_error: bool = False) -> AsyncIterator[Any]:
    """What a subscription brings, or the code of its error."""
    stream: Any = await schema.subscribe(FOLLOW, {"after": after}, pages.home.context())
    try:
        async for answer in stream:
            if wants_error:
                yield answer.errors[0].extensions["code"]
                return
            assert answer.errors is None, answer.errors
            yield answer.data["recordChanges"]
    finally:
        await stream.aclose()


async def test_who_is_cut_off_again_and_again_sees_every_change_once(pages: Pages) -> None:
    """While the records are written: each time the consumer goes on after the last cursor that it has seen."""
    seen: list[dict[str, Any]] = []
    hub = asyncio.create_task(pages.home.services.hub.run())
    await pages.home.services.hub.connected.wait()

    async def consume(most: int) -> None:
        async for change in follow(pages, seen[-1]["cursor"] if seen else None):
            seen.append(change)
            if len(seen) == 120 or len(seen) % most == 0:
                return

    async def write() -> None:
        for number in range(0, 120, 6):
            people = [person(each) for each in range(number, number + 6)]
            await pages.store("Person", *people, account=number // 6 % 2)

    writing = asyncio.create_task(write())
    try:
        async with asyncio.timeout(30):
            while len(seen) < 120:
                await consume(7)
        await writing
    finally:
        hub.cancel()

    assert [each["cursor"] for each in seen] == [each["cursor"] for each in await pages.changes(250)]
    assert len({each["recordId"] for each in seen}) == 120
