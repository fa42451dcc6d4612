"""The ticker: every two seconds it hands over what is due to the workers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from storage import schedule
from storage.database import Database
from storage.records import now
from sync.jobs import Jobs


@dataclass(frozen=True)
class Ticker:
    """Reads the schedule of all workspaces. However many processes tick, each row is taken by one."""

    database: Database
    jobs: Jobs
    clock: Callable[[], datetime] = now

    async def tick(self) -> None:
        """Moves what is due to its next time and defers its jobs, in one transaction."""
        async with self.database.system() as session:
            for row in await schedule.take_due(self.database, session, self.clock()):
                await self.jobs.defer_due(session, row["name"], row["workspace_id"], row["about"])
