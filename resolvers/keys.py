"""API keys: made, shown once, listed, revoked."""

import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

from resolvers.callers import MARK, digest_secret
from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.integrations import require_name
from storage import keys
from storage.identifiers import uuid7
from storage.records import now
from storage.shapes import Role
from storage.tables import ApiKey

CHANCE: Final = 32
"""Bytes of a secret."""

SHOWN: Final = 8
"""Characters of a secret by which people tell keys apart; the rest stays unknown."""


async def list_keys(context: Context) -> list[ApiKey]:
    """All keys of the workspace, revoked ones too; the oldest first."""
    return [ApiKey(**row) for row in await context.fetch(keys.ALL, {})]


async def get_key(context: Context, id: UUID) -> ApiKey | None:
    """One key; None for who may not see keys."""
    if not context.caller.role.includes(Role.ADMIN):
        return None
    rows = await context.fetch(keys.BY_ID, {"id": id})
    return ApiKey(**rows[0]) if rows else None


async def create_key(context: Context, *, name: str, role: Role, expires_at: datetime | None) -> tuple[ApiKey, str]:
    """The key and its secret, which is nowhere else."""
    if expires_at is not None and expires_at <= now():
        raise Refused(UserErrorCode.BAD_INPUT, "The key would have ended already: give a later time.", ("expiresAt",))
    secret = MARK + secrets.token_urlsafe(CHANCE)
    key = ApiKey(
        id=uuid7(),
        workspace_id=context.workspace,
        name=require_name(name, ("name",)),
        role=role.value,
        prefix=secret[:SHOWN],
        created_by=context.caller.member_id,
        expires_at=expires_at,
    )
    async with context.database.session(context.workspace) as session:
        await keys.add(session, key, digest_secret(secret))
    return key, secret


async def revoke_key(context: Context, id: UUID) -> ApiKey:
    """From now on it opens nothing, and what it has open is closed."""
    async with context.database.session(context.workspace) as session:
        revoked = await keys.revoke(context.database, session, context.workspace, id)
    if revoked is None:
        raise Unknown("API key", "apiKeyId")
    context.services.callers.forget()
    return revoked
