"""The statements of what people write here: values that stand beside what the sources say of a record."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import sources
from storage.database import Database
from storage.outbound import LocalValue
from storage.records import BY_TYPE
from storage.shapes import RecordType
from storage.upserts import ROWS, packed, recordset, stored

OF_RECORDS: Final = """
SELECT * FROM local_value l WHERE l.workspace_id = %(workspace)s AND l.record_id = ANY(%(ids)s::uuid[])
ORDER BY l.record_id, l.name
"""

VALUE = stored(LocalValue, "workspace_id", "value")
WRITE: Final = f"""
INSERT INTO local_value ({", ".join(VALUE)}, workspace_id, value)
SELECT {", ".join(VALUE)}, %(workspace)s::uuid, coalesce(value, 'null') FROM {recordset(LocalValue, (*VALUE, "value"))}
ON CONFLICT (record_id, name) DO UPDATE SET value = excluded.value, bases = excluded.bases, at = excluded.at,
member_id = excluded.member_id WHERE local_value.workspace_id = excluded.workspace_id
"""

SET_BASES: Final = f"""
UPDATE local_value l SET bases = l.bases || src.bases
FROM jsonb_to_recordset({ROWS}) AS src(record_id uuid, name text, bases jsonb)
WHERE l.record_id = src.record_id AND l.name = src.name AND l.workspace_id = %(workspace)s
"""

# While something of the record is on its way, what is to arrive there in the end is kept.
DROP: Final = f"""
DELETE FROM local_value l USING jsonb_to_recordset({ROWS}) AS src(record_id uuid, name text, is_lost boolean)
WHERE l.record_id = src.record_id AND l.name = src.name AND l.workspace_id = %(workspace)s
AND (src.is_lost OR NOT EXISTS (SELECT FROM push p WHERE p.record_id = l.record_id AND p.workspace_id = %(workspace)s
  AND p.status NOT IN ('COMMITTED', 'SKIPPED')))
RETURNING l.record_id, l.name
"""

TIMES: Final = """
SELECT s.id, s.mapped, s.refs, s.since, s.observed_at FROM source_record s
WHERE s.workspace_id = %(workspace)s AND s.id = ANY(%(ids)s::uuid[])
"""

POLICIES: Final = """
SELECT i.id, i.conflict_policy, i.display_name FROM integration i
WHERE i.workspace_id = %(workspace)s AND i.id = ANY(%(ids)s::uuid[])
"""

OWNERS: Final = """
SELECT u.integration_id, u.external_id FROM crm_user u WHERE u.workspace_id = %(workspace)s AND (
  lower(u.email) = %(email)s OR u.member_id = ANY(ARRAY(
    SELECT m.id FROM member m WHERE m.workspace_id = %(workspace)s AND m.email = %(email)s)))
ORDER BY u.integration_id, u.is_active, u.external_id
"""
"""The users with an address, or of the member with it; of an integration the last one counts."""

SET_COLUMNS: Final = f"""
UPDATE contact c SET warmness = CASE WHEN src.has_warmness THEN src.warmness ELSE c.warmness END,
kind = CASE WHEN src.has_kind THEN src.kind ELSE c.kind END, updated_at = now()
FROM jsonb_to_recordset({ROWS}) AS src(id uuid, kind text, has_kind boolean, warmness integer, has_warmness boolean)
WHERE c.id = src.id AND c.workspace_id = %(workspace)s
AND ((src.has_warmness AND c.warmness IS DISTINCT FROM src.warmness) OR (src.has_kind AND c.kind IS DISTINCT FROM src.kind))
"""

CONTACTS: Final = """
SELECT d.contact_id FROM deal_contact d WHERE d.workspace_id = %(workspace)s AND d.deal_id = %(record)s
UNION
SELECT a.contact_id FROM activity_contact a WHERE a.workspace_id = %(workspace)s AND a.activity_id = %(record)s
"""
"""Who takes part in a deal, or in an activity."""

FIND_CREATED: Final = """
SELECT record_id, digest FROM created_record WHERE workspace_id = %(workspace)s AND key = %(key)s
"""

NOTE_CREATED: Final = """
INSERT INTO created_record (record_id, workspace_id, record_type, key, digest, at)
VALUES (%(record)s, %(workspace)s, %(type)s, %(key)s, %(digest)s, now())
"""


async def find_values(
    database: Database, session: AsyncSession, records: Collection[UUID]
) -> dict[UUID, dict[str, LocalValue]]:
    """What was written of these records: record -> name -> value; those of which nothing was written are left out."""
    found: dict[UUID, dict[str, LocalValue]] = {}
    if records:
        for row in await database.run(session, OF_RECORDS, {"ids": list(records)}):
            found.setdefault(row["record_id"], {})[row["name"]] = LocalValue.model_construct(**row)
    return found


async def write_values(database: Database, session: AsyncSession, values: Collection[LocalValue]) -> None:
    """Writes these in the place of what there was."""
    if values:
        rows = packed(value.model_dump(exclude={"workspace_id"}) for value in values)
        await database.run(session, WRITE, {"rows": rows})


async def note_bases(database: Database, session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """What sources and we agree on by now: {record_id, name, bases: source id -> value}. Other sources' bases stay."""
    if rows:
        await database.run(session, SET_BASES, {"rows": packed(rows)})


async def drop_values(
    database: Database, session: AsyncSession, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[UUID, str]]:
    """Forgets values: {record_id, name, is_lost}. What is not lost, but said by every source, stays while a push of the
    record is open. Gives those that are forgotten, by record and name."""
    found = await database.run(session, DROP, {"rows": packed(rows)}) if rows else []
    return {(row["record_id"], row["name"]) for row in found}


async def find_times(
    database: Database, session: AsyncSession, ids: Collection[UUID]
) -> dict[UUID, tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, str], datetime]]:
    """Of these sources, as they are stored: what they say, what they point at, since when their values are so where that is
    known apart, and when they were first read."""
    rows = await database.run(session, TIMES, {"ids": list(ids)})
    return {row["id"]: (row["mapped"], row["refs"], row["since"], row["observed_at"]) for row in rows}


async def find_policies(
    database: Database, session: AsyncSession, ids: Collection[UUID]
) -> dict[UUID, tuple[str, str]]:
    """What these integrations do about conflicts, and what people call them."""
    rows = await database.run(session, POLICIES, {"ids": list(ids)})
    return {row["id"]: (row["conflict_policy"], row["display_name"]) for row in rows}


async def find_owners(database: Database, session: AsyncSession, email: str) -> dict[UUID, str]:
    """integration -> the external id of its user with an address, which is given in lower case."""
    rows = await database.run(session, OWNERS, {"email": email})
    return {row["integration_id"]: row["external_id"] for row in rows}


async def set_columns(database: Database, session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """Columns of contacts that no merge writes: {id, kind, has_kind, warmness, has_warmness}."""
    if rows:
        await database.run(session, SET_COLUMNS, {"rows": packed(rows)})


async def find_contacts(database: Database, session: AsyncSession, record: UUID) -> set[UUID]:
    """Who takes part in a deal or an activity."""
    return {row["contact_id"] for row in await database.run(session, CONTACTS, {"record": record})}


async def find_present(
    database: Database, session: AsyncSession, type_: RecordType, records: Collection[UUID]
) -> dict[UUID, dict[str, Any]]:
    """Records as they are, as rows that can be written again."""
    if not records:
        return {}
    found = await database.run(session, sources.by_ids(BY_TYPE[type_].__name__), {"ids": list(records)})
    return {
        row["id"]: {name: str(each) if isinstance(each, Decimal) else each for name, each in row.items()}
        for row in found
    }
