"""A time that passes only when somebody waits, and a client that lives in it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from connectors.calls import Calls
from connectors.client import Client
from connectors.facts import Credential
from connectors.http import Http, open_http
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from storage.shapes import CredentialKind

BASE = "https://crm.example/pipedrive"


@dataclass
class Time:
    """Noon of a day in November; `waited` are the pauses that were asked for."""

    now: float = 1_795_262_400.0
    waited: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(time: Time) -> MemoryLedger:
    return MemoryLedger(clock=time.clock)


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with open_http() as http:
        yield http


@pytest.fixture
def client(time: Time, ledger: MemoryLedger, http: Http) -> Client:
    """Of an account whose address and number are known."""
    return make_client(time, ledger, http)


def make_client(
    time: Time,
    ledger: MemoryLedger,
    http: Http,
    *,
    token: str = "secret-token-1",  # noqa: S107 # made up
    api_url: str = BASE,
    account: str | None = "42",
    account_url: str | None = "https://acme.pipedrive.com",
) -> Client:
    return Client(
        Calls(
            connector=CONNECTORS["PIPEDRIVE"],
            credential=Credential(kind=CredentialKind.API_TOKEN, token=token),
            api_url=api_url,
            account=account,
            account_url=account_url,
            ledger=ledger,
            http=http,
            integration="integration-1",
            pause=time.pause,
            clock=time.clock,
        )
    )
