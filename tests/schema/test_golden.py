"""A golden record: whose value counts, since when, and what the others say."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolvers.context import Services
from storage.database import Database
from storage.listing import GlobalId
from sync.ranking import Ranker
from tests.schema.conftest import Home, move_in
from tests.schema.pages import Pages, person

PROVENANCE = """
query($fields: [String!]) {
  contacts(first: 100, orderBy: [{field: EMAIL}]) {
    nodes { name email jobTitle organization { name } tags emails { value }
      provenance(fields: $fields) { field value observedAt source { externalId }
        alternatives { value observedAt source { externalId } } } }
  }
}
"""


@pytest.fixture
async def awake(services: Services) -> AsyncIterator[Services]:
    """Jobs can be asked for; the tests do themselves what they are about."""
    await services.jobs.open()
    yield services
    await services.jobs.close()


@pytest.fixture
async def pages(home: Home) -> Pages:
    return await Pages.open(home)


async def trace(pages: Pages, *fields: str) -> dict[str, tuple[Any, str | None, str]]:
    """Of the only contact: field -> value, the source that holds it, since when."""
    [contact] = (await pages.home.read(PROVENANCE, fields=list(fields) or None))["contacts"]["nodes"]
    return {
        each["field"]: (each["value"], each["source"] and each["source"]["externalId"], each["observedAt"])
        for each in contact["provenance"]
    }


def day(number: int) -> str:
    return f"2026-01-{number:02}T10:00:00.000000Z"


async def test_each_field_says_who_holds_it_and_what_the_others_say(pages: Pages) -> None:
    await pages.store("Organization", {"id": 10, "name": "Acme"})
    await pages.store("Person", person(1, "ann@acme.test", day=2, name="Ann", org_id=10, job_title="CEO"))
    await pages.store("Person", person(7, "ann@acme.test", "a@b.test", day=3, name="Ann Lee"), account=1)

    [contact] = (await pages.home.read(PROVENANCE))["contacts"]["nodes"]
    organization = (await pages.home.read("{ organizations { nodes { id } } }"))["organizations"]["nodes"][0]["id"]

    told = {each.pop("field"): each for each in contact["provenance"]}
    one, seven = {"externalId": "1"}, {"externalId": "7"}
    assert told["name"] == {
        "value": "Ann Lee",
        "source": seven,
        "observedAt": day(3),
        "alternatives": [{"value": "Ann", "source": one, "observedAt": day(2)}],
    }
    assert told["jobTitle"] == {"value": "CEO", "source": one, "observedAt": day(2), "alternatives": []}
    assert told["organization"] == {"value": organization, "source": one, "observedAt": day(2), "alternatives": []}
    assert [each["value"] for each in told["emails"]["value"]] == ["ann@acme.test", "a@b.test"]
    assert (told["emails"]["source"], told["kind"]["source"]) == (seven, seven)
    assert set(told) == {"kind", "name", "jobTitle", "email", "emails", "organization"}


async def test_a_value_is_as_old_as_its_last_change(pages: Pages) -> None:
    await pages.store("Person", person(1, day=2, name="Ann", job_title="CEO"))
    await pages.store("Person", person(1, day=5, name="Ann", job_title="Boss"))

    assert await trace(pages, "name", "jobTitle") == {"name": ("Ann", "1", day(2)), "jobTitle": ("Boss", "1", day(5))}


async def test_a_field_that_is_none_is_refused(pages: Pages) -> None:
    await pages.store("Person", person(1))
    code, message = await pages.home.refused(PROVENANCE, fields=["jobtitle"])
    assert code == "BAD_INPUT"
    assert message.startswith("'jobtitle' is no field with a source of Contact: there are kind, name,")


async def test_the_sources_of_many_records_are_read_together(pages: Pages) -> None:
    await pages.store("Organization", {"id": 10, "name": "Acme"})
    await pages.store("Person", *(person(number, org_id=10) for number in range(30)))
    before = pages.home.database.statements

    await pages.home.read(PROVENANCE)

    # two lists; the records, what is said of them, what that points at, what was written here
    assert pages.home.database.statements - before == 6


async def test_what_follows_from_deals_has_no_source_of_its_own(pages: Pages) -> None:
    await pages.store("Person", person(1))
    await pages.store("Deal", {"id": 20, "title": "Pumps", "person_id": 1})

    value, source, _ = (await trace(pages, "kind"))["kind"]

    assert (value, source) == ("CONTACT", None)


async def test_an_archived_source_gives_its_fields_to_the_next(pages: Pages) -> None:
    await pages.store("Person", person(1, "ann@acme.test", day=2, name="Ann"))
    await pages.store("Person", person(7, "ann@acme.test", day=3, name="Ann Lee", job_title="CEO"), account=1)
    assert (await trace(pages, "name"))["name"] == ("Ann Lee", "7", day(3))

    await pages.archive("Person", "7", account=1)

    assert await trace(pages, "name", "jobTitle") == {"name": ("Ann", "1", day(2))}


async def test_money_is_one_sources_and_stays_as_it_came(pages: Pages) -> None:
    """Scenario 34: no currency is no currency, whatever others say, and orders and filters keep currencies apart."""
    for number, (value, currency) in enumerate([(10, "EUR"), (20.5, None), (30, "USD"), (0, "EUR")]):
        await pages.store("Deal", {"id": number, "title": f"Deal {number}", "value": value, "currency": currency})

    query = "{ deals(orderBy: [{field: AMOUNT}]) { nodes { title amount { amount currency } } } }"
    found = (await pages.home.read(query))["deals"]["nodes"]

    assert [(each["title"], each["amount"]["amount"], each["amount"]["currency"]) for each in found] == [
        ("Deal 3", "0", "EUR"),
        ("Deal 0", "10", "EUR"),
        ("Deal 2", "30", "USD"),
        ("Deal 1", "20.5", None),
    ]


# ---------------------------------------------------------------- priority

SET = """
mutation($ids: [ID!]) { updateWorkspace(input: {sourcePriority: $ids}) {
  workspace { sourcePriority { id } } userErrors { field code message } } }
"""


async def set_priority(pages: Pages, *accounts: int) -> None:
    """By a member; and then the job that it wakes."""
    ids = [pages.gid(account) for account in accounts]
    payload = (await pages.home.read(SET, ids=ids))["updateWorkspace"]
    assert payload == {"workspace": {"sourcePriority": [{"id": each} for each in ids]}, "userErrors": []}
    await Ranker(pages.home.database).settle_all(pages.home.workspace, pages.home.workspace)


@pytest.mark.usefixtures("awake")
async def test_the_priority_comes_before_the_time(pages: Pages) -> None:
    await pages.store("Person", person(1, "ann@acme.test", day=2, name="Ann"), person(2))
    await pages.store("Person", person(7, "ann@acme.test", day=3, name="Ann Lee", job_title="CEO"), account=1)
    [*_, last] = await pages.changes()

    await set_priority(pages, 0)

    [change] = await pages.changes(after=last["cursor"])
    assert change["changes"] == [{"field": "name", "before": "Ann Lee", "after": "Ann"}]
    assert (change["cause"], change["syncRun"]) == ("MEMBER", None)
    await pages.store("Person", person(7, "ann@acme.test", day=9, name="Ann L", job_title="Boss"), account=1)
    [change] = await pages.changes(after=change["cursor"])
    assert change["changes"] == [{"field": "jobTitle", "before": "CEO", "after": "Boss"}]
    await set_priority(pages)
    [change] = await pages.changes(after=change["cursor"])
    assert change["changes"] == [{"field": "name", "before": "Ann", "after": "Ann L"}]


async def test_the_priority_names_integrations_of_the_workspace_once(pages: Pages, neighbour: Home) -> None:
    def refuse(code: str, message: str) -> dict[str, Any]:
        error = {"field": ["input", "sourcePriority"], "code": code, "message": message}
        return {"updateWorkspace": {"workspace": None, "userErrors": [error]}}

    one, other = pages.gid(0), str(GlobalId("Integration", neighbour.integration))
    twice = "Account 0 is named twice: an integration has one place."
    nothing = "The priority is a list of integrations; an empty one is none: the newest value counts."
    assert await pages.home.read(SET, ids=[one, one]) == refuse("BAD_INPUT", twice)
    assert await pages.home.read(SET, ids=[one, other]) == refuse("NOT_FOUND", "There is no such integration.")
    assert await pages.home.read(SET, ids=None) == refuse("BAD_INPUT", nothing)
    assert await pages.home.read("{ viewer { workspace { sourcePriority { id } } } }") == {
        "viewer": {"workspace": {"sourcePriority": []}}
    }


# ---------------------------------------------------------------- the order in which things come

ARRIVALS = [
    *((0, person(number, f"{number}@acme.test", day=number + 2, name=f"A{number}", org_id=10)) for number in range(3)),
    *(
        (1, person(number + 50, f"{number}@acme.test", day=3, name=f"B{number}", job_title=f"T{number}"))
        for number in range(3)
    ),
    *((1, person(number + 90, f"{number}@acme.test", day=4, name=f"C{number}")) for number in range(1, 3)),
]
"""(account, person): three people, some of whom one account has twice."""


async def arrive(database: Database, services: Services, order: Sequence[int], cuts: Sequence[int]) -> Any:
    """The people and all that is said of them, after pages in that order, cut there."""
    pages = await Pages.open(await move_in(Home(database, services)))
    await pages.store("Organization", {"id": 10, "name": "Acme"})
    page: list[tuple[int, dict[str, Any]]] = []
    for place, number in enumerate(order):
        page.append(ARRIVALS[number])
        if place in cuts or place == len(order) - 1 or ARRIVALS[order[place + 1]][0] != page[0][0]:
            await pages.store("Person", *(payload for _, payload in page), account=page[0][0])
            page = []
    await pages.end()
    found = (await pages.home.read(PROVENANCE))["contacts"]["nodes"]
    for contact in found:  # whose id is another one each time
        for each in contact["provenance"]:
            each["value"] = "Acme" if each["field"] == "organization" else each["value"]
    return found


@pytest.fixture(scope="session")
async def expected(database: Database, services: Services) -> Any:
    """In one page for each account."""
    return await arrive(database, services, range(len(ARRIVALS)), [])


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(len(ARRIVALS))),
    cuts=st.sets(st.integers(0, len(ARRIVALS) - 1)),
)
async def test_pages_in_any_order_give_the_same_people(
    database: Database, services: Services, expected: Any, order: list[int], cuts: set[int]
) -> None:
    found = await arrive(database, services, order, sorted(cuts))
    assert [(each["name"], each["email"], each["jobTitle"]) for each in found] == [
        ("B0", "0@acme.test", "T0"),
        ("C1", "1@acme.test", "T1"),
        ("A2", "2@acme.test", "T2"),
    ]
    assert found == expected
