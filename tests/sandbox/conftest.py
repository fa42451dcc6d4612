"""The simulator in process, with limits off unless a test turns them on, and on a socket where bytes matter."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest
import uvicorn

from sandbox.app import CRMS, Create, create_app
from tests.sandbox.caller import Caller

SIZE = 300


@pytest.fixture(scope="session")
def creators() -> Sequence[Create]:
    """What makes the CRMs that are simulated."""
    return CRMS[:1]


@pytest.fixture
async def client(creators: Sequence[Create]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(SIZE, creators=creators))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        yield client


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
async def wire() -> AsyncIterator[Caller]:
    """Over a real socket."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(SIZE), log_level="info", access_log=False))
        listener.listen()  # a call made before the server has started waits for it
        task = asyncio.create_task(server.serve([listener]))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=address) as client:
            caller = Caller(client)
            await caller.faults()
            yield caller
        server.should_exit = True
        await task
