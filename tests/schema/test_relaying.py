"""What one CRM has changed goes into the other one that has the same person, where that takes changes."""

from typing import Any

import pytest
from sqlmodel import col, update

from connectors.catalogs import pack_catalog
from connectors.facts import Catalog, Field
from connectors.mapping import map_record
from storage import catalogs, remap, tables
from storage.listing import GlobalId
from storage.outbound import Push
from storage.shapes import RecordType
from sync.mappings import read_overrides
from sync.pages import Writer
from sync.settle import Settler
from tests.schema.conftest import Home
from tests.schema.pages import TYPES, Pages, person

ANN = "{ contacts { nodes { name jobTitle emails { value } } } }"
OPEN = "{ pushes(status: [PENDING]) { nodes { integration { id } } } }"
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


async def test_what_one_has_emptied_and_another_has_goes_there_again(pages: Pages) -> None:
    """Of a list that was written here, one has taken ours and the other one has emptied its own."""
    for row in pages.integrations:
        async with pages.home.database.session(pages.home.workspace) as session:
            one = col(tables.Integration.id) == row.id
            await session.exec(update(tables.Integration).where(one).values(conflict_policy="CRM_WINS"))
    first, other = ([{"value": value, "primary": True}] for value in ("+420602123456", "+420602654321"))
    for account in (0, 1):
        await come(pages, account, 2, phones=first)
    [ann] = (await pages.home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"]
    record = GlobalId.read(ann["id"]).key
    async with pages.home.database.session(pages.home.workspace) as session:
        settler = Settler(pages.home.database, session, pages.home.workspace)
        await settler.lock()
        told = (await settler.gather([record], {}))[record]
        await settler.holder.write(RecordType.CONTACT, record, {"phones": other}, (told, {}))
        await settler.settle_anew(RecordType.CONTACT, [record])
    await come(pages, 0, 3, phones=other)
    async with pages.home.database.session(pages.home.workspace) as session:
        await session.exec(update(Push).values(status="COMMITTED"))
    await come(pages, 1, 4, phones=[])
    waiting = [push["integration"]["id"] for push in (await pages.home.read(OPEN))["pushes"]["nodes"]]
    assert pages.gid(1) in waiting
    assert (await pages.home.read("{ contacts { nodes { phone } } }"))["contacts"]["nodes"] == [
        {"phone": "+420602654321"}
    ]


async def test_what_is_emptied_there_is_emptied_here(pages: Pages) -> None:
    await come(pages, 0, 2, job_title=None)
    assert (await shown(pages))["jobTitle"] is None
    assert await queued(pages) == [pages.gid(1)]


SCORE = "a" * 40


async def read_score(pages: Pages, account: int, day: int, label: str) -> None:
    """The person with a field of the account's own, by the label that it has there now, and by what is excluded."""
    external, database, row = TYPES["Person"], pages.home.database, pages.integrations[account]
    score = Field(external_type="Person", name=SCORE, label=label, type="double", is_custom=True)
    title = Field(external_type="Person", name="job_title", label="Job title", type="varchar")
    catalog = Catalog(fields={"Person": [score, title]})
    ann = person(1 + account, "ann@acme.test", day=day, name="Ann Lee", job_title="CEO", custom_fields={SCORE: 10})
    mapped = map_record(external, ann, catalog, await read_overrides(database, row))
    async with database.session(pages.home.workspace) as session:
        await catalogs.keep(database, session, row.id, external.name, pack_catalog(external, catalog))
    async with database.session(pages.home.workspace) as session:
        await Writer(database, session, row).store_page(external, [mapped])


@pytest.mark.parametrize("is_excluded", [True, False])
async def test_a_field_that_is_excluded_or_renamed_in_one_is_no_change_for_the_other(
    pages: Pages, is_excluded: bool
) -> None:
    for account in (0, 1):
        await read_score(pages, account, 2, "Score")
    if is_excluded:
        values = {"integration": pages.integrations[0].id, "excluded": [SCORE, "job_title"]}
        async with pages.home.database.session(pages.home.workspace) as session:
            await pages.home.database.run(session, remap.EXCLUDE, values)
    assert await queued(pages) == []
    await read_score(pages, 0, 3, "Score" if is_excluded else "Points")
    assert await queued(pages) == []
    [ann] = (await pages.home.read("{ contacts { nodes { jobTitle customFields } } }"))["contacts"]["nodes"]
    more = {} if is_excluded else {"Points": 10}
    assert ann == {"jobTitle": "CEO", "customFields": {"Score": 10, **more}}
