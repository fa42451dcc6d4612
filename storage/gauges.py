"""How the work stands, of all workspaces together: what is left of CRMs' limits, what waits, what fails. No ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from storage import schedule
from storage.database import Database
from storage.ledger import Limited

# As `PostgresLedger.read` reckons for one account: a limit of the lowest plan that an account has evidently passed is not
# its own. What nobody has touched for a day is whole again, whatever its window.
LEAST = """
WITH asked AS (
  SELECT * FROM jsonb_to_recordset(%(asked)s::text::jsonb) AS asked(
    crm text, "window" text, seconds float8, rolling boolean, declared bigint, firm boolean)
), spent AS (
  SELECT crm, "window", firm, declared, "limit" AS own, coalesce(blocked_until > now(), false) AS blocked,
    CASE WHEN rolling THEN (SELECT count(*) FROM unnest(calls) AS call WHERE call > now() - seconds * interval '1 second')
      WHEN resets_at > now() THEN used ELSE 0 END AS used
  FROM rate_window JOIN asked USING (crm, "window")
  WHERE updated_at > now() - interval '1 day' OR blocked_until > now()
), known AS (
  SELECT *, coalesce(own, CASE WHEN firm OR used <= declared THEN declared END) AS allowed FROM spent
)
SELECT crm, "window", min(CASE WHEN blocked THEN 0 ELSE greatest(0, 1 - used::float8 / allowed) END) AS least
FROM known WHERE allowed > 0 OR blocked GROUP BY crm, "window"
"""

# A job does not say when it was made; its first event does.
WAITING = """
SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(coalesce(scheduled_at, made.at)))::float8, 0) AS oldest
FROM procrastinate_jobs AS job
LEFT JOIN LATERAL (SELECT min(at) AS at FROM procrastinate_events WHERE job_id = job.id) AS made ON true
WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
"""

FAILING = "SELECT count(*) AS failing FROM schedule WHERE name = %(retry)s"
"""Of outboxes: the pushes themselves are read by one workspace at a time."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The jobs that a worker could take now."""

    jobs: int
    oldest: float
    """Seconds that the first of them has waited."""


async def find_least(database: Database, limits: Mapping[str, Sequence[Limited]]) -> dict[tuple[str, str], float]:
    """(CRM, window) -> the share, 0 to 1, that is left to the account that has least; only where one was called today."""
    asked = [
        {
            "crm": crm,
            "window": limit.window.value,
            "seconds": limit.seconds,
            "rolling": limit.rolling,
            "declared": limit.limit,
            "firm": limit.firm,
        }
        for crm, declared in limits.items()
        for limit in declared
    ]
    rows = await database.lookup(LEAST, {"asked": orjson.dumps(asked).decode()})
    return {(row["crm"], row["window"]): row["least"] for row in rows}


async def count_waiting(database: Database) -> Waiting:
    """How many there are."""
    (row,) = await database.lookup(WAITING, {})
    return Waiting(jobs=row["waiting"], oldest=row["oldest"])


async def count_failing(database: Database) -> int:
    """Integrations of which something has failed, or may have arrived, and is taken up every hour."""
    (row,) = await database.lookup(FAILING, {"retry": schedule.RETRY})
    return int(row["failing"])
