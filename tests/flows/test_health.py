"""Testing an integration: one real attempt, what it found, and what becomes of the integration."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.flows.person import consent
from tests.stage import HASTE

HEALTH = "health { ok checkedAt latencyMs missingScopes message }"
FIELDS = f"integration {{ status lastError {HEALTH} }}"
WATCH = f"subscription($i: ID!) {{ integration(id: $i) {{ status {HEALTH} }} }}"


def check(stage: Stage, integration: str) -> Any:
    """The integration as a test leaves it, which the user can put nothing right about."""
    payload = stage.gateway.do("testIntegration", FIELDS, integrationId=integration)
    assert payload["userErrors"] == []
    return payload["integration"]


def look(stage: Stage, integration: str) -> Any:
    query = f"query($i: ID!) {{ integration(id: $i) {{ status lastError {HEALTH} }} }}"
    return stage.gateway.ask(query, i=integration)["integration"]


def times(stage: Stage, run: str) -> Any:
    query = "query($r: ID!) { syncRun(id: $r) { startedAt resumesAt completedAt } }"
    return stage.gateway.ask(query, r=run)["syncRun"]


def bad(shown: Any, message: str) -> None:
    """It does not work, and why."""
    health = shown["health"]
    assert (health["ok"], health["latencyMs"], health["missingScopes"]) == (False, None, [])
    assert health["message"] == message


def test_an_integration_that_works(stage: Stage) -> None:
    integration = stage.gateway.connect()
    assert look(stage, integration) == {"status": "ACTIVE", "lastError": None, "health": None}
    stage.crm.disturb(**HASTE, latencyMs=50)
    stage.crm.forget()
    shown = check(stage, integration)
    assert shown == look(stage, integration)
    health = shown["health"]
    age = (datetime.now(UTC) - datetime.fromisoformat(health.pop("checkedAt"))).total_seconds()
    assert 0 <= age < 30
    assert 50 <= health.pop("latencyMs") < 8_000
    assert health == {"ok": True, "missingScopes": [], "message": None}
    assert shown["status"] == "ACTIVE"
    assert [call["path"] for call in stage.crm.requests()["recent"]] == ["/v1/users/me"]


def test_who_watches_the_integration_is_told(stage: Stage) -> None:
    integration = stage.gateway.connect()
    events = stage.gateway.by_socket(WATCH, i=integration)
    assert next(events) == {"integration": {"status": "ACTIVE", "health": None}}
    health = check(stage, integration)["health"]
    assert next(events) == {"integration": {"status": "ACTIVE", "health": health}}
    events.close()  # type: ignore[attr-defined] # it is a generator


@pytest.mark.parametrize(
    ("faults", "message", "calls"),
    [
        ({"status": 503}, "Pipedrive has a failure (HTTP 503).", 2),
        ({"cutEvery": 1}, "Pipedrive cannot be reached, or its answers are cut off.", 2),
        ({"dailyQuota": 0}, "The daily quota of the Pipedrive account is used up.", 1),
    ],
)
def test_a_crm_that_is_down_changes_nothing_but_the_health(
    stage: Stage, faults: dict[str, Any], message: str, calls: int
) -> None:
    integration = stage.gateway.connect()
    check(stage, integration)
    stage.crm.disturb(**HASTE, **faults)
    stage.crm.forget()
    begun = time.monotonic()
    shown = check(stage, integration)
    assert time.monotonic() - begun < 8
    bad(shown, message)
    assert (shown["status"], shown["lastError"]) == ("ACTIVE", None)
    assert len(stage.crm.requests()["recent"]) == calls


def test_a_crm_that_does_not_answer_is_waited_for_8_seconds(stage: Stage) -> None:
    integration = stage.gateway.connect()
    stage.crm.disturb(**HASTE, latencyMs=12_000)
    begun = time.monotonic()
    shown = check(stage, integration)
    assert 8 <= time.monotonic() - begun < 12  # and not until there is an answer
    bad(shown, "Pipedrive has not answered for 8 seconds.")
    assert shown["status"] == "ACTIVE"


def test_a_refused_token_is_an_error_until_it_is_taken_again(stage: Stage) -> None:
    stage.crm.fill(8)
    stage.crm.disturb(**HASTE, status={"code": 503, "path": "/api/v2/organizations"})
    integration = stage.gateway.connect()
    run = stage.gateway.start(integration)
    stage.gateway.wait(run, "WAITING")
    resumes_at = times(stage, run)["resumesAt"]
    stage.crm.disturb(**HASTE, refuseToken=True)
    refused = check(stage, integration)
    bad(refused, "Pipedrive refuses the token (HTTP 401).")
    assert (refused["status"], refused["lastError"]) == ("ERROR", "Pipedrive refuses the token (HTTP 401).")
    bad(check(stage, integration), "Pipedrive refuses the token (HTTP 401).")
    stage.crm.disturb(**HASTE)
    shown = check(stage, integration)
    assert (shown["status"], shown["lastError"], shown["health"]["ok"]) == ("ACTIVE", None, True)
    assert stage.gateway.wait(run)["status"] == "SUCCEEDED"
    assert times(stage, run)["startedAt"] < times(stage, run)["completedAt"] < resumes_at  # it had to wait no longer


def test_a_paused_integration_is_tested_and_stays_paused(stage: Stage) -> None:
    integration = stage.gateway.connect()
    stage.gateway.do("pauseIntegration", "integration { status }", integrationId=integration)
    shown = check(stage, integration)
    assert (shown["status"], shown["health"]["ok"]) == ("PAUSED", True)
    stage.crm.disturb(**HASTE, refuseToken=True)
    shown = check(stage, integration)
    assert (shown["status"], shown["lastError"]) == ("PAUSED", None)
    bad(shown, "Pipedrive refuses the token (HTTP 401).")


def test_without_a_credential_there_is_nothing_to_test(stage: Stage) -> None:
    integration = stage.gateway.connect()
    stage.gateway.do("disconnect", "integration { status }", integrationId=integration)
    payload = stage.gateway.do("testIntegration", FIELDS, integrationId=integration)
    message = "The integration is DISCONNECTED: connect the account again first."
    assert payload == {
        "integration": None,
        "userErrors": [{"code": "NOT_ACTIVE", "message": message, "details": {"status": "DISCONNECTED"}}],
    }


def test_scopes_that_were_not_granted_are_named(stage: Stage) -> None:
    stage.crm.disturb(**HASTE, withoutScopes=["deals:full", "users:read"])
    integration = consent(stage.gateway)
    shown = check(stage, integration)
    health = shown["health"]
    assert shown["status"] == "ACTIVE"
    assert (health["ok"], health["missingScopes"]) == (False, ["deals:full", "users:read"])
    assert health["latencyMs"] >= 0
    assert health["message"] == (
        "Pipedrive has not granted: deals:full, users:read."
        " Add them in https://developers.pipedrive.com, then connect again."
    )


def test_what_the_scopes_do_not_allow_is_told_and_the_rest_is_read(stage: Stage) -> None:
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE, withoutScopes=["deals:full", "users:read", "recents:read"])
    integration = consent(stage.gateway)
    for kind in ("FULL", "DELTA"):
        run = stage.gateway.sync(integration, kind=kind)
        assert run["status"] == "PARTIAL"
        query = (
            "query($r: ID!) { syncRun(id: $r) { errors(first: 9) { nodes { code externalType externalId message } } } }"
        )
        assert stage.gateway.ask(query, r=run["id"])["syncRun"]["errors"]["nodes"] == [
            {
                "code": "UNSUPPORTED",
                "externalType": "Deal",
                "externalId": None,
                "message": "Deal: Pipedrive does not allow that: a scope, a right or the plan (HTTP 403).",
            }
        ]
    assert Counter(stage.gateway.sources()) == Counter(one for one in stage.crm.ids() if one[0] != "Deal")


def test_a_consent_that_has_ended_is_an_error(stage: Stage) -> None:
    integration = consent(stage.gateway)
    assert check(stage, integration)["health"]["ok"]
    stage.crm.disturb(**HASTE, expireTokensAfter=0, refuseRefresh=True)
    shown = check(stage, integration)
    assert (shown["status"], shown["health"]["ok"]) == ("ERROR", False)
    assert shown["lastError"] == shown["health"]["message"]
    stage.crm.disturb(**HASTE)
    shown = check(stage, integration)
    assert (shown["status"], shown["lastError"], shown["health"]["ok"]) == ("ACTIVE", None, True)
