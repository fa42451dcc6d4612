"""A time that passes only when somebody waits."""

import asyncio
from dataclasses import dataclass, field


@dataclass
class Time:
    """Noon of a day in November; `waited` are the pauses that were asked for."""

    now: float = 1_795_262_400.0
    waited: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)
