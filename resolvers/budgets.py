"""What may be asked for: at once, by one operation, and over time, by one caller."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

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
        return int(self._read(name) // 1)

    def take(self, name: str, cost: int) -> int:
        """Takes it and gives 0; or, where less is left, takes nothing and gives the seconds until there is enough."""
        missing = cost - self._read(name)
        if missing > 0:
            return ceil(missing / self.per_second)
        self.spend(name, cost)
        return 0

    def spend(self, name: str, cost: int) -> None:
        """Takes it, whether it is there or not; below 0, gives it back."""
        left = min(self._read(name) - cost, self.limit)
        self._left.pop(name, None)  # so that the last to ask is the last in line
        self._left[name] = left, self._clock()
        if len(self._left) > KEPT:
            del self._left[next(iter(self._left))]

    def _read(self, name: str) -> float:
        left, moment = self._left.get(name, (self.limit, 0.0))
        return min(left + (self._clock() - moment) * self.per_second, self.limit)
