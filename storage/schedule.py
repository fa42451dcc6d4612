"""The statements of what is due when: the ticker's table, read across workspaces."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database

PUSH: Final = "push"
"""Something in an integration's outbox is due then."""
RETRY: Final = "retry"
"""What has failed there is taken up anew."""

MOST = 500
"""Rows of one tick; the rest is due at the next one."""

TAKE = """
WITH due AS (
  SELECT name, about FROM schedule WHERE next_due_at <= %(now)s ORDER BY next_due_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
), moved AS (
  UPDATE schedule s SET next_due_at = %(now)s + s.seconds * interval '1 second' FROM due
  WHERE s.name = due.name AND s.about = due.about AND s.seconds > 0 RETURNING s.name, s.about, s.workspace_id
), done AS (
  DELETE FROM schedule s USING due
  WHERE s.name = due.name AND s.about = due.about AND s.seconds = 0 RETURNING s.name, s.about, s.workspace_id
)
SELECT * FROM moved UNION ALL SELECT * FROM done
"""

SET_ALARM = """
INSERT INTO schedule (name, about, workspace_id, seconds, next_due_at)
VALUES (%(name)s, %(about)s, %(workspace)s, 0, %(at)s)
ON CONFLICT (name, about) DO UPDATE SET next_due_at = least(schedule.next_due_at, excluded.next_due_at)
"""

REPEAT = """
INSERT INTO schedule (name, about, workspace_id, seconds, next_due_at)
VALUES (%(name)s, %(about)s, %(workspace)s, %(seconds)s, %(now)s + %(seconds)s * interval '1 second')
ON CONFLICT (name, about) DO UPDATE SET seconds = excluded.seconds,
  next_due_at = schedule.next_due_at + (excluded.seconds - schedule.seconds) * interval '1 second'
RETURNING next_due_at
"""

DROP = "DELETE FROM schedule WHERE name = ANY(%(names)s) AND about = %(about)s"


async def take_due(database: Database, session: AsyncSession, now: datetime) -> list[dict[str, Any]]:
    """{name, about, workspace_id} of what is due, moved to the next time; nobody else takes it in the meantime."""
    return await database.run(session, TAKE, {"now": now, "most": MOST})


async def set_alarm(database: Database, session: AsyncSession, name: str, about: UUID, at: datetime) -> None:
    """Once, at that time; an earlier one stays."""
    await database.run(session, SET_ALARM, {"name": name, "about": about, "at": at})


async def repeat(
    database: Database, session: AsyncSession, name: str, about: UUID, seconds: int, now: datetime
) -> datetime:
    """Every so many seconds from now on, and when next; one that goes on already only takes the new interval."""
    values = {"name": name, "about": about, "seconds": seconds, "now": now}
    found: datetime = (await database.run(session, REPEAT, values))[0]["next_due_at"]
    return found


async def drop(database: Database, session: AsyncSession, about: UUID, *names: str) -> None:
    """No more of these."""
    await database.run(session, DROP, {"about": about, "names": list(names)})
