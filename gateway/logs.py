"""Logs on stderr, one shape for ours and for libraries': text for people, JSON lines for machines."""

import logging
import sys
from typing import Any

import structlog

QUIET = (
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
"""Libraries whose everyday news is nobody's: httpx would also write addresses, which can hold a token."""


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
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level) if level != "debug" else logging.DEBUG)


def renderers(text: bool) -> list[Any]:
    """Tracebacks without the values of variables: those can be secrets."""
    if text:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
