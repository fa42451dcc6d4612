"""Which sources are one record, whatever order they come in: scenarios 11, 24 and 32, and everything at random."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.database import Database
from tests.sync.conftest import Name, Office, Payload, open_office

Keys = Mapping[Name, Sequence[tuple[str, str]]]


def person(key: int, emails: Sequence[str] = (), phones: Sequence[str] = (), **values: Any) -> dict[str, Any]:
    return {
        "id": key,
        "name": f"Person {key}",
        "emails": [{"value": one, "primary": not number} for number, one in enumerate(emails)],
        "phones": [{"value": one, "primary": not number} for number, one in enumerate(phones)],
        **values,
    }


def company(key: int, name: str, website: str | None = None) -> dict[str, Any]:
    return {"id": key, "name": name, "website": website}


# ---------------------------------------------------------------- at random

MAILBOXES = ["ann@acme.test", "ann.lee@acme.test", "bo@acme.test", "cy@beta.test", "dee@beta.test", "ed@gmail.com"]
OFFICES = ["info@acme.test", "sales+fair@beta.test"]
NUMBERS = ["+3725550101", "+3725550101", "+3725550102"]
DOMAINS = ["acme.test", "beta.test", "gamma.test"]
PROVIDERS = ["gmail.com", "seznam.cz"]

PEOPLE = st.tuples(
    st.lists(st.sampled_from(MAILBOXES + OFFICES), max_size=2, unique=True),
    st.lists(st.sampled_from(NUMBERS), max_size=1),
)
COMPANIES = st.tuples(st.sampled_from(["Acme", "Beta", "Gamma"]), st.sampled_from([None, *DOMAINS, *PROVIDERS]))


def find_components(keys: Keys) -> set[frozenset[Name]]:
    """By the rules as they are written down, one after the other."""
    carriers: dict[tuple[str, str], list[Name]] = {}
    for name, found in keys.items():
        for key in found:
            carriers.setdefault(key, []).append(name)
    near: dict[Name, set[Name]] = {name: {name} for name in keys}
    for (kind, _), names in carriers.items():
        if max(Counter(account for account, _ in names).values()) > 5:
            continue
        same: Sequence[Name] = names
        if kind == "name":
            domains = {name: {value for what, value in keys[name] if what == "domain"} for name in names}
            if len(set().union(*domains.values())) > 1:
                same = [name for name in names if not domains[name]]
        for name in same:
            near[name].update(same)
    components: set[frozenset[Name]] = set()
    for name in keys:
        group, waiting = set[Name](), {name}
        while waiting:
            group |= waiting
            waiting = set[Name]().union(*(near[one] for one in waiting)) - group
        components.add(frozenset(group))
    return components


Page = tuple[int, list[Payload]]
TABLES = {"Person": "contact", "Organization": "organization"}


def cut(rows: Sequence[tuple[int, Payload]], chance: random.Random) -> list[Page]:
    """Pages of both accounts, in any order, of any size; a record that was edited comes in several of them."""
    pages: list[Page] = []
    for account, payload in chance.sample(rows, len(rows)):
        here = pages[-1] if pages and pages[-1][0] == account and chance.random() < 0.6 else None
        if here and payload["id"] not in [one["id"] for one in here[1]]:
            here[1].append(payload)
        else:
            pages.append((account, [payload]))
    return pages


async def check(
    database: Database, kind: str, rows: Sequence[tuple[Name, Payload]], keys: Keys, chance: random.Random
) -> None:
    office = await open_office(database)
    for account, payloads in cut([(name[0], payload) for name, payload in rows], chance):
        await office.store(kind, *payloads, account=account)
    assert await office.groups(kind) == find_components(keys)
    alive = await office.read(f"select id from {TABLES[kind]} where workspace_id = %(workspace)s")  # noqa: S608 # ours
    assert {row["id"] for row in alive} == set((await office.records(kind)).values())


def name_all(rows: Sequence[Any]) -> list[tuple[Name, Any]]:
    """Sources of two accounts, some of which were edited: what they were known by stays."""
    names = [(number % 2 if number % 3 else 0, str(number + 1)) for number in range(max(1, len(rows) - 3))]
    return [(names[number % len(names)], row) for number, row in enumerate(rows)]


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(PEOPLE, min_size=6, max_size=20), chance=st.randoms(use_true_random=False))
async def test_people_are_the_same_in_any_order(database: Database, rows: list[Any], chance: random.Random) -> None:
    named = name_all(rows)
    keys: dict[Name, list[tuple[str, str]]] = {name: [] for name, _ in named}
    for name, (emails, phones) in named:
        keys[name] += [("email", one) for one in emails if one not in OFFICES] + [("phone", one) for one in phones]
    payloads = [(name, person(int(name[1]), *row)) for name, row in named]
    await check(database, "Person", payloads, {name: sorted(set(each)) for name, each in keys.items()}, chance)


@settings(max_examples=15, deadline=None)
@given(rows=st.lists(COMPANIES, min_size=6, max_size=18), chance=st.randoms(use_true_random=False))
async def test_companies_are_the_same_in_any_order(database: Database, rows: list[Any], chance: random.Random) -> None:
    named = name_all(rows)
    keys: dict[Name, list[tuple[str, str]]] = {name: [] for name, _ in named}
    for name, (title, domain) in named:
        keys[name] += [("name", title.lower())] + [("domain", one) for one in [domain] if one in DOMAINS]
    payloads = [
        (name, company(int(name[1]), title, domain and f"https://www.{domain}")) for name, (title, domain) in named
    ]
    await check(database, "Organization", payloads, {name: sorted(set(each)) for name, each in keys.items()}, chance)


# ---------------------------------------------------------------- one after the other


async def test_two_accounts_at_once_make_no_twin(office: Office) -> None:
    """Ten people in both, in other pages and another order, five times; half of them known by another key there."""
    for round_ in range(5):
        here = [person(key, [f"{round_}-{key}@acme.test"], [f"+3725{round_}{key:05}"]) for key in range(1, 11)]
        there = [
            person(key, [f"{round_}-{key}@acme.test"]) if key % 2 else person(key, phones=[f"+3725{round_}{key:05}"])
            for key in range(10, 0, -1)
        ]
        shift = 100 * round_
        pages = [
            office.store(
                "Person", *({**one, "id": one["id"] + shift} for one in rows[start : start + 4]), account=account
            )
            for start in (0, 4, 8)
            for account, rows in enumerate((here, there))
        ]
        await asyncio.gather(*pages)
        expected = {frozenset({(0, str(shift + key)), (1, str(shift + key))}) for key in range(1, 11)}
        assert {group for group in await office.groups("Person") if int(min(group)[1]) > shift} == expected


async def test_an_address_that_somebody_else_has_makes_two_one(office: Office) -> None:
    await office.store("Person", person(1, ["ann@acme.test"]), person(2, ["a.lee@acme.test"]))
    before = await office.records("Person")
    await office.store("Deal", {"id": 20, "title": "Pumps", "person_id": 2})
    await office.store("Person", person(1, ["ann@acme.test", "a.lee@acme.test"]))
    kept, gone = sorted(before.values())
    assert set((await office.records("Person")).values()) == {kept}, "the oldest id stays"
    links = await office.read("select contact_id from deal_contact where workspace_id = %(workspace)s")
    assert links == [{"contact_id": kept}]
    merged = await office.read("select id, record_id from merged_record where workspace_id = %(workspace)s")
    assert merged == [{"id": gone, "record_id": kept}]


async def test_who_was_known_by_an_address_stays_known_by_it(office: Office) -> None:
    await office.store("Person", person(1, ["ann@acme.test"]))
    await office.store("Person", person(9, ["ann@acme.test"]), account=1)
    await office.store("Person", person(1, ["ann@married.test"]))
    await office.store("Person", person(8, ["ann@acme.test"]), account=1)
    assert len(await office.groups("Person")) == 1


@pytest.mark.parametrize("sizes", [(6,), (1, 5), (5, 1), (1, 1, 1, 1, 1, 1)])
async def test_scenario_32_a_switchboard_is_nobody_however_its_people_come(
    office: Office, sizes: tuple[int, ...]
) -> None:
    """As long as five have it they may be one; with the sixth they are themselves again, and so is who they deal with."""
    people = [person(key, [f"p{key}@acme.test", "info@acme.test"], ["+3725550101"]) for key in range(1, 7)]
    for size in sizes:
        page, people = people[:size], people[size:]
        await office.store("Person", *page)
        await office.store("Deal", *({"id": one["id"], "title": "Pumps", "person_id": one["id"]} for one in page))
    records = await office.records("Person")
    assert len(set(records.values())) == 6
    deals = {name: record for (_, name), record in (await office.records("Deal")).items()}
    links = await office.read("select deal_id, contact_id from deal_contact where workspace_id = %(workspace)s")
    assert {row["deal_id"]: row["contact_id"] for row in links} == {
        deals[str(key)]: records[0, str(key)] for key in range(1, 7)
    }
    contacts = await office.read("select name, emails from contact where workspace_id = %(workspace)s")
    assert Counter(len(row["emails"]) for row in contacts) == {2: 6}


async def test_the_one_that_was_there_first_keeps_the_id(office: Office) -> None:
    for key in range(1, 6):
        await office.store("Person", person(key, phones=["+3725550101"]))
    [first] = set((await office.records("Person")).values())
    await office.store("Person", person(6, phones=["+3725550101"]))
    after = await office.records("Person")
    assert after[0, "1"] == first
    assert len(set(after.values())) == 6


async def test_scenario_32_a_split_stays_split(office: Office) -> None:
    """Through another FULL, and when a third comes who fits to both: that one goes to the first by its id in the CRM."""
    await office.store("Person", person(1, ["both@acme.test"]), person(2, ["both@acme.test"], ["+3725550102"]))
    [old] = set((await office.records("Person")).values())
    own = await office.split("Person", (0, "2"))
    apart = {(0, "1"): old, (0, "2"): own}
    assert await office.records("Person") == apart
    await office.store(
        "Person", person(1, ["both@acme.test"]), person(2, ["both@acme.test"], ["+3725550102"], name="B")
    )
    assert await office.records("Person") == apart
    await office.store("Person", person(9, ["both@acme.test"], ["+3725550102"]), account=1)
    assert await office.records("Person") == {**apart, (1, "9"): old}
    assert await office.split("Person", (0, "2")) is None, "it is alone"


async def test_who_was_between_two_takes_nobody_along(office: Office) -> None:
    """2 has brought 1 and 3 together: they stay so without it, in later syncs too."""
    rows = [
        person(1, ["one@acme.test"]),
        person(2, ["one@acme.test", "three@acme.test"]),
        person(3, ["three@acme.test"]),
    ]
    await office.store("Person", *rows)
    await office.split("Person", (0, "2"))
    expected = {frozenset({(0, "1"), (0, "3")}), frozenset({(0, "2")})}
    assert await office.groups("Person") == expected
    await office.store("Person", *({**row, "phones": [{"value": "+3725550107"}]} for row in rows))
    assert await office.groups("Person") == expected


async def test_what_was_merged_by_hand_stays_merged_and_can_be_split_again(office: Office) -> None:
    await office.store("Person", person(1, ["ann@acme.test"]), person(2, ["bo@acme.test"]), person(3, ["cy@acme.test"]))
    await office.split("Person", (0, "1"))  # is alone: nothing happens
    await office.merge("Person", (0, "2"), (0, "1"), (0, "3"))
    records = await office.records("Person")
    assert len(set(records.values())) == 1
    await office.store("Person", *(person(key, [f"new{key}@acme.test"]) for key in (1, 2, 3)))
    assert await office.records("Person") == records
    await office.split("Person", (0, "1"))
    assert await office.groups("Person") == {frozenset({(0, "1")}), frozenset({(0, "2"), (0, "3")})}
    await office.merge("Person", (0, "1"), (0, "2"))
    assert len(await office.groups("Person")) == 1, "the newest word counts"


async def test_scenario_11_what_the_crm_has_merged_stays_one_whatever_its_number_becomes(office: Office) -> None:
    await office.store("Person", person(1, phones=["+3725550101"]), person(2, phones=["+3725550102"]))
    first = await office.records("Person")
    await office.store("Person", person(1, phones=["+3725550101", "+3725550102"]))
    await office.archive("Person", "2")
    await office.store("Person", *(person(key, phones=["+3725550102"]) for key in range(3, 9)))
    records = await office.records("Person")
    assert {records[0, "1"], records[0, "2"]} == {min(first.values())}
    assert len(set(records.values())) == 7


def at(second: int, **values: Any) -> dict[str, Any]:
    return person(1, ["ann@acme.test"], update_time=f"2026-11-01T10:00:{second:02}Z", **values)


async def test_scenario_24_the_older_never_overwrites_the_newer(office: Office) -> None:
    async def name() -> str:
        [row] = await office.read("select name, archived_at from contact where workspace_id = %(workspace)s")
        return f"{row['name']} archived" if row["archived_at"] else str(row["name"])

    await office.store("Person", at(5, name="Newer"))
    stale = await office.store("Person", at(1, name="Older"))
    assert (await name(), stale.counts()) == ("Newer", {"created": 0, "updated": 0, "skipped": 1, "archived": 0})
    await office.store("Person", at(5, name="Same"))
    assert await name() == "Same", "what has the same time may be another version"
    gone = await office.store("Person", at(1, name="Older", is_deleted=True))
    assert (await name(), gone.archived) == ("Same archived", 1)
    assert (await office.store("Person", at(1, name="Older"))).skipped == 1
    await office.store("Person", at(9, name="Back"))
    assert await name() == "Back"
    await office.store("Person", person(1, ["ann@acme.test"], name="Timeless"))
    assert await name() == "Timeless"
