"""Workers as processes by themselves, who are told to stop, killed and halted while they carry out a run."""

import os
from collections import Counter
from contextlib import ExitStack

import psycopg

from tests.flows.conftest import Stage
from tests.nursery import Process
from tests.stage import wait_until, worker


class Workers:
    """Workers by name, one of whom has the run."""

    def __init__(self, stage: Stage, stack: ExitStack) -> None:
        self.stage, self.stack = stage, stack
        self.processes: dict[str, Process] = {}
        self.names: dict[int, str] = {}
        """By the number that the job engine has given each."""

    def start(self, name: str) -> None:
        """One more."""
        with psycopg.connect(self.stage.database, autocommit=True) as admin:
            (last,) = admin.execute("select coalesce(max(id), 0) from procrastinate_workers").fetchone() or (0,)
            opened = worker(self.stage.folder, self.stage.database, self.stage.crm, name)
            self.processes[name] = self.stack.enter_context(opened)
            query = "select id from procrastinate_workers where id > %s"
            (number,) = wait_until(lambda: admin.execute(query, (last,)).fetchone() or ())
        self.names[number] = name

    def find_working(self) -> str:
        """The name of the one that has the run."""
        query = "select worker_id from procrastinate_jobs where task_name = 'sync' and status = 'doing'"
        with psycopg.connect(self.stage.database, autocommit=True) as admin:
            (number,) = wait_until(lambda: admin.execute(query).fetchone() or ())
        return self.names[number]

    def signal(self, name: str, number: int) -> None:
        """`kill`."""
        os.kill(self.processes[name].pid, number)

    def is_writing(self, name: str) -> bool:
        """Whether it is in the middle of a transaction."""
        query = (
            "select from pg_stat_activity where datname = current_database() and application_name = %s"
            " and xact_start is not null"
        )
        with psycopg.connect(self.stage.database, autocommit=True) as admin:
            return admin.execute(query, (name,)).fetchone() is not None


def count_met(stage: Stage, run: str) -> int:
    """The records of all pages that are done."""
    return sum(count["fetched"] for count in stage.gateway.look(run)["counts"])


def wait_for_more(stage: Stage, run: str, met: int) -> None:
    """Until a page is done that was not."""
    stage.gateway.follow(run, lambda state: sum(count["fetched"] for count in state["counts"]) > met)


def check_all_is_done_once(stage: Stage, run: str) -> None:
    """The run ends; every record is a source once, and was counted once."""
    ended = stage.gateway.wait(run)
    there = Counter(name for name, _ in stage.crm.ids())
    assert ended["status"] == "SUCCEEDED"
    assert {count["externalType"]: count["fetched"] for count in ended["counts"]} == there
    assert {count["externalType"]: count["created"] for count in ended["counts"]} == there
    assert [ended[f"records{name}"] for name in ("Created", "Updated", "Skipped", "Failed")] == [there.total(), 0, 0, 0]
    assert Counter(stage.gateway.sources()) == Counter(stage.crm.ids())
