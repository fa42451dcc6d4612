"""The statements of integrations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import and_, func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events
from storage.database import Database
from storage.shapes import IntegrationStatus
from storage.tables import Integration

BY_IDS = """
SELECT asked.id AS asked, i.* FROM integration asked JOIN integration i ON i.id = coalesce(asked.same_as, asked.id)
WHERE asked.workspace_id = %(workspace)s AND i.workspace_id = %(workspace)s AND asked.id = ANY(%(ids)s)
AND (i.status <> 'PENDING' OR i.pending_until IS NULL OR i.pending_until > now()) AND i.leaving_at IS NULL
"""
"""What each id leads to, as `find` does."""

STAYS = """t.integration_id <> ALL (ARRAY(
  SELECT id FROM integration WHERE workspace_id = %(workspace)s AND leaving_at IS NOT NULL))"""
"""Of a row `t` of an integration: nobody sees those of one that is being deleted."""

IS_THERE = """
SELECT id FROM integration WHERE workspace_id = %(workspace)s AND id = %(integration)s AND leaving_at IS NULL
"""

PEND = """
UPDATE integration SET pending_until = now() + %(seconds)s * interval '1 second', updated_at = now()
WHERE id = %(integration)s AND workspace_id = %(workspace)s AND status = 'PENDING'
"""

DROP_ENDED = """
DELETE FROM integration WHERE workspace_id = %(workspace)s AND status = 'PENDING' AND pending_until <= now()
"""

STATS = """
SELECT s.integration_id, s.record_type, count(DISTINCT s.record_id) AS records,
  count(DISTINCT s.record_id) FILTER (WHERE c.kind = 'LEAD') AS leads
FROM source_record s LEFT JOIN contact c ON c.id = s.record_id AND c.workspace_id = s.workspace_id
WHERE s.workspace_id = %(workspace)s AND s.integration_id = ANY(%(ids)s) AND s.deleted_at IS NULL
GROUP BY s.integration_id, s.record_type
"""
"""How many unified records of each type an integration is a source of."""


NOTE_SYNCED = """
UPDATE integration SET last_synced_at = now(), last_error = NULL, updated_at = now(),
  watermarks = watermarks || %(watermarks)s::text::jsonb, rounds = rounds || %(rounds)s::text::jsonb
  WHERE id = %(integration)s AND workspace_id = %(workspace)s
"""

NOTE_HEALTH = """
UPDATE integration SET health = %(health)s::text::jsonb WHERE id = %(integration)s AND workspace_id = %(workspace)s
"""
"""No change that a person made: `updated_at`, by which caches are keyed, stays."""


async def announce(session: AsyncSession, integration: UUID) -> None:
    """Tells those who watch the integration; they re-read it."""
    await events.notify(session, f"integration:{integration}")


def _stands() -> Any:
    """One whose time to be consented to has passed is as if it had never been; so is one that is being deleted."""
    ends = col(Integration.pending_until)
    waits = or_(col(Integration.status) != IntegrationStatus.PENDING.value, ends.is_(None), ends > func.now())
    return and_(waits, col(Integration.leaving_at).is_(None))


async def is_there(database: Database, session: AsyncSession, integration: UUID) -> bool:
    """Whether rows of the integration may be written."""
    return bool(await database.run(session, IS_THERE, {"integration": integration}))


async def find(session: AsyncSession, integration: UUID, *, locked: bool = False) -> Integration | None:
    """The integration of the session's workspace that the id leads to; None where it is nobody's, or another's.

    `locked`: until the transaction ends; records may still be written meanwhile.
    """
    asked = aliased(Integration)
    leads = col(Integration.id) == func.coalesce(asked.same_as, asked.id)
    query = select(Integration).join(asked, leads).where(asked.id == integration, _stands())
    return (await session.exec(query.with_for_update(of=Integration, key_share=True) if locked else query)).first()


async def find_account(session: AsyncSession, crm: str, account: str) -> Integration | None:
    """The one integration of that account, locked until the transaction ends."""
    query = select(Integration).where(Integration.crm == crm, Integration.account_id == account).with_for_update()
    return (await session.exec(query)).first()


async def find_all(
    session: AsyncSession, crms: Sequence[str] | None = None, statuses: Sequence[IntegrationStatus] | None = None
) -> list[Integration]:
    """All integrations of the workspace, the oldest first; None asks for any, an empty list for none."""
    query = select(Integration).where(_stands(), col(Integration.same_as).is_(None))
    query = query.order_by(col(Integration.created_at), col(Integration.id))
    if crms is not None:
        query = query.where(col(Integration.crm).in_(crms))
    if statuses is not None:
        query = query.where(col(Integration.status).in_([status.value for status in statuses]))
    return list((await session.exec(query)).all())


async def add(session: AsyncSession, integration: Integration) -> None:
    """A new integration; one of the same account in the workspace is an IntegrityError."""
    session.add(integration)
    await session.flush()
    await announce(session, integration.id)


async def pend(database: Database, session: AsyncSession, integration: UUID, seconds: int) -> None:
    """One that is PENDING waits so long for a consent from now on."""
    await database.run(session, PEND, {"integration": integration, "seconds": seconds})
    await announce(session, integration)
    session.expire_all()


async def drop_ended(database: Database, session: AsyncSession) -> None:
    """Those of the workspace that nobody has consented to in time."""
    await database.run(session, DROP_ENDED, {})


async def change(session: AsyncSession, integration: UUID, **values: Any) -> Integration | None:
    """Changes columns and gives the integration as it is then; None where there is none."""
    await session.exec(
        update(Integration)
        .where(col(Integration.id) == integration, col(Integration.leaving_at).is_(None))
        .values(**values, updated_at=func.now())
    )
    await announce(session, integration)
    session.expire_all()
    return await find(session, integration)


async def note_synced(
    database: Database,
    session: AsyncSession,
    integration: UUID,
    watermarks: Mapping[str, str],
    rounds: Mapping[str, Any],
) -> None:
    """A run has ended well: when, and from where the next DELTA goes on, by external type and by round."""
    told = {"watermarks": watermarks, "rounds": rounds}
    values = {"integration": integration} | {name: orjson.dumps(given).decode() for name, given in told.items()}
    await database.run(session, NOTE_SYNCED, values)
    await announce(session, integration)


async def note_error(
    session: AsyncSession, integration: UUID, message: str, status: IntegrationStatus | None = None
) -> None:
    """What stopped a run; with a status where nothing goes on before a person has acted."""
    values: dict[str, str | datetime] = {"last_error": message}
    if status:
        values["status"] = status.value
    await change(session, integration, **values)


async def note_health(
    database: Database, session: AsyncSession, integration: UUID, health: Mapping[str, Any]
) -> Integration | None:
    """What a test has found. Gives the integration as it is then; None where there is none."""
    await database.run(session, NOTE_HEALTH, {"integration": integration, "health": orjson.dumps(health).decode()})
    await announce(session, integration)
    session.expire_all()
    return await find(session, integration)
