"""The only module that knows the HTTP library: a client as CRMs need it, and what can break on the way."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import httpx

Http: TypeAlias = httpx.AsyncClient
Response: TypeAlias = httpx.Response
Transport: TypeAlias = httpx.AsyncBaseTransport

BROKEN: tuple[type[Exception], ...] = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.ProtocolError,
    httpx.ProxyError,
    httpx.DecodingError,
)
"""No answer, or half of one: the call may be made again."""
UNSENT: tuple[type[Exception], ...] = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Of these, those after which the CRM cannot have seen anything of the call."""
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


async def send(
    http: Http,
    url: str,
    params: Mapping[str, str],
    headers: Mapping[str, str],
    body: Any = None,
    method: str | None = None,
) -> Response:
    """One call: a body is sent as JSON, by POST unless told; without one it is a GET."""
    method = method or ("GET" if body is None else "POST")
    return await http.request(method, url, params=dict(params), headers=dict(headers), json=body)


class Borrowed(httpx.AsyncBaseTransport):
    """The connections, proxies and certificates of a client, for another one that has only its manners of its own."""

    def __init__(self, http: Http) -> None:
        self.http = http

    async def handle_async_request(self, request: httpx.Request) -> Response:
        """Passes the request on; the answer's body is still to be read."""
        return await self.http.send(request, stream=True)


def borrow(http: Http) -> dict[str, Any]:
    """The arguments of a client that sends through `http`, as `http` would: it need not be closed."""
    return {"transport": Borrowed(http), "timeout": TIMEOUT, "trust_env": False, "follow_redirects": False}
