"""The statements of conflicts: fields that have changed on both sides, where a person decides."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.integrations import STAYS
from storage.listing import Key, Listing, Values, Window
from storage.outbound import Conflict
from storage.shapes import ConflictResolution, ConflictStatus
from storage.upserts import ROWS, packed

BY_IDS: Final = f"""
SELECT * FROM conflict t WHERE t.workspace_id = %(workspace)s AND t.id = ANY(%(ids)s::uuid[]) AND {STAYS}
"""

# What is open already is asked again only where something of it has changed.
OPEN: Final = f"""
INSERT INTO conflict (id, workspace_id, integration_id, source_id, record_type, record_id, field, base, local, remote,
  status, detected_at)
SELECT id, %(workspace)s::uuid, integration_id, source_id, record_type, record_id, field, coalesce(base, 'null'),
  coalesce(local, 'null'), coalesce(remote, 'null'), 'OPEN', now()
FROM jsonb_to_recordset({ROWS}) AS src(id uuid, integration_id uuid, source_id uuid, record_type text, record_id uuid,
  field text, base jsonb, local jsonb, remote jsonb)
ON CONFLICT (source_id, field) WHERE status = 'OPEN' DO UPDATE SET base = excluded.base, local = excluded.local,
  remote = excluded.remote, record_id = excluded.record_id WHERE conflict.workspace_id = excluded.workspace_id
RETURNING id, integration_id, record_type, record_id, field, xmax = 0 AS is_new
"""

CLOSE: Final = f"""
UPDATE conflict c SET status = 'RESOLVED', resolved_at = now()
WHERE c.workspace_id = %(workspace)s AND c.record_id = ANY(%(records)s::uuid[]) AND c.status = 'OPEN' AND NOT EXISTS (
  SELECT FROM jsonb_to_recordset({ROWS}) AS src(source_id uuid, field text)
  WHERE src.source_id = c.source_id AND src.field = c.field)
"""
"""Nobody has to decide them any more."""

RESOLVE: Final = """
UPDATE conflict c SET status = 'RESOLVED', resolution = %(resolution)s, resolved_by = %(member)s::uuid, resolved_at = now()
WHERE c.workspace_id = %(workspace)s AND c.id = ANY(%(ids)s::uuid[]) AND c.status = 'OPEN'
"""


async def find(database: Database, session: AsyncSession, ids: Collection[UUID]) -> list[Conflict]:
    """Those of these that are there."""
    rows = await database.run(session, BY_IDS, {"ids": list(ids)})
    return [Conflict.model_construct(**row) for row in rows]


async def keep(
    database: Database, session: AsyncSession, records: Collection[UUID], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Of these records exactly these conflicts are open from now on: {id, integration_id, source_id, record_type, record_id,
    field, base, local, remote}. Gives {id, integration_id, record_type, record_id, field} of those that were not before."""
    await database.run(session, CLOSE, {"records": list(records), "rows": packed(rows)})
    found = await database.run(session, OPEN, {"rows": packed(rows)}) if rows else []
    return [row for row in found if row.pop("is_new")]


async def resolve(
    database: Database,
    session: AsyncSession,
    ids: Collection[UUID],
    resolution: ConflictResolution,
    member: UUID | None,
) -> None:
    """A person has decided."""
    values = {"ids": list(ids), "resolution": resolution.value, "member": member}
    await database.run(session, RESOLVE, values)


def list_conflicts(
    window: Window, *, integration_id: UUID | None, statuses: Sequence[ConflictStatus] | None
) -> Listing:
    """Conflicts, the newest first: all of the workspace, or those with an integration."""
    values, conditions = Values(), [STAYS]
    if integration_id is not None:
        conditions.append(f"t.integration_id = {values.bind(integration_id)}")
    if statuses is not None:
        conditions.append(f"t.status = ANY({values.bind([status.value for status in statuses])}::text[])")
    about = (integration_id, statuses and sorted(status.value for status in statuses))
    return Listing(Conflict, KEYS, window, values, conditions=conditions, about=about, sparse=len(conditions) > 1)


def list_record_conflicts(window: Window) -> Listing:
    """The conflicts of each of several records, the newest first."""
    return Listing(Conflict, KEYS, window, Values(), conditions=[STAYS], parent="t.record_id = k.id")


KEYS: Final = (
    Key(name="detected_at", type=datetime, sql="{t}.detected_at", descending=True),
    Key(name="id", type=UUID, sql="{t}.id", descending=True),
)
