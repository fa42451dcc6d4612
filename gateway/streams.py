"""What stays open: WebSockets and event streams. Each ends when its credential does, and a socket that nobody uses."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.subscriptions.protocols.graphql_transport_ws.types import (
    ConnectionInitMessage,
    Message,
    SubscribeMessage,
)
from typing_extensions import override

from gateway.guard import SETTLE
from gateway.pace import Overdue
from resolvers.callers import Caller, Callers
from resolvers.context import Context
from resolvers.errors import ErrorCode, Unauthenticated
from storage.errors import DatabaseUnavailable

INIT_SECONDS: Final = 10
"""That a socket has to say who it is."""

IDLE_SECONDS: Final = 300
"""After which a socket without any operation is closed; graphql-ws opens another one when it needs it."""

STREAMS: Final = 500
"""That one caller may have open at once in a process: sockets, and subscriptions by event stream."""

CROWDED: Final = f"This credential has {STREAMS} streams open, which is all that it may have at once: close some."

FORBIDDEN, NORMAL, LATER = 4403, 1000, 1013
"""Codes that close a socket: the protocol's, and those of RFC 6455."""

REASON = 123
"""Bytes that a reason may have."""


@dataclass(kw_only=True)
class Streams:
    """What is open in this process, and how long it may be of no use."""

    init_seconds: float = INIT_SECONDS
    idle_seconds: float = IDLE_SECONDS
    most: int = STREAMS
    open: Counter[str] = field(default_factory=Counter)
    """By the caller's name."""

    def has_room(self, caller: Caller) -> bool:
        """For one more of this caller."""
        return self.open[caller.name] < self.most

    @contextmanager
    def hold(self, caller: Caller) -> Iterator[None]:
        """One is open while the block lasts."""
        self.open[caller.name] += 1
        try:
            yield
        finally:
            self.open[caller.name] -= 1
            if not self.open[caller.name]:
                del self.open[caller.name]


class Socket(BaseGraphQLTransportWSHandler[Context, None]):
    """Strawberry's, which knows who asks, and takes messages for objects only when they are."""

    view: Any
    watch: asyncio.Task[None] | None = None
    caller: Caller | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.held = ExitStack()

    @override
    async def handle_message(self, message: Message) -> None:
        given: object = message
        if isinstance(given, dict):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("A message must be a JSON object")

    @override
    async def handle_connection_init(self, message: ConnectionInitMessage) -> None:
        payload: object = message.get("payload")
        if payload is None:
            message = {"type": "connection_init"}  # null is as good as absent
        if self.connection_init_received or not isinstance(payload, dict | None):
            await super().handle_connection_init(message)
            return
        request = self.request
        authorization = find_authorization(payload or {}, request.headers.get("authorization"))
        process = request.app.state.process
        callers: Callers = process.services.callers
        try:
            caller = await callers.identify(authorization)
        except Unauthenticated as error:
            await self.end(FORBIDDEN, str(error))
            return
        except DatabaseUnavailable:
            await self.end(LATER, "The gateway cannot look the credential up now: try again.")
            return
        if not self.view.streams.has_room(caller):
            await self.end(LATER, CROWDED)
            return
        self.held.enter_context(self.view.streams.hold(caller))
        self.caller, self.context = caller, process.new_context(caller)
        if settle := request.scope.get("extensions", {}).get(SETTLE):
            settle()
        await super().handle_connection_init(message)
        self.watch = asyncio.create_task(self._watch(callers, authorization, caller))

    @override
    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        if self.caller:
            try:
                await self.view.pace.wait(self.caller.name)
            except Overdue as error:
                await self.end(LATER, str(error))
                return
        await super().handle_subscribe(message)

    @override
    async def send_message(self, message: Message) -> None:
        if self.caller and message["type"] == "error":  # the operation was refused as a whole
            self.view.pace.count(self.caller.name)
        await super().send_message(message)

    @override
    async def shutdown(self) -> None:
        if self.watch:
            self.watch.cancel()
        self.held.close()
        await super().shutdown()

    @property
    def request(self) -> Any:
        """The handshake."""
        websocket: Any = self.websocket
        return websocket.ws

    async def end(self, code: int, reason: str) -> None:
        """Closes the socket, with all that is under way on it."""
        for operation in list(self.operations):
            await self.cleanup_operation(operation)
        with suppress(WebSocketDisconnected, RuntimeError):  # it is closed already
            await self.websocket.close(code, reason.encode()[:REASON].decode(errors="ignore"))

    async def _watch(self, callers: Callers, authorization: str | None, caller: Caller) -> None:
        """Ends the socket when its credential ends, or when it has been idle for long."""
        over = asyncio.ensure_future(callers.outlive(authorization, caller))
        used, idle = time.monotonic(), self.view.streams.idle_seconds
        try:
            while not (await asyncio.wait({over}, timeout=idle / 10))[0]:
                if self.operations:
                    used = time.monotonic()
                elif time.monotonic() - used > idle:
                    await self.end(NORMAL, "Nothing has happened for a while.")
                    return
            await self.end(FORBIDDEN, over.result())
        finally:
            over.cancel()


def find_authorization(payload: Mapping[str, Any], header: str | None) -> str | None:
    """The credential in the payload of connection_init, by any spelling of its name; else the handshake's."""
    given = [value for name, value in payload.items() if name.lower() == "authorization"]
    if isinstance(headers := payload.get("headers"), Mapping):
        given += [value for name, value in headers.items() if str(name).lower() == "authorization"]
    return str(given[0]) if given else header


class EventStream(StreamingResponse):
    """The events of a subscription, until it ends or its credential does, which is told as its last event.

    `source` is what the events are made of. All is closed when the client goes: Starlette and Strawberry would leave it to
    the collector of garbage, and until then it would go on.
    """

    def __init__(
        self,
        events: AsyncGenerator[str],
        source: AsyncGenerator[Any],
        over: Callable[[], Coroutine[Any, Any, str]],
        held: AbstractContextManager[None],
        headers: Mapping[str, str],
    ) -> None:
        self._relayed = self._relay()
        super().__init__(self._relayed, headers=headers)
        self._events, self._source, self._over, self._held = events, source, over, held
        self._step: asyncio.Task[str | None] | None = None

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            try:
                await super().__call__(scope, receive, send)
            finally:
                await self._relayed.aclose()
                if self._step:
                    await stop(self._step)
                await self._events.aclose()
                await self._source.aclose()

    async def _relay(self) -> AsyncGenerator[str]:
        over = asyncio.create_task(self._over())
        try:
            while True:
                self._step = asyncio.create_task(take(self._events))
                both: set[asyncio.Future[Any]] = {self._step, over}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                if over.done():
                    extensions = {"code": ErrorCode.UNAUTHENTICATED.value}
                    answer = orjson.dumps({"errors": [{"message": over.result(), "extensions": extensions}]}).decode()
                    yield f"event: next\ndata: {answer}\n\nevent: complete\n\n"
                    return
                event = self._step.result()
                if event is None:
                    return
                yield event
        finally:
            over.cancel()


async def take(events: AsyncGenerator[str]) -> str | None:
    """The next one; None after the last."""
    return await anext(events, None)


async def stop(task: asyncio.Task[Any]) -> None:
    """Ends it, and waits until it has ended."""
    task.cancel()
    await asyncio.wait({task})
