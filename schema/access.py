"""Who may come in, and as what: the mutations of the workspace, its members and its keys."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

import strawberry

from resolvers.errors import Refused, UserErrorCode
from resolvers.keys import create_key, revoke_key
from resolvers.members import invite_member, remove_member, update_member
from resolvers.workspaces import update_workspace
from schema.field import Info, mutation
from schema.ids import require_key
from schema.inputs import (
    ApiKeyIdInput,
    CreateApiKeyInput,
    InviteMemberInput,
    MemberIdInput,
    UpdateMemberInput,
    UpdateWorkspaceInput,
)
from schema.payloads import (
    ApiKeyPayload,
    CreateApiKeyPayload,
    InviteMemberPayload,
    MemberPayload,
    WorkspacePayload,
    answer,
)
from schema.tenancy import ApiKey, Member
from schema.workspace import Workspace
from storage.shapes import Role

ABOUT = strawberry.argument(description="What is asked for.")


async def _update_workspace(info: Info, input: UpdateWorkspaceInput) -> WorkspacePayload:
    given: dict[str, Any] = {"name": input.name.value or ""} if input.name else {}
    if input.source_priority:
        given["priority"] = read_priority(input.source_priority.value)
    if input.warm_lead_threshold:
        given["threshold"] = require_number(input.warm_lead_threshold.value, "warmLeadThreshold")
    if input.pushes_per_minute:
        given["pace"] = require_number(input.pushes_per_minute.value, "pushesPerMinute")
    return WorkspacePayload(workspace=Workspace.of(await update_workspace(info.context, **given)))


def require_number(value: int | None, field: str) -> int:
    """Raises Refused where there is none."""
    if value is None:
        raise Refused(UserErrorCode.BAD_INPUT, f"`{field}` is a number: it cannot be null.", (field,))
    return value


def read_priority(ids: Sequence[str] | None) -> list[UUID]:
    """The keys of the integrations. Raises Refused, Unknown."""
    if ids is None:
        message = "The priority is a list of integrations; an empty one is none: the newest value counts."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("sourcePriority",))
    return [require_key(each, "Integration", "integration", "sourcePriority") for each in ids]


async def _invite(info: Info, input: InviteMemberInput) -> InviteMemberPayload:
    row, url = await invite_member(info.context, email=input.email, name=input.name, role=input.role)
    return InviteMemberPayload(member=Member.of(row), accept_url=url)


async def _update(info: Info, input: UpdateMemberInput) -> MemberPayload:
    role = input.role.value if input.role else None
    if input.role and role is None:
        raise Refused(UserErrorCode.BAD_INPUT, "A member has a role: it cannot be null.", ("role",))
    given: dict[str, Any] = {"name": input.name.value} if input.name else {}
    key = require_key(input.member_id, "Member", "member", "memberId")
    return MemberPayload(member=Member.of(await update_member(info.context, key, role=role, **given)))


async def _remove(info: Info, input: MemberIdInput) -> MemberPayload:
    key = require_key(input.member_id, "Member", "member", "memberId")
    return MemberPayload(member=Member.of(await remove_member(info.context, key)))


async def _create_key(info: Info, input: CreateApiKeyInput) -> CreateApiKeyPayload:
    row, secret = await create_key(info.context, name=input.name, role=input.role, expires_at=input.expires_at)
    return CreateApiKeyPayload(api_key=ApiKey.of(row), secret=secret)


async def _revoke_key(info: Info, input: ApiKeyIdInput) -> ApiKeyPayload:
    key = require_key(input.api_key_id, "ApiKey", "API key", "apiKeyId")
    return ApiKeyPayload(api_key=ApiKey.of(await revoke_key(info.context, key)))


@strawberry.type(description="What admins do about who may come in.")
class AccessMutation:
    @mutation("Changes what is given; what is absent stays as it is.", role=Role.ADMIN)
    async def update_workspace(self, info: Info, input: Annotated[UpdateWorkspaceInput, ABOUT]) -> WorkspacePayload:
        return await answer(info, WorkspacePayload, _update_workspace(info, input))

    @mutation("Invites a person, or gives a new link to one who has not come in yet.", role=Role.ADMIN)
    async def invite_member(self, info: Info, input: Annotated[InviteMemberInput, ABOUT]) -> InviteMemberPayload:
        return await answer(info, InviteMemberPayload, _invite(info, input))

    @mutation("Changes a member's name or role; what the person has open with another role is closed.", role=Role.ADMIN)
    async def update_member(self, info: Info, input: Annotated[UpdateMemberInput, ABOUT]) -> MemberPayload:
        return await answer(info, MemberPayload, _update(info, input))

    @mutation("Removes a person, whatever a sign-in says, until invited again.", role=Role.ADMIN)
    async def remove_member(self, info: Info, input: Annotated[MemberIdInput, ABOUT]) -> MemberPayload:
        return await answer(info, MemberPayload, _remove(info, input))

    @mutation("Makes a key for a program.", role=Role.ADMIN)
    async def create_api_key(self, info: Info, input: Annotated[CreateApiKeyInput, ABOUT]) -> CreateApiKeyPayload:
        return await answer(info, CreateApiKeyPayload, _create_key(info, input))

    @mutation("Revokes a key: it opens nothing from now on, and what it has open is closed.", role=Role.ADMIN)
    async def revoke_api_key(self, info: Info, input: Annotated[ApiKeyIdInput, ABOUT]) -> ApiKeyPayload:
        return await answer(info, ApiKeyPayload, _revoke_key(info, input))
