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

from gateway.pace import Pace
from gateway.streams import Streams
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


# ---------------------------------------------------------------- sockets of no use, and too many

WAITING = "subscription { count(to: 1, waits: true) }"


async def find_end(socket: ClientConnection) -> tuple[int, str]:
    """Code and reason with which the other side closes it, without another message."""
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_socket_that_does_not_say_who_it_is_is_closed() -> None:
    async with serve(create_app(streams=Streams(init_seconds=0.1))) as port, dial(port, PROTOCOL) as socket:
        assert (await find_end(socket))[0] == 4408


async def test_a_socket_without_a_credential_where_one_is_needed_is_closed() -> None:
    async with serve(create_app(is_open=False)) as port, dial(port, PROTOCOL) as socket:
        await say(socket, {"type": "connection_init"})
        code, reason = await find_end(socket)
    assert code == 4403
    assert "credential" in reason


async def test_a_socket_that_nobody_uses_is_closed_and_one_with_an_operation_stays() -> None:
    async with (
        serve(create_app(streams=Streams(idle_seconds=0.2))) as port,
        dial(port, PROTOCOL) as used,
        dial(port, PROTOCOL) as unused,
    ):
        for socket in (used, unused):
            await say(socket, {"type": "connection_init"})
        await say(used, subscribe("1", WAITING))
        await hear(used, 2)
        await hear(unused, 1)
        assert (await find_end(unused))[0] == 1000
        await say(used, {"type": "ping"})
        assert await hear(used, 1) == [{"type": "pong"}]
        await say(used, {"type": "complete", "id": "1"})
        assert (await find_end(used))[0] == 1000


async def test_a_caller_has_so_many_streams_at_once_and_no_more() -> None:
    body, headers = {"query": WAITING}, {"accept": "text/event-stream"}
    async with (
        serve(create_app(streams=Streams(most=2))) as port,
        httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client,
        dial(port, PROTOCOL) as more,
    ):
        async with client.stream("POST", "/graphql", json=body, headers=headers), dial(port, PROTOCOL) as socket:
            await say(socket, {"type": "connection_init"})
            await hear(socket, 1)
            refused = await client.post("/graphql", json=body, headers=headers)
            assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (429, "THROTTLED")
            await say(more, {"type": "connection_init"})
            assert (await find_end(more))[0] == 1013
        async with dial(port, PROTOCOL) as socket:
            await say(socket, {"type": "connection_init"})
            assert await hear(socket, 1) == [{"type": "connection_ack"}]


async def test_a_subscription_by_event_stream_ends_when_its_client_goes() -> None:
    app = create_app()
    body, headers = {"query": WAITING}, {"accept": "text/event-stream"}
    async with serve(app) as port, httpx.AsyncClient(trust_env=False) as client:
        async with client.stream("POST", f"http://127.0.0.1:{port}/graphql", json=body, headers=headers) as answer:
            lines = answer.aiter_lines()
            assert [await anext(lines), await anext(lines)] == ["event: next", 'data: {"data":{"count":0}}']
            assert not app.state.process.ended.is_set()
        async with asyncio.timeout(10):
            await app.state.process.ended.wait()


async def test_operations_over_a_socket_that_are_refused_come_at_their_pace_too() -> None:
    pace = Pace(per_second=1, at_once=1, longest=0.01)
    async with serve(create_app(pace=pace)) as port, dial(port, PROTOCOL) as socket:
        await say(socket, {"type": "connection_init"})
        await hear(socket, 1)
        for name in ("1", "2"):
            await say(socket, subscribe(name, "{ nothing }"))
            assert [each["type"] for each in await hear(socket, 1)] == ["error"]
        await say(socket, subscribe("3", "{ nothing }"))
        assert (await find_end(socket))[0] == 1013


async def test_a_page_of_an_origin_that_is_named_opens_a_websocket() -> None:
    async with (
        serve(create_app(origins=["https://app.example"])) as port,
        dial(port, PROTOCOL, origin="https://app.example") as socket,
    ):
        await say(socket, {"type": "connection_init"})
        assert await hear(socket, 1) == [{"type": "connection_ack"}]
