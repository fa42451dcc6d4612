"""The only module that knows the HTTP library: a client as CRMs need it, and what can break on the way."""

from typing import TypeAlias

import httpx

Http: TypeAlias = httpx.AsyncClient
Response: TypeAlias = httpx.Response
Transport: TypeAlias = httpx.AsyncBaseTransport

BROKEN: tuple[type[Exception], ...] = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProtocolError,
    httpx.DecodingError,
)
"""No answer, or half of one: the call may be made again."""
REFUSED: tuple[type[Exception], ...] = (httpx.InvalidURL, httpx.UnsupportedProtocol)
"""The address itself is wrong: no call can be made."""

DIRECT: dict[str, Transport | None] = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
"""No proxy for this machine, where the sandbox is."""
TIMEOUT = httpx.Timeout(30, connect=10)
LIMITS = httpx.Limits(max_connections=50, max_keepalive_connections=20)


def open_http(transport: Transport | None = None) -> Http:
    """A client to be shared by all integrations; close it with `aclose`.

    Redirects are not followed: a token must not travel to a host that an answer names. Proxies and certificates come from
    the settings of the machine, as with every HTTP program; a .netrc does not, since it could replace our credentials.
    """
    return httpx.AsyncClient(transport=transport, mounts=DIRECT, timeout=TIMEOUT, limits=LIMITS, follow_redirects=False)
