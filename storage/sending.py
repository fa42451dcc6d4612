"""The statements of what is about to be written to a CRM: records with their links there, and what was sent before."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import sources
from storage.database import Database
from storage.identifiers import first_id
from storage.matching import LISTED
from storage.outbound import Push
from storage.records import BY_TYPE
from storage.shapes import RecordType
from storage.upserts import ROWS, packed

LINKS = """
SELECT s.id, s.record_id, s.external_type, s.external_id, s.mapped, s.refs FROM source_record s
WHERE s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s AND s.record_id = ANY(%(records)s::uuid[])
AND s.deleted_at IS NULL ORDER BY s.record_id, s.observed_at, s.external_id
"""

TAKEN = """
SELECT s.external_id FROM source_record s WHERE s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
AND s.external_type = %(type)s AND s.external_id = ANY(%(ids)s::text[]) AND s.record_id < %(since)s::uuid
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

BEGUN = """
SELECT p.progress -> 'keys' AS keys, p.progress -> %(step)s::text AS step FROM push p
WHERE p.workspace_id = %(workspace)s AND p.integration_id = %(integration)s AND p.id <> %(push)s
AND p.kind = 'WARM_LEAD' AND p.status NOT IN ('COMMITTED', 'SKIPPED') AND NOT p.is_final
AND p.progress -> 'keys' ?| %(keys)s::text[] AND p.progress -> %(step)s::text ? 'tried_at' ORDER BY p.first_tried_at
"""

KEYED = f"""
SELECT asked.kind, s.external_id, s.record_id, s.mapped
FROM jsonb_to_recordset({ROWS}) AS asked(kind text, value text) CROSS JOIN LATERAL (
  SELECT m.source_id FROM match_key m WHERE m.workspace_id = %(workspace)s AND m.record_type = %(type)s
  AND m.kind = asked.kind AND m.value = asked.value LIMIT {LISTED}) m
JOIN source_record s ON s.id = m.source_id WHERE s.workspace_id = %(workspace)s AND s.integration_id = %(integration)s
AND s.external_type = %(external_type)s AND s.deleted_at IS NULL
"""

OWNERS = """
SELECT s.external_id, s.record_id FROM source_record s WHERE s.workspace_id = %(workspace)s
AND s.integration_id = %(integration)s AND s.external_type = %(type)s AND s.external_id = ANY(%(ids)s::text[])
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
    database: Database, session: AsyncSession, push: Push, type_: str, ids: Sequence[str], since: datetime
) -> set[str]:
    """Those of these records of a CRM that were something here before that time, or that another push has made. What has
    only come since may be what this push has made: a sync can bring it sooner than the CRM confirms it."""
    values = {"integration": push.integration_id, "type": type_, "ids": list(ids), "push": push.id}
    values["since"] = first_id(since)
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


async def find_begun(
    database: Database, session: AsyncSession, integration: UUID, push: UUID, step: str, keys: Sequence[str]
) -> list[dict[str, Any]]:
    """How far other pushes have come with a step that have begun it, and have not ended, about what has one of these keys:
    {keys, step}, the oldest first."""
    values = {"integration": integration, "push": push, "step": step, "keys": list(keys)}
    return await database.run(session, BEGUN, values) if keys else []


async def find_keyed(
    database: Database,
    session: AsyncSession,
    integration: UUID,
    type_: RecordType,
    external_type: str,
    keys: Sequence[tuple[str, str]],
) -> list[dict[str, Any]]:
    """Records of a CRM, as they were read last, that have one of these (kind, value), as sources are recognised:
    {kind, external_id, record_id, mapped}."""
    rows = packed({"kind": kind, "value": value} for kind, value in keys)
    values = {"integration": integration, "type": type_.value, "external_type": external_type, "rows": rows}
    return await database.run(session, KEYED, values) if keys else []


async def find_records(
    database: Database, session: AsyncSession, integration: UUID, type_: str, ids: Sequence[str]
) -> dict[str, UUID]:
    """The records that these of a CRM are here, by their ids there, as far as they are."""
    values = {"integration": integration, "type": type_, "ids": list(ids)}
    return {row["external_id"]: row["record_id"] for row in await database.run(session, OWNERS, values)}


async def find_sent(database: Database, session: AsyncSession, records: Collection[UUID]) -> list[dict[str, Any]]:
    """What open pushes have sent of these records, the last one last: {integration_id, record_id, kind, external_type,
    external_id, progress}."""
    return await database.run(session, SENT, {"records": list(records)})


def as_mapped(value: Any) -> Any:
    """A value of a row as a source's `mapped` has it, which is JSON."""
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value  # a moment is a date too
