"""What is written into a CRM, simulated, is what was drafted: read back by our own mapping, and found again."""

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.declaration import ExternalType
from connectors.errors import Missing, Rejected
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from connectors.unmapping import fit_draft
from connectors.writing import Draft
from storage.records import ActivityKind
from storage.shapes import RecordType
from tests.connectors.drafts import ACME, ANN, change, create, find_owner, find_type, read_back, told
from tests.connectors.simulator import Simulator

EVERY = pytest.mark.parametrize("crm", CONNECTORS)


@pytest.fixture
def client(simulator: Simulator) -> Client:
    return simulator.client()


@pytest.fixture
def person(simulator: Simulator) -> ExternalType:
    return find_type(simulator, RecordType.CONTACT)


@pytest.fixture
def company(simulator: Simulator) -> ExternalType:
    return find_type(simulator, RecordType.ORGANIZATION)


# ---------------------------------------------------------------- created and read back


@EVERY
async def test_a_person_and_an_organization_are_read_as_they_were_drafted(
    client: Client, person: ExternalType, company: ExternalType, crm: str
) -> None:
    owner = await find_owner(client)

    employer = await create(client, company, Draft(values=ACME, owner=owner))
    made = await create(
        client, person, Draft(values=ANN, refs={"organization": [(company.name, employer)]}, owner=owner)
    )

    acme, ann = await read_back(client, company, employer), await read_back(client, person, made)
    assert told(acme, *ACME, "owner_external_id") == {**ACME, "owner_external_id": owner}
    # HubSpot keeps no label with an address
    email = {"value": "ann@acme.example", "label": {"PIPEDRIVE": "work", "HUBSPOT": None}[crm], "primary": True}
    assert told(ann, *ANN, "owner_external_id") == {**ANN, "emails": [email], "owner_external_id": owner}
    assert ann.refs == {"organization": [(company.name, employer)]}


KINDS = [
    # in the order Pipedrive, HubSpot: the kind that is read back
    (ActivityKind.CALL, "CALL", "CALL"),
    (ActivityKind.EMAIL, "EMAIL", "EMAIL"),
    (ActivityKind.MEETING, "MEETING", "MEETING"),
    (ActivityKind.LINKEDIN, "TASK", "LINKEDIN"),
    (ActivityKind.REFERRAL, "TASK", "TASK"),
    (ActivityKind.CONFERENCE, "MEETING", "MEETING"),
    (ActivityKind.TASK, "TASK", "TASK"),
    (ActivityKind.NOTE, "NOTE", "NOTE"),
]
DRAFTED: Mapping[str, Any] = {
    "subject": "Follow up",
    "body": "Sent the quote",
    "due_on": "2026-11-25",
    "due_at": "2026-11-25T09:30:00Z",
    "duration_minutes": 45,
    "is_done": True,
}
LEFT_OUT = {
    ("PIPEDRIVE", "Note"): {"subject", "due_on", "due_at", "duration_minutes", "is_done"},
    ("HUBSPOT", "notes"): {"subject", "duration_minutes", "is_done"},
    ("HUBSPOT", "tasks"): {"duration_minutes"},
    ("HUBSPOT", "emails"): {"duration_minutes"},
}
"""What records of a type have no place for."""


@EVERY
async def test_an_activity_of_every_kind_is_read_as_it_was_drafted(
    simulator: Simulator, client: Client, person: ExternalType, company: ExternalType, crm: str
) -> None:
    owner = await find_owner(client)
    refs = {
        "contacts": [(person.name, (await simulator.ids(person.name))[0])],
        "organization": [(company.name, (await simulator.ids(company.name))[0])],
    }
    assert ActivityKind.OTHER not in simulator.connector.activities

    for kind, *read in KINDS:
        external = simulator.connector.type(simulator.connector.activities[kind][0])
        catalog = await read_catalog(client, external, "DE")
        whole = Draft(values={"kind": kind.value, **DRAFTED}, refs=refs, owner=owner)
        draft, _ = fit_draft(external, whole, catalog, now=client.now(), is_new=True)

        made = await read_back(client, external, await client.create(external, draft, catalog))

        left_out = LEFT_OUT.get((crm, external.name), set())
        kept = {column: value for column, value in DRAFTED.items() if column not in left_out}
        assert told(made, *kept) == kept
        assert (made.values["kind"], made.values["owner_external_id"]) == (read[crm == "HUBSPOT"], owner)
        assert made.refs == refs


@EVERY
async def test_a_day_without_a_time_stays_a_day_where_the_crm_knows_days(simulator: Simulator, client: Client) -> None:
    external = simulator.connector.type(simulator.connector.activities[ActivityKind.TASK][0])

    one = await create(client, external, Draft(values={"kind": "TASK", "subject": "Call back", "due_on": "2026-11-25"}))

    made = await read_back(client, external, one)
    assert made.values["due_on"] == "2026-11-25"
    assert made.values["due_at"] in (None, "2026-11-25T00:00:00Z")
    assert (made.values["due_at"] is None) == (simulator.name == "pipedrive")


@EVERY
async def test_a_deal_is_placed_by_the_names_of_pipeline_and_stage(simulator: Simulator, client: Client) -> None:
    external = find_type(simulator, RecordType.DEAL)
    pipeline = (await client.pipelines())[-1]
    stage = pipeline.stages[0]
    values = {
        "title": "25 seats", "amount_value": "1200.50", "amount_currency": "EUR", "pipeline": pipeline.name,
        "stage": stage.name, "expected_close_on": "2026-12-24",
    }  # fmt: skip

    one = await create(client, external, Draft(values=values))

    made = await read_back(client, external, one)
    assert told(made, "title", "pipeline", "stage", "amount_currency", "expected_close_on") == {
        "title": "25 seats", "pipeline": pipeline.name, "stage": stage.name, "amount_currency": "EUR",
        "expected_close_on": "2026-12-24",
    }  # fmt: skip
    assert float(made.values["amount_value"]) == 1200.5


@EVERY
async def test_custom_fields_are_written_by_name_and_options_by_label(
    client: Client, person: ExternalType, crm: str
) -> None:
    custom = {
        "PIPEDRIVE": {
            "Lead source": "Referral",
            "Interests": ["Support", "Roadmap"],
            "Score": 7.5,
            "Budget": {"amount": 900, "currency": "EUR"},
            "Last contract": "2026-02-03",
            "Office hours": {"start": "09:00:00", "end": "17:30:00", "timeZone": "Europe/Berlin"},
            "Home address": {"street": "Mill Street 4", "city": "Leeds"},
        },
        "HUBSPOT": {
            "Interests": ["Pricing", "Support"],
            "Score": 12.5,
            "Last contract": "2026-02-03",
            "Last demo": "2026-02-03T10:11:12.000Z",
        },
    }[crm]
    one = await create(client, person, Draft(values={**ANN, "custom_fields": custom}))
    name = next(iter(custom))

    emptied = await change(client, person, {one: Draft(values={"custom_fields": {name: None}})})

    made = await read_back(client, person, one)
    assert emptied == {one: None}
    assert made.values["custom_fields"] == {key: value for key, value in custom.items() if key != name}


# ---------------------------------------------------------------- changed


@EVERY
async def test_a_change_writes_what_the_draft_has_and_nothing_else(
    simulator: Simulator, client: Client, person: ExternalType, company: ExternalType
) -> None:
    first, second = (await simulator.ids(company.name))[:2]
    one = await create(client, person, Draft(values=ANN, refs={"organization": [(company.name, first)]}))
    numbers = [{"value": "+49 30 901829", "label": "mobile", "primary": True}]

    moved = await change(
        client, person, {one: Draft(values={"phones": numbers}, refs={"organization": [(company.name, second)]})}
    )

    made = await read_back(client, person, one)
    assert moved == {one: None}
    assert told(made, "name", "email", "phone") == {
        "name": "Ann Lee", "email": "ann@acme.example", "phone": "+4930901829",
    }  # fmt: skip
    assert made.refs == {"organization": [(company.name, second)]}
    assert await change(client, person, {one: Draft(values={"phones": []}, refs={"organization": []})}) == {one: None}
    emptied = await read_back(client, person, one)
    assert (emptied.values["phones"], emptied.values["name"], emptied.refs) == ([], "Ann Lee", {})


@EVERY
async def test_one_refused_change_keeps_no_other_from_being_written(
    simulator: Simulator, client: Client, company: ExternalType
) -> None:
    ids = (await simulator.ids(company.name))[:3]
    drafts = {one: Draft(values={"name": f"New name {one}"}) for one in ids}
    drafts["99999"] = Draft(values={"name": "Nobody"})
    drafts[ids[2]] = Draft(values={"name": "With an owner"}, owner="123456789")
    simulator.sent.clear()

    result = await change(client, company, drafts)

    read = await client.read(company, ids)
    catalog = await read_catalog(client, company, "DE")
    names = [map_record(company, read[one], catalog).values["name"] for one in ids[:2]]
    assert names == [f"New name {one}" for one in ids[:2]]
    assert {one: type(error) for one, error in result.items()} == {
        ids[0]: type(None), ids[1]: type(None), "99999": Missing, ids[2]: Rejected,
    }  # fmt: skip
    writes = [
        request for request, _ in simulator.sent if request.method in ("PATCH", "PUT") or "update" in request.url.path
    ]
    assert len(writes) == (4 if company.writes and company.writes.changes.most == 1 else 1)


@EVERY
async def test_a_status_that_a_label_stands_for_is_found_and_added_beside_all_others(
    simulator: Simulator, client: Client, person: ExternalType, crm: str
) -> None:
    existing = {"PIPEDRIVE": ("warm", "Warm"), "HUBSPOT": ("open deal", "Open Deal")}[crm]
    one = await create(client, person, Draft(values={**ANN, "tags": [existing[1]]}))
    field = {"PIPEDRIVE": "label_ids", "HUBSPOT": "hs_lead_status"}[crm]
    before = next(each.options for each in await client.fields(person.name) if each.name == field)
    assert await client.find_label(person, existing[0]) is not None
    assert await client.find_label(person, "Warm Lead") is None

    value = await client.add_label(person, "Warm Lead")

    after = next(each.options for each in await client.fields(person.name) if each.name == field)
    assert after == (*before, (value, "Warm Lead"))
    assert await client.find_label(person, "warm lead") == value
    assert await change(client, person, {one: Draft(label=value)}) == {one: None}
    marked = await read_back(client, person, one)
    # a record can have several labels, and one lead status
    assert marked.values["tags"] == {"PIPEDRIVE": ["Warm", "Warm Lead"], "HUBSPOT": ["Warm Lead"]}[crm]
    other = await create(client, person, Draft(values={"name": "Bo Ek"}, label=value))
    assert (await read_back(client, person, other)).values["tags"] == ["Warm Lead"]


# ---------------------------------------------------------------- found again


@EVERY
@pytest.mark.parametrize(
    ("key", "value"),
    [("email", "ANN@Acme.example"), ("phone", "+4930901820"), ("phone", "030 / 90 18 20"), ("name", "ann  LEE")],
)
async def test_a_person_is_found_however_the_key_is_written(
    simulator: Simulator, client: Client, person: ExternalType, key: str, value: str
) -> None:
    one = await create(client, person, Draft(values=ANN))
    await create(client, person, Draft(values={"name": "Ann Leeds", "emails": [{"value": "ann@acme.example.org"}]}))

    found = await client.find(person, key, value, "DE")

    assert [str(row["id"]) for row in found] == [one]
    assert (
        await client.find(person, key, {"email": "x@y.example", "phone": "+4930123456"}.get(key, "No Body"), "DE") == []
    )


@EVERY
async def test_an_organization_is_found_by_its_keys(client: Client, company: ExternalType) -> None:
    one = await create(client, company, Draft(values=ACME))
    values = {"name": "ACME S.R.O.", "domain": "www.acme.example"}
    assert company.writes

    found = {key: await client.find(company, key, values[key]) for key in company.writes.finds}

    assert {key: [str(row["id"]) for row in rows] for key, rows in found.items()} == {key: [one] for key in found}


@pytest.mark.parametrize("crm", ["HUBSPOT"])
async def test_several_keys_are_one_search_and_each_has_its_own_answer(
    simulator: Simulator, client: Client, person: ExternalType, company: ExternalType
) -> None:
    one = await create(client, company, Draft(values=ACME))
    other = await create(client, company, Draft(values={"name": "Acme s.r.o.", "domain": "acme.example.net"}))
    ann = await create(client, person, Draft(values=ANN))
    simulator.restart()

    companies = await client.find_any(
        company, [("domain", "acme.example"), ("name", "acme s.r.o."), ("name", "No Body")]
    )
    people = await client.find_any(person, [("email", "a@b.example"), ("email", "ann@acme.example")], "DE")

    assert [sorted(str(row["id"]) for row in rows) for rows in companies] == [[one], sorted([one, other]), []]
    assert [[str(row["id"]) for row in rows] for rows in people] == [[], [ann]]
    asked = [request.url.path.removeprefix("/hubspot/crm/objects/2026-09/") for request, _ in simulator.sent]
    assert [path for path in asked if path.startswith(("companies", "contacts"))] == [
        "companies/search",
        "companies/batch/read",
        "contacts/batch/read",
        "contacts/batch/read",
    ]


@EVERY
async def test_a_search_that_lags_says_so_and_a_unique_key_is_read_at_once(
    simulator: Simulator, client: Client, person: ExternalType
) -> None:
    await simulator.faults(searchLagSeconds=30)
    await create(client, person, Draft(values=ANN))

    for key, value in (("email", "ann@acme.example"), ("phone", "+4930901820"), ("name", "Ann Lee")):
        found = await client.find(person, key, value, "DE")
        assert (len(found) == 1) == (client.seeks(person, key).lag == 0)
