"""The real thing in processes of its own: a sandbox, a gateway, workers; spoken to by HTTP, measured from outside."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
from websockets.sync.client import connect as open_socket
from websockets.typing import Subprotocol

from storage.embedded import Embedded
from tests.nursery import NURSERY, Process

ROOT = Path(__file__).parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
HASTE: Mapping[str, Any] = {"limits": {"BURST": 1000}}
"""A fault that is none: the gateway hears of an account that may be called as fast as it likes."""
TOKENS: Mapping[int, str] = {1: "sandbox-pipedrive", 2: "sandbox-pipedrive-2"}
"""The sandbox's own, public, by the number of the account."""
HEADERS: Mapping[str, tuple[str, str]] = {"pipedrive": ("x-api-token", "{}"), "hubspot": ("authorization", "Bearer {}")}
"""By CRM: where it takes a token, and in which form."""
T = TypeVar("T")
HTTP = httpx.Client(trust_env=False, timeout=120)
"""One for all: making one costs more than a call does."""


def free_port() -> int:
    """A port of the loopback address that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def started(*command: str, env: Mapping[str, str], ready: Callable[[], bool], log: Path) -> Iterator[Process]:
    """A process that runs until the block ends, which begins once it is `ready`. What it says is in `log`."""
    with log.open("wb") as out:
        given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env}
        process = NURSERY.start(command, given, out)
    try:
        wait_until(lambda: process.poll() is not None or ready(), 60)
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {log.read_text()}")
        yield process
    finally:
        end(process)


def end(process: Process) -> None:
    """As Ctrl-C ends it, also one that was stopped; and if that does not help, by force."""
    for number in (signal.SIGINT, signal.SIGCONT):
        process.send_signal(number)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(15)
    process.kill()
    process.wait()


def wait_until(found: Callable[[], T], seconds: float = 30, every: float = 0.02) -> T:
    """What it gives, once it gives anything. The longer it takes the more seldom it is asked: that costs time as well."""
    begun = time.monotonic()
    while not (value := found()):
        waited = time.monotonic() - begun
        if waited > seconds:
            raise TimeoutError(f"nothing after {seconds} s")
        time.sleep(max(every, waited / 20))
    return value


def is_up(address: str) -> bool:
    """Whether it answers 200."""
    with contextlib.suppress(httpx.TransportError):
        return HTTP.get(address).status_code == 200
    return False


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
    """One of the simulated CRMs, all of which are one process."""

    def __init__(self, port: int, name: str = "pipedrive") -> None:
        self.port, self.name = port, name
        self.address = f"http://127.0.0.1:{port}"
        self.control = f"{self.address}/_sandbox/{name}"

    def of(self, name: str) -> "Sandbox":
        """Another CRM of the same process."""
        return Sandbox(self.port, name)

    def token(self, account: int = 1) -> str:
        """The account's own, public."""
        return f"sandbox-{self.name}" if account == 1 else f"sandbox-{self.name}-{account}"

    def fill(self, persons: int, seed: int = 7, account: int = 1, **data: Any) -> None:
        """New data, a clean log, no faults."""
        self.put("data", {"size": persons, "seed": seed, **data}, account)
        self.put("faults", {}, account)

    def disturb(self, account: int = 1, **faults: Any) -> None:
        """These faults from now on, and no others."""
        self.put("faults", faults, account)

    def faults(self, account: int = 1) -> dict[str, Any]:
        """Those in force."""
        found: dict[str, Any] = read(HTTP.get(f"{self.control}/faults?account={account}"))
        return found

    def put(self, what: str, value: Any, account: int = 1) -> None:
        """One of the switches of the control surface."""
        read(HTTP.put(f"{self.control}/{what}?account={account}", json=value))

    def ids(self, account: int = 1) -> set[tuple[str, str]]:
        """(external type, external id) of every record that is there, by the sandbox's own list."""
        found: dict[str, list[str]] = read(HTTP.get(f"{self.control}/ids?account={account}"))
        return {(name, each) for name, ids in found.items() for each in ids}

    def requests(self, account: int = 1) -> dict[str, Any]:
        """What was called since `fill` or `forget`."""
        answer: dict[str, Any] = read(HTTP.get(f"{self.control}/requests?account={account}"))
        return answer

    def forget(self, account: int = 1) -> None:
        """An empty log from now on."""
        read(HTTP.delete(f"{self.control}/requests?account={account}"))

    def calls(self, path: str) -> int:
        """How often that was answered with 200, by the log."""
        calls = self.requests()["calls"]
        return sum(call["count"] for call in calls if call["path"] == path and call["status"] == 200)

    def call(self, method: str, path: str, body: Any = None, account: int = 1) -> Any:
        """The vendor's own API, as a user of the CRM would reach it; numbers with a fraction come as they are written."""
        name, form = HEADERS[self.name]
        return read(self.answer(method, path, body, {name: form.format(self.token(account))}))

    def answer(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> httpx.Response:
        """What a call of the vendor's own API is answered, whatever it is."""
        return HTTP.request(method, f"{self.address}/{self.name}{path}", json=body, headers=headers)

    def list(self, path: str) -> list[dict[str, Any]]:
        """All rows of a list of Pipedrive's own API, of at most 500."""
        found: list[dict[str, Any]] = self.call("GET", f"{path}?limit=500")["data"]
        return found


def read(answer: httpx.Response) -> Any:
    """The JSON of an answer that must be a good one; None where it says nothing."""
    if answer.status_code >= 400:
        raise RuntimeError(answer.text)
    return json.loads(answer.content) if answer.content else None


@contextlib.contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """A sandbox on a free port."""
    port = free_port()
    command = (sys.executable, "-m", "sandbox", "--port", str(port), "--size", "40")
    address = f"http://127.0.0.1:{port}/"
    with started(*command, env={}, ready=lambda: is_up(address), log=folder / "sandbox.log"):
        yield Sandbox(port)


ENDED = ("SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED")
RUN = (
    "id status message progress apiCalls recordsCreated recordsUpdated recordsSkipped recordsArchived recordsFailed"
    " durationMs counts { externalType recordType fetched created updated skipped archived failed expected }"
)


class Gateway:
    """A gateway in its own process."""

    def __init__(self, address: str, pid: int, credential: str | None = None) -> None:
        self.address, self.pid, self.credential = address, pid, credential

    def by(self, credential: str | None) -> "Gateway":
        """The same, called with another API key or token; None for nobody."""
        return Gateway(self.address, self.pid, credential)

    @property
    def headers(self) -> dict[str, str]:
        """What says who calls."""
        return {"authorization": f"Bearer {self.credential}"} if self.credential else {}

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
        found: dict[str, Any] = HTTP.post(f"{self.address}/graphql", json=body, headers=self.headers).json()
        return found

    def do(self, mutation: str, fields: str, **given: Any) -> dict[str, Any]:
        """The payload of a mutation of one input, user errors included."""
        input_ = ", ".join(f"{name}: {spell(value)}" for name, value in given.items())
        query = f"mutation {{ {mutation}(input: {{{input_}}}) {{ {fields} userErrors {{ code message details }} }} }}"
        payload: dict[str, Any] = self.ask(query)[mutation]
        return payload

    def by_socket(self, query: str, **variables: Any) -> Iterator[dict[str, Any]]:
        """What a subscription brings over a WebSocket, until it completes."""
        address = f"{self.address.replace('http', 'ws', 1)}/graphql"
        protocols = [Subprotocol("graphql-transport-ws")]
        # Who leaves while much is under way does not wait until all of it has come.
        with open_socket(address, subprotocols=protocols, proxy=None, close_timeout=0.2) as socket_:
            payload = {"query": query, "variables": variables}
            socket_.send(json.dumps({"type": "connection_init", "payload": self.headers}))
            socket_.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
            while True:
                message = json.loads(socket_.recv(60))
                if message["type"] == "next":
                    yield message["payload"]["data"]
                elif message["type"] != "connection_ack":
                    break
            if message != {"type": "complete", "id": "1"}:
                raise RuntimeError(str(message))

    def by_stream(self, query: str, **variables: Any) -> Iterator[dict[str, Any]]:
        """What a subscription brings as server-sent events, until it completes."""
        body = {"query": query, "variables": variables}
        headers = {"accept": "text/event-stream", **self.headers}
        with HTTP.stream("POST", f"{self.address}/graphql", json=body, headers=headers) as answer:
            name = ""
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "data" and name == "next":
                    yield json.loads(value)["data"]
            if name != "complete":
                raise RuntimeError(f"the stream ended after {name}")

    def connect(self, token: str = "sandbox-pipedrive", crm: str = "PIPEDRIVE") -> str:  # noqa: S107 # public
        """The id of the connected integration."""
        query = (
            "mutation($c: Crm!, $t: String!) { connect(input: {crm: $c, apiToken: $t})"
            " { integration { id } userErrors { code message } } }"
        )
        payload = self.ask(query, c=crm, t=token)["connect"]
        if payload["userErrors"]:
            raise RuntimeError(str(payload["userErrors"]))
        found: str = payload["integration"]["id"]
        return found

    def start(self, integration: str, types: Sequence[str] | None = None, kind: str = "FULL", **asked: Any) -> str:
        """The id of a run, a FULL one if nothing else is said; `asked` is what a SyncInput takes besides."""
        query = "mutation($i: SyncInput!) { sync(input: $i) { syncRun { id } userErrors { code message } } }"
        given = {"integrationId": integration, "kind": kind, **asked}
        payload = self.ask(query, i={**given, "recordTypes": types} if types else given)["sync"]
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
        if statuses:
            return self.follow(run, lambda state: state["status"] in statuses, seconds)
        status = "query($r: ID!) { syncRun(id: $r) { status } }"  # all of it costs twice as much, each time
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: self.ask(status, r=run)["syncRun"]["status"] in ENDED, seconds, 0.05)
        return self.follow(run, lambda state: state["status"] in ENDED, 0)

    def follow(self, run: str, holds: Callable[[dict[str, Any]], bool], seconds: float = 60) -> dict[str, Any]:
        """The run, once that holds of it."""
        until = time.monotonic() + seconds
        while not holds(state := self.look(run)):
            if time.monotonic() > until:
                raise TimeoutError(str(state))
            time.sleep(0.03)
        return state

    def sync(
        self, integration: str, types: Sequence[str] | None = None, seconds: float = 60, **asked: Any
    ) -> dict[str, Any]:
        """A run from its start to its end; a FULL one if no `kind` is asked for."""
        return self.wait(self.start(integration, types, **asked), seconds=seconds)

    def show(self, integration: str, external_type: str, external_id: str, fields: str) -> Any:
        """The unified record that a CRM's record belongs to; None where there is none."""
        query = (
            "query($i: ID!, $t: String!, $e: String!) { recordBySource(integrationId: $i, externalType: $t, externalId: $e)"
            f" {{ __typename {fields} }} }}"
        )
        return self.ask(query, i=integration, t=external_type, e=external_id)["recordBySource"]

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


def spell(value: Any) -> str:
    """A value of an input; a name in capitals is one of an enum."""
    if isinstance(value, list):
        return f"[{', '.join(map(spell, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {spell(each)}' for name, each in value.items())}}}"
    return (
        value if isinstance(value, str) and value.isupper() and value.replace("_", "").isalpha() else json.dumps(value)
    )


def environment(folder: Path, database: str | None, crm: Sandbox) -> dict[str, str]:
    """The settings of a process whose CRMs are that sandbox's; without a database, it has its own in the folder."""
    return {
        "DATABASE_URL": database or "",
        "CROSSWALK_DATA": str(folder),
        "CROSSWALK_SANDBOX": "1",
        "SANDBOX_PORT": str(crm.port),
        "PIPEDRIVE_CLIENT_ID": "crosswalk-tests",
        "PIPEDRIVE_CLIENT_SECRET": "made-up",
        "HUBSPOT_CLIENT_ID": "crosswalk-tests",
        "HUBSPOT_CLIENT_SECRET": "made-up",
        "RETURN_ORIGINS": "https://app.test,http://127.0.0.1:3000",
        "DEFAULT_REGION": "DE",
        "COST_BUDGET": "100000000",  # all tests are one caller
        "COST_PER_SECOND": "1000000",
        "LOG_LEVEL": "warning",
    }


@contextlib.contextmanager
def gateway(folder: Path, database: str | None, crm: Sandbox, *options: str, **settings: str) -> Iterator[Gateway]:
    """A gateway on a free port, with these settings over the usual ones."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "gateway", "serve", "--port", str(port), *options)
    env, log = {**environment(folder, database, crm), **settings}, folder / f"gateway-{port}.log"
    with started(*command, env=env, ready=lambda: is_up(f"{address}/readyz"), log=log) as process:
        yield Gateway(address, process.pid)


@contextlib.contextmanager
def worker(folder: Path, database: str, crm: Sandbox, name: str = "worker", **settings: str) -> Iterator[Process]:
    """A worker by itself, with these settings over the usual ones; the database knows its connections by its name."""
    command = (sys.executable, "-m", "gateway", "worker")
    env, log = {**environment(folder, database, crm), "PGAPPNAME": name, **settings}, folder / f"{name}.log"
    with started(*command, env=env, ready=lambda: b"waits for jobs" in log.read_bytes(), log=log) as process:
        yield process


@contextlib.contextmanager
def own_database(folder: Path) -> Iterator[None]:
    """Stops the embedded server of a gateway that was killed and did not stop it itself."""
    try:
        yield
    finally:
        Embedded(folder).stop()
