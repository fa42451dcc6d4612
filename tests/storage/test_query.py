"""Lists of records: every walk meets every row once, in an order that plain Python gives too, served by an index."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage import records, tables
from storage.database import Database
from storage.listing import GlobalId, InvalidQuery, Listing, Values, Window, beyond, list_errors, list_runs
from storage.query import Arguments, describe_orders, list_records, list_related
from storage.records import RECORDS, Record
from storage.shapes import SyncStatus

Row = dict[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)
RANDOM = Random(1)  # noqa: S311 # the same rows each time, in each process


def some_id() -> UUID:
    return UUID(int=RANDOM.getrandbits(128))


WORKSPACE, OTHER, PIPEDRIVE = some_id(), some_id(), some_id()
NAMES = [None, None, "Zoë", "zoe", "Anna", "anna", "Ärger", "x" * 260 + "1", "x" * 260 + "2", "50 %_\\", "", "李"]
BIG = "9007199254740993"
HELD: list[Row] = [
    {},
    {
        "Score": 12.5,
        "Tier": "Gold",
        "Tags": ["Reseller", "At risk", 7],
        "VIP": True,
        "Since": "2026-03-01",
        "Empty": None,
    },
    {"Score": 12, "Tier": "gold", "Tags": [], "VIP": False, "Since": "2026-03-01T09:30:00.5Z"},
    {"Score": "12.5", "Tier": 5, "Tags": "Reseller", "VIP": "true", "Since": "2026-02-30"},
    {"Score": BIG, "Tier": None, "Since": "2026-03-01T10:30:00+01:00", "Budget": {"amount": 500, "currency": "EUR"}},
    {"Budget.amount": 7, "Budget": {"amount": 500}, "No. of": {"seats.max": 1, "seats": {"max": 40}}, "Since": "now"},
    {
        'it\'s "5%" {t} 李': "yes",
        "": "nameless",
        "Since": 20260301,
        "$.Tier": "x",
        "Budget": 500,
        "Tags": [["Reseller"]],
    },
]
"""Custom fields of every type, and some that are not of the type that others have by that name."""
OWNERS = {"7": "ada@acme.test", "8": "Grace@Acme.test", "9": None}


def some_contacts(random: Random, organizations: Sequence[UUID]) -> list[Row]:
    """Contacts with gaps, doubles and the same moments."""
    found = []
    for number in range(70):
        name = random.choice(NAMES)
        addresses = random.sample(["ann@x.test", "ANN@Y.test", "bob_1@x.test"], random.randrange(3))
        phones = random.sample([("602 123", "+420602123"), ("call me", None)], random.randrange(3))
        found.append(
            {
                "id": some_id(),
                "workspace_id": WORKSPACE,
                "name": name,
                "kind": random.choice([None, "LEAD", "CONTACT"]),
                "email": addresses[0] if addresses else None,
                "emails": [{"value": each, "label": None, "primary": False} for each in addresses],
                "phones": [{"value": value, "e164": e164} for value, e164 in phones],
                "tags": random.sample(["hot", "cold"], random.randrange(3)),
                "organization_id": random.choice([None, *organizations]),
                "warmness": random.choice([None, 0, 3, 5]),
                "owner_integration_id": PIPEDRIVE,
                "owner_external_id": random.choice([None, *OWNERS]),
                "created_at": START + timedelta(hours=random.randrange(9)),
                "updated_at": START + timedelta(microseconds=random.randrange(40)),
                "archived_at": START if number % 7 == 0 else None,
                "custom_fields": HELD[number % len(HELD)],
            }
        )
    return found


def some_deals(random: Random, organizations: Sequence[UUID]) -> list[Row]:
    """Deals in several currencies, and in none."""
    return [
        {
            "id": some_id(),
            "workspace_id": WORKSPACE,
            "title": random.choice(NAMES),
            "amount_value": random.choice([None, Decimal("-1.50"), Decimal("10"), Decimal("10.000"), Decimal("1e20")]),
            "amount_currency": random.choice([None, "EUR", "CZK"]),
            "status": random.choice([None, "OPEN", "WON"]),
            "expected_close_on": random.choice([None, date(2026, 1, 1), date(2026, 12, 31)]),
            "organization_id": random.choice([None, *organizations]),
            "created_at": START + timedelta(hours=random.randrange(9)),
            "updated_at": START + timedelta(hours=random.randrange(9)),
            "archived_at": None,
        }
        for _ in range(60)
    ]


ORGANIZATIONS = [some_id(), some_id()]
CONTACTS = some_contacts(RANDOM, ORGANIZATIONS)
DEALS = some_deals(RANDOM, ORGANIZATIONS)
LINKS = [(deal["id"], contact["id"]) for deal, contact in product(DEALS[:9], CONTACTS[:30]) if deal["id"].int & 1]


@pytest.fixture(scope="module")
async def database(worker_url: str) -> AsyncIterator[Database]:
    database = Database(worker_url)
    await database.open()
    async with database.session(WORKSPACE) as session:
        session.add(tables.Workspace(id=WORKSPACE, name="Acme"))
        await session.flush()
        session.add(
            tables.Integration(
                id=PIPEDRIVE, workspace_id=WORKSPACE, crm="PIPEDRIVE", display_name="P", credential_kind="API_TOKEN"
            )
        )
        await session.flush()
        for each in ORGANIZATIONS:
            name = f"Initech {each}"
            session.add(tables.Organization(id=each, workspace_id=WORKSPACE, name=name, domain="initech.test"))
        session.add_all([tables.Contact(**row) for row in CONTACTS])
        session.add_all([tables.Deal(**row) for row in DEALS])
        session.add_all(
            [tables.DealContact(deal_id=deal, contact_id=contact, workspace_id=WORKSPACE) for deal, contact in LINKS]
        )
        for external_id, email in OWNERS.items():
            session.add(
                tables.CrmUser(
                    integration_id=PIPEDRIVE, external_id=external_id, workspace_id=WORKSPACE, name=None, email=email
                )
            )
    yield database
    await database.close()


async def read(database: Database, listing: Listing, workspace: UUID = WORKSPACE) -> tuple[list[Row], bool]:
    """A page in its own order, and whether there is more behind it."""
    rows = await database.fetch(workspace, listing.page(), {**listing.values.named, "workspace": workspace})
    kept = rows[: listing.window.size]
    return kept[::-1] if listing.window.backward else kept, len(rows) > listing.window.size


async def count(database: Database, listing: Listing) -> int:
    [row] = await database.fetch(WORKSPACE, listing.total(), {**listing.values.named, "workspace": WORKSPACE})
    return int(row["total"])


async def found(database: Database, record: type[Record], **asked: Any) -> list[UUID]:
    """The ids of a whole list of at most 250."""
    rows, more = await read(database, list_records(record, Arguments(first=250, **asked)))
    assert not more
    return [row["id"] for row in rows]


# ---------------------------------------------------------------- the same in plain Python

Predicate = Callable[[Row], bool]


def every(_row: Row) -> bool:
    return True


def none(_row: Row) -> bool:
    return False


def text(value: str | None) -> str:
    return value or ""


def has(row: Row, test: Callable[[str], bool]) -> bool:
    return any(test(each["value"].lower()) for each in row["emails"])


def number_is(row: Row, number: str) -> bool:
    return any(number in (each["value"], each["e164"]) for each in row["phones"])


def owner(row: Row) -> str | None:
    email = OWNERS.get(row["owner_external_id"] or "")
    return email.lower() if email else None


FILTERS: list[tuple[Mapping[str, Any], Predicate]] = [
    ({}, every),
    ({"name": None, "and": None, "or": None, "not": None}, every),
    ({"and": []}, every),
    ({"or": []}, none),
    ({"not": {}}, none),
    ({"kind": []}, none),
    ({"ids": []}, none),
    ({"name": {}}, every),
    ({"name": {"in": []}}, none),
    ({"name": {"eq": "Anna"}}, lambda row: row["name"] == "Anna"),
    ({"name": {"ne": "Anna"}}, lambda row: row["name"] != "Anna"),
    ({"name": {"in": ["Anna", "李"]}}, lambda row: row["name"] in ("Anna", "李")),
    ({"name": {"contains": "äR"}}, lambda row: "är" in text(row["name"]).lower()),
    ({"name": {"startsWith": "ZO"}}, lambda row: text(row["name"]).lower().startswith("zo")),
    ({"name": {"endsWith": "%_\\"}}, lambda row: text(row["name"]).endswith("%_\\")),
    ({"name": {"contains": "%"}}, lambda row: "%" in text(row["name"])),
    ({"name": {"contains": ""}}, lambda row: row["name"] is not None),
    ({"name": {"isNull": True}}, lambda row: row["name"] is None),
    ({"name": {"isNull": False}}, lambda row: row["name"] is not None),
    ({"not": {"name": {"eq": "Anna"}}}, lambda row: row["name"] != "Anna"),
    ({"not": {"name": {"contains": "a"}}}, lambda row: "a" not in text(row["name"]).lower()),
    ({"kind": ["LEAD"]}, lambda row: row["kind"] == "LEAD"),
    ({"not": {"kind": ["LEAD"]}}, lambda row: row["kind"] != "LEAD"),
    ({"email": {"eq": "Ann@X.test"}}, lambda row: has(row, lambda each: each == "ann@x.test")),
    ({"email": {"ne": "Ann@X.test"}}, lambda row: not has(row, lambda each: each == "ann@x.test")),
    ({"email": {"in": ["ANN@x.test", "bob_1@X.test"]}}, lambda row: has(row, lambda each: each.endswith("@x.test"))),
    ({"email": {"contains": "B_1"}}, lambda row: has(row, lambda each: "b_1" in each)),
    ({"email": {"isNull": True}}, lambda row: not row["emails"]),
    ({"email": {"isNull": False}}, lambda row: bool(row["emails"])),
    (
        {"email": {"startsWith": "ann", "endsWith": "y.test"}},
        lambda row: has(row, lambda each: each.startswith("ann") and each.endswith("y.test")),
    ),
    ({"phone": {"eq": "+420602123"}}, lambda row: number_is(row, "+420602123")),
    ({"phone": {"eq": "602 123"}}, lambda row: number_is(row, "602 123")),
    ({"phone": {"eq": "Call me"}}, none),
    ({"phone": {"isNull": True}}, lambda row: not row["phones"]),
    ({"tag": {"eq": "hot"}}, lambda row: "hot" in row["tags"]),
    ({"tag": {"ne": "hot"}}, lambda row: "hot" not in row["tags"]),
    ({"ownerEmail": {"eq": "grace@acme.test"}}, lambda row: owner(row) == "grace@acme.test"),
    ({"ownerEmail": {"isNull": True}}, lambda row: owner(row) is None),
    (
        {"organizationId": [str(GlobalId("Organization", ORGANIZATIONS[0]))]},
        lambda row: row["organization_id"] == ORGANIZATIONS[0],
    ),
    ({"organizationId": [str(GlobalId("Deal", ORGANIZATIONS[0]))]}, none),
    ({"ids": [str(GlobalId("Contact", CONTACTS[3]["id"]))]}, lambda row: row["id"] == CONTACTS[3]["id"]),
    ({"ids": [str(GlobalId("Contact", some_id()))]}, none),
    ({"createdAt": {"gte": START, "lt": START + timedelta(hours=4)}}, lambda row: row["created_at"].hour < 4),
    (
        {"or": [{"name": {"isNull": True}}, {"and": [{"kind": ["CONTACT"]}, {"tag": {"eq": "cold"}}]}]},
        lambda row: row["name"] is None or (row["kind"] == "CONTACT" and "cold" in row["tags"]),
    ),
]


def custom(path: str, **comparison: Any) -> dict[str, Any]:
    return {"customFields": [{"path": path, **comparison}]}


def holding(*places: int) -> Predicate:
    """Whose custom fields are those of one of these places."""
    return lambda row: any(row["custom_fields"] == HELD[place] for place in places)


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MIDNIGHT, MORNING = NOON - timedelta(hours=12), NOON - timedelta(hours=2, minutes=30)
FILTERS += [
    ({"warmness": {"gte": 3}}, lambda row: row["warmness"] is not None and row["warmness"] >= 3),
    ({"customFields": []}, every),
    (custom("Tier", text={}), every),
    (custom("Tier", text={"eq": "Gold"}, number=None), holding(1)),
    (custom("Tier", text={"startsWith": "G"}), holding(1, 2)),
    (custom("Tier", text={"in": ["gold", "5"]}), holding(2)),
    (custom("Tier", text={"ne": "Gold"}), holding(0, 2, 3, 4, 5, 6)),
    (custom("Tier", text={"isNull": True}), holding(0, 3, 4, 5, 6)),
    (custom("Tier", text={"isNull": False}), holding(1, 2)),
    ({"not": custom("Tier", text={"eq": "Gold"})}, holding(0, 2, 3, 4, 5, 6)),
    (custom("Tags", text={"eq": "Reseller"}), holding(1, 3)),
    (custom("Tags", text={"ne": "Reseller"}), holding(0, 2, 4, 5, 6)),
    (custom("Tags", text={"startsWith": "res", "endsWith": "risk"}), none),
    (custom("Tags", text={"isNull": True}), holding(0, 2, 4, 5, 6)),
    (custom("Tags.0", text={"eq": "Reseller"}), none),
    (custom("Score", number={"gte": Decimal("12"), "lt": Decimal("12.50")}), holding(2)),
    (custom("Score", number={"eq": Decimal("12.50")}), holding(1)),
    (custom("Score", number={"isNull": True}), holding(0, 3, 4, 5, 6)),
    (custom("Score", text={"eq": BIG}), holding(4)),
    (custom("VIP", bool=True), holding(1)),
    (custom("VIP", bool=False), holding(2)),
    (custom("Since", date={"gte": MIDNIGHT, "lt": NOON}), holding(1, 2, 4)),
    (custom("Since", date={"gt": MIDNIGHT, "lte": MORNING}), holding(4)),
    (custom("Since", date={"isNull": True}), holding(0, 3, 5, 6)),
    (custom("Budget.amount", number={"eq": Decimal(500)}), holding(4)),
    (custom("Budget.amount", number={"eq": Decimal(7)}), holding(5)),
    (custom("Budget.currency", text={"contains": "ur"}), holding(4)),
    (custom("No. of.seats.max", number={"gt": Decimal(1)}), holding(5)),
    (custom('it\'s "5%" {t} 李\0', text={"eq": "yes"}), holding(6)),
    (custom("", text={"eq": "nameless"}), holding(6)),
    (custom("$.Tier", text={"eq": "Gold"}), none),
    (custom("Tier' OR true --", text={"isNull": False}), none),
    (custom("a." * 5_000, text={"eq": "x"}), none),
    (custom("Empty", text={"isNull": False}), none),
    (
        {"customFields": [{"path": "VIP", "bool": True}, {"path": "Score", "number": {"gt": Decimal(12)}}]},
        holding(1),
    ),
]

DEAL_FILTERS: list[tuple[Mapping[str, Any], Predicate]] = [
    ({}, every),
    ({"amount": {"gte": Decimal("10")}}, lambda row: row["amount_value"] is not None and row["amount_value"] >= 10),
    ({"amount": {"eq": Decimal("10.0")}}, lambda row: row["amount_value"] == 10),
    ({"amount": {"isNull": True}}, lambda row: row["amount_value"] is None),
    ({"currency": {"ne": "EUR"}}, lambda row: row["amount_currency"] != "EUR"),
    ({"status": ["OPEN", "WON"]}, lambda row: row["status"] is not None),
    ({"expectedCloseOn": {"gt": date(2026, 6, 1)}}, lambda row: row["expected_close_on"] == date(2026, 12, 31)),
    ({"contactId": [str(GlobalId("Contact", CONTACTS[0]["id"]))]}, lambda row: (row["id"], CONTACTS[0]["id"]) in LINKS),
]
ARCHIVED: Mapping[str, Predicate] = {
    "EXCLUDE": lambda row: row["archived_at"] is None,
    "INCLUDE": every,
    "ONLY": lambda row: row["archived_at"] is not None,
}
SORTED_BY = {
    "NAME": ["name"],
    "EMAIL": ["email"],
    "TITLE": ["title"],
    "AMOUNT": ["amount_currency", "amount_value"],
    "WARMNESS": ["warmness"],
    "EXPECTED_CLOSE_ON": ["expected_close_on"],
    "CREATED_AT": ["created_at"],
    "UPDATED_AT": ["updated_at"],
}


def in_order(rows: Iterable[Row], orders: Sequence[tuple[str, str]]) -> list[UUID]:
    """Sorted by the least important first: Python's sort keeps what was in order before."""
    keys: list[tuple[str, bool]] = []
    for name, direction in orders or [("UPDATED_AT", "DESC")]:
        *outer, last = SORTED_BY[name]
        keys += [*((each, False) for each in outer), (last, direction == "DESC")]
    known = [name for name, _ in keys]
    keys = [key for place, key in enumerate(keys) if key[0] not in known[:place]]
    result = sorted(rows, key=lambda row: row["id"], reverse=keys[-1][1])
    for name, descending in reversed(keys):
        there = [row for row in result if row[name] is not None]
        there.sort(key=lambda row: cut(row[name]), reverse=descending)
        result = [*there, *(row for row in result if row[name] is None)]
    return [row["id"] for row in result]


def cut(value: Any) -> Any:
    return value[:250].encode() if isinstance(value, str) else value


def orders(record: type[Record]) -> st.SearchStrategy[list[tuple[str, str]]]:
    each = st.tuples(st.sampled_from(sorted(describe_orders(record))), st.sampled_from(["ASC", "DESC"]))
    return st.lists(each, max_size=2)


async def walk(database: Database, ask: Callable[[Window], Listing], size: int, backward: bool) -> list[UUID]:
    """The ids of all pages, one page after the other."""
    met: list[UUID] = []
    cursor = None
    for _ in range(300):
        window = Window(last=size, before=cursor) if backward else Window(first=size, after=cursor)
        listing = ask(window)
        rows, more = await read(database, listing)
        ids = [row["id"] for row in rows]
        met = [*ids, *met] if backward else [*met, *ids]
        if not more:
            return met
        assert len(rows) == size
        cursor = listing.cursor(rows[0] if backward else rows[-1])
    raise AssertionError("no end of pages")


def asked(record: type[Record], order: Sequence[tuple[str, str]], **more: Any) -> Callable[[Window], Listing]:
    given = [{"field": name, "direction": direction} for name, direction in order]

    def ask(window: Window) -> Listing:
        return list_records(record, Arguments(**vars(window), order_by=given, **more))

    return ask


# ---------------------------------------------------------------- walks


@settings(max_examples=60, deadline=None)
@given(
    order=orders(records.Contact),
    chosen=st.sampled_from(FILTERS),
    archived=st.sampled_from(sorted(ARCHIVED)),
    size=st.integers(1, 40),
    backward=st.booleans(),
)
async def test_any_walk_over_contacts_meets_every_row_once_in_order(
    database: Database,
    order: list[tuple[str, str]],
    chosen: tuple[Mapping[str, Any], Predicate],
    archived: str,
    size: int,
    backward: bool,
) -> None:
    given_filter, holds = chosen
    expected = in_order((row for row in CONTACTS if holds(row) and ARCHIVED[archived](row)), order)
    ask = asked(records.Contact, order, filter=given_filter, archived=archived)
    assert await walk(database, ask, size, backward) == expected
    assert await count(database, ask(Window())) == len(expected)


@settings(max_examples=40, deadline=None)
@given(
    order=orders(records.Deal),
    chosen=st.sampled_from(DEAL_FILTERS),
    size=st.integers(1, 30),
    backward=st.booleans(),
)
async def test_any_walk_over_deals_meets_every_row_once_in_order(
    database: Database,
    order: list[tuple[str, str]],
    chosen: tuple[Mapping[str, Any], Predicate],
    size: int,
    backward: bool,
) -> None:
    given_filter, holds = chosen
    expected = in_order(filter_rows(DEALS, holds), order)
    assert await walk(database, asked(records.Deal, order, filter=given_filter), size, backward) == expected


def filter_rows(rows: Sequence[Row], holds: Predicate) -> list[Row]:
    return [row for row in rows if holds(row)]


@pytest.mark.parametrize(("filter", "holds"), FILTERS, ids=[json.dumps(each, default=str)[:70] for each, _ in FILTERS])
async def test_every_filter_on_contacts(database: Database, filter: Mapping[str, Any], holds: Predicate) -> None:
    expected = in_order(filter_rows(CONTACTS, holds), [("NAME", "ASC")])
    order = [{"field": "NAME", "direction": "ASC"}]
    assert await found(database, records.Contact, filter=filter, order_by=order, archived="INCLUDE") == expected


@pytest.mark.parametrize("size", [1, 4, 250])
async def test_the_pages_of_several_parents_come_in_one_statement(database: Database, size: int) -> None:
    parents = [deal["id"] for deal in DEALS[:9]]
    by_name = [{"field": "NAME", "direction": "DESC"}]
    listing = list_related(records.Deal, "contacts", Arguments(first=size, order_by=by_name, archived="INCLUDE"))
    rows = await database.fetch(
        WORKSPACE, listing.pages(), {**listing.values.named, "workspace": WORKSPACE, "parents": parents}
    )
    for parent in parents:
        partners = [row for row in CONTACTS if (parent, row["id"]) in LINKS]
        expected = in_order(partners, [("NAME", "DESC")])[: size + 1]
        assert [row["id"] for row in rows if row["parent"] == parent] == expected
    totals = await database.fetch(
        WORKSPACE, listing.totals(), {**listing.values.named, "workspace": WORKSPACE, "parents": parents}
    )
    assert {row["parent"]: row["total"] for row in totals} == {
        parent: sum(1 for deal, _ in LINKS if deal == parent) for parent in parents
    }


async def test_both_cursors_cut_a_page_from_both_sides(database: Database) -> None:
    ask = asked(records.Contact, [("NAME", "ASC")], archived="INCLUDE")
    whole, _ = await read(database, ask(Window(first=250)))
    cursor = ask(Window()).cursor
    for size in ({"first": 3}, {"last": 3}):
        window = Window(after=cursor(whole[10]), before=cursor(whole[60]), **size)
        rows, more = await read(database, ask(window))
        inside = whole[11:60]
        assert rows == (inside[:3] if "first" in size else inside[-3:])
        assert more


async def test_before_alone_means_the_page_that_ends_there(database: Database) -> None:
    ask = asked(records.Contact, [("CREATED_AT", "ASC")], archived="INCLUDE")
    whole, _ = await read(database, ask(Window(first=250)))
    rows, more = await read(database, ask(Window(before=ask(Window()).cursor(whole[30]))))
    assert rows == whole[5:30]
    assert more


# ---------------------------------------------------------------- indexes

CASES = [
    (record, name, direction)
    for record in RECORDS.values()
    for name in describe_orders(record)
    for direction in ("ASC", "DESC")
]


@pytest.mark.parametrize(("record", "name", "direction"), CASES, ids=[f"{r.__name__}-{n}-{d}" for r, n, d in CASES])
async def test_every_page_of_every_order_is_a_range_of_an_index(
    database: Database, record: type[Record], name: str, direction: str
) -> None:
    first = asked(record, [(name, direction)])(Window())
    filled = {key.name: VALUES[key.type] for key in first.keys}
    empty = {key.name: None if key.nullable else VALUES[key.type] for key in first.keys}
    async with await psycopg.AsyncConnection.connect(database.url) as connection:
        await connection.execute("set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off")
        for row, backward in product((filled, empty), (False, True)):
            cursor = first.cursor(row)
            window = Window(last=5, before=cursor) if backward else Window(first=5, after=cursor)
            listing = asked(record, [(name, direction)])(window)
            values = {**listing.values.named, "workspace": WORKSPACE}
            plan = await (await connection.execute("explain (format json) " + listing.page(), values)).fetchone()
            assert plan is not None
            for limit, scan in scans(plan[0][0]["Plan"]):
                assert "Index" in scan["Node Type"]
                assert scan["Filter"] == "(archived_at IS NULL)"  # all of the order is in the index's condition
                assert limit["Node Type"] == "Limit"  # nothing sorts between


VALUES: Mapping[type, Any] = {
    str: "m",
    int: 5,
    Decimal: Decimal("7.5"),
    date: date(2026, 5, 5),
    datetime: START,
    UUID: UUID(int=9),
}


def scans(plan: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """What reads a table, after what it is read by."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for each in plan["Plans"]:
        found += scans(each) if "Plans" in each else [(plan, each)]
    return found


# ---------------------------------------------------------------- search


@pytest.mark.parametrize(
    ("search", "matches"),
    [
        ("", every),
        ("  --  ", none),
        ("anna", lambda row: text(row["name"]).lower() == "anna"),
        ("AN", lambda row: "ann" in text(row["name"]).lower() or has(row, lambda each: each.startswith("ann"))),
        ("är", lambda row: row["name"] == "Ärger"),
        ("ann x", lambda row: has(row, lambda each: each == "ann@x.test") or ann_and_x(row)),
        ("+420 602-123", lambda row: number_is(row, "+420602123")),
        ("602 123", lambda row: number_is(row, "602 123")),
        ("nowhere", none),
        ("initech", lambda row: row["organization_id"] is not None),
        ("anna init", lambda row: text(row["name"]).lower() == "anna" and row["organization_id"] is not None),
        ("' | ! & :* ( anna", lambda row: text(row["name"]).lower() == "anna"),
        ("an\0na", lambda row: text(row["name"]).lower() == "anna"),
    ],
)
async def test_search_takes_words_and_their_beginnings(
    database: Database, search: str, matches: Callable[[Row], bool]
) -> None:
    expected = in_order(filter_rows(CONTACTS, matches), [("NAME", "ASC")])
    order = [{"field": "NAME"}]
    assert await found(database, records.Contact, search=search, order_by=order, archived="INCLUDE") == expected


def ann_and_x(row: Row) -> bool:
    """The words of one record together: a name or an address that begins with ann, and something with x."""
    name = text(row["name"]).lower()
    words = [name, *(word for each in row["emails"] for word in each["value"].lower().replace("@", ".").split("."))]
    return any(word.startswith("ann") for word in words) and any(word.startswith("x") for word in words)


async def test_search_of_other_types_looks_in_what_names_them(database: Database) -> None:
    assert sorted(await found(database, records.Organization, search="initech.test")) == sorted(ORGANIZATIONS)
    zoes = [row for row in DEALS if text(row["title"]).lower() in ("zoe", "zoë")]
    assert sorted(await found(database, records.Deal, search="zo")) == sorted(row["id"] for row in zoes)


# ---------------------------------------------------------------- whose


async def test_another_workspace_sees_nothing(database: Database) -> None:
    rows, more = await read(database, list_records(records.Contact, Arguments()), OTHER)
    assert (rows, more) == ([], False)


# ---------------------------------------------------------------- what can mean nothing


@pytest.mark.parametrize(
    "arguments",
    [
        {"first": 0},
        {"first": 251},
        {"last": -1},
        {"first": 1, "last": 1},
        {"after": "nonsense"},
        {"after": "é"},
        {"after": ""},
        {"after": "bnVsbA"},
        {"before": base64.urlsafe_b64encode(b'["x","y"]').decode()},
        {"search": " ".join("abcdefghijklmnopqrstuvwxyzabcdefghijk")},
        {"filter": {"ids": ["7"]}},
        {"filter": {"ids": [base64.b64encode(b"Contact:7").decode()]}},
        {"filter": {"ids": [base64.b64encode(str(GlobalId("Contact", some_id())).encode()).decode()]}},
        {"filter": {"organizationId": ["\ud800"]}},
        {"filter": {"or": [{"name": {"eq": str(number)}} for number in range(1001)]}},
        {"filter": {"or": [{"name": {"isNull": True}} for _ in range(1001)]}},
    ],
    ids=lambda arguments: str(arguments)[:60],
)
def test_arguments_that_can_mean_nothing_are_refused(arguments: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidQuery, match=r"\.$"):
        list_records(records.Contact, Arguments(**arguments))


@pytest.mark.parametrize(
    "other",
    [
        {"order_by": [{"field": "NAME", "direction": "ASC"}]},
        {"order_by": [{"field": "UPDATED_AT", "direction": "ASC"}]},
        {"filter": {"name": {"eq": "x"}}},
        {"filter": {"name": {"eq": "\ud800"}}},
        {"search": "x"},
        {"archived": "ONLY"},
    ],
    ids=str,
)
def test_a_cursor_of_another_list_is_refused(other: Mapping[str, Any]) -> None:
    cursor = list_records(records.Contact, Arguments()).cursor(CONTACTS[0])
    with pytest.raises(InvalidQuery, match="A cursor goes with"):
        list_records(records.Contact, Arguments(after=cursor, **other))
    with pytest.raises(InvalidQuery, match="A cursor goes with"):
        list_records(records.Organization, Arguments(after=cursor))
    with pytest.raises(InvalidQuery, match="A cursor goes with"):
        list_related(records.Organization, "contacts", Arguments(after=cursor))


@pytest.mark.parametrize(
    "same",
    [
        {"filter": {}},
        {"filter": {"name": None}},
        {"order_by": []},
        {"order_by": [{"field": "UPDATED_AT", "direction": "DESC"}]},
        {"search": ""},
        {"first": 3},
    ],
    ids=str,
)
def test_a_cursor_goes_on_where_the_list_is_the_same(same: Mapping[str, Any]) -> None:
    cursor = list_records(records.Contact, Arguments()).cursor(CONTACTS[0])
    list_records(records.Contact, Arguments(after=cursor, **same))


@pytest.mark.parametrize(
    "values",
    [
        [None, str(some_id())],
        ["2026-01-01T00:00:00", str(some_id())],
        ["2026-01-01T00:00:00Z", "x"],
        ["2026-01-01T00:00:00Z", 7],
        ["2026-01-01T00:00:00Z"],
        [True, str(some_id())],
    ],
    ids=str,
)
def test_a_forged_cursor_is_refused(values: list[Any]) -> None:
    mark = list_records(records.Contact, Arguments()).mark
    forged = base64.urlsafe_b64encode(json.dumps([mark, *values]).encode()).decode().rstrip("=")
    with pytest.raises(InvalidQuery, match="no cursor"):
        list_records(records.Contact, Arguments(after=forged))


async def test_a_nul_and_a_lone_surrogate_never_reach_postgres(database: Database) -> None:
    for operator in ("eq", "ne", "contains"):
        await found(database, records.Contact, filter={"name": {operator: "a\0\ud800"}}, archived="INCLUDE")
    assert await found(database, records.Contact, filter={"name": {"in": ["a\0", "\udfff"]}}) == []
    assert await found(database, records.Contact, filter={"email": {"in": ["a\0", "\udfff"]}}) == []


@given(st.text())
def test_any_text_is_an_id_or_refused(value: str) -> None:
    try:
        found = GlobalId.read(value)
    except InvalidQuery:
        return
    assert str(found) == value


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_any_text_is_a_cursor_or_refused(value: str) -> None:
    with pytest.raises(InvalidQuery):
        list_records(records.Contact, Arguments(after=value))


# ---------------------------------------------------------------- values, and lists of other rows


def test_values_are_bound_and_never_written() -> None:
    hostile = "'; DROP TABLE contact; --"
    listing = list_records(records.Contact, Arguments(filter={"name": {"eq": hostile}, "tag": {"contains": hostile}}))
    assert hostile not in listing.page()
    assert sorted(map(str, listing.values.named.values())) == sorted([hostile, f"%{hostile}%"])


def test_a_range_past_a_cursor_is_one_comparison_where_nothing_is_null() -> None:
    listing, values = list_records(records.Contact, Arguments()), Values()
    [condition] = beyond(listing.keys, [START, UUID(int=1)], False, values.bind)
    assert condition == "(t.updated_at, t.id) < (%(v0)s, %(v1)s)"


async def test_runs_and_errors_have_pages_too(database: Database) -> None:
    runs = [
        tables.SyncRun(
            id=some_id(),
            workspace_id=WORKSPACE,
            integration_id=PIPEDRIVE,
            kind="FULL",
            status="SUCCEEDED" if number % 2 else "FAILED",
            trigger="MEMBER",
            created_at=START + timedelta(hours=number // 2),
        )
        for number in range(7)
    ]
    errors = [
        tables.SyncError(
            id=some_id(), workspace_id=WORKSPACE, run_id=runs[0].id, code="X", message=str(number), at=START
        )
        for number in range(5)
    ]
    order = sorted(runs, key=lambda run: (run.created_at, run.id), reverse=True)
    ids, wanted = [run.id for run in order], [run.id for run in order if run.status == "FAILED"]
    run_id, in_turn = runs[0].id, sorted(error.id for error in errors)
    async with database.session(WORKSPACE) as session:
        session.add_all(runs)
        await session.flush()
        session.add_all(errors)

    def all_runs(window: Window) -> Listing:
        return list_runs(window, integration_id=PIPEDRIVE, statuses=None)

    def failed(window: Window) -> Listing:
        return list_runs(window, integration_id=None, statuses=[SyncStatus.FAILED])

    assert await walk(database, all_runs, 2, backward=False) == ids
    assert await walk(database, all_runs, 3, backward=True) == ids
    assert await walk(database, failed, 1, backward=False) == wanted
    assert await count(database, all_runs(Window())) == 7
    listing = list_errors(Window(first=3))
    values = {**listing.values.named, "workspace": WORKSPACE, "parents": [run_id]}
    assert [row["id"] for row in await database.fetch(WORKSPACE, listing.pages(), values)] == in_turn[:4]
