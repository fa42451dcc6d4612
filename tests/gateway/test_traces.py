"""Traces as an extra: nothing of it is loaded without a collector, and a collector that is away hurts nobody."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.watch import Watch
from resolvers.operation import Operation
from tests.gateway.collector import collecting
from tests.house.sources import ROOT
from tests.stage import free_port


def run(program: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    given = {"PYTHONPATH": str(ROOT), "CROSSWALK_DATA": str(folder), **env}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 # ours


def test_without_a_collector_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys; from gateway import cli; from gateway.settings import Settings; from gateway.watch import Watch\n"
        "Watch.open(Settings.load()); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    assert run(program, tmp_path).stdout == "[]\n"


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    """Forked as they are, both commands in a row: loading all of it is what takes time."""
    program = (
        "import os, sys; sys.modules['opentelemetry'] = None; from gateway.cli import main\n"
        "for command in ('serve', 'worker'):\n"
        "    if not (child := os.fork()): sys.argv = ['crosswalk', command]; main()\n"
        "    print(command, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)\n"
    )
    ended = run(program, tmp_path, PORT="0", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4318")
    assert ended.stdout == "serve 1\nworker 1\n"
    line = (
        "crosswalk: OTEL_EXPORTER_OTLP_ENDPOINT is set and opentelemetry is not installed:"
        " pip install 'crosswalk-gateway[otel]'\n"
    )
    assert ended.stderr == 2 * line


def look(watch: Watch, number: int) -> None:
    for _ in range(number):
        with watch.operation(Operation(kind="query", name="Who"), None) as step, step():
            watch.call("ACME", None, 0.5)


async def test_what_is_left_is_sent_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as collector:
        watch = Watch.open(Settings.load(otel_exporter_otlp_endpoint=collector.address))
        look(watch, 1)
        await watch.close()
    call, operation = collector.spans
    assert (operation.name, operation.parent, operation.failed) == ("query Who", "", False)
    assert (call.name, call.parent, call.failed) == ("call ACME", operation.span, True)
    assert caplog.records == []


async def test_a_collector_that_is_away_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    watch = Watch.open(Settings.load(otel_exporter_otlp_endpoint=f"http://user:hush@127.0.0.1:{port}"))
    began = time.monotonic()
    look(watch, 3000)  # more than are kept
    assert time.monotonic() - began < 5
    await watch.close()
    assert time.monotonic() - began < 10
    assert "hush" not in caplog.text
    assert len(caplog.records) <= 1
