"""The statements by which an integration forgets which records are whose: sources go, records stay as they are."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import integrations
from storage.database import Database

# Whoever brings a person again finds the record by what it was known by: the keys are the record's own from now on.
KEEP_KEYS = """
INSERT INTO match_key (source_id, kind, value, workspace_id, record_type, record_id)
SELECT DISTINCT k.record_id, k.kind, k.value, k.workspace_id, k.record_type, k.record_id
FROM source_record s JOIN match_key k ON k.source_id = s.id AND k.workspace_id = %(workspace)s
WHERE s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
ON CONFLICT DO NOTHING
"""

FORGET_KEYS = """
DELETE FROM match_key k USING source_record s WHERE k.workspace_id = %(workspace)s AND k.source_id = s.id
AND s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
"""

FORGET_PAIRINGS = """
DELETE FROM pairing p USING source_record s WHERE p.workspace_id = %(workspace)s AND s.id IN (p.source_id, p.other_id)
AND s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
"""

FORGET_STAGED = """
DELETE FROM staged_archive a USING source_record s WHERE a.workspace_id = %(workspace)s AND a.source_id = s.id
AND s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
"""

FORGET_CONFLICTS = """
DELETE FROM conflict WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
"""

FORGET_SOURCES = """
DELETE FROM source_record WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
"""

BEGIN_ANEW = """
UPDATE integration SET watermarks = '{}', rounds = '{}', to_remap = NULL, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(integration)s
"""
"""The next run is a FULL."""


STATEMENTS = (
    KEEP_KEYS,
    FORGET_KEYS,
    FORGET_PAIRINGS,
    FORGET_STAGED,
    FORGET_CONFLICTS,
    FORGET_SOURCES,
    BEGIN_ANEW,
)


async def forget_links(database: Database, session: AsyncSession, integration: UUID) -> None:
    """All of them, in the transaction of the caller, who holds the workspace's lock."""
    for statement in STATEMENTS:
        await database.run(session, statement, {"integration": integration})
    await integrations.announce(session, integration)
    session.expire_all()
