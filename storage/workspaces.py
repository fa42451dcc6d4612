"""The statements of workspaces: the directory of all of them, and each one's own row."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.shared import WorkspaceKey
from storage.tables import Workspace

FIND: Final = "SELECT workspace_id FROM workspace_key WHERE digest = %(digest)s OR workspace_id = %(id)s"

ALL: Final = "SELECT workspace_id FROM workspace_key ORDER BY workspace_id"

READ: Final = "SELECT * FROM workspace WHERE id = %(workspace)s"

LOCK: Final = "SELECT * FROM workspace WHERE id = %(workspace)s FOR NO KEY UPDATE"

CHANGE: Final = """
UPDATE workspace SET name = coalesce(%(name)s, name), plan = coalesce(%(plan)s, plan),
  warm_lead_threshold = coalesce(%(threshold)s, warm_lead_threshold),
  pushes_per_minute = coalesce(%(pace)s, pushes_per_minute)
WHERE id = %(workspace)s RETURNING *
"""

RULES: Final = """
SELECT w.source_priority, EXISTS (SELECT FROM local_value l WHERE l.workspace_id = %(workspace)s) AS has_local
FROM workspace w WHERE w.id = %(workspace)s
"""

SET_PRIORITY: Final = "UPDATE workspace SET source_priority = %(ids)s::uuid[] WHERE id = %(workspace)s RETURNING *"

SEVERAL: Final = """
SELECT s.record_id, s.record_type FROM source_record s WHERE s.workspace_id = %(workspace)s AND s.record_id > %(after)s
GROUP BY s.record_id, s.record_type HAVING count(DISTINCT s.integration_id) > 1 ORDER BY s.record_id LIMIT %(most)s
"""
"""Records that several integrations have something to say of, in the order of their ids."""


async def add(session: AsyncSession, workspace: Workspace, digest: bytes) -> None:
    """A new workspace; one of the same handle is an IntegrityError."""
    session.add(workspace)
    session.add(WorkspaceKey(workspace_id=workspace.id, digest=digest))
    await session.flush()


async def read(database: Database, session: AsyncSession) -> Workspace:
    """The session's own."""
    return Workspace(**(await database.run(session, READ, {}))[0])


async def lock(database: Database, session: AsyncSession, workspace: UUID) -> Workspace:
    """The workspace; until the transaction ends nobody else counts its integrations, or changes its plan."""
    return Workspace(**(await database.run(session, LOCK, {"workspace": workspace}))[0])


async def change(
    database: Database,
    session: AsyncSession,
    workspace: UUID,
    *,
    name: str | None = None,
    plan: str | None = None,
    threshold: int | None = None,
    pace: int | None = None,
) -> Workspace:
    """Another name, another plan, another warmness of warm leads, other pushes in a minute; what is None stays."""
    values = {"workspace": workspace, "name": name, "plan": plan, "threshold": threshold, "pace": pace}
    return Workspace(**(await database.run(session, CHANGE, values))[0])


async def find_rules(database: Database, session: AsyncSession) -> tuple[list[UUID], bool]:
    """The integrations whose values come first, the best one first; and whether anything was written here."""
    found = await database.run(session, RULES, {})
    return (list(found[0]["source_priority"]), found[0]["has_local"]) if found else ([], False)


async def set_priority(database: Database, session: AsyncSession, integrations: Sequence[UUID]) -> Workspace:
    """Another priority; the records that are here are not settled by it yet."""
    return Workspace(**(await database.run(session, SET_PRIORITY, {"ids": list(integrations)}))[0])
