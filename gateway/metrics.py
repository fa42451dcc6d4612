"""`/metrics`: counts of this process and gauges of the database, for Prometheus. No tenant's data, no label unbounded."""

import asyncio
import hmac
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.registry import CONNECTORS
from gateway import VERSION
from gateway.settings import is_loopback
from resolvers.errors import ErrorCode
from resolvers.operation import OTHER, UNNAMED, UNREAD, Operation
from storage.database import Database
from storage.errors import StorageError
from storage.gauges import Waiting, count_failing, count_waiting, find_least
from storage.shapes import LIVE, SyncStatus
from sync.observer import Claim

NAMES: Final = 100
"""Names of operations that get series of their own: clients choose them."""

OUTCOMES: Final = frozenset({"ok", *(code.value for code in ErrorCode)})
STATUSES: Final = frozenset(map(int, HTTPStatus))
ENDED: Final = frozenset(status.value for status in SyncStatus if status not in LIVE)

REQUEST_SECONDS: Final = (0.005, 0.025, 0.1, 0.5, 2.5, 10)
CALL_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 10)
LAG_SECONDS: Final = (0.5, 2, 10, 60, 600, 3600)

FRESH: Final = 10.0
"""Seconds that what the database has said is told again, however many ask."""

PATIENCE: Final = 2.0
"""Seconds that the database has for it."""

FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""What a proxy adds: then the request comes from somewhere else, though its connection begins here."""

OPENMETRICS: Final = "application/openmetrics-text"

HIDDEN: Final = (
    "Set METRICS_TOKEN and send it as `Authorization: Bearer …`: without it, /metrics is for this machine only.\n"
)


class Metrics:
    """What a process counts, in a registry of its own."""

    def __init__(self) -> None:
        # A second series for each, which tells when it was made, would double the answer.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.stock = Stock()
        registry.register(self.stock)
        ProcessCollector(registry=registry)
        self._names = {UNREAD, UNNAMED, OTHER}
        self._requests = Counter(
            "crosswalk_requests",
            "GraphQL operations that were answered, and requests that were none.",
            ("operation", "kind", "outcome"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "crosswalk_request_seconds",
            "How long queries and mutations took.",
            ("operation",),
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        self._calls = Counter("crosswalk_crm_calls", "Calls to CRMs.", ("crm", "status"), registry=registry)
        self._call_seconds = Histogram(
            "crosswalk_crm_call_seconds",
            "How long CRMs took to answer.",
            ("crm",),
            buckets=CALL_SECONDS,
            registry=registry,
        )
        self._lag = Histogram(
            "crosswalk_run_lag_seconds",
            "How long runs waited from being asked for to being taken by a worker.",
            ("kind",),
            buckets=LAG_SECONDS,
            registry=registry,
        )
        self._runs = Counter("crosswalk_runs", "Runs that have ended.", ("kind", "status"), registry=registry)
        self._pushes = Counter(
            "crosswalk_pushes",
            "What has become of pushes each time that they were tried.",
            ("crm", "kind", "status"),
            registry=registry,
        )
        self.sockets = Gauge("crosswalk_sockets_open", "WebSockets that are open.", registry=registry)
        self.streams = Gauge(
            "crosswalk_streams_open", "Operations under way on sockets and event streams.", registry=registry
        )
        build = Gauge("crosswalk_build_info", "1, with the version.", ("version",), registry=registry)
        build.labels(VERSION).set(1)

    def count_operation(self, operation: Operation, seconds: float) -> None:
        """An operation was answered."""
        name = self.bound(operation)
        outcome = operation.outcome if operation.outcome in OUTCOMES else OTHER
        self._requests.labels(name, operation.kind, outcome).inc()
        if operation.kind in ("query", "mutation"):
            self._request_seconds.labels(name).observe(seconds)

    def count_refusal(self, code: str) -> None:
        """A request was refused before there was an operation."""
        self._requests.labels(UNREAD, UNREAD, code).inc()

    def count_call(self, crm: str, status: int | None, seconds: float) -> None:
        """A CRM was called."""
        told = "failed" if status is None else str(status) if status in STATUSES else f"{status // 100}xx"
        self._calls.labels(crm, told).inc()
        self._call_seconds.labels(crm).observe(seconds)

    def count_push(self, crm: str, kind: str, status: str) -> None:
        """A push was tried, and stands like this."""
        self._pushes.labels(crm, kind, status).inc()

    def count_claim(self, claim: Claim) -> None:
        """A worker has taken a run."""
        if claim.waited is not None:
            self._lag.labels(claim.kind).observe(claim.waited)

    def count_run(self, claim: Claim) -> None:
        """A worker has left a run, which may go on later."""
        if claim.status in ENDED:
            self._runs.labels(claim.kind, claim.status).inc()

    def bound(self, operation: Operation) -> str:
        """The operation's name, if it is among the first so many."""
        name = operation.label
        if name not in self._names:
            if len(self._names) >= NAMES + 3:
                return OTHER
            self._names.add(name)
        return name


class Stock(Collector):
    """What only the database knows: as it was when somebody last asked for it."""

    def __init__(self) -> None:
        self._database: Database | None = None
        self._least: dict[tuple[str, str], float] = {}
        self._waiting: Waiting | None = None
        self._failing: int | None = None
        self._asked = -FRESH
        self._turn = asyncio.Lock()

    async def refresh(self, database: Database) -> None:
        """Asks, unless it has just been asked. A database that does not answer is a gauge too."""
        async with self._turn:
            if time.monotonic() - self._asked < FRESH:
                return
            self._database, self._least, self._waiting, self._failing = database, {}, None, None
            limits = {name: connector.limits for name, connector in CONNECTORS.items()}
            try:
                async with asyncio.timeout(PATIENCE):
                    self._least = await find_least(database, limits)
                    self._failing = await count_failing(database)
                    self._waiting = await count_waiting(database)
            except (StorageError, TimeoutError):
                pass
            self._asked = time.monotonic()

    def collect(self) -> Iterable[Metric]:
        """The gauges; without values where the database has said nothing."""
        budget = GaugeMetricFamily(
            "crosswalk_crm_budget_left_ratio",
            "Share of a CRM's limit that is left to the account that has least.",
            labels=("crm", "window"),
        )
        for labels, least in self._least.items():
            budget.add_metric(labels, least)
        waiting = self._waiting
        yield budget
        yield gauge("crosswalk_jobs_waiting", "Jobs that a worker could take now.", waiting.jobs if waiting else None)
        yield gauge("crosswalk_oldest_job_seconds", "Age of the oldest of them.", waiting.oldest if waiting else None)
        failing = "Integrations with pushes that are tried again every hour."
        yield gauge("crosswalk_outboxes_failing", failing, self._failing)
        yield gauge("crosswalk_database_up", "1 where the database answers.", int(waiting is not None))
        busy = GaugeMetricFamily(
            "crosswalk_database_connections_busy",
            "Connections in use, of 10 for sessions and 4 for reads.",
            labels=("pool",),
        )
        for pool, number in self._database.busy.items() if self._database else ():
            busy.add_metric((pool,), number)
        yield busy


def gauge(name: str, help_: str, value: float | None) -> GaugeMetricFamily:
    """One number; without a value where it is not known."""
    family = GaugeMetricFamily(name, help_)
    if value is not None:
        family.add_metric((), value)
    return family


class Scrape:
    """Answers /metrics: with a token to whoever has it; without one on a loopback listener to this machine."""

    def __init__(self, metrics: Metrics, host: str, token: SecretStr | None) -> None:
        self.metrics = metrics
        self.is_local = is_loopback(host)
        self.token = token.get_secret_value() if token else None

    @property
    def route(self) -> Route:
        """Where it stands."""
        return Route("/metrics", self.answer)

    async def answer(self, request: Request) -> Response:
        """The text of Prometheus, or of OpenMetrics where that is asked for."""
        if refusal := self.refuse(request.headers):
            return refusal
        await self.metrics.stock.refresh(request.app.state.process.services.database)
        wanted = (
            OPENMETRICS if OPENMETRICS in request.headers.get("accept", "") else ""
        )  # its parameters can be anything
        encode, content_type = choose_encoder(wanted)
        headers = {"content-type": content_type, "cache-control": "no-store"}
        return Response(encode(self.metrics.registry), headers=headers)

    def refuse(self, headers: Headers) -> Response | None:
        """Why it is not answered; None where it is."""
        if self.token is not None:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            is_it = hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode())
            if scheme.lower() == "bearer" and is_it:
                return None
            return PlainTextResponse("Send METRICS_TOKEN as a Bearer token.\n", 401, {"www-authenticate": "Bearer"})
        if self.is_local and is_direct(headers):
            return None
        return PlainTextResponse(HIDDEN, 404)


def is_direct(headers: Headers) -> bool:
    """From this machine to this machine: no proxy between, nor a page of a site whose name somebody points here."""
    try:
        name = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) and not any(proxied in headers for proxied in FORWARDED)
