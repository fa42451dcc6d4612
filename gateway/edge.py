"""Who may talk to this listener at all: not a page of another site, nor a name that somebody else points here."""

import logging
import secrets
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
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
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",  # pages bring their own
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",  # says nothing to requests that CORS allows
}
HTTPS_ONLY: Final = {"strict-transport-security": "max-age=31536000"}
"""A year; sent where PUBLIC_URL is https."""

ASKED: Final = ("authorization", "content-type", "accept", "x-request-id", "traceparent")
TOLD: Final = ("x-request-id", "retry-after")
REMEMBERED: Final = 7200
"""Seconds that browsers may remember a preflight; Chromium's most."""

OURS: Final = "Something went wrong here; the log has it under id {}."

log = logging.getLogger(__name__)


def error_body(code: ErrorCode, message: str, **details: str) -> bytes:
    """An error of the request as a whole, in GraphQL's own shape."""
    return orjson.dumps({"errors": [{"message": message, "extensions": {**details, "code": code.value}}]})


def list_middleware(
    public_url: str, *, visited: Collection[str] = (), origins: Collection[str] = (), is_open: bool = True
) -> list[Middleware]:
    """The edge, and CORS behind it where pages of other `origins` may call."""
    edge = Middleware(Edge, public_url=public_url, visited=visited, origins=origins, is_open=is_open)
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=ASKED,
        expose_headers=TOLD,
        max_age=REMEMBERED,
    )
    return [edge, cors] if origins else [edge]


class Edge:
    """Refuses with 403 what comes under a foreign Host, or from a page of a foreign origin; adds the security headers.

    With the sandbox, whoever reaches the listener is an admin (`is_open`). It listens on loopback only, but a browser
    on this machine carries any page's requests here, by address or by a name that its owner points at 127.0.0.1 (DNS
    rebinding). Without the sandbox each request brings its own credential, which no other page has, and proxies may
    give the gateway any name. `visited` are the paths to which pages of other origins send people; pages of `origins`
    may call as our own may.
    """

    def __init__(
        self,
        app: ASGIApp,
        public_url: str,
        visited: Collection[str] = (),
        origins: Collection[str] = (),
        is_open: bool = True,
    ) -> None:
        self.app = app
        self.visited = visited
        self.origins = {normalize_origin(each) for each in (public_url, *origins)} - {None}
        self.name = urlsplit(public_url).hostname
        self.is_open = is_open
        headers = {**SECURITY_HEADERS, **(HTTPS_ONLY if public_url.startswith("https:") else {})}
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        reason = self.refuse(scope, Headers(scope=scope))
        if scope["type"] == "websocket":
            await (WebSocketClose(1008, reason) if reason else self.app)(scope, receive, send)
            return
        app = (
            Response(error_body(ErrorCode.FORBIDDEN, reason), 403, media_type="application/json")
            if reason
            else self.app
        )
        await app(scope, receive, self.add_headers(send))

    def refuse(self, scope: Scope, headers: Headers) -> str | None:
        """The reason, in a sentence that says what to do; None lets it pass."""
        host, origin, site = (headers.get(name) for name in ("host", "origin", "sec-fetch-site"))
        if self.is_open and host is not None and not self.is_ours(host):
            return f"This gateway does not answer for the host {host}: use its address, or set PUBLIC_URL."
        if scope["path"] in self.visited and scope["type"] == "http":
            return None
        if origin is None:  # no page, or a link, an image, a script of one
            is_foreign = site in ("cross-site", "same-site") and not is_link(scope, headers)
            return "Pages of other sites may not call this gateway: open its own page." if is_foreign else None
        if site == "same-origin" or normalize_origin(origin) in self.origins or is_same_origin(origin, host):
            return None
        return f"Pages of {origin} may not call this gateway from a browser: CORS_ORIGINS names those that may."

    def is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name == self.name

    def add_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [*message.get("headers", ())]
                names = {name for name, _ in given}
                given += [(name, value) for name, value in self.headers if name not in names]
                if not names & {b"cache-control", b"etag"}:  # all but static files
                    given.append((b"cache-control", b"no-store"))
                message = {**message, "headers": given}
            await send(message)

        return sending


def is_link(scope: Scope, headers: Headers) -> bool:
    """A person has followed it to one of our pages. It must not carry an operation, which would run as that person."""
    is_visit = scope.get("method") == "GET" and headers.get("sec-fetch-mode") == "navigate"
    return is_visit and "query" not in QueryParams(scope["query_string"])


async def show_fault(_: Request, error: Exception) -> Response:
    """What nothing else has caught. Starlette makes this answer outside of the edge, and tells the server the rest."""
    name = secrets.token_hex(8)
    log.error("error %s: %s, told below", name, type(error).__name__)
    body = error_body(ErrorCode.INTERNAL, OURS.format(name), id=name)
    return Response(body, 500, {**SECURITY_HEADERS, "cache-control": "no-store"}, "application/json")
