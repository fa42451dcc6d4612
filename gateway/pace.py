"""Refusals. They cost work too: whoever is refused again and again waits for the next one, and nobody else does."""

import asyncio
import time
from typing import Final

REFUSALS: Final = 200
"""In a second, for each caller."""

AT_ONCE: Final = 200
"""Before anybody waits."""

LONGEST: Final = 10.0
"""Seconds that a request waits for its turn."""

KEPT: Final = 10_000
"""Callers that are remembered."""


class Overdue(Exception):  # noqa: N818 # named by remedy, as resolvers.errors
    """So many of the caller's requests wait that this one has been dropped: a sentence that says so."""


class Pace:
    """Gives each caller its turns: at once, until too much of what it asked for had to be refused."""

    def __init__(self, per_second: float = REFUSALS, at_once: float = AT_ONCE, longest: float = LONGEST) -> None:
        self._step, self._grace, self._longest = 1 / per_second, at_once / per_second, longest
        self._settled: dict[str, float] = {}
        """Caller -> when all of its refusals will be made up for, a step each."""

    def count(self, name: str, times: int = 1) -> None:
        """That caller was refused; `times` is how many others cost as much as this one did."""
        now = time.monotonic()
        if len(self._settled) >= KEPT:
            self._settled = {each: until for each, until in self._settled.items() if until > now}
        self._settled[name] = max(self._settled.get(name, now), now) + times * self._step

    async def wait(self, name: str) -> None:
        """Until it is that caller's turn. Raises Overdue."""
        delay = self._settled.get(name, 0.0) - self._grace - time.monotonic()
        if delay > self._longest:
            await asyncio.sleep(self._longest)
            message = "Too many requests of this caller were refused: put right what their errors name."
            raise Overdue(message)
        if delay > 0:
            self._settled[name] += self._step  # whoever comes now stands behind
            await asyncio.sleep(delay)
