"""`make bench`: syncs beside dlt and at a rate limit, what a DELTA and what limits cost, what others notice of attacks."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from bench.abuse import SETTINGS, make_key, measure_abuse
from bench.changes import measure_delta, measure_full
from bench.limits import measure_limits
from storage.embedded import Embedded
from tests.stage import ENDED, ROOT, Gateway, Peak, Sandbox, cpu_seconds, gateway, sandbox

PEER = ROOT / ".data" / "bench" / "dlt"
DLT = "dlt[postgres]==1.31.0"
TYPES = ("CONTACT",)
FEW, MANY = 5_000, 50_000
PARTS = ["sync", "peer", "limit", "changes", "cost", "abuse"]
WINDOW = 2.0
"""Seconds of Pipedrive's burst limit."""


def fresh(server: Embedded, name: str) -> str:
    """The address of an empty database."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        admin.execute(f"CREATE DATABASE {name}".encode())
    return server.url(name)


def install_peer() -> Path:
    """dlt in an environment of its own; made once."""
    python = PEER / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv")
        make = [uv, "venv", "-q", str(PEER)] if uv else [sys.executable, "-m", "venv", str(PEER)]
        install = (
            [uv, "pip", "install", "-q", "--python", str(python)] if uv else [str(python), "-m", "pip", "install", "-q"]
        )
        subprocess.run(make, check=True)
        subprocess.run([*install, DLT], check=True)
    return python


def carry_out(address: Gateway, integration: str) -> dict[str, Any]:
    """A FULL run to its end, looked at twice a second: more would be measured too."""
    run = address.start(integration, TYPES)
    while (state := address.look(run))["status"] not in ENDED:
        time.sleep(0.5)
    return state


def measure_sync(crm: Sandbox, address: Gateway, persons: int) -> dict[str, float]:
    """Records per CPU second of the gateway with its worker, and its peak PSS."""
    crm.fill(persons)
    crm.disturb(limits="none")
    integration = address.connect()
    before, began = cpu_seconds(address.pid), time.monotonic()
    with Peak(address.pid) as peak:
        state = carry_out(address, integration)
    cpu, wall = cpu_seconds(address.pid) - before, time.monotonic() - began
    if state["recordsCreated"] != persons:
        raise RuntimeError(f"{persons} persons, and {state}")
    return {"records": persons, "cpu": cpu, "perCpuSecond": persons / cpu, "wall": wall, "peak": peak.megabytes}


def measure_peer(crm: Sandbox, database: str) -> dict[str, float]:
    """dlt's records per CPU second for the same persons."""
    python = install_peer()
    # dlt wants a host and a password, whatever the server asks for.
    url = f"postgresql://postgres:unused@127.0.0.1:5432/{database}"
    command = [str(python), str(ROOT / "bench" / "peer.py"), f"{crm.address}/pipedrive", url]
    env = {"PATH": "/usr/bin:/bin", "DLT_DATA_DIR": str(PEER / "data"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found | {"perCpuSecond": found["records"] / found["cpu"]}


def measure_limit(crm: Sandbox, address: Gateway, persons: int, burst: int | None) -> dict[str, Any]:
    """How much of what the limit allows was used: the time in which it allows as many calls, of the time that they took."""
    crm.fill(persons)
    limits: dict[str, int] = {"DAY": 10_000_000} | ({"BURST": burst} if burst else {})
    crm.disturb(limits=limits)
    integration = address.connect()
    time.sleep(WINDOW)  # what connecting took is in no window any more
    crm.forget()
    carry_out(address, integration)
    report = crm.requests()
    times = [datetime.fromisoformat(one["at"]).timestamp() for one in report["recent"]]
    elapsed, allowed = times[-1] - times[0], burst or 20
    return {
        "limit": allowed,
        "calls": len(times),
        "seconds": elapsed,
        "share": WINDOW * ((len(times) - 1) // allowed) / elapsed,
        "refused": report["byStatus"].get("429", 0),
    }


def compare(what: list[str], home: Path, server: Embedded, crm: Sandbox) -> None:
    """Our FULL sync, and the peer's of the same persons."""
    ours: dict[int, dict[str, float]] = {}
    if "sync" in what:
        for persons in (FEW, MANY):
            with gateway(home, fresh(server, f"ours_{persons}"), crm) as address:
                ours[persons] = measure_sync(crm, address, persons)
                print(json.dumps({"sync": ours[persons]}), flush=True)
    if "peer" in what:
        crm.fill(MANY)
        crm.disturb(limits="none")
        fresh(server, "peer")
        peer = measure_peer(crm, "peer")
        print(json.dumps({"dlt": peer}), flush=True)
        if ours:
            print(json.dumps({"ratio": ours[MANY]["perCpuSecond"] / peer["perCpuSecond"]}), flush=True)


def main() -> None:
    """Prints each figure as it comes, as JSON lines."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="part of it; repeat for more")
    what = parser.parse_args().only or PARTS
    home = Path(tempfile.mkdtemp(prefix="crosswalk-bench-", dir="/dev/shm" if Path("/dev/shm").exists() else None))  # noqa: S108
    try:
        with Embedded(home / "db", {"listen_addresses": "127.0.0.1", "port": "5432"}) as server, sandbox(home) as crm:
            compare(what, home, server, crm)
            if "limit" in what:
                for burst, persons in ((4, 20_000), (None, MANY)):
                    with gateway(home, fresh(server, f"limit_{burst or 20}"), crm) as address:
                        print(json.dumps({"limit": measure_limit(crm, address, persons, burst)}), flush=True)
            if "changes" in what:
                with gateway(home, fresh(server, "first"), crm) as address:
                    print(json.dumps({"full": measure_full(crm, address)}), flush=True)
                with gateway(home, fresh(server, "changes"), crm) as address:
                    print(json.dumps({"delta": measure_delta(crm, address)}), flush=True)
            if "cost" in what:
                print(json.dumps({"cost": measure_limits()}), flush=True)
            if "abuse" in what:
                with gateway(home, url := fresh(server, "abuse"), crm, **SETTINGS) as address:
                    for found in measure_abuse(crm, address, make_key(home, url)):
                        print(json.dumps({"abuse": found}), flush=True)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
