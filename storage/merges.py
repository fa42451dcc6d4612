"""The statements by which one unified record becomes part of another."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.declare import Relation, declared
from storage.records import BY_TYPE, RECORDS
from storage.shapes import RecordType
from storage.upserts import ROWS, packed

STRONG = ("email", "phone", "domain")
"""Keys that are one person's, or one company's. A name is not."""

# A deleted source was merged into one of its own type that is there and has all of its keys: the CRM gives the survivor
# the addresses and numbers of the other one.
FIND_SURVIVORS = """
WITH gone AS MATERIALIZED (
  SELECT id, integration_id, external_type, record_id FROM source_record
  WHERE id = ANY(%(sources)s) AND workspace_id = %(workspace)s
), keyed AS MATERIALIZED (
  SELECT g.*, k.record_type, k.kind, k.value FROM gone g CROSS JOIN LATERAL (
    SELECT * FROM match_key k WHERE k.source_id = g.id AND k.kind = ANY(%(strong)s) AND k.workspace_id = %(workspace)s
    OFFSET 0) k
), near AS MATERIALIZED (
  SELECT DISTINCT g.id, g.record_id AS old, s.id AS survivor, s.record_id AS new FROM keyed g
  CROSS JOIN LATERAL (SELECT m.source_id FROM match_key m WHERE m.workspace_id = %(workspace)s
    AND m.record_type = g.record_type AND m.kind = g.kind AND m.value = g.value OFFSET 0) m
  CROSS JOIN LATERAL (SELECT s.id, s.record_id FROM source_record s WHERE s.id = m.source_id
    AND s.integration_id = g.integration_id AND s.external_type = g.external_type AND s.deleted_at IS NULL
    AND s.workspace_id = %(workspace)s OFFSET 0) s
  WHERE s.record_id <> g.record_id
)
SELECT DISTINCT ON (n.id) n.id AS source, n.old, n.new FROM near n
WHERE NOT EXISTS (SELECT FROM keyed k WHERE k.id = n.id AND NOT EXISTS (
  SELECT FROM match_key m WHERE m.source_id = n.survivor AND m.kind = k.kind AND m.value = k.value
  AND m.workspace_id = %(workspace)s))
ORDER BY n.id, n.new
"""

MOVED = f"jsonb_to_recordset({ROWS}) AS src(source uuid, old uuid, new uuid)"

MOVE_SOURCES = f"""
UPDATE source_record s SET record_id = src.new FROM {MOVED} WHERE s.id = src.source AND s.workspace_id = %(workspace)s
"""
MOVE_KEYS = f"""
UPDATE match_key k SET record_id = src.new FROM {MOVED} WHERE k.source_id = src.source AND k.workspace_id = %(workspace)s
"""

LEFT_EMPTY = """
SELECT asked.id FROM unnest(%(records)s::uuid[]) AS asked(id)
WHERE NOT EXISTS (SELECT FROM source_record s WHERE s.record_id = asked.id AND s.workspace_id = %(workspace)s)
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


async def find_survivors(
    database: Database, session: AsyncSession, workspace: UUID, sources: Sequence[UUID]
) -> list[dict[str, Any]]:
    """{source, old, new} of those of these deleted sources that live on in another record."""
    if not sources:
        return []
    values = {"sources": list(sources), "strong": list(STRONG), "workspace": workspace}
    return await database.run(session, FIND_SURVIVORS, values)


async def move_sources(database: Database, session: AsyncSession, moves: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Gives sources to their new records. The old ones that have no other source come back."""
    rows = {"rows": packed(moves)}
    await database.run(session, MOVE_SOURCES, rows)
    await database.run(session, MOVE_KEYS, rows)
    records = list({move["old"] for move in moves})
    return {row["id"] for row in await database.run(session, LEFT_EMPTY, {"records": records})}


async def absorb(
    database: Database, session: AsyncSession, workspace: UUID, type_: RecordType, moves: Sequence[Mapping[str, Any]]
) -> None:
    """Whatever leads to an old record leads to the new one from now on, its id too; the old one is gone."""
    values = {"rows": packed(moves), "workspace": workspace, "old": [move["old"] for move in moves]}
    for statement in absorbing(BY_TYPE[type_].__name__):
        await database.run(session, statement, values)


@cache
def absorbing(record: str) -> tuple[str, ...]:
    """The statements that make one record's relations another's, from the declaration of the relations."""
    return (
        *_repoint(record),
        f"DELETE FROM {record.lower()} WHERE id = ANY(%(old)s::uuid[]) AND workspace_id = %(workspace)s",
        FORWARD,
        REMEMBER,
    )


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
