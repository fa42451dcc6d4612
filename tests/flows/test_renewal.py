"""Scenarios 16 to 19: tokens that end, over processes and in the middle of runs, and consents that end for good."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import orjson
import psycopg
import pytest

from storage.listing import GlobalId
from storage.secrets import Keyring
from tests.flows.conftest import ALL, Stage
from tests.flows.person import consent, look
from tests.stage import HASTE, Gateway, gateway

WATCH = "subscription($i: ID!) { integration(id: $i) { status lastError } }"
ENDED = "does not accept the consent any more: connect the account again (HTTP 400, invalid_grant)."
LABELS = {"pipedrive": "Pipedrive", "hubspot": "HubSpot"}
PERSONS = 60


def oauth_calls(stage: Stage) -> dict[str, int]:
    """How often what was asked of the vendor's OAuth, as far as any of it was."""
    return {name: count for name, count in stage.crm.requests()["oauth"].items() if count}


def open_secret(stage: Stage, integration: str) -> dict[str, Any]:
    """What is sealed in the row."""
    key = GlobalId.read(integration).key
    with psycopg.connect(stage.database, autocommit=True) as admin:
        row = admin.execute("select workspace_id, credentials from integration where id = %s", (key,)).fetchone()
    workspace, sealed = row or (UUID(int=0), b"")
    found: dict[str, Any] = orjson.loads(
        Keyring.load(None, stage.folder).open(sealed, workspace=workspace, integration=key)
    )
    return found


def kill_token(stage: Stage, integration: str) -> str:
    """The access token is of no use from now on, and nobody here knows yet."""
    token: str = open_secret(stage, integration)["token"]
    faults = stage.crm.faults()
    stage.crm.disturb(**faults, expireTokensAfter=0)
    headers = {"authorization": f"Bearer {token}"}
    assert stage.crm.answer("GET", WHOSE[stage.crm.name], None, headers).status_code == 401
    stage.crm.disturb(**faults)
    return token


WHOSE = {"pipedrive": "/v1/users/me", "hubspot": "/account-info/2026-09/details"}
"""By CRM: what tells whose a token is."""


def touch(gateway: Gateway, integration: str) -> dict[str, Any]:
    """A query that calls the CRM, past what is kept of earlier ones."""
    query = "query($i: ID!) { integration(id: $i) { users { externalId } } }"
    return gateway.answer(query, i=integration)


@pytest.fixture
def connected(stage: Stage) -> Iterator[tuple[Stage, str]]:
    """By consent, with people in it that are not synced yet."""
    stage.crm.fill(PERSONS)
    stage.crm.disturb(**HASTE)
    integration = consent(stage.gateway, crm=stage.crm.name.upper())
    stage.crm.forget()
    yield stage, integration
    stage.crm.disturb(**HASTE)


# ---------------------------------------------------------------- 16

LIFETIMES = {"pipedrive": 6, "hubspot": 10}
"""By CRM: calls that a token is good for, which are more than are under way at once."""


@ALL
def test_scenario_16_tokens_end_while_pages_are_read(connected: tuple[Stage, str]) -> None:
    stage, integration = connected
    lifetime = LIFETIMES[stage.crm.name]
    stage.crm.disturb(**HASTE, expireTokensAfter=lifetime)
    run = stage.gateway.sync(integration)
    assert run["status"] == "SUCCEEDED"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
    calls = stage.crm.requests()
    served = sum(count for status, count in calls["byStatus"].items() if status in ("200", "207"))
    renewed = calls["oauth"]["refreshes"]
    assert renewed >= 2
    assert renewed * lifetime <= served <= (renewed + 1) * lifetime  # each token was used until its end
    assert oauth_calls(stage) == {"refreshes": renewed}
    assert look(stage.gateway, integration)["status"] == "ACTIVE"


@ALL
def test_scenario_16_a_token_ends_within_a_retry(connected: tuple[Stage, str]) -> None:
    """It was good for the call that failed, and for no other."""
    stage, integration = connected
    calls = LISTS_OF_USERS[stage.crm.name]
    stage.crm.disturb(**HASTE, expireTokensAfter=calls, status={"code": 503, "times": calls})
    assert "errors" not in touch(stage.gateway, integration)
    statuses = stage.crm.requests()["byStatus"]
    assert 1 <= statuses.pop("401") <= calls
    assert statuses == {"200": calls, "503": calls}
    assert oauth_calls(stage) == {"refreshes": 1}


LISTS_OF_USERS = {"pipedrive": 1, "hubspot": 2}
"""By CRM: how many calls tell them."""


# ---------------------------------------------------------------- 17

CALLERS = 50


@ALL
def test_scenario_17_fifty_callers_over_three_processes(connected: tuple[Stage, str]) -> None:
    stage, integration = connected
    stage.gateway.sync(integration, ["CONTACT"])
    contacts = [
        one["id"]
        for one in stage.gateway.ask(f"{{ contacts(first: {CALLERS}) {{ nodes {{ id }} }} }}")["contacts"]["nodes"]
    ]
    assert len(contacts) == CALLERS
    with ExitStack() as stack:
        gateways = [stage.gateway]
        for _ in range(2):
            another = gateway(stage.folder, stage.database, stage.crm, "--no-worker")
            gateways.append(stack.enter_context(another))
        pool = stack.enter_context(ThreadPoolExecutor(CALLERS))
        old = kill_token(stage, integration)
        stage.crm.forget()
        fresh = "query($c: ID!) { contact(id: $c, maxStaleness: 0) { id } }"
        asked = [pool.submit(gateways[at % 3].answer, fresh, c=contact) for at, contact in enumerate(contacts)]
        answers = [one.result(60) for one in asked]
        assert [one["data"] for one in answers] == [{"contact": {"id": contact}} for contact in contacts]
        assert not [one for one in answers if "errors" in one]
        assert oauth_calls(stage) == {"refreshes": 1}
        for opened in gateways:  # who knew the old one only, and asks again
            assert opened.ask(fresh, c=contacts[0]) == answers[0]["data"]
    assert stage.gateway.sync(integration)["status"] == "SUCCEEDED"
    assert open_secret(stage, integration)["token"] != old
    assert oauth_calls(stage) == {"refreshes": 1}


# ---------------------------------------------------------------- 18


@ALL
@pytest.mark.parametrize("fault", ["omitRefreshToken", "rotateRefreshToken"])
def test_scenario_18_an_answer_without_a_refresh_token_or_with_another(
    connected: tuple[Stage, str], fault: str
) -> None:
    stage, integration = connected
    stage.crm.disturb(**HASTE, **{fault: True})
    seen = [open_secret(stage, integration)]
    for renewed in (1, 2):
        kill_token(stage, integration)
        assert stage.gateway.sync(integration, ["ORGANIZATION"])["status"] == "SUCCEEDED"
        calls = oauth_calls(stage)
        assert (calls["refreshes"], "refused" in calls) == (renewed, False)
        seen.append(open_secret(stage, integration))
    assert len({one["token"] for one in seen}) == 3
    assert len({one["refresh"] for one in seen}) == {"omitRefreshToken": 1, "rotateRefreshToken": 3}[fault]


# ---------------------------------------------------------------- 19


@ALL
def test_scenario_19_a_consent_that_is_over(connected: tuple[Stage, str]) -> None:
    stage, integration = connected
    ended = f"{LABELS[stage.crm.name]} {ENDED}"
    assert stage.gateway.sync(integration)["status"] == "SUCCEEDED"
    before = sorted(stage.gateway.sources())
    events = stage.gateway.by_socket(WATCH, i=integration)
    assert next(events)["integration"] == {"status": "ACTIVE", "lastError": None}
    stage.crm.disturb(**HASTE, refuseRefresh=True)
    kill_token(stage, integration)
    stage.crm.forget()
    for _ in range(5):
        (error,) = touch(stage.gateway, integration)["errors"]
        assert (error["extensions"]["code"], error["message"]) == ("CRM_REAUTHORIZE", ended)
    assert next(events)["integration"] == {"status": "ERROR", "lastError": ended}
    assert oauth_calls(stage) == {"refused": 1}
    called = stage.crm.requests()["total"]
    (refusal,) = stage.gateway.do("sync", "", integrationId=integration)["userErrors"]
    assert refusal["code"] == "NOT_ACTIVE"
    assert touch(stage.gateway, integration)["errors"]
    assert (stage.crm.requests()["total"], oauth_calls(stage)) == (called, {"refused": 1})
    stage.crm.disturb(**HASTE)
    assert consent(stage.gateway, crm=stage.crm.name.upper(), integrationId=integration) == integration
    assert next(events)["integration"] == {"status": "ACTIVE", "lastError": None}
    assert sorted(stage.gateway.sources()) == before
    assert stage.gateway.sync(integration)["recordsSkipped"] == len(before)
    assert "errors" not in touch(stage.gateway, integration)


@ALL
def test_scenario_19_in_the_middle_of_a_run(connected: tuple[Stage, str]) -> None:
    stage, integration = connected
    stage.crm.disturb(**HASTE, expireTokensAfter=8, refuseRefresh=True)
    run = stage.gateway.sync(integration)
    ended = f"{LABELS[stage.crm.name]} {ENDED}"
    assert (run["status"], run["message"]) == ("FAILED", ended)
    found = look(stage.gateway, integration)
    assert (found["status"], found["lastError"]) == ("ERROR", ended)
    assert oauth_calls(stage) == {"refused": 1}
    left = stage.gateway.do("disconnect", "integration { status lastError }", integrationId=integration)["integration"]
    assert left == {"status": "DISCONNECTED", "lastError": None}
    assert oauth_calls(stage) == {"refused": 1, "revocations": 1}


def test_consent_for_another_account_does_not_revive(connected: tuple[Stage, str]) -> None:
    stage, integration = connected
    stage.crm.disturb(**HASTE, refuseRefresh=True)
    kill_token(stage, integration)
    touch(stage.gateway, integration)
    with pytest.raises(AssertionError, match="That is another account"):
        consent(stage.gateway, integrationId=integration, account=2)
    found = look(stage.gateway, integration)
    assert (found["status"], found["lastError"]) == (
        "ERROR",
        "The integration is of the account Nordlicht Handel, and this is the account Harbor & Pine LLC.",
    )


def test_a_vendor_that_does_not_answer_ends_nothing(connected: tuple[Stage, str]) -> None:
    stage, integration = connected
    stage.crm.disturb(**HASTE, status={"code": 503, "path": "/oauth/token"})
    kill_token(stage, integration)
    (error,) = touch(stage.gateway, integration)["errors"]
    assert error["extensions"]["code"] == "CRM_UNAVAILABLE"
    assert look(stage.gateway, integration)["status"] == "ACTIVE"
    stage.crm.disturb(**HASTE)
    assert "errors" not in touch(stage.gateway, integration)
