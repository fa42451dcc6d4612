"""The workspace, and who is asking."""

import strawberry

from resolvers.integrations import get_integration
from resolvers.keys import list_keys
from resolvers.members import list_members
from resolvers.records import get_row
from schema.derive import Paged
from schema.field import Info, field, shown
from schema.integrations import Integration
from schema.paging import Listing, Row
from schema.tenancy import ApiKey, Member
from storage.listing import Window
from storage.shapes import Plan, Role


@strawberry.type(description="The tenant: everything belongs to one, and nothing is seen from another.")
class Workspace(Row):
    name: str = shown("Its name.")
    plan: Plan = shown("What it has subscribed to.")
    warm_lead_threshold: int = shown("The warmness from which on a contact is a warm lead.")
    pushes_per_minute: int = shown("How many pushes of one member or API key leave in a minute.")

    @field("Between CRMs: whose value comes first; then the newest.", size=5)
    async def source_priority(self, info: Info) -> list[Integration]:
        found = [await get_integration(info.context, each) for each in self.row.source_priority]
        return [Integration.of(row) for row in found if row]

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
