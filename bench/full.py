"""A FULL sync of one CRM's persons, and the peer's of the same ones: records per CPU second, and memory."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.stage import ENDED, ROOT, Gateway, Peak, Sandbox, cpu_seconds

PEER = ROOT / ".data" / "bench" / "dlt"
DLT = "dlt[postgres]==1.31.0"
TYPES = ("CONTACT",)


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


def connect(crm: Sandbox, address: Gateway) -> str:
    """The id of the integration with the sandbox's own token."""
    return address.connect(crm.token(), crm.name.upper())


def carry_out(address: Gateway, integration: str) -> dict[str, Any]:
    """A FULL run to its end, looked at twice a second: more would be measured too."""
    run = address.start(integration, TYPES)
    while (state := address.look(run))["status"] not in ENDED:
        time.sleep(0.5)
    return state


def measure_sync(crm: Sandbox, address: Gateway, persons: int) -> dict[str, Any]:
    """Records per CPU second of the gateway with its worker, and its peak PSS."""
    crm.fill(persons)
    crm.disturb(limits="none")
    integration = connect(crm, address)
    before, began = cpu_seconds(address.pid), time.monotonic()
    with Peak(address.pid) as peak:
        state = carry_out(address, integration)
    cpu, wall = cpu_seconds(address.pid) - before, time.monotonic() - began
    if state["recordsCreated"] != persons:
        raise RuntimeError(f"{persons} persons, and {state}")
    return {"records": persons, "cpu": cpu, "perCpuSecond": persons / cpu, "wall": wall, "peak": peak.megabytes}


def measure_peer(crm: Sandbox, persons: int, database: str) -> dict[str, Any]:
    """dlt's records per CPU second for the same persons."""
    crm.fill(persons)
    crm.disturb(limits="none")
    python = install_peer()
    # dlt wants a host and a password, whatever the server asks for.
    url = f"postgresql://postgres:unused@127.0.0.1:5432/{database}"
    command = [str(python), str(ROOT / "bench" / "peer.py"), crm.name, f"{crm.address}/{crm.name}", url]
    env = {"PATH": "/usr/bin:/bin", "DLT_DATA_DIR": str(PEER / "data"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["records"] != persons:
        raise RuntimeError(f"{persons} persons, and {found}")
    return found | {"perCpuSecond": found["records"] / found["cpu"]}
