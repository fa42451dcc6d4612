"""A collector of traces on this machine: takes what OTLP sends by HTTP, and keeps it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """A span, as far as the tests look at it."""

    name: str
    trace: str
    span: str
    parent: str
    failed: bool
    attributes: dict[str, Any]
    service: str


@dataclass
class Collector:
    """Where it is, and what it has got."""

    address: str
    spans: list[Span] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        """One request of OTLP."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = read(resource.resource.attributes)["service.name"]
            self.spans += [
                Span(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    span=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    failed=span.status.code == 2,
                    attributes=read(span.attributes),
                    service=service,
                )
                for scope in resource.scope_spans
                for span in scope.spans
            ]


def read(attributes: Any) -> dict[str, Any]:
    """Names and values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listens until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                collector.take(body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
