"""Choice: named records, types, filters for once and for good, and trials touch those records and nothing else."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

Row = dict[str, Any]


@pytest.fixture
def integration(stage: Stage) -> str:
    """Connected to an account of 40 people; nothing is here yet."""
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE)
    return stage.gateway.connect()


def people(stage: Stage) -> list[Row]:
    """The CRM's own."""
    return stage.crm.list("/api/v2/persons")


def customers(stage: Stage) -> set[str]:
    """Those who take part in a deal, by the CRM's own lists."""
    deals = [*stage.crm.list("/api/v2/deals"), *stage.crm.list("/api/v2/deals/archived")]
    return {str(row["person_id"]) for row in deals if row["person_id"]} & {str(row["id"]) for row in people(stage)}


def persons_here(stage: Stage) -> set[str]:
    """Those that have been taken over."""
    return {key for name, key in stage.gateway.sources() if name == "Person"}


def test_three_references_touch_those_and_nothing_else(stage: Stage, integration: str) -> None:
    records = [
        {"externalType": "Person", "externalId": "7"},
        {"externalType": "Person", "externalId": "3"},
        {"externalType": "Organization", "externalId": "2"},
    ]
    stage.crm.forget()
    run = stage.gateway.sync(integration, kind="SELECTIVE", records=records)
    assert (run["status"], run["recordsCreated"], run["progress"]) == ("SUCCEEDED", 3, 1)
    assert Counter(stage.gateway.sources()) == {("Person", "7"): 1, ("Person", "3"): 1, ("Organization", "2"): 1}
    read = [
        call for call in stage.crm.requests()["recent"] if call["path"] in ("/api/v2/persons", "/api/v2/organizations")
    ]
    assert sorted(call["query"].partition("ids=")[2].partition("&")[0] for call in read) == ["2", "7%2C3"]


def test_a_reference_that_the_crm_does_not_show_is_an_error_of_the_run(stage: Stage, integration: str) -> None:
    records = [{"externalType": "Person", "externalId": key} for key in ("3", "999999")]
    run = stage.gateway.sync(integration, kind="SELECTIVE", records=records)
    assert (run["status"], run["recordsCreated"]) == ("PARTIAL", 1)
    assert stage.gateway.failures(run["id"]) == [("Person", "999999")]


def test_a_named_record_that_was_deleted_is_archived(stage: Stage, integration: str) -> None:
    records = [{"externalType": "Person", "externalId": "3"}]
    stage.gateway.sync(integration, kind="SELECTIVE", records=records)
    stage.crm.call("DELETE", "/api/v2/persons/3")
    run = stage.gateway.sync(integration, kind="SELECTIVE", records=records)
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", 1)


def test_a_trial_takes_so_many_of_each_type(stage: Stage, integration: str) -> None:
    run = stage.gateway.sync(integration, limit=10)
    there = Counter(name for name, _ in stage.crm.ids())
    assert run["status"] == "SUCCEEDED"
    assert Counter(name for name, _ in stage.gateway.sources()) == {
        name: min(10, count) for name, count in there.items()
    }
    full = stage.gateway.sync(integration, kind="FULL")
    assert full["status"] == "SUCCEEDED"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_one_type_alone(stage: Stage, integration: str) -> None:
    stage.gateway.sync(integration, ["ORGANIZATION"], kind="SELECTIVE")
    assert Counter(stage.gateway.sources()) == Counter(one for one in stage.crm.ids() if one[0] == "Organization")


@pytest.mark.parametrize("kind", ["CONTACT", "LEAD"])
def test_a_filter_by_kind_takes_customers_or_the_others(stage: Stage, integration: str, kind: str) -> None:
    everybody, bought = {str(row["id"]) for row in people(stage)}, customers(stage)
    wanted = bought if kind == "CONTACT" else everybody - bought
    run = stage.gateway.sync(integration, ["CONTACT"], kind="SELECTIVE", filter={"contactKinds": [kind]})
    assert run["status"] == "SUCCEEDED"
    assert persons_here(stage) == wanted
    assert 0 < len(wanted) < len(everybody)


@pytest.mark.parametrize(("name", "field"), [("updatedSince", "update_time"), ("createdSince", "add_time")])
def test_a_filter_by_time_is_by_the_crms_clock(stage: Stage, integration: str, name: str, field: str) -> None:
    times = sorted(row[field] for row in people(stage))
    since = times[25]
    wanted = {str(row["id"]) for row in people(stage) if row[field] >= since}
    stage.gateway.sync(integration, ["CONTACT"], kind="SELECTIVE", filter={name: since})
    assert persons_here(stage) == wanted
    assert len(wanted) == len([moment for moment in times if moment >= since])


def test_a_saved_filter_holds_for_every_run_and_what_it_lets_in_later_comes(stage: Stage, integration: str) -> None:
    since = sorted(row["add_time"] for row in people(stage))[30]
    query = (
        "mutation($i: UpdateIntegrationInput!) { updateIntegration(input: $i) { integration { settings { filter"
        " { contactKinds createdSince updatedSince } } } userErrors { code } } }"
    )
    given = {"integrationId": integration, "recordTypes": ["CONTACT"], "filter": {"createdSince": since}}
    saved = stage.gateway.ask(query, i=given)["updateIntegration"]["integration"]["settings"]["filter"]
    assert (saved["contactKinds"], saved["updatedSince"]) == (None, None)
    assert datetime.fromisoformat(saved["createdSince"]) == datetime.fromisoformat(since)
    young = {str(row["id"]) for row in people(stage) if row["add_time"] >= since}
    assert stage.gateway.sync(integration)["status"] == "SUCCEEDED"
    assert persons_here(stage) == young
    old = next(str(row["id"]) for row in people(stage) if row["add_time"] < since)
    stage.crm.call("PATCH", f"/api/v2/persons/{old}", {"name": "Changed And Old"})
    assert stage.gateway.sync(integration, kind="DELTA")["recordsCreated"] == 0
    stage.gateway.ask(query, i={"integrationId": integration, "filter": None})
    run = stage.gateway.ask(
        "mutation($i: ID!) { sync(input: {integrationId: $i}) { syncRun { id kind } } }", i=integration
    )
    assert run["sync"]["syncRun"]["kind"] == "FULL"  # what was left out may have changed long ago
    stage.gateway.wait(run["sync"]["syncRun"]["id"])
    assert persons_here(stage) == {str(row["id"]) for row in people(stage)}


def test_what_a_saved_filter_leaves_out_is_archived_all_the_same_once_it_is_deleted(
    stage: Stage, integration: str
) -> None:
    stage.gateway.sync(integration)
    since = max(row["add_time"] for row in people(stage))
    query = "mutation($i: UpdateIntegrationInput!) { updateIntegration(input: $i) { userErrors { code } } }"
    stage.gateway.ask(query, i={"integrationId": integration, "filter": {"createdSince": since}})
    gone = next(str(row["id"]) for row in people(stage) if row["add_time"] < since)
    stage.crm.call("DELETE", f"/api/v2/persons/{gone}")
    run = stage.gateway.sync(integration)
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", 1)
    assert stage.gateway.show(integration, "Person", gone, "... on Contact { archivedAt }")["archivedAt"] is not None


def test_a_selective_run_slips_in_between_the_pages_of_a_full_one(stage: Stage, integration: str) -> None:
    stage.crm.fill(1_000)
    stage.crm.disturb(**HASTE, latencyMs=250)
    full = stage.gateway.start(integration)
    stage.gateway.wait(full, "RUNNING")
    run = stage.gateway.sync(integration, kind="SELECTIVE", records=[{"externalType": "Note", "externalId": "1"}])
    assert run["status"] == "SUCCEEDED"
    assert stage.gateway.look(full)["status"] == "RUNNING"
    stage.crm.disturb(**HASTE)
    assert stage.gateway.wait(full)["status"] == "SUCCEEDED"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_who_asks_for_a_delta_during_a_full_gets_the_full(stage: Stage, integration: str) -> None:
    stage.crm.disturb(**HASTE, latencyMs=150)
    query = "mutation($i: SyncInput!) { sync(input: $i) { isNew syncRun { id kind } userErrors { code } } }"
    full = stage.gateway.ask(query, i={"integrationId": integration, "kind": "FULL"})["sync"]
    same = stage.gateway.ask(query, i={"integrationId": integration, "kind": "DELTA"})["sync"]
    trial = stage.gateway.ask(query, i={"integrationId": integration, "kind": "FULL", "limit": 5})["sync"]
    assert (full["isNew"], same["isNew"], trial["isNew"]) == (True, False, True)
    assert same["syncRun"] == full["syncRun"]
    stage.crm.disturb(**HASTE)
    for one in (full, trial):
        assert stage.gateway.wait(one["syncRun"]["id"])["status"] == "SUCCEEDED"


REFUSED: list[Any] = [
    ({"kind": "FULL", "records": [{"externalType": "Person", "externalId": "1"}]}, ["input", "kind"]),
    ({"kind": "SELECTIVE"}, ["input", "kind"]),
    ({"kind": "SELECTIVE", "records": []}, ["input", "records"]),
    ({"kind": "SELECTIVE", "records": [{"externalType": "Car", "externalId": "1"}]}, ["input", "records"]),
    ({"kind": "SELECTIVE", "records": [{"externalType": "Person", "externalId": " "}]}, ["input", "records"]),
    ({"records": [{"externalType": "Person", "externalId": "1"}], "limit": 3}, ["input", "records"]),
    ({"kind": "FULL", "limit": 0}, ["input", "limit"]),
    ({"kind": "SELECTIVE", "filter": {"contactKinds": []}}, ["input", "filter"]),
]


@pytest.mark.parametrize(("asked", "field"), REFUSED)
def test_what_can_mean_nothing_is_refused_by_its_place(
    stage: Stage, integration: str, asked: Row, field: list[str]
) -> None:
    query = "mutation($i: SyncInput!) { sync(input: $i) { syncRun { id } userErrors { code field } } }"
    answer = stage.gateway.ask(query, i={"integrationId": integration, **asked})["sync"]
    assert answer == {"syncRun": None, "userErrors": [{"code": "BAD_INPUT", "field": field}]}
