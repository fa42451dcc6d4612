"""The simulated HubSpot in process, with limits off unless a test turns them on, and on a socket where bytes matter."""

from collections.abc import Sequence

import httpx
import pytest

from sandbox.app import CRMS, Create
from tests.sandbox import caller as pipedrive
from tests.sandbox.hubspot.caller import Caller


@pytest.fixture(scope="session")
def creators() -> Sequence[Create]:
    """HubSpot alone, but where both are compared."""
    return CRMS[1:]


@pytest.fixture
async def crm(client: httpx.AsyncClient) -> Caller:
    caller = Caller(client)
    await caller.faults()
    return caller


@pytest.fixture
async def small(client: httpx.AsyncClient) -> Caller:
    caller = Caller(client, account=2)
    await caller.faults()
    return caller


@pytest.fixture
async def socketed(wire: pipedrive.Caller) -> Caller:
    """Over a real socket."""
    caller = Caller(wire.client)
    await caller.faults()
    return caller
