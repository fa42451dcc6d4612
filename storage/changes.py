"""The statements of changes: what a transaction has made of records, and the feed of all that has changed."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, Final
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events, listing
from storage.database import Database
from storage.declare import Column, Group, Relation, columns
from storage.fields import CUSTOM, Told, list_fields
from storage.listing import InvalidQuery, Key
from storage.records import BY_TYPE, Record
from storage.shapes import ChangeCause, ChangeKind, RecordType
from storage.upserts import ROWS, packed

KEPT_DAYS: Final = 30

KEPT: Final = f"now() - interval '{KEPT_DAYS} days'"

BATCH: Final = 5_000
"""Changes that are forgotten in one transaction."""

# ---------------------------------------------------------------- what a record is, as one value


def _column(record: type[Record], name: str) -> str:
    """A column's value in JSON; an exact number as text, which no reader makes inexact."""
    return f"t.{name}::text" if columns(record)[name].type is Decimal else f"t.{name}"


def _field(record: type[Record], told: Told) -> str:
    if isinstance(told, Column):
        return _column(record, told.name)
    if isinstance(told, Group):
        parts = ", ".join(f"'{part}', {_column(record, name)}" for part, name in told.parts.items())
        return f"CASE WHEN t.{next(iter(told.parts.values()))} IS NOT NULL THEN jsonb_build_object({parts}) END"
    if not told.many:
        return f"t.{told.key}"
    near, far = f"{record.__name__.lower()}_id", f"{told.target.lower()}_id"
    return (
        f"ARRAY(SELECT l.{far} FROM {told.through} l"
        f" WHERE l.workspace_id = %(workspace)s AND l.{near} = t.id ORDER BY l.{far})"
    )


@cache
def image(record: type[Record]) -> str:
    """A record of the alias `t` as a JSON object, by the names of its fields; custom ones each by its own."""
    fields = ", ".join(f"'{name}', {_field(record, told)}" for name, told in list_fields(record).items())
    custom = f"SELECT jsonb_object_agg('{CUSTOM}.' || c.key, c.value) FROM jsonb_each(t.custom_fields) c"
    return f"jsonb_build_object({fields}) || CASE WHEN t.custom_fields = '{{}}' THEN '{{}}' ELSE ({custom}) END"


@cache
def read_images(record: type[Record]) -> str:
    """The records of `%(ids)s` as they are, each as the text of its image."""
    return (
        "SELECT k.id, t.image FROM unnest(%(ids)s::uuid[]) AS k(id) CROSS JOIN LATERAL ("
        f" SELECT ({image(record)})::text AS image FROM {record.__name__.lower()} t"
        " WHERE t.id = k.id AND t.workspace_id = %(workspace)s OFFSET 0) t"
    )


@cache
def find_pointing(record: type[Record]) -> Mapping[RecordType, str]:
    """By type: the records that lead to those of `%(ids)s`, and would lead elsewhere if these became part of others."""
    found: dict[RecordType, list[str]] = {}
    for type_, other in BY_TYPE.items():
        table = other.__name__.lower()
        for told in list_fields(other).values():
            if not isinstance(told, Relation) or told.target != record.__name__:
                continue
            source, key, far = (told.through, f"{table}_id", f"{told.target.lower()}_id") if told.many else ("", "", "")
            if not told.many:
                source, key, far = table, "id", told.key
            found.setdefault(type_, []).append(
                f"SELECT t.{key} AS id FROM {source} t"
                f" WHERE t.workspace_id = %(workspace)s AND t.{far} = ANY(%(ids)s::uuid[])"
            )
    return {type_: " UNION ".join(statements) for type_, statements in found.items()}


# ---------------------------------------------------------------- what has changed

EMPTY: Final = "('null', '[]', '{}')"
"""What says as little as nothing: from nothing to an empty list is no change."""

CHANGED: Final = f"""
SELECT jsonb_object_agg(coalesce(b.key, a.key), jsonb_build_array(b.value, a.value)) AS changes
FROM jsonb_each(s.before) b FULL JOIN jsonb_each(s.after) a ON a.key = b.key
WHERE a.value IS DISTINCT FROM b.value
AND NOT (coalesce(a.value, 'null') IN {EMPTY} AND coalesce(b.value, 'null') IN {EMPTY})
"""


@cache
def write_events(types: tuple[RecordType, ...]) -> str:
    """One event for each record of `%(rows)s` ({type, id, before, merged_into}) that differs from what it was before, which
    is null of one that is new. Gives the number of the first event, null where there is none.

    OFFSET keeps the inner queries as they are: a record is one look into an index, whatever is known of the table.
    """
    now = " UNION ALL ".join(
        f"SELECT asked.type, asked.id, asked.before, NULL::uuid AS merged_into, t.after FROM asked CROSS JOIN LATERAL ("
        f" SELECT {image(BY_TYPE[type_])} AS after FROM {BY_TYPE[type_].__name__.lower()} t"
        f" WHERE t.id = asked.id AND t.workspace_id = %(workspace)s OFFSET 0) t"
        f" WHERE asked.type = '{type_.value}' AND asked.merged_into IS NULL"
        for type_ in types
    )
    return f"""
WITH asked AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset({ROWS}) AS src(type text, id uuid, before jsonb, merged_into uuid)
), state AS ({now}
  UNION ALL SELECT type, id, before, merged_into, NULL FROM asked WHERE merged_into IS NOT NULL
), told AS (
  SELECT s.type, s.id, s.merged_into, c.changes, CASE
    WHEN s.merged_into IS NOT NULL THEN 'MERGED' WHEN s.before IS NULL THEN 'CREATED'
    WHEN NOT c.changes ? 'archivedAt' THEN 'UPDATED'
    WHEN c.changes #> '{{archivedAt,1}}' = 'null' THEN 'RESTORED'
    WHEN c.changes #> '{{archivedAt,0}}' = 'null' THEN 'ARCHIVED' ELSE 'UPDATED' END AS kind
  FROM state s CROSS JOIN LATERAL (
    SELECT s.after AS changes WHERE s.before IS NULL AND s.merged_into IS NULL
    UNION ALL SELECT changes FROM ({CHANGED}) m WHERE s.before IS NOT NULL AND s.merged_into IS NULL
    UNION ALL SELECT '{{}}' WHERE s.merged_into IS NOT NULL
  ) c WHERE c.changes IS NOT NULL
), made AS (
  INSERT INTO change_event (workspace_id, kind, record_type, record_id, merged_into, cause, run_id, changes, at)
  SELECT %(workspace)s::uuid, kind, type, id, merged_into, %(cause)s, %(run)s::uuid, changes, statement_timestamp()
  FROM told ORDER BY type, id RETURNING seq
)
SELECT min(seq) AS first FROM made
"""


def pack_row(type_: RecordType, record: UUID, before: str | None, merged_into: UUID | None = None) -> dict[str, Any]:
    """A row of `write_events`. The image goes back as the text that it came as, every digit of it."""
    image_ = None if before is None else orjson.Fragment(before)
    return {"type": type_.value, "id": record, "before": image_, "merged_into": merged_into}


async def find_images(
    database: Database, session: AsyncSession, type_: RecordType, records: Iterable[UUID]
) -> dict[UUID, str]:
    """The images, as texts, of those of these records that are there."""
    values = {"ids": list(records)}
    rows = await database.run(session, read_images(BY_TYPE[type_]), values) if values["ids"] else []
    return {row["id"]: row["image"] for row in rows}


async def write(
    database: Database,
    session: AsyncSession,
    workspace: UUID,
    rows: Sequence[Mapping[str, Any]],
    *,
    cause: ChangeCause,
    run: UUID | None,
) -> int | None:
    """Writes the events of these rows, and tells those who follow the feed. Gives the number of the first one."""
    types = tuple(type_ for type_ in RecordType if any(row["type"] == type_.value for row in rows))
    values = {"rows": packed(rows), "cause": cause.value, "run": run}
    [found] = await database.run(session, write_events(types), values)
    first: int | None = found["first"]
    if first is not None:
        await events.notify(session, f"changes:{workspace}")
    return first


def read_changes(event: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """field -> [before, after] of an event; of one that has made a record, what has a value."""
    changes: Mapping[str, Any] = event["changes"]
    if event["kind"] != ChangeKind.CREATED.value:
        return dict(changes)
    return {name: (None, value) for name, value in changes.items() if value not in (None, [], {})}


# ---------------------------------------------------------------- what a transaction would do

DIFFERENCES: Final = """
SELECT e.record_type, e.record_id, e.kind, e.changes, s.external_type, s.external_id FROM change_event e
LEFT JOIN LATERAL (
  SELECT s.external_type, s.external_id FROM source_record s
  WHERE s.workspace_id = %(workspace)s AND s.record_id = e.record_id AND s.integration_id = %(integration)s
  ORDER BY s.synced_at DESC, s.external_type, s.external_id LIMIT 1) s ON true
WHERE e.workspace_id = %(workspace)s AND e.seq >= %(first)s ORDER BY e.seq LIMIT %(most)s
"""
"""The events from a number on, with the source of an integration that each is about."""


# ---------------------------------------------------------------- the feed

# One statement, so that nothing is forgotten between the check and the page.
PAGE: Final = f"""
SELECT w.forgotten, l.last, w.forgotten > coalesce(%(after)s, w.forgotten) OR coalesce(o.at < {KEPT}, false) AS expired, e.*
FROM workspace w
LEFT JOIN LATERAL (SELECT max(c.seq) AS last FROM change_event c WHERE c.workspace_id = %(workspace)s) l ON true
LEFT JOIN LATERAL (SELECT c.at FROM change_event c WHERE c.workspace_id = %(workspace)s AND c.seq > %(after)s
  ORDER BY c.seq LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT * FROM change_event c WHERE c.workspace_id = %(workspace)s
  AND c.seq > coalesce(%(after)s, 0) AND c.at >= {KEPT} AND c.record_type = ANY(%(types)s::text[])
  ORDER BY c.seq LIMIT %(most)s) e ON true
WHERE w.id = %(workspace)s ORDER BY e.seq
"""
"""The changes after a number, or from the oldest kept; at least one row, whose `seq` is null where there is none."""

LARGEST: Final = 2**63 - 1

KEYS: Final = (Key(name="seq", type=int, sql="{t}.seq"),)


def write_cursor(workspace: UUID, number: int) -> str:
    """Where a change stands in the feed of its workspace."""
    return listing.write_cursor(_mark(workspace), KEYS, {"seq": number})


def read_number(workspace: UUID, cursor: str) -> int:
    """The number of the change that a cursor was given for. Raises InvalidQuery for one of another list, or broken."""
    [number] = listing.read_cursor(_mark(workspace), KEYS, cursor)
    check_number(number, LARGEST)
    return int(number)


def check_number(number: int | None, last: int) -> None:
    """Raises InvalidQuery for a number that is of no change yet."""
    if number is not None and not 0 <= number <= last:
        raise InvalidQuery("That is no cursor of this list: nothing has come so far yet.")


def _mark(workspace: UUID) -> str:
    return listing.digest("change_event", workspace)


# The numbers grow with the time, so that the old ones are the first.
FORGET: Final = f"""
WITH oldest AS MATERIALIZED (
  SELECT c.seq, c.at FROM change_event c WHERE c.workspace_id = %(workspace)s ORDER BY c.seq LIMIT {BATCH}
), gone AS (
  DELETE FROM change_event e USING oldest WHERE e.seq = oldest.seq AND oldest.at < {KEPT}
  AND e.workspace_id = %(workspace)s RETURNING e.seq
)
UPDATE workspace w SET forgotten = greatest(w.forgotten, g.last) FROM (SELECT max(seq) AS last, count(*) AS n FROM gone) g
WHERE w.id = %(workspace)s AND g.n > 0 RETURNING g.n
"""


async def forget(database: Database, workspace: UUID) -> None:
    """Forgets what is older than what is kept, batch by batch."""
    while True:
        async with database.session(workspace) as session:
            found = await database.run(session, FORGET, {})
        if not found or found[0]["n"] < BATCH:
            return
