"""The whole way by HTTP alone: an account is connected, everything in it is synced, watched, and queried."""

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from tests.flows.conftest import Stage
from tests.stage import HASTE

PERSONS = 90
BROKEN = 4

WATCH = "subscription($r: ID!) { syncProgress(syncRunId: $r) { status progress recordsCreated recordsFailed } }"

PEOPLE = """
query($after: String) { list: contacts(first: 10, after: $after, archived: INCLUDE) {
  pageInfo { hasNextPage endCursor }
  nodes {
    kind
    owner { email }
    sources { externalType externalId }
    organization { name sources { externalId } }
    deals(first: 100, archived: INCLUDE) { nodes {
      title stage pipeline archivedAt amount { amount currency } sources { externalType externalId }
    } }
    activities(first: 100, archived: INCLUDE) { nodes { subject sources { externalType externalId } } }
  }
} }
"""


@dataclass(frozen=True)
class Synced:
    """What a first run did, and what two subscribers saw of it."""

    stage: Stage
    integration: str
    run: dict[str, Any]
    by_socket: list[dict[str, Any]]
    by_stream: list[dict[str, Any]]


@pytest.fixture(scope="module")
def synced(shared: Stage) -> Iterator[Synced]:
    shared.clear()
    shared.crm.fill(PERSONS, broken=BROKEN)
    shared.crm.disturb(**HASTE, latencyMs=20)
    gateway = shared.gateway
    integration = gateway.connect()
    run = gateway.start(integration)
    with ThreadPoolExecutor() as pool:
        socket = pool.submit(list, gateway.by_socket(WATCH, r=run))
        stream = pool.submit(list, gateway.by_stream(WATCH, r=run))
        yield Synced(shared, integration, gateway.wait(run), socket.result(60), stream.result(60))


def test_every_record_is_a_source_once_or_named_by_one_error(synced: Synced) -> None:
    gateway, crm = synced.stage.gateway, synced.stage.crm
    found = Counter(gateway.sources()) + Counter(gateway.failures(synced.run["id"]))
    assert found == Counter(crm.ids())
    assert synced.run["status"] == "PARTIAL"
    assert synced.run["recordsFailed"] == len(gateway.failures(synced.run["id"])) == BROKEN
    assert synced.run["recordsCreated"] == len(crm.ids()) - BROKEN


@pytest.mark.parametrize("way", ["by_socket", "by_stream"])
def test_the_progress_is_seen_until_the_end(synced: Synced, way: str) -> None:
    seen = [event["syncProgress"] for event in getattr(synced, way)]
    assert len(seen) >= 4
    assert seen[-1] == {
        "status": "PARTIAL",
        "progress": 1.0,
        "recordsCreated": synced.run["recordsCreated"],
        "recordsFailed": BROKEN,
    }
    assert {event["status"] for event in seen[:-1]} <= {"QUEUED", "RUNNING"}
    created = [event["recordsCreated"] for event in seen]
    assert created == sorted(created)
    assert len(set(created)) >= 4


def test_a_person_is_shown_with_all_that_the_crm_knows(synced: Synced) -> None:
    known, failed = Known(synced.stage), set(synced.stage.gateway.failures(synced.run["id"]))
    people = list(synced.stage.gateway.walk(PEOPLE))
    assert len(people) > PERSONS * 0.8
    for contact in people:
        persons = [known.rows["Person"][one["externalId"]] for one in contact["sources"]]
        ids = {person["id"] for person in persons}
        assert own_ids(contact["deals"]["nodes"]) == known.deals_of(ids) - failed
        assert own_ids(contact["activities"]["nodes"]) == known.activities_of(ids) - failed
        deals = {one for one in known.deals_of(ids) - failed if one[0] == "Deal"}
        assert contact["kind"] == ("CONTACT" if deals else "LEAD")
        if len(persons) == 1:  # of several, the one that was changed last says it
            assert contact["owner"] == known.owner(persons[0])
            known.check_organization(contact["organization"], persons[0])


def test_a_deal_has_the_crms_own_words_and_figures(synced: Synced) -> None:
    known, seen = Known(synced.stage), set()
    for contact in synced.stage.gateway.walk(PEOPLE):
        for deal in contact["deals"]["nodes"]:
            (source,) = deal["sources"]
            row = known.rows[source["externalType"]][source["externalId"]]
            assert deal["title"] == clean(row["title"])
            assert deal["archivedAt"] is None  # which means deleted: what is put away in the CRM is there
            assert known.money(row) == (
                deal["amount"] and (Decimal(deal["amount"]["amount"]), deal["amount"]["currency"])
            )
            assert (deal["stage"], deal["pipeline"]) == known.place(row)
            seen.add((source["externalType"], row["is_archived"]))
    assert seen == {("Deal", False), ("Deal", True), ("Lead", False), ("Lead", True)}


def test_a_second_run_creates_and_updates_nothing(synced: Synced) -> None:
    again = synced.stage.gateway.sync(synced.integration)
    made = [again[name] for name in ("status", "recordsCreated", "recordsUpdated", "recordsArchived", "recordsFailed")]
    assert made == ["PARTIAL", 0, 0, 0, BROKEN]
    assert again["recordsSkipped"] == synced.run["recordsCreated"]
    assert {one["externalType"]: one["expected"] for one in again["counts"]} == {
        one["externalType"]: one["created"] for one in synced.run["counts"]
    }
    assert Counter(synced.stage.gateway.sources()) == Counter(
        set(synced.stage.crm.ids()) - set(synced.stage.gateway.failures(again["id"]))
    )


# ---------------------------------------------------------------- what the CRM itself says


class Known:
    """The account, read by its own API."""

    def __init__(self, stage: Stage) -> None:
        lists = {
            "Person": ["/api/v2/persons"],
            "Organization": ["/api/v2/organizations"],
            "Deal": ["/api/v2/deals", "/api/v2/deals/archived"],
            "Lead": ["/api/v1/leads", "/api/v1/leads/archived"],
            "Activity": ["/api/v2/activities"],
            "Note": ["/api/v1/notes"],
        }
        self.rows = {
            name: {str(row["id"]): row for path in paths for row in stage.crm.list(path)}
            for name, paths in lists.items()
        }
        self.users = {user["id"]: user["email"] for user in stage.crm.list("/api/v1/users")}
        self.stages = {row["id"]: row["name"] for row in stage.crm.list("/api/v2/stages")}
        self.pipelines = {row["id"]: row["name"] for row in stage.crm.list("/api/v2/pipelines")}

    def deals_of(self, persons: set[int]) -> set[tuple[str, str]]:
        """Deals and leads of these persons."""
        return {
            (name, key)
            for name in ("Deal", "Lead")
            for key, row in self.rows[name].items()
            if row["person_id"] in persons
        }

    def activities_of(self, persons: set[int]) -> set[tuple[str, str]]:
        """Activities that they take part in, and notes about them."""
        activities = {
            ("Activity", key)
            for key, row in self.rows["Activity"].items()
            if persons & {one["person_id"] for one in row["participants"] or [row]}
        }
        return activities | {("Note", key) for key, row in self.rows["Note"].items() if row["person_id"] in persons}

    def owner(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """The user in charge."""
        return {"email": self.users[row["owner_id"]]} if row["owner_id"] in self.users else None

    def check_organization(self, shown: dict[str, Any] | None, person: dict[str, Any]) -> None:
        """The employer, with its own name where it is one company here and there."""
        row = self.rows["Organization"].get(str(person["org_id"]))
        assert (shown is None) == (row is None)
        if shown is not None and row is not None:
            assert str(row["id"]) in {one["externalId"] for one in shown["sources"]}
            if len(shown["sources"]) == 1:
                assert shown["name"] == clean(row["name"])

    def money(self, row: dict[str, Any]) -> tuple[Decimal, str | None] | None:
        """A deal's has its currency beside it, a lead's inside."""
        value = row["value"]
        amount, currency = (
            (value["amount"], value["currency"]) if isinstance(value, dict) else (value, row.get("currency"))
        )
        return None if amount is None else (Decimal(str(amount)), currency)

    def place(self, row: dict[str, Any]) -> tuple[str | None, str | None]:
        """Stage and pipeline by name."""
        return self.stages.get(row.get("stage_id")), self.pipelines.get(row.get("pipeline_id"))


def own_ids(records: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["externalType"], one["externalId"]) for record in records for one in record["sources"]}


def clean(text: str) -> str | None:
    """As it can be stored; a text of nothing is none."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text.replace("\0", "")) or None
