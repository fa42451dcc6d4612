"""The statements of archives that wait for their run's end: what it has proven to be gone, though nobody has named it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.tables import SyncRun

STAGE = """
INSERT INTO staged_archive (run_id, source_id, workspace_id)
SELECT %(run)s::uuid, s.id, %(workspace)s::uuid FROM source_record s
WHERE s.integration_id = %(integration)s AND s.external_type = %(type)s AND s.external_id = ANY(%(ids)s)
AND s.deleted_at IS NULL AND s.workspace_id = %(workspace)s ON CONFLICT DO NOTHING
"""

# A dry run leaves no mark at what it has been shown: it begins with all that is here, and crosses out.
STAGE_ALL = """
INSERT INTO staged_archive (run_id, source_id, workspace_id)
SELECT %(run)s::uuid, s.id, %(workspace)s::uuid FROM source_record s
WHERE s.integration_id = %(integration)s AND s.external_type = ANY(%(types)s)
AND s.deleted_at IS NULL AND s.workspace_id = %(workspace)s ON CONFLICT DO NOTHING
"""

CROSS_OUT = """
DELETE FROM staged_archive g USING source_record s
WHERE g.run_id = %(run)s AND g.workspace_id = %(workspace)s AND s.id = g.source_id AND s.workspace_id = %(workspace)s
AND s.integration_id = %(integration)s AND s.external_type = %(type)s AND s.external_id = ANY(%(ids)s)
"""

LEFT = """
SELECT s.external_id FROM staged_archive g JOIN source_record s ON s.id = g.source_id
WHERE g.run_id = %(run)s AND g.workspace_id = %(workspace)s AND s.workspace_id = %(workspace)s
AND s.external_type = %(type)s AND s.external_id > %(after)s ORDER BY s.external_id LIMIT %(most)s
"""
"""What a dry run has not crossed out."""

STAGED = """
SELECT s.external_type, s.external_id, s.record_type, s.record_id,
  s.synced_at < %(before)s AS unseen, NOT EXISTS (
    SELECT FROM source_record o WHERE o.record_id = s.record_id AND o.deleted_at IS NULL
    AND o.workspace_id = %(workspace)s AND NOT EXISTS (
      SELECT FROM staged_archive h WHERE h.run_id = %(run)s AND h.source_id = o.id AND h.workspace_id = %(workspace)s)
  ) AS alone
FROM staged_archive g JOIN source_record s ON s.id = g.source_id
WHERE g.run_id = %(run)s AND g.workspace_id = %(workspace)s AND s.workspace_id = %(workspace)s
AND s.deleted_at IS NULL ORDER BY s.external_type, s.external_id
"""
"""What waits: whether nothing has shown it since the run began, and whether its record has no other source that is alive."""

DROP = "DELETE FROM staged_archive WHERE run_id = ANY(%(runs)s::uuid[]) AND workspace_id = %(workspace)s"


async def stage(
    database: Database, session: AsyncSession, run: SyncRun, external_type: str, ids: Sequence[str]
) -> None:
    """These sources are to be archived at the run's end."""
    values = {"run": run.id, "integration": run.integration_id, "type": external_type, "ids": list(ids)}
    await database.run(session, STAGE, values)


async def stage_all(database: Database, session: AsyncSession, run: SyncRun, types: Sequence[str]) -> None:
    """All live sources of these external types."""
    values = {"run": run.id, "integration": run.integration_id, "types": list(types)}
    await database.run(session, STAGE_ALL, values)


async def cross_out(
    database: Database, session: AsyncSession, run: SyncRun, external_type: str, ids: Sequence[str]
) -> None:
    """These sources are not to be archived."""
    values = {"run": run.id, "integration": run.integration_id, "type": external_type, "ids": list(ids)}
    await database.run(session, CROSS_OUT, values)


async def list_staged(database: Database, session: AsyncSession, run: SyncRun) -> list[dict[str, Any]]:
    """{external_type, external_id, record_type, record_id, unseen, alone} of what waits, in the order of types and ids."""
    return await database.run(session, STAGED, {"run": run.id, "before": run.started_at})


async def drop(database: Database, session: AsyncSession, runs: Sequence[UUID]) -> None:
    """Nothing of these runs waits any more."""
    await database.run(session, DROP, {"runs": list(runs)})
