"""An integration is deleted: what only it held is archived, what others hold stays, and nothing else is left of it."""

import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import psycopg
import pytest

from tests.flows.conftest import Stage
from tests.flows.crew import Workers
from tests.flows.person import ask, consent, decide, look, visit
from tests.flows.test_consent import INVALID
from tests.stage import HASTE, TOKENS, Gateway, wait_until

Row = dict[str, Any]

TYPES = ("contacts", "organizations", "deals", "activities")
WAITING = """
select from pg_locks join pg_stat_activity using (pid) where not granted and datname = current_database()
"""
TWIN = """
insert into procrastinate_jobs (queue_name, task_name, args)
select queue_name, task_name, args from procrastinate_jobs where task_name = 'leave'
"""
PROGRESS = "subscription($r: ID!) { syncProgress(syncRunId: $r) { status } }"
PERSON = (
    "id name email phone kind jobTitle archivedAt customFields emails { value } organization { name }"
    " deals(first: 5, archived: INCLUDE) { nodes { title contacts(first: 5, archived: INCLUDE) { nodes { name } } } }"
    " sources { externalId integration { id } }"
)


def delete(gateway: Gateway, integration: str) -> Row:
    return gateway.do("deleteIntegration", "integrationId", integrationId=integration)


def list_all(gateway: Gateway, name: str, fields: str) -> list[Row]:
    """Every record of a type, archived ones too."""
    query = (
        f"query($after: String) {{ list: {name}(first: 250, after: $after, archived: INCLUDE)"
        f" {{ nodes {{ {fields} }} pageInfo {{ hasNextPage endCursor }} }} }}"
    )
    return list(gateway.walk(query))


def find(gateway: Gateway, name: str) -> Row:
    """The one person of that name."""
    (key,) = [one["id"] for one in list_all(gateway, "contacts", "id name") if one["name"] == name]
    found: Row = gateway.ask(f"query($i: ID!) {{ contact(id: $i) {{ {PERSON} }} }}", i=key)["contact"]
    return found


def rows(stage: Stage, query: str) -> list[Any]:
    with psycopg.connect(stage.database, autocommit=True) as admin:
        return admin.execute(query.encode()).fetchall()


def count_rows(stage: Stage, table: str) -> int:
    return len(rows(stage, f"select from {table}"))


def add(stage: Stage, path: str, account: int = 1, **values: Any) -> int:
    """The id of a new record in the CRM."""
    return int(stage.crm.call("POST", f"/api/v2/{path}", values, account)["data"]["id"])


def add_person(stage: Stage, name: str, *emails: str, account: int = 1, **more: Any) -> int:
    return add(stage, "persons", account, name=name, emails=[{"value": one} for one in emails], **more)


def connect_both(stage: Stage) -> list[str]:
    """The integrations of both accounts, all of their records synced."""
    found = [stage.gateway.connect(token) for token in TOKENS.values()]
    assert [stage.gateway.sync(each)["status"] for each in found] == ["SUCCEEDED", "SUCCEEDED"]
    return found


# ---------------------------------------------------------------- records


def test_whom_another_account_knows_is_as_that_one_says(stage: Stage) -> None:
    alder = add(stage, "organizations", name="Alder")
    birch = add(stage, "organizations", account=2, name="Birch")
    add_person(stage, "Ann Two", "ann@shared.example", account=2, org_id=birch)
    changed = time.time()
    wait_until(lambda: time.time() > changed + 1.1)  # the newest counts, and the CRM tells seconds
    ann = add_person(stage, "Ann One", "ann@shared.example", "ann@one.example", org_id=alder)
    add(stage, "deals", title="Of Ann", person_id=ann)
    first, second = connect_both(stage)
    before = find(stage.gateway, "Ann One")
    assert (before["kind"], before["organization"], len(before["sources"])) == ("CONTACT", {"name": "Alder"}, 2)
    assert delete(stage.gateway, first) == {"integrationId": first, "userErrors": []}
    after = find(stage.gateway, "Ann Two")
    assert (after["id"], after["archivedAt"], after["kind"]) == (before["id"], None, "LEAD")
    assert (after["emails"], after["organization"]) == ([{"value": "ann@shared.example"}], {"name": "Birch"})
    assert [one["integration"]["id"] for one in after["sources"]] == [second]


def test_whom_nobody_else_knows_is_archived_as_they_were(stage: Stage) -> None:
    alder = add(stage, "organizations", name="Alder")
    bob = add_person(stage, "Bob", "bob@one.example", org_id=alder, phones=[{"value": "+49 1512 3456789"}])
    twin = add_person(stage, "Bob", "bob@one.example")  # a second record of his, in the same account
    add(stage, "deals", title="Of Bob", person_id=bob)
    first, _ = connect_both(stage)
    before = find(stage.gateway, "Bob")
    assert {one["externalId"] for one in before["sources"]} == {str(bob), str(twin)}
    assert before["organization"] == {"name": "Alder"}
    delete(stage.gateway, first)
    assert stage.gateway.ask("{ contacts { totalCount } }")["contacts"]["totalCount"] == 0
    after = find(stage.gateway, "Bob")
    assert datetime.fromisoformat(after["archivedAt"]).tzinfo
    assert after == {**before, "archivedAt": after["archivedAt"], "sources": []}
    assert after["deals"]["nodes"] == [{"title": "Of Bob", "contacts": {"nodes": [{"name": "Bob"}]}}]


def test_totals_and_sources_are_those_of_the_other_account(stage: Stage) -> None:
    for account in TOKENS:
        stage.crm.fill(60, account=account)
        stage.crm.disturb(account, **HASTE)
    gateway = stage.gateway
    first, second = connect_both(stage)
    assert Counter(gateway.sources()) == Counter(stage.crm.ids(1)) + Counter(stage.crm.ids(2))
    before = {name: list_all(gateway, name, "id sources { integration { id } }") for name in TYPES}
    delete(gateway, first)
    assert Counter(gateway.sources()) == Counter(stage.crm.ids(2))
    for name, rows in before.items():
        stays = {row["id"] for row in rows if second in [one["integration"]["id"] for one in row["sources"]]}
        after = list_all(gateway, name, "id archivedAt")
        assert {row["id"] for row in after} == {row["id"] for row in rows}
        assert {row["id"] for row in after if not row["archivedAt"]} == stays
        assert 0 < len(stays) < len(rows)
        query = f"{{ live: {name} {{ totalCount }} archived: {name}(archived: ONLY) {{ totalCount }} }}"
        shown = gateway.ask(query)
        assert (shown["live"]["totalCount"], shown["archived"]["totalCount"]) == (len(stays), len(rows) - len(stays))
    assert gateway.ask("{ integrations { id stats { contacts } } }")["integrations"] == [
        {"id": second, "stats": {"contacts": len([row for row in before["contacts"] if second in str(row)])}}
    ]


def test_connected_again_people_and_companies_are_the_same_records(stage: Stage) -> None:
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE)
    add_person(stage, "Bob", "bob@one.example")
    integration = stage.gateway.connect()
    stage.gateway.sync(integration)
    before = {name: {row["id"] for row in list_all(stage.gateway, name, "id")} for name in TYPES}
    delete(stage.gateway, integration)
    again = stage.gateway.connect()
    assert again != integration
    assert stage.gateway.sync(again)["recordsCreated"] == len(stage.crm.ids())
    for name in ("contacts", "organizations"):
        after = list_all(stage.gateway, name, "id archivedAt")
        assert {row["id"] for row in after if not row["archivedAt"]} == {row["id"] for row in after} == before[name]
    for name in ("deals", "activities"):  # nothing but their ids in the account says which they are
        live = {row["id"] for row in list_all(stage.gateway, name, "id archivedAt") if not row["archivedAt"]}
        assert (len(live), live & before[name]) == (len(before[name]), set())
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())


def test_who_came_back_is_known_by_every_address_that_was_ever_said(stage: Stage) -> None:
    """Also by that which the account had when it left, though nobody has it any more."""
    bob = add_person(stage, "Bob", "old@one.example")
    stage.gateway.sync(integration := stage.gateway.connect())
    delete(stage.gateway, integration)
    add_person(stage, "Bob", "old@one.example", account=2)
    stage.gateway.sync(other := stage.gateway.connect(TOKENS[2]))
    before = find(stage.gateway, "Bob")
    stage.crm.call("PATCH", "/api/v2/persons/1", {"emails": [{"value": "new@one.example"}]}, account=2)
    stage.gateway.sync(other, kind="DELTA")
    stage.crm.call("PATCH", f"/api/v2/persons/{bob}", {"name": "Another"})
    stage.gateway.sync(again := stage.gateway.connect())
    assert stage.gateway.show(again, "Person", str(bob), "id")["id"] == before["id"]
    assert stage.gateway.ask("{ contacts { totalCount } }") == {"contacts": {"totalCount": 1}}


# ---------------------------------------------------------------- accounts


def test_a_consent_that_nobody_else_lives_on_is_taken_back(stage: Stage) -> None:
    integration = consent(stage.gateway)
    stage.gateway.sync(integration)
    delete(stage.gateway, integration)
    oauth = stage.crm.requests()["oauth"]
    assert (oauth["exchanges"], oauth["revocations"], oauth["refused"]) == (1, 1, 0)
    left = {table: count_rows(stage, table) for table in ("integration", "oauth_grant", "sync_run", "crm_user")}
    assert left == {"integration": 0, "oauth_grant": 0, "sync_run": 0, "crm_user": 0}


def test_one_that_waits_for_a_consent(stage: Stage) -> None:
    integration, url = ask(stage.gateway)
    assert delete(stage.gateway, integration) == {"integrationId": integration, "userErrors": []}
    assert visit(decide(url)) == INVALID
    assert stage.gateway.ask("{ integrations { id } }")["integrations"] == []
    assert look(stage.gateway, integration) is None


def test_an_id_that_leads_to_it_leads_nowhere(stage: Stage) -> None:
    integration = stage.gateway.connect()
    alias, _ = ask(stage.gateway)
    given = {"crm": "PIPEDRIVE", "integrationId": alias, "apiToken": TOKENS[1]}
    stage.gateway.do("connect", "integration { id }", **given)
    assert look(stage.gateway, alias)["id"] == integration
    assert delete(stage.gateway, alias) == {"integrationId": integration, "userErrors": []}
    assert [look(stage.gateway, each) for each in (alias, integration)] == [None, None]
    assert count_rows(stage, "integration") == 0


# ---------------------------------------------------------------- while it leaves


@pytest.fixture
def calm(idle: Stage) -> Stage:
    """An account, and nobody who would carry out a job."""
    idle.clear()
    for account in TOKENS:
        idle.crm.fill(0, account=account)
        idle.crm.disturb(account, **HASTE)
    return idle


def test_it_is_gone_at_once_and_a_worker_that_dies_is_followed_by_another(calm: Stage) -> None:
    calm.crm.fill(350)  # who have sources for three batches
    calm.crm.disturb(**HASTE)
    gateway = calm.gateway
    with ExitStack() as stack:
        workers, pool = Workers(calm, stack), stack.enter_context(ThreadPoolExecutor())
        integration = gateway.connect()
        run = gateway.start(integration)
        watched = [
            gateway.by_socket(f"subscription($i: ID!) {{ {field} {{ id }} }}", i=integration)
            for field in ("integration(id: $i)", "syncRuns(integrationId: $i)")
        ]
        begun = [next(events) for events in watched]
        assert begun == [{"integration": {"id": integration}}, {"syncRuns": {"id": run}}]
        workers.start("one")
        assert gateway.wait(run)["status"] == "SUCCEEDED"
        watching = [pool.submit(list, events) for events in watched]
        with calm.barred("contact"):
            deleting = pool.submit(delete, gateway, integration)
            assert calm.find_halted("contact") == "one"
            assert 0 < count_rows(calm, "source_record") < len(calm.crm.ids())
            left = rows(calm, "select credentials, account_id, status from integration")
            assert left == [(None, None, "DISCONNECTED")]
            check_nobody_sees_it(gateway, integration, run)
            for each, first in zip(watching, begun, strict=True):  # they end, and tell of nothing else until then
                assert all(event == first for event in each.result(30))
            workers.signal("one", signal.SIGKILL)
        workers.start("two")
        assert deleting.result(30) == {"integrationId": integration, "userErrors": []}
        wait_until(lambda: count_rows(calm, "integration") == 1)  # the answer waits for it, but not for long
    check_nothing_is_left(calm)
    assert {bool(row["archivedAt"]) for name in TYPES for row in list_all(gateway, name, "archivedAt")} == {True}


def test_two_at_once_do_no_harm_and_another_account_syncs_in_between(calm: Stage) -> None:
    calm.crm.fill(350)
    calm.crm.fill(100, account=2)
    gateway = calm.gateway
    with ExitStack() as stack:
        workers, pool = Workers(calm, stack), stack.enter_context(ThreadPoolExecutor())
        for name in ("one", "two"):
            workers.start(name)
        leaves, stays = gateway.connect(), gateway.connect(TOKENS[2])
        gateway.sync(leaves)
        with calm.barred("contact"):
            deleting = pool.submit(delete, gateway, leaves)
            calm.find_halted("contact")
            rows(calm, f"{TWIN} returning id")
            run = gateway.start(stays)
            wait_until(lambda: len(rows(calm, WAITING)) == 3)
        assert deleting.result(30) == {"integrationId": leaves, "userErrors": []}
        assert gateway.wait(run)["status"] == "SUCCEEDED"
        wait_until(lambda: not rows(calm, "select from procrastinate_jobs where task_name in ('sync', 'leave')"))
    assert gateway.ask("{ integrations { id } }")["integrations"] == [{"id": stays}]
    assert count_rows(calm, "integration") == 1
    assert Counter(gateway.sources()) == Counter(calm.crm.ids(2))
    live = [row for name in TYPES for row in list_all(gateway, name, "archivedAt sources { id }") if row["sources"]]
    assert all(row["archivedAt"] is None for row in live)


def check_nobody_sees_it(gateway: Gateway, integration: str, run: str) -> None:
    """By any way, though its rows are still there; and its account can be connected anew."""
    query = """query($i: ID!, $r: ID!) {
      integration(id: $i) { id } integrations { id } syncRun(id: $r) { id } nodes(ids: [$i, $r]) { id }
      syncRuns { totalCount } syncRuns2: syncRuns(integrationId: $i) { nodes { id } }
      recordBySource(integrationId: $i, externalType: "Person", externalId: "3") { id }
      remoteRecords(integrationId: $i, externalType: "Person") { nodes { externalId } }
      deals(first: 250) { nodes { sources { id integration { id } } owner { name integration { id } } } }
    }"""
    shown = gateway.ask(query, i=integration, r=run)
    deals = shown.pop("deals")["nodes"]
    assert deals
    assert all(deal == {"sources": [], "owner": None} for deal in deals)
    assert shown == {
        "integration": None,
        "integrations": [],
        "syncRun": None,
        "nodes": [None, None],
        "syncRuns": {"totalCount": 0},
        "syncRuns2": {"nodes": []},
        "recordBySource": None,
        "remoteRecords": None,
    }
    for mutation in ("deleteIntegration", "sync", "resumeIntegration", "disconnect"):
        (error,) = gateway.do(mutation, "", integrationId=integration)["userErrors"]
        assert error["code"] == "NOT_FOUND"
    (error,) = gateway.do("cancelSync", "", syncRunId=run)["userErrors"]
    assert error["code"] == "NOT_FOUND"
    again = gateway.connect()
    assert again != integration
    assert gateway.ask("{ integrations { id status } }")["integrations"] == [{"id": again, "status": "ACTIVE"}]


def check_nothing_is_left(stage: Stage, integrations: int = 1) -> None:
    """Of the one that was deleted, beside others without a record."""
    tables = ("source_record", "sync_run", "sync_error", "crm_user")
    assert {table: count_rows(stage, table) for table in tables} == dict.fromkeys(tables, 0)
    assert count_rows(stage, "integration") == integrations


@pytest.mark.parametrize("table", ["match_key", "activity_contact"])
def test_a_page_under_way_is_the_last_one(calm: Stage, table: str) -> None:
    """It is written by a worker elsewhere: the integration waits for it, and leaves with it."""
    calm.crm.fill(40)
    calm.crm.disturb(**HASTE)
    with ExitStack() as stack:
        workers, pool = Workers(calm, stack), stack.enter_context(ThreadPoolExecutor())
        workers.start("one")
        integration = calm.gateway.connect()
        with calm.barred(table):
            run = calm.gateway.start(integration)
            calm.find_halted(table)
            watching = pool.submit(list, calm.gateway.by_socket(PROGRESS, r=run))
            deleting = pool.submit(delete, calm.gateway, integration)
            wait_until(lambda: len(rows(calm, WAITING)) == 2)
        assert deleting.result(30) == {"integrationId": integration, "userErrors": []}
        assert {event["syncProgress"]["status"] for event in watching.result(30)} <= {"QUEUED", "RUNNING"}
        assert (calm.folder / "one.log").read_text().splitlines()[1:] == []
    check_nothing_is_left(calm, 0)


def test_a_page_that_comes_too_late_is_not_kept(stage: Stage) -> None:
    """The CRM's answer is still on its way when everything is gone already."""
    stage.crm.fill(40)
    stage.crm.disturb(**HASTE, latencyMs=1500)
    log = stage.folder / f"gateway-{stage.gateway.address.rpartition(':')[2]}.log"
    said = log.read_text()
    integration = stage.gateway.connect()
    run = stage.gateway.start(integration)
    stage.gateway.wait(run, "RUNNING")
    delete(stage.gateway, integration)
    check_nothing_is_left(stage, 0)
    busy = "select from procrastinate_jobs where task_name = 'sync'"
    wait_until(lambda: not rows(stage, busy))
    check_nothing_is_left(stage, 0)
    assert log.read_text() == said
    assert Counter(stage.gateway.sources()) == Counter()


def test_what_fails_here_is_tried_again_until_it_is_done(stage: Stage) -> None:
    add_person(stage, "Bob", "bob@one.example")
    stage.gateway.sync(integration := stage.gateway.connect())
    log = stage.folder / f"gateway-{stage.gateway.address.rpartition(':')[2]}.log"
    said = len(log.read_text())
    with psycopg.connect(stage.database, autocommit=True) as admin, ThreadPoolExecutor() as pool:
        admin.execute("revoke delete on source_record from crosswalk_app")
        deleting = pool.submit(delete, stage.gateway, integration)
        wait_until(lambda: "could not leave" in log.read_text()[said:])
        admin.execute("grant delete on source_record to crosswalk_app")
        assert deleting.result(30) == {"integrationId": integration, "userErrors": []}
    check_nothing_is_left(stage, 0)
