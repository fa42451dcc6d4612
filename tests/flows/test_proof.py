"""What a run proves: that nothing is missing, and what it would archive; scenarios 9 and 10."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.flows.conftest import ALL, Stage
from tests.stage import HASTE

PROOF = "attestation { externalType recordType evidence remoteCount localCount missingCount missing verdict }"
PLAN = (
    "isDryRun plan { counts { externalType created updated archived } apiCalls archivePercent sample { externalType"
    " externalId action record { id } changes { field before after } } }"
)
Row = dict[str, Any]


def read(stage: Stage, run: str, fields: str) -> Row:
    """These fields of a run."""
    found: Row = stage.gateway.ask(f"query($r: ID!) {{ syncRun(id: $r) {{ status message {fields} }} }}", r=run)[
        "syncRun"
    ]
    return found


def attest(stage: Stage, run: str) -> dict[str, Row]:
    """What was proven, by external type."""
    return {row["externalType"]: row for row in read(stage, run, PROOF)["attestation"]}


def count(ids: Iterable[tuple[str, str]], name: str) -> int:
    return sum(type_ == name for type_, _ in ids)


# ---------------------------------------------------------------- nothing is missing


@ALL
def test_a_run_that_has_read_everything_can_prove_it(stage: Stage) -> None:
    stage.crm.fill(40, broken=8)
    stage.crm.disturb(**HASTE)
    run = stage.gateway.sync(stage.connect())
    there, here, proven = stage.crm.ids(), stage.gateway.sources(), attest(stage, run["id"])
    assert [(name, row["remoteCount"], row["localCount"]) for name, row in proven.items()] == [
        (name, count(there, name), count(here, name)) for name in proven
    ]
    assert {(row["verdict"], row["missingCount"], *row["missing"]) for row in proven.values()} == {("COMPLETE", 0)}
    evidence = "SECOND_PASS" if stage.crm.name == "pipedrive" else "COUNT"
    assert {row["evidence"] for row in proven.values()} == {evidence}
    assert {name for name, _ in there} <= set(proven)


@ALL
@pytest.mark.parametrize("faults", [{"listEndsEarly": 0.5}, {"dropFromLists": 500}])
def test_scenario_10_what_lists_have_left_out_is_named(stage: Stage, faults: Row) -> None:
    stage.crm.fill(60)
    stage.crm.disturb(**HASTE, **faults)
    integration, kind = stage.connect(), stage.user.person
    people = {key for name, key in stage.crm.ids() if name == kind}
    run = stage.gateway.sync(integration, ["CONTACT"])
    missing = people - {key for _, key in stage.gateway.sources()}
    proven = attest(stage, run["id"])[kind]
    assert (run["status"], proven["verdict"]) == ("PARTIAL", "INCOMPLETE")
    assert f"{proven['missingCount']} {kind}" in run["message"]
    assert set() < set(proven["missing"]) <= missing
    if "dropFromLists" in faults:  # else the list in another order is cut short too
        assert set(proven["missing"]) == missing
        assert (proven["remoteCount"], proven["missingCount"]) == (len(people), len(missing))
    stage.crm.disturb(**HASTE)
    again = stage.gateway.sync(integration, ["CONTACT"], kind="DELTA")  # nothing was marked as seen
    assert (again["status"], again["recordsCreated"], attest(stage, again["id"])) == ("SUCCEEDED", len(missing), {})


def name_missing(stage: Stage, run: str) -> set[tuple[str, str]]:
    """(external type, external id) of all that is told to be missing, each once; the verdicts say the same."""
    proven = attest(stage, run)
    named = [(name, one) for name, row in proven.items() for one in row["missing"]]
    assert len(named) == len(set(named)) == sum(row["missingCount"] for row in proven.values())
    verdicts = {name: "INCOMPLETE" if row["missing"] else "COMPLETE" for name, row in proven.items()}
    assert {name: row["verdict"] for name, row in proven.items()} == verdicts
    return set(named)


@pytest.mark.parametrize(
    ("crm", "kinds"),
    [
        (
            "pipedrive",
            {"CONTACT": "Person", "ORGANIZATION": "Organization", "DEAL": "Deal Lead", "ACTIVITY": "Activity Note"},
        ),
        ("hubspot", {"CONTACT": "contacts", "DEAL": "deals"}),  # it counts by searches, of which a second allows few
    ],
)
def test_scenario_10_what_an_empty_page_has_swallowed_is_named(stage: Stage, kinds: dict[str, str]) -> None:
    """The only page of every type is empty: nothing comes, and nothing goes."""
    stage.crm.fill(20)
    stage.crm.disturb(**HASTE, emptyPage=1)
    names = " ".join(kinds.values()).split()
    integration, user, types = stage.connect(), stage.user, list(kinds)
    there = {one for one in stage.crm.ids() if one[0] in names}
    assert {name for name, _ in there} == set(names)
    run = stage.gateway.sync(integration, types)
    assert (run["status"], run["recordsArchived"], stage.gateway.sources()) == ("PARTIAL", 0, [])
    assert name_missing(stage, run["id"]) == there
    stage.crm.disturb(**HASTE)
    run = stage.gateway.sync(integration, types)
    assert (run["status"], run["recordsCreated"], run["recordsArchived"]) == ("SUCCEEDED", len(there), 0)
    assert (name_missing(stage, run["id"]), sorted(stage.gateway.sources())) == (set(), sorted(there))
    user.delete(user.person, gone := user.key(3))
    stage.crm.disturb(**HASTE, emptyPage=1, purgeDeleted=True)
    run = stage.gateway.sync(integration, types)  # it has them from before, and its lists show none of them
    assert (run["status"], run["recordsCreated"], run["recordsArchived"]) == ("PARTIAL", 0, 0)
    assert name_missing(stage, run["id"]) == there - {(user.person, gone)}
    stage.crm.disturb(**HASTE, purgeDeleted=True)
    run = stage.gateway.sync(integration, types)
    assert (run["status"], run["recordsCreated"], run["recordsArchived"]) == ("SUCCEEDED", 0, 1)
    assert (name_missing(stage, run["id"]), sorted(stage.gateway.sources())) == (set(), sorted(there))


@ALL
def test_scenario_10_a_page_that_is_empty_amid_others_is_named(stage: Stage) -> None:
    """The second page, which is the last one, is empty."""
    stage.crm.fill(520 if stage.crm.name == "pipedrive" else 120)  # a page has 500, or 100
    stage.crm.disturb(**HASTE, emptyPage=2)
    run = stage.gateway.sync(stage.connect(), ["CONTACT"])
    people = {one for one in stage.crm.ids() if one[0] == stage.user.person}
    missing = people - set(stage.gateway.sources())
    assert (run["status"], len(missing)) == ("PARTIAL", 20)
    assert name_missing(stage, run["id"]) == missing
    assert attest(stage, run["id"])[stage.user.person]["remoteCount"] == len(people)


@ALL
def test_scenario_10_a_later_run_names_what_its_lists_have_left_out(stage: Stage) -> None:
    """It is here from before, so nothing of it is lost; but nothing else is archived on the word of such lists."""
    integration, user = stage.run_all(60), stage.user
    user.delete(user.person, user.key(3))
    stage.crm.disturb(**HASTE, dropFromLists=500, purgeDeleted=True)
    run = stage.gateway.sync(integration, ["CONTACT"])
    proven = attest(stage, run["id"])[user.person]
    assert (run["status"], run["recordsArchived"]) == ("PARTIAL", 0)
    assert (proven["verdict"], proven["missingCount"]) == ("INCOMPLETE", len(proven["missing"]))
    assert {(user.person, one) for one in proven["missing"]} <= stage.crm.ids()
    stage.crm.disturb(**HASTE, purgeDeleted=True)
    run = stage.gateway.sync(integration, ["CONTACT"])
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", 1)


# ---------------------------------------------------------------- the guard


def purge(stage: Stage, *ids: int) -> None:
    """These persons are gone for good, as if they had never been."""
    for one in ids:
        stage.crm.call("DELETE", f"/api/v2/persons/{one}")
    stage.crm.disturb(**HASTE, purgeDeleted=True)


def count_archived(stage: Stage) -> int:
    """Persons of the CRM that are gone there, as far as it is known here."""
    query = "{ contacts(first: 250, archived: INCLUDE) { nodes { sources { deletedAt } } } }"
    nodes = stage.gateway.ask(query)["contacts"]["nodes"]
    return sum(source["deletedAt"] is not None for node in nodes for source in node["sources"])


@pytest.fixture
def held(stage: Stage) -> tuple[str, Row]:
    """An integration, and a run of it that waits for a word: it would archive 20 of 40 persons."""
    integration = stage.run_all(40)
    purge(stage, *range(1, 21))
    return integration, stage.gateway.wait(stage.gateway.start(integration), "HELD")


def test_scenario_9_a_run_that_would_archive_much_waits_for_a_word(stage: Stage, held: tuple[str, Row]) -> None:
    integration, run = held
    told = read(stage, run["id"], f"completedAt {PLAN}")
    plan, sample = told["plan"], told["plan"]["sample"]
    assert "20 of 40 Person" in told["message"]
    assert "approveSync" in told["message"]
    assert (told["completedAt"], told["isDryRun"], plan["archivePercent"]) == (None, False, 50.0)
    assert {row["externalType"]: row["archived"] for row in plan["counts"]}["Person"] == 20
    assert {(one["externalType"], one["action"]) for one in sample} == {("Person", "ARCHIVE")}
    assert {one["externalId"] for one in sample} == {str(one) for one in range(1, 21)}
    assert {(one["field"], one["before"]) for row in sample for one in row["changes"]} == {("archivedAt", None)}
    assert count_archived(stage) == 0
    assert stage.gateway.sync(integration, kind="DELTA")["status"] == "SUCCEEDED"  # it blocks nothing
    payload = stage.gateway.do("approveSync", "syncRun { id } isNew", syncRunId=run["id"])
    assert payload == {"syncRun": {"id": run["id"]}, "isNew": False, "userErrors": []}
    ended = stage.gateway.wait(run["id"])
    assert (ended["status"], ended["recordsArchived"], count_archived(stage)) == ("SUCCEEDED", 20, 20)
    (error,) = stage.gateway.do("approveSync", "syncRun { id }", syncRunId=run["id"])["userErrors"]
    assert (error["code"], error["details"]) == ("BAD_INPUT", {"status": "SUCCEEDED"})


def test_scenario_9_a_held_run_is_dropped(stage: Stage, held: tuple[str, Row]) -> None:
    """By a person, or by a newer one, which looks at everything anew."""
    integration, run = held
    payload = stage.gateway.do("cancelSync", "syncRun { status }", syncRunId=run["id"])
    assert (payload["syncRun"]["status"], count_archived(stage)) == ("CANCELLED", 0)
    second = stage.gateway.wait(stage.gateway.start(integration), "HELD")
    limit = stage.gateway.do(
        "updateIntegration", "integration { settings { deleteGuardPercent } }",
        integrationId=integration, deleteGuardPercent=100,
    )  # fmt: skip
    assert limit["integration"]["settings"] == {"deleteGuardPercent": 100}
    third = stage.gateway.sync(integration)
    assert (third["status"], third["recordsArchived"]) == ("SUCCEEDED", 20)
    ended = stage.gateway.look(second["id"])
    assert (ended["status"], ended["message"][:26]) == ("CANCELLED", "A newer FULL run has begun")
    told = stage.gateway.ask("{ notifications { nodes { code integration { id } } } }")["notifications"]["nodes"]
    assert told == [{"code": "RUN_HELD", "integration": {"id": integration}}] * 2, "once for each run"


def test_scenario_9_what_was_seen_since_is_not_archived(stage: Stage, held: tuple[str, Row]) -> None:
    """Everybody is back before anybody says a word."""
    integration, run = held
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE)
    named = [{"externalType": "Person", "externalId": str(one)} for one in range(1, 6)]
    assert stage.gateway.sync(integration, kind="SELECTIVE", records=named)["status"] == "SUCCEEDED"
    stage.gateway.do("approveSync", "syncRun { id }", syncRunId=run["id"])
    assert stage.gateway.wait(run["id"])["recordsArchived"] == count_archived(stage) == 15


def test_a_guard_is_a_part_of_a_hundred(stage: Stage) -> None:
    integration = stage.connect()
    for wrong in (-1, 101):
        payload = stage.gateway.do(
            "updateIntegration", "integration { id }", integrationId=integration, deleteGuardPercent=wrong
        )
        assert [error["code"] for error in payload["userErrors"]] == ["BAD_INPUT"]


# ---------------------------------------------------------------- a dry run


def look_at_all(stage: Stage, integration: str) -> Any:
    """All that a dry run must leave as it is."""
    query = (
        "query($i: ID!) { contacts(first: 250, archived: INCLUDE) { nodes { id name updatedAt sources { id syncedAt } } }"
        " integration(id: $i) { lastSyncedAt stats { contacts organizations deals activities } } }"
    )
    return stage.gateway.ask(query, i=integration)


@ALL
def test_a_dry_run_tells_what_a_run_would_do(stage: Stage) -> None:
    integration, user = stage.run_all(40), stage.user
    user.rename(user.person, user.key(2), "Somebody Else")
    user.delete(user.person, user.key(3))
    new = user.add_person("Ada Lovelace", "ada@engine.example")
    before = look_at_all(stage, integration)
    for kind in ("DELTA", "FULL"):
        run = stage.gateway.sync(integration, ["CONTACT"], kind=kind, dryRun=True)
        told = read(stage, run["id"], f"apiCalls {PLAN}")
        plan, sample = told["plan"], {one["externalId"]: one for one in told["plan"]["sample"]}
        numbers = {row["externalType"]: row for row in plan["counts"]}[user.person]
        assert (run["status"], told["isDryRun"]) == ("SUCCEEDED", True)
        assert (numbers["created"], numbers["updated"], numbers["archived"]) == (1, 1, 1)
        assert plan["apiCalls"] >= told["apiCalls"] > 0
        assert {one: sample[one]["action"] for one in (new, user.key(2), user.key(3))} == {
            new: "CREATE", user.key(2): "UPDATE", user.key(3): "ARCHIVE",
        }  # fmt: skip
        assert sample[new]["record"] is None
        assert {"field": "name", "before": None, "after": "Ada Lovelace"} in sample[new]["changes"]
        assert [one["after"] for one in sample[user.key(2)]["changes"] if one["field"] == "name"] == ["Somebody Else"]
        assert look_at_all(stage, integration) == before
    run = stage.gateway.sync(integration, ["CONTACT"])
    for name in ("created", "updated", "archived"):
        assert run[f"records{name.capitalize()}"] == sum(row[name] for row in plan["counts"])
    assert run["apiCalls"] <= plan["apiCalls"] + 5  # who owns what is read too


def test_a_dry_run_of_an_account_that_is_new_here_writes_nothing(stage: Stage) -> None:
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE)
    integration = stage.connect()
    run = stage.gateway.sync(integration, dryRun=True)
    told = read(stage, run["id"], PLAN)["plan"]
    assert sum(row["created"] for row in told["counts"]) == len(stage.crm.ids())
    assert len(told["sample"]) == 100
    assert stage.gateway.sources() == []
    assert stage.gateway.ask("query($i: ID!) { integration(id: $i) { lastSyncedAt } }", i=integration) == {
        "integration": {"lastSyncedAt": None}
    }
    real = stage.gateway.sync(integration)
    assert real["recordsCreated"] == len(stage.crm.ids())


def test_a_dry_run_is_not_held_and_says_how_much_it_would_archive(stage: Stage) -> None:
    integration = stage.run_all(40)
    purge(stage, *range(1, 21))
    run = stage.gateway.sync(integration, dryRun=True)
    told = read(stage, run["id"], PLAN)["plan"]
    assert (run["status"], told["archivePercent"], count_archived(stage)) == ("SUCCEEDED", 50.0, 0)
    assert {one["externalId"] for one in told["sample"] if one["action"] == "ARCHIVE"} == {
        str(one) for one in range(1, 21)
    }
    assert stage.gateway.start(integration, dryRun=True) != stage.gateway.start(integration)  # neither covers the other
