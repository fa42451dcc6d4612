"""Workspaces, members, who is asking."""

from datetime import datetime

import strawberry

from resolvers.records import get_row
from schema.field import Info, field, shown, words
from schema.paging import Row
from storage.shapes import Plan, Role

words(
    Role,
    "Role",
    str(Role.__doc__),
    {"VIEWER": "Reads.", "OPERATOR": "Reads and syncs.", "ADMIN": "Does everything."},
)
words(
    Plan,
    "Plan",
    str(Plan.__doc__),
    {
        "FREE": "To look at it.",
        "STARTER": "For one person.",
        "BUSINESS": "For a small company.",
        "TEAMS": "For several teams.",
        "ENTERPRISE": "For a large company.",
    },
)


@strawberry.type(description="The tenant: everything belongs to one, and nothing is seen from another.")
class Workspace(Row):
    name: str = shown("Its name.")
    plan: Plan = shown("What it has subscribed to.")


@strawberry.type(description="A person who works in the workspace.")
class Member(Row):
    email: str = shown("The e-mail address, by which the person signs in.")
    name: str | None = shown("The person's name.")
    role: Role = shown("What the person may do.")
    invited_at: datetime | None = shown("When the person was invited.")
    joined_at: datetime | None = shown("When the person came in for the first time.")


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
