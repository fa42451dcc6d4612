"""The statements of who is who among the users of CRMs and the members here."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.tables import CrmUser

BY_EMAIL = """
SELECT u.* FROM crm_user u LEFT JOIN member m ON m.id = u.member_id AND m.workspace_id = %(workspace)s
WHERE u.workspace_id = %(workspace)s AND u.integration_id = %(integration)s
AND (lower(u.email) = lower(%(email)s) OR lower(m.email) = lower(%(email)s))
ORDER BY u.member_id IS NULL, NOT u.is_active, u.external_id LIMIT 1
"""
"""Whom somebody has tied to the member with that address comes before who has it in the CRM."""

BY_MEMBER = """
SELECT u.* FROM crm_user u, member m
WHERE u.workspace_id = %(workspace)s AND m.workspace_id = %(workspace)s AND u.integration_id = %(integration)s
AND m.id = %(member)s AND (u.member_id = m.id OR (u.member_id IS NULL AND lower(u.email) = lower(m.email)))
ORDER BY u.member_id IS NULL, NOT u.is_active, u.external_id LIMIT 1
"""

BY_ID = """
SELECT u.* FROM crm_user u
WHERE u.workspace_id = %(workspace)s AND u.integration_id = %(integration)s AND u.external_id = %(user)s
"""

HAS_ANY = """
SELECT EXISTS (SELECT FROM crm_user u WHERE u.workspace_id = %(workspace)s AND u.integration_id = %(integration)s) AS found
"""

UNLINK = """
UPDATE crm_user SET member_id = NULL
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND member_id = %(member)s
AND external_id <> %(user)s
"""
"""A member is one user of an account."""

LINK = """
UPDATE crm_user SET member_id = %(member)s
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND external_id = %(user)s RETURNING *
"""


async def find_by_email(database: Database, session: AsyncSession, integration: UUID, email: str) -> CrmUser | None:
    """The user of the CRM who is the person with that e-mail address."""
    found = await database.run(session, BY_EMAIL, {"integration": integration, "email": email})
    return CrmUser(**found[0]) if found else None


async def find_by_member(database: Database, session: AsyncSession, integration: UUID, member: UUID) -> CrmUser | None:
    """The user of the CRM who is that member: tied to it, or with the same address."""
    found = await database.run(session, BY_MEMBER, {"integration": integration, "member": member})
    return CrmUser(**found[0]) if found else None


async def are_known(database: Database, session: AsyncSession, integration: UUID) -> bool:
    """Whether the users of the CRM have ever been read."""
    return bool((await database.run(session, HAS_ANY, {"integration": integration}))[0]["found"])


async def link(
    database: Database, session: AsyncSession, integration: UUID, user: str, member: UUID | None
) -> CrmUser | None:
    """Ties a user of the CRM to a member, or to nobody; None where no such user is known."""
    values = {"integration": integration, "user": user, "member": member}
    if member:
        await database.run(session, UNLINK, values)
    found = await database.run(session, LINK, values)
    return CrmUser(**found[0]) if found else None


async def find_by_id(database: Database, session: AsyncSession, integration: UUID, user: str) -> CrmUser | None:
    """The user of the CRM with that id."""
    found = await database.run(session, BY_ID, {"integration": integration, "user": user})
    return CrmUser(**found[0]) if found else None
