"""Who looks on in a gateway or a worker: metrics and the log always, traces where a collector is set."""

import importlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from cross_web import HTTPException
from strawberry.exceptions import MissingQueryError
from strawberry.schema import BaseSchema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult

from gateway.logs import Journal
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.trouble import StartError
from resolvers.context import Context
from resolvers.errors import ErrorCode
from resolvers.operation import Operation
from sync.observer import Claim

if TYPE_CHECKING:
    from gateway.traces import Traces

Step = Callable[[], AbstractContextManager[object]]
"""What is done within the block is part of the operation: all of it in one task."""

UNREADABLE: Final = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)


@dataclass
class Passage:
    """A request on its way through."""

    headers: dict[str, str]
    """Those that somebody looks at, their names in small letters."""
    is_socket: bool
    operations: int = 0
    """Those that were taken up; others tell of them."""
    refusal: str | None = None
    """The code of the error that it was refused with as a whole."""


PASSAGE: Final[ContextVar[Passage | None]] = ContextVar("passage", default=None)


class Watch:
    """An Observer, of requests and operations too."""

    def __init__(self, metrics: Metrics, journal: Journal, traces: "Traces | None" = None) -> None:
        self.metrics = metrics
        self.journal = journal
        self.traces = traces

    @classmethod
    def open(cls, settings: Settings) -> "Watch":
        """As the settings say. Raises StartError where traces are wanted and cannot be."""
        metrics = Metrics()
        return cls(metrics, Journal(), open_traces(settings.otel_exporter_otlp_endpoint, metrics))

    async def close(self) -> None:
        """What has been seen is told to the end, as far as that takes no time."""
        if self.traces:
            await self.traces.close()

    # ------------------------------------------------------------ requests

    @contextmanager
    def request(self, passage: Passage) -> Iterator[None]:
        """A request or a socket, from its beginning to its end."""
        token = PASSAGE.set(passage)
        if passage.is_socket:
            self.metrics.sockets.inc()
        try:
            with self.traces.request(passage.headers) if self.traces else nullcontext():
                yield
        finally:
            PASSAGE.reset(token)
            if passage.is_socket:
                self.metrics.sockets.dec()
            if passage.refusal:
                self.metrics.count_refusal(passage.refusal)
                self.journal.tell_refusal(passage.refusal)

    @contextmanager
    def operation(self, operation: Operation, workspace: UUID | None) -> Iterator[Step]:
        """An operation; by the end of the block it knows its outcome."""
        if passage := PASSAGE.get():
            passage.operations += 1
        begun = time.perf_counter()
        try:
            with self.traces.operation(operation, workspace) if self.traces else nullcontext(nullcontext) as step:
                yield step
        finally:
            seconds = time.perf_counter() - begun
            self.metrics.count_operation(operation, seconds)
            self.journal.tell_operation(operation, seconds)

    # ------------------------------------------------------------ CRMs and runs

    def call(self, crm: str, status: int | None, seconds: float) -> None:
        """A CRM was called."""
        self.metrics.count_call(crm, status, seconds)
        if self.traces:
            self.traces.call(crm, status, seconds)

    def push(self, crm: str, kind: str, status: str) -> None:
        """A push was tried."""
        self.metrics.count_push(crm, kind, status)

    @contextmanager
    def claim(self, claim: Claim) -> Iterator[None]:
        """A worker's hold on a run."""
        self.metrics.count_claim(claim)
        begun = time.perf_counter()
        try:
            with self.traces.claim(claim) if self.traces else nullcontext():
                yield
        finally:
            self.metrics.count_run(claim)
            self.journal.tell_run(claim, time.perf_counter() - begun)


def open_traces(endpoint: str | None, metrics: Metrics) -> "Traces | None":
    """To the collector there; None without one. Raises StartError."""
    if endpoint is None:
        return None
    try:
        # The exception to "no loading inside functions": OpenTelemetry is an extra, takes 6 MB and a third of a second, and
        # who has no collector does without it.
        module = importlib.import_module("gateway.traces")
    except ModuleNotFoundError as error:
        message = "OTEL_EXPORTER_OTLP_ENDPOINT is set and opentelemetry is not installed"
        raise StartError(f"{message}: pip install 'crosswalk-gateway[otel]'") from error
    traces: Traces = module.Traces(endpoint, metrics.bound)
    return traces


class Watched:
    """A schema whose operations are seen: the two ways in which a view carries them out."""

    def __init__(self, schema: BaseSchema, watch: Watch) -> None:
        self._schema = schema
        self._watch = watch
        self.config = schema.config

    async def execute(self, query: str | None, *, context_value: Context, **given: Any) -> ExecutionResult:
        """One answer."""
        operation, context = begin(context_value)
        with self._watch.operation(operation, context.workspace) as step, judged(operation), step():
            result = await self._schema.execute(query, context_value=context, **given)
            read(operation, result)
            return result

    async def stream(self, query: str | None, *, context_value: Context, **given: Any) -> AsyncGenerator[Any]:
        """Answers as they come."""
        operation, context = begin(context_value)
        return self._look(operation, context, self._schema.stream(query, context_value=context, **given))

    async def _look(self, operation: Operation, context: Context, opening: Any) -> AsyncGenerator[Any]:
        with self._watch.operation(operation, context.workspace) as step, judged(operation):
            async with aclosing(await opening) as results:
                with self._watch.metrics.streams.track_inprogress():
                    while True:
                        with step():  # each answer may be waited for in a task of its own
                            result = await anext(results, None)
                        if result is None:
                            return
                        read(operation, result)
                        yield result


def begin(context: Context) -> tuple[Operation, Context]:
    """An operation of which nothing is known, and the context in which it will be: a socket has one for all of its own."""
    operation = Operation()
    return operation, replace(context, operation=operation)


@contextmanager
def judged(operation: Operation) -> Iterator[None]:
    """What is raised is an outcome."""
    try:
        yield
    except UNREADABLE:
        operation.outcome = ErrorCode.BAD_INPUT.value
        raise
    except HTTPException as error:
        operation.outcome = code_of(error.status_code)
        raise
    except Exception:
        operation.outcome = ErrorCode.INTERNAL.value
        raise


def read(operation: Operation, result: Any) -> None:
    """What an answer says of its operation."""
    codes = [str((error.extensions or {}).get("code")) for error in result.errors or ()]
    if codes:
        internal = ErrorCode.INTERNAL.value
        operation.outcome = internal if internal in codes else codes[0]
    cost = (result.extensions or {}).get("cost")
    if isinstance(cost, dict):
        operation.cost = (operation.cost or 0) + cost["actual"]  # a stream pays for each answer


CODES: Final = {
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    408: ErrorCode.TIMEOUT,
    413: ErrorCode.TOO_COMPLEX,
    429: ErrorCode.THROTTLED,
}


def code_of(status: int) -> str:
    """The code that goes with a status of HTTP."""
    return CODES.get(status, ErrorCode.BAD_INPUT if status < 500 else ErrorCode.INTERNAL).value
