"""Logs on stderr, one shape for ours and for libraries': text for people, JSON lines for machines."""

import asyncio
import logging
import sys
import time
from contextvars import Context
from typing import Any, Final

import structlog
from structlog.contextvars import bind_contextvars

from resolvers.callers import Caller
from resolvers.errors import ErrorCode
from resolvers.operation import Operation
from sync.observer import Claim

QUIET = (
    "uvicorn.access",
    "uvicorn.error",
    "websockets",
    "strawberry.ws",
    "httpx",
    "httpcore",
    "psycopg.pool",
    "procrastinate",
    "alembic",
    "asyncio",
)
"""Libraries whose everyday news is nobody's."""

WIRE: Final = frozenset({"uvicorn.access", "uvicorn.error", "websockets", "httpx", "httpcore"})
"""Those that would also write down addresses, headers and messages, with the tokens in them: at no level."""

REFUSALS: Final = frozenset(
    code.value for code in (ErrorCode.UNAUTHENTICATED, ErrorCode.FORBIDDEN, ErrorCode.THROTTLED, ErrorCode.TIMEOUT)
)
"""Outcomes that whoever runs the gateway wants to hear of."""

AT_MOST: Final = 10
"""Lines about refusals in a second: whoever is refused must not fill the disk."""


def configure(level: str, style: str | None = None) -> None:
    """`style` is text or json; None takes text on a terminal."""
    text = style == "text" or (style is None and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if text else "iso", utc=not text),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()] if level == "debug" else shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers(text)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        is_told = level == "debug" and name not in WIRE
        logging.getLogger(name).setLevel(logging.DEBUG if is_told else max(logging.WARNING, root.level))


def renderers(text: bool) -> list[Any]:
    """Tracebacks without the values of variables: those can be secrets."""
    if text:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def bind_caller(caller: Caller) -> None:
    """From now on the lines of this request say whose they are: ids only."""
    bind_contextvars(workspace=str(caller.workspace_id))
    if caller.key_id:
        bind_contextvars(key=str(caller.key_id))
    if caller.member_id:
        bind_contextvars(member=str(caller.member_id))


class Journal:
    """A line for each operation and run: what it was and how it went, never what was in it."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("gateway.journal")
        self._level = logging.getLogger("gateway.journal")
        self._refusals = Sparing(AT_MOST)

    def tell_operation(self, operation: Operation, seconds: float) -> None:
        """Mutations for all to see; queries to whoever looks for faults."""
        if operation.outcome in REFUSALS:
            level = logging.WARNING if self._refusals.passes() else None
        else:
            level = logging.INFO if operation.kind == "mutation" else logging.DEBUG
        if level is None or not self._level.isEnabledFor(level):
            return
        told: dict[str, Any] = {"operation": operation.label, "kind": operation.kind, "outcome": operation.outcome}
        if operation.cost is not None:
            told["cost"] = operation.cost
        self._log.log(level, "operation", milliseconds=round(seconds * 1000, 1), **told)

    def tell_refusal(self, code: str) -> None:
        """Of a request that did not come as far as an operation."""
        if code not in REFUSALS:
            self._log.debug("request refused", outcome=code)
        elif self._refusals.passes():
            self._log.warning("request refused", outcome=code)

    def tell_run(self, claim: Claim, seconds: float) -> None:
        """How a worker has left a run; its ids are bound."""
        self._log.info("run", kind=claim.kind, status=claim.status, milliseconds=round(seconds * 1000))


class Sparing:
    """Lets so many lines of a second pass, and then tells how many it has kept back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._until = 0.0
        self._passed = self._kept = 0

    def passes(self) -> bool:
        """Whether one more may."""
        now = time.monotonic()
        if now >= self._until:
            self._until, self._passed = now + 1, 0
        if self._passed < self._most:
            self._passed += 1
            return True
        if not self._kept:
            asyncio.get_running_loop().call_later(self._until - now, self._tell, context=Context())
        self._kept += 1
        return False

    def _tell(self) -> None:
        structlog.get_logger("gateway.journal").warning("refusals that were not told one by one", number=self._kept)
        self._kept = 0
