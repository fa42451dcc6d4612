"""Workspaces, members, API keys, who is asking."""

from datetime import datetime

import strawberry

from resolvers.keys import list_keys
from resolvers.members import list_members
from resolvers.records import get_row
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.derive import Paged
from schema.field import Info, field, shown
from schema.paging import Listing, Row
from storage.listing import Window
from storage.shapes import Plan, Role


@strawberry.type(description="A person who works in the workspace.")
class Member(Row):
    email: str = shown("The e-mail address, by which the person signs in.")
    name: str | None = shown("The person's name.")
    role: Role = shown("What the person may do.")
    invited_at: datetime | None = shown("When the person was invited.")
    joined_at: datetime | None = shown("When the person came in for the first time.")


@strawberry.type(description="A key that a program calls with. Its secret was shown once, when it was made.")
class ApiKey(Row):
    name: str = shown("What people call it.")
    role: Role = shown("What it may do.")
    prefix: str = shown("How its secret begins.")
    created_at: datetime = shown("When it was made.")
    expires_at: datetime | None = shown("When it ends; null for never.")
    last_used_at: datetime | None = shown("When it was last used, to a minute.")
    revoked_at: datetime | None = shown("When it was revoked.")


@strawberry.type(description="The tenant: everything belongs to one, and nothing is seen from another.")
class Workspace(Row):
    name: str = shown("Its name.")
    plan: Plan = shown("What it has subscribed to.")

    @field("Who works in it, and who is invited to; the longest known first.", Paged(names=("first", "after")))
    async def members(self, info: Info, page: Window) -> Listing[Member]:
        return Listing.of(await list_members(info.context, page), Member)

    @field("Its keys, revoked ones too; the oldest first.", role=Role.ADMIN)
    async def api_keys(self, info: Info) -> list[ApiKey]:
        return [ApiKey.of(row) for row in await list_keys(info.context)]


@strawberry.type(description="Who is asking.")
class Viewer:
    @field("The workspace that everything in the answer belongs to.")
    async def workspace(self, info: Info) -> Workspace:
        caller = info.context.caller
        return Workspace.of(await get_row(info.context, "Workspace", caller.workspace_id))

    @field("The member who asks; null where a key does.")
    async def member(self, info: Info) -> Member | None:
        caller = info.context.caller
        row = await get_row(info.context, "Member", caller.member_id) if caller.member_id else None
        return Member.of(row) if row else None

    @field("What the caller may do.")
    def role(self, info: Info) -> Role:
        return info.context.caller.role
