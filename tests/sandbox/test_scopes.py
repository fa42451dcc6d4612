"""Scopes: what a token lacks it may not do; an API token may do all."""

from typing import Any

import pytest

from sandbox.pipedrive.routes import ENDPOINTS
from tests.sandbox.app import App
from tests.sandbox.caller import Caller

REFUSED = {
    "success": False, "error": "Scope and URL mismatch", "errorCode": 403,
    "error_info": "Please check developers.pipedrive.com",
}  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "method", "path", "body"),
    [
        ("base", "GET", "/v1/users/me", None),
        ("base", "GET", "/v1/currencies", None),
        ("contacts:full", "GET", "/api/v2/persons", None),
        ("contacts:full", "GET", "/api/v2/organizations/1", None),
        ("contacts:full", "GET", "/api/v2/personFields", None),
        ("contacts:full", "GET", "/v1/organizationFields", None),
        ("contacts:full", "GET", "/v1/notes", None),
        ("contacts:full", "POST", "/api/v2/persons", {"name": "Ann Lee"}),
        ("contacts:full", "POST", "/v1/notes", {"content": "hello", "person_id": 1}),
        ("contacts:full", "PUT", "/v1/persons/2/merge", {"merge_with_id": 1}),
        ("deals:full", "GET", "/api/v2/deals", None),
        ("deals:full", "GET", "/api/v2/deals/archived", None),
        ("deals:full", "GET", "/api/v2/dealFields", None),
        ("deals:full", "GET", "/api/v2/pipelines", None),
        ("deals:full", "GET", "/api/v2/stages", None),
        ("deals:full", "PUT", "/v1/deals/2/merge", {"merge_with_id": 1}),
        ("activities:full", "GET", "/api/v2/activities", None),
        ("activities:full", "GET", "/v1/activityTypes", None),
        ("activities:full", "GET", "/v1/activityFields", None),
        ("leads:full", "GET", "/v1/leads", None),
        ("leads:full", "GET", "/v1/leadLabels", None),
        ("leads:full", "POST", "/v1/leads", {"title": "New", "person_id": 1}),
        ("users:read", "GET", "/v1/users", None),
        ("search:read", "GET", "/api/v2/persons/search?term=example", None),
        ("search:read", "GET", "/api/v2/itemSearch?term=example", None),
        ("recents:read", "GET", "/v1/recents?since_timestamp=2026-10-31 00:00:00", None),
        ("webhooks:full", "GET", "/v1/webhooks", None),
        ("contact-fields:full", "POST", "/api/v2/personFields", {"field_name": "A", "field_type": "text"}),
    ],
)
async def test_a_token_without_the_scope(crm: Caller, scope: str, method: str, path: str, body: Any) -> None:
    app = App(crm.client)
    whole = await app.caller()
    await crm.faults(withoutScopes=[scope])
    given = await app.install()
    assert scope not in given["scope"].split(",")
    before = await crm.counts()
    refused = await app.holder(given).call(method, path, body)
    assert (refused.status_code, refused.json()) == (403, REFUSED)
    assert await crm.counts() == before
    assert (await whole.call(method, path, body)).status_code in {200, 201}


async def test_refreshes_lack_scopes_too(crm: Caller) -> None:
    given = await (app := App(crm.client)).install()
    await crm.faults(withoutScopes=["leads:full", "deals:full"])
    lacking = (await app.refresh(given["refresh_token"])).json()
    assert set(given["scope"].split(",")) - set(lacking["scope"].split(",")) == {"leads:full", "deals:full"}
    assert [(await app.holder(each).get("/v1/leads")).status_code for each in (given, lacking)] == [200, 403]
    await crm.faults()
    again = (await app.refresh(given["refresh_token"])).json()
    assert again["scope"] == given["scope"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/v2/activityFields", None),
        ("GET", "/api/v2/products", None),
        ("POST", "/api/v2/dealFields", {"field_name": "A", "field_type": "text"}),
    ],
)
async def test_what_no_consent_grants(crm: Caller, method: str, path: str, body: Any) -> None:
    caller = await App(crm.client).caller()
    assert (await caller.call(method, path, body)).json() == REFUSED
    assert (await crm.call(method, path, body)).status_code == 200


async def test_options_need_contacts_or_their_fields(crm: Caller) -> None:
    fields = await crm.every("/api/v2/personFields")
    code = next(each["field_code"] for each in fields if each["is_custom_field"] and each["field_type"] == "enum")
    for lacking, status in ((["contacts:full"], 200), (["contacts:full", "contact-fields:full"], 403)):
        await crm.faults(withoutScopes=lacking)
        caller = await App(crm.client).caller()
        answer = await caller.call("POST", f"/api/v2/personFields/{code}/options", [{"label": "New"}])
        assert answer.status_code == status


def test_reading_needs_less_than_writing() -> None:
    needs = {(each.method, each.template): each.needs() for each in ENDPOINTS}
    assert needs["GET", "/api/v2/persons"] == {"contacts:read", "contacts:full"}
    assert needs["PATCH", "/api/v2/persons/{id}"] == {"contacts:full"}
    assert needs["GET", "/api/v1/users/me"] == {"base"}
    assert needs["GET", "/api/v2/activityFields"] == {"admin"}
    assert needs["GET", "/api/v1/activityFields"] == {"activities:read", "activities:full", "admin"}
    assert needs["POST", "/api/v2/dealFields"] == {"deal-fields:full", "admin"}
    assert needs["PUT", "/api/v1/personFields/{id}"] == {"contact-fields:full", "admin"}
    assert needs["GET", "/api/v1/webhooks"] == {"webhooks:read", "webhooks:full", "admin"}
