"""The statements of catalogs: what mappings have looked up beside the records, kept for when no CRM is asked."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database

KEEP = """
INSERT INTO crm_catalog (integration_id, external_type, workspace_id, catalog, read_at)
SELECT i.id, %(type)s, i.workspace_id, %(catalog)s::text::jsonb, now() FROM integration i
WHERE i.workspace_id = %(workspace)s AND i.id = %(integration)s AND i.leaving_at IS NULL
ON CONFLICT (integration_id, external_type) DO UPDATE SET catalog = excluded.catalog, read_at = now()
WHERE crm_catalog.workspace_id = excluded.workspace_id
"""
"""Of one that is being deleted nothing is kept any more."""

KEPT = """
SELECT external_type, catalog FROM crm_catalog WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
"""


async def keep(
    database: Database, session: AsyncSession, integration: UUID, external_type: str, catalog: Mapping[str, Any]
) -> None:
    """The catalog of a type as it was read just now, in the place of an older one."""
    values = {"integration": integration, "type": external_type, "catalog": orjson.dumps(catalog).decode()}
    await database.run(session, KEEP, values)


async def find_kept(database: Database, workspace: UUID, integration: UUID) -> dict[str, dict[str, Any]]:
    """external type -> its catalog as it was last read."""
    rows = await database.fetch(workspace, KEPT, {"integration": integration})
    return {row["external_type"]: row["catalog"] for row in rows}
