"""What one CRM has changed goes into the other one that has the same person, where that takes changes."""

from typing import Any

import pytest
from sqlmodel import col, update

from storage import tables
from tests.schema.conftest import Home
from tests.schema.pages import Pages, person

ANN = "{ contacts { nodes { name jobTitle emails { value } } } }"
PUSHES = "{ pushes { nodes { integration { id } status } } }"


@pytest.fixture
async def pages(home: Home) -> Pages:
    """Two accounts that have the same person."""
    found = await Pages.open(home)
    await direct(found, "BIDIRECTIONAL", "BIDIRECTIONAL")
    for account in (0, 1):
        await come(found, account, 1)
    return found


async def direct(pages: Pages, *directions: str) -> None:
    """Which ways changes of the accounts go."""
    for row, direction in zip(pages.integrations, directions, strict=True):
        async with pages.home.database.session(pages.home.workspace) as session:
            one = col(tables.Integration.id) == row.id
            await session.exec(update(tables.Integration).where(one).values(direction=direction))
        row.direction = direction


async def come(pages: Pages, account: int, day: int, *more: str, **values: Any) -> None:
    """The person as an account has her from that day of January on."""
    ann = person(1 + account, "ann@acme.test", *more, day=day, **{"name": "Ann Lee", "job_title": "CEO", **values})
    await pages.store("Person", ann, account=account)


async def queued(pages: Pages) -> list[str]:
    """The accounts that something is on its way to."""
    return [each["integration"]["id"] for each in (await pages.home.read(PUSHES))["pushes"]["nodes"]]


async def shown(pages: Pages) -> dict[str, Any]:
    [ann] = (await pages.home.read(ANN))["contacts"]["nodes"]
    found: dict[str, Any] = ann
    return found


async def test_a_change_goes_to_the_other_one_alone(pages: Pages) -> None:
    assert await queued(pages) == []
    await come(pages, 0, 2, job_title="CTO")
    await come(pages, 0, 2, job_title="CTO")
    assert await queued(pages) == [pages.gid(1)]
    await come(pages, 1, 3, name="Ann Fox")
    assert await queued(pages) == [pages.gid(0), pages.gid(1)]
    assert (await shown(pages)) == {"name": "Ann Fox", "jobTitle": "CTO", "emails": [{"value": "ann@acme.test"}]}


async def test_once_both_say_the_same_nothing_more_is_sent(pages: Pages) -> None:
    await come(pages, 0, 2, job_title="CTO")
    await come(pages, 1, 3, job_title="CTO")
    assert await queued(pages) == [pages.gid(1)]


@pytest.mark.parametrize("directions", [("BIDIRECTIONAL", "INBOUND"), ("OUTBOUND", "BIDIRECTIONAL")])
async def test_nothing_goes_where_it_is_not_wanted(pages: Pages, directions: tuple[str, str]) -> None:
    await direct(pages, *directions)
    await come(pages, 0, 2, job_title="CTO")
    assert await queued(pages) == []


async def test_the_later_one_counts_where_both_have_changed_it(pages: Pages) -> None:
    await come(pages, 0, 2, job_title="CTO")
    await come(pages, 1, 3, job_title="CFO")
    assert (await shown(pages))["jobTitle"] == "CFO"
    assert await queued(pages) == [pages.gid(0), pages.gid(1)]


async def test_the_earlier_one_does_not(pages: Pages) -> None:
    await come(pages, 0, 3, job_title="CTO")
    await come(pages, 1, 2, job_title="CFO")
    assert (await shown(pages))["jobTitle"] == "CTO"
    assert pages.gid(1) in await queued(pages)


async def test_who_has_room_for_fewer_takes_none_away(pages: Pages) -> None:
    await come(pages, 0, 2, "ann@home.test")
    await come(pages, 1, 3)
    ann = person(2, "lee@acme.test", day=4, name="Ann Lee", job_title="CEO")
    await pages.store("Person", ann, account=1)
    assert (await shown(pages))["emails"] == [{"value": "lee@acme.test"}, {"value": "ann@home.test"}]
    assert await queued(pages) == [pages.gid(0), pages.gid(1)]


async def test_what_is_emptied_there_is_emptied_here(pages: Pages) -> None:
    await come(pages, 0, 2, job_title=None)
    assert (await shown(pages))["jobTitle"] is None
    assert await queued(pages) == [pages.gid(1)]
