"""Workers are killed again and again, wherever they are; in the end all is there, once."""

import random
import signal
import time
from collections import Counter
from contextlib import ExitStack

from tests.flows.conftest import Stage
from tests.flows.crew import Workers, wait_for_more
from tests.stage import ENDED, HASTE

PERSONS = 4_000
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
            before = idle.gateway.look(run)
            if before["status"] in ENDED:
                break
            wait_for_more(idle, run, sum(count["fetched"] for count in before["counts"]))
            time.sleep(dice.random() * 0.5)
            workers.signal(victim := dice.choice(("one", "two")), signal.SIGKILL)
            workers.start(victim)
        idle.crm.disturb(**HASTE)
        ended = idle.gateway.wait(run, seconds=120)
    there = Counter(name for name, _ in idle.crm.ids())
    assert ended["status"] == "SUCCEEDED"
    assert {count["externalType"]: count["fetched"] for count in ended["counts"]} == there
    assert {count["externalType"]: count["created"] for count in ended["counts"]} == there
    assert Counter(idle.gateway.sources()) == Counter(idle.crm.ids())
