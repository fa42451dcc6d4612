"""What attacks cost a gateway, and what a caller who means well notices of them."""

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.clients import FLOODS
from tests.stage import ROOT, Gateway, Peak, Sandbox, cpu_seconds, pss

PERSONS = 1_000
SETTINGS = {"COST_BUDGET": "1000000000", "COST_PER_SECOND": "1000000000"}
"""The caller who means well asks a hundred times a second, as no person does."""

CALM, SHORT = 4.0, 5.0
"""Seconds in which a caller is alone, and beside a flood."""

LONG = 24.0
"""Beside connections that are held: in these, the gateway's patience ends."""

LIMIT = 2.0
"""Times as long as alone a call may take beside an attack, by the median."""


REFUSED = {
    "aliases": "400 TOO_COMPLEX",
    "levels": "400 TOO_COMPLEX",
    "large": "413 TOO_COMPLEX",
    "circle": "400 BAD_INPUT",
    "batch": "400 BAD_INPUT",
    "drip": "408 TIMEOUT",
    "idle": "closed",
    "sockets": "closed 4408",
}
"""Attack -> the only answer that it gets."""


def measure_abuse(crm: Sandbox, address: Gateway, key: str) -> Iterator[dict[str, Any]]:
    """A line for each attack. Raises RuntimeError after the last, if one was felt, which on a busy machine says little."""
    crm.fill(PERSONS)
    crm.disturb(limits="none")
    address.sync(address.connect())
    part_cores(address.pid)
    felt = []
    for name, answer in REFUSED.items():
        found = measure_attack(address, name, key)
        yield found
        if set(found["answers"]) != {answer} or found["ratio"] > LIMIT:
            felt.append(name)
    if felt:
        raise RuntimeError(f"not refused as it should be, or felt by others: {', '.join(felt)}")


def measure_attack(address: Gateway, name: str, key: str) -> dict[str, Any]:
    """The attack by itself, then beside a caller, who is alone before and after."""
    port = int(address.address.rpartition(":")[2])
    seconds = SHORT if name in FLOODS else LONG
    alone = call(port, CALM, key)
    cpu, memory = cpu_seconds(address.pid), pss(address.pid)
    with Peak(address.pid) as peak:
        attack = json.loads(finish(begin(name, port, seconds)))
    cpu = cpu_seconds(address.pid) - cpu
    attacker, waited = begin(name, port, seconds), waited_seconds(address.pid)
    beside = call(port, seconds - 1, key)
    waited = waited_seconds(address.pid) - waited
    finish(attacker)
    alone += call(port, CALM, key)
    count = sum(attack["answers"].values())
    median = statistics.median(alone), statistics.median(beside)
    p95 = find_p95(alone), find_p95(beside)
    return {
        "attack": name,
        **attack,
        "perSecond": round(count / seconds),
        "cpuMs": round(1000 * cpu / count, 3),
        "cpuShare": round(cpu / seconds, 3),
        "megabytes": round(max(0, peak.bytes - memory) / 1e6, 1),
        "waited": round(waited / seconds, 3),
        "medianMs": [round(each, 2) for each in median],
        "p95Ms": [round(each, 2) for each in p95],
        "ratio": round(median[1] / median[0], 2),
    }


def waited_seconds(pid: int) -> float:
    """That its main thread could have run and had no core: more than a little of it, and others are being measured."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def find_p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def begin(name: str, port: int, seconds: float, *key: str) -> subprocess.Popen[bytes]:
    """One of the clients, in a process of its own, on another core than the gateway's."""
    command = [sys.executable, "-m", "bench.clients", name, str(port), str(seconds), *key]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def finish(client: subprocess.Popen[bytes]) -> bytes:
    """What it says."""
    said = client.communicate()[0]
    if client.returncode:
        raise RuntimeError(f"{client.args!r} ended with {client.returncode}")
    return said


def call(port: int, seconds: float, key: str) -> list[float]:
    """The milliseconds of each call of the one who means well."""
    found: list[float] = json.loads(finish(begin("well", port, seconds, key)))["milliseconds"]
    return found


def part_cores(gateway: int) -> None:
    """The gateway has the first core for itself; everybody whom this process starts from now on, the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{gateway}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {first})
    if others:
        os.sched_setaffinity(0, others)


def make_key(home: Path, database: str) -> str:
    """Of the demo workspace, which is there once a gateway has run."""
    command = [sys.executable, "-m", "gateway", "keys", "create", "--workspace", "Demo", "--role", "VIEWER"]
    env = {"PATH": os.environ["PATH"], "DATABASE_URL": database, "CROSSWALK_DATA": str(home), "LOG_LEVEL": "warning"}
    said = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    found = re.search(r"^cw_\S+$", said, re.MULTILINE)
    if found is None:
        raise RuntimeError(said)
    return found[0]
