"""What CRMs answer to what is written, as they have been seen to, or as they describe it; and what is sent them."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx

from connectors.client import Client
from connectors.errors import Conflict, CrmError, Missing, Reauthorize, Rejected, Unsupported
from connectors.facts import Catalog
from connectors.http import Http
from connectors.overrides import Overrides, Rule
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from connectors.unmapping import fit_draft, unmap_draft
from connectors.writing import Draft
from storage.shapes import RecordType
from tests.connectors.clock import Time
from tests.connectors.conftest import BASE, make_client
from tests.connectors.simulator import Simulator

CREATES = {"PIPEDRIVE": "/api/v2/persons", "HUBSPOT": "/crm/objects/2026-09/contacts"}
ANN = Draft(values={"name": "Ann Lee"})


@pytest.fixture
def client(time: Time, ledger: MemoryLedger, http: Http) -> Client:
    return make_client(time, ledger, http)


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE) as router:
        yield router


async def create_ann(client: Client, crm: str) -> str:
    connector = client.connector = client.wire.connector = CONNECTORS[crm]
    person = next(one for one in connector.types if one.record_type is RecordType.CONTACT)
    return await client.create(person, ANN, Catalog())


MADE: list[tuple[str, int, Any, str]] = [
    ("PIPEDRIVE", 200, {"success": True, "data": {"id": 6551, "name": "Ann Lee", "org_id": None}}, "6551"),
    # as it answered of old, and where something stands between
    ("PIPEDRIVE", 201, {"success": True, "data": {"id": 6551}, "related_objects": {"user": {"7": {"id": 7}}}}, "6551"),
    ("HUBSPOT", 201, {"id": "33451", "properties": {"firstname": "Ann", "lastname": None}, "archived": False}, "33451"),
]


@pytest.mark.parametrize(("crm", "status", "body", "made"), MADE)
async def test_the_id_of_what_was_made(
    router: respx.MockRouter, client: Client, crm: str, status: int, body: Any, made: str
) -> None:
    router.post(CREATES[crm]).mock(return_value=httpx.Response(status, json=body))

    assert await create_ann(client, crm) == made


FAILED: list[tuple[str, int, Any, type[CrmError], str]] = [
    (
        "PIPEDRIVE",
        400,
        {
            "success": False,
            "error": "Validation failed: website: 'website' is not allowed; custom_fields.score: Not a number",
            "code": "ERR_SCHEMA",
        },
        Rejected,
        "Pipedrive refuses the request (HTTP 400, ERR_SCHEMA): website: 'website' is not allowed; score: Not a number.",
    ),
    (
        "PIPEDRIVE",
        400,
        {"success": False, "error": "'person_id' is a read-only field.", "code": "ERR_BAD_REQUEST"},
        Rejected,
        "Pipedrive refuses the request (HTTP 400, ERR_BAD_REQUEST): person_id: 'person_id' is a read-only field.",
    ),
    (
        "PIPEDRIVE",
        401,
        {"success": False, "error": "unauthorized access", "errorCode": 401},
        Reauthorize,
        "Pipedrive refuses the token (HTTP 401): unauthorized access.",
    ),
    (
        "PIPEDRIVE",
        403,
        {"success": False, "error": "Limit reached.", "code": "feature_capping_limit", "data": None},
        Unsupported,
        "Pipedrive does not allow that: a scope, a right or the plan (HTTP 403, feature_capping_limit): Limit reached.",
    ),
    (
        "PIPEDRIVE",
        404,
        {"success": False, "error": "Entity was not found", "error_info": "Object was not found.", "data": None},
        Missing,
        "Pipedrive has no such record, or does not show it (HTTP 404): Entity was not found.",
    ),
    (
        "HUBSPOT",
        400,
        {
            "status": "error",
            "message": "Invalid input",
            "category": "VALIDATION_ERROR",
            "errors": [{"message": "Email address no is invalid", "code": "INVALID_EMAIL", "in": "email"}],
        },
        Rejected,
        "HubSpot refuses the request (HTTP 400, VALIDATION_ERROR): email: Email address no is invalid.",
    ),
    (
        "HUBSPOT",
        404,
        {
            "status": "error",
            "message": "contact does not exist",
            "category": "OBJECT_NOT_FOUND",
            "errors": [{"message": "There is no contact e:a@b.example."}],
        },
        Missing,
        "HubSpot has no such record, or does not show it (HTTP 404, OBJECT_NOT_FOUND): There is no contact e:a@b.example.",
    ),
    (
        "HUBSPOT",
        409,
        {"status": "error", "message": "Contact already exists. Existing ID: 33451", "category": "CONFLICT"},
        Conflict,
        "HubSpot holds a newer state (HTTP 409, CONFLICT): Contact already exists. Existing ID: 33451.",
    ),
]


@pytest.mark.parametrize(("crm", "status", "body", "kind", "message"), FAILED)
async def test_an_error_is_what_it_says(
    router: respx.MockRouter, client: Client, crm: str, status: int, body: Any, kind: type[CrmError], message: str
) -> None:
    route = router.post(CREATES[crm]).mock(return_value=httpx.Response(status, json=body))

    with pytest.raises(CrmError) as caught:
        await create_ann(client, crm)

    assert (type(caught.value), caught.value.message, route.call_count) == (kind, message, 1)


# ---------------------------------------------------------------- Pipedrive alone


PIPEDRIVE = CONNECTORS["PIPEDRIVE"]
NOTE = PIPEDRIVE.type("Note")


@pytest.mark.parametrize("external", PIPEDRIVE.types, ids=lambda external: external.name)
def test_an_owner_is_a_number_whether_or_not_the_fields_are_told(external: Any) -> None:
    """Of activities they are not with OAuth, and notes have no list of fields at all."""
    written = unmap_draft(external, Draft(owner="1001"), Catalog(), now=datetime.now(UTC))

    assert written.fields == {"user_id" if external.name == "Note" else "owner_id": 1001}


@pytest.mark.parametrize("status", [400, 403])
async def test_a_note_of_somebody_else_is_ours_where_only_administrators_name_its_author(
    router: respx.MockRouter, client: Client, status: int
) -> None:
    refused = httpx.Response(status, json={"success": False, "error": "You cannot change the author"})
    made = httpx.Response(201, json={"success": True, "data": {"id": 7}})
    route = router.post("/api/v1/notes").mock(side_effect=[refused, made])
    draft = Draft(values={"kind": "NOTE", "body": "Spoke"}, refs={"contacts": [("Person", "5")]}, owner="1001")

    assert await client.create(NOTE, draft, Catalog()) == "7"

    sent = [json.loads(call.request.content) for call in route.calls]
    body: Mapping[str, Any] = {"content": "Spoke", "person_id": 5}
    assert sent == [{**body, "user_id": 1001}, body]


def test_a_deal_without_a_worth_keeps_its_currency() -> None:
    draft = Draft(values={"amount_value": None, "amount_currency": None})

    written = unmap_draft(PIPEDRIVE.type("Deal"), draft, Catalog(), now=datetime.now(UTC))

    assert written.fields == {"value": 0}


@pytest.mark.parametrize("field", ["email", "phone"])
def test_a_text_that_somebody_maps_onto_a_list_of_entries_is_one_of_them(field: str) -> None:
    rule = Rule(local_field="jobTitle", crm_field=field, transform="lower(value)")
    draft = Draft(values={"job_title": "ANN@ACME.EXAMPLE"})

    written = unmap_draft(
        PIPEDRIVE.type("Person"), draft, Catalog(), Overrides(outward={"Person": (rule,)}), now=datetime.now(UTC)
    )

    assert written.fields == {f"{field}s": [{"value": "ann@acme.example", "primary": True}]}


WRITABLE = {
    "Person": "email label_ids name org_id owner_id phone visible_to",
    "Organization": "address annual_revenue employee_count industry label_ids linkedin name owner_id visible_to website",
    "Deal": "currency expected_close_date label_ids lost_reason org_id owner_id person_id pipeline_id probability stage_id"
    " status title value visible_to",
}
"""What bodies of v2 have a place for: https://developers.pipedrive.com/docs/api/v1/Persons and its neighbours."""


@pytest.mark.parametrize("crm", ["PIPEDRIVE"])
async def test_what_no_body_has_a_place_for_is_not_writable(simulator: Simulator) -> None:
    client = simulator.client()

    for external, names in WRITABLE.items():
        built_in = [field for field in await client.fields(external) if not field.is_custom]
        assert sorted(field.name for field in built_in if field.is_writable) == names.split()


def test_a_name_that_is_taken_away_keeps_nothing_else_from_being_written() -> None:
    person, numbers = PIPEDRIVE.type("Person"), [{"value": "+49 30 901820", "label": "work", "primary": True}]
    now, nameless = datetime.now(UTC), Draft(values={"name": None, "tags": []})

    kept, refused = fit_draft(person, nameless, Catalog(), now=now)
    called = unmap_draft(person, Draft(values={"name": None, "phones": numbers}), Catalog(), now=now)

    assert (kept.values, [error.column for error in refused]) == ({"tags": []}, ["name"])
    assert called.fields == {"name": "+49 30 901820", "phones": numbers}
