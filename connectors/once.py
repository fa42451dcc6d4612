"""Work that is done once, however many wait for it."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Once:
    """Tasks by name: the first who asks starts one, the others wait for it and get the same, errors too."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    def start(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """The task of that name; with this work, if there is none yet."""
        if key not in self._tasks:
            self._tasks[key] = task = asyncio.create_task(work())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard, even if nobody waits
        return self._tasks[key]

    async def of(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What the work gives."""
        return await asyncio.shield(self.start(key, work))

    async def close(self) -> None:
        """Stops what is still under way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
