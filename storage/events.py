"""Live events: one LISTEN connection per process, fanned out to any number of subscribers by topic."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final, Self

import psycopg
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import plain_url
from storage.tasks import is_cancelled

CHANNEL: Final = "crosswalk"

RESYNC: Final = None
"""Instead of a topic: something may have been missed, so read the row again."""

SIZE = 16
"""Events that wait for one subscriber; one more and they all make way for a RESYNC."""

KEEPALIVE = 15.0
"""Seconds of silence after which the connection is tried, for a half-open socket tells nothing by itself."""

FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0

Queue = asyncio.Queue[str | None]


async def notify(session: AsyncSession, topic: str, about: str = "") -> None:
    """Tell the topic's subscribers in every process, once the session's transaction commits; a rollback tells nobody.

    `about` is what they get, such as the id of one of the topic's rows; without it they get the topic. Topics have no
    spaces. The same event twice in a transaction arrives once. Under 8,000 bytes, and at most a few times a second for
    each run: Postgres takes a lock of the whole database at such a commit.
    """
    event = f"{topic} {about}".rstrip()
    connection = await session.connection()
    await connection.execute(text("select pg_notify(:channel, :event)"), {"channel": CHANNEL, "event": event})


class Hub:
    """`run` it as a task; subscribe at any time, also before it is connected.

    An event says only that something happened: subscribe, read the state, then iterate, reading again at each event.
    """

    def __init__(self, url: str, *, keepalive: float = KEEPALIVE) -> None:
        self.url = plain_url(url)
        self.connected = asyncio.Event()
        """Set while the server listens for us."""
        self._keepalive = keepalive
        self._queues: dict[str, set[Queue]] = {}

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made again, and then everybody reads again."""
        delay = FIRST_DELAY
        while not is_cancelled():
            try:
                async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
                    await connection.execute(f"listen {CHANNEL}".encode())
                    self.connected.set()
                    self._resync()
                    delay = FIRST_DELAY
                    await self._receive(connection)
            except (psycopg.OperationalError, TimeoutError):
                self.connected.clear()
                await asyncio.sleep(delay * (1 + random.random()))  # noqa: S311 - so that not all come back at once
                delay = min(delay * 2, LONGEST_DELAY)
            finally:
                self.connected.clear()

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[AsyncIterator[str | None]]:
        """The topic's events from now on: what each is about, or RESYNC. It is of no use outside the block."""
        queue: Queue = asyncio.Queue(SIZE)
        self._queues.setdefault(topic, set()).add(queue)
        try:
            yield _Events(queue)
        finally:
            self._queues[topic].discard(queue)
            if not self._queues[topic]:
                del self._queues[topic]

    async def _receive(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            async for event in connection.notifies(timeout=self._keepalive):
                topic, _, about = event.payload.partition(" ")
                for queue in self._queues.get(topic, ()):
                    _put(queue, about or topic)
            async with asyncio.timeout(self._keepalive):
                await connection.execute("select 1")

    def _resync(self) -> None:
        for queues in self._queues.values():
            for queue in queues:
                _put(queue, RESYNC)


class _Events:
    """An iterator and no generator: that one would end when a time limit around `anext` runs out."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str | None:
        return await self._queue.get()


def _put(queue: Queue, event: str | None) -> None:
    """A subscriber that is too slow has missed something, and reading again makes up for all that waits."""
    if queue.full():
        event = RESYNC
        while not queue.empty():
            queue.get_nowait()
    queue.put_nowait(event)
