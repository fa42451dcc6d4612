"""The real thing in processes of its own: a sandbox, a gateway, workers; spoken to by HTTP, measured from outside."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port of the loopback address that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def started(
    *command: str, env: Mapping[str, str], ready: str | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the block ends; `ready` is an address that answers 200 once it is."""
    out = log.open("wb") if log else subprocess.DEVNULL
    process = subprocess.Popen(
        command, cwd=ROOT, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env}, stdout=out, stderr=out
    )
    try:
        if ready:
            wait_for(ready, process)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    """Until the address answers 200."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(address).status_code == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{address} does not answer")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, its ended children's too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def pss(pid: int) -> int:
    """Bytes of memory that are its own, with its part of what it shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no PSS of {pid}")


class Peak:
    """The highest PSS of a process while the block runs, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.pid, self.bytes = pid, 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._end.wait(0.1):
            with contextlib.suppress(OSError):
                self.bytes = max(self.bytes, pss(self.pid))

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def megabytes(self) -> float:
        """In millions of bytes."""
        return self.bytes / 1e6


class Sandbox:
    """The simulated Pipedrive in its own process."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.control = f"{self.address}/_sandbox/pipedrive"

    def fill(self, persons: int, seed: int = 7, **data: Any) -> None:
        """New data, a clean log, no faults."""
        self.put("data", {"size": persons, "seed": seed, **data})
        self.put("faults", {})

    def disturb(self, **faults: Any) -> None:
        """These faults from now on, and no others."""
        self.put("faults", faults)

    def put(self, what: str, value: Any) -> None:
        """One of the switches of the control surface."""
        answer = httpx.put(f"{self.control}/{what}", json=value, timeout=120)
        if answer.status_code >= 400:
            raise RuntimeError(answer.text)

    def ids(self) -> set[tuple[str, str]]:
        """(external type, external id) of every record that is there, by the sandbox's own list."""
        found: dict[str, list[str]] = httpx.get(f"{self.control}/ids").json()
        return {(name, each) for name, ids in found.items() for each in ids}

    def requests(self) -> dict[str, Any]:
        """What was called since `fill`."""
        answer: dict[str, Any] = httpx.get(f"{self.control}/requests").json()
        return answer

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The vendor's own API, as a user of the CRM would reach it."""
        headers = {"x-api-token": "sandbox-pipedrive"}
        answer = httpx.request(method, f"{self.address}/pipedrive{path}", json=body, headers=headers)
        if answer.status_code >= 400:
            raise RuntimeError(answer.text)
        return answer.json()


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox on a free port."""
    port = free_port()
    command = (sys.executable, "-m", "sandbox", "--port", str(port), "--size", "40")
    with started(*command, env={}, ready=f"http://127.0.0.1:{port}/", log=folder / "sandbox.log"):
        yield Sandbox(port)


ENDED = ("SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED")
RUN = (
    "id status message progress apiCalls recordsCreated recordsUpdated recordsSkipped recordsArchived recordsFailed"
    " durationMs counts { externalType recordType fetched created updated skipped archived failed expected }"
)


class Gateway:
    """A gateway in its own process."""

    def __init__(self, address: str, pid: int) -> None:
        self.address, self.pid = address, pid

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer that must have no errors."""
        answer = self.answer(query, **variables)
        if answer.get("errors"):
            raise RuntimeError(str(answer["errors"]))
        data: dict[str, Any] = answer["data"]
        return data

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer."""
        body = {"query": query, "variables": variables}
        found: dict[str, Any] = httpx.post(f"{self.address}/graphql", json=body, timeout=60).json()
        return found

    def connect(self, token: str = "sandbox-pipedrive") -> str:  # noqa: S107 # the sandbox's own, public
        """The id of the connected integration."""
        query = (
            "mutation($t: String!) { connect(input: {crm: PIPEDRIVE, apiToken: $t})"
            " { integration { id } userErrors { code message } } }"
        )
        payload = self.ask(query, t=token)["connect"]
        if payload["userErrors"]:
            raise RuntimeError(str(payload["userErrors"]))
        found: str = payload["integration"]["id"]
        return found

    def start(self, integration: str, types: Sequence[str] | None = None) -> str:
        """The id of a FULL run."""
        query = (
            "mutation($i: ID!, $t: [RecordType!]) { sync(input: {integrationId: $i, recordTypes: $t, kind: FULL})"
            " { syncRun { id } userErrors { code message } } }"
        )
        payload = self.ask(query, i=integration, t=types)["sync"]
        if payload["userErrors"]:
            raise RuntimeError(str(payload["userErrors"]))
        found: str = payload["syncRun"]["id"]
        return found

    def look(self, run: str) -> dict[str, Any]:
        """How a run stands."""
        found: dict[str, Any] = self.ask(f"query($r: ID!) {{ syncRun(id: $r) {{ {RUN} }} }}", r=run)["syncRun"]
        return found

    def wait(self, run: str, *statuses: str, seconds: float = 60) -> dict[str, Any]:
        """The run, once it has one of these statuses; by default, once it has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = self.look(run)
            if state["status"] in (statuses or ENDED):
                return state
            time.sleep(0.05)
        raise TimeoutError(str(state))

    def sync(self, integration: str, types: Sequence[str] | None = None, seconds: float = 60) -> dict[str, Any]:
        """A FULL run from its start to its end."""
        return self.wait(self.start(integration, types), seconds=seconds)

    def walk(self, query: str, **variables: Any) -> Iterator[dict[str, Any]]:
        """All nodes of the connection `list` of a query that takes `$after`."""
        after = None
        while True:
            page = self.ask(query, after=after, **variables)["list"]
            yield from page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    def sources(self) -> list[tuple[str, str]]:
        """(external type, external id) of every source of every unified record."""
        return [
            (source["externalType"], source["externalId"])
            for name in ("contacts", "organizations", "deals", "activities")
            for node in self.walk(
                f"query($after: String) {{ list: {name}(first: 250, after: $after, archived: INCLUDE) {{"
                " nodes { sources { externalType externalId } } pageInfo { hasNextPage endCursor } } }"
            )
            for source in node["sources"]
        ]

    def failures(self, run: str) -> list[tuple[str, str]]:
        """(external type, external id) of every SyncError of a run."""
        query = (
            "query($r: ID!, $after: String) { syncRun(id: $r) { list: errors(first: 250, after: $after)"
            " { nodes { externalType externalId } pageInfo { hasNextPage endCursor } } } }"
        )
        found, after = [], None
        while True:
            page = self.ask(query, r=run, after=after)["syncRun"]["list"]
            found += [(node["externalType"], node["externalId"]) for node in page["nodes"]]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]


def environment(folder: Path, database: str, crm: Sandbox) -> dict[str, str]:
    """The settings of a process whose Pipedrive is that sandbox."""
    return {
        "DATABASE_URL": database,
        "CROSSWALK_DATA": str(folder),
        "PIPEDRIVE_API_URL": f"{crm.address}/pipedrive",
        "LOG_LEVEL": "warning",
    }


@contextlib.contextmanager
def gateway(folder: Path, database: str, crm: Sandbox, *options: str) -> Iterator[Gateway]:
    """A gateway on a free port."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "gateway", "serve", "--port", str(port), *options)
    env = environment(folder, database, crm)
    with started(*command, env=env, ready=f"{address}/readyz", log=folder / "gateway.log") as process:
        yield Gateway(address, process.pid)


@contextlib.contextmanager
def worker(folder: Path, database: str, crm: Sandbox, name: str = "worker") -> Iterator[subprocess.Popen[bytes]]:
    """A worker by itself."""
    command = (sys.executable, "-m", "gateway", "worker")
    with started(*command, env=environment(folder, database, crm), log=folder / f"{name}.log") as process:
        yield process
