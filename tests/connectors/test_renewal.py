"""Tokens that end while an account is called: renewed early, once after a refusal, and never in a loop."""

from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import respx

from connectors.calls import EARLY
from connectors.client import Client
from connectors.errors import Reauthorize, Retryable
from connectors.facts import Credential
from connectors.http import Http
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from storage.shapes import CredentialKind
from tests.connectors.clock import Time
from tests.connectors.conftest import BASE, make_client

PERSONS = CONNECTORS["PIPEDRIVE"].type("Person").listings[0]
GOOD = httpx.Response(200, json={"success": True, "data": [{"id": 1}], "additional_data": {"next_cursor": None}})
REFUSED = httpx.Response(401, json={"success": False, "error": "unauthorized access", "errorCode": 401})


@dataclass
class Renewals:
    """Gives a newer token each time, or fails as it is told to."""

    credential: Credential
    asked: list[str] = field(default_factory=list)
    failure: Exception | None = None

    async def renew(self, stale: str) -> Credential:
        self.asked.append(stale)
        if self.failure:
            raise self.failure
        return replace(self.credential, token=f"token-{len(self.asked) + 1}")


@pytest.fixture
def renewals(time: Time) -> Renewals:
    return Renewals(Credential(kind=CredentialKind.OAUTH2, token="token-1", expires_at=time.now + 3600))


@pytest.fixture
def client(time: Time, ledger: MemoryLedger, http: Http, renewals: Renewals) -> Client:
    client = make_client(time, ledger, http)
    wire = client.wire
    wire.credential, wire.renew, wire.wall = renewals.credential, renewals.renew, time.clock
    return client


def persons(*answers: Any) -> respx.Route:
    return respx.get(f"{BASE}/api/v2/persons").mock(side_effect=list(answers))


def tokens(route: respx.Route) -> list[str]:
    return [call.request.headers["authorization"].removeprefix("Bearer ") for call in route.calls]


@respx.mock
async def test_a_token_serves_until_shortly_before_its_end(client: Client, renewals: Renewals, time: Time) -> None:
    route = persons(GOOD, GOOD)
    time.now += 3600 - EARLY - 1
    await client.page(PERSONS)
    time.now += 5
    await client.page(PERSONS)
    assert (tokens(route), renewals.asked) == (["token-1", "token-2"], ["token-1"])


@respx.mock
async def test_until_its_end_it_serves_where_it_cannot_be_renewed(
    client: Client, renewals: Renewals, time: Time
) -> None:
    route = persons(GOOD)
    renewals.failure = Retryable("no answer")
    time.now += 3600 - EARLY + 1
    await client.page(PERSONS)
    assert tokens(route) == ["token-1"]
    time.now += EARLY
    with pytest.raises(Retryable, match="no answer"):
        await client.page(PERSONS)
    assert route.call_count == 1


@respx.mock
async def test_a_consent_that_is_over_is_told_at_once(client: Client, renewals: Renewals, time: Time) -> None:
    renewals.failure = Reauthorize("over")
    time.now += 3600 - EARLY + 1
    with pytest.raises(Reauthorize, match="over"):
        await client.page(PERSONS)


@respx.mock
async def test_a_refused_token_is_renewed_once(client: Client, renewals: Renewals) -> None:
    route = persons(REFUSED, GOOD)
    await client.page(PERSONS)
    assert (tokens(route), renewals.asked) == (["token-1", "token-2"], ["token-1"])


@respx.mock
async def test_a_new_token_that_is_refused_too_ends_it(client: Client, renewals: Renewals) -> None:
    route = persons(*[REFUSED] * 9)
    with pytest.raises(Reauthorize):
        await client.page(PERSONS)
    assert (tokens(route), renewals.asked) == (["token-1", "token-2"], ["token-1"])


@respx.mock
async def test_a_token_that_a_person_has_made_is_not_renewed(time: Time, ledger: MemoryLedger, http: Http) -> None:
    route = persons(REFUSED)
    with pytest.raises(Reauthorize):
        await make_client(time, ledger, http).page(PERSONS)
    assert route.calls[0].request.headers["x-api-token"] == "secret-token-1"
