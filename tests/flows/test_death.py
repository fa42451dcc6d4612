"""Scenario 7: whoever carries out a run dies, wherever it is, and another one goes on; nothing is lost or done twice."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from sync.jobs import DRAIN
from tests.flows.conftest import Stage
from tests.flows.crew import Workers, check_all_is_done_once, count_met, wait_for_more
from tests.stage import HASTE, gateway, own_database, wait_until

PERSONS = 350
"""Who have activities for two pages."""
TAKEN_OVER = 20
"""Seconds after which another worker must have gone on."""


@pytest.fixture
def stage(idle: Stage, crm: str) -> Stage:
    """A large account, and nobody who would sync it."""
    stage = replace(idle, crm=idle.crm.of(crm))
    stage.clear()
    stage.crm.fill(PERSONS)
    stage.crm.disturb(**HASTE)
    return stage


@pytest.fixture
def workers(stage: Stage) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(stage, stack)


def test_scenario_7_workers_are_killed_in_the_middle_of_a_page(stage: Stage, workers: Workers) -> None:
    """One while it writes organizations, one when all activities of a page are written and only the cursor is not."""
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(stage.barred("match_key"))
        second.enter_context(stage.barred("activity_contact"))
        run = stage.gateway.start(stage.connect())
        workers.start("one")
        workers.start("two")
        kill_and_wait(stage, run, workers, "match_key", first)
        stage.find_halted("activity_contact")
        with ExitStack() as last:
            last.enter_context(stage.barred("sync_run"))
            second.close()
            kill_and_wait(stage, run, workers, "sync_run", last)
    check_all_is_done_once(stage, run)


def kill_and_wait(stage: Stage, run: str, workers: Workers, table: str, bar: ExitStack) -> None:
    """Kills who has halted before the table; another one, whoever is first, goes on."""
    victim, met = stage.find_halted(table), count_met(stage, run)
    workers.signal(victim, signal.SIGKILL)
    died = time.monotonic()
    bar.close()
    workers.start(victim)
    wait_for_more(stage, run, met)
    assert time.monotonic() - died < TAKEN_OVER


@pytest.mark.parametrize("crm", ["hubspot"])
def test_scenario_7_one_is_killed_among_batches_of_many_pages(stage: Stage, workers: Workers) -> None:
    """When many contacts are committed, in the middle of a batch of calls."""
    stage.crm.fill(LARGE)
    workers.start("one")
    with stage.barred("activity_contact"):
        run = stage.gateway.start(stage.connect())
        victim, met = stage.find_halted("activity_contact"), count_met(stage, run)
        assert met > LARGE
        workers.signal(victim, signal.SIGKILL)
    workers.start("two")
    wait_for_more(stage, run, met)
    check_all_is_done_once(stage, run)


LARGE = 600
"""More contacts than are in one batch."""


def test_scenario_7_one_is_killed_while_it_archives_what_is_gone(stage: Stage, workers: Workers) -> None:
    """When all organizations are archived, and the persons are not: then nothing is, until another one does all of it."""
    stage.crm.fill(20)
    stage.crm.disturb(**HASTE)
    workers.start("one")
    integration, types = stage.connect(), ["CONTACT", "ORGANIZATION"]
    stage.gateway.sync(integration, types)
    gone = [f"/api/v2/{name}/{key}" for name, key in (("organizations", 1), ("persons", 1), ("persons", 2))]
    for path in gone:
        stage.crm.call("DELETE", path)
    stage.crm.disturb(**HASTE, purgeDeleted=True)
    with stage.barred("contact"):
        run = stage.gateway.start(integration, types)
        workers.signal(stage.find_halted("contact"), signal.SIGKILL)
    assert count_deleted(stage) == 0
    workers.start("two")
    ended = stage.gateway.wait(run)
    assert (ended["status"], ended["recordsArchived"], count_deleted(stage)) == ("SUCCEEDED", len(gone), len(gone))


def count_deleted(stage: Stage) -> int:
    """Sources of people and organizations that are gone in the CRM."""
    lists = "nodes { sources { deletedAt } }"
    query = f"{{ contacts(archived: INCLUDE) {{ {lists} }} organizations(archived: INCLUDE) {{ {lists} }} }}"
    found = stage.gateway.ask(query)
    nodes = [*found["contacts"]["nodes"], *found["organizations"]["nodes"]]
    return sum(source["deletedAt"] is not None for node in nodes for source in node["sources"])


def test_scenario_7_one_is_told_to_stop(stage: Stage, workers: Workers) -> None:
    """It does not wait for the end of the run, and the other one does not wait to be sure that it is gone."""
    workers.start("one")
    with stage.barred("deal_contact"):
        run = stage.gateway.start(stage.connect())
        assert stage.find_halted("deal_contact") == "one"
        workers.start("two")
        workers.signal("one", signal.SIGTERM)
        assert workers.processes["one"].wait(DRAIN + 3) == 0
    stopped, met = time.monotonic(), count_met(stage, run)
    stage.crm.disturb(**HASTE)
    wait_for_more(stage, run, met)
    assert time.monotonic() - stopped < 4
    check_all_is_done_once(stage, run)


def test_scenario_7_one_that_was_thought_dead_comes_back(stage: Stage, workers: Workers) -> None:
    """Between two pages. What it still has in its hands is not written: the run is another's by now."""
    workers.start("one")
    workers.start("two")
    integration = stage.connect()
    stage.crm.disturb(**HASTE, latencyMs=1000)  # a page comes so seldom that it is surely between two
    run = stage.gateway.start(integration)
    wait_for_more(stage, run, 0)
    victim = workers.find_working()
    wait_until(lambda: not workers.is_writing(victim))
    workers.signal(victim, signal.SIGSTOP)
    stage.crm.disturb(**HASTE, latencyMs=150)
    died, met = time.monotonic(), count_met(stage, run)
    wait_for_more(stage, run, met)
    assert time.monotonic() - died < TAKEN_OVER
    workers.signal(victim, signal.SIGCONT)
    check_all_is_done_once(stage, run)


def test_scenario_7_a_run_is_paused_that_nobody_carries_out_any_more(stage: Stage, workers: Workers) -> None:
    with stage.barred("activity_contact"):
        workers.start("one")
        integration = stage.connect()
        run = stage.gateway.start(integration)
        workers.signal(stage.find_halted("activity_contact"), signal.SIGKILL)
        stage.gateway.do("pauseIntegration", "", integrationId=integration)
    workers.start("two")
    assert stage.gateway.wait(run, "WAITING", seconds=TAKEN_OVER)["recordsCreated"] > 0
    stage.gateway.do("resumeIntegration", "", integrationId=integration)
    check_all_is_done_once(stage, run)


def test_scenario_7_a_gateway_with_its_own_database_goes_on_at_its_next_start(shared: Stage, tmp_path: Path) -> None:
    crm = shared.crm
    crm.fill(PERSONS)
    crm.disturb(**HASTE, latencyMs=100)
    with own_database(tmp_path):
        with gateway(tmp_path, None, crm) as opened:
            run = opened.start(opened.connect())
            opened.follow(run, lambda state: state["recordsCreated"] > 0)
            os.kill(opened.pid, signal.SIGKILL)
        crm.disturb(**HASTE)
        with gateway(tmp_path, None, crm) as opened:
            ready = time.monotonic()
            again = Stage(crm, opened, "", tmp_path)
            met = count_met(again, run)
            opened.follow(run, lambda _: count_met(again, run) > met or count_met(again, run) == len(crm.ids()))
            assert time.monotonic() - ready < 3
            check_all_is_done_once(again, run)


def test_a_merge_whose_process_is_killed_is_as_if_nobody_had_asked(stage: Stage) -> None:
    """In the middle of its transaction, with all written but the journal."""
    names = ("Ann Lee", "Ann B. Lee")
    made = [stage.gateway.do("createContact", "contact { id }", name=name)["contact"]["id"] for name in names]
    asked = {"keepId": made[0], "mergeIds": made[1:]}
    there = "{ contacts(archived: INCLUDE) { nodes { id name archivedAt } } changes(first: 9) { nodes { kind } } }"
    before = stage.gateway.ask(there)
    opening = gateway(stage.folder, stage.database, stage.crm, "--no-worker", PGAPPNAME="merger")
    with opening as opened, stage.barred("change_event"), ThreadPoolExecutor() as pool:
        answer = pool.submit(opened.do, "mergeRecords", "", **asked)
        assert stage.find_halted("change_event") == "merger"
        os.kill(opened.pid, signal.SIGKILL)
        assert answer.exception() is not None
    assert stage.gateway.ask(there) == before
    assert stage.gateway.do("mergeRecords", "", **asked)["userErrors"] == []
    assert stage.gateway.ask("{ contacts { nodes { id } } }")["contacts"]["nodes"] == [{"id": made[0]}]
