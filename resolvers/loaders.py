"""Many single questions asked at the same time become one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

TURNS = 3
"""Of the event loop: the fields of a list of several are reached a turn or two later than those of a list of one."""


class Loader(Generic[K, V]):
    """Collects the keys of a few turns of the event loop, fetches them together, and remembers what it found."""

    def __init__(self, fetch: Callable[[list[K]], Awaitable[Sequence[V]]]) -> None:
        self._fetch = fetch
        self._found: dict[K, asyncio.Future[V]] = {}
        self._waiting: list[K] = []
        self._running: set[asyncio.Task[None]] = set()

    async def load(self, key: K) -> V:
        """What there is for the key. Raises what the fetch of its batch raised."""
        if key not in self._found:
            if not self._waiting:
                self._wait(TURNS)
            self._waiting.append(key)
            self._found[key] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._found[key])  # others may wait for it too

    def _wait(self, turns: int) -> None:
        then = (self._wait, turns - 1) if turns > 1 else (self._start,)
        asyncio.get_running_loop().call_soon(*then)

    def stop(self) -> None:
        """Ends what is under way, with its statements."""
        self._waiting.clear()
        for task in self._running:
            task.cancel()

    def _start(self) -> None:
        keys, self._waiting = self._waiting, []
        if not keys:  # stopped meanwhile
            return
        task = asyncio.create_task(self._run(keys))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, keys: list[K]) -> None:
        try:
            found = await self._fetch(keys)
            for key, value in zip(keys, found, strict=True):
                self._found[key].set_result(value)
        except Exception as error:  # noqa: BLE001 # told to all who wait
            for key in keys:
                self._fail(self._found[key], error)
        except asyncio.CancelledError:
            for key in keys:
                self._found[key].cancel()
            raise

    @staticmethod
    def _fail(future: asyncio.Future[V], error: Exception) -> None:
        if not future.done():
            future.set_exception(error)
            future.exception()  # heard, even where nobody waits any more


class Carrier(Protocol):
    """What the loaders of one operation live in."""

    loaders: dict[Hashable, Loader[Any, Any]]


async def load(context: Carrier, name: Hashable, fetch: Callable[[list[K]], Awaitable[Sequence[V]]], key: K) -> V:
    """What `fetch` gives for a key: it gets all that are asked for under one name at a time, and answers in their order."""
    loader = context.loaders.get(name)
    if loader is None:
        loader = context.loaders[name] = Loader(fetch)
    value: V = await loader.load(key)
    return value
