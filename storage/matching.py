"""The statements by which sources find one another: their match keys, and what has been said of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import tables
from storage.database import Database
from storage.shapes import RecordType
from storage.upserts import ROWS, packed, recordset, stored

Rows = list[dict[str, Any]]

LISTED = 100
"""Carriers of a key that are looked at: one that more have matches nobody, whosever they are."""

# LIMIT and OFFSET keep the inner queries as they are: one look into an index for each key. Joined freely, a table that has
# no statistics yet is read from end to end for every page.
CARRIERS = f"""
WITH asked AS MATERIALIZED (SELECT * FROM jsonb_to_recordset({ROWS}) AS src(kind text, value text)),
found AS MATERIALIZED (SELECT asked.kind, asked.value, m.source_id, m.record_id FROM asked CROSS JOIN LATERAL (
  SELECT m.source_id, m.record_id FROM match_key m WHERE m.workspace_id = %(workspace)s AND m.record_type = %(type)s
  AND m.kind = asked.kind AND m.value = asked.value LIMIT {LISTED}) m)
SELECT found.kind, found.value, found.source_id AS source, found.record_id AS record, s.integration_id AS integration,
  CASE WHEN found.kind = 'name' THEN ARRAY(SELECT k.value FROM match_key k WHERE k.source_id = found.source_id
    AND k.kind = 'domain' AND k.workspace_id = %(workspace)s) ELSE '{{}}' END AS domains
FROM found LEFT JOIN LATERAL (SELECT s.integration_id FROM source_record s WHERE s.id = found.source_id
  AND s.workspace_id = %(workspace)s OFFSET 0) s ON true
"""

OF_SOURCES = """
SELECT source_id, kind, value FROM match_key WHERE source_id = ANY(%(ids)s::uuid[]) AND workspace_id = %(workspace)s
"""

KEYS_OF_RECORDS = """
SELECT source_id, record_id, kind, value FROM match_key
WHERE record_id = ANY(%(records)s::uuid[]) AND workspace_id = %(workspace)s
"""

SOURCES_OF_RECORDS = """
SELECT id, record_id, integration_id, external_type, external_id FROM source_record
WHERE record_id = ANY(%(records)s::uuid[]) AND workspace_id = %(workspace)s
"""

KEY = stored(tables.MatchKey, "workspace_id")
FORGET_KEYS = "DELETE FROM match_key WHERE source_id = ANY(%(sources)s) AND workspace_id = %(workspace)s"
INSERT_KEYS = f"""
INSERT INTO match_key ({", ".join(KEY)}, workspace_id) SELECT {", ".join(KEY)}, %(workspace)s::uuid
FROM {recordset(tables.MatchKey, KEY)} ON CONFLICT DO NOTHING
"""


async def find_carriers(
    database: Database, session: AsyncSession, type_: RecordType, keys: Iterable[tuple[str, str]]
) -> Rows:
    """{kind, value, source, record, integration, domains} of all that carry these (kind, value), at most LISTED of each.

    The integration is None for a record whose sources have left; domains are there where the key is a name.
    """
    rows = [{"kind": kind, "value": value} for kind, value in keys]
    if not rows:
        return []
    return await database.run(session, CARRIERS, {"type": type_.value, "rows": packed(rows)})


async def find_keys(
    database: Database, session: AsyncSession, sources: Collection[UUID]
) -> dict[UUID, set[tuple[str, str]]]:
    """All (kind, value) that these sources have ever been known by."""
    found: dict[UUID, set[tuple[str, str]]] = {source: set() for source in sources}
    if found:
        for row in await database.run(session, OF_SOURCES, {"ids": list(found)}):
            found[row["source_id"]].add((row["kind"], row["value"]))
    return found


async def find_members(database: Database, session: AsyncSession, records: Collection[UUID]) -> tuple[Rows, Rows]:
    """The sources of these records, and {source_id, record_id, kind, value} of all keys that lead to them."""
    values = {"records": list(records)}
    found = await database.run(session, SOURCES_OF_RECORDS, values)
    return found, await database.run(session, KEYS_OF_RECORDS, values)


async def add_keys(database: Database, session: AsyncSession, rows: Sequence[Mapping[str, Any]]) -> None:
    """From now on these sources are known by these keys too; what they were known by before stays."""
    if rows:
        await database.run(session, INSERT_KEYS, {"rows": packed(rows)})


# ---------------------------------------------------------------- what has been said

SAID = """
SELECT source_id AS one, other_id AS other, same FROM pairing
WHERE source_id = ANY(%(ids)s::uuid[]) AND other_id = ANY(%(ids)s::uuid[]) AND workspace_id = %(workspace)s
"""

HELD_APART = """
SELECT DISTINCT s.record_id AS id FROM source_record s CROSS JOIN LATERAL (
  SELECT FROM pairing p WHERE p.source_id = s.id AND NOT p.same AND p.workspace_id = %(workspace)s
  UNION ALL SELECT FROM pairing q WHERE q.other_id = s.id AND NOT q.same AND q.workspace_id = %(workspace)s
  LIMIT 1) said
WHERE s.record_id = ANY(%(records)s::uuid[]) AND s.workspace_id = %(workspace)s
"""

PAIRS = f"""
INSERT INTO pairing (source_id, other_id, workspace_id, same, at)
SELECT DISTINCT least(one, other), greatest(one, other), %(workspace)s::uuid, %(same)s, now()
FROM jsonb_to_recordset({ROWS}) AS src(one uuid, other uuid) ON CONFLICT"""
NOTE_SAME = f"{PAIRS} DO NOTHING"
JUDGE = f"""{PAIRS} (source_id, other_id) DO UPDATE SET same = excluded.same, at = excluded.at
WHERE pairing.workspace_id = excluded.workspace_id AND pairing.same <> excluded.same
"""

RECONCILE = """
DELETE FROM pairing WHERE source_id = ANY(%(ids)s::uuid[]) AND other_id = ANY(%(ids)s::uuid[]) AND NOT same
AND workspace_id = %(workspace)s
"""

FORGET_PAIRS = """
DELETE FROM pairing WHERE (source_id = ANY(%(sources)s::uuid[]) OR other_id = ANY(%(sources)s::uuid[]))
AND workspace_id = %(workspace)s
"""


async def find_said(database: Database, session: AsyncSession, sources: Collection[UUID]) -> Rows:
    """{one, other, same}: what has been said of any two of these."""
    return await database.run(session, SAID, {"ids": list(sources)})


async def find_held_apart(database: Database, session: AsyncSession, records: Collection[UUID]) -> set[UUID]:
    """Those of these records that have a source of which it was said that it is not the same as another one."""
    if not records:
        return set()
    return {row["id"] for row in await database.run(session, HELD_APART, {"records": list(records)})}


async def note_same(database: Database, session: AsyncSession, pairs: Iterable[tuple[UUID, UUID]]) -> None:
    """A CRM has said of two sources that they are the same. What a person has said of them stands."""
    rows = [{"one": one, "other": other} for one, other in pairs]
    if rows:
        await database.run(session, NOTE_SAME, {"rows": packed(rows), "same": True})


async def note_apart(database: Database, session: AsyncSession, pairs: Iterable[tuple[UUID, UUID]]) -> None:
    """Two sources that were made of two records here are not the same. What was said of them before stands."""
    rows = [{"one": one, "other": other} for one, other in pairs]
    if rows:
        await database.run(session, NOTE_SAME, {"rows": packed(rows), "same": False})


async def judge(database: Database, session: AsyncSession, pairs: Iterable[tuple[UUID, UUID]], *, same: bool) -> None:
    """A person has said of two sources that they are the same, or that they are not, whatever was said before."""
    rows = [{"one": one, "other": other} for one, other in pairs]
    if rows:
        await database.run(session, JUDGE, {"rows": packed(rows), "same": same})


async def reconcile(database: Database, session: AsyncSession, sources: Collection[UUID]) -> None:
    """That any two of these are not the same is no longer so."""
    await database.run(session, RECONCILE, {"ids": list(sources)})
