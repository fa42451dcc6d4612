"""The cache seam: in memory with a bound, or a shared Redis. What it loses is fetched again; it never fails a caller."""

# mypy: disable-error-code="import-untyped,import-not-found,misc"
# aiocache has no types, and redis is an extra

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Self

import orjson
from aiocache.backends.memory import SimpleMemoryCache
from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer, StringSerializer

from storage.errors import StorageError

try:
    from aiocache.backends.redis import RedisCache
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
except ImportError:  # it is installed where it is used
    RedisCache = Redis = None
    RedisError = OSError

MISS: Final = object()
"""Not in the cache, as opposed to a None that is."""

LOST = (RedisError, OSError, TimeoutError)
"""A cache that does not answer is a miss."""

ANSWER = 0.5
"""Seconds until it counts as one that does not."""


class Memory(SimpleMemoryCache):
    """aiocache's own has no bound; here the keys that were written longest ago go first."""

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**options)
        self._size = size

    async def _set(self, key: str, value: object, ttl: float | None = None, **options: Any) -> Any:
        await self._delete(key)  # behind the others again
        while len(self._cache) >= self._size:
            await self._delete(next(iter(self._cache)))
        return await super()._set(key, value, ttl=ttl, **options)


class Cache:
    """Values that JSON can say, by key, in one namespace; None is a value like others."""

    def __init__(self, namespace: str, backend: BaseCache) -> None:
        self.namespace = namespace
        self._backend = backend
        self._fetching: dict[str, asyncio.Task[Any]] = {}

    @classmethod
    def make(cls, namespace: str, redis_url: str | None = None, *, size: int = 10_000) -> Self:
        """With an address a Redis that all processes share, else this process's memory for so many keys."""
        if not namespace:
            raise ValueError("a cache without a namespace would clear everything that is in the Redis")
        if redis_url is None:
            return cls(namespace, Memory(size, serializer=NullSerializer(), timeout=ANSWER))
        if RedisCache is None:
            raise StorageError("REDIS_URL is set and the redis package is not installed: pip install 'redis>=5,<9'")
        backend = RedisCache(serializer=StringSerializer(), timeout=ANSWER)
        backend.client = Redis.from_url(
            redis_url
        )  # aiocache's own reading of an address knows no rediss:// and no user
        return cls(namespace, backend)

    async def get(self, key: str) -> Any:
        """The value, or MISS."""
        try:
            found = await self._backend.get(key, namespace=self.namespace)
            return MISS if found is None else orjson.loads(found)[0]
        except (*LOST, orjson.JSONDecodeError):
            return MISS

    async def set(self, key: str, value: Any, ttl: float) -> None:
        """Keep a value for `ttl` seconds."""
        with suppress(*LOST):
            await self._backend.set(key, orjson.dumps([value]).decode(), ttl=ttl, namespace=self.namespace)

    async def delete(self, key: str) -> None:
        """Forget a value; one that is being fetched now goes to those who wait for it and is not kept."""
        self._fetching.pop(key, None)
        with suppress(*LOST):
            await self._backend.delete(key, namespace=self.namespace)

    async def clear(self) -> None:
        """Forget everything in this namespace."""
        self._fetching.clear()
        with suppress(*LOST):
            await self._backend.clear(namespace=self.namespace)

    async def get_or_fetch(self, key: str, fetch: Callable[[], Awaitable[Any]], ttl: float) -> Any:
        """The value, fetched if need be: once in this process, however many ask at the same time.

        Who asks meanwhile waits for the same fetch and gets its error too; an error is not kept. The fetch goes on when
        the one who began it is cancelled, for the others.
        """
        if (value := await self.get(key)) is not MISS:
            return value
        task = self._fetching.get(key)
        if task is None:
            task = self._fetching[key] = asyncio.ensure_future(self._fetch(key, fetch, ttl))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard, even if nobody waits
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Stop what is being fetched and let the Redis go."""
        for task in self._fetching.values():
            task.cancel()
        with suppress(*LOST):
            await self._backend.close()

    async def _fetch(self, key: str, fetch: Callable[[], Awaitable[Any]], ttl: float) -> Any:
        this = asyncio.current_task()
        try:
            value = await fetch()
            if self._fetching.get(key) is this:
                await self.set(key, value, ttl)
            return value
        finally:
            if self._fetching.get(key) is this:
                del self._fetching[key]
