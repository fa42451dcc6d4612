"""Connections that are slow, idle, greedy or too many, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.guard import HEAD_BYTES, HEADERS, Limits
from tests.gateway.stub import MAX_BODY, create_app, serve

HASTY = Limits(head_seconds=0.2, body_seconds=0.3)
HEAD = "POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
QUERY = json.dumps({"query": '{ echo(text: "x") }'})
ENDLESS = json.dumps({"query": "subscription { count(to: 1000000000) }"})
WAITING = json.dumps({"query": "subscription { count(to: 1, waits: true) }"})
UPGRADE = (
    "GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "sec-websocket-protocol: graphql-transport-ws\r\n"
)


def post(body: str, *headers: str) -> bytes:
    lines = "".join(f"{each}\r\n" for each in headers)
    return f"{HEAD}{lines}content-length: {len(body)}\r\n\r\n{body}".encode()


class Line:
    """A connection, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, str]:
        """Status and code of the answer that comes next."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        body = json.loads(await self.reader.readexactly(length))
        return int(head.split()[1]), body["errors"][0]["extensions"]["code"] if "errors" in body else ""

    async def rest(self) -> bytes:
        """All that comes until the other side closes; nothing where it cut the connection."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def dial(port: int) -> AsyncIterator[Line]:
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Line(reader, writer)
        finally:
            writer.transport.abort()


@pytest.fixture(scope="module")
async def port() -> AsyncIterator[int]:
    async with serve(create_app()) as port:
        yield port


@pytest.fixture(scope="module")
async def hasty() -> AsyncIterator[int]:
    async with serve(create_app(), HASTY) as port:
        yield port


# ---------------------------------------------------------------- time


async def test_whoever_connects_and_says_nothing_is_told_nothing(hasty: int) -> None:
    async with dial(hasty) as line:
        assert await line.rest() == b""


@pytest.mark.parametrize("said", ["P", HEAD, UPGRADE])
async def test_a_head_that_does_not_end_is_not_waited_for(hasty: int, said: str) -> None:
    async with dial(hasty) as line:
        line.writer.write(said.encode())
        assert await line.answer() == (408, "TIMEOUT")
        assert await line.rest() == b""


async def test_a_body_that_does_not_end_is_not_waited_for_however_it_drips(hasty: int) -> None:
    async with dial(hasty) as line:
        line.writer.write(post(" " * 1000)[:-1000])
        answer = asyncio.ensure_future(line.answer())
        while not (await asyncio.wait({answer}, timeout=0.05))[0]:
            line.writer.write(b" ")
        assert answer.result() == (408, "TIMEOUT")


async def test_a_body_that_is_no_longer_wanted_is_not_waited_for_either(hasty: int) -> None:
    async with dial(hasty) as line:
        line.writer.write(f"GET /nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {MAX_BODY}\r\n\r\n".encode())
        assert (await line.reader.readuntil(b"\r\n\r\nNot Found")).startswith(b"HTTP/1.1 404")
        rest = asyncio.ensure_future(line.rest())
        while not (await asyncio.wait({rest}, timeout=0.05))[0]:
            line.writer.write(b" ")
        assert rest.result() == b""


async def test_a_connection_that_was_answered_gets_as_long_for_its_next_request(hasty: int) -> None:
    async with dial(hasty) as line:
        for _ in range(2):
            line.writer.write(post(QUERY))
            assert await line.answer() == (200, "")
        line.writer.write(b"\r\n")  # as if a request came: from now on time runs
        assert await line.rest() == b""


async def test_an_answer_that_takes_long_is_not_cut_off() -> None:
    gate = asyncio.Event()

    async def wait(_: object) -> Response:
        await gate.wait()
        return Response("at last")

    async with serve(Starlette(routes=[Route("/", wait)]), HASTY) as port, dial(port) as line:
        line.writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        async with dial(port) as other:
            await other.rest()  # by then the time for a head is over
        gate.set()
        assert (await line.reader.readuntil(b"at last")).startswith(b"HTTP/1.1 200")


async def test_whoever_takes_nothing_of_the_answer_is_cut() -> None:
    gone = asyncio.Event()

    async def fill() -> AsyncIterator[bytes]:
        try:
            for _ in range(100):  # more than the buffers of both sides take
                yield b" " * 1_000_000
        finally:
            gone.set()

    app = Starlette(routes=[Route("/", lambda _: StreamingResponse(fill()))])
    async with serve(app, HASTY, stall_seconds=0.5) as port, dial(port) as line:
        line.writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        await gone.wait()


async def test_a_stream_ends_with_its_connection_though_another_request_stands_behind_it() -> None:
    app = create_app()
    async with serve(app) as port, dial(port) as line:
        line.writer.write(post(ENDLESS, "accept: text/event-stream"))
        await line.reader.readuntil(b'{"count":0}')
        line.writer.write(post(QUERY))
        await line.reader.readuntil(b'{"count":1000}')
        line.writer.transport.abort()
        await app.state.process.ended.wait()


# ---------------------------------------------------------------- size


@pytest.mark.parametrize(
    "head",
    [
        f"GET /graphql?query={'x' * HEAD_BYTES} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        f"{HEAD}x-long: {'x' * HEAD_BYTES}\r\n\r\n",
        f"{HEAD}x-long: {'x' * HEAD_BYTES}",  # and no end to it
        f"{HEAD}x-short: 1\r\n" + "x-short: 1\r\n" * HEADERS + "\r\n",
        f"{UPGRADE}authorization: Bearer {'x' * HEAD_BYTES}\r\n\r\n",
        f"{UPGRADE}authorization: Bearer {'x' * 10_000}\r\n\r\n",  # a line of a WebSocket's may have 8,192
    ],
)
async def test_a_head_that_is_too_large(port: int, head: str) -> None:
    async with dial(port) as line:
        line.writer.write(head.encode())
        assert await line.answer() == (431, "TOO_COMPLEX")
        assert await line.rest() == b""


async def test_what_frames_a_body_counts_as_its_head_does(port: int) -> None:
    async with dial(port) as line:
        line.writer.write(f"{HEAD}transfer-encoding: chunked\r\n\r\n1;".encode() + b"x" * 1_000_000)
        assert await line.answer() == (431, "TOO_COMPLEX")


async def test_what_is_no_http_is_told_so_with_all_security_headers(port: int) -> None:
    async with dial(port) as line:
        line.writer.write(b"\x16\x03\x01\x02\x00\x01\x00")  # a client that means https
        answer = await line.rest()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nx-content-type-options: nosniff\r\n" in answer


async def test_a_head_just_below_the_limit_is_taken(port: int) -> None:
    room = HEAD_BYTES - 1_000
    async with dial(port) as line:
        line.writer.write(post(QUERY, f"x-long: {'x' * room}"))
        assert await line.answer() == (200, "")


async def test_pings_are_not_answered_for_ever_to_whoever_reads_no_answer(port: int) -> None:
    ping = b"\x89\xfd\0\0\0\0" + b"x" * 125
    size = 24_000_000 // len(ping) * len(ping)
    async with dial(port) as line:
        line.writer.write(f"{UPGRADE}\r\n".encode())
        await line.reader.readuntil(b"\r\n\r\n")
        for _ in range(0, size, len(ping) * 1_000):
            line.writer.write(ping * 1_000)
            await line.writer.drain()
        line.writer.write(b"\x88\x80\0\0\0\0")  # closes it
        assert len(await line.rest()) < size / 2


# ---------------------------------------------------------------- number


async def test_when_the_house_is_full_whoever_has_waited_longest_must_leave() -> None:
    async with serve(create_app(), Limits(connections=2)) as port, dial(port) as first, dial(port) as second:
        async with dial(port) as third:
            third.writer.write(post(QUERY))
            assert await third.answer() == (200, "")
            assert await first.rest() == b""
        second.writer.write(post(QUERY))
        assert await second.answer() == (200, "")


async def test_a_socket_of_nobody_leaves_before_one_of_somebody() -> None:
    hello = b'{"type":"connection_init"}'
    async with serve(create_app(), Limits(connections=2)) as port, dial(port) as known, dial(port) as unknown:
        for line in (known, unknown):
            line.writer.write(f"{UPGRADE}\r\n".encode())
            await line.reader.readuntil(b"\r\n\r\n")
        known.writer.write(bytes((0x81, 0x80 + len(hello), 0, 0, 0, 0)) + hello)
        await known.reader.readuntil(b"connection_ack")
        async with dial(port) as third:
            assert await unknown.rest() == b""
            third.writer.write(post(QUERY))
            assert await third.answer() == (200, "")


async def test_when_all_are_being_served_whoever_comes_is_told_to_come_again() -> None:
    async with serve(create_app(), Limits(connections=1)) as port, dial(port) as first:
        first.writer.write(post(WAITING, "accept: text/event-stream"))
        await first.reader.readuntil(b'{"count":0}')
        async with dial(port) as second:
            assert await second.answer() == (503, "THROTTLED")
