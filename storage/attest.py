"""The statements that hold what a CRM counts or shows apart from its lists against what is here."""

from collections.abc import Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.tables import SyncRun

# LIMIT keeps the inner queries as they are: one look into an index for each id, where a join would read all that is here.
ABSENT = """
SELECT asked.id FROM unnest(%(ids)s::text[]) AS asked(id)
LEFT JOIN LATERAL (
  SELECT true AS found FROM source_record s WHERE s.integration_id = %(integration)s AND s.external_type = %(type)s
  AND s.external_id = asked.id AND s.deleted_at IS NULL AND s.workspace_id = %(workspace)s LIMIT 1) here ON true
LEFT JOIN LATERAL (
  SELECT true AS found FROM sync_error e WHERE e.run_id = %(run)s AND e.external_type = %(type)s
  AND e.external_id = asked.id AND e.workspace_id = %(workspace)s LIMIT 1) told ON true
WHERE here.found IS NULL AND told.found IS NULL
"""
"""Which of these are not here and alive, and have not been told as failed either."""

HERE = """
SELECT s.external_type, count(*) AS here, count(*) FILTER (WHERE s.remote_created_at < %(settled)s) AS settled
FROM source_record s WHERE s.integration_id = %(integration)s AND s.external_type = ANY(%(types)s)
AND s.deleted_at IS NULL AND s.workspace_id = %(workspace)s AND NOT EXISTS (
  SELECT FROM staged_archive g WHERE g.run_id = %(run)s AND g.source_id = s.id AND g.workspace_id = %(workspace)s)
GROUP BY s.external_type
"""
"""Live sources by external type, without those that the run has proven to be gone."""

FAILED = """
SELECT e.external_type, count(DISTINCT e.external_id) AS failed FROM sync_error e
WHERE e.run_id = %(run)s AND e.external_id IS NOT NULL AND e.workspace_id = %(workspace)s AND NOT EXISTS (
  SELECT FROM source_record s WHERE s.integration_id = %(integration)s AND s.external_type = e.external_type
  AND s.external_id = e.external_id AND s.deleted_at IS NULL AND s.workspace_id = %(workspace)s)
GROUP BY e.external_type
"""
"""Records that the run has met and could not take over, and that are not here as they were."""


async def find_absent(database: Database, run: SyncRun, external_type: str, ids: Sequence[str]) -> set[str]:
    """Those of these ids of a CRM that are not here, and that the run has told no error of."""
    if not ids:
        return set()
    values = {"integration": run.integration_id, "run": run.id, "type": external_type, "ids": list(ids)}
    return {row["id"] for row in await database.fetch(run.workspace_id, ABSENT, values)}


async def tally(
    database: Database, session: AsyncSession, run: SyncRun, types: Sequence[str], settled: Any
) -> dict[str, dict[str, int]]:
    """external type -> {"here", "settled", "failed"}: live sources, those of them that were created in the CRM before that
    time, and records that failed."""
    values = {"integration": run.integration_id, "run": run.id, "types": list(types), "settled": settled}
    found = {name: {"here": 0, "settled": 0, "failed": 0} for name in types}
    for row in await database.run(session, HERE, values):
        found[row["external_type"]] |= {"here": row["here"], "settled": row["settled"]}
    for row in await database.run(session, FAILED, {"integration": run.integration_id, "run": run.id}):
        if row["external_type"] in found:
            found[row["external_type"]]["failed"] = row["failed"]
    return found
