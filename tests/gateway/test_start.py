"""Starting by hand: what a person can put right is one line on stderr and an exit code that is not 0."""

import contextlib
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.tools import VERSION
from tests.house.sources import ROOT
from tests.nursery import NURSERY
from tests.stage import free_port

SECONDS = 60


def environment(folder: Path, **more: object) -> dict[str, str]:
    """Nothing of the caller's but the PATH; data in a folder of the test's."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CROSSWALK_DATA": str(folder / "data"), **more}
    return {name: str(value) for name, value in given.items()}


def run(folder: Path, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return NURSERY.run(command, environment(folder, **more), cwd=folder, seconds=SECONDS)


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line."""
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    [line] = ended.stderr.splitlines()
    return line


@contextlib.contextmanager
def taken_port() -> Iterator[int]:
    """By somebody who hangs up at once: one who says nothing is waited for."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield other.server_address[1]
        finally:
            other.shutdown()
            thread.join()


def test_a_taken_port(tmp_path: Path) -> None:
    with taken_port() as port:
        line = refused(run(tmp_path, "serve", "--port", str(port)))
    assert line == (
        f"crosswalk: PORT: cannot listen on 127.0.0.1:{port} (Address already in use): "
        "stop what does, or set PORT to another"
    )


def test_a_taken_port_of_the_sandbox(tmp_path: Path) -> None:
    with taken_port() as port:
        ended = run(tmp_path, "serve", PORT=0, CROSSWALK_SANDBOX=1, SANDBOX_PORT=port)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use",
        f"crosswalk: SANDBOX_PORT: the sandbox cannot run on port {port} (see above); set SANDBOX_PORT to a free one",
    ]


def test_a_host_that_is_not_loopback(tmp_path: Path) -> None:
    line = refused(run(tmp_path, "serve", "--host", "0.0.0.0", CROSSWALK_SANDBOX=1))  # noqa: S104 # refused
    assert line.startswith(
        "crosswalk: HOST: got '0.0.0.0', but takes an address or a name of this machine; only 127.0.0.1,"
    )


def test_a_wrong_variable_and_one_that_nothing_reads(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", PORT="http", SANDBOX_PORT="x")
    assert ended.returncode == 1
    assert [line.split(", but")[0] for line in ended.stderr.splitlines()] == [
        "crosswalk: PORT: got 'http'",
        "crosswalk: SANDBOX_PORT: got 'x'",
    ]
    warned = run(tmp_path, "db", "status", CROSSWALK_SANDBOXES=1)
    assert json.loads(warned.stderr)["variable"] == "CROSSWALK_SANDBOXES"


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql://someone:hidden@127.0.0.1:{free_port()}/crm"
    line = refused(run(tmp_path, "serve", PORT=0, DATABASE_URL=url))
    assert line.startswith("crosswalk: no Postgres to migrate (")
    assert line.endswith("start it, or correct DATABASE_URL")
    assert "hidden" not in line


def test_a_data_folder_of_another_postgres(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "pg"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "PG_VERSION").write_text(f"{VERSION - 2}\n")
    line = refused(run(tmp_path, "serve", PORT=0))
    assert f"Postgres {VERSION - 2}" in line


def test_wrong_keys(tmp_path: Path) -> None:
    line = refused(run(tmp_path, "serve", PORT=0, CROSSWALK_KEYS="1:tooshort"))
    assert "CROSSWALK_KEYS" in line
    assert "tooshort" not in line


def test_serving_and_stopping_leaves_nothing_behind(tmp_path: Path) -> None:
    """The whole of `make run`: sandbox, embedded database, gateway; healthy, then gone."""
    port, crms = free_port(), free_port()
    command = [sys.executable, "-m", "gateway", "serve"]
    given = environment(tmp_path, PORT=port, CROSSWALK_SANDBOX=1, SANDBOX_PORT=crms)
    with subprocess.Popen(command, cwd=tmp_path, env=given, stdout=subprocess.PIPE, text=True) as gateway:  # noqa: S603 # ours
        assert gateway.stdout is not None
        assert gateway.stdout.readline() == f"Crosswalk answers at http://127.0.0.1:{port}/graphql\n"
        assert fetch(port, "/healthz") == {"status": "ok"}
        wait_until_ready(port)
        gateway.send_signal(signal.SIGINT)
        assert gateway.wait(SECONDS) == 0
    for each in (port, crms):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", each))
    stopped = run(tmp_path, "db", "status")
    assert (stopped.returncode, stopped.stdout.split(":")[0]) == (1, "stopped")


def test_the_sandbox_does_not_outlive_a_killed_gateway(tmp_path: Path) -> None:
    """Even after kill -9: its input ends with the parent's life."""
    port = free_port()
    parent = (
        "import os, signal; from gateway.sandbox import running_sandbox\n"
        f"with running_sandbox({port}): os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", parent], env=environment(tmp_path), timeout=SECONDS, check=False)  # noqa: S603 # ours
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    pytest.fail("the sandbox still answers")


def fetch(port: int, path: str) -> object:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return json.load(answer)


def wait_until_ready(port: int) -> None:
    until = time.monotonic() + SECONDS
    while True:
        try:
            assert fetch(port, "/readyz") == {"status": "ok"}
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
        else:
            return
