"""The embedded server through everything that processes do: share it, leave it, die, and find it in odd places."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from storage.embedded import Embedded
from storage.errors import DatabaseInUse, DatabaseUnavailable, WrongVersion
from tests.conftest import ROOT
from tests.storage.conftest import Start, leave, one, pid, runs


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Another program, which has done nothing wrong."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            yield other
        finally:
            other.kill()


# ---------------------------------------------------------------- coming and going


def test_cold_then_warm(place: Path) -> None:
    server = Embedded(place / "new" / "data")
    assert (server.running(), server.status().version) == (False, None)

    with server:
        status = server.status()
        assert (status.running, status.version, status.holders) == (True, "18", (os.getpid(),))
        with psycopg.connect(server.url()) as connection:
            connection.execute("create table kept (n int)")
    assert not server.running()
    server.close()  # harmless twice

    with server, psycopg.connect(server.url()) as connection:
        connection.execute("select from kept")
        settings = connection.execute(
            "select name, setting from pg_settings where name in ('fsync', 'listen_addresses')"
        )
        assert dict(settings.fetchall()) == {"fsync": "on", "listen_addresses": ""}
    assert sorted(path.name for path in server.home.iterdir()) == ["pg", "start.lock", "users.lock"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (server.home, server.folder)} == {0o700}


def test_the_last_of_two_stops_it(home: Path, start: Start) -> None:
    first, second = start(home), start(home)
    server = pid(first)
    assert pid(second) == server

    leave(first)
    assert Embedded(home).running()
    leave(second)
    assert not Embedded(home).running()


def test_five_cold_starters_make_one(place: Path, start: Start) -> None:
    programs = [start(place / "data") for _ in range(5)]

    assert len({pid(program) for program in programs}) == 1
    for program in programs:
        leave(program)
    assert not Embedded(place / "data").running()
    assert not list((place / "data").glob("pg.new*"))


def test_after_kill_9_it_stays_and_is_used_again(home: Path, start: Start) -> None:
    killed = start(home)
    server = pid(killed)
    killed.kill()
    killed.wait()
    assert Embedded(home).running()

    following = start(home)
    assert pid(following) == server
    leave(following)
    assert not runs(server)


def test_sigterm_ends_it(home: Path, start: Start) -> None:
    program = start(home)
    server = pid(program)

    program.terminate()

    assert program.wait(30) == 0
    assert not runs(server)


def test_ctrl_c_reaches_the_program_and_not_the_server(home: Path, start: Start) -> None:
    program = start(home)
    server = pid(program)

    os.killpg(program.pid, signal.SIGINT)
    told, errors = program.communicate(timeout=30)

    assert (told, errors, program.returncode) == ("True\n", "", 0)  # it still ran when the program was told
    assert not runs(server)


def test_an_interrupted_start_leaves_nothing(place: Path, start: Start) -> None:
    program = start(place / "data")
    deadline = time.monotonic() + 30
    while not list(place.glob("data/pg.new.*/base")) and time.monotonic() < deadline:
        time.sleep(0.01)

    os.killpg(program.pid, signal.SIGINT)

    assert program.wait(30) != 0
    assert not (place / "data" / "pg").exists()
    leave(start(place / "data"))
    assert not list(place.glob("data/pg.new*"))


def test_a_killed_initdb_is_swept_away(place: Path) -> None:
    half = place / "data" / "pg.new.x"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    with Embedded(place / "data") as server:
        assert one(server.url()) == 1
    assert not half.exists()


def test_a_forked_child_does_not_count(home: Path, start: Start) -> None:
    code = """
import os, sys
from pathlib import Path
from storage.embedded import Embedded
with Embedded(Path(sys.argv[1])) as server:
    if (child := os.fork()) == 0:
        server.close()
        os._exit(0)
    os.waitpid(child, 0)
    print(server.running(), server.alone())
"""
    assert leave(start(home, code)) == "True True\n"
    assert not Embedded(home).running()


# ---------------------------------------------------------------- a server that died


@pytest.mark.parametrize("reused", [False, True])
def test_a_killed_server_is_started_again(home: Path, start: Start, reused: bool) -> None:
    program = start(home)
    server = pid(program)
    with sleeper() as other:
        os.kill(server, signal.SIGKILL)
        lines = (home / "pg" / "postmaster.pid").read_text().splitlines()
        if reused:
            (home / "pg" / "postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        assert not Embedded(home).running()

        following = start(home)
        again = pid(following)
        assert again not in (server, other.pid)

        leave(program)
        leave(following)
        assert not runs(again)
        assert other.poll() is None  # nobody took it for the server


def test_leaving_a_dead_server_signals_nobody(home: Path, start: Start) -> None:
    program = start(home)
    server = pid(program)
    with sleeper() as other:
        os.kill(server, signal.SIGKILL)
        (home / "pg" / "postmaster.pid").write_text(f"{other.pid}\n{home / 'pg'}\n")

        leave(program)

        assert other.poll() is None


# ---------------------------------------------------------------- places


@pytest.mark.parametrize("name", ["with space", "it's", "a,b", "50% of it's, ü", "x" * 130])
def test_odd_names(place: Path, cluster: Path, name: str) -> None:
    shutil.copytree(cluster, place / name / "pg")

    with Embedded(place / name) as server:
        assert one(server.url()) == 1
        with create_engine(server.url()).connect() as connection:
            assert connection.exec_driver_sql("select 1").scalar() == 1
        assert stat.S_IMODE(server.socket_folder().stat().st_mode) == 0o700
    assert not server.running()
    assert server.socket_folder() == server.folder or not server.socket_folder().exists()


@pytest.mark.parametrize("name", ['a "b"', "a$(b)", "a`b`", "a\\b"])
def test_names_that_a_shell_would_read_are_refused(place: Path, name: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="has a character that Postgres' tools take for theirs"):
        Embedded(place / name).start()


def test_a_closed_parent_stays_closed(place: Path, cluster: Path) -> None:
    parents = [place / "private", place / "private" / "inner"]
    for parent in parents:
        parent.mkdir(mode=0o700)
    before = [stat.S_IMODE(parent.stat().st_mode) for parent in (*parents[-1].parents, parents[-1])]
    shutil.copytree(cluster, parents[-1] / "data" / "pg")

    with Embedded(parents[-1] / "data") as server:
        assert one(server.url()) == 1

    assert [stat.S_IMODE(parent.stat().st_mode) for parent in (*parents[-1].parents, parents[-1])] == before


def test_a_socket_folder_that_another_made_is_refused(place: Path, cluster: Path) -> None:
    shutil.copytree(cluster, place / "a,b" / "pg")
    server = Embedded(place / "a,b")
    server.socket_folder().mkdir(mode=0o755)
    server.socket_folder().chmod(0o755)
    try:
        with pytest.raises(DatabaseUnavailable, match="is not ours alone: remove it"):
            server.start()
    finally:
        server.socket_folder().rmdir()
    assert not server.status().holders  # who failed does not stay a user


def test_the_caller_s_pg_variables_do_not_count(home: Path, start: Start) -> None:
    code = """
import sys, psycopg
from pathlib import Path
from storage.embedded import Embedded
with Embedded(Path(sys.argv[1])) as server, psycopg.connect(server.url()) as connection:
    print(connection.info.port, connection.info.user)
"""
    program = start(home, code, PGPORT="5999", PGDATA="/nowhere", PGHOST="nowhere", PGUSER="nobody")
    told, errors = program.communicate(timeout=60)
    assert (told, errors) == ("5432 postgres\n", "")


# ---------------------------------------------------------------- refusals and questions


def test_without_the_wheel_it_says_what_to_do(place: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from storage.embedded import Embedded
Embedded(Path({str(place / "data")!r})).start()
"""
    bare = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)  # noqa: S603

    assert "DatabaseUnavailable: no embedded Postgres for this system" in bare.stderr
    assert bare.stderr.rstrip().endswith("set DATABASE_URL to a Postgres 16 or newer")
    assert not (place / "data").exists()


def test_another_version_is_refused(home: Path) -> None:
    (home / "pg" / "PG_VERSION").write_text("16\n")

    with pytest.raises(WrongVersion, match=f"^{home / 'pg'} is of Postgres 16, this program carries 18: run"):
        Embedded(home).start()

    assert Embedded(home).status().version == "16"


def test_a_server_that_does_not_start_tells_why(home: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"(?s)does not start, see what it says: .*no_such_setting"):
        Embedded(home, {"no_such_setting": "1"}).start()

    with Embedded(home) as server:
        assert one(server.url()) == 1


def test_stop_is_refused_while_others_are_there(home: Path, start: Start) -> None:
    program = start(home)
    server = pid(program)
    with pytest.raises(DatabaseInUse, match=f"in use by process {program.pid}: stop that first, or use --force"):
        Embedded(home).stop()
    assert runs(server)

    Embedded(home).stop("immediate", force=True)

    assert not runs(server)
    leave(program)
    Embedded(home).stop()  # nothing to stop is fine


def test_stop_ends_what_a_killed_program_has_left(home: Path, start: Start) -> None:
    program = start(home)
    server = pid(program)
    program.kill()
    program.wait()

    Embedded(home).stop()

    assert not runs(server)


def test_alone(home: Path, start: Start) -> None:
    server = Embedded(home)
    with server:
        assert server.alone()
        program = start(home)
        pid(program)
        assert not server.alone()
        leave(program)
        assert server.alone()
        assert server.running()
    assert not server.alone()  # no user, no only user
