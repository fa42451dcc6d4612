"""The statements by which changes enter the outbox, in the transaction that makes them."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.identifiers import uuid7
from storage.outbound import UNDER_WAY, Push
from storage.shapes import PushKind, RecordType

KEEPS = "i.status IN ('ACTIVE', 'PAUSED', 'ERROR') AND i.leaving_at IS NULL AND i.same_as IS NULL"
"""Of an integration `i`: it is connected, so that what is queued for it leaves now or later."""

_COLUMNS = """id, workspace_id, integration_id, kind, record_type, record_id, details, caused_by, status, progress, attempts,
  tries, rounds, is_final, is_interactive, claim, created_at"""
_NEW = "'PENDING', '{}', 0, 0, 0, false, false, 0, now()"

QUEUE_LEADS = f"""
WITH made AS (
  INSERT INTO push ({_COLUMNS})
  SELECT gen_random_uuid(), %(workspace)s, i.id, 'WARM_LEAD', 'CONTACT', c.id, '{{}}', %(caused_by)s, {_NEW}
  FROM contact c, integration i, workspace w
  WHERE c.workspace_id = %(workspace)s AND i.workspace_id = %(workspace)s AND w.id = %(workspace)s
  AND c.warmness >= w.warm_lead_threshold AND c.archived_at IS NULL AND i.push_warm_leads AND {KEEPS}
  AND (%(contact)s::uuid IS NULL OR c.id = %(contact)s) AND (%(integration)s::uuid IS NULL OR i.id = %(integration)s)
  AND NOT EXISTS (SELECT FROM source_record s
    WHERE s.workspace_id = %(workspace)s AND s.integration_id = i.id AND s.record_id = c.id)
  ORDER BY c.warmness DESC, c.created_at, c.id
  ON CONFLICT DO NOTHING RETURNING integration_id
)
SELECT DISTINCT integration_id FROM made ORDER BY integration_id
"""
"""A push for each contact that is warm and has no record in an integration that takes warm leads; none where one is open.
Gives the integrations."""

QUEUE_ACTIVITIES = f"""
WITH made AS (
  INSERT INTO push ({_COLUMNS})
  SELECT gen_random_uuid(), %(workspace)s, i.id, 'ACTIVITY', 'ACTIVITY', a.id, '{{}}', %(caused_by)s, {_NEW}
  FROM activity a, integration i
  WHERE a.workspace_id = %(workspace)s AND i.workspace_id = %(workspace)s
  AND a.id = ANY(%(activities)s::uuid[]) AND a.archived_at IS NULL AND i.replicate_activities AND {KEEPS}
  AND (%(integration)s::uuid IS NULL OR i.id = %(integration)s)
  AND NOT EXISTS (SELECT FROM source_record s
    WHERE s.workspace_id = %(workspace)s AND s.integration_id = i.id AND s.record_id = a.id)
  AND NOT EXISTS (SELECT FROM source_record s WHERE s.workspace_id = %(workspace)s AND s.record_id = a.id
    AND NOT EXISTS (SELECT FROM push p WHERE p.workspace_id = %(workspace)s AND p.record_id = a.id
      AND p.integration_id = s.integration_id AND p.kind = 'ACTIVITY' AND p.status = 'COMMITTED'))
  AND EXISTS (SELECT FROM activity_contact t
    JOIN source_record s ON s.workspace_id = %(workspace)s AND s.record_id = t.contact_id
    WHERE t.workspace_id = %(workspace)s AND t.activity_id = a.id AND s.integration_id = i.id AND s.deleted_at IS NULL)
  ORDER BY a.created_at, a.id
  ON CONFLICT DO NOTHING RETURNING integration_id
)
SELECT DISTINCT integration_id FROM made ORDER BY integration_id
"""
"""A push for each activity that was logged here, and not in some CRM, for a contact with a record in an integration that
takes activities; none where one is open. Gives the integrations."""

OF_CONTACT = "SELECT activity_id FROM activity_contact WHERE workspace_id = %(workspace)s AND contact_id = %(contact)s"

HOLDERS = f"""
SELECT i.id, s.external_type, EXISTS (SELECT FROM push p WHERE p.workspace_id = %(workspace)s AND p.record_id = s.record_id
    AND p.integration_id = i.id AND p.kind = 'ACTIVITY' AND p.status = 'COMMITTED') AS is_replicated
FROM source_record s JOIN integration i ON i.id = s.integration_id
WHERE s.workspace_id = %(workspace)s AND i.workspace_id = %(workspace)s AND s.record_id = %(record)s
AND s.deleted_at IS NULL AND {KEEPS}
UNION
SELECT i.id, NULL, t.kind = 'ACTIVITY' FROM push t JOIN integration i ON i.id = t.integration_id
WHERE t.workspace_id = %(workspace)s AND i.workspace_id = %(workspace)s AND t.record_id = %(record)s
AND t.claim > 0 AND {UNDER_WAY.replace("status", "t.status")} AND {KEEPS}
ORDER BY 1, 2
"""
"""The integrations that have the record, and those that it is just being made in, perhaps without what is written now:
there, no type is known yet."""

WIDEN = """
UPDATE push SET details = jsonb_set(details, '{fields}', (
  SELECT jsonb_agg(DISTINCT field ORDER BY field)
  FROM jsonb_array_elements(details -> 'fields' || %(fields)s::text::jsonb) AS field))
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND record_id = %(record)s
AND kind = 'EDIT' AND status = 'PENDING' AND claim = 0 RETURNING id
"""
"""A change that has not left yet takes more fields in."""

QUEUE_EDIT = f"""
INSERT INTO push ({_COLUMNS})
SELECT gen_random_uuid(), %(workspace)s, %(integration)s, 'EDIT', %(type)s, %(record)s,
  jsonb_build_object('fields', %(fields)s::text::jsonb), %(caused_by)s, {_NEW}
"""

OPEN = f"""
SELECT * FROM push WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND record_id = %(record)s
AND kind = %(kind)s AND {UNDER_WAY}
"""

HURRY = """
UPDATE push SET is_interactive = true, next_attempt_at = CASE status WHEN 'UNKNOWN' THEN next_attempt_at END
WHERE workspace_id = %(workspace)s AND id = %(id)s AND status IN ('PENDING', 'UNKNOWN')
"""

BY_KEY = "SELECT * FROM push WHERE workspace_id = %(workspace)s AND idempotency_key = %(key)s"


async def queue_leads(
    database: Database,
    session: AsyncSession,
    *,
    caused_by: str | None,
    contact: UUID | None = None,
    integration: UUID | None = None,
) -> list[UUID]:
    """Queues every warm lead of the workspace, or one contact's, or those for one integration; gives the integrations that
    now have more to do."""
    values = {"caused_by": caused_by, "contact": contact, "integration": integration}
    return [row["integration_id"] for row in await database.run(session, QUEUE_LEADS, values)]


async def queue_activities(
    database: Database,
    session: AsyncSession,
    activities: Collection[UUID],
    *,
    caused_by: str | None,
    integration: UUID | None = None,
) -> list[UUID]:
    """Queues these activities for every integration that takes them, or for one; gives those that now have more to do."""
    values = {"activities": list(activities), "caused_by": caused_by, "integration": integration}
    return [row["integration_id"] for row in await database.run(session, QUEUE_ACTIVITIES, values)]


async def queue_earlier(
    database: Database, session: AsyncSession, contact: UUID, *, integration: UUID, caused_by: str | None
) -> list[UUID]:
    """Queues what was logged for a contact before it had a record in the integration."""
    rows = await database.run(session, OF_CONTACT, {"contact": contact})
    ids = [row["activity_id"] for row in rows]
    return await queue_activities(database, session, ids, caused_by=caused_by, integration=integration) if ids else []


async def find_holders(database: Database, session: AsyncSession, record: UUID) -> list[dict[str, Any]]:
    """{id, external_type, is_replicated} of each integration and type in which a change of the record may be told."""
    return await database.run(session, HOLDERS, {"record": record})


async def queue_edit(
    database: Database,
    session: AsyncSession,
    integration: UUID,
    record: tuple[RecordType, UUID],
    fields: Sequence[str],
    caused_by: str | None,
) -> None:
    """Queues a change of these fields; with one of the same record that has not left yet it becomes one."""
    values = {
        "integration": integration,
        "type": record[0].value,
        "record": record[1],
        "fields": orjson.dumps(sorted(fields)).decode(),
        "caused_by": caused_by,
    }
    if not await database.run(session, WIDEN, values):
        await database.run(session, QUEUE_EDIT, values)


async def find_open(
    database: Database, session: AsyncSession, integration: UUID, record: UUID, kind: PushKind
) -> Push | None:
    """The push of that kind that is under way already."""
    values = {"integration": integration, "record": record, "kind": kind.value}
    found = await database.run(session, OPEN, values)
    return Push(**found[0]) if found else None


async def find_by_key(database: Database, session: AsyncSession, key: str) -> Push | None:
    """The push that was asked for with this key."""
    found = await database.run(session, BY_KEY, {"key": key})
    return Push(**found[0]) if found else None


async def hurry(database: Database, session: AsyncSession, push: UUID) -> None:
    """Somebody waits for a push that was queued before: it is due now, before the others."""
    await database.run(session, HURRY, {"id": push})


async def add(session: AsyncSession, push: Push) -> None:
    """One more; a second one with its idempotency key, or beside one that is under way, is an IntegrityError."""
    session.add(push)
    await session.flush()


def make_lead(workspace: UUID, integration: UUID, contact: UUID, **values: Any) -> Push:
    """A push of a warm lead, as a person asks for it."""
    return Push(
        id=uuid7(),
        workspace_id=workspace,
        integration_id=integration,
        kind=PushKind.WARM_LEAD.value,
        record_type=RecordType.CONTACT.value,
        record_id=contact,
        is_interactive=True,
        **values,
    )
