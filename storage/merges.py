"""The statements by which one unified record becomes part of another, or loses a source to another."""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.declare import Relation, declared
from storage.outbound import UNDER_WAY
from storage.records import BY_TYPE, RECORDS
from storage.shapes import RecordType
from storage.upserts import ROWS, packed

STRONG = ("email", "phone", "domain")
"""Keys that are one person's, or one company's. A name is not."""

# A deleted source was merged into one of its own type that is there and has all of its keys: the CRM gives the survivor
# the addresses and numbers of the other one. Keys that join nobody prove nothing: the two are in one record by now.
FIND_SURVIVORS = """
WITH gone AS MATERIALIZED (
  SELECT id, integration_id, external_type, record_id FROM source_record
  WHERE id = ANY(%(sources)s) AND workspace_id = %(workspace)s
), keyed AS MATERIALIZED (
  SELECT g.*, k.kind, k.value FROM gone g CROSS JOIN LATERAL (
    SELECT * FROM match_key k WHERE k.source_id = g.id AND k.kind = ANY(%(strong)s) AND k.workspace_id = %(workspace)s
    OFFSET 0) k
), near AS MATERIALIZED (
  SELECT g.id, s.id AS survivor FROM gone g CROSS JOIN LATERAL (
    SELECT s.id FROM source_record s WHERE s.record_id = g.record_id AND s.id <> g.id
    AND s.integration_id = g.integration_id AND s.external_type = g.external_type AND s.deleted_at IS NULL
    AND s.workspace_id = %(workspace)s OFFSET 0) s
)
SELECT n.id AS source, n.survivor FROM near n
WHERE EXISTS (SELECT FROM keyed k WHERE k.id = n.id) AND NOT EXISTS (
  SELECT FROM keyed k WHERE k.id = n.id AND NOT EXISTS (
    SELECT FROM match_key m WHERE m.source_id = n.survivor AND m.kind = k.kind AND m.value = k.value
    AND m.workspace_id = %(workspace)s))
ORDER BY n.id, n.survivor
"""


def is_open(push: str) -> str:
    """Of a push by its alias: it makes a record, and has not ended."""
    named = re.sub("(kind|status|is_final)", rf"{push}.\1", UNDER_WAY)
    return f"({named})"


LEAVING = f"jsonb_to_recordset({ROWS}) AS src(source uuid, new uuid)"
MOVED = f"jsonb_to_recordset({ROWS}) AS src(old uuid, new uuid)"

# What of it counts for the other one was written there before: `sync.uniting`.
DROP_LOCAL = f"""
DELETE FROM local_value l USING {MOVED} WHERE l.record_id = src.old AND l.workspace_id = %(workspace)s
"""
TAKE_CONFLICTS = f"""
UPDATE conflict c SET record_id = src.new FROM {MOVED} WHERE c.record_id = src.old AND c.workspace_id = %(workspace)s
"""
TAKE_PUSHES = f"""
UPDATE push p SET record_id = src.new FROM {MOVED} WHERE p.record_id = src.old AND p.workspace_id = %(workspace)s
AND NOT {is_open("p")}
"""
# Of what makes a record in a CRM there is one at a time, which two would make twice.
TAKE_OPEN = f"""
UPDATE push p SET record_id = found.new FROM (
  SELECT DISTINCT ON (src.new, o.integration_id) o.id, src.new FROM {MOVED} JOIN push o ON o.record_id = src.old
  WHERE o.workspace_id = %(workspace)s AND {is_open("o")} AND NOT EXISTS (
    SELECT FROM push t WHERE t.workspace_id = %(workspace)s AND t.integration_id = o.integration_id
    AND t.record_id = src.new AND {is_open("t")})
  ORDER BY src.new, o.integration_id, o.claim DESC, o.seq) found
WHERE p.id = found.id AND p.workspace_id = %(workspace)s
"""
SKIP_TWINS = f"""
UPDATE push p SET status = 'SKIPPED', completed_at = now(),
  last_error = 'The record has become part of another one, which is on its way itself.'
FROM {MOVED} WHERE p.record_id = src.old AND p.workspace_id = %(workspace)s
AND p.status = 'PENDING' AND p.claim = 0 AND {is_open("p")}
"""
"""One that somebody has tried already stays, with the id that leads to the survivor."""
TAKE_WARMNESS = f"""
UPDATE contact t SET warmness = greatest(t.warmness, o.warmest), updated_at = now() FROM (
  SELECT src.new, max(c.warmness) AS warmest FROM contact c JOIN {MOVED} ON c.id = src.old
  WHERE c.workspace_id = %(workspace)s GROUP BY src.new) o
WHERE t.id = o.new AND t.workspace_id = %(workspace)s AND o.warmest > coalesce(t.warmness, -1)
"""

MOVE_SOURCES = f"""
UPDATE source_record s SET record_id = src.new FROM {LEAVING} WHERE s.id = src.source AND s.workspace_id = %(workspace)s
"""
MOVE_KEYS = f"""
UPDATE match_key k SET record_id = src.new FROM {LEAVING}
WHERE k.source_id = src.source AND k.workspace_id = %(workspace)s
"""

TAKE_SOURCES = f"""
UPDATE source_record s SET record_id = src.new FROM {MOVED}
WHERE s.record_id = src.old AND s.workspace_id = %(workspace)s
"""
TAKE_KEYS = f"""
UPDATE match_key k SET record_id = src.new FROM {MOVED}
WHERE k.record_id = src.old AND k.workspace_id = %(workspace)s
"""

REMEMBER = f"""
INSERT INTO merged_record (id, workspace_id, record_id) SELECT DISTINCT ON (old) old, %(workspace)s::uuid, new FROM {MOVED}
ORDER BY old ON CONFLICT (id) DO UPDATE SET record_id = excluded.record_id
WHERE merged_record.workspace_id = excluded.workspace_id
"""
FORWARD = f"""
UPDATE merged_record m SET record_id = src.new FROM {MOVED} WHERE m.record_id = src.old AND m.workspace_id = %(workspace)s
"""

SURVIVORS = "SELECT id, record_id FROM merged_record WHERE workspace_id = %(workspace)s AND id = ANY(%(ids)s::uuid[])"
"""Where the ids of records lead that have become part of others."""


MERGED = """
SELECT record_id, id FROM merged_record WHERE workspace_id = %(workspace)s AND record_id = ANY(%(ids)s::uuid[])
ORDER BY record_id, id
"""
"""The ids of records that have become part of these."""


async def find_survivors(
    database: Database, session: AsyncSession, sources: Collection[UUID]
) -> list[tuple[UUID, UUID]]:
    """(source, survivor) of those of these deleted sources that live on in another one of their record."""
    if not sources:
        return []
    found = await database.run(session, FIND_SURVIVORS, {"sources": list(sources), "strong": list(STRONG)})
    return [(row["source"], row["survivor"]) for row in found]


async def move_sources(database: Database, session: AsyncSession, moves: Mapping[UUID, UUID]) -> None:
    """source -> the record that it belongs to from now on. What leads to its old record still does."""
    if moves:
        rows = {"rows": packed({"source": source, "new": new} for source, new in moves.items())}
        await database.run(session, MOVE_SOURCES, rows)
        await database.run(session, MOVE_KEYS, rows)


async def absorb(database: Database, session: AsyncSession, type_: RecordType, absorbed: Mapping[UUID, UUID]) -> None:
    """old -> new: whatever leads to an old record leads to the new one from now on, its sources and its id too; the old one
    is gone."""
    if absorbed:
        rows = packed({"old": old, "new": new} for old, new in absorbed.items())
        for statement in absorbing(BY_TYPE[type_].__name__):
            await database.run(session, statement, {"rows": rows, "old": list(absorbed)})


async def find_referring(
    database: Database, session: AsyncSession, type_: RecordType, records: Collection[UUID]
) -> dict[RecordType, set[UUID]]:
    """The records that lead to these, by their type."""
    found: dict[RecordType, set[UUID]] = {}
    for near, statement in referring(BY_TYPE[type_].__name__):
        rows = await database.run(session, statement, {"records": list(records)})
        found.setdefault(near, set()).update(row["id"] for row in rows)
    return found


@cache
def absorbing(record: str) -> tuple[str, ...]:
    """The statements that make one record's relations another's, from the declaration of the relations."""
    return (
        *_repoint(record),
        TAKE_SOURCES,
        TAKE_KEYS,
        DROP_LOCAL,
        TAKE_CONFLICTS,
        TAKE_PUSHES,
        TAKE_OPEN,
        SKIP_TWINS,
        *([TAKE_WARMNESS] if record == "Contact" else []),
        f"DELETE FROM {record.lower()} WHERE id = ANY(%(old)s::uuid[]) AND workspace_id = %(workspace)s",
        FORWARD,
        REMEMBER,
    )


@cache
def referring(record: str) -> tuple[tuple[RecordType, str], ...]:
    """The type and the statement of each relation whose sources name a record of this one."""
    return tuple(_refer(record))


def _refer(record: str) -> Iterator[tuple[RecordType, str]]:
    for type_, model in BY_TYPE.items():
        for relation in declared(model, Relation).values():
            table, near, far = model.__name__.lower(), "id", relation.key
            if relation.through:
                table, near, far = relation.through, f"{table}_id", f"{record.lower()}_id"
            if relation.target == record and (relation.through or not relation.many):
                where = f"t.{far} = ANY(%(records)s::uuid[]) AND t.workspace_id = %(workspace)s"
                yield type_, f"SELECT {near} AS id FROM {table} t WHERE {where}"


def _repoint(record: str) -> Iterator[str]:
    tables: dict[str, str] = {}
    for name, model in RECORDS.items():
        for relation in declared(model, Relation).values():
            if relation.target == record and not relation.many:
                yield (
                    f"UPDATE {name.lower()} t SET {relation.key} = src.new, updated_at = now() FROM {MOVED}"
                    f" WHERE t.{relation.key} = src.old AND t.workspace_id = %(workspace)s"
                )
            if relation.through and record in (name, relation.target):
                tables[relation.through] = (name if relation.target == record else relation.target).lower()
    for table, other in tables.items():
        mine, theirs = f"{record.lower()}_id", f"{other}_id"
        yield (
            f"INSERT INTO {table} ({mine}, {theirs}, workspace_id)"
            f" SELECT src.new, t.{theirs}, t.workspace_id FROM {table} t JOIN {MOVED} ON t.{mine} = src.old"
            " WHERE t.workspace_id = %(workspace)s ON CONFLICT DO NOTHING"
        )
        yield f"DELETE FROM {table} WHERE {mine} = ANY(%(old)s::uuid[]) AND workspace_id = %(workspace)s"
