"""What may be asked for: at once, by one operation, and over time, by one caller."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor

KEPT = 10_000
"""Callers that are remembered. Who has not asked for the longest is forgotten, and has a full budget again by then."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one operation."""

    depth: int = 15
    """Levels of fields within fields."""
    cost: int = 10_000
    seconds: float = 30
    introspection: bool = True
    """Whether clients may ask for the schema."""


class Budgets:
    """What each caller has left in this process: so much at most, refilled all the time."""

    def __init__(
        self, limit: int = 50_000, per_second: int = 1_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit = limit
        self.per_second = per_second
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}
        """Caller -> what was left, and when; who is not in it has all."""

    def left(self, name: str) -> int:
        """Below 0 after more was spent than there was."""
        return floor(self._read(name, self._clock()))

    def take(self, name: str, cost: int) -> int:
        """Takes it and gives 0; or, where less is left, takes nothing and gives the seconds until there is enough."""
        now = self._clock()
        left = self._read(name, now) - cost
        if left < 0:
            return ceil(-left / self.per_second)
        self._write(name, left, now)
        return 0

    def spend(self, name: str, cost: int) -> None:
        """Takes it, whether it is there or not; below 0, gives it back."""
        now = self._clock()
        self._write(name, min(self._read(name, now) - cost, self.limit), now)

    def _read(self, name: str, now: float) -> float:
        left, moment = self._left.get(name, (self.limit, now))
        return min(left + (now - moment) * self.per_second, self.limit)

    def _write(self, name: str, left: float, now: float) -> None:
        self._left.pop(name, None)  # so that the last to ask is the last in line
        self._left[name] = left, now
        if len(self._left) > KEPT:
            del self._left[next(iter(self._left))]
