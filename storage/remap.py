"""The statements of remaps: stored payloads read in order, what was mapped anew written back."""

from collections.abc import Mapping, Sequence
from functools import cache
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events, tables
from storage.database import Database
from storage.records import BY_TYPE
from storage.shapes import ChangeCause, ChangeKind, RecordType
from storage.upserts import ROWS, recordset

EXPECTED = """
SELECT external_type, count(*) AS n FROM source_record
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s GROUP BY external_type
"""
"""How many sources of each type there are, deleted ones too."""

CHANGED = (
    f"jsonb_to_recordset({ROWS}) AS src(id uuid, mapped jsonb, hash bytea, fields text[], payload jsonb, refs jsonb)"
)

WRITE = f"""
UPDATE source_record s SET mapped = s.mapped || src.mapped, content_hash = src.hash,
payload = coalesce(src.payload, s.payload), refs = coalesce(src.refs, s.refs),
since = s.since || (SELECT coalesce(jsonb_object_agg(name, coalesce(s.remote_updated_at, now())), '{{}}')
  FROM unnest(src.fields) AS name)
FROM {CHANGED} WHERE s.id = src.id AND s.workspace_id = %(workspace)s
"""
"""No column of a time at which the CRM was asked: it was not."""

TO_REMAP = """
UPDATE integration SET to_remap = %(fields)s::text::jsonb
WHERE workspace_id = %(workspace)s AND id = %(integration)s
"""

STATE = """
SELECT crm, mappings_version, record_types, CASE WHEN jsonb_typeof(to_remap) = 'object' THEN to_remap END AS to_remap
FROM integration WHERE workspace_id = %(workspace)s AND id = %(integration)s AND leaving_at IS NULL
"""

EXCLUDE = """
UPDATE integration SET mappings_version = mappings_version + 1, excluded_fields = %(excluded)s, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND leaving_at IS NULL
"""

DROP_ERRORS = "DELETE FROM sync_error WHERE workspace_id = %(workspace)s AND run_id = %(run)s"


SHARED = """(EXISTS (
  SELECT FROM source_record o
  WHERE o.record_id = s.record_id AND o.id <> s.id AND o.workspace_id = %(workspace)s)
OR (EXISTS (SELECT FROM local_value l WHERE l.workspace_id = %(workspace)s) AND EXISTS (
  SELECT FROM local_value l WHERE l.record_id = s.record_id AND l.workspace_id = %(workspace)s)))"""
"""A source's record has another one too, or somebody has written of it here."""


@cache
def read_sources(parts: int | None, columns: int) -> str:
    """The next sources of a type: whole payloads, or so many parts of them (`%(path0)s` …) as an array; of what was mapped
    all, or so many columns (`%(column0)s` …) and nothing beside."""
    held = ", ".join(f"payload #> %(path{number})s::text[]" for number in range(parts or 0))
    payload = "payload" if parts is None else f"jsonb_build_array({held}) AS payload"
    said = ", ".join(f"%(column{number})s::text, mapped -> %(column{number})s::text" for number in range(columns))
    mapped = f"jsonb_build_object({said}) AS mapped" if columns else "mapped"
    more = "" if columns else f", refs, content_hash, {SHARED} AS is_shared"
    return f"""
SELECT id, external_id, record_id, {payload}, {mapped}{more} FROM source_record s
WHERE s.workspace_id = %(workspace)s AND integration_id = %(integration)s AND external_type = %(type)s
AND external_id > %(after)s ORDER BY external_id LIMIT %(most)s
"""


@cache
def write_columns(type_: RecordType, columns: tuple[str, ...]) -> str:
    """Writes these columns of records, and an event for each that differs. Only for those that have one source: it alone
    says what they are."""
    table = BY_TYPE[type_].__name__
    named = recordset(getattr(tables, table), ("id", *columns))
    rows = f"{named.removesuffix(')')}, changes jsonb)"
    old, new = (", ".join(f"{prefix}.{name}" for name in columns) for prefix in ("t", "src"))
    return f"""
WITH src AS MATERIALIZED (SELECT * FROM {rows}), done AS (
  UPDATE {table.lower()} t SET {", ".join(f"{name} = src.{name}" for name in columns)}, updated_at = now() FROM src
  WHERE t.id = src.id AND t.workspace_id = %(workspace)s AND ({old}) IS DISTINCT FROM ({new})
  RETURNING t.id, src.changes)
INSERT INTO change_event (workspace_id, kind, record_type, record_id, cause, run_id, changes, at)
SELECT %(workspace)s::uuid, '{ChangeKind.UPDATED.value}', '{type_.value}', id, '{ChangeCause.MAPPING.value}', %(run)s,
changes, statement_timestamp() FROM done WHERE changes <> '{{}}' ORDER BY id RETURNING seq
"""


async def keep_fields(
    database: Database, session: AsyncSession, integration: UUID, fields: Mapping[str, Sequence[str]] | None
) -> None:
    """By external type, the local fields that the next remap has to look at; None: nothing is known."""
    values = {"integration": integration, "fields": None if fields is None else orjson.dumps(fields).decode()}
    await database.run(session, TO_REMAP, values)


async def write_sources(database: Database, session: AsyncSession, rows: bytes) -> None:
    """What was mapped anew: {id, mapped: the columns that differ, hash, fields: their names, payload, refs}, packed; the
    last two are null where they stay."""
    await database.run(session, WRITE, {"rows": rows})


async def write_records(
    database: Database, session: AsyncSession, workspace: UUID, statement: str, rows: bytes, *, run: UUID
) -> None:
    """Columns of records with one source, by `write_columns`: {id, …columns, changes: field -> [before, after]}, packed.
    Tells those who follow."""
    if await database.run(session, statement, {"rows": rows, "run": run}):
        await events.notify(session, f"changes:{workspace}")
