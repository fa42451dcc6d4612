"""A stage for all tests of a process, cleared between them, and accounts that are empty or full of people.

`crm` says which CRM's they are: Pipedrive's, or those that a test is marked with (`ALL`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from storage.embedded import Embedded
from tests.conftest import copy_database
from tests.flows.users import USERS, User
from tests.stage import HASTE, Gateway, Sandbox, gateway, sandbox, wait_until

ALL = pytest.mark.parametrize("crm", ["pipedrive", "hubspot"])
"""A test of what holds for each CRM alike."""
KEPT = {"workspace", "workspace_key", "alembic_version", "job_schema"}
TASKS = ["sync", "leave", "rank", "push", "retry"]
SHIPPED = """
update workspace set source_priority = '{}', forgotten = 0, warm_lead_threshold = 4, pushes_per_minute = 10
"""


@dataclass(frozen=True)
class Stage:
    """A sandbox and a gateway that works, in processes of their own."""

    crm: Sandbox
    gateway: Gateway
    database: str
    folder: Path
    """With the key that its credentials are sealed with."""

    @property
    def user(self) -> User:
        """Somebody who works in the CRM."""
        return USERS[self.crm.name](self.crm)

    def clear(self) -> None:
        """As on the first day: no integration, no run, no record."""
        with psycopg.connect(self.database, autocommit=True) as admin:
            busy = "select 1 from procrastinate_jobs where status = 'doing' and task_name = any(%s)"
            wait_until(lambda: admin.execute(busy, (TASKS,)).fetchone() is None)
            admin.execute("delete from procrastinate_jobs where task_name = any(%s)", (TASKS,))
            admin.execute(SHIPPED)
            names = {name for (name,) in admin.execute("select tablename from pg_tables where schemaname = 'public'")}
            ours = sorted(name for name in names - KEPT if not name.startswith("procrastinate_"))
            admin.execute(f"truncate {', '.join(ours)}".encode())

    @contextmanager
    def barred(self, table: str) -> Iterator[None]:
        """Whoever wants to write into the table halts there, in the middle of its transaction."""
        with psycopg.connect(self.database, application_name="test") as admin:
            admin.execute(f"lock table {table} in share row exclusive mode".encode())
            yield

    def find_halted(self, table: str) -> str:
        """The name of the worker that has halted there, once one has."""
        query = (
            "select application_name from pg_locks join pg_stat_activity using (pid)"
            " where relation = %s::regclass and not granted and pg_locks.database ="
            " (select oid from pg_database where datname = current_database())"
        )
        with psycopg.connect(self.database, autocommit=True) as admin:
            (name,) = wait_until(lambda: admin.execute(query, (table,)).fetchone() or ())
        return str(name)

    def cut_connections(self) -> None:
        """The server ends every connection to the database but those of this test."""
        query = (
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and application_name <> 'test'"
        )
        with psycopg.connect(self.database, autocommit=True, application_name="test") as admin:
            admin.execute(query)

    def connect(self, account: int = 1) -> str:
        """The id of the account's integration, connected by its token."""
        return self.gateway.connect(self.crm.token(account), self.crm.name.upper())

    def run_all(self, persons: int, **data: int) -> str:
        """A FULL run over an account of so many people, from its start to its end. Gives the integration's id."""
        self.crm.fill(persons, **data)
        self.crm.disturb(**HASTE)
        integration = self.connect()
        run = self.gateway.sync(integration)
        assert run["status"] in ("SUCCEEDED", "PARTIAL")
        return integration


@pytest.fixture(scope="session")
def shared(server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Started once for all tests of a process."""
    folder = Path(tmp_path_factory.mktemp("stage"))
    with copy_database(server, template) as url, sandbox(folder) as crm, gateway(folder, url, crm) as opened:
        yield Stage(crm, opened, url, folder)


@pytest.fixture
def crm() -> str:
    """The CRM that the accounts are of."""
    return "pipedrive"


@pytest.fixture
def stage(shared: Stage, crm: str) -> Stage:
    """The shared one, cleared; two accounts with hardly anybody in them."""
    stage = replace(shared, crm=shared.crm.of(crm))
    stage.clear()
    for account in (1, 2):
        stage.crm.fill(0, account=account)
        stage.crm.disturb(account, **HASTE)
    return stage


@pytest.fixture(scope="module")
def idle(shared: Stage, server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway that leaves the work to others."""
    folder = Path(tmp_path_factory.mktemp("idle"))
    with copy_database(server, template) as url, gateway(folder, url, shared.crm, "--no-worker") as opened:
        yield Stage(shared.crm, opened, url, folder)
