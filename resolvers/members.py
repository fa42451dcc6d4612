"""Members: people who work in a workspace, invited by a link that whoever invites them sends."""

import importlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from resolvers.callers import digest_secret
from resolvers.context import Context, Services
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.integrations import check_name
from resolvers.records import Page, read_page
from storage import listing, members
from storage.identifiers import uuid7
from storage.listing import Window
from storage.shapes import Role
from storage.tables import Member, Workspace

INVITATIONS: Final = "/invitations/"
"""The path of the page that an invitation leads to; its token follows."""

IN_TIME: Final = 7 * 24 * 3600
"""Seconds that an invitation may be followed."""

CHANCE: Final = 32
TOKEN: Final = 64
"""Bytes of chance in a token, and characters of it."""


@dataclass(frozen=True)
class Invitation:
    """Who is invited, where to."""

    member: Member
    workspace: Workspace


async def list_members(context: Context, window: Window) -> Page[Member]:
    """A page of those who are members or invited to be; the longest known first."""
    return await read_page(context, listing.list_members(window))


async def invite_member(context: Context, *, email: str, name: str | None, role: Role) -> tuple[Member, str]:
    """The member to be, and the address to send; an address sent before leads nowhere then."""
    token = make_token(context.workspace)
    made = Member(
        id=uuid7(),
        workspace_id=context.workspace,
        email=check_email(email),
        name=check_name(name, ("name",)),
        role=role.value,
    )
    async with context.database.session(context.workspace) as session:
        invited = await members.invite(context.database, session, made, digest_secret(token), IN_TIME)
    if invited is None:
        message = f"{made.email} is a member already: change the role instead."
        raise Refused(UserErrorCode.ALREADY_MEMBER, message, ("email",))
    context.services.callers.forget()
    return invited, f"{context.services.public_url}{INVITATIONS}{token}"


async def update_member(context: Context, id: UUID, *, role: Role | None, **name: str | None) -> Member:
    """Another role, another name where `name` is given; null clears the name."""
    given = {"name": check_name(name["name"], ("name",))} if "name" in name else {}
    async with context.database.session(context.workspace) as session:
        changed = await members.change(
            context.database, session, context.workspace, id, role=role.value if role else None, **given
        )
    return _known(context, changed)


async def remove_member(context: Context, id: UUID) -> Member:
    """Out, whatever a sign-in says, until invited again; what the person has open is closed."""
    async with context.database.session(context.workspace) as session:
        removed = await members.remove(context.database, session, context.workspace, id)
    return _known(context, removed)


def _known(context: Context, member: Member | None) -> Member:
    if member is None:
        raise Unknown("member", "memberId")
    context.services.callers.forget()
    return member


def check_email(email: str) -> str:
    """In lower case, as members are found by it. No name server is asked. Raises Refused."""
    addresses = importlib.import_module("email_validator")  # 2 MB, for what is seldom done
    try:
        checked = addresses.validate_email(email.strip(), check_deliverability=False, test_environment=True)
        return str(checked.normalized.lower())
    except addresses.EmailNotValidError as error:
        raise Refused(UserErrorCode.BAD_INPUT, f"That is no e-mail address: {error}", ("email",)) from error


# ---------------------------------------------------------------- the link


def make_token(workspace: UUID) -> str:
    """64 characters that only we have made: whose they are, and chance."""
    return urlsafe_b64encode(workspace.bytes + secrets.token_bytes(CHANCE)).decode()


def read_token(token: str) -> UUID | None:
    """The workspace that it says it is of; None for what cannot be a token."""
    try:
        found = urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return None
    return UUID(bytes=found[:16]) if len(token) == TOKEN and len(found) == 16 + CHANCE else None


async def find_invitation(services: Services, token: str) -> Invitation | None:
    """What the token invites to; None where it is forged, used, too old, or taken back."""
    workspace = read_token(token)
    if workspace is None:
        return None
    values = {"workspace": workspace, "digest": digest_secret(token)}
    found = await services.database.fetch(workspace, members.BY_INVITATION, values)
    async with services.database.session(workspace) as session:
        row = await session.get(Workspace, workspace) if found else None
    return Invitation(Member(**found[0]), row) if row else None


async def accept_invitation(services: Services, token: str) -> Invitation | None:
    """The person has come in; the token is of no use from then on. None as for `find_invitation`."""
    found = await find_invitation(services, token)
    joined = await members.note_joined(services.database, found.member) if found else None
    services.callers.forget()
    return Invitation(joined, found.workspace) if found and joined else None
