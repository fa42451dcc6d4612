"""Who may talk to this listener at all: not a page of another site, nor a name that somebody else points here."""

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from strawberry.http.websocket_origin import is_same_origin, normalize_origin

from gateway.settings import is_loopback
from resolvers.errors import ErrorCode

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def error_body(code: ErrorCode, message: str, **details: str) -> bytes:
    """An error of the request as a whole, in GraphQL's own shape."""
    return orjson.dumps({"errors": [{"message": message, "extensions": {**details, "code": code.value}}]})


class Edge:
    """Refuses with 403 what comes under a foreign Host, or from a page of a foreign origin; adds the security headers.

    As shipped, whoever reaches the listener is an admin. It listens on loopback only, but a browser on this machine
    carries any page's requests here, by address or by a name that its owner points at 127.0.0.1 (DNS rebinding).
    `visited` are the paths to which pages of other origins send people.
    """

    def __init__(self, app: ASGIApp, public_url: str, visited: Collection[str] = ()) -> None:
        self.app = app
        self.visited = visited
        self.origin = normalize_origin(public_url)
        self.name = urlsplit(public_url).hostname

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        is_visit = scope["type"] == "http" and scope["path"] in self.visited
        reason = self.refuse(Headers(scope=scope), any_origin=is_visit)
        if scope["type"] == "websocket":
            await (WebSocketClose(1008, reason) if reason else self.app)(scope, receive, send)
            return
        app = (
            Response(error_body(ErrorCode.FORBIDDEN, reason), 403, media_type="application/json")
            if reason
            else self.app
        )
        await app(scope, receive, add_headers(send))

    def refuse(self, headers: Headers, *, any_origin: bool = False) -> str | None:
        """The reason, in a sentence that says what to do; None lets it pass."""
        host, origin = headers.get("host"), headers.get("origin")
        if host is not None and not self.is_ours(host):
            return f"This gateway does not answer for the host {host}: use its address, or set PUBLIC_URL."
        if any_origin or origin is None:
            return None
        if normalize_origin(origin) != self.origin and not is_same_origin(origin, host):
            return f"Pages of {origin} may not call this gateway from a browser."
        return None

    def is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name == self.name


def add_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
