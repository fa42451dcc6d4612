"""What a transaction tells reaches every subscriber of its topic after the commit, and a gap is always noticed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from uuid import uuid4

import psycopg
import pytest

from storage.database import Database
from storage.events import RESYNC, SIZE, Hub, notify

T = TypeVar("T")

LISTENER = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and query in ('listen crosswalk', 'select 1') and pid <> pg_backend_pid()
"""


async def soon(wanted: Awaitable[T]) -> T:
    """Within seconds, so that what never comes fails the test."""
    async with asyncio.timeout(10):
        return await wanted


async def nothing_more(events: AsyncIterator[str | None]) -> bool:
    """True if nothing waits, and nothing comes."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await anext(events)
            return False
    return True


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Its own: channels are a database's."""
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[None]:
    task = asyncio.create_task(hub.run())
    yield
    assert not task.done()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert not hub.connected.is_set()


@pytest.fixture
async def hub(database: Database) -> AsyncIterator[Hub]:
    hub = Hub(database.url, keepalive=0.2)
    async with running(hub):
        await soon(hub.connected.wait())
        yield hub


async def tell(database: Database, *topics: str) -> None:
    async with database.session(uuid4()) as session:
        for topic in topics:
            await notify(session, topic)


async def test_subscribers_hear_their_topic(hub: Hub, database: Database) -> None:
    with hub.subscribe("run:1") as first, hub.subscribe("run:1") as second, hub.subscribe("run:2") as other:
        await tell(database, "run:1", "run:3")

        assert [await soon(anext(first)), await soon(anext(second))] == ["run:1", "run:1"]
        assert await nothing_more(first)
        assert await nothing_more(other)


async def test_an_event_may_say_what_it_is_about(hub: Hub, database: Database) -> None:
    with hub.subscribe("runs:1") as events:
        async with database.session(uuid4()) as session:
            await notify(session, "runs:1", "a")
            await notify(session, "runs:1", "b")
            await notify(session, "runs:1", "a")

        assert [await soon(anext(events)), await soon(anext(events))] == ["a", "b"]
        assert await nothing_more(events)


async def test_a_rollback_tells_nobody_and_nothing_comes_before_the_commit(hub: Hub, database: Database) -> None:
    async def fail() -> None:
        async with database.session(uuid4()) as session:
            await notify(session, "run:1")
            raise KeyError

    with hub.subscribe("run:1") as events:
        with pytest.raises(KeyError):
            await fail()
        async with database.session(uuid4()) as session:
            await notify(session, "run:1", "later")
            assert await nothing_more(events)
        assert await soon(anext(events)) == "later"


async def test_who_left_hears_no_more_and_is_forgotten(hub: Hub, database: Database) -> None:
    with hub.subscribe("end") as end:
        with hub.subscribe("run:1") as left:
            pass
        await tell(database, "run:1", "end")
        await soon(anext(end))

        assert await nothing_more(left)
        assert list(hub._queues) == ["end"]
    assert hub._queues == {}


async def test_who_is_too_slow_is_told_to_read_again(hub: Hub, database: Database) -> None:
    with hub.subscribe("busy") as slow, hub.subscribe("end") as end:
        for number in range(SIZE + 1):
            async with database.session(uuid4()) as session:
                await notify(session, "busy", str(number))
        await tell(database, "end")
        await soon(anext(end))

        assert await soon(anext(slow)) is RESYNC
        assert await nothing_more(slow)


async def test_a_lost_connection_comes_back_and_everybody_reads_again(hub: Hub, database: Database) -> None:
    with hub.subscribe("run:1") as first, hub.subscribe("run:2") as second:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(LISTENER)

        assert [await soon(anext(first)), await soon(anext(second))] == [RESYNC, RESYNC]
        await tell(database, "run:1")
        assert await soon(anext(first)) == "run:1"


async def test_who_subscribed_before_the_hub_listened_reads_again(database_url: str) -> None:
    hub = Hub(database_url)
    with hub.subscribe("run:1") as events:
        async with running(hub):
            assert await soon(anext(events)) is RESYNC


async def test_a_server_that_is_away_is_tried_again() -> None:
    hub = Hub("postgresql://127.0.0.1:1/nothing")

    async with running(hub):
        await asyncio.sleep(0.5)
        assert not hub.connected.is_set()


async def test_the_connection_is_tried_in_silence(hub: Hub, database: Database) -> None:
    await asyncio.sleep(0.6)  # three silences

    with hub.subscribe("run:1") as events:
        await tell(database, "run:1")
        assert await soon(anext(events)) == "run:1"
