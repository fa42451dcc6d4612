"""What people say of who is who: merging and splitting records."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from resolvers.callers import Caller
from schema.build import schema
from storage import tables
from storage.listing import GlobalId
from storage.shapes import Role
from tests.schema.conftest import Home, gid

MERGE = """
mutation ($keep: ID!, $merge: [ID!]!) { mergeRecords(input: {keepId: $keep, mergeIds: $merge}) {
  record { id ... on Contact { name mergedIds sources { externalId } } ... on Organization { name mergedIds } }
  userErrors { field code message }
} }
"""
SPLIT = """
mutation ($source: ID!) { splitRecord(input: {sourceRecordId: $source}) {
  kept { id ... on Contact { name mergedIds sources { externalId } } }
  separated { id ... on Contact { name mergedIds sources { externalId } } }
  userErrors { field code message }
} }
"""
CONTACT = "query ($id: ID!) { contact(id: $id) { id name } }"
DEALS = "query ($id: ID!) { contact(id: $id) { deals { nodes { title } } } }"


async def add_people(home: Home, *names: str) -> tuple[list[tables.Contact], list[tables.SourceRecord]]:
    """Contacts, each with a source of its name."""
    people = [home.contact(number, name=name) for number, name in enumerate(names)]
    mapped: dict[str, Any] = {"emails": [], "phones": [], "tags": [], "custom_fields": {}}
    sources = [
        home.source(one, str(number), mapped={**mapped, "name": one.name}) for number, one in enumerate(people, 1)
    ]
    await home.add(*people, *sources)
    return people, sources


async def test_records_become_one_and_their_ids_lead_to_it(home: Home) -> None:
    people, _ = await add_people(home, "Ann", "Ann Lee", "A. Lee")
    deal = home.make(tables.Deal, title="Pumps")
    await home.add(deal, home.make(tables.DealContact, deal_id=deal.id, contact_id=people[0].id))
    keep, *others = (gid(people[2]), gid(people[0]), gid(people[1]))
    payload = (await home.read(MERGE, keep=keep, merge=others))["mergeRecords"]
    sources = [{"externalId": name} for name in ("1", "2", "3")]
    assert payload["userErrors"] == []
    assert (payload["record"]["id"], payload["record"]["sources"]) == (keep, sources)
    assert sorted(payload["record"]["mergedIds"]) == sorted(others)
    for other in others:
        assert (await home.read(CONTACT, id=other))["contact"]["id"] == keep
    assert (await home.read(DEALS, id=keep))["contact"] == {"deals": {"nodes": [{"title": "Pumps"}]}}
    again = (await home.read(MERGE, keep=keep, merge=others))["mergeRecords"]
    assert again == payload, "done again, it changes nothing"


async def test_a_source_gets_a_record_of_its_own(home: Home) -> None:
    people, sources = await add_people(home, "Ann", "Bo")
    await home.read(MERGE, keep=gid(people[0]), merge=[gid(people[1])])
    payload = (await home.read(SPLIT, source=gid(sources[0])))["splitRecord"]
    assert payload["userErrors"] == []
    assert payload["kept"] == {
        "id": gid(people[0]), "name": "Bo", "mergedIds": [gid(people[1])], "sources": [{"externalId": "2"}],
    }  # fmt: skip
    own = payload["separated"]
    assert (own["name"], own["mergedIds"], own["sources"]) == ("Ann", [], [{"externalId": "1"}])
    assert (await home.read(CONTACT, id=own["id"]))["contact"] == {"id": own["id"], "name": "Ann"}
    again = (await home.read(SPLIT, source=gid(sources[0])))["splitRecord"]
    message = "It is the only source of its record: there is nothing to split."
    assert again == refused("sourceRecordId", "BAD_INPUT", message, kept=None, separated=None)


async def test_what_leads_to_a_source_follows_it(home: Home) -> None:
    people, sources = await add_people(home, "Ann", "Bo")
    deal = home.make(tables.Deal, title="Pumps")
    refs = {"contacts": [["Person", "1"]]}
    mapped = {"title": "Pumps", "custom_fields": {}}
    await home.add(
        deal,
        home.source(deal, "7", external_type="Deal", refs=refs, mapped=mapped),
        home.make(tables.DealContact, deal_id=deal.id, contact_id=people[0].id),
    )
    await home.read(MERGE, keep=gid(people[1]), merge=[gid(people[0])])
    own = (await home.read(SPLIT, source=gid(sources[0])))["splitRecord"]["separated"]["id"]
    assert (await home.read(DEALS, id=own))["contact"] == {"deals": {"nodes": [{"title": "Pumps"}]}}
    assert (await home.read(DEALS, id=gid(people[1])))["contact"] == {"deals": {"nodes": []}}


async def test_companies_can_be_merged(home: Home) -> None:
    acme, other = (home.make(tables.Organization, name=name) for name in ("Acme", "Acme Inc."))
    contact = home.contact(name="Ann", organization_id=other.id)
    await home.add(acme, other, contact)
    payload = (await home.read(MERGE, keep=gid(acme), merge=[gid(other)]))["mergeRecords"]
    assert payload == {"record": {"id": gid(acme), "name": "Acme", "mergedIds": [gid(other)]}, "userErrors": []}
    query = "query ($id: ID!) { contact(id: $id) { organization { name } } }"
    assert await home.read(query, id=gid(contact)) == {"contact": {"organization": {"name": "Acme"}}}


def refused(field: str, code: str, message: str, **nothing: None) -> dict[str, Any]:
    return {**nothing, "userErrors": [{"field": ["input", field], "code": code, "message": message}]}


TOO_MANY = "Give 1 to 100 records that are to become part of it."


@pytest.mark.parametrize(
    ("keep", "merge", "field", "message"),
    [
        ("deal", ["ann"], "keepId", "Only contacts and organizations can be merged."),
        ("ann", ["acme"], "mergeIds", "All records are of one type: that of keepId."),
        ("ann", ["bo", "acme"], "mergeIds", "All records are of one type: that of keepId."),
        ("ann", ["bo", "bo"], "mergeIds", "Name each record once."),
        ("ann", ["bo", "ann"], "mergeIds", "The record that stays is none of those that become part of it."),
        ("ann", [], "mergeIds", TOO_MANY),
        ("ann", ["bo"] * 101, "mergeIds", TOO_MANY),
    ],
)
async def test_what_cannot_be_merged(home: Home, keep: str, merge: list[str], field: str, message: str) -> None:
    (ann, bo), _ = await add_people(home, "Ann", "Bo")
    acme, deal = home.make(tables.Organization, name="Acme"), home.make(tables.Deal, title="Pumps")
    await home.add(acme, deal)
    ids = {"ann": gid(ann), "bo": gid(bo), "acme": gid(acme), "deal": gid(deal)}
    payload = (await home.read(MERGE, keep=ids[keep], merge=[ids[one] for one in merge]))["mergeRecords"]
    assert payload == refused(field, "BAD_INPUT", message, record=None)
    assert (await home.read(CONTACT, id=ids["bo"]))["contact"] == {"id": ids["bo"], "name": "Bo"}


async def test_another_workspaces_records_are_not_there(home: Home, neighbour: Home) -> None:
    (ann, bo), _ = await add_people(home, "Ann", "Bo")
    (cy, _dee), (source, _) = await add_people(neighbour, "Cy", "Dee")
    gone = refused("mergeIds", "NOT_FOUND", "There is no such record.", record=None)
    assert (await home.read(MERGE, keep=gid(ann), merge=[gid(bo), gid(cy)]))["mergeRecords"] == gone
    gone = refused("keepId", "NOT_FOUND", "There is no such record.", record=None)
    assert (await home.read(MERGE, keep=gid(cy), merge=[gid(ann)]))["mergeRecords"] == gone
    gone = refused("sourceRecordId", "NOT_FOUND", "There is no such source record.", kept=None, separated=None)
    for unknown in (gid(source), gid(ann), str(GlobalId("SourceRecord", UUID(int=1)))):
        assert (await home.read(SPLIT, source=unknown))["splitRecord"] == gone
    assert (await home.read(CONTACT, id=gid(bo)))["contact"] == {"id": gid(bo), "name": "Bo"}
    assert (await neighbour.read(CONTACT, id=gid(cy)))["contact"] == {"id": gid(cy), "name": "Cy"}


async def test_deals_are_not_matched_and_cannot_be_split(home: Home) -> None:
    deal = home.make(tables.Deal, title="Pumps")
    source = home.source(deal, "1", external_type="Deal")
    await home.add(deal, source)
    message = "Only sources of contacts and organizations are matched with others."
    payload = (await home.read(SPLIT, source=gid(source)))["splitRecord"]
    assert payload == refused("sourceRecordId", "BAD_INPUT", message, kept=None, separated=None)


@pytest.mark.parametrize("query", [MERGE, SPLIT], ids=["merge", "split"])
async def test_a_viewer_may_not(home: Home, query: str) -> None:
    people, sources = await add_people(home, "Ann", "Bo")
    caller = Caller(workspace_id=home.workspace, member_id=home.member, role=Role.VIEWER)
    values = {"keep": gid(people[0]), "merge": [gid(people[1])], "source": gid(sources[0])}
    used = {name: value for name, value in values.items() if f"${name}:" in query}
    answer = await schema.execute(query, variable_values=used, context_value=replace(home.context(), caller=caller))
    assert answer.errors is not None
    assert [error.extensions for error in answer.errors] == [{"code": "FORBIDDEN", "requiredRole": "OPERATOR"}]
