"""The statements that write a page of records: each takes all its rows as one JSON parameter (20,000 rows a second).

Whose they are no row says: they are written into the workspace of the session.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import tables
from storage.database import Database
from storage.declare import Relation, columns, declared
from storage.records import BY_TYPE, Record
from storage.shapes import RecordType

Rows = Sequence[Mapping[str, Any]]
DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
ROWS = "convert_from(%(rows)b, 'UTF8')::jsonb"
"""What `packed` gives, in a statement."""


def packed(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as the JSON that `jsonb_to_recordset` reads: as bytes, since one emoji makes a text of it four times as large."""
    return orjson.dumps(list(rows), option=orjson.OPT_UTC_Z)


@cache
def recordset(table: type[SQLModel], names: tuple[str, ...]) -> str:
    """`jsonb_to_recordset(…) AS src(id uuid, …)`, with the types of the table's columns."""
    model: Table = table.__table__  # type: ignore[attr-defined]
    types = [f"{name} {model.c[name].type.compile(dialect=DIALECT)}" for name in names]
    return f"jsonb_to_recordset({ROWS}) AS src({', '.join(types)})"


def stored(table: type[SQLModel], *omitted: str) -> tuple[str, ...]:
    """The columns that a row brings."""
    model: Table = table.__table__  # type: ignore[attr-defined]
    return tuple(column.name for column in model.c if column.server_default is None and column.name not in omitted)


# ---------------------------------------------------------------- sources

SOURCE = stored(tables.SourceRecord, "synced_at", "observed_at", "since", "workspace_id")
DIFFERS = """
SELECT coalesce(jsonb_object_agg(v.name, coalesce(excluded.remote_updated_at, now())), '{}') FROM (
  SELECT e.key AS name FROM jsonb_each(excluded.mapped) e
  WHERE e.key <> 'custom_fields' AND source_record.mapped -> e.key IS DISTINCT FROM e.value
  UNION ALL SELECT 'custom_fields.' || e.key FROM jsonb_each(excluded.mapped -> 'custom_fields') e
  WHERE source_record.mapped -> 'custom_fields' -> e.key IS DISTINCT FROM e.value
  UNION ALL SELECT 'refs.' || e.key FROM jsonb_each(excluded.refs) e
  WHERE source_record.refs -> e.key IS DISTINCT FROM e.value
) v
"""
"""Since when the values are as they are that a source has just changed, by the CRM's time."""

UPSERT_SOURCES = f"""
INSERT INTO source_record ({", ".join(SOURCE)}, workspace_id, synced_at, observed_at, since)
SELECT {", ".join(SOURCE)}, %(workspace)s::uuid, now(), coalesce(remote_updated_at, remote_created_at, now()), '{{}}'
FROM {recordset(tables.SourceRecord, SOURCE)} ORDER BY external_id
ON CONFLICT (integration_id, external_type, external_id) DO UPDATE SET
{", ".join(f"{name} = excluded.{name}" for name in SOURCE if name not in ("id", "record_id"))}, synced_at = now(),
since = source_record.since || ({DIFFERS})
WHERE source_record.workspace_id = excluded.workspace_id
"""

KNOWN_SOURCES = """
SELECT id, external_id, record_id, content_hash, remote_updated_at, deleted_at FROM source_record
WHERE integration_id = %(integration)s AND external_type = %(type)s AND external_id = ANY(%(ids)s)
AND workspace_id = %(workspace)s
"""

TOUCH_SOURCES = """
UPDATE source_record SET synced_at = now() WHERE id = ANY(%(ids)s) AND workspace_id = %(workspace)s
"""

# The CRM has deleted them: what they said last stays.
ARCHIVE_SOURCES = """
UPDATE source_record SET deleted_at = now(), synced_at = now() WHERE integration_id = %(integration)s
AND external_type = %(type)s AND external_id = ANY(%(ids)s) AND deleted_at IS NULL AND workspace_id = %(workspace)s
RETURNING id, record_id
"""

UNSEEN = """
SELECT external_id FROM source_record WHERE integration_id = %(integration)s AND external_type = %(type)s
AND deleted_at IS NULL AND synced_at < %(before)s AND external_id > %(after)s AND workspace_id = %(workspace)s
ORDER BY external_id LIMIT %(most)s
"""
"""Sources that nothing has read from the CRM since."""

UNCHANGED = f"""
SELECT s.external_id AS id FROM jsonb_to_recordset({ROWS}) AS src(id text, at timestamptz, deleted boolean)
JOIN source_record s ON s.integration_id = %(integration)s AND s.external_type = %(type)s AND s.external_id = src.id
WHERE s.remote_updated_at = src.at AND s.synced_at > src.at + %(settled)s * interval '1 second'
AND (s.deleted_at IS NOT NULL) = src.deleted AND s.workspace_id = %(workspace)s
"""
"""Records whose last change is here."""

ALIVE = """
SELECT external_id FROM source_record WHERE integration_id = %(integration)s AND external_type = %(type)s
AND external_id = ANY(%(ids)s) AND deleted_at IS NULL AND workspace_id = %(workspace)s
"""
"""Which of these are here and not deleted."""

REFERRING = """
SELECT external_id, refs FROM source_record WHERE integration_id = %(integration)s AND external_type = %(type)s
AND deleted_at IS NULL AND external_id > %(after)s AND workspace_id = %(workspace)s ORDER BY external_id LIMIT %(most)s
"""
"""What the sources of a type point at, in the order of their ids."""

SOURCES_OF_RECORDS = """
SELECT id, integration_id, crm, external_type, external_id, record_id, mapped, refs, remote_updated_at, deleted_at
FROM source_record WHERE workspace_id = %(workspace)s AND record_id = ANY(%(records)s)
"""

TARGETS = f"""
SELECT s.integration_id, s.external_type, s.external_id, s.record_id
FROM jsonb_to_recordset({ROWS}) AS src(integration_id uuid, external_type text, external_id text)
JOIN source_record s USING (integration_id, external_type, external_id) WHERE s.workspace_id = %(workspace)s
"""

# The names are taken apart before they are looked up: under row-level security no index serves a comparison with a
# function that might leak what it sees, and `split_part` is not known to be safe. Each name is one look into an index:
# most are of records that never come, and a join would read all that is here.
ARRIVED = """
WITH missed AS MATERIALIZED (
  SELECT s.record_id, s.record_type, split_part(m.name, ':', 1) AS type, substr(m.name, strpos(m.name, ':') + 1) AS id
  FROM source_record s, unnest(s.missing) AS m(name)
  WHERE s.integration_id = %(integration)s AND cardinality(s.missing) > 0 AND s.record_id > %(after)s
  AND s.workspace_id = %(workspace)s
), names AS MATERIALIZED (
  SELECT DISTINCT type, id FROM missed
), here AS MATERIALIZED (
  SELECT names.* FROM names CROSS JOIN LATERAL (
    SELECT FROM source_record t WHERE t.integration_id = %(integration)s AND t.external_type = names.type
    AND t.external_id = names.id AND t.workspace_id = %(workspace)s LIMIT 1) t
)
SELECT DISTINCT record_id, record_type FROM missed JOIN here USING (type, id) ORDER BY record_id LIMIT 500
"""

SET_MISSING = f"""
UPDATE source_record s SET missing = src.missing
FROM jsonb_to_recordset({ROWS}) AS src(id uuid, missing text[])
WHERE s.id = src.id AND s.workspace_id = %(workspace)s AND s.missing IS DISTINCT FROM src.missing
"""


async def find_known(
    database: Database, session: AsyncSession, integration: UUID, external_type: str, ids: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The sources that are here already, by external id."""
    values = {"integration": integration, "type": external_type, "ids": list(ids)}
    return {row["external_id"]: row for row in await database.run(session, KNOWN_SOURCES, values)}


async def find_targets(
    database: Database, session: AsyncSession, wanted: Iterable[tuple[UUID, str, str]]
) -> dict[tuple[UUID, str, str], UUID]:
    """(integration, external type, external id) -> the unified record, for those that are here."""
    rows = [{"integration_id": i, "external_type": t, "external_id": e} for i, t, e in wanted]
    if not rows:
        return {}
    found = await database.run(session, TARGETS, {"rows": packed(rows)})
    return {(row["integration_id"], row["external_type"], row["external_id"]): row["record_id"] for row in found}


async def find_sources(
    database: Database, session: AsyncSession, workspace: UUID, records: Sequence[UUID]
) -> list[dict[str, Any]]:
    """Every source of these records."""
    if not records:
        return []
    return await database.run(session, SOURCES_OF_RECORDS, {"workspace": workspace, "records": list(records)})


# ---------------------------------------------------------------- the lock

# Held to the end of the transaction: two pages of one workspace never create the same person twice, and never wait for
# each other in a circle. It is taken first.
LOCK_MATCHING = "SELECT pg_advisory_xact_lock(hashtextextended(%(workspace)s::text, 1))"

# ---------------------------------------------------------------- unified records


@cache
def upsert_records(record: type[Record]) -> str:
    """Writes rows that differ from what is stored, and gives their ids; others it leaves alone, `updated_at` too."""
    table = record.__name__
    names = stored(getattr(tables, table), "workspace_id", "created_at", "updated_at")
    apart = {name for name, column in columns(record).items() if column.merge in ("derived", "local")} - {"archived_at"}
    own = [name for name in names if name != "id" and name not in apart]
    old, new = (", ".join(f"{prefix}.{name}" for name in own) for prefix in (f'"{table.lower()}"', "excluded"))
    return f"""
INSERT INTO {table.lower()} ({", ".join(names)}, workspace_id, created_at, updated_at)
SELECT {", ".join(names)}, %(workspace)s::uuid, now(), now() FROM {recordset(getattr(tables, table), names)} ORDER BY id
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in own)}, updated_at = now()
WHERE "{table.lower()}".workspace_id = excluded.workspace_id AND ({old}) IS DISTINCT FROM ({new})
RETURNING id
"""


@cache
def replace_links(record: type[Record], relation: str) -> str:
    """Makes the rows of a table between exactly the given ones, and gives the far ends that changed."""
    through = declared(record, Relation)[relation].through
    near, far = f"{record.__name__.lower()}_id", f"{declared(record, Relation)[relation].target.lower()}_id"
    return f"""
WITH src AS (SELECT DISTINCT * FROM jsonb_to_recordset({ROWS}) AS src({near} uuid, {far} uuid)),
gone AS (DELETE FROM {through} t WHERE t.{near} = ANY(%(records)s) AND t.workspace_id = %(workspace)s AND NOT EXISTS (
  SELECT FROM src WHERE src.{near} = t.{near} AND src.{far} = t.{far}) RETURNING t.{far}),
added AS (INSERT INTO {through} ({near}, {far}, workspace_id) SELECT {near}, {far}, %(workspace)s::uuid FROM src
  ORDER BY {near}, {far} ON CONFLICT DO NOTHING RETURNING {far})
SELECT {far} AS id FROM gone UNION SELECT {far} FROM added
"""


# A person is a LEAD until a deal of a promoting type is there, or one that was made here: the sources say what they know,
# the deals decide. Who has no source stays what they are until there is a deal.
SETTLED_KINDS = """(
  SELECT asked.id, told.kind FROM unnest(%(contacts)s::uuid[]) AS asked(id) CROSS JOIN LATERAL (
    SELECT CASE
      WHEN bool_or(s.mapped ->> 'kind' = 'CONTACT') THEN 'CONTACT'
      WHEN EXISTS (
        SELECT FROM deal_contact d CROSS JOIN LATERAL (
          SELECT FROM deal o WHERE o.id = d.deal_id AND o.archived_at IS NULL AND o.workspace_id = %(workspace)s
          AND NOT EXISTS (SELECT FROM source_record x WHERE x.record_id = o.id AND x.workspace_id = %(workspace)s)
          OFFSET 0) o
        WHERE d.contact_id = asked.id AND d.workspace_id = %(workspace)s
      ) THEN 'CONTACT'
      WHEN bool_or(s.mapped ->> 'kind' = 'LEAD') THEN CASE WHEN EXISTS (
        SELECT FROM deal_contact d CROSS JOIN LATERAL (
          SELECT FROM source_record o WHERE o.record_id = d.deal_id AND o.deleted_at IS NULL
          AND o.crm || ':' || o.external_type = ANY(%(promoting)s) AND o.workspace_id = %(workspace)s OFFSET 0) o
        WHERE d.contact_id = asked.id AND d.workspace_id = %(workspace)s
      ) THEN 'CONTACT' ELSE 'LEAD' END
    END AS kind, count(*) > 0 AS is_told
    FROM source_record s WHERE s.record_id = asked.id AND s.workspace_id = %(workspace)s OFFSET 0) told
  WHERE told.is_told OR told.kind IS NOT NULL) settled"""
"""{id, kind} of contacts."""

MISPLACED = f"""
SELECT settled.id FROM {SETTLED_KINDS} CROSS JOIN LATERAL (
  SELECT c.kind FROM contact c WHERE c.id = settled.id AND c.workspace_id = %(workspace)s OFFSET 0) c
WHERE c.kind IS DISTINCT FROM settled.kind
"""
"""Those of these contacts that are of another kind by now."""

SETTLE_KINDS = f"""
UPDATE contact c SET kind = settled.kind, updated_at = now() FROM {SETTLED_KINDS}
WHERE c.id = settled.id AND c.workspace_id = %(workspace)s AND c.kind IS DISTINCT FROM settled.kind
"""


async def write_records(database: Database, session: AsyncSession, type_: RecordType, rows: Rows) -> list[UUID]:
    """The ids of those that were created or changed."""
    if not rows:
        return []
    written = await database.run(session, upsert_records(BY_TYPE[type_]), {"rows": packed(rows)})
    return [row["id"] for row in written]


async def write_links(
    database: Database,
    session: AsyncSession,
    workspace: UUID,
    type_: RecordType,
    relation: str,
    links: Mapping[UUID, Iterable[UUID]],
) -> list[UUID]:
    """The far ends that got or lost a link. `links` has every record whose links are to be replaced."""
    record = BY_TYPE[type_]
    near, far = f"{record.__name__.lower()}_id", f"{declared(record, Relation)[relation].target.lower()}_id"
    rows = [{near: one, far: other} for one, others in links.items() for other in others]
    values = {"rows": packed(rows), "records": list(links), "workspace": workspace}
    return [row["id"] for row in await database.run(session, replace_links(record, relation), values)]


async def find_misplaced(
    database: Database, session: AsyncSession, contacts: Sequence[UUID], promoting: Sequence[str]
) -> list[UUID]:
    """Those of these contacts that are not yet of the kind that they are of by now."""
    if not contacts:
        return []
    values = {"contacts": list(contacts), "promoting": list(promoting)}
    return [row["id"] for row in await database.run(session, MISPLACED, values)]


async def settle_kinds(
    database: Database, session: AsyncSession, contacts: Sequence[UUID], promoting: Sequence[str]
) -> None:
    """LEAD or CONTACT, anew, for these contacts. `promoting`: `CRM:external type` of deals that make a CONTACT."""
    if contacts:
        await database.run(session, SETTLE_KINDS, {"contacts": list(contacts), "promoting": list(promoting)})


# ---------------------------------------------------------------- users

UNKNOWN_USERS = """
SELECT asked.id FROM unnest(%(ids)s::text[]) AS asked(id) WHERE NOT EXISTS (
  SELECT FROM crm_user u WHERE u.workspace_id = %(workspace)s AND u.integration_id = %(integration)s
  AND u.external_id = asked.id)
"""
"""Which of these are nobody that is known here."""

USER = stored(tables.CrmUser, "workspace_id")
UPSERT_USERS = f"""
INSERT INTO crm_user ({", ".join(USER)}, workspace_id) SELECT {", ".join(USER)}, %(workspace)s::uuid
FROM {recordset(tables.CrmUser, USER)} ORDER BY external_id ON CONFLICT (integration_id, external_id) DO UPDATE SET
name = excluded.name, email = excluded.email, is_active = excluded.is_active
WHERE crm_user.workspace_id = excluded.workspace_id
"""


async def write_users(database: Database, session: AsyncSession, rows: Rows) -> None:
    """The users of a CRM, as they are now."""
    if rows:
        await database.run(session, UPSERT_USERS, {"rows": packed(rows)})
