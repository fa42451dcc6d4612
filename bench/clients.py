"""Callers of a gateway, a process each: `python -m bench.clients NAME PORT SECONDS [KEY]` prints what it got."""

import asyncio
import json
import os
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PEOPLE = """
query People {
  contacts(first: 1, search: "rodriguez birch") {
    totalCount
    nodes {
      name
      email
      organization { name domain }
      deals { nodes { title status amount { amount currency } } }
      activities { nodes { kind subject dueOn isDone } }
    }
  }
}
"""
"""The README's."""

PAUSE = 0.01
"""Seconds between two calls of the caller who means well."""

CONNECTIONS = 4
"""Of an attacker that asks as fast as it is answered."""

DRIPPING, IDLE = 500, 2_000
"""Connections of the other kinds."""

DRIP = 1.0
"""Seconds between two bytes."""


HANDSHAKE = (
    "host: 127.0.0.1",
    "upgrade: websocket",
    "connection: upgrade",
    "sec-websocket-version: 13",
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-protocol: graphql-transport-ws",
)


def ask(body: bytes, key: str | None = None) -> bytes:
    """A POST of it."""
    credential = f"authorization: Bearer {key}\r\n" if key else ""
    head = f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n{credential}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def ask_query(query: str, key: str | None = None) -> bytes:
    """A POST of an operation."""
    return ask(json.dumps({"query": query}).encode(), key)


def nest(levels: int) -> str:
    """Organizations and their contacts, and so on."""
    pairs = (levels - 2) // 4
    return "{ contacts { nodes { " + "organization { contacts { nodes { " * pairs + "id" + " } } }" * pairs + " } } }"


FLOODS: Mapping[str, Callable[[], bytes]] = {
    "aliases": lambda: ask_query("{ " + " ".join(f"a{i}: __typename" for i in range(10_000)) + " }"),
    "levels": lambda: ask_query(nest(200)),
    "large": lambda: ask(b" " * 5_000_000),
    "circle": lambda: ask_query("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
    "batch": lambda: ask(json.dumps([{"query": "{ __typename }"}] * 1_000).encode()),
}
"""Attack -> a request that is made as fast as it is answered."""


class Client:
    """One connection, opened again when it was closed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket: socket.socket | None = None

    def call(self, request: bytes) -> tuple[int, bytes]:
        """Status and body. Raises OSError."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(request)
            received = b""
            while b"\r\n\r\n" not in received:
                received += self._read()
            head, _, body = received.partition(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            while len(body) < length:
                body += self._read()
        except OSError:
            self.socket.close()
            self.socket = None
            raise
        return int(head.split()[1]), body

    def _read(self) -> bytes:
        data = self.socket.recv(65536) if self.socket else b""
        if not data:
            raise ConnectionResetError
        return data


def read_code(status: int, body: bytes) -> str:
    """`400 TOO_COMPLEX`."""
    errors = json.loads(body).get("errors", [{}])
    return f"{status} {errors[0].get('extensions', {}).get('code', '')}".strip()


# ---------------------------------------------------------------- who means well


def call_well(port: int, seconds: float, key: str) -> dict[str, Any]:
    """The milliseconds of each call."""
    client, request, found = Client(port), ask_query(PEOPLE, key), []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.perf_counter()
        status, body = client.call(request)
        found.append((time.perf_counter() - began) * 1000)
        if status != 200 or b'"errors"' in body:
            raise RuntimeError(f"{status}: {body[:500]!r}")
        time.sleep(PAUSE)
    return {"milliseconds": found}


# ---------------------------------------------------------------- who does not


def flood(port: int, seconds: float, request: bytes) -> dict[str, Any]:
    """How often each answer came, over a few connections."""
    answers: Counter[str] = Counter()
    until = time.monotonic() + seconds

    def work() -> None:
        client, known = Client(port), {}
        while time.monotonic() < until:
            status, body = client.call(request)
            if status not in known:
                known[status] = read_code(status, body)
            answers[known[status]] += 1

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return {"answers": dict(answers)}


@dataclass
class Held:
    """What came of connections that are held: how each ended, and the longest time that one lasted."""

    until: float
    answers: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


async def hold(
    port: int, held: Held, use: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]
) -> None:
    """One connection after another."""
    while time.monotonic() < held.until:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + held.until - time.monotonic()):
                held.answers[await use(reader, writer)] += 1
                held.longest = max(held.longest, time.monotonic() - began)
        except TimeoutError:
            pass
        except ConnectionError:
            held.answers["reset"] += 1
        finally:
            writer.transport.abort()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """A body that never ends."""
    writer.write(ask(b" " * 1_000)[:-1_000])
    answer = asyncio.ensure_future(reader.read())
    while not (await asyncio.wait({answer}, timeout=DRIP))[0]:
        writer.write(b" ")
    head, _, body = answer.result().partition(b"\r\n\r\n")
    return read_code(int(head.split()[1]), body)


async def sit(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> str:
    """Nothing is asked for."""
    return "closed" if await reader.read() == b"" else "answered"


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """A WebSocket that does not say who it is."""
    writer.write("\r\n".join(["GET /graphql HTTP/1.1", *HANDSHAKE, "", ""]).encode())
    await reader.readuntil(b"\r\n\r\n")
    while (opcode := await reader.readexactly(2))[0] != 0x88:  # pings are left unanswered
        await reader.readexactly(opcode[1])
    return f"closed {struct.unpack('!H', await reader.readexactly(2))[0]}"


HELD: Mapping[str, tuple[Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]], int]] = {
    "drip": (drip, DRIPPING),
    "idle": (sit, IDLE),
    "sockets": (say_nothing, IDLE),
}
"""Attack -> what is done with a connection, and how many there are at once."""


async def hold_all(port: int, seconds: float, name: str) -> dict[str, Any]:
    """How they ended, and after how long."""
    use, number = HELD[name]
    held = Held(time.monotonic() + seconds)
    await asyncio.gather(*(hold(port, held, use) for _ in range(number)))
    return {"answers": dict(held.answers), "longest": held.longest}


def main() -> None:
    """The attacks stand back behind everybody else on this machine: what is measured is the gateway."""
    name, port, seconds, *key = sys.argv[1:]
    if name == "well":
        found = call_well(int(port), float(seconds), *key)
    else:
        os.nice(19)
        if name in FLOODS:
            found = flood(int(port), float(seconds), FLOODS[name]())
        else:
            found = asyncio.run(hold_all(int(port), float(seconds), name))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
