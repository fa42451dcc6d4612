"""Reading through GraphQL: what comes out, in how many statements, and whose it is."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from storage import tables
from storage.listing import GlobalId
from tests.schema.conftest import START, Home, gid


async def test_the_viewer_is_the_member_of_the_workspace(home: Home) -> None:
    found = await home.read("{ viewer { role workspace { id name plan } member { id email name role joinedAt } } }")
    assert found["viewer"] == {
        "role": "ADMIN",
        "workspace": {"id": str(GlobalId("Workspace", home.workspace)), "name": "Acme", "plan": "TEAMS"},
        "member": {
            "id": str(GlobalId("Member", home.member)),
            "email": f"{home.member}@acme.test",
            "name": "Ada",
            "role": "ADMIN",
            "joinedAt": None,
        },
    }


CONTACT = """
query ($id: ID!) { contact(id: $id) {
  id kind name firstName lastName jobTitle email emails { value label primary } phone
  phones { value e164 label primary } address { street city region postalCode country } lifecycleStage tags
  customFields createdAt updatedAt archivedAt
  organization { name } owner { externalId name email isActive member { name } integration { displayName } }
  deals { nodes { title amount { amount currency } status expectedCloseOn } }
  freshness { asOf servedFrom }
} }
"""


async def test_a_contact_shows_all_that_is_stored(home: Home) -> None:
    company = home.make(tables.Organization, name="Initech")
    contact = home.contact(
        kind="LEAD",
        name="Zoë Novák",
        first_name="Zoë",
        last_name="Novák",
        job_title="CTO",
        email="zoe@x.test",
        emails=[{"value": "zoe@x.test", "label": "work", "primary": True}],
        phone="+420602123456",
        phones=[{"value": "602 123 456", "e164": "+420602123456", "label": None, "primary": True}],
        address={"street": None, "city": "Brno", "region": None, "postal_code": "60200", "country": "CZ"},
        lifecycle_stage="SQL",
        tags=["hot"],
        custom_fields={"Größe": [1, {"x": None}]},
        organization_id=company.id,
        owner_integration_id=home.integration,
        owner_external_id="7",
    )
    deal = home.make(
        tables.Deal,
        title="Big",
        amount_value=Decimal("12.50"),
        amount_currency="EUR",
        status="OPEN",
        expected_close_on=None,
    )
    owner = home.make(
        tables.CrmUser,
        integration_id=home.integration,
        external_id="7",
        name="Ada L.",
        email=f"{home.member}@ACME.test",
    )
    link = home.make(tables.DealContact, deal_id=deal.id, contact_id=contact.id)
    await home.add(company, contact, deal, owner, link)
    found = await home.read(CONTACT, id=gid(contact))
    assert found["contact"] == {
        "id": gid(contact),
        "kind": "LEAD",
        "name": "Zoë Novák",
        "firstName": "Zoë",
        "lastName": "Novák",
        "jobTitle": "CTO",
        "email": "zoe@x.test",
        "emails": [{"value": "zoe@x.test", "label": "work", "primary": True}],
        "phone": "+420602123456",
        "phones": [{"value": "602 123 456", "e164": "+420602123456", "label": None, "primary": True}],
        "address": {"street": None, "city": "Brno", "region": None, "postalCode": "60200", "country": "CZ"},
        "lifecycleStage": "SQL",
        "tags": ["hot"],
        "customFields": {"Größe": [1, {"x": None}]},
        "createdAt": "2026-01-01T00:00:00.000000Z",
        "updatedAt": "2026-01-01T00:00:00.000000Z",
        "archivedAt": None,
        "organization": {"name": "Initech"},
        "owner": {
            "externalId": "7",
            "name": "Ada L.",
            "email": f"{home.member}@ACME.test",
            "isActive": True,
            "member": {"name": "Ada"},
            "integration": {"displayName": "Acme's Pipedrive"},
        },
        "deals": {
            "nodes": [
                {
                    "title": "Big",
                    "amount": {"amount": "12.50", "currency": "EUR"},
                    "status": "OPEN",
                    "expectedCloseOn": None,
                }
            ]
        },
        "freshness": {"asOf": None, "servedFrom": "STORE"},
    }


SOURCES = """
query ($id: ID!) { contact(id: $id) { freshness { asOf ageSeconds } sources {
  id crm externalType externalId url payload remoteUpdatedAt syncedAt deletedAt
  integration { id } record { __typename id } freshness { asOf servedFrom }
} } }
"""


async def test_a_record_is_as_old_as_the_oldest_of_its_live_sources(home: Home) -> None:
    contact = home.contact()
    old, new, gone = (
        home.source(contact, "1", synced_at=START, payload={"a": [1]}),
        home.source(contact, "2", synced_at=START + timedelta(days=1)),
        home.source(contact, "3", synced_at=START - timedelta(days=1), deleted_at=START),
    )
    await home.add(contact, old, new, gone)
    found = (await home.read(SOURCES, id=gid(contact)))["contact"]
    assert found["freshness"]["asOf"] == "2026-01-01T00:00:00.000000Z"
    assert found["freshness"]["ageSeconds"] > 0
    assert [each["externalId"] for each in found["sources"]] == ["1", "2", "3"]
    assert found["sources"][0] == {
        "id": gid(old),
        "crm": "PIPEDRIVE",
        "externalType": "Person",
        "externalId": "1",
        "url": None,
        "payload": {"a": [1]},
        "remoteUpdatedAt": None,
        "syncedAt": "2026-01-01T00:00:00.000000Z",
        "deletedAt": None,
        "integration": {"id": str(GlobalId("Integration", home.integration))},
        "record": {"__typename": "Contact", "id": gid(contact)},
        "freshness": {"asOf": "2026-01-01T00:00:00.000000Z", "servedFrom": "STORE"},
    }


# ---------------------------------------------------------------- nodes


async def test_a_node_is_found_by_its_id_whatever_its_type(home: Home) -> None:
    contact, run = home.contact(), new_run(home)
    source = home.source(contact, "1")
    await home.add(contact, source, run)
    ids = [
        gid(contact),
        gid(source),
        gid(run),
        str(GlobalId("Integration", home.integration)),
        str(GlobalId("Workspace", home.workspace)),
        str(GlobalId("Member", home.member)),
    ]
    found = await home.read("query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }", ids=ids)
    names = ["Contact", "SourceRecord", "SyncRun", "Integration", "Workspace", "Member"]
    assert found["nodes"] == [{"__typename": name, "id": key} for name, key in zip(names, ids, strict=True)]


async def test_what_is_unknown_or_of_another_workspace_or_type_is_null(home: Home, neighbour: Home) -> None:
    theirs, ours = neighbour.contact(), home.contact()
    await neighbour.add(theirs)
    await home.add(ours)
    ids = [gid(theirs), gid(ours, "Deal"), str(GlobalId("Nothing", uuid4())), str(GlobalId("Contact", uuid4()))]
    ids += [str(GlobalId("Workspace", neighbour.workspace)), str(GlobalId("Integration", neighbour.integration))]
    found = await home.read("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert found["nodes"] == [None] * 6
    before = home.database.statements
    await home.read("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[gid(home.contact()) for _ in range(9)])
    assert home.database.statements - before == 2  # the second one looks for those that were merged
    query = """query ($id: ID!) {
      contact(id: $id) { id } deal(id: $id) { id } integration(id: $id) { id } syncRun(id: $id) { id } }"""
    assert await home.read(query, id=gid(theirs)) == dict.fromkeys(("contact", "deal", "integration", "syncRun"))
    found = await home.read("{ contacts { totalCount nodes { id } } }")
    assert found["contacts"] == {"totalCount": 1, "nodes": [{"id": gid(ours)}]}


async def test_an_id_that_can_be_none_is_null_in_its_place(home: Home) -> None:
    contact = home.contact(name="Ann")
    key = gid(contact)
    await home.add(contact)
    answer = await home.ask("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=["x", key, ""])
    assert answer.data == {"nodes": [None, {"id": key}, None]}
    assert answer.errors is not None
    assert [error.path for error in answer.errors] == [["nodes", 0], ["nodes", 2]]
    assert [error.extensions for error in answer.errors] == [{"code": "BAD_INPUT"}] * 2


async def test_the_id_of_a_record_that_was_merged_leads_to_the_one_it_is_part_of(home: Home, neighbour: Home) -> None:
    contact, deal = home.contact(name="Ann"), home.make(tables.Deal, title="Sale")
    old, gone = uuid4(), uuid4()
    key, sold = gid(contact), gid(deal)
    await home.add(
        contact,
        deal,
        home.make(tables.MergedRecord, record_id=contact.id, id=old),
        home.make(tables.MergedRecord, record_id=deal.id, id=gone),
    )
    query = """query ($c: ID!, $ids: [ID!]!) { contact(id: $c) { id name } node(id: $c) { id }
      nodes(ids: $ids) { id } }"""
    by_old = str(GlobalId("Contact", old))
    ids = [by_old, key, str(GlobalId("Deal", gone)), str(GlobalId("Contact", gone)), str(GlobalId("Contact", uuid4()))]
    before = home.database.statements
    found = await home.read(query, c=by_old, ids=ids)
    assert home.database.statements - before == 6  # of each type: those there are, those merged, their survivors
    assert found == {
        "contact": {"id": key, "name": "Ann"},
        "node": {"id": key},
        "nodes": [{"id": key}, {"id": key}, {"id": sold}, None, None],
    }
    assert await neighbour.read("query ($c: ID!) { contact(id: $c) { id } }", c=by_old) == {"contact": None}


async def test_a_record_is_found_by_its_id_in_the_crm(home: Home) -> None:
    contact = home.contact(name="Ann")
    await home.add(contact, home.source(contact, "77"))
    query = """query ($i: ID!, $id: String!) { recordBySource(integrationId: $i, externalType: "Person", externalId: $id)
      { __typename ... on Contact { name } } }"""
    own = str(GlobalId("Integration", home.integration))
    assert (await home.read(query, i=own, id="77"))["recordBySource"] == {"__typename": "Contact", "name": "Ann"}
    assert (await home.read(query, i=own, id="78\0"))["recordBySource"] is None
    assert (await home.read(query, i=gid(contact), id="77"))["recordBySource"] is None


# ---------------------------------------------------------------- lists

DEEP = """
query ($first: Int) { contacts(first: $first) { totalCount nodes {
  name owner { email member { name } } organization { name owner { name } }
  deals(first: 2) { totalCount nodes { title organization { name } contacts(first: 2) { totalCount nodes { name } } } }
  activities { totalCount nodes { subject } }
  sources { externalId payload integration { displayName } record { id } } freshness { asOf }
} } }
"""


async def crowd(home: Home, size: int) -> None:
    """Contacts, each with a company, a user in charge, two deals and a source."""
    rows: list[Any] = []
    for number in range(size):
        company = home.make(tables.Organization, name=f"Company {number}")
        contact = home.contact(number, name=f"Contact {number}", organization_id=company.id)
        contact.owner_integration_id, contact.owner_external_id = home.integration, str(number)
        owner = home.make(
            tables.CrmUser,
            integration_id=home.integration,
            external_id=str(number),
            name="U",
            email=f"{number}@acme.test",
        )
        rows += [company, contact, owner, home.source(contact, str(number))]
        for title in "ab":
            deal = home.make(tables.Deal, title=title, organization_id=company.id)
            rows += [deal, home.make(tables.DealContact, deal_id=deal.id, contact_id=contact.id)]
    await home.add(*rows)


async def test_the_number_of_statements_hangs_on_the_levels_and_not_on_the_rows(home: Home) -> None:
    await crowd(home, 20)
    counts: list[int] = []
    for first in (1, 3, 20):
        before = home.database.statements
        found = await home.read(DEEP, first=first)
        counts.append(home.database.statements - before)
        assert len(found["contacts"]["nodes"]) == first
        assert found["contacts"]["totalCount"] == 20
        assert [each["deals"]["totalCount"] for each in found["contacts"]["nodes"]] == [2] * first
        assert all(each["sources"][0]["payload"]["id"] for each in found["contacts"]["nodes"])
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] <= 22


async def pages(home: Home, arguments: str, size: str, way: str) -> list[dict[str, Any]]:
    """The pages of a walk over contacts."""
    query = (
        f"query ($c: String) {{ contacts({size} {way}: $c {arguments})"
        " { edges { cursor node { name } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
    )
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        found.append((await home.read(query, c=cursor))["contacts"])
        info = found[-1]["pageInfo"]
        if not info["hasNextPage" if way == "after" else "hasPreviousPage"]:
            return found
        cursor = info["endCursor" if way == "after" else "startCursor"]


def names(page: dict[str, Any]) -> list[str | None]:
    return [edge["node"]["name"] for edge in page["edges"]]


@pytest.mark.parametrize(
    ("size", "way", "expected"),
    [
        ("first: 2", "after", [["c", "b"], ["a", None], [None]]),
        ("last: 2", "before", [[None, None], ["b", "a"], ["c"]]),
    ],
)
async def test_a_walk_over_pages_meets_all_in_order_and_nulls_last(
    home: Home, size: str, way: str, expected: Sequence[list[str | None]]
) -> None:
    await home.add(*(home.contact(number, name=name) for number, name in enumerate([None, "b", "c", None, "a"])))
    found = await pages(home, "orderBy: [{field: NAME, direction: DESC}]", size, way)
    assert [names(page) for page in found] == expected
    first, last = (found[0], found[-1]) if way == "after" else (found[-1], found[0])
    assert not first["pageInfo"]["hasPreviousPage"]
    assert not last["pageInfo"]["hasNextPage"]
    assert first["pageInfo"]["hasNextPage"]
    assert last["pageInfo"]["hasPreviousPage"]
    for page in found:
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]


async def test_the_default_order_is_the_last_changed_first_and_25_of_them(home: Home) -> None:
    await home.add(*(home.contact(number, name=f"{number:02}") for number in range(30)))
    found = await home.read("{ contacts { nodes { name } pageInfo { hasNextPage } } }")
    assert [node["name"] for node in found["contacts"]["nodes"]] == [f"{number:02}" for number in range(29, 4, -1)]
    assert found["contacts"]["pageInfo"]["hasNextPage"]


async def test_filters_and_archived_come_from_variables_and_literals_alike(home: Home) -> None:
    await home.add(
        home.contact(1, name="Ann", kind="LEAD"),
        home.contact(2, name="Bob", kind="CONTACT"),
        home.contact(3, name="Cid", kind=None, archived_at=START),
    )
    query = """query ($f: ContactFilter, $a: Archived! = EXCLUDE) {
      contacts(filter: $f, archived: $a) { totalCount nodes { name } } }"""
    for given, archived, expected in [
        ({"kind": ["LEAD"]}, "EXCLUDE", ["Ann"]),
        ({"not": {"kind": ["LEAD"]}}, "INCLUDE", ["Cid", "Bob"]),
        ({"or": [{"name": {"startsWith": "b"}}, {"name": {"in": ["Ann"]}}]}, "INCLUDE", ["Bob", "Ann"]),
        ({}, "ONLY", ["Cid"]),
        (None, "EXCLUDE", ["Bob", "Ann"]),
        ({"createdAt": {"gt": "2026-01-01T02:00:00+01:00"}}, "EXCLUDE", ["Bob"]),
        ({"crm": ["PIPEDRIVE"]}, "INCLUDE", []),
    ]:
        found = (await home.read(query, f=given, a=archived))["contacts"]
        assert [node["name"] for node in found["nodes"]] == expected
        assert found["totalCount"] == len(expected)
    found = await home.read(
        '{ contacts(filter: {kind: [CONTACT], name: {contains: "O"}}, search: "b") { nodes { name } } }'
    )
    assert found["contacts"]["nodes"] == [{"name": "Bob"}]


async def test_custom_fields_are_filtered_by_their_path(home: Home) -> None:
    budget = {"amount": 500, "currency": "EUR"}
    await home.add(
        home.contact(
            1, name="Ann", custom_fields={"Budget": budget, "Tags": ["hot"], "VIP": True, "Due": "2026-03-01"}
        ),
        home.make(tables.Organization, name="Initech", custom_fields={"Budget": budget}),
        home.make(tables.Deal, title="Big", custom_fields={"Budget": budget}),
    )
    found = await home.read(
        """{
        contacts(filter: {customFields: [
          {path: "Budget.amount", number: {gte: "499.99", lt: 501}}
          {path: "Tags", text: {in: ["hot", "cold"], startsWith: "h"}}
          {path: "VIP", bool: true}
          {path: "Due", date: {gte: "2026-03-01T01:00:00+01:00"}}]}) { nodes { name } }
        none: contacts(filter: {customFields: [{path: "VIP", bool: false}]}) { totalCount }
        organizations(filter: {customFields: [{path: "Budget.currency", text: {eq: "EUR"}}]}) { nodes { name } }
        deals(filter: {customFields: [{path: "Budget.currency", text: {isNull: false}}]}) { nodes { title } } }"""
    )
    assert found == {
        "contacts": {"nodes": [{"name": "Ann"}]},
        "none": {"totalCount": 0},
        "organizations": {"nodes": [{"name": "Initech"}]},
        "deals": {"nodes": [{"title": "Big"}]},
    }


@pytest.mark.parametrize(("given", "count"), [({}, 0), ({"bool": True, "text": {"eq": "x"}}, 2), ({"text": None}, 0)])
async def test_an_entry_has_exactly_one_comparison(home: Home, given: dict[str, Any], count: int) -> None:
    query = "query ($f: [CustomFieldFilter!]) { contacts(filter: {customFields: $f}) { totalCount } }"
    code, message = await home.refused(query, f=[{"path": "VIP", "bool": True}, {"path": "Tier"} | given])
    assert code == "BAD_INPUT"
    one = "exactly one of `text`, `number`, `date`, `bool`"
    assert message == f"Each entry of `customFields` has {one}; this one has {count}: Tier."


async def test_a_filtered_count_beyond_10_000_is_null_and_a_plain_one_exact(home: Home) -> None:
    async with home.database.session(home.workspace) as session:
        await home.database.run(
            session,
            "INSERT INTO deal (id, workspace_id, custom_fields, created_at, updated_at, title, status)"
            " SELECT gen_random_uuid(), %(workspace)s, '{}', now(), now(), 'x',"
            " CASE WHEN n <= 10000 THEN 'OPEN' ELSE 'WON' END"
            " FROM generate_series(1, 10001) n",
            {"workspace": home.workspace},
        )
    found = await home.read(
        "{ all: deals(first: 1) { totalCount } open: deals(first: 1, filter: {status: [OPEN]}) { totalCount }"
        ' x: deals(first: 1, filter: {title: {eq: "x"}}) { totalCount } s: deals(first: 1, search: "x") { totalCount } }'
    )
    assert {name: each["totalCount"] for name, each in found.items()} == {
        "all": 10_001,
        "open": 10_000,
        "x": None,
        "s": None,
    }


async def test_related_lists_have_filters_orders_and_pages_of_their_own(home: Home) -> None:
    company = home.make(tables.Organization, name="Initech")
    await home.add(company, *(home.contact(n, name=name, organization_id=company.id) for n, name in enumerate("abcd")))
    query = """query ($after: String) { organizations { nodes { contacts(first: 2, after: $after,
      filter: {name: {ne: "b"}}, orderBy: [{field: NAME}])
      { totalCount nodes { name } pageInfo { endCursor hasNextPage } } } } }"""
    [node] = (await home.read(query))["organizations"]["nodes"]
    assert [each["name"] for each in node["contacts"]["nodes"]] == ["a", "c"]
    assert (node["contacts"]["totalCount"], node["contacts"]["pageInfo"]["hasNextPage"]) == (3, True)
    [node] = (await home.read(query, after=node["contacts"]["pageInfo"]["endCursor"]))["organizations"]["nodes"]
    assert [each["name"] for each in node["contacts"]["nodes"]] == ["d"]


# ---------------------------------------------------------------- integrations and runs


def new_run(home: Home, **values: Any) -> tables.SyncRun:
    given = {
        "integration_id": home.integration,
        "kind": "FULL",
        "status": "PARTIAL",
        "trigger": "MEMBER",
        "record_types": ["CONTACT"],
        "created_at": START,
    }
    return home.make(tables.SyncRun, **{**given, **values})


RUNS = """
{ syncRuns { totalCount nodes { id kind status recordTypes trigger apiCalls recordsCreated recordsUpdated recordsSkipped
  recordsArchived recordsFailed progress etaSeconds durationMs integration { displayName }
  counts { externalType recordType fetched created updated skipped archived failed expected }
  errors(first: 1) { totalCount nodes { externalType externalId field code message at } pageInfo { hasNextPage } } } }
  integrations { syncRuns(status: PARTIAL) { totalCount nodes { status } }
    failed: syncRuns(status: FAILED) { nodes { id } } } }
"""


async def test_a_run_shows_its_counts_and_what_went_wrong(home: Home) -> None:
    counts = {
        "Lead": {"fetched": 2, "created": 1, "updated": 0, "skipped": 0, "archived": 0, "failed": 1},
        "Person": {"fetched": 5, "created": 3, "updated": 1, "skipped": 1, "archived": 0, "failed": 0, "expected": 5},
        "Unheard of": {"fetched": 1},
    }
    run = new_run(home, counts=counts, started_at=START, completed_at=START + timedelta(seconds=1.5), api_calls=9)
    key = gid(run)
    errors = [
        home.make(
            tables.SyncError,
            run_id=run.id,
            external_type="Lead",
            external_id=str(number),
            code="C",
            message="m",
            at=START,
        )
        for number in range(2)
    ]
    first = min(errors, key=lambda error: error.id).external_id
    await home.add(run)
    await home.add(*errors)
    found = await home.read(RUNS)
    [node] = found["syncRuns"]["nodes"]
    zero = {"fetched": 0, "created": 0, "updated": 0, "skipped": 0, "archived": 0, "failed": 0, "expected": None}
    assert node == {
        "id": key,
        "kind": "FULL",
        "status": "PARTIAL",
        "recordTypes": ["CONTACT"],
        "trigger": "MEMBER",
        "apiCalls": 9,
        "recordsCreated": 4,
        "recordsUpdated": 1,
        "recordsSkipped": 1,
        "recordsArchived": 0,
        "recordsFailed": 1,
        "progress": 1.0,
        "etaSeconds": None,
        "durationMs": 1500,
        "integration": {"displayName": "Acme's Pipedrive"},
        "counts": [
            {**zero, "externalType": "Person", "recordType": "CONTACT", **counts["Person"]},
            {**zero, "externalType": "Lead", "recordType": "DEAL", **counts["Lead"]},
        ],
        "errors": {
            "totalCount": 2,
            "nodes": [
                {
                    "externalType": "Lead",
                    "externalId": first,
                    "field": None,
                    "code": "C",
                    "message": "m",
                    "at": "2026-01-01T00:00:00.000000Z",
                }
            ],
            "pageInfo": {"hasNextPage": True},
        },
    }
    [integration] = found["integrations"]
    assert integration == {"syncRuns": {"totalCount": 1, "nodes": [{"status": "PARTIAL"}]}, "failed": {"nodes": []}}


async def test_runs_of_many_integrations_cost_one_statement(home: Home) -> None:
    others = [
        home.make(
            tables.Integration,
            crm="PIPEDRIVE",
            display_name="P",
            credential_kind="API_TOKEN",
            account_id=f"{home.workspace} {n}",
        )
        for n in range(5)
    ]
    await home.add(*others)
    before = home.database.statements
    found = await home.read("{ integrations { syncRuns { totalCount nodes { errors { nodes { code } } } } } }")
    assert len(found["integrations"]) == 6
    assert home.database.statements - before == 3


async def test_an_integration_shows_its_account_and_its_types(home: Home) -> None:
    owner = home.make(tables.CrmUser, integration_id=home.integration, external_id="7", name="Ada L.")
    contact = home.contact(kind="LEAD")
    await home.add(owner, contact, home.source(contact, "1"))
    found = await home.read(
        "{ integrations(crm: [PIPEDRIVE], status: [ACTIVE]) { crm status credentialKind accountUser { name member { id } }"
        " settings { recordTypes } types { externalType recordType } stats { contacts leads deals } lastError }"
        " none: integrations(crm: []) { id } }"
    )
    [integration] = found["integrations"]
    assert integration.pop("types")[0].keys() == {"externalType", "recordType"}
    assert integration == {
        "crm": "PIPEDRIVE",
        "status": "ACTIVE",
        "credentialKind": "API_TOKEN",
        "accountUser": {"name": "Ada L.", "member": None},
        "settings": {"recordTypes": ["CONTACT", "DEAL"]},
        "stats": {"contacts": 1, "leads": 1, "deals": 0},
        "lastError": None,
    }
    assert found["none"] == []


async def test_a_platform_says_what_is_missing(home: Home) -> None:
    query = "{ crmPlatforms { crm name callbackUrl isConfigured missingSettings credentialKinds setupUrl docsUrl } }"
    platforms = {one["crm"]: one for one in (await home.read(query))["crmPlatforms"]}
    platform = platforms["PIPEDRIVE"]
    assert platform["callbackUrl"] == "http://gateway.test/oauth/callback"
    assert (platform["isConfigured"], platform["missingSettings"]) == (False, ["PIPEDRIVE_CLIENT_ID"])
    assert platform["setupUrl"].startswith("https://")
