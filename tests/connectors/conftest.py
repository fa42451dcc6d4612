"""Clients that live in a time of their own: of CRMs faked at the transport, and of the simulated ones."""

from collections.abc import AsyncIterator

import pytest

from connectors.calls import Calls
from connectors.client import Client
from connectors.facts import Credential
from connectors.http import Http, open_http
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from storage.shapes import CredentialKind
from tests.connectors.clock import Time
from tests.connectors.simulator import Simulator

BASE = "https://crm.example/pipedrive"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(time: Time) -> MemoryLedger:
    return MemoryLedger(clock=time.clock)


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[Http]:
    """One for all: to read the certificates of the machine takes longer than most tests."""
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


@pytest.fixture(scope="module")
async def simulators() -> AsyncIterator[dict[str, Simulator]]:
    """One of each CRM."""
    opened = {crm: await Simulator.open(crm) for crm in CONNECTORS}
    yield opened
    for simulator in opened.values():
        await simulator.http.aclose()


@pytest.fixture
async def simulator(crm: str, simulators: dict[str, Simulator]) -> Simulator:
    """That of the CRM a test is for, as it was made, its log empty."""
    found = simulators[crm]
    await found.fill()
    await found.faults()
    found.restart()
    return found
