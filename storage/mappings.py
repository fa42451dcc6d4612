"""The statements of field mappings: those of somebody's own, which stand in the place of the connector's."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import integrations, upserts
from storage.database import Database

OF_INTEGRATIONS = """
SELECT * FROM field_mapping WHERE workspace_id = %(workspace)s AND integration_id = ANY(%(integrations)s)
ORDER BY integration_id, external_type, local_field, direction
"""

BY_IDS = """
SELECT * FROM field_mapping WHERE workspace_id = %(workspace)s AND id = ANY(%(ids)s)
"""

OVERRIDES = """
SELECT i.mappings_version, i.excluded_fields, coalesce((
    SELECT jsonb_agg(jsonb_build_array(m.external_type, m.local_field, m.crm_field, m.transform)
      ORDER BY m.external_type, m.local_field)
    FROM field_mapping m
    WHERE m.workspace_id = i.workspace_id AND m.integration_id = i.id AND m.direction <> 'OUTBOUND'), '[]') AS rules,
  coalesce((
    SELECT jsonb_agg(jsonb_build_array(m.external_type, m.local_field, m.crm_field,
        CASE m.direction WHEN 'OUTBOUND' THEN m.transform END)
      ORDER BY m.external_type, m.local_field)
    FROM field_mapping m
    WHERE m.workspace_id = i.workspace_id AND m.integration_id = i.id AND m.direction <> 'INBOUND'), '[]') AS outward
FROM integration i WHERE i.workspace_id = %(workspace)s AND i.id = %(integration)s
"""
"""What a mapping of the CRM's records has to know, in one look."""

VERSION = """
SELECT mappings_version FROM integration WHERE workspace_id = %(workspace)s AND id = %(integration)s
"""

UPSERT = f"""
INSERT INTO field_mapping (id, workspace_id, integration_id, external_type, local_field, crm_field, direction, transform,
  created_at, updated_at)
SELECT r.id, %(workspace)s, %(integration)s, r.external_type, r.local_field, r.crm_field, r.direction, r.transform,
  now(), now()
FROM jsonb_to_recordset({upserts.ROWS}) AS r (id uuid, external_type text, local_field text, crm_field text,
  direction text, transform text)
ON CONFLICT (integration_id, external_type, local_field, direction) DO UPDATE SET
  crm_field = excluded.crm_field, transform = excluded.transform, updated_at = now()
WHERE field_mapping.workspace_id = excluded.workspace_id
"""

REMOVE = """
DELETE FROM field_mapping
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND id = ANY(%(ids)s)
"""

RAISE = """
UPDATE integration SET mappings_version = mappings_version + 1, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND leaving_at IS NULL RETURNING mappings_version
"""

SAMPLES = """
SELECT external_type, payload FROM source_record
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND external_type = %(type)s AND deleted_at IS NULL
ORDER BY id DESC LIMIT %(most)s
"""
"""A few records as the CRM has them, the newest here first."""


async def save(
    database: Database,
    session: AsyncSession,
    integration: UUID,
    rows: Sequence[dict[str, Any]],
    removed: Sequence[UUID] = (),
) -> int | None:
    """Writes mappings and takes others away; the version that the integration's mappings then have, None where it is gone.

    `rows`: id, external_type, local_field, crm_field, direction, transform of each.
    """
    raised = await database.run(session, RAISE, {"integration": integration})
    if not raised:
        return None
    if removed:
        await database.run(session, REMOVE, {"integration": integration, "ids": list(removed)})
    if rows:
        await database.run(session, UPSERT, {"integration": integration, "rows": upserts.packed(rows)})
    await integrations.announce(session, integration)
    session.expire_all()
    version: int = raised[0]["mappings_version"]
    return version
