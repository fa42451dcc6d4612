"""Over real sockets: WebSockets, a body that is too large, and how a gateway with open streams stops."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio
from websockets import ClientConnection, InvalidStatus
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin, Subprotocol

from tests.gateway.stub import MAX_BODY, create_app, serve

PROTOCOL = Subprotocol("graphql-transport-ws")


@pytest_asyncio.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    async with serve(create_app()) as port:
        yield port


def dial(port: int, *protocols: str, origin: str | None = None) -> connect:
    return connect(
        f"ws://127.0.0.1:{port}/graphql",
        subprotocols=[Subprotocol(each) for each in protocols] or None,
        origin=Origin(origin) if origin else None,
        proxy=None,
    )


async def say(socket: ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await socket.send(json.dumps(message))


async def hear(socket: ClientConnection, number: int) -> Sequence[Any]:
    """So many messages; all are text, as browsers expect."""
    found = [await asyncio.wait_for(socket.recv(), 10) for _ in range(number)]
    assert all(isinstance(each, str) for each in found)
    return [json.loads(each) for each in found]


def subscribe(name: str, query: str) -> dict[str, Any]:
    return {"type": "subscribe", "id": name, "payload": {"query": query}}


async def test_a_subscription_comes_by_websocket(port: int) -> None:
    async with dial(port, PROTOCOL) as socket:
        await say(socket, {"type": "connection_init"}, subscribe("1", "subscription { count(to: 2) }"))
        assert await hear(socket, 4) == [
            {"type": "connection_ack"},
            {"type": "next", "id": "1", "payload": {"data": {"count": 0}}},
            {"type": "next", "id": "1", "payload": {"data": {"count": 1}}},
            {"type": "complete", "id": "1"},
        ]


async def test_a_document_that_does_not_validate_ends_its_own_operation_only(port: int) -> None:
    async with dial(port, PROTOCOL) as socket:
        await say(
            socket, {"type": "connection_init"}, subscribe("1", "{ nothing }"), subscribe("2", '{ echo(text: "x") }')
        )
        heard = await hear(socket, 4)
        assert [(each["type"], each.get("id")) for each in heard if each.get("id") == "1"] == [("error", "1")]
        assert {"type": "next", "id": "2", "payload": {"data": {"echo": "x"}}} in heard


@pytest.mark.parametrize("message", [[1], 5, "x", None])
async def test_a_message_that_is_no_object_closes_the_socket(port: int, message: object) -> None:
    async with dial(port, PROTOCOL) as socket:
        await socket.send(json.dumps(message))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4400


@pytest.mark.parametrize("protocols", [["graphql-ws"], []])
async def test_other_subprotocols_are_refused(port: int, protocols: list[str]) -> None:
    async with dial(port, *protocols) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406


@pytest.mark.parametrize("origin", ["http://127.0.0.1:3000", "https://elsewhere.example", "null"])
async def test_a_page_of_another_origin_opens_no_websocket(port: int, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with dial(port, PROTOCOL, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_our_own_page_opens_one(port: int) -> None:
    async with dial(port, PROTOCOL, origin=f"http://127.0.0.1:{port}") as socket:
        await say(socket, {"type": "connection_init"})
        assert await hear(socket, 1) == [{"type": "connection_ack"}]


async def test_whoever_sends_too_much_gets_to_read_why(port: int) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        body, headers = b" " * (5 * MAX_BODY), {"content-type": "application/json"}
        answer = await client.post(f"http://127.0.0.1:{port}/graphql", content=body, headers=headers)
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["extensions"] == {"code": "TOO_COMPLEX"}
