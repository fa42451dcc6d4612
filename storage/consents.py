"""The statements of consents: who was sent to a CRM for one, and which integrations live on one."""

from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import integrations, notifications
from storage.database import Database
from storage.shapes import IntegrationStatus
from storage.shared import OauthGrant
from storage.tables import Integration, OauthState

# Until the transaction ends; unlike the lock of a row it holds up nobody who has other business with the integration.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 2))"

ADD_STATE = """
INSERT INTO oauth_state (digest, workspace_id, integration_id, display_name, member_id, return_to, expires_at)
VALUES (%(digest)s, %(workspace)s, %(integration_id)s, %(display_name)s, %(member_id)s, %(return_to)s,
  now() + %(seconds)s * interval '1 second')
"""

TAKE_STATE = """
DELETE FROM oauth_state WHERE digest = %(digest)s AND workspace_id = %(workspace)s
RETURNING *, expires_at > now() AS in_time
"""

DROP_STATES = """
DELETE FROM oauth_state WHERE workspace_id = %(workspace)s AND (expires_at <= now() OR integration_id = %(integration)s)
"""

STORE = """
UPDATE integration SET credentials = %(credentials)s, scopes = coalesce(%(scopes)s, scopes)
WHERE id = %(integration)s AND workspace_id = %(workspace)s AND credentials = %(old)s RETURNING id
"""
"""A renewal is no change that a person made: `updated_at`, by which caches are keyed, stays."""

REFUSE = """
UPDATE integration SET status = %(status)s, last_error = %(message)s, updated_at = now()
WHERE id = %(integration)s AND workspace_id = %(workspace)s AND credentials = %(old)s RETURNING id
"""

FIND_GRANT = "SELECT * FROM oauth_grant WHERE integration_id = %(integration)s"

KEEP_GRANT = """
INSERT INTO oauth_grant (integration_id, crm, account_id, user_id)
VALUES (%(integration_id)s, %(crm)s, %(account_id)s, %(user_id)s)
"""

DROP_GRANT = "DELETE FROM oauth_grant WHERE integration_id = %(integration)s"

IS_USED = """
SELECT EXISTS (SELECT FROM oauth_grant WHERE crm = %(crm)s AND account_id = %(account_id)s AND user_id = %(user_id)s)
  AS found
"""


# ---------------------------------------------------------------- sent to a CRM, and back


async def add_state(database: Database, session: AsyncSession, state: OauthState, seconds: int) -> None:
    """Somebody is sent to the CRM; the answer counts for so many seconds."""
    await database.run(session, ADD_STATE, {**state.model_dump(exclude={"expires_at"}), "seconds": seconds})


async def take_state(database: Database, session: AsyncSession, digest: bytes) -> OauthState | None:
    """The state with that digest, which is good for this once; None where there is none, or it has expired."""
    found = await database.run(session, TAKE_STATE, {"digest": digest})
    return OauthState(**found[0]) if found and found[0].pop("in_time") else None


async def drop_states(database: Database, session: AsyncSession, integration: UUID | None = None) -> None:
    """Those that nobody can answer any more: expired ones, and those of an integration that has ended."""
    await database.run(session, DROP_STATES, {"integration": integration})


# ---------------------------------------------------------------- credentials that are renewed


async def lock_credential(database: Database, session: AsyncSession, integration: UUID) -> None:
    """One at a time renews a credential, over all processes."""
    await database.run(session, LOCK, {"name": f"credential:{integration}"})


async def store(
    database: Database, session: AsyncSession, integration: Integration, credentials: bytes, scopes: list[str] | None
) -> bool:
    """Sealed credentials in the place of those that the integration was read with; False where those are there no more."""
    values = {"credentials": credentials, "scopes": scopes, **_read_with(integration)}
    return bool(await database.run(session, STORE, values))


async def refuse(database: Database, session: AsyncSession, integration: Integration, message: str) -> bool:
    """The vendor has refused those credentials for good, and a person is told; False where there are others by now."""
    values = {"status": IntegrationStatus.ERROR.value, "message": message, **_read_with(integration)}
    refused = bool(await database.run(session, REFUSE, values))
    if refused:
        await integrations.announce(session, integration.id)
        await notifications.notify_refused(database, session, integration, message)
    return refused


def _read_with(integration: Integration) -> dict[str, Any]:
    return {"integration": integration.id, "old": integration.credentials}


# ---------------------------------------------------------------- who lives on a user's consent


async def keep_grant(database: Database, session: AsyncSession, grant: OauthGrant) -> None:
    """The integration lives on this consent from now on; `leave_grant` comes first."""
    await _lock(database, session, grant)
    await database.run(session, KEEP_GRANT, grant.model_dump())


async def leave_grant(
    database: Database, session: AsyncSession, integration: UUID, after: OauthGrant | None = None
) -> bool:
    """The integration lives on its consent no more. True where it was the last one, in whatever workspace, so that the
    consent should be revoked; never where it goes on with the same one `after`."""
    found = await database.run(session, FIND_GRANT, {"integration": integration})
    if not found:
        return False
    grant = OauthGrant(**found[0])
    await _lock(database, session, grant)
    await database.run(session, DROP_GRANT, {"integration": integration})
    stays = after is not None and after.model_dump() == grant.model_dump()
    return not stays and not await is_used(database, session, grant)


async def is_used(database: Database, session: AsyncSession, grant: OauthGrant) -> bool:
    """Whether any integration lives on a consent of that user to that account."""
    return bool((await database.run(session, IS_USED, grant.model_dump()))[0]["found"])


async def _lock(database: Database, session: AsyncSession, grant: OauthGrant) -> None:
    """Two that leave at a time would each see the other one stay."""
    await database.run(session, LOCK, {"name": f"grant:{grant.crm}:{grant.account_id}:{grant.user_id}"})
