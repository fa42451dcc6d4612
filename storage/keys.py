"""The statements of API keys."""

from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events
from storage.database import Database
from storage.records import now
from storage.shared import KeyDigest
from storage.tables import ApiKey

FIND_DIGEST: Final = "SELECT workspace_id, key_id FROM key_digest WHERE digest = %(digest)s"

BY_ID: Final = "SELECT * FROM api_key WHERE workspace_id = %(workspace)s AND id = %(id)s"

ALL: Final = "SELECT * FROM api_key WHERE workspace_id = %(workspace)s ORDER BY created_at, id"

NOTE_USE: Final = """
UPDATE api_key SET last_used_at = now() WHERE workspace_id = %(workspace)s AND id = %(id)s
AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""

REVOKE: Final = """
UPDATE api_key SET revoked_at = coalesce(revoked_at, now())
WHERE workspace_id = %(workspace)s AND id = %(id)s RETURNING *
"""

SELDOM = 60
"""Seconds between two notes of a key's use: not every call writes."""


async def announce(session: AsyncSession, workspace: UUID) -> None:
    """Tells every process that who may do what has changed: open sockets are looked at anew."""
    await events.notify(session, f"access:{workspace}")


async def add(session: AsyncSession, key: ApiKey, digest: bytes) -> None:
    """A new key, and what it is found by."""
    session.add(key)
    session.add(KeyDigest(digest=digest, workspace_id=key.workspace_id, key_id=key.id))
    await session.flush()


async def note_use(database: Database, key: ApiKey) -> None:
    """The key was used just now; written once a minute."""
    used = key.last_used_at
    if used is None or (now() - used).total_seconds() > SELDOM:
        async with database.session(key.workspace_id) as session:
            await database.run(session, NOTE_USE, {"workspace": key.workspace_id, "id": key.id})


async def revoke(database: Database, session: AsyncSession, workspace: UUID, id: UUID) -> ApiKey | None:
    """From now on it opens nothing; its hash stays, so that it is told as revoked. None where there is none."""
    found = await database.run(session, REVOKE, {"workspace": workspace, "id": id})
    await announce(session, workspace)
    return ApiKey(**found[0]) if found else None
