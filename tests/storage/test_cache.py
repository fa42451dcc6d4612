"""Values come back as they were, None too; one fetch serves all who ask at once; a cache that fails is a miss."""

import asyncio
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import Any

import pytest

from storage.cache import MISS, Cache, Memory
from storage.errors import StorageError


@pytest.fixture
async def cache() -> AsyncIterator[Cache]:
    cache = Cache.make("test", size=3)
    yield cache
    await cache.close()


class Counter:
    """A fetch that says how often it ran, and waits until it may end."""

    def __init__(self, *values: Any) -> None:
        self.calls = 0
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.values = values

    async def __call__(self) -> Any:
        self.calls += 1
        self.begun.set()
        await self.gate.wait()
        value = self.values[self.calls - 1]
        if isinstance(value, Exception):
            raise value
        return value


class Broken(Memory):
    """A Redis that is away."""

    async def _get(self, *_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError

    async def _set(self, *_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError

    async def _delete(self, *_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError

    async def _clear(self, *_: Any, **__: Any) -> Any:
        raise ConnectionRefusedError


class Slow(Memory):
    """A Redis that does not answer."""

    async def _get(self, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(60)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("value", [None, 0, "", [], {"a": [1, None, "é"]}, True, 1.5])
async def test_a_value_comes_back(cache: Cache, value: Any) -> None:
    await cache.set("key", value, 60)

    found = await cache.get("key")

    assert found == value
    assert type(found) is type(value)


async def test_what_is_not_there_is_a_miss(cache: Cache) -> None:
    assert await cache.get("key") is MISS
    await cache.set("key", None, 60)
    await cache.delete("key")
    assert await cache.get("key") is MISS


async def test_what_a_caller_changes_stays_its_own(cache: Cache) -> None:
    value = {"list": [1]}
    await cache.set("key", value, 60)
    value["list"].append(2)
    (await cache.get("key"))["list"].append(3)

    assert await cache.get("key") == {"list": [1]}


async def test_a_value_ends_with_its_time(cache: Cache) -> None:
    await cache.set("key", 1, 0.05)
    await asyncio.sleep(0.1)

    assert await cache.get("key") is MISS


async def test_the_oldest_makes_way(cache: Cache) -> None:
    for key in ("a", "b", "c", "a", "d"):
        await cache.set(key, key, 60)

    assert [await cache.get(key) for key in "abcd"] == ["a", MISS, "c", "d"]
    backend = cache._backend
    assert len(backend._cache) == len(backend._handlers) == 3


async def test_namespaces_share_a_store_and_nothing_else() -> None:
    store = Memory(10)
    one, two = Cache("one", store), Cache("two", store)
    await one.set("key", 1, 60)
    await two.set("key", 2, 60)

    await one.clear()

    assert [await one.get("key"), await two.get("key")] == [MISS, 2]


async def test_what_another_release_has_left_is_a_miss() -> None:
    store = Memory(10)
    await store.set("key", "no json", namespace="one")

    assert await Cache("one", store).get("key") is MISS


def test_a_namespace_is_needed() -> None:
    with pytest.raises(ValueError, match="without a namespace"):
        Cache.make("")


def test_a_redis_without_its_package_says_what_to_install() -> None:
    if find_spec("redis") is None:
        with pytest.raises(StorageError, match="pip install 'redis>=5,<9'"):
            Cache.make("test", "redis://127.0.0.1:1/0")
    else:
        assert Cache.make("test", "redis://127.0.0.1:1/0").namespace == "test"


# ---------------------------------------------------------------- fetching


async def test_many_who_ask_at_once_share_one_fetch(cache: Cache) -> None:
    fetch = Counter("value")
    asking = [asyncio.create_task(cache.get_or_fetch("key", fetch, 60)) for _ in range(20)]
    await asyncio.sleep(0)
    fetch.gate.set()

    assert await asyncio.gather(*asking) == ["value"] * 20
    assert await cache.get_or_fetch("key", fetch, 60) == "value"
    assert fetch.calls == 1


async def test_none_is_fetched_once(cache: Cache) -> None:
    fetch = Counter(None)
    fetch.gate.set()

    assert [await cache.get_or_fetch("key", fetch, 60) for _ in range(3)] == [None] * 3
    assert fetch.calls == 1


async def test_an_error_is_everybody_s_and_is_not_kept(cache: Cache) -> None:
    fetch = Counter(KeyError("gone"), "value")
    asking = [asyncio.create_task(cache.get_or_fetch("key", fetch, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    fetch.gate.set()

    errors = await asyncio.gather(*asking, return_exceptions=True)

    assert [type(error) for error in errors] == [KeyError] * 3
    assert await cache.get_or_fetch("key", fetch, 60) == "value"


async def test_a_fetch_outlives_who_began_it(cache: Cache) -> None:
    fetch = Counter("value")
    first = asyncio.create_task(cache.get_or_fetch("key", fetch, 60))
    second = asyncio.create_task(cache.get_or_fetch("key", fetch, 60))
    await fetch.begun.wait()

    first.cancel()
    fetch.gate.set()

    assert await second == "value"
    assert first.cancelled()
    assert fetch.calls == 1


async def test_what_is_forgotten_while_it_is_fetched_is_not_kept(cache: Cache) -> None:
    fetch = Counter("old", "new")
    asking = asyncio.create_task(cache.get_or_fetch("key", fetch, 60))
    await fetch.begun.wait()

    await cache.delete("key")
    fetch.gate.set()

    assert await asking == "old"
    assert await cache.get_or_fetch("key", fetch, 60) == "new"


@pytest.mark.parametrize("backend", [Broken, Slow])
async def test_a_cache_that_fails_is_a_miss(backend: type[Memory]) -> None:
    cache = Cache("test", backend(10, timeout=0.05))
    fetch = Counter("one", "two")
    fetch.gate.set()

    assert [await cache.get_or_fetch("key", fetch, 60) for _ in range(2)] == ["one", "two"]
    await cache.delete("key")
    await cache.clear()
