"""The statements by which an integration leaves: at once for everybody to see, and then its rows, batch by batch."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events, integrations
from storage.database import Database
from storage.matching import FORGET_KEYS, FORGET_PAIRS
from storage.records import BY_TYPE
from storage.shapes import RecordType

# Without its account, which can be connected anew at once. It waits for a page under way, and is the first statement of its
# transaction that changes anything: that page waits for none of the others.
MARK = """
UPDATE integration SET leaving_at = now(), status = 'DISCONNECTED', credentials = NULL, account_id = NULL,
  last_error = NULL, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(integration)s
"""

DROP_ALIASES = "DELETE FROM integration WHERE workspace_id = %(workspace)s AND same_as = %(integration)s"

DROP_RUNS = "DELETE FROM sync_run WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s"

DROP = """
DELETE FROM integration
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND leaving_at IS NOT NULL
"""

HAS_LEFT = """
SELECT NOT EXISTS (SELECT FROM integration WHERE workspace_id = %(workspace)s AND id = %(integration)s) AS found
"""

NEXT = """
SELECT id, record_type, record_id FROM source_record
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
ORDER BY external_type, external_id LIMIT %(most)s
"""

HELD = """
SELECT DISTINCT record_id AS id FROM source_record
WHERE workspace_id = %(workspace)s AND record_id = ANY(%(records)s) AND integration_id <> %(integration)s
"""

ARCHIVE = """
UPDATE {table} SET archived_at = now(), updated_at = now()
WHERE workspace_id = %(workspace)s AND id = ANY(%(records)s) AND archived_at IS NULL
"""

KEEP_KEYS = """
INSERT INTO match_key (source_id, kind, value, workspace_id, record_type, record_id)
SELECT DISTINCT record_id, kind, value, workspace_id, record_type, record_id FROM match_key
WHERE workspace_id = %(workspace)s AND source_id = ANY(%(sources)s) AND record_id = ANY(%(records)s)
ON CONFLICT DO NOTHING
"""

DROP_SOURCES = "DELETE FROM source_record WHERE workspace_id = %(workspace)s AND id = ANY(%(sources)s)"

CUSTOMERS = """
SELECT DISTINCT contact_id AS id FROM deal_contact WHERE workspace_id = %(workspace)s AND deal_id = ANY(%(deals)s)
"""


async def mark(database: Database, session: AsyncSession, workspace: UUID, integration: UUID) -> None:
    """From the commit on nobody sees the integration, or an id that leads to it; its credentials are gone with it."""
    values = {"integration": integration}
    await database.run(session, MARK, values)
    await database.run(session, DROP_ALIASES, values)
    await integrations.announce(session, integration)
    await events.notify(session, f"runs:{workspace}", str(integration))


async def drop_runs(database: Database, session: AsyncSession, integration: UUID) -> None:
    """What it has ever done. A worker that still carries one out finds it gone at its next page."""
    await database.run(session, DROP_RUNS, {"integration": integration})


async def find_next(database: Database, session: AsyncSession, integration: UUID, most: int) -> list[dict[str, Any]]:
    """{id, record_type, record_id} of sources that it still has."""
    return await database.run(session, NEXT, {"integration": integration, "most": most})


async def find_held(
    database: Database, session: AsyncSession, integration: UUID, records: Collection[UUID]
) -> set[UUID]:
    """Those of these records that other integrations have sources of."""
    values = {"integration": integration, "records": list(records)}
    return {row["id"] for row in await database.run(session, HELD, values)}


async def drop_sources(
    database: Database, session: AsyncSession, type_: RecordType, sources: Sequence[UUID], orphans: Collection[UUID]
) -> None:
    """Deletes these sources of records of one type, and archives the orphans, which have no others.

    Those stay as they are, and are recognised by what their sources were: whoever brings them again finds them.
    """
    values = {"sources": list(sources), "records": list(orphans)}
    await database.run(session, ARCHIVE.format(table=BY_TYPE[type_].__name__.lower()), values)
    await database.run(session, KEEP_KEYS, values)
    await database.run(session, FORGET_KEYS, values)
    await database.run(session, FORGET_PAIRS, values)
    await database.run(session, DROP_SOURCES, values)


async def find_customers(database: Database, session: AsyncSession, deals: Collection[UUID]) -> set[UUID]:
    """The contacts that take part in these deals."""
    return {row["id"] for row in await database.run(session, CUSTOMERS, {"deals": list(deals)})}


async def drop(database: Database, session: AsyncSession, integration: UUID) -> None:
    """The end of it."""
    await database.run(session, DROP, {"integration": integration})
    await integrations.announce(session, integration)


async def has_left(database: Database, workspace: UUID, integration: UUID) -> bool:
    """Whether nothing of it is there any more."""
    return bool((await database.fetch(workspace, HAS_LEFT, {"integration": integration}))[0]["found"])
