"""Connections: how long each may take over what it sends and reads, how much that may be, and how many there are."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from gateway.edge import SECURITY_HEADERS, error_body
from resolvers.errors import ErrorCode

HEAD_SECONDS: Final = 10
"""From the connection, or the answer before, until the head of a request is here."""

BODY_SECONDS: Final = 20
"""From the head until the whole body is here."""

STALL_SECONDS: Final = 30
"""In which a client takes at least something of what it is sent."""

HEAD_BYTES: Final = 32_768
"""Of the address and all headers together; so also of what frames a body without being part of it."""

HEADERS: Final = 100

CONNECTIONS: Final = 4_000
"""Open at once, WebSockets included."""

RESERVED: Final = 200
"""Descriptors of the process that are not for connections: the database's, the CRMs', files."""

SETTLE: Final = "crosswalk.settle"
"""An ASGI extension of WebSockets: called without arguments once it is known who is there."""

TOO_LARGE: Final = f"The head of a request may have {HEADERS} headers, and {HEAD_BYTES:,} bytes."


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a listener bears with."""

    head_seconds: float = HEAD_SECONDS
    body_seconds: float = BODY_SECONDS
    connections: int = CONNECTIONS


class Door:
    """Who gets in. When the house is full, whoever has stood in the door for longest without a request must leave."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.waiting: dict[Guard | Line, None] = {}
        """Those whose request is not whole yet, or of whom nobody knows who they are; longest first."""

    def admit(self, guard: "Guard") -> bool:
        """Whether there is room, made if need be."""
        if len(guard.connections) > self.limits.connections:
            longest = next(iter(self.waiting), None)
            if longest is None:
                return False
            self.waiting.pop(longest)
            longest.transport.abort()
        self.waiting[guard] = None
        return True


class Guard(HttpToolsProtocol):
    """uvicorn's, which waits for a request for ever, and takes any head."""

    door: ClassVar = Door(Limits())
    timer: asyncio.TimerHandle | None = None
    size, unread = 0, 0
    """Bytes of the head so far; and those that have come since the parser last had a head or a part of a body."""
    is_whole, has_head = True, False
    """Whether no request is here in part; and if one is, whether its head is here."""
    earlier: Sequence[RequestResponseCycle] = ()
    """Requests that were not answered yet when the next one came on the same connection."""

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        if self.door.admit(self):
            self._wait(self.door.limits.head_seconds)
        else:
            self.refuse(503, ErrorCode.THROTTLED, "The gateway has too many connections: try again in a moment.")

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()
        self.door.waiting.pop(self, None)
        for cycle in self.earlier:  # uvicorn tells only the last one
            cycle.disconnected = True
            cycle.message_event.set()

    @override
    def data_received(self, data: bytes) -> None:
        self.unread += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        if self.unread > HEAD_BYTES:
            self.refuse(431, ErrorCode.TOO_COMPLEX, TOO_LARGE)
        elif self.timer is None and not (self.is_whole and self.is_busy):
            limits = self.door.limits
            self._wait(limits.body_seconds if self.has_head else limits.head_seconds)

    @property
    def is_busy(self) -> bool:
        """A request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    # ------------------------------------------------------------ what the parser finds

    @override
    def on_message_begin(self) -> None:
        self.is_whole = self.has_head = False
        self.size = 0
        super().on_message_begin()

    @override
    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._grow(len(url))

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._grow(len(name) + len(value))

    def _grow(self, size: int) -> None:
        self.size += size
        if self.is_too_large:
            raise ValueError(self.size)  # the parser makes an HttpParserError of it, and uvicorn of that an answer

    @property
    def is_too_large(self) -> bool:
        return self.size > HEAD_BYTES or len(self.headers or ()) > HEADERS

    @override
    def on_headers_complete(self) -> None:
        self.has_head, self.unread = True, 0
        self._stop_waiting()
        before = self.cycle if self.is_busy else None
        super().on_headers_complete()
        if before and before is not self.cycle:
            self.earlier = [*(cycle for cycle in self.earlier if not cycle.response_complete), before]

    @override
    def on_body(self, body: bytes) -> None:
        self.unread = 0
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self.is_whole, self.has_head, self.unread = True, False, 0
        self._stop_waiting()
        self.door.waiting.pop(self, None)
        super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.is_busy:
            self.door.waiting[self] = None

    # ------------------------------------------------------------ refusals

    def _wait(self, seconds: float) -> None:
        self.timer = self.loop.call_later(seconds, self.give_up)

    def _stop_waiting(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def give_up(self) -> None:
        """The time is over. Whoever has said nothing, as browsers that connect in advance, is told nothing."""
        self.timer = None
        if self.is_whole:
            self.transport.close()
        else:
            self.refuse(408, ErrorCode.TIMEOUT, "The request took too long to arrive.")

    @override
    def send_400_response(self, msg: str) -> None:
        if self.is_too_large:
            self.refuse(431, ErrorCode.TOO_COMPLEX, TOO_LARGE)
        else:
            self.refuse(400, ErrorCode.BAD_INPUT, "This is no request of HTTP/1.1.")

    def refuse(self, status: int, code: ErrorCode, message: str) -> None:
        """Answers before the application does, unless that has begun to, and closes the connection."""
        self._stop_waiting()
        is_answered = self.cycle.response_started if self.is_busy else self.has_head
        if self.is_busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not is_answered:
            self.transport.write(render_refusal(status, error_body(code, message)))
        self.transport.close()


class Line(WebSocketsSansIOProtocol):
    """uvicorn's for WebSockets. It stands in the door until somebody knows who it is."""

    door: ClassVar = Door(Limits())

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.door.waiting[self] = None

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.settle()

    def settle(self) -> None:
        """It is known who it is; or it is gone."""
        self.door.waiting.pop(self, None)

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated:  # it came in one piece, and has lines that are too long for this side
            self.transport.write(render_refusal(431, error_body(ErrorCode.TOO_COMPLEX, TOO_LARGE)))
            self.transport.close()

    @override
    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[SETTLE] = self.settle

    @override
    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:  # kept, the answers would fill the memory for a client that reads none
            self.conn.data_to_send()


def open_door(limits: Limits) -> tuple[type[Guard], type[Line]]:
    """The protocols of one listener, for HTTP and for WebSockets."""
    door = Door(limits)
    return type("Guard", (Guard,), {"door": door}), type("Line", (Line,), {"door": door})


def render_refusal(status: int, body: bytes) -> bytes:
    """An answer that no application makes, so with all that the edge would add."""
    headers = {
        **SECURITY_HEADERS,
        "cache-control": "no-store",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join([*lines, "", ""]).encode() + body


def bear(listener: socket.socket, stall_seconds: float = STALL_SECONDS) -> None:
    """Lets the system cut whoever takes nothing of what it is sent, or is gone without a word; where it can (Linux)."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_seconds * 1000))


def make_room() -> int:
    """How many connections the system lets this process have, once as many descriptors are asked for as are needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + RESERVED
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS has a ceiling of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, soft - RESERVED))
