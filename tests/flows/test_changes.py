"""What a run after the first one has to see: changes, deletions, merges. Scenarios 1, 5, 6, 8, 9, 10, 11, 14 and 35."""

import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from tests.flows.conftest import ALL, Stage
from tests.flows.users import Pipedrive
from tests.stage import HASTE, wait_until

PERSON = "... on Contact { id name email archivedAt emails { value } sources { externalId deletedAt } }"
Row = dict[str, Any]


def delta(stage: Stage, integration: str, *types: str) -> Row:
    """A DELTA from its start to its end."""
    return stage.gateway.sync(integration, types, kind="DELTA")


def find(stage: Stage, integration: str, key: str, fields: str = PERSON, kind: str = "") -> Any:
    """The unified record of one of the CRM's, of a person if nothing else is said."""
    return stage.gateway.show(integration, kind or stage.user.person, key, fields)


def numbers(run: Row) -> list[Any]:
    """Status, and how many records it created, updated, archived, failed."""
    return [run["status"], *(run[f"records{name}"] for name in ("Created", "Updated", "Archived", "Failed"))]


# ---------------------------------------------------------------- changes


@ALL
def test_a_delta_takes_what_has_changed_and_nothing_else(stage: Stage) -> None:
    integration, user = stage.run_all(40), stage.user
    added = user.add_person("Ada New", "ada@new.example")
    user.rename(user.organization, user.key(1), "Changed Ltd")
    stage.crm.forget()
    run = delta(stage, integration)
    assert numbers(run) == ["SUCCEEDED", 1, 1, 0, 0]
    assert find(stage, integration, added)["name"] == "Ada New"
    changed = find(stage, integration, user.key(1), "... on Organization { name }", user.organization)
    assert changed["name"] == "Changed Ltd"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
    assert numbers(delta(stage, integration)) == ["SUCCEEDED", 0, 0, 0, 0]


def test_a_run_that_nobody_says_the_kind_of_is_a_delta_once_a_full_has_ended(stage: Stage) -> None:
    stage.crm.fill(10)
    stage.crm.disturb(**HASTE)
    integration = stage.gateway.connect()
    query = "mutation($i: ID!) { sync(input: {integrationId: $i}) { syncRun { id kind } } }"
    kinds = []
    for _ in range(2):
        run = stage.gateway.ask(query, i=integration)["sync"]["syncRun"]
        kinds.append(run["kind"])
        stage.gateway.wait(run["id"])
    assert kinds == ["FULL", "DELTA"]


def test_a_delta_before_any_full_reads_everything(stage: Stage) -> None:
    stage.crm.fill(10)
    stage.crm.disturb(**HASTE)
    run = delta(stage, stage.gateway.connect())
    assert run["status"] == "SUCCEEDED"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_a_quiet_delta_costs_little(stage: Stage) -> None:
    """What was read well after its last change is neither looked up nor mapped again."""
    integration = stage.run_all(200)
    stage.crm.forget()
    run = delta(stage, integration)
    calls = stage.crm.requests()
    assert numbers(run) == ["SUCCEEDED", 0, 0, 0, 0]
    assert run["apiCalls"] == calls["total"] == 9
    assert calls["tokens"] == 130


@ALL
def test_scenario_1_a_delta_of_many_rows_of_one_time(stage: Stage) -> None:
    stage.crm.fill(510)
    stage.crm.disturb(**HASTE)
    integration = stage.connect()
    stage.gateway.sync(integration, ["CONTACT"])
    stage.crm.disturb(**HASTE, sameTime=100_000)
    run = delta(stage, integration)
    met = {count["externalType"]: count["fetched"] for count in run["counts"]}
    assert run["status"] == "SUCCEEDED"
    assert met[stage.user.person] == len([one for one in stage.crm.ids() if one[0] == stage.user.person]) > 500
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


@ALL
def test_scenario_5_what_is_committed_late_comes_with_the_next_run(stage: Stage) -> None:
    """Three rows of each type are committed when the list of changes has passed them, below the newest time it has shown."""
    integration, user = stage.run_all(30), stage.user
    for kind in user.titled:  # the newest of each type is not one of the late ones
        last = max(int(key) for name, key in stage.crm.ids() if name == kind)
        user.rename(kind, str(last), "Newest Of All")
    changed = time.time()
    wait_until(lambda: time.time() > changed + 2.5)  # so that the run begins after the second of the newest change
    stage.crm.disturb(**HASTE, lateCommits=3)
    delta(stage, integration)
    late = {kind: stale(stage, kind) for kind in user.titled}
    assert [len(late[kind]) for kind in (user.person, user.organization, user.activity)] == [3, 3, 3]
    stage.crm.disturb(**HASTE)
    assert delta(stage, integration)["status"] == "SUCCEEDED"
    assert {kind: stale(stage, kind) for kind in user.titled} == {kind: set() for kind in user.titled}


LISTS = ("contacts", "organizations", "deals", "activities")


def stale(stage: Stage, kind: str) -> set[str]:
    """The ids of the CRM's records whose last change is not here."""
    query = (
        f"query($after: String) {{ list: {LISTS[stage.user.titled.index(kind)]}(first: 250, after: $after) {{ nodes"
        " { sources { externalType externalId remoteUpdatedAt } } pageInfo { hasNextPage endCursor } } }"
    )
    ours = {
        source["externalId"]: datetime.fromisoformat(source["remoteUpdatedAt"])
        for node in stage.gateway.walk(query)
        for source in node["sources"]
        if source["externalType"] == kind
    }
    return {key for key, moment in stage.user.times(kind).items() if ours.get(key) != moment}


@pytest.mark.parametrize(("crm", "persons"), [("pipedrive", 350), ("hubspot", 130)])
def test_scenario_6_rows_are_edited_while_pages_are_read(stage: Stage, persons: int) -> None:
    stage.crm.fill(persons)  # who fill a page with themselves, or with their activities
    stage.crm.disturb(**HASTE, editWhilePaging=20)
    integration = stage.connect()
    assert stage.gateway.sync(integration)["status"] == "SUCCEEDED"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
    stage.crm.disturb(**HASTE, sameTime=persons - 10, editWhilePaging=20)
    assert delta(stage, integration)["status"] == "SUCCEEDED"
    stage.crm.disturb(**HASTE)
    assert delta(stage, integration)["status"] == "SUCCEEDED"
    assert stale(stage, stage.user.person) == set()


# ---------------------------------------------------------------- deletions


@ALL
@pytest.mark.parametrize("kind", ["DELTA", "FULL"])
def test_what_the_crm_has_deleted_is_archived(stage: Stage, kind: str) -> None:
    """Scenario 8 where the CRM tells no new update time of it."""
    integration, user = stage.run_all(40), stage.user
    gone = [(user.person, user.key(3))]
    gone += [(name, user.key(2)) for name in (user.organization, user.deal, user.activity)]
    gone.append((user.note, user.key(1)))
    for name, key in gone:
        user.delete(name, key)
    run = stage.gateway.sync(integration, kind=kind)
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", len(gone))
    fields = (
        "... on Contact { archivedAt } ... on Organization { archivedAt } ... on Deal { archivedAt }"
        " ... on Activity { archivedAt }"
    )
    for name, key in gone:
        assert find(stage, integration, key, fields, name)["archivedAt"] is not None
    assert {one["status"] for one in [stage.gateway.sync(integration, kind=kind)]} == {"SUCCEEDED"}
    listed = [
        (source["externalType"], source["externalId"])
        for name in ("contacts", "organizations", "deals", "activities")
        for node in stage.gateway.walk(
            f"query($after: String) {{ list: {name}(first: 250, after: $after) {{ nodes"
            " { sources { externalType externalId deletedAt } } pageInfo { hasNextPage endCursor } } }"
        )
        for source in node["sources"]
        if not source["deletedAt"]
    ]
    assert Counter(listed) == Counter(stage.crm.ids())


def test_scenario_9_what_is_purged_is_found_by_its_id_and_archived(stage: Stage) -> None:
    """Nothing names it any more: it is in no list, and asking for it finds nothing."""
    integration = stage.run_all(40)
    stage.crm.call("DELETE", "/api/v2/persons/3")
    stage.crm.call("DELETE", "/api/v2/deals/2")
    lead = stage.crm.call("GET", "/api/v1/leads?limit=1")["data"][0]["id"]
    stage.crm.call("DELETE", f"/api/v1/leads/{lead}")
    stage.crm.disturb(**HASTE, purgeDeleted=True)
    unseen = delta(stage, integration)
    assert (unseen["status"], unseen["recordsArchived"]) == ("SUCCEEDED", 0)
    stage.crm.forget()
    run = stage.gateway.sync(integration)
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", 3)
    assert find(stage, integration, "3")["archivedAt"] is not None
    asked = {call["path"] for call in stage.crm.requests()["recent"]}
    assert {"/api/v2/persons/3", "/api/v2/deals/2", f"/api/v1/leads/{lead}"} <= asked


@ALL
def test_scenario_10_a_list_that_is_cut_short_archives_nothing(stage: Stage) -> None:
    """What the lists leave out is asked for by its id, and is there."""
    integration = stage.run_all(40)
    faults: list[Row] = [{"listEndsEarly": 0.5}, {"listEndsEarly": 0}, {"dropFromLists": 500}]
    for fault in faults:
        stage.crm.disturb(**HASTE, **fault)
        run = stage.gateway.sync(integration)
        assert (run["status"], run["recordsCreated"], run["recordsArchived"]) == ("PARTIAL", 0, 0), fault
        assert "its lists did not show" in run["message"], fault
        query = "{ contacts(archived: ONLY) { totalCount } deals(archived: ONLY) { totalCount } }"
        assert stage.gateway.ask(query) == {"contacts": {"totalCount": 0}, "deals": {"totalCount": 0}}, fault
    stage.crm.disturb(**HASTE)
    run = stage.gateway.sync(integration)
    assert (run["status"], run["recordsCreated"], run["recordsArchived"]) == ("SUCCEEDED", 0, 0)


# ---------------------------------------------------------------- merges


@pytest.mark.parametrize("kind", ["DELTA", "FULL"])
def test_scenario_11_two_records_merged_in_the_crm_are_one_here(stage: Stage, kind: str) -> None:
    stage.crm.fill(20)
    stage.crm.disturb(**HASTE)
    user = Pipedrive(stage.crm)
    loser = user.add_person("Ann Lee", "ann@one.example")
    survivor = user.add_person("Anna Lee", "anna@two.example")
    deal = stage.crm.call("POST", "/api/v2/deals", {"title": "Of Ann", "person_id": int(loser)})["data"]["id"]
    integration = stage.gateway.connect()
    stage.gateway.sync(integration)
    before = {find(stage, integration, key)["id"] for key in (loser, survivor)}
    assert len(before) == 2
    stage.crm.call("PUT", f"/api/v1/persons/{loser}/merge", {"merge_with_id": int(survivor)})
    run = stage.gateway.sync(integration, kind=kind)
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", 1)
    kept = find(stage, integration, survivor)["id"]
    assert kept in before, "the oldest of the two"
    for key in (loser, survivor):
        shown = find(stage, integration, key)
        assert (shown["id"], shown["archivedAt"], shown["name"]) == (kept, None, "Anna Lee")
        assert {one["value"] for one in shown["emails"]} == {"ann@one.example", "anna@two.example"}
        assert {one["externalId"] for one in shown["sources"] if not one["deletedAt"]} == {survivor}
    for one in before:
        assert stage.gateway.ask("query($i: ID!) { contact(id: $i) { id } }", i=one)["contact"] == {"id": kept}
    people = find(stage, integration, str(deal), "... on Deal { contacts { nodes { id } } }", "Deal")
    assert people["contacts"]["nodes"] == [{"id": kept}]
    again = stage.gateway.ask('{ contacts(search: "lee", archived: INCLUDE) { nodes { id } } }')["contacts"]["nodes"]
    assert again == [{"id": kept}]


# ---------------------------------------------------------------- what changes beside records


@ALL
def test_scenario_14_a_field_added_in_the_crm_is_there_in_the_next_run(stage: Stage) -> None:
    integration, user = stage.run_all(10), stage.user
    key, name = user.key(3), user.add_field("Shoe size")
    user.write(key, name, 43)
    delta(stage, integration, "CONTACT")
    custom = "... on Contact { customFields }"
    assert find(stage, integration, key, custom)["customFields"]["Shoe size"] == 43
    query = "query($i: ID!, $t: String!) { integration(id: $i) { fields(externalType: $t) { name label } } }"
    fields = stage.gateway.ask(query, i=integration, t=user.person)["integration"]["fields"]
    assert {"name": name, "label": "Shoe size"} in fields
    user.rename_field(name, "Foot")
    stage.gateway.sync(integration, ["CONTACT"])
    assert find(stage, integration, key, custom)["customFields"]["Foot"] == 43


@ALL
def test_scenario_35_disconnected_and_connected_again_nothing_is_doubled(stage: Stage) -> None:
    integration, user = stage.run_all(40), stage.user
    key = user.key(3)
    before = find(stage, integration, key)
    assert stage.gateway.do("disconnect", "integration { status }", integrationId=integration)["userErrors"] == []
    user.rename(user.person, key, "Changed Meanwhile")
    assert stage.connect() == integration
    run = delta(stage, integration, "CONTACT")
    assert numbers(run) == ["SUCCEEDED", 0, 1, 0, 0]
    after = find(stage, integration, key)
    assert (after["id"], after["name"]) == (before["id"], "Changed Meanwhile")
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
