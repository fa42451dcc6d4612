"""One database server for the whole run, a database of its own for each test that wants one, and no way out."""

import fcntl
import gc
import hashlib
import ipaddress
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from storage.embedded import Embedded
from storage.errors import StorageError
from storage.migrate import migrate
from tests.nursery import NURSERY

ROOT = Path(__file__).parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 - one folder of ours in it, mode 700
ROOM = 500_000_000
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Databases come and go here by the hundred, and each time all processes of the server have to answer, while a
    # vacuum at work in one of them holds it up for seconds: the fewer there are, the better.
    "autovacuum": "off",
    "io_method": "sync",
    "max_connections": "200",  # each worker has two gateways, tests have some of their own: a hundred is near
}
LOCK = 1668443508


def pytest_configure() -> None:
    """In every process of the run: a test that forgets its fake must not reach a CRM; what it starts starts quickly."""
    gc.disable()  # until all tests are loaded: hardly anything of that is garbage
    NURSERY.is_open = True
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_loopback(str(address[0])):
            raise RuntimeError(f"a test would have left this machine, for {address}: fake that host")
        connect(self, address)

    socket.socket.connect = connect_here  # type: ignore[assignment,method-assign]


def pytest_collection_finish() -> None:
    """What is loaded stays: to go through it for garbage again and again would be for nothing."""
    gc.freeze()
    gc.enable()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def server() -> Iterator[Embedded]:
    """One for all workers of the run (and for other runs of this checkout); the last to leave stops and removes it."""
    home = _home()
    server = Embedded(home, FAST)
    with _door(home):
        try:
            server.start()
        except StorageError:  # what an older run has left, of another version or broken
            shutil.rmtree(home / "pg", ignore_errors=True)
            server.start()
    try:
        yield server
    finally:
        with _door(home):
            last = server.alone()
            server.close()
            if last:
                shutil.rmtree(home / "pg")


@pytest.fixture(scope="session")
def template(server: Embedded) -> str:
    """The name of a migrated, empty database to copy from; nobody connects to it, for then it could not be copied."""
    name = f"template_{_fingerprint()}"
    with _admin(server) as admin:
        admin.execute("select pg_advisory_lock(%s)", (LOCK,))
        if admin.execute("select 1 from pg_database where datname = %s", (name,)).fetchone() is None:
            admin.execute("drop database if exists template_new with (force)")
            admin.execute("create database template_new")
            migrate(server.url("template_new"))
            admin.execute(sql.SQL("alter database template_new rename to {}").format(sql.Identifier(name)))
    return name


@pytest.fixture(scope="session")
def worker_url(server: Embedded, template: str) -> Iterator[str]:
    """A database that the tests of one process share: for those that leave nothing behind or do not mind."""
    with copy_database(server, template) as url:
        yield url


@pytest.fixture
def database_url(server: Embedded, template: str) -> Iterator[str]:
    """A fresh, migrated database for one test, gone afterwards."""
    with copy_database(server, template) as url:
        yield url


@pytest.fixture
def empty_url(server: Embedded) -> Iterator[str]:
    """A fresh database with nothing in it: for tests of the migrations."""
    with copy_database(server, "template0") as url:
        yield url


@contextmanager
def copy_database(server: Embedded, template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    made, source = sql.Identifier(name), sql.Identifier(template)
    with _admin(server) as admin:  # copying files is twice as fast as the log for a database as small as this
        admin.execute(sql.SQL("create database {} template {} strategy file_copy").format(made, source))
    try:
        yield server.url(name)
    finally:
        # The whole server is removed in the end: a database that cannot be dropped for now holds no test up.
        with _admin(server) as admin, suppress(psycopg.errors.QueryCanceled):
            admin.execute(sql.SQL("drop database {} with (force)").format(made))


def _admin(server: Embedded) -> psycopg.Connection:
    """For what takes a moment: a server in which processes do not answer is an error, and nothing to wait for."""
    return psycopg.connect(server.url(), autocommit=True, options="-c statement_timeout=60s")


def _home() -> Path:
    """In memory where there is room: there a test costs 20 ms less; named by user and checkout."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM and os.access(MEMORY, os.W_OK):
        checkout = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
        return MEMORY / f"crosswalk-test-{os.getuid()}-{checkout}"
    return ROOT / ".data" / "test"


@contextmanager
def _door(home: Path) -> Iterator[None]:
    """One process at a time comes or goes, so that nobody comes while the last one clears away."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "door.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint() -> str:
    """Of everything that the template is made of: a server that an older run has left may hold another one."""
    storage = ROOT / "storage"
    files = [storage / "migrate.py", storage / "jobs.py", ROOT / "requirements.lock"]
    files += sorted((storage / "migrations").rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
