"""Rate limits of one account: rolling windows of calls and a daily budget."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class Window:
    """At most so many calls in any `seconds`; a refused call does not count."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    served: deque[float] = field(default_factory=deque)

    def used(self) -> int:
        edge = self.clock() - self.seconds
        while self.served and self.served[0] <= edge:
            self.served.popleft()
        return len(self.served)

    def take(self) -> None:
        self.served.append(self.clock())

    def resets(self) -> float:
        """Seconds until the oldest counted call leaves the window."""
        return max(0.0, self.served[0] + self.seconds - self.clock()) if self.served else 0.0


@dataclass
class Budget:
    """What was spent since midnight of whatever zone `today` tells; the limit is given by whoever asks."""

    today: Callable[[], datetime] = lambda: datetime.now(UTC)
    spent: int = 0
    day: str = ""

    def used(self) -> int:
        day = self.today().date().isoformat()
        if day != self.day:
            self.day, self.spent = day, 0
        return self.spent

    def take(self, cost: int) -> None:
        self.spent = self.used() + cost

    def resets(self) -> float:
        now = self.today()
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.timestamp() - now.timestamp()


def whole_seconds(seconds: float) -> int:
    """Rounded up, never under one: a client that waits so long finds the window open."""
    return max(1, math.ceil(seconds))
