"""The simulated CRMs in process: an account, the wire to it that keeps what was sent, and clients of it."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from connectors.calls import Calls
from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.declaration import Connector, ExternalType
from connectors.facts import Credential, Mapped, Payload
from connectors.http import Http, open_http
from connectors.mapping import map_record
from connectors.pacing import MemoryLedger
from connectors.paths import follow_path
from connectors.reading import Lists
from connectors.registry import CONNECTORS
from sandbox.app import create_app
from storage.shapes import CredentialKind
from tests.connectors.clock import Time

HOST = "http://sandbox"
SIZE = 60
Sent = list[tuple[httpx.Request, httpx.Response]]

PLURALS = {"Activity": "activities"}
DELETED: dict[str, Callable[[str], str]] = {
    "PIPEDRIVE": lambda name: (
        f"/api/{'v1' if name in {'Lead', 'Note'} else 'v2'}/{PLURALS.get(name, name.lower() + 's')}"
    ),
    "HUBSPOT": lambda name: f"/crm/v3/objects/{name}",
}
"""By CRM and type: below which path a record is deleted, as the vendor's users do."""


class Wire(httpx.AsyncBaseTransport):
    """To the simulator; `headers` are added to its answers of that status, as somebody on the way might. A connection that
    it cuts is cut for us as it is by a socket."""

    def __init__(self, size: int = SIZE) -> None:
        self.inner = httpx.ASGITransport(create_app(size))
        self.sent: Sent = []
        self.added: dict[int, dict[str, str]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self.inner.handle_async_request(request)
        except ConnectionResetError as error:
            raise httpx.RemoteProtocolError(str(error), request=request) from error
        response.headers.update(self.added.get(response.status_code, {}))
        if not request.url.path.startswith("/_sandbox/"):
            self.sent.append((request, response))
        return response


@dataclass
class Simulator:
    """The large account of one simulated CRM, without limits and with nothing in it that cannot be mapped."""

    connector: Connector
    time: Time
    wire: Wire
    http: Http
    size: int = SIZE
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    async def open(cls, crm: str, size: int = SIZE) -> "Simulator":
        wire = Wire(size)
        simulator = cls(CONNECTORS[crm], Time(), wire, open_http(wire), size)
        await simulator.fill()
        await simulator.faults()
        return simulator

    @property
    def name(self) -> str:
        return self.connector.name.lower()

    @property
    def url(self) -> str:
        """In the place of the vendor's host."""
        return f"{HOST}/{self.name}"

    @property
    def token(self) -> str:
        return f"sandbox-{self.name}"

    @property
    def sent(self) -> Sent:
        return self.wire.sent

    def restart(self) -> None:
        """Forgets what was sent, and how time has passed."""
        self.sent.clear()
        self.wire.added.clear()
        self.time = Time()

    # ------------------------------------------------------------ what people do there

    async def control(self, method: str, what: str, body: Any = None, **params: str) -> Any:
        answer = await self.http.request(method, f"{HOST}/_sandbox/{self.name}/{what}", json=body, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fill(self, size: int | None = None) -> None:
        await self.control("PUT", "data", {"size": self.size if size is None else size, "broken": 0})

    async def faults(self, **given: Any) -> None:
        await self.control("PUT", "faults", {"limits": "none", **given})

    async def ids(self, name: str) -> list[str]:
        """Of all live records of a type, by its own books."""
        found: list[str] = await self.control("GET", "ids", type=name)
        return found

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A call to the vendor's own API, as somebody else makes it."""
        header, form = self.connector.auth[self.connector.credential_kinds[-1]]
        answer = await self.http.request(
            method, self.url + path, json=body, headers={header: form.format(token=self.token)}
        )
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def delete(self, external: ExternalType, one: str) -> None:
        await self.call("DELETE", f"{DELETED[self.connector.name](external.name)}/{one}")

    # ------------------------------------------------------------ what we do there

    def client(
        self,
        *,
        token: str | None = None,
        kind: CredentialKind | None = None,
        renew: Callable[[str], Awaitable[Credential]] | None = None,
    ) -> Client:
        """Of an account whose number is known; by the token that a person has made, unless told."""
        return Client(
            Calls(
                connector=self.connector,
                credential=Credential(kind=kind or self.connector.credential_kinds[-1], token=token or self.token),
                api_url=self.url,
                account="1",
                account_url="https://account.example",
                ledger=MemoryLedger(clock=self.time.clock),
                http=self.http,
                integration="integration-1",
                renew=renew,
                pause=self.time.pause,
                clock=self.time.clock,
                wall=self.time.clock,
            )
        )


def ids_of(external: ExternalType, rows: Sequence[Payload]) -> list[str]:
    return [str(follow_path(row, external.identifier)) for row in rows]


async def read_pages(
    client: Client, listing: Lists, *, since: datetime | None = None, size: int | None = None
) -> list[Sequence[Payload]]:
    """The pages of a list to its end, each cursor having been stored in between."""
    pages: list[Sequence[Payload]] = []
    cursor = None
    while len(pages) < 1000:
        page = await client.page(listing, cursor, since=since, size=size)
        pages.append(page.records)
        cursor = json.loads(json.dumps(page.next))
        if cursor is None:
            return pages
    raise AssertionError("the list does not end")


async def read_all(
    client: Client, external: ExternalType, listings: Sequence[Lists], *, since: datetime | None = None
) -> list[Payload]:
    """The rows of several lists, complete."""
    rows = [row for one in listings for page in await read_pages(client, one, since=since) for row in page]
    return list(await client.complete(external, rows))


async def map_all(client: Client, external: ExternalType, payloads: Sequence[Payload]) -> dict[str, Mapped]:
    """Records in our shape, by id."""
    catalog = await read_catalog(client, external, "DE")
    mapped = [map_record(external, payload, catalog) for payload in payloads]
    return {one.external_id: one for one in mapped}


def missing_id(ids: Sequence[str]) -> str:
    """An id of that kind, which no record has."""
    return "999999999" if ids[0].isdecimal() else "00000000-0000-4000-8000-000000000000"


JUST_NOW = timedelta(seconds=5)
