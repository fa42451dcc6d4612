"""What a test of an integration makes of the answer to whose account it is."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import respx

from connectors.registry import CONNECTORS
from storage.listing import GlobalId
from storage.outbound import Push
from tests.schema.conftest import Home

SCOPES = CONNECTORS["PIPEDRIVE"].scopes
TEST = """
mutation ($i: ID!) { testIntegration(input: {integrationId: $i}) {
  integration { status lastError health { ok checkedAt latencyMs missingScopes message } } userErrors { field code details }
} }
"""


def serve(crm: respx.MockRouter, company: Any, user: int = 7) -> None:
    """Whose account it is."""
    me = {"id": user, "name": "Rae Rep", "email": "rep@example.com", "company_id": company, "company_name": "Initech"}
    crm.get("/v1/users/me").mock(return_value=httpx.Response(200, json={"success": True, "data": me}))


async def check(home: Home) -> Any:
    """The integration as the test leaves it."""
    payload = (await home.read(TEST, i=str(GlobalId("Integration", home.integration))))["testIntegration"]
    assert payload["userErrors"] == []
    return payload["integration"]


async def test_another_account_is_told_and_does_not_revive_it(home: Home, crm: respx.MockRouter) -> None:
    await home.change(account_name="Acme", status="ERROR", last_error="Refused.")
    serve(crm, 43)
    shown = await check(home)
    assert (shown["status"], shown["lastError"], shown["health"]["ok"]) == ("ERROR", "Refused.", False)
    assert shown["health"]["message"] == "The credential opens the Pipedrive account Initech, and not Acme."
    assert shown["health"]["latencyMs"] >= 0


async def test_another_user_is_told(home: Home, crm: respx.MockRouter) -> None:
    serve(crm, str(home.integration), user=8)
    shown = await check(home)
    assert (shown["status"], shown["health"]["ok"]) == ("ACTIVE", False)
    assert shown["health"]["message"] == "The credential is of another Pipedrive user now: Rae Rep."


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        (SCOPES, []),
        (("admin",), list(SCOPES)),
        ([scope for scope in SCOPES if scope != "base"], ["base"]),
        ([scope.replace("users:read", "users:full") for scope in SCOPES], []),
        ([scope.replace("leads:full", "leads:read") for scope in SCOPES], ["leads:full"]),
    ],
    ids=["all", "admin", "one", "wider", "narrower"],
)
async def test_a_scope_is_missing_where_neither_it_nor_a_wider_one_is_granted(
    home: Home, crm: respx.MockRouter, granted: list[str], missing: list[str]
) -> None:
    await home.change(credential_kind="OAUTH2", scopes=list(granted), status="ERROR", last_error="Refused.")
    serve(crm, str(home.integration))
    shown = await check(home)
    assert (shown["status"], shown["lastError"]) == ("ACTIVE", None)  # the credential works
    message = (
        f"Pipedrive has not granted: {', '.join(missing)}."
        " Add them in https://developers.pipedrive.com, then connect again."
    )
    assert (shown["health"]["ok"], shown["health"]["missingScopes"]) == (not missing, missing)
    assert shown["health"]["message"] == (message if missing else None)


@pytest.fixture
async def _jobs(home: Home) -> AsyncIterator[None]:
    await home.services.jobs.open()
    yield
    await home.services.jobs.close()


@pytest.mark.usefixtures("_jobs")
async def test_a_quota_that_is_used_up_is_tried_all_the_same(home: Home, crm: respx.MockRouter) -> None:
    spent = {"x-daily-ratelimit-token-limit": "60000", "x-daily-ratelimit-token-remaining": "0"}
    crm.get("/v1/users/me").mock(return_value=httpx.Response(429, headers=spent))
    midnight = datetime.now(UTC) + timedelta(hours=9)
    await home.add(
        home.make(Push, integration_id=home.integration, kind="EDIT", record_type="CONTACT", record_id=uuid4())
    )
    await home.change(push_resumes_at=midnight)
    for _ in range(2):
        shown = await check(home)
        assert shown["health"]["message"] == "The daily quota of the Pipedrive account is used up."
    assert crm.calls.call_count == 2
    serve(crm, str(home.integration))
    assert (await check(home))["health"]["ok"]
    [row] = await home.database.fetch(
        home.workspace, "select push_resumes_at from integration where workspace_id = %(workspace)s", {}
    )
    assert row == {"push_resumes_at": None}, "what has waited goes on"


async def test_who_is_asked_to_come_again_much_later_is_not_waited_for(home: Home, crm: respx.MockRouter) -> None:
    crm.get("/v1/users/me").mock(return_value=httpx.Response(503, headers={"retry-after": "30"}))
    shown = await check(home)
    assert shown["health"]["message"] == "Pipedrive has a failure (HTTP 503)."
    shown = await check(home)
    assert shown["health"]["message"] == "Pipedrive asked not to be called for a while."
    assert (shown["status"], crm.calls.call_count) == ("ACTIVE", 1)


async def test_only_what_has_a_credential_can_be_tested(home: Home, crm: respx.MockRouter) -> None:
    for status in ("PENDING", "DISCONNECTED"):
        await home.change(credentials=None, status=status)
        found = await home.read(TEST, i=str(GlobalId("Integration", home.integration)))
        error = {"field": ["input", "integrationId"], "code": "NOT_ACTIVE", "details": {"status": status}}
        assert found["testIntegration"] == {"integration": None, "userErrors": [error]}
    assert crm.calls.call_count == 0


async def test_a_credential_that_cannot_be_read_is_told(home: Home, crm: respx.MockRouter) -> None:
    await home.change(credentials=b"cut")
    shown = await check(home)
    assert (shown["status"], shown["health"]["ok"], shown["health"]["latencyMs"]) == ("ACTIVE", False, None)
    message = "The credential cannot be read: no sealed value, or one that was cut: connect again."
    assert shown["health"]["message"] == message
    assert crm.calls.call_count == 0
