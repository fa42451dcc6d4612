"""Runs from their asking to their end: stopped by people, by the CRM, by its limits; several at a time."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

SLOW: dict[str, Any] = {**HASTE, "latencyMs": 150}
"""Time for somebody to do something between two pages."""
PERSONS = 30

INTEGRATION = "query($i: ID!) { integration(id: $i) { id status lastError } }"


@pytest.fixture
def connected(stage: Stage) -> str:
    """The integration of an account with a few people."""
    stage.crm.fill(PERSONS)
    stage.crm.disturb(**SLOW)
    return stage.gateway.connect()


def start_and_wait_for_a_page(stage: Stage, integration: str) -> str:
    run = stage.gateway.start(integration)
    stage.gateway.follow(run, lambda state: state["recordsCreated"] > 0)
    return run


def check_the_rest_follows(stage: Stage, integration: str, done: int) -> None:
    """A new run finds what is done as it is, and creates the others."""
    stage.crm.disturb(**HASTE)
    run = stage.gateway.sync(integration)
    everything = Counter(stage.crm.ids())
    assert Counter(stage.gateway.sources()) == everything
    made = [run[name] for name in ("status", "recordsCreated", "recordsUpdated", "recordsSkipped")]
    assert made == ["SUCCEEDED", everything.total() - done, 0, done]


# ---------------------------------------------------------------- people


def test_a_cancelled_run_ends_after_its_page_and_keeps_what_is_done(stage: Stage, connected: str) -> None:
    run = start_and_wait_for_a_page(stage, connected)
    payload = stage.gateway.do("cancelSync", "syncRun { status message }", syncRunId=run)
    assert payload["syncRun"] == {"status": "RUNNING", "message": "Ends after the page under way."}
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["message"]) == ("CANCELLED", "Cancelled.")
    assert len(stage.gateway.sources()) == ended["recordsCreated"] < len(stage.crm.ids())
    (error,) = stage.gateway.do("cancelSync", "", syncRunId=run)["userErrors"]
    assert (error["code"], error["details"]) == ("ALREADY_ENDED", {"status": "CANCELLED"})
    check_the_rest_follows(stage, connected, ended["recordsCreated"])


def test_a_paused_run_waits_after_its_page_and_goes_on_when_resumed(stage: Stage, connected: str) -> None:
    run = start_and_wait_for_a_page(stage, connected)
    stage.gateway.do("pauseIntegration", "", integrationId=connected)
    waiting = stage.gateway.wait(run, "WAITING")
    assert waiting["message"] == "The integration is paused: the run goes on when it is resumed."
    assert len(stage.gateway.sources()) == waiting["recordsCreated"] < len(stage.crm.ids())
    (error,) = stage.gateway.do("sync", "", integrationId=connected)["userErrors"]
    assert (error["code"], error["details"]) == ("NOT_ACTIVE", {"status": "PAUSED"})
    stage.gateway.do("resumeIntegration", "", integrationId=connected)
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["recordsCreated"]) == ("SUCCEEDED", len(stage.crm.ids()))
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_a_run_of_some_types_expects_those_only(stage: Stage, connected: str) -> None:
    stage.crm.disturb(**HASTE)
    stage.gateway.sync(connected)
    run = stage.gateway.sync(connected, ["CONTACT"])
    persons = len([one for one in stage.crm.ids() if one[0] == "Person"])
    assert [(one["externalType"], one["expected"]) for one in run["counts"]] == [("Person", persons)]


def test_disconnecting_ends_the_run_and_connecting_again_is_the_same_integration(stage: Stage, connected: str) -> None:
    run = start_and_wait_for_a_page(stage, connected)
    stage.gateway.do("disconnect", "", integrationId=connected)
    ended = stage.gateway.wait(run)
    assert ended["status"] == "CANCELLED"
    assert len(stage.gateway.sources()) == ended["recordsCreated"] < len(stage.crm.ids())
    assert stage.gateway.connect() == connected
    check_the_rest_follows(stage, connected, ended["recordsCreated"])


def test_a_token_that_is_connected_twice_is_one_integration(stage: Stage, connected: str) -> None:
    assert stage.gateway.connect() == connected
    assert stage.gateway.ask("{ integrations { id } }")["integrations"] == [{"id": connected}]


def test_who_asks_again_gets_the_run_that_is_under_way(stage: Stage, connected: str) -> None:
    first = stage.gateway.start(connected)
    for types in ({}, {"recordTypes": ["DEAL"]}):
        again = stage.gateway.do("sync", "isNew syncRun { id }", integrationId=connected, **types)
        assert again == {"isNew": False, "syncRun": {"id": first}, "userErrors": []}
    assert stage.gateway.wait(first)["status"] == "SUCCEEDED"


def test_a_wider_run_waits_in_line_behind_a_narrower_one(stage: Stage, connected: str) -> None:
    narrow = stage.gateway.start(connected, ["CONTACT"])
    stage.gateway.wait(narrow, "RUNNING")
    wide = stage.gateway.do("sync", "isNew syncRun { id status }", integrationId=connected, recordTypes=["DEAL"])
    assert (wide["isNew"], wide["syncRun"]["status"]) == (True, "QUEUED")
    wider = stage.gateway.do("sync", "isNew syncRun { id recordTypes }", integrationId=connected)
    assert (wider["isNew"], wider["syncRun"]["id"]) == (False, wide["syncRun"]["id"])
    assert set(wider["syncRun"]["recordTypes"]) == {"CONTACT", "ORGANIZATION", "DEAL", "ACTIVITY"}
    ended = [stage.gateway.wait(run) for run in (narrow, wide["syncRun"]["id"])]
    assert [run["status"] for run in ended] == ["SUCCEEDED", "SUCCEEDED"]
    assert ended[0]["recordsCreated"] == ended[1]["recordsSkipped"] == PERSONS
    assert sum(run["recordsCreated"] for run in ended) == len(stage.crm.ids())


# ---------------------------------------------------------------- the CRM


def test_a_token_that_is_refused_ends_the_run_and_a_new_one_revives_the_integration(
    stage: Stage, connected: str
) -> None:
    run = start_and_wait_for_a_page(stage, connected)
    stage.crm.disturb(**SLOW, refuseToken=True)
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["message"]) == ("FAILED", "Pipedrive refuses the token (HTTP 401).")
    shown = stage.gateway.ask(INTEGRATION, i=connected)["integration"]
    assert shown == {"id": connected, "status": "ERROR", "lastError": "Pipedrive refuses the token (HTTP 401)."}
    (error,) = stage.gateway.do("sync", "", integrationId=connected)["userErrors"]
    assert (error["code"], error["details"]) == ("NOT_ACTIVE", {"status": "ERROR"})
    stage.crm.disturb(**HASTE)
    assert stage.gateway.connect() == connected
    shown = stage.gateway.ask(INTEGRATION, i=connected)["integration"]
    assert shown == {"id": connected, "status": "ACTIVE", "lastError": None}
    check_the_rest_follows(stage, connected, ended["recordsCreated"])


def test_a_crm_that_fails_for_a_while_is_waited_for(stage: Stage, connected: str) -> None:
    stage.crm.disturb(**HASTE, status={"code": 503, "times": 5, "path": "/api/v2/activities"})
    run = stage.gateway.start(connected)
    waiting = stage.gateway.wait(run, "WAITING")
    assert waiting["message"].startswith("Pipedrive has a failure (HTTP 503). It is tried again at ")
    assert waiting["recordsCreated"] > 0
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["message"]) == ("SUCCEEDED", None)
    assert ended["recordsCreated"] == len(stage.crm.ids())
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_answers_that_are_cut_off_are_asked_for_again(stage: Stage, connected: str) -> None:
    stage.crm.disturb(**HASTE, cutEvery=5)
    run = stage.gateway.sync(connected)
    assert (run["status"], run["recordsCreated"]) == ("SUCCEEDED", len(stage.crm.ids()))
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_a_quota_that_is_used_up_is_waited_for_until_it_is_there_again(stage: Stage, connected: str) -> None:
    stage.crm.disturb(limits={**HASTE["limits"], "DAY": 140})  # pages of organizations, persons, deals
    run = stage.gateway.start(connected)
    waiting = stage.gateway.wait(run, "WAITING")
    assert waiting["message"].startswith("The daily quota of the Pipedrive account is used up. It goes on at 20")
    query = "query($r: ID!) { syncRun(id: $r) { resumesAt } }"
    resumes = datetime.fromisoformat(stage.gateway.ask(query, r=run)["syncRun"]["resumesAt"])
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert abs(resumes - midnight) < timedelta(minutes=1)
    assert {name for name, _ in stage.gateway.sources()} == {"Organization", "Person", "Deal"}
    payload = stage.gateway.do("cancelSync", "syncRun { status }", syncRunId=run)
    assert payload["syncRun"] == {"status": "CANCELLED"}


def test_a_database_that_goes_away_for_a_moment_ends_nothing(stage: Stage, connected: str) -> None:
    with stage.barred("activity_contact"):
        run = stage.gateway.start(connected)
        stage.find_halted("activity_contact")
        stage.cut_connections()
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["recordsCreated"]) == ("SUCCEEDED", len(stage.crm.ids()))
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


# ---------------------------------------------------------------- what belongs together

EMPLOYERS = """
query($after: String) { list: contacts(first: 250, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes { email sources { externalId integration { id } } organization { sources { externalId } } }
} }
"""


def employers(stage: Stage) -> dict[str, bool]:
    """Whether each person has the organization that the CRM says."""
    named = {str(row["id"]): str(row["org_id"]) for row in stage.crm.list("/api/v2/persons") if row["org_id"]}
    return {
        source["externalId"]: named[source["externalId"]]
        in {one["externalId"] for one in (contact["organization"] or {"sources": []})["sources"]}
        for contact in stage.gateway.walk(EMPLOYERS)
        for source in contact["sources"]
        if len(contact["sources"]) == 1 and named.get(source["externalId"], "999999999") != "999999999"
    }


def test_what_is_pointed_at_may_come_later(stage: Stage, connected: str) -> None:
    stage.crm.disturb(**HASTE)
    stage.gateway.sync(connected, ["CONTACT"])
    before = employers(stage)
    stage.gateway.sync(connected, ["ORGANIZATION"])
    assert before.keys() == employers(stage).keys()
    assert (set(before.values()), set(employers(stage).values())) == ({False}, {True})


def test_what_appears_behind_the_page_comes_with_the_next_run(stage: Stage, connected: str) -> None:
    stage.crm.disturb(**HASTE, lateCommits=3)
    first = stage.gateway.sync(connected)
    assert set(employers(stage).values()) == {False, True}
    assert first["recordsCreated"] < len(stage.crm.ids())
    stage.crm.disturb(**HASTE)
    check_the_rest_follows(stage, connected, first["recordsCreated"])
    assert set(employers(stage).values()) == {True}


def test_two_accounts_are_synced_at_the_same_time_without_twins(stage: Stage) -> None:
    gateway = stage.gateway
    integrations = {}
    for account, token in enumerate(("sandbox-pipedrive", "sandbox-pipedrive-2"), 1):
        stage.crm.fill(120, account=account)
        stage.crm.disturb(account, **HASTE, latencyMs=20)
        integrations[gateway.connect(token)] = account
    runs = [gateway.start(integration) for integration in integrations]
    assert [gateway.wait(run)["status"] for run in runs] == ["SUCCEEDED", "SUCCEEDED"]
    found = Counter(gateway.sources())
    assert found == Counter(stage.crm.ids(1)) + Counter(stage.crm.ids(2))
    people = list(gateway.walk(EMPLOYERS))
    emails = Counter(
        contact["email"].lower() for contact in people if re.fullmatch(r"[^@\s]+@[^@\s]+", contact["email"] or "")
    )
    assert [email for email, count in emails.items() if count > 1] == []
    both = [
        contact
        for contact in people
        if {integrations[one["integration"]["id"]] for one in contact["sources"]} == {1, 2}
    ]
    assert len(both) >= 25  # whom both companies know
