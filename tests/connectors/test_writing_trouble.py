"""What a CRM refuses or leaves open of what is written, and what never goes out."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.declaration import ExternalType
from connectors.errors import Ambiguous, Conflict, Rejected, Retryable, Unwritable
from connectors.facts import Catalog
from connectors.families import Family
from connectors.http import Http
from connectors.mapping import map_record
from connectors.overrides import Overrides, Rule
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from connectors.targets import list_targets
from connectors.unmapping import fit_draft, unmap_draft, writable
from connectors.writing import Draft
from storage.records import ActivityKind
from storage.shapes import RecordType
from tests.connectors.clock import Time
from tests.connectors.conftest import BASE, make_client
from tests.connectors.drafts import ACME, ANN, create, find_type, read_back, told
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


# ---------------------------------------------------------------- nobody knows


@EVERY
async def test_a_create_that_is_not_answered_is_sent_once_and_its_record_shows_among_the_newest(
    simulator: Simulator, client: Client, person: ExternalType, company: ExternalType
) -> None:
    note = simulator.connector.type(simulator.connector.activities[ActivityKind.NOTE][0])
    contact = (person.name, (await simulator.ids(person.name))[0])
    drafts = {
        person.name: Draft(values=ANN),
        company.name: Draft(values=ACME),
        note.name: Draft(values={"kind": "NOTE", "body": "Spoke"}, refs={"contacts": [contact]}),
    }
    for external in (person, company, note):
        catalog = await read_catalog(client, external, "DE")
        since = simulator.begun - timedelta(seconds=1)
        before = await simulator.ids(external.name)
        await simulator.faults(timeoutAfterCommit=1)

        with pytest.raises(Ambiguous):
            await client.create(external, drafts[external.name], catalog)

        (made,) = set(await simulator.ids(external.name)) - set(before)
        newest = await client.list_made(external, since)
        assert made in [str(row["id"]) for row in newest]
        assert all(map_record(external, row, catalog).external_id for row in newest)
        assert await client.list_made(external, simulator.begun + timedelta(hours=1)) == []


@EVERY
async def test_a_server_error_leaves_open_whether_it_was_written(
    simulator: Simulator, client: Client, company: ExternalType
) -> None:
    catalog = await read_catalog(client, company, "DE")
    one = (await simulator.ids(company.name))[0]
    await simulator.faults(status=503)
    simulator.sent.clear()

    with pytest.raises(Ambiguous):
        await client.create(company, Draft(values=ACME), catalog)
    result = await client.change(company, {one: Draft(values={"name": "Other"})}, catalog)

    assert [type(error) for error in result.values()] == [Ambiguous]
    assert len(simulator.sent) == 2


@EVERY
async def test_a_create_that_comes_too_early_waits_and_is_sent_again(
    simulator: Simulator, client: Client, company: ExternalType
) -> None:
    catalog = await read_catalog(client, company, "DE")
    before = await simulator.ids(company.name)
    await simulator.faults(status={"code": 429, "times": 2})

    one = await client.create(company, Draft(values=ACME), catalog)

    assert set(await simulator.ids(company.name)) - set(before) == {one}
    assert sum(simulator.time.waited) > 0


# ---------------------------------------------------------------- refused


@EVERY
async def test_what_the_crm_refuses_is_told_in_its_words(
    simulator: Simulator, client: Client, person: ExternalType, crm: str
) -> None:
    catalog = await read_catalog(client, person, "DE")

    with pytest.raises(Rejected) as caught:
        await client.create(person, Draft(values=ANN, owner="123456789"), catalog)

    error = caught.value
    assert (
        error.fields
        == {
            "PIPEDRIVE": {"owner_id": "is no user of this company"},
            "HUBSPOT": {"hubspot_owner_id": "Owner 123456789 does not exist"},
        }[crm]
    )
    refusals = {
        "PIPEDRIVE": "Pipedrive refuses the request (HTTP 400, ERR_SCHEMA_VALIDATION_FAILED): owner_id: is no user of"
        " this company.",
        "HUBSPOT": "HubSpot refuses the request (HTTP 400, VALIDATION_ERROR): hubspot_owner_id: Owner 123456789 does"
        " not exist.",
    }
    assert error.message == refusals[crm]


@pytest.mark.parametrize("crm", ["HUBSPOT"])
async def test_an_address_that_somebody_has_names_the_record_that_is_there(
    simulator: Simulator, client: Client, person: ExternalType
) -> None:
    one = await create(client, person, Draft(values=ANN))

    with pytest.raises(Conflict) as caught:
        await create(client, person, Draft(values=ANN))

    assert caught.value.existing == one


@pytest.mark.parametrize("crm", ["PIPEDRIVE"])
async def test_a_field_that_comes_with_a_plan_does_not_keep_a_new_record_out(simulator: Simulator) -> None:
    client = simulator.client(token=f"{simulator.token}-2")
    company = find_type(simulator, RecordType.ORGANIZATION)

    catalog = await read_catalog(client, company, "DE")
    with pytest.raises(Rejected) as caught:
        await client.create(company, Draft(values=ACME), catalog)

    assert list(caught.value.fields) == ["website", "employee_count"]
    one = await client.create(company, Draft(values=ACME), catalog, without={"website", "employee_count"})
    assert told(await read_back(client, company, one), "name", "website") == {"name": "Acme s.r.o.", "website": None}


@EVERY
@pytest.mark.parametrize(
    ("values", "column"),
    [
        ({"job": "Boss"}, "job"),
        ({"tags": ["No such label"]}, "tags"),
        ({"custom_fields": {"No such field": 1}}, "custom_fields.No such field"),
        ({"custom_fields": {"Interests": ["No such option"]}}, "custom_fields.Interests"),
        ({"emails": "ann@acme.example"}, "emails"),
    ],
)
async def test_what_has_no_place_is_told_before_anything_is_sent(
    simulator: Simulator, client: Client, person: ExternalType, values: Mapping[str, Any], column: str
) -> None:
    catalog = await read_catalog(client, person, "DE")
    before = client.calls
    draft = Draft(values={**ANN, **values})

    with pytest.raises(Unwritable) as caught:
        await client.create(person, draft, catalog)

    kept, wrong = fit_draft(person, draft, catalog, now=client.now(), is_new=True)
    assert (caught.value.column, client.calls) == (column, before)
    assert [error.column for error in wrong] == [column]
    assert kept.values["name"] == "Ann Lee"


@EVERY
async def test_a_person_without_anything_to_be_called_by_is_not_sent(client: Client, person: ExternalType) -> None:
    catalog = await read_catalog(client, person, "DE")
    before = client.calls

    with pytest.raises(Unwritable):
        await client.create(person, Draft(values={"tags": []}), catalog)

    assert client.calls == before
    one = await client.create(person, Draft(values={"phones": [{"value": "+49 30 901820", "primary": True}]}), catalog)
    made = await read_back(client, person, one)
    assert told(made, "name", "phone") == {"name": "+49 30 901820", "phone": "+4930901820"}


# ---------------------------------------------------------------- mappings of somebody's own


@EVERY
async def test_mappings_of_somebodys_own_lead_out_too(client: Client, person: ExternalType) -> None:
    fields = {each.label: each.name for each in await client.fields(person.name) if each.type in ("varchar", "string")}
    rule = Rule(local_field="name", crm_field=fields["Region"], transform="upper(value)")
    overrides = Overrides(outward={person.name: (rule,)})
    catalog = await read_catalog(client, person, "DE")
    one = await create(client, person, Draft(values=ANN))

    result = await client.change(person, {one: Draft(values={"name": "Bo Ek"})}, catalog, overrides)

    made = await read_back(client, person, one)
    assert result == {one: None}
    assert made.values["name"] == "Ann Lee"
    assert "BO EK" in made.values["custom_fields"].values()


async def test_an_amount_goes_out_in_one_piece(time: Time) -> None:
    external = CONNECTORS["HUBSPOT"].type("deals")
    rule = Rule(local_field="amount", crm_field="hs_tcv", transform="value.currency + ' ' + string(value.amount)")
    overrides = Overrides(outward={external.name: (rule,)})
    now = datetime.fromtimestamp(time.clock(), UTC)

    made = [
        unmap_draft(external, Draft(values=values), Catalog(), overrides, now=now).fields
        for values in ({"amount_value": "12.5", "amount_currency": "EUR"}, {"amount_currency": "EUR"})
    ]

    assert made == [{"hs_tcv": "EUR 12.5"}, {}]


@EVERY
async def test_what_may_go_out_is_known_beforehand(client: Client, person: ExternalType, crm: str) -> None:
    catalog = await read_catalog(client, person, "DE")
    columns = (
        "name", "first_name", "job_title", "emails", "organization", "kind", "tags", "custom_fields.Interests",
        "custom_fields.Nothing",
    )  # fmt: skip

    open_ = {column for column in columns if writable(person, column, Overrides(), catalog)}

    both = {"name", "emails", "organization", "tags", "custom_fields.Interests"}
    assert open_ == both | ({"first_name", "job_title"} if crm == "HUBSPOT" else set())
    assert not writable(person, "emails", Overrides(excluded=frozenset({"email"})), catalog)
    assert writable(person, "emails", Overrides(), Catalog())
    # the connector's own mapping, said to be INBOUND
    read_only = Overrides(rules={person.name: (Rule(local_field="emails", crm_field="email"),)})
    assert not writable(person, "emails", read_only, catalog)
    both_ways = Overrides(rules=read_only.rules, outward=read_only.rules)
    assert writable(person, "emails", both_ways, catalog)


PLAIN = [
    (external, column)
    for connector in CONNECTORS.values()
    for external in connector.types
    if external.writes
    for target in list_targets(external.record_type).values()
    if (column := target.columns[0]) in external.mapping
    and isinstance(external.mapping[column], str)
    and isinstance(external.writes.fills.get(column), str)
    and target.family is Family.TEXT
]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30).filter(str.strip)


@given(st.data())
def test_what_goes_out_as_it_is_comes_back_as_it_was(data: st.DataObject) -> None:
    external, column = data.draw(st.sampled_from(PLAIN))
    text = data.draw(TEXT)

    written = unmap_draft(external, Draft(values={column: text}), Catalog(), now=datetime.now(UTC))

    payload = {"id": "1", **written.fields, "properties": dict(written.fields)}
    assert map_record(external, payload, Catalog()).values[column] == text


# ---------------------------------------------------------------- on the way


MADE = httpx.Response(200, json={"success": True, "data": {"id": 7}})
COMPANY = CONNECTORS["PIPEDRIVE"].type("Organization")


def posts(router: respx.MockRouter, *answers: httpx.Response | Exception) -> respx.Route:
    return router.post("/api/v2/organizations").mock(side_effect=list(answers))


@pytest.fixture
def pipedrive(time: Time, ledger: MemoryLedger, http: Http) -> Client:
    return make_client(time, ledger, http)


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE) as router:
        yield router


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("refused"), httpx.ConnectTimeout("no way"), httpx.PoolTimeout("")]
)
async def test_what_was_never_sent_is_sent_again(
    router: respx.MockRouter, pipedrive: Client, failure: Exception
) -> None:
    route = posts(router, failure, MADE)

    assert await pipedrive.create(COMPANY, Draft(values={"name": "Acme"}), Catalog()) == "7"

    assert [json.loads(call.request.content) for call in route.calls] == [{"name": "Acme"}] * 2


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("late"),
        httpx.WriteError("cut"),
        httpx.RemoteProtocolError("cut"),
        httpx.Response(502, text="<html>"),
        httpx.Response(200, content=b'{"success": tr'),
        httpx.Response(200, json={"success": True, "data": None}),
    ],
    ids=str,
)
async def test_what_may_have_arrived_is_never_sent_again(
    router: respx.MockRouter, pipedrive: Client, failure: httpx.Response | Exception
) -> None:
    route = posts(router, failure)

    with pytest.raises(Ambiguous):
        await pipedrive.create(COMPANY, Draft(values={"name": "Acme"}), Catalog())

    assert route.call_count == 1


async def test_a_label_is_added_by_the_call_for_one_option_where_that_is_taken(
    router: respx.MockRouter, pipedrive: Client
) -> None:
    field = {"field_code": "label_ids", "field_type": "set", "is_custom_field": False}
    hot, warm = {"id": 4, "label": "Hot"}, {"id": 9, "label": "Warm Lead"}
    before, after = {**field, "options": [hot]}, {**field, "options": [hot, warm]}
    listed = [httpx.Response(200, json={"success": True, "data": [one]}) for one in (before, after)]
    router.get("/api/v2/organizationFields").mock(side_effect=listed)
    route = router.post("/api/v2/organizationFields/label_ids/options").mock(return_value=MADE)

    assert await pipedrive.add_label(COMPANY, "Warm Lead") == "9"

    assert [json.loads(call.request.content) for call in route.calls] == [[{"label": "Warm Lead"}]]


async def test_a_batch_that_is_refused_as_a_whole_is_sent_one_by_one(
    router: respx.MockRouter, time: Time, ledger: MemoryLedger, http: Http
) -> None:
    client = make_client(time, ledger, http)
    client.connector = client.wire.connector = CONNECTORS["HUBSPOT"]
    refused = httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": "Property values were not valid"})
    whole = router.post("/crm/objects/2026-09/companies/batch/update").mock(return_value=refused)
    good = router.patch("/crm/objects/2026-09/companies/1").mock(return_value=httpx.Response(200, json={"id": "1"}))
    bad = router.patch("/crm/objects/2026-09/companies/2").mock(return_value=refused)
    drafts = {"1": Draft(values={"name": "One"}), "2": Draft(values={"name": "Two"})}

    result = await client.change(CONNECTORS["HUBSPOT"].type("companies"), drafts, Catalog())

    assert {one: type(error) for one, error in result.items()} == {"1": type(None), "2": Rejected}
    assert (whole.call_count, good.call_count, bad.call_count) == (1, 1, 1)


async def test_the_vendors_words_are_short_and_hold_no_secret(router: respx.MockRouter, pipedrive: Client) -> None:
    words = "secret-token-1\nand pat-na1-3f9d0c1b-e2a8-4f77-95d0-6c1b8e4a2f7d " + "x " * 500
    body = {"success": False, "error": words, "field_code": "name<script>"}
    posts(router, httpx.Response(400, json=body))

    with pytest.raises(Rejected) as caught:
        await pipedrive.create(COMPANY, Draft(values={"name": "Acme"}), Catalog())

    (told_words,) = caught.value.fields.values()
    assert told_words.startswith("… and … x x x")
    assert len(told_words) == 301
    assert list(caught.value.fields) == [""]
    assert not any(secret in str(vars(caught.value)) for secret in ("secret-token-1", "3f9d0c1b", "<script>"))


async def test_a_page_of_a_wall_before_the_crm_asks_to_come_again(router: respx.MockRouter, pipedrive: Client) -> None:
    route = posts(router, httpx.Response(403, text="<html>blocked</html>"))

    with pytest.raises(Retryable) as caught:
        await pipedrive.create(COMPANY, Draft(values={"name": "Acme"}), Catalog())

    assert (caught.value.after, route.call_count) == (300, 1)
