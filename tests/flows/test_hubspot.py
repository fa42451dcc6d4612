"""What HubSpot does to a sync, and no other CRM: scenarios 4, 8, 10, 11, 12, 13, 20 and 21 in its own way."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.flows.conftest import Stage
from tests.flows.person import consent
from tests.flows.users import Hubspot, Row
from tests.stage import HASTE

EMPLOYED = "... on Contact { organization { sources { externalId } } }"
PEOPLE = "{ contacts { nodes { id sources { externalId deletedAt } } } }"


@pytest.fixture
def crm() -> str:
    return "hubspot"


@pytest.fixture
def user(stage: Stage) -> Hubspot:
    return Hubspot(stage.crm)


def delta(stage: Stage, integration: str, *types: str) -> Row:
    return stage.gateway.sync(integration, types, kind="DELTA")


def numbers(run: Row) -> list[Any]:
    """Status, and how many records it created, updated, archived, failed."""
    return [run["status"], *(run[f"records{name}"] for name in ("Created", "Updated", "Archived", "Failed"))]


def pass_time(stage: Stage) -> None:
    """What waits is due, and all limits are as on another day."""
    with psycopg.connect(stage.database, autocommit=True) as admin:
        admin.execute("update rate_window set resets_at = now(), blocked_until = now()")
        admin.execute("update sync_run set resumes_at = now()")
        admin.execute("update procrastinate_jobs set scheduled_at = now() where task_name = 'sync' and status = 'todo'")


# ---------------------------------------------------------------- searches


def test_scenario_4_what_the_index_does_not_have_yet_comes_with_the_next_run(stage: Stage, user: Hubspot) -> None:
    integration = stage.run_all(30)
    stage.crm.disturb(**HASTE, searchLagSeconds=600)
    added = user.add_person("Ada New", "ada@new.example")
    user.rename("companies", user.key(1), "Changed Ltd")
    types = ("CONTACT", "ORGANIZATION")
    assert numbers(delta(stage, integration, *types)) == ["SUCCEEDED", 0, 0, 0, 0]
    stage.crm.disturb(**HASTE)
    assert numbers(delta(stage, integration, *types)) == ["SUCCEEDED", 1, 1, 0, 0]
    assert stage.gateway.show(integration, "contacts", added, "... on Contact { name }")["name"] == "Ada New"
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
    assert numbers(delta(stage, integration, *types)) == ["SUCCEEDED", 0, 0, 0, 0]


@pytest.mark.parametrize(("kind", "status"), [("FULL", "PARTIAL"), ("DELTA", "SUCCEEDED")])
def test_scenario_10_an_empty_page_is_no_end(stage: Stage, user: Hubspot, kind: str, status: str) -> None:
    """What a list has not shown is read by its id, which the run tells; a search shows it on its next page."""
    integration = stage.run_all(40)
    for number in range(1, 7):
        user.rename("contacts", user.key(number), f"Changed {number}")
    stage.crm.disturb(**HASTE, emptyPage=1)
    run = stage.gateway.sync(integration, ["CONTACT"], kind=kind)
    assert numbers(run) == [status, 0, 6, 0, 0]


def test_scenario_10_a_search_that_shows_less_than_it_counts_is_asked_again(stage: Stage, user: Hubspot) -> None:
    integration = stage.run_all(40)
    for number in range(1, 7):
        user.rename("contacts", user.key(number), f"Changed {number}")
    stage.crm.disturb(**HASTE, listEndsEarly=0.5)
    run = stage.gateway.start(integration, ["CONTACT"], kind="DELTA")
    waiting = stage.gateway.wait(run, "WAITING")
    assert waiting["message"].startswith("HubSpot gave an empty page of changes, though it counts some.")
    stage.crm.disturb(**HASTE)
    pass_time(stage)
    assert numbers(stage.gateway.wait(run)) == ["SUCCEEDED", 0, 6, 0, 0]


def test_scenario_8_nobody_says_when_it_was_archived(stage: Stage, user: Hubspot) -> None:
    """Its update time stays, searches never show it, and it comes back as it went."""
    integration = stage.run_all(30)
    before = user.times("contacts")
    user.delete("contacts", user.key(3))
    stage.crm.forget()
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 0, 0, 1, 0]
    gone = stage.crm.call("GET", f"/crm/objects/2026-09/contacts/{user.key(3)}?archived=true")
    assert datetime.fromisoformat(gone["updatedAt"]) == before[user.key(3)]
    shown = stage.gateway.show(integration, "contacts", user.key(3), "... on Contact { archivedAt }")
    assert shown["archivedAt"] is not None
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 0, 0, 0, 0]


def test_a_round_whose_place_the_crm_knows_no_more_begins_anew(stage: Stage, user: Hubspot) -> None:
    integration = stage.run_all(10)
    with psycopg.connect(stage.database, autocommit=True) as admin:
        admin.execute("""update integration set rounds = '{"contacts:bin": "of-long-ago"}'""")
    user.delete("contacts", user.key(3))
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 0, 0, 1, 0]


# ---------------------------------------------------------------- merges


@pytest.mark.parametrize(
    ("kind", "faults"),
    [("FULL", {}), ("DELTA", {}), ("DELTA", {"keepPrimaryId": True}), ("DELTA", {"searchHidesMerges": True})],
)
def test_scenario_11_two_contacts_become_a_third(stage: Stage, user: Hubspot, kind: str, faults: Row) -> None:
    stage.crm.fill(20)
    old = [user.add_person(f"{name} Lee", f"{name}@lee.example") for name in ("anna", "ann")]
    deal = user.add("deals", dealname="Of Ann", dealstage="qualifiedtobuy")
    user.link("deals", deal, "contacts", old[1])
    stage.crm.disturb(**HASTE)
    integration = stage.connect()
    stage.gateway.sync(integration)
    before = [stage.gateway.show(integration, "contacts", key, "... on Contact { id }")["id"] for key in old]
    assert before[0] != before[1]
    stage.crm.disturb(**HASTE, **faults)
    new = user.merge("contacts", *old)
    assert (new == old[0]) == ("keepPrimaryId" in faults)
    run = stage.gateway.sync(integration, ["CONTACT", "DEAL"], kind=kind)
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", len({*old} - {new}))
    fields = "... on Contact { id name archivedAt emails { value } sources { externalId deletedAt } }"
    shown = [stage.gateway.show(integration, "contacts", key, fields) for key in (*old, new)]
    assert shown[0] == shown[1] == shown[2]
    kept = shown[0]["id"]
    assert kept in before
    assert (shown[0]["name"], shown[0]["archivedAt"]) == ("anna Lee", None)
    assert {one["value"] for one in shown[0]["emails"]} == {"anna@lee.example", "ann@lee.example"}
    assert {one["externalId"]: one["deletedAt"] is None for one in shown[0]["sources"]} == {
        **dict.fromkeys(old, False), new: True,
    }  # fmt: skip
    for one in before:
        assert stage.gateway.ask("query($i: ID!) { contact(id: $i) { id } }", i=one)["contact"] == {"id": kept}
    people = stage.gateway.show(integration, "deals", deal, "... on Deal { contacts { nodes { id } } }")
    assert people["contacts"]["nodes"] == [{"id": kept}]
    again = stage.gateway.ask('{ contacts(search: "lee", archived: INCLUDE) { nodes { id } } }')["contacts"]["nodes"]
    assert again == [{"id": kept}]
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 0, 0, 0, 0]


@pytest.mark.parametrize("faults", [{}, {"keepPrimaryId": True}])
def test_scenario_11_two_companies_become_a_third(stage: Stage, user: Hubspot, faults: Row) -> None:
    stage.crm.fill(20)
    old = [user.add("companies", name=f"{name} Ltd", domain=f"{name.lower()}.example") for name in ("One", "Two")]
    contact = user.add_person("Ann Lee", "ann@lee.example")
    user.link("contacts", contact, "companies", old[1])
    stage.crm.disturb(**HASTE)
    integration = stage.connect()
    stage.gateway.sync(integration)
    before = [stage.gateway.show(integration, "companies", key, "... on Organization { id }")["id"] for key in old]
    assert before[0] != before[1]
    stage.crm.disturb(**HASTE, **faults)
    new = user.merge("companies", *old)
    assert (new == old[0]) == ("keepPrimaryId" in faults)
    run = delta(stage, integration, "ORGANIZATION", "CONTACT")
    assert (run["status"], run["recordsArchived"]) == ("SUCCEEDED", len({*old} - {new}))
    fields = "... on Organization { id name archivedAt contacts { nodes { name } } }"
    shown = [stage.gateway.show(integration, "companies", key, fields) for key in (*old, new)]
    assert shown[0] == shown[1] == shown[2]
    assert shown[0]["id"] in before
    assert (shown[0]["name"], shown[0]["archivedAt"]) == ("One Ltd", None)
    assert shown[0]["contacts"]["nodes"] == [{"name": "Ann Lee"}]
    for one in before:
        found = stage.gateway.ask("query($i: ID!) { organization(id: $i) { id } }", i=one)["organization"]
        assert found == {"id": shown[0]["id"]}


def test_scenario_11_what_was_merged_before_is_one_from_the_first_run_on(stage: Stage, user: Hubspot) -> None:
    """And what has come of a merge is merged again."""
    ann, anna, anne = (user.add_person(f"{name} Lee", f"{name}@lee.example") for name in ("ann", "anna", "anne"))
    new = user.merge("contacts", user.merge("contacts", ann, anna), anne)
    integration = stage.connect()
    assert stage.gateway.sync(integration)["status"] == "SUCCEEDED"
    (one,) = stage.gateway.ask(PEOPLE)["contacts"]["nodes"]
    assert one["sources"] == [{"externalId": new, "deletedAt": None}]
    bob = user.add_person("bob Lee", "bob@lee.example")
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 1, 0, 0, 0]
    last = user.merge("contacts", new, bob)
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 1, 0, 2, 0]
    (kept,) = stage.gateway.ask(PEOPLE)["contacts"]["nodes"]
    assert kept["id"] == one["id"]
    assert {each["externalId"] for each in kept["sources"] if not each["deletedAt"]} == {last}
    assert Counter(stage.crm.ids()) == Counter([("contacts", last)])


# ---------------------------------------------------------------- associations


def ends(row: Row, kind: str) -> list[str]:
    """The ids that a record is associated with, each once."""
    found = row.get("associations", {}).get(kind, {}).get("results", ())
    return list(dict.fromkeys(one["id"] for one in found))


def employers(stage: Stage, integration: str, contact: str) -> list[str]:
    """The CRM's ids of the company that somebody works for."""
    shown = stage.gateway.show(integration, "contacts", contact, EMPLOYED)["organization"]
    return [one["externalId"] for one in shown["sources"]] if shown else []


def list_alone(stage: Stage, integration: str, rows: list[Row], companies: int) -> list[str]:
    """The ids of contacts who are nobody else here and have so many companies."""
    query = "... on Contact { sources { externalId } }"
    fitting = [row["id"] for row in rows if len(ends(row, "companies")) == companies]
    return [key for key in fitting if len(stage.gateway.show(integration, "contacts", key, query)["sources"]) == 1]


def test_scenario_12_only_associations_have_changed(stage: Stage, user: Hubspot) -> None:
    """No update time says so, and the next DELTA shows it all the same."""
    integration = stage.run_all(60)
    contacts = user.rows("contacts", linked="companies")
    hired, other = list_alone(stage, integration, contacts, 0)[:2]
    left, moved = list_alone(stage, integration, contacts, 1)[:2]
    deal, task, company = user.key(2), user.key(2), user.key(5)
    before = {kind: user.times(kind) for kind in ("contacts", "companies", "deals", "tasks")}
    user.link("contacts", hired, "companies", company)
    (employer,) = employers(stage, integration, left)
    user.unlink("contacts", left, "companies", employer)
    assert company not in employers(stage, integration, moved)
    user.label("contacts", moved, "companies", company, PRIMARY)
    user.link("deals", deal, "contacts", other)
    user.link("tasks", task, "contacts", other)
    assert before == {kind: user.times(kind) for kind in before}
    assert numbers(delta(stage, integration)) == ["SUCCEEDED", 0, 5, 0, 0]
    assert employers(stage, integration, hired) == [company]
    assert employers(stage, integration, left) == []
    assert employers(stage, integration, moved) == [company]
    people = "contacts { nodes { sources { externalId } } }"
    for kind, fields in (("deals", f"... on Deal {{ {people} }}"), ("tasks", f"... on Activity {{ {people} }}")):
        shown = stage.gateway.show(integration, kind, user.key(2), fields)["contacts"]["nodes"]
        assert other in {source["externalId"] for one in shown for source in one["sources"]}
    assert numbers(delta(stage, integration)) == ["SUCCEEDED", 0, 0, 0, 0]


PRIMARY = 1
"""The type of the association of a contact with its first company."""


# ---------------------------------------------------------------- properties


def test_scenario_13_a_thousand_properties_are_read_without_a_414(stage: Stage, user: Hubspot) -> None:
    """Their names are far more than an address has room for."""
    names = [f"a_column_of_an_import_of_long_ago_{number:04d}" for number in range(1_000)]
    for start in range(0, len(names), 100):
        inputs = [
            {
                "name": name,
                "label": name.upper(),
                "type": "string",
                "fieldType": "text",
                "groupName": "contactinformation",
            }
            for name in names[start : start + 100]
        ]
        stage.crm.call("POST", "/crm/properties/2026-09/contacts/batch/create", {"inputs": inputs})
    full = user.add("contacts", firstname="Ada", **{name: f"v {name}" for name in names})
    bare = user.add("contacts", firstname="Bob", **{names[-1]: "the last one"})
    stage.crm.forget()
    integration = stage.connect()
    assert numbers(stage.gateway.sync(integration)) == ["SUCCEEDED", 2, 0, 0, 0]
    query = "... on Contact { customFields }"
    shown = stage.gateway.show(integration, "contacts", full, query)["customFields"]
    assert shown == {name.upper(): f"v {name}" for name in names}
    shown = stage.gateway.show(integration, "contacts", bare, query)["customFields"]
    assert shown == {names[-1].upper(): "the last one"}
    user.change("contacts", full, **{name: f"w {name}" for name in names})
    assert numbers(delta(stage, integration, "CONTACT")) == ["SUCCEEDED", 0, 1, 0, 0]
    shown = stage.gateway.show(integration, "contacts", full, query)["customFields"]
    assert shown == {name.upper(): f"w {name}" for name in names}
    assert "414" not in stage.crm.requests()["byStatus"]


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("way", ["told by the headers", "told by a 429"])
def test_scenario_20_the_daily_quota_is_waited_for_until_midnight_where_the_account_is(stage: Stage, way: str) -> None:
    """A private app's answers say what is left; an app's that is connected by OAuth do not."""
    stage.crm.fill(30)
    if way == "told by the headers":
        integration = stage.connect()
        stage.crm.disturb(limits={**HASTE["limits"], "DAY": 30})
    else:
        integration = consent(stage.gateway, crm="HUBSPOT")
        stage.crm.disturb(**HASTE, dailyQuota=30)
    run = stage.gateway.start(integration)
    waiting = stage.gateway.wait(run, "WAITING")
    assert waiting["message"].startswith("The daily quota of the HubSpot account is used up. It goes on at 20")
    query = "query($r: ID!) { syncRun(id: $r) { resumesAt } }"
    resumes = datetime.fromisoformat(stage.gateway.ask(query, r=run)["syncRun"]["resumesAt"])
    here = datetime.now(ZoneInfo("Europe/Berlin"))
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert abs(resumes - midnight.astimezone(UTC)) < timedelta(minutes=1)
    assert ("429" in stage.crm.requests()["byStatus"]) == (way == "told by a 429")
    told = stage.gateway.ask("{ notifications { nodes { code level } } }")["notifications"]["nodes"]
    assert told == [{"code": "QUOTA_EXHAUSTED", "level": "WARNING"}]
    done = Counter(stage.gateway.sources())
    assert 0 < done.total() < len(stage.crm.ids())
    stage.crm.disturb(**HASTE)
    pass_time(stage)
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["recordsCreated"]) == ("SUCCEEDED", len(stage.crm.ids()))
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_scenario_21_a_429_of_the_searches_is_waited_for_as_told(stage: Stage, user: Hubspot) -> None:
    """A DELTA's are ready all at once, and their answers tell nothing of the limit before it is met."""
    integration = stage.run_all(30)
    user.rename("contacts", user.key(1), "Ada Changed")
    stage.crm.forget()
    stage.crm.disturb(limits={**HASTE["limits"], "SEARCH": 2}, retryAfter=True)
    assert numbers(delta(stage, integration)) == ["SUCCEEDED", 0, 1, 0, 0]
    calls = [call for call in stage.crm.requests()["recent"] if call["path"].endswith("/search")]
    rounds = [[call["status"] for call in each] for each in split(calls, 0.9)]
    assert len(rounds) >= 2
    assert rounds[0].count(429) > 0
    assert {each.count(200) for each in rounds} <= {0, 1, 2}  # the FULL has just counted by searches too
    assert max(each.count(429) for each in rounds) <= 3  # of the 5 that are sent in a second


def test_scenario_21_a_429_of_all_calls_is_waited_for_as_long_as_the_vendor_counts(stage: Stage) -> None:
    """Who does not say how long that is."""
    stage.crm.fill(20)
    integration = stage.connect()
    stage.crm.forget()
    stage.crm.disturb(limits={"BURST": 3}, latencyMs=200)
    assert stage.gateway.sync(integration, ["ORGANIZATION"])["status"] == "SUCCEEDED"
    rounds = [[call["status"] for call in each] for each in split(stage.crm.requests()["recent"], 10)]
    assert [len(each) - each.count(429) for each in rounds] == [2, 3]  # connecting was one of the first three
    assert 1 <= rounds[0].count(429) <= 3
    assert rounds[1].count(429) == 0


def split(calls: list[Row], seconds: float) -> list[list[Row]]:
    """The calls between pauses of at least so long."""
    found: list[list[Row]] = []
    last = datetime.min.replace(tzinfo=UTC)
    for call in calls:
        at = datetime.fromisoformat(call["at"])
        if (at - last).total_seconds() >= seconds:
            found.append([])
        found[-1].append(call)
        last = at
    return found
