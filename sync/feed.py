"""Prepares the batches of a run ahead of their turn, so that the CRM answers while the ones before are written."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

from sync.steps import Cursor, Step


class Part(Protocol):
    """Some of what a step brings."""

    @property
    def next(self) -> Cursor | None:
        """Where the step goes on; None where this was the last of it."""


P = TypeVar("P", bound=Part)
Fetch = Callable[[Step, Cursor | None], Coroutine[Any, Any, P]]


class Feed(Generic[P]):
    """The batches of all steps in their order: of each step one ahead, and the first ones of the next few steps."""

    def __init__(self, fetch: Fetch[P], steps: Sequence[Step], width: int) -> None:
        self.steps = steps
        self._fetch = fetch
        self._width = width
        """So many steps at a time have a fetch under way; with 0 nothing is fetched ahead."""
        self._ahead: dict[int, asyncio.Task[P]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, fetch: Fetch[P], steps: Sequence[Step], width: int) -> AsyncGenerator["Feed[P]"]:
        """For as long as the block lasts; then what is still under way is stopped."""
        feed = cls(fetch, steps, width)
        try:
            yield feed
        finally:
            for task in feed._ahead.values():
                task.cancel()
            await asyncio.gather(*feed._ahead.values(), return_exceptions=True)

    async def batches(self, number: int, cursor: Cursor | None) -> AsyncGenerator[P]:
        """Those of one step from the cursor on."""
        self._start(number, cursor)
        for other in range(number + 1, min(number + self._width, len(self.steps))):
            if self.steps[other].ahead:
                self._start(other, None)
        while True:
            batch = await self._ahead[number]
            del self._ahead[number]
            if batch.next is not None and self._width:
                self._start(number, batch.next)
            yield batch
            if batch.next is None:
                return
            self._start(number, batch.next)

    def _start(self, number: int, cursor: Cursor | None) -> None:
        if number not in self._ahead:
            task = asyncio.create_task(self._fetch(self.steps[number], cursor))
            task.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # heard, even if it is not waited for
            self._ahead[number] = task
