"""Places for databases of their own, and programs that use them."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from storage.embedded import Embedded
from tests.conftest import MEMORY, ROOM, ROOT

Start = Callable[..., subprocess.Popen[str]]

PROGRAM = """
import signal, sys
from pathlib import Path
from storage.embedded import Embedded
from storage.tools import first_number
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a run in the background ignores
with Embedded(Path(sys.argv[1])) as server:
    try:
        print(first_number(server.folder / "postmaster.pid"), flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        print(server.running(), flush=True)
"""
"""Says the server's process, and stays until a line comes, or a signal."""


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty folder that others may pass through; whatever runs in it afterwards is stopped."""
    root = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM else Path(tempfile.gettempdir())
    place = Path(tempfile.mkdtemp(prefix="crosswalk-place-", dir=root))
    place.chmod(0o711)
    yield place
    for cluster in place.rglob("postmaster.pid"):  # one that was killed has left shared memory: the next one clears it
        with Embedded(cluster.parent.parent):
            pass
    shutil.rmtree(place)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that has been made and stopped: to copy, for tests that are not about making one."""
    home = tmp_path_factory.mktemp("cluster")
    with Embedded(home):
        pass
    return home / "pg"


@pytest.fixture
def home(place: Path, cluster: Path) -> Path:
    """A data folder with a database in it that does not run."""
    shutil.copytree(cluster, place / "data" / "pg")
    return place / "data"


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs a program (PROGRAM, or `code`) on a data folder, in a process group of its own; `before` stands before it."""
    begun: list[subprocess.Popen[str]] = []

    def start(home: Path, code: str = PROGRAM, before: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(  # noqa: S603
            [*before, sys.executable, "-c", code, str(home)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(program)
        return program

    yield start
    for program in begun:
        program.kill()
        program.communicate()


def pid(program: subprocess.Popen[str]) -> int:
    """The server's process, as PROGRAM says it; its error, if it says none."""
    assert program.stdout is not None
    assert program.stderr is not None
    line = program.stdout.readline()
    assert line, program.stderr.read()
    return int(line)


def leave(program: subprocess.Popen[str]) -> str:
    """Let it end by itself; what it says."""
    told, errors = program.communicate("\n", timeout=60)
    assert (program.returncode, errors) == (0, "")
    return told


def one(url: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute("select 1").fetchone()
    return row and row[0]


def runs(process: int) -> bool:
    command = Path(f"/proc/{process}/cmdline")
    return command.exists() and b"postgres" in command.read_bytes()
