"""The id that a request is known by, in the log and to its client; and who looks on while it is answered."""

import re
import secrets
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, clear_contextvars

from gateway.watch import Passage, Watch, code_of
from resolvers.errors import ErrorCode

SANE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""An id that can stand in a log as it is."""

LOOKED_AT: Final = (b"x-request-id", b"traceparent", b"tracestate")

PATH: Final = "/graphql"

CLOSED: Final = {
    1008: ErrorCode.FORBIDDEN,
    4401: ErrorCode.UNAUTHENTICATED,
    4403: ErrorCode.UNAUTHENTICATED,
    4408: ErrorCode.TIMEOUT,
}
"""The code that closes a socket -> why."""


class Requests:
    """Gives each request and each socket its id, X-Request-Id, and lets the watch see it."""

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self.app = app
        self.watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {
            name.decode(): value.decode("latin-1") for name, value in reversed(scope["headers"]) if name in LOOKED_AT
        }
        given = headers.get("x-request-id", "")
        name = given if SANE.fullmatch(given) else secrets.token_hex(8)
        passage = Passage(headers, is_socket=scope["type"] == "websocket")

        async def sending(message: Message) -> None:
            kind = message["type"]
            if kind in ("http.response.start", "websocket.accept"):
                MutableHeaders(scope=message)["x-request-id"] = name
            if kind == "http.response.start" and message["status"] >= 400:
                passage.refusal = code_of(message["status"])
            elif kind == "websocket.close" and (code := CLOSED.get(message.get("code", 1000))):
                passage.refusal = code.value
            await send(message)

        clear_contextvars()
        bind_contextvars(request=name)
        try:
            with self.watch.request(passage):
                await self.app(scope, receive, sending)
                if not passage.is_socket and (passage.operations or scope["path"] != PATH):
                    passage.refusal = None  # the operation tells it; and other paths are no requests for one
        finally:
            clear_contextvars()
