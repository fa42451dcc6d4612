"""HubSpot's objects, simulated: all their properties, changes by (time, id), associations, merges."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.facts import Catalog
from connectors.hubspot import objects
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from connectors.values import Json
from tests.connectors.simulator import JUST_NOW, Simulator, ids_of, map_all, read_all, read_pages

HUBSPOT = CONNECTORS["HUBSPOT"]
CONTACTS, COMPANIES, DEALS = (HUBSPOT.type(name) for name in ("contacts", "companies", "deals"))
KINDS = [value for value in vars(objects).values() if isinstance(value, objects.Kind)]
BUILT_IN = "HUBSPOT_DEFINED"


@pytest.fixture
def crm() -> str:
    return "HUBSPOT"


@pytest.fixture
def client(simulator: Simulator) -> Client:
    return simulator.client()


@pytest.fixture
async def large() -> AsyncIterator[Simulator]:
    """An account of its own, to be filled."""
    simulator = await Simulator.open("HUBSPOT", 0)
    yield simulator
    await simulator.http.aclose()


def asked_of(simulator: Simulator, path: str) -> list[Json]:
    """The bodies of what was posted there."""
    return [json.loads(request.content) for request, _ in simulator.sent if request.url.path.endswith(path)]


async def patch(simulator: Simulator, path: str, **properties: Any) -> None:
    await simulator.call("PATCH", f"/crm/v3/objects/{path}", {"properties": properties})


async def link(simulator: Simulator, pair: str, key: str, ends: list[str], *types: int) -> None:
    """Labels what is between records; without a label there is one all the same."""
    inputs = [
        {
            "from": {"id": key},
            "to": {"id": end},
            "types": [{"associationCategory": BUILT_IN, "associationTypeId": number} for number in types],
        }
        for end in ends
    ]
    await simulator.call("POST", f"/crm/v4/associations/{pair}/batch/create", {"inputs": inputs})


# ---------------------------------------------------------------- properties


async def test_every_path_has_the_one_version(simulator: Simulator, client: Client) -> None:
    await client.identify()
    await client.users()
    for external in HUBSPOT.types:
        await map_all(client, external, await read_all(client, external, [*external.listings, *external.changes]))

    versions = {
        part for request, _ in simulator.sent for part in request.url.path.split("/") if part[:3] in {"202", "v3"}
    }
    assert versions == {"2026-09"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_what_a_mapping_reads_is_asked_for_where_the_account_does_not_tell_its_properties(
    simulator: Simulator, client: Client, kind: objects.Kind
) -> None:
    external = HUBSPOT.type(kind.name)
    names = {field.name for field in await client.fields(kind.name)}
    read: set[str] = set()

    class Spied(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            read.add(name)
            return super().get(name, default)

    for payload in await read_all(client, external, external.listings):
        map_record(external, {**payload, "properties": Spied(payload["properties"])}, Catalog())

    assert set(kind.read) <= names
    assert read & names <= set(kind.read)
    assert kind.modified in kind.read


async def test_without_the_right_to_read_properties_the_usual_ones_are_read(simulator: Simulator) -> None:
    told = await map_all(simulator.client(), CONTACTS, await read_all(simulator.client(), CONTACTS, CONTACTS.listings))
    await simulator.faults(status={"code": 403, "path": "/crm/properties"})
    client = simulator.client()

    found = await map_all(client, CONTACTS, await read_all(client, CONTACTS, CONTACTS.listings))

    assert {one: mapped.values["emails"] for one, mapped in found.items()} == {
        one: mapped.values["emails"] for one, mapped in told.items()
    }
    assert {one: mapped.refs for one, mapped in found.items()} == {one: mapped.refs for one, mapped in told.items()}


async def test_a_thousand_properties_are_read_without_too_long_an_address(simulator: Simulator) -> None:
    names = [f"property_of_an_import_of_long_ago_{number:04d}" for number in range(1000)]
    made = [
        {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "contactinformation"}
        for name in names
    ]
    for start in range(0, 1000, 100):
        await simulator.call("POST", "/crm/v3/properties/contacts/batch/create", {"inputs": made[start : start + 100]})
    first, second = (await simulator.ids("contacts"))[:2]
    await patch(simulator, f"contacts/{first}", **{names[0]: "the first", names[-1]: "the last"})
    client, since = simulator.client(), datetime.now(UTC) - JUST_NOW
    simulator.sent.clear()

    listed = await map_all(client, CONTACTS, await read_all(client, CONTACTS, CONTACTS.listings))
    changed = await map_all(client, CONTACTS, await read_all(client, CONTACTS, CONTACTS.changes, since=since))
    read = await map_all(client, CONTACTS, list((await client.read(CONTACTS, [first])).values()))

    for found in (listed, changed, read):
        custom = found[first].values["custom_fields"]
        assert (custom[names[0]], custom[names[-1]]) == ("the first", "the last")
    assert listed[second].values["custom_fields"].get(names[0]) is None
    assert set(changed) == {first}
    assert {response.status_code for _, response in simulator.sent} <= {200, 207}
    assert max(len(request.url.raw_path) for request, _ in simulator.sent) < 8_000


async def test_a_property_that_is_made_meanwhile_is_in_the_next_clients_records(simulator: Simulator) -> None:
    before = await read_catalog(simulator.client(), COMPANIES, None)
    made = {
        "name": "new_one",
        "label": "New one",
        "type": "string",
        "fieldType": "text",
        "groupName": "companyinformation",
    }
    await simulator.call("POST", "/crm/v3/properties/companies", made)
    company = (await simulator.ids("companies"))[0]
    await patch(simulator, f"companies/{company}", new_one="yes")

    client = simulator.client()
    found = await map_all(client, COMPANIES, await read_all(client, COMPANIES, COMPANIES.listings))

    assert "new_one" not in {field.name for field in before.fields["companies"]}
    assert found[company].values["custom_fields"]["New one"] == "yes"


# ---------------------------------------------------------------- changes


async def test_500_of_one_time_are_read_once_each_in_pages_of_200(large: Simulator) -> None:
    await large.fill(620)
    await large.faults(sameTime=500)
    client, ids = large.client(), await large.ids("contacts")
    later = ids[600]
    await patch(large, f"contacts/{later}", city="Kyjov")

    pages = await read_pages(client, CONTACTS.changes[0], since=large.begun - JUST_NOW)

    assert sorted(ids_of(CONTACTS, [row for page in pages for row in page])) == sorted([*ids[:500], later])
    assert max(len(page) for page in pages) == 200
    bodies = asked_of(large, "/search")
    assert {(body["limit"], body.get("after", "0")) for body in bodies} == {(200, "0")}


async def test_scenarios_2_and_3_more_changes_than_a_search_shows_are_all_read(large: Simulator) -> None:
    """Also where nearly all are of one time, as after a bulk import: no search by time alone gets past those."""
    await large.fill(10_400)
    client, everybody = large.client(), Counter(await large.ids("contacts"))

    for same_time in (0, 10_250):
        await large.faults(sameTime=same_time)
        pages = await read_pages(client, CONTACTS.changes[0])

        assert Counter(one for page in pages for one in ids_of(CONTACTS, page)) == everybody
        assert {response.status_code for _, response in large.sent} == {200}


async def test_changes_are_asked_for_with_milliseconds_that_time_included(simulator: Simulator, client: Client) -> None:
    since = datetime(2026, 11, 20, 0, 0, 0, 123_000, tzinfo=UTC)

    for external, modified in ((CONTACTS, "lastmodifieddate"), (DEALS, "hs_lastmodifieddate")):
        await client.page(external.changes[0], since=since)

        body = asked_of(simulator, f"/{external.name}/search")[-1]
        filters = [{"propertyName": modified, "operator": "GTE", "value": "1795132800123"}]
        assert body["filterGroups"] == [{"filters": filters}]
        assert body["sorts"] == [{"propertyName": modified, "direction": "ASCENDING"}]


async def test_what_is_edited_while_changes_are_read_is_shown_again(simulator: Simulator, client: Client) -> None:
    await simulator.faults(sameTime=3)
    ids = await simulator.ids("contacts")
    listed = await map_all(client, CONTACTS, await read_all(client, CONTACTS, CONTACTS.listings))
    times = {one: mapped.remote_updated_at or simulator.begun for one, mapped in listed.items()}
    older = sorted((one for one in ids[3:]), key=lambda one: times[one])[-3:]
    first = await client.page(CONTACTS.changes[0], since=times[older[0]], size=5)
    moment = times[ids[0]]
    while moment == times[ids[0]]:  # to the millisecond
        edited = await simulator.call("PATCH", f"/crm/v3/objects/contacts/{ids[0]}", {"properties": {"city": "Kyjov"}})
        moment = datetime.fromisoformat(edited["updatedAt"])

    second = await client.page(CONTACTS.changes[0], first.next, size=5)

    assert ids_of(CONTACTS, first.records) == [*older, *ids[:2]]
    assert ids_of(CONTACTS, second.records) == [ids[2], ids[0]]
    assert second.next is None
    whole = await client.complete(CONTACTS, second.records)
    assert [row["properties"]["city"] for row in whole][1] == "Kyjov"


async def test_edits_between_pages_leave_nothing_out(simulator: Simulator, client: Client) -> None:
    await simulator.faults(sameTime=40, editWhilePaging=3)

    for listing, since in ((CONTACTS.listings[0], None), (CONTACTS.changes[0], datetime.now(UTC) - JUST_NOW)):
        given = {
            one for page in await read_pages(client, listing, since=since, size=5) for one in ids_of(CONTACTS, page)
        }
        assert set((await simulator.ids("contacts"))[:40]) <= given


# ---------------------------------------------------------------- associations


async def test_a_primary_company_comes_first_and_the_others_by_their_ids(simulator: Simulator, client: Client) -> None:
    contact = (await simulator.ids("contacts"))[0]
    one, two, three, *_ = await simulator.ids("companies")
    inputs = [{"from": {"id": contact}, "to": [{"id": end} for end in await simulator.ids("companies")]}]
    await simulator.call("POST", "/crm/v4/associations/contacts/companies/batch/archive", {"inputs": inputs})
    await link(simulator, "contacts/companies", contact, [three, two, one], 279)
    await link(simulator, "contacts/companies", contact, [two], 1)

    found = await map_all(client, CONTACTS, list((await client.read(CONTACTS, [contact])).values()))

    assert found[contact].refs == {"organization": [("companies", two), ("companies", one), ("companies", three)]}


async def test_a_record_with_more_associations_than_a_page_shows_has_all(large: Simulator) -> None:
    await large.fill(700)
    client, people = large.client(), await large.ids("contacts")
    deal, other = (await large.ids("deals"))[:2]
    await link(large, "deals/contacts", deal, people, 3)
    large.sent.clear()

    found = await map_all(client, DEALS, list((await client.read(DEALS, [deal, other])).values()))

    assert [one for _, one in found[deal].refs["contacts"]] == sorted(people, key=int)
    asked = asked_of(large, "/deals/contacts/batch/read")
    assert sorted(one["id"] for one in asked[0]["inputs"]) == sorted([deal, other])
    assert [one["id"] for one in asked[1]["inputs"]] == [deal]
    assert len(asked) == 2


async def test_a_thousand_records_relations_take_one_call(large: Simulator) -> None:
    await large.fill(1_050)
    client = large.client()

    rows = [row for page in await read_pages(client, CONTACTS.listings[0]) for row in page]
    large.sent.clear()
    await client.complete(CONTACTS, rows[:1_000])

    assert len(large.sent) == 1
    assert len(asked_of(large, "/contacts/companies/batch/read")[0]["inputs"]) == 1_000


async def test_a_changed_association_is_no_change_of_the_record_and_is_traced(
    simulator: Simulator, client: Client
) -> None:
    deal = (await simulator.ids("deals"))[0]
    person = (await simulator.ids("contacts"))[-1]
    since = datetime.now(UTC) - JUST_NOW
    await link(simulator, "deals/contacts", deal, [person], 3)

    changed = await read_all(client, DEALS, DEALS.changes, since=since)
    assert DEALS.trace
    traced = await DEALS.trace(client, [deal])

    assert changed == []
    assert ("contacts", person) in DEALS.references["contacts"](traced[deal], Catalog())


async def test_relations_that_the_account_may_not_see_are_none(simulator: Simulator, client: Client) -> None:
    await simulator.faults(status={"code": 403, "path": "/crm/associations/2026-09/deals/contacts"})

    found = await map_all(client, DEALS, await read_all(client, DEALS, DEALS.listings))

    assert {relation for mapped in found.values() for relation in mapped.refs} == {"organization"}


# ---------------------------------------------------------------- merges


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_merged_record_is_found_by_its_old_ids_and_names_them(
    simulator: Simulator, client: Client, *, keeps: bool
) -> None:
    primary, other = (await simulator.ids("contacts"))[:2]
    await simulator.faults(keepPrimaryId=keeps, searchHidesMerges=True)
    body = {"primaryObjectId": primary, "objectIdToMerge": other}
    survivor = (await simulator.call("POST", "/crm/v3/objects/contacts/merge", body))["id"]

    found, gone = await client.prove(CONTACTS, [primary, other])
    changed = await read_all(client, CONTACTS, CONTACTS.changes, since=datetime.now(UTC) - JUST_NOW)

    assert (survivor == primary) is keeps
    assert (list(found), gone) == ([survivor], [one for one in (primary, other) if one != survivor])
    merged = (await map_all(client, CONTACTS, changed))[survivor].merged
    assert sorted(merged) == sorted(one for one in (primary, other) if one != survivor)
