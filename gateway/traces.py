"""Traces by OpenTelemetry: loaded only where a collector is set."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gateway import VERSION
from resolvers.operation import UNREAD, Operation
from storage.shapes import SyncStatus
from sync.observer import Claim

FLUSH: Final = 2.0
"""Seconds that the last spans have to get to the collector when the process stops."""

SELDOM: Final = 60.0
"""Seconds between two lines about a collector that takes nothing."""

log = logging.getLogger(__name__)


class Exporter(SpanExporter):
    """Sends spans, in a thread of its own. What the collector does not take is dropped, and now and then a line says so."""

    def __init__(self, endpoint: str) -> None:
        self._sender = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
        self._where = urlsplit(endpoint).netloc.rpartition("@")[2]
        self._told = -SELDOM

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """One batch."""
        result = self._sender.export(spans)
        if result is not SpanExportResult.SUCCESS and time.monotonic() - self._told >= SELDOM:
            self._told = time.monotonic()
            log.warning("the collector at %s takes no traces: they are dropped until it does", self._where)
        return result

    def shutdown(self) -> None:
        """No more tries."""
        self._sender.shutdown()  # type: ignore[no-untyped-call]


class Traces:
    """Spans of operations, of runs, and of the calls to CRMs within them."""

    def __init__(self, endpoint: str, bound: Callable[[Operation], str]) -> None:
        """`endpoint` is the collector's, without the path of a signal; `bound` names an operation."""
        for name in ("opentelemetry.exporter", "opentelemetry.sdk"):  # a line for each try; ours says it once a minute
            logging.getLogger(name).setLevel(logging.CRITICAL)
        own = Resource({"service.name": "crosswalk", "service.version": VERSION})
        self._provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(Exporter(endpoint)))
        self._tracer = self._provider.get_tracer("crosswalk", VERSION)
        self._propagator = TraceContextTextMapPropagator()
        self._bound = bound

    async def close(self) -> None:
        """Sends what is left, if that is quick: the thread is not waited for longer, and ends with the process."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH)

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator[None]:
        """What is done within the block belongs to the trace that the headers name, if they do."""
        if "traceparent" not in headers:
            yield
            return
        token = context.attach(self._propagator.extract(headers))
        try:
            yield
        finally:
            context.detach(token)

    @contextmanager
    def operation(
        self, operation: Operation, workspace: UUID | None
    ) -> Iterator[Callable[[], AbstractContextManager[Span]]]:
        """A span for an operation; what is given makes calls its children, for as long as one task stays in its block."""
        span = self._tracer.start_span("operation", kind=SpanKind.SERVER)
        try:
            yield partial(trace.use_span, span, record_exception=False, set_status_on_exception=False)
        finally:
            name = self._bound(operation)
            if operation.kind != UNREAD:
                span.update_name(f"{operation.kind} {name}")
            span.set_attribute("graphql.operation.type", operation.kind)
            span.set_attribute("graphql.operation.name", name)
            span.set_attribute("crosswalk.outcome", operation.outcome)
            if workspace:
                span.set_attribute("crosswalk.workspace", str(workspace))
            if operation.cost is not None:
                span.set_attribute("crosswalk.cost", operation.cost)
            if operation.outcome != "ok":
                span.set_status(StatusCode.ERROR)
            span.end()

    @contextmanager
    def claim(self, claim: Claim) -> Iterator[None]:
        """A span for a worker's hold on a run."""
        known = {
            "crosswalk.workspace": str(claim.workspace),
            "crosswalk.integration": str(claim.integration),
            "crosswalk.run": str(claim.run),
            "crosswalk.crm": claim.crm,
        }
        with self._tracer.start_as_current_span(
            f"run {claim.kind}",
            kind=SpanKind.CONSUMER,
            attributes=known,
            record_exception=False,
            set_status_on_exception=False,  # it would tell what the exception says
        ) as span:
            try:
                yield
            finally:
                if claim.status:
                    span.set_attribute("crosswalk.status", claim.status)
                if claim.status == SyncStatus.FAILED.value:
                    span.set_status(StatusCode.ERROR)

    def call(self, crm: str, status: int | None, seconds: float) -> None:
        """A span for a call that has just ended."""
        end = time.time_ns()
        span = self._tracer.start_span(
            f"call {crm}",
            kind=SpanKind.CLIENT,
            attributes={"crosswalk.crm": crm},
            start_time=end - int(seconds * 1e9),
        )
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if status is None or status >= 400:
            span.set_status(StatusCode.ERROR)
        span.end(end)
