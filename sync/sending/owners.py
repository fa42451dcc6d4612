"""Who of a CRM's users is to own what is made there."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.errors import Rejected
from storage import owners
from storage.database import Database
from storage.outbound import Push
from storage.tables import CrmUser, Integration
from sync.people import People
from sync.sending.desk import Desk


async def find_owner(desk: Desk, push: Push, wanted: Mapping[str, Any] | None = None) -> str | None:
    """The external id of the user: who was asked for, else who owns the record here, else who has caused the push, else the
    integration's account user; None where the CRM decides.

    `wanted`: {"email", "users": {integration: external id}}, as a local value has it. Raises Rejected for an address that
    the CRM knows nobody by.
    """
    asked = push.details
    if asked.get("owner"):
        return str(asked["owner"])
    email = asked.get("owner_email")
    if email is None and wanted:
        users = wanted.get("users") or {}
        return users.get(str(desk.integration.id)) or await _find_by_email(desk, wanted["email"], is_asked=False)
    if email is not None:
        return await _find_by_email(desk, email, is_asked=True)
    async with desk.database.session(push.workspace_id) as session:
        are_known = await owners.are_known(desk.database, session, desk.integration.id)
    if not are_known:
        await People(desk.database, desk.client, desk.integration).keep_users()
    async with desk.database.session(push.workspace_id) as session:
        return await _find_by_cause(desk.database, session, desk.integration, push.caused_by)


async def _find_by_cause(
    database: Database, session: AsyncSession, integration: Integration, caused_by: str | None
) -> str | None:
    """Nobody who has left there: the CRM would refuse all of it."""
    kind, _, name = (caused_by or "").partition(":")
    if kind == "member":
        member = await owners.find_by_member(database, session, integration.id, UUID(name))
        if member and member.is_active:
            return member.external_id
    if integration.account_user_id:
        user = await owners.find_by_id(database, session, integration.id, integration.account_user_id)
        return user.external_id if user and user.is_active else None
    return None


async def _find_by_email(desk: Desk, email: str, *, is_asked: bool) -> str | None:
    """As it is stored, else as the CRM says it, which is stored then; nobody where that need not be."""
    user = await _look_up(desk, email)
    if user is None or not user.is_active:
        await People(desk.database, desk.client, desk.integration).keep_users()
        user = await _look_up(desk, email)
    if user is not None and user.is_active:
        return user.external_id
    if is_asked:
        label = desk.client.connector.label
        if user is not None:
            raise Rejected(f"The user of {label} with the e-mail address {email} is deactivated there.")
        raise Rejected(f"{label} has no user with the e-mail address {email}: linkCrmUser ties a member to one.")
    return None


async def _look_up(desk: Desk, email: str) -> CrmUser | None:
    async with desk.database.session(desk.integration.workspace_id) as session:
        return await owners.find_by_email(desk.database, session, desk.integration.id, email.strip())
