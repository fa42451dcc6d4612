"""The statements of what is about to be written to a CRM: records with their links there, and what was sent before."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import sources
from storage.database import Database
from storage.records import BY_TYPE
from storage.shapes import RecordType

LINKS = """
SELECT s.id, s.record_id, s.external_type, s.external_id, s.mapped, s.refs FROM source_record s
WHERE s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s AND s.record_id = ANY(%(records)s::uuid[])
AND s.deleted_at IS NULL ORDER BY s.record_id, s.observed_at, s.external_id
"""

TAKEN = """
SELECT s.external_id FROM source_record s WHERE s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
AND s.external_type = %(type)s AND s.external_id = ANY(%(ids)s::text[])
UNION
SELECT p.external_id FROM push p WHERE p.workspace_id = %(workspace)s AND p.integration_id = %(integration)s
AND p.external_type = %(type)s AND p.external_id = ANY(%(ids)s::text[]) AND p.id <> %(push)s
"""

OPEN_CONFLICTS = """
SELECT c.source_id, c.field FROM conflict c
WHERE c.workspace_id = %(workspace)s AND c.record_id = ANY(%(records)s::uuid[]) AND c.status = 'OPEN'
"""

CONTACTS_OF_ACTIVITY = """
SELECT a.contact_id FROM activity_contact a
WHERE a.workspace_id = %(workspace)s AND a.activity_id = %(activity)s ORDER BY a.contact_id
"""

WANTED_OWNER = """
SELECT l.value FROM local_value l
WHERE l.workspace_id = %(workspace)s AND l.record_id = %(record)s AND l.name = 'owner'
"""

EMPLOYING = """
SELECT p.progress -> 'organization' AS step FROM push p
WHERE p.workspace_id = %(workspace)s AND p.integration_id = %(integration)s AND p.id <> %(push)s
AND p.kind = 'WARM_LEAD' AND p.status NOT IN ('COMMITTED', 'SKIPPED') AND p.progress ->> 'employer' = %(organization)s
AND p.progress -> 'organization' ? 'tried_at' ORDER BY p.first_tried_at LIMIT 1
"""

SENT = """
SELECT p.integration_id, p.record_id, p.kind, p.external_type, p.external_id, p.progress FROM push p
WHERE p.workspace_id = %(workspace)s AND p.record_id = ANY(%(records)s::uuid[]) AND p.claim > 0
AND p.status NOT IN ('COMMITTED', 'SKIPPED') ORDER BY p.last_attempt_at
"""


async def find_record(
    database: Database, session: AsyncSession, type_: RecordType, record: UUID
) -> dict[str, Any] | None:
    """A record as a row, its values as a source's `mapped` has them; None where it is not there."""
    found = await database.run(session, sources.by_ids(BY_TYPE[type_].__name__), {"ids": [record]})
    return {name: as_mapped(value) for name, value in found[0].items()} if found else None


async def find_links(
    database: Database, session: AsyncSession, integration: UUID, records: Collection[UUID]
) -> dict[UUID, list[Mapping[str, Any]]]:
    """Of these records what they are in an integration's CRM, as far as it is not deleted there: {id, record_id,
    external_type, external_id, mapped, refs}, the oldest link first."""
    values = {"integration": integration, "records": list(records)}
    found: dict[UUID, list[Mapping[str, Any]]] = {}
    for row in await database.run(session, LINKS, values) if records else ():
        found.setdefault(row["record_id"], []).append(row)
    return found


async def find_taken(
    database: Database, session: AsyncSession, integration: UUID, type_: str, ids: Sequence[str], push: UUID
) -> set[str]:
    """Those of these records of a CRM that are here already, or that another push has made."""
    values = {"integration": integration, "type": type_, "ids": list(ids), "push": push}
    return {row["external_id"] for row in await database.run(session, TAKEN, values)}


async def find_contested(database: Database, session: AsyncSession, records: Collection[UUID]) -> dict[UUID, set[str]]:
    """source -> the fields of which a person has to say what counts."""
    found: dict[UUID, set[str]] = {}
    for row in await database.run(session, OPEN_CONFLICTS, {"records": list(records)}):
        found.setdefault(row["source_id"], set()).add(row["field"])
    return found


async def find_contacts(database: Database, session: AsyncSession, activity: UUID) -> list[UUID]:
    """Who takes part in an activity."""
    rows = await database.run(session, CONTACTS_OF_ACTIVITY, {"activity": activity})
    return [row["contact_id"] for row in rows]


async def find_wanted_owner(database: Database, session: AsyncSession, record: UUID) -> dict[str, Any] | None:
    """Who is to own a record, as somebody has written here: {"email", "users": {integration: external id}}."""
    found = await database.run(session, WANTED_OWNER, {"record": record})
    return found[0]["value"] if found else None


async def find_employing(
    database: Database, session: AsyncSession, integration: UUID, organization: UUID, push: UUID
) -> dict[str, Any] | None:
    """How far another push has come that has begun to make this organization, and has not ended."""
    values = {"integration": integration, "organization": str(organization), "push": push}
    found = await database.run(session, EMPLOYING, values)
    return found[0]["step"] if found else None


async def find_sent(database: Database, session: AsyncSession, records: Collection[UUID]) -> list[dict[str, Any]]:
    """What open pushes have sent of these records, the last one last: {integration_id, record_id, kind, external_type,
    external_id, progress}."""
    return await database.run(session, SENT, {"records": list(records)})


def as_mapped(value: Any) -> Any:
    """A value of a row as a source's `mapped` has it, which is JSON."""
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value  # a moment is a date too
