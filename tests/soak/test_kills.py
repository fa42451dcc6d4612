"""Workers are killed again and again, wherever they are; in the end all is there, once."""

import random
import signal
import time
from collections import Counter
from contextlib import ExitStack

from tests.flows.conftest import Stage
from tests.flows.crew import Workers, count_met, wait_for_more
from tests.stage import HASTE

PERSONS = 8_000
KILLS = 20


def test_20_workers_are_killed_at_random_points(idle: Stage) -> None:
    dice = random.Random(20_261_101)  # noqa: S311 # the same points in every run, as far as the clock is the same
    idle.clear()
    idle.crm.fill(PERSONS)
    idle.crm.disturb(**HASTE, latencyMs=200)
    with ExitStack() as stack:
        workers = Workers(idle, stack)
        workers.start("one")
        workers.start("two")
        run = idle.gateway.start(idle.gateway.connect())
        for _ in range(KILLS):
            wait_for_more(idle, run, count_met(idle, run))
            time.sleep(dice.random() * 0.4)
            victim = workers.find_working()
            workers.signal(victim, signal.SIGKILL)
            workers.start(victim)
        assert idle.gateway.look(run)["status"] == "RUNNING"
        idle.crm.disturb(**HASTE)
        ended = idle.gateway.wait(run, seconds=120)
    there = Counter(name for name, _ in idle.crm.ids())
    assert ended["status"] == "SUCCEEDED"
    assert {count["externalType"]: count["fetched"] for count in ended["counts"]} == there
    assert {count["externalType"]: count["created"] for count in ended["counts"]} == there
    assert Counter(idle.gateway.sources()) == Counter(idle.crm.ids())
