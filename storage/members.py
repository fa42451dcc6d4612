"""The statements of members: people who work in a workspace, and those who are invited to."""

from typing import Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database
from storage.keys import announce
from storage.tables import Member

BY_PERSON: Final = """
SELECT * FROM member WHERE workspace_id = %(workspace)s AND (email = %(email)s OR subject = %(subject)s)
"""
"""By one of them; the address in lower case, as all are stored. Removed ones too."""

NOTE_JOINED: Final = """
UPDATE member SET joined_at = now(), invitation = NULL, invitation_ends_at = NULL
WHERE workspace_id = %(workspace)s AND id = %(id)s AND joined_at IS NULL AND removed_at IS NULL RETURNING *
"""

NOTE_SUBJECT: Final = """
UPDATE member SET subject = %(subject)s, joined_at = coalesce(joined_at, now()), invitation = NULL, invitation_ends_at = NULL
WHERE workspace_id = %(workspace)s AND id = %(id)s AND removed_at IS NULL
"""

INVITE: Final = """
INSERT INTO member (id, workspace_id, email, name, role, invited_at, invitation, invitation_ends_at)
VALUES (%(id)s, %(workspace)s, %(email)s, %(name)s, %(role)s, now(), %(digest)s, now() + %(seconds)s * interval '1 second')
ON CONFLICT (workspace_id, email) DO UPDATE SET name = coalesce(excluded.name, member.name), role = excluded.role,
  invited_at = now(), joined_at = NULL, removed_at = NULL, invitation = excluded.invitation,
  invitation_ends_at = excluded.invitation_ends_at
WHERE member.joined_at IS NULL OR member.removed_at IS NOT NULL
RETURNING *
"""
"""No row where the person is a member already."""

CHANGE: Final = """
UPDATE member SET name = CASE WHEN %(renames)s THEN %(name)s ELSE name END, role = coalesce(%(role)s, role)
WHERE workspace_id = %(workspace)s AND id = %(id)s AND removed_at IS NULL RETURNING *
"""

REMOVE: Final = """
UPDATE member SET removed_at = now(), invitation = NULL, invitation_ends_at = NULL
WHERE workspace_id = %(workspace)s AND id = %(id)s AND removed_at IS NULL RETURNING *
"""

BY_INVITATION: Final = """
SELECT * FROM member WHERE workspace_id = %(workspace)s AND invitation = %(digest)s AND invitation_ends_at > now()
AND removed_at IS NULL
"""


async def note_joined(database: Database, member: Member) -> Member | None:
    """The person has come in for the first time; None where that is known already."""
    values = {"workspace": member.workspace_id, "id": member.id}
    async with database.session(member.workspace_id) as session:
        found = await database.run(session, NOTE_JOINED, values)
    return Member(**found[0]) if found else None


async def note_subject(database: Database, member: Member, subject: str) -> None:
    """The person has come in under this name of the issuer's."""
    values = {"workspace": member.workspace_id, "id": member.id, "subject": subject}
    async with database.session(member.workspace_id) as session:
        await database.run(session, NOTE_SUBJECT, values)


async def invite(
    database: Database, session: AsyncSession, member: Member, digest: bytes, seconds: int
) -> Member | None:
    """A new member, or one who has not joined yet, or was removed; the link before is of no use then. None where the person
    is a member already."""
    values = {
        "id": member.id,
        "workspace": member.workspace_id,
        "email": member.email,
        "name": member.name,
        "role": member.role,
        "digest": digest,
        "seconds": seconds,
    }
    found = await database.run(session, INVITE, values)
    await announce(session, member.workspace_id)
    return Member(**found[0]) if found else None


async def change(
    database: Database, session: AsyncSession, workspace: UUID, id: UUID, *, role: str | None, **name: str | None
) -> Member | None:
    """Another role, where one is given; another name, where `name` is given. None where there is no such member."""
    values = {"workspace": workspace, "id": id, "role": role, "renames": "name" in name, "name": name.get("name")}
    found = await database.run(session, CHANGE, values)
    await announce(session, workspace)
    return Member(**found[0]) if found else None


async def remove(database: Database, session: AsyncSession, workspace: UUID, id: UUID) -> Member | None:
    """Out, whatever a sign-in says, until invited again. None where there is no such member."""
    found = await database.run(session, REMOVE, {"workspace": workspace, "id": id})
    await announce(session, workspace)
    return Member(**found[0]) if found else None
