"""Whoever sends a push dies, at each of its steps, and another one goes on: one record in the CRM in the end."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest

from tests.flows.conftest import ALL, Stage
from tests.flows.crew import Workers
from tests.flows.outward import OUT, Desk, read_books
from tests.stage import HASTE, wait_until

SLOW = 400
"""Milliseconds of each call, in which a row can be looked at and barred."""
BEFORE = "progress -> %s is null"
"""Taken, and this step not begun: it halts where it would begin it, before its call."""
CALLED = "progress -> %s ->> 'tried_at' is not null"
"""The step's call is under way: it halts when the CRM has made the record, and nobody here knows."""
KNOWN = "progress -> %s ->> 'id' is not null"
"""The step is done: it halts before the outcome is written."""
STEPS = {
    "pipedrive": [("organization", CALLED), ("person", KNOWN), ("activity", BEFORE)],
    "hubspot": [("person", BEFORE), ("person", CALLED), ("activity", CALLED)],
}


@pytest.fixture
def stage(idle: Stage, crm: str) -> Stage:
    """An empty account, and nobody who would send anything."""
    stage = replace(idle, crm=idle.crm.of(crm))
    stage.clear()
    stage.crm.fill(0)
    stage.crm.disturb(**HASTE, latencyMs=SLOW)
    return stage


@pytest.fixture
def workers(stage: Stage) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(stage, stack)


@ALL
def test_the_one_who_sends_is_killed_at_every_step(stage: Stage, workers: Workers, crm: str) -> None:
    """With an organization and an activity."""
    desk, books = Desk.open(stage, **OUT), read_books(stage)
    employer = desk.add_organization("Zenith Tools")
    wanda = desk.add_contact("Wanda Warm", emails=[{"value": "wanda@private.example"}], organizationId=employer)
    desk.log(wanda, "CALL", "Called her")
    desk.warm(wanda)
    workers.start("first")
    for number, (step, state) in enumerate(STEPS[crm]):
        workers.start(str(number))
        kill_at(stage, workers, step, state)
    stage.crm.disturb(**HASTE)
    assert [one["status"] for one in desk.settle(2)] == ["COMMITTED"] * 2
    (company,), (person,) = books.companies(), books.people()
    assert (person["organization"], person["labels"]) == (company["id"], ["Warm Lead"])
    assert [(title, whose) for _, title, whose in books.done()] == [("Called her", person["id"])]


def kill_at(stage: Stage, workers: Workers, step: str, state: str) -> None:
    """Kills who has a push once that holds of it, where it next writes of one; nobody hopes for long that it lives."""
    kind = "ACTIVITY" if step == "activity" else "WARM_LEAD"
    query = f"select from push where kind = %s and status = 'SENDING' and {state}".encode()
    with psycopg.connect(stage.database, autocommit=True) as admin:
        wait_until(lambda: admin.execute(query, (kind, step)).fetchone() is not None)
        with stage.barred("push"):
            victim = stage.find_halted("push")
            workers.signal(victim, signal.SIGKILL)
        [number] = [number for number, name in workers.names.items() if name == victim]
        old = "update procrastinate_workers set last_heartbeat = now() - interval '1 minute' where id = %s"
        admin.execute(old, (number,))


def test_scenario_24_an_answer_comes_after_a_poll_that_knows_more(stage: Stage, workers: Workers) -> None:
    """Who sends an edit falls asleep with the CRM's answer unread; meanwhile somebody changes the record in the CRM, and
    another one polls that."""
    key = stage.user.add_person("Base", "base@private.example")
    workers.start("one")
    desk = Desk.open(stage, is_read=True, direction="BIDIRECTIONAL")
    workers.start("two")
    contact = desk.find(stage.user.person, key)
    stage.crm.disturb(**HASTE, latencyMs=WHILE)
    stage.crm.forget()
    desk.do("updateContact", "", contactId=contact, name="Local")
    wait_until(lambda: any(call["method"] == "PATCH" for call in stage.crm.requests()["calls"]))
    called = stage.crm.requests()["total"]
    time.sleep(0.2)  # it asks for what the CRM has made of it: the log has that once it is answered
    sender = find_sender(stage, workers)
    workers.signal(sender, signal.SIGSTOP)
    wait_until(lambda: stage.crm.requests()["total"] > called)
    stage.crm.disturb(**HASTE)
    stage.user.rename(stage.user.person, key, "Remote")
    run = desk.gateway.sync(desk.integration, ["CONTACT"], kind="DELTA")
    assert (run["status"], desk.show(contact, "name")) == ("SUCCEEDED", {"name": "Remote"})
    workers.signal(sender, signal.SIGCONT)
    desk.settle_first(contact)
    assert desk.show(contact, "name") == {"name": "Remote"}
    assert [one["name"] for one in read_books(stage).people()] == ["Remote"]


WHILE = 1100
"""Milliseconds: longer than a second, which is how exact the CRM's times are."""


def find_sender(stage: Stage, workers: Workers) -> str:
    """Who has the outbox."""
    query = "select worker_id from procrastinate_jobs where task_name = 'push' and status = 'doing'"
    with psycopg.connect(stage.database, autocommit=True) as admin:
        (number,) = wait_until(lambda: admin.execute(query).fetchone() or ())
    return workers.names[number]
