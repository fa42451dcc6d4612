"""The statements of workspaces: the directory of all of them, and each one's own row."""

from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.shared import WorkspaceKey
from storage.tables import Workspace

FIND: Final = "SELECT workspace_id FROM workspace_key WHERE digest = %(digest)s OR workspace_id = %(id)s"

ALL: Final = "SELECT workspace_id FROM workspace_key ORDER BY workspace_id"

LOCK: Final = "SELECT * FROM workspace WHERE id = %(workspace)s FOR NO KEY UPDATE"

CHANGE: Final = """
UPDATE workspace SET name = coalesce(%(name)s, name), plan = coalesce(%(plan)s, plan)
WHERE id = %(workspace)s RETURNING *
"""


async def add(session: AsyncSession, workspace: Workspace, digest: bytes) -> None:
    """A new workspace; one of the same handle is an IntegrityError."""
    session.add(workspace)
    session.add(WorkspaceKey(workspace_id=workspace.id, digest=digest))
    await session.flush()


async def lock(database: Database, session: AsyncSession, workspace: UUID) -> Workspace:
    """The workspace; until the transaction ends nobody else counts its integrations, or changes its plan."""
    return Workspace(**(await database.run(session, LOCK, {"workspace": workspace}))[0])


async def change(
    database: Database, session: AsyncSession, workspace: UUID, *, name: str | None = None, plan: str | None = None
) -> Workspace:
    """Another name, another plan; what is None stays."""
    values = {"workspace": workspace, "name": name, "plan": plan}
    return Workspace(**(await database.run(session, CHANGE, values))[0])
