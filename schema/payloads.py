"""What mutations answer: a result, or what the user can put right."""

from collections.abc import Awaitable
from typing import Any, Self, TypeVar

import strawberry

from resolvers.errors import Refused
from schema.field import Info
from schema.integrations import Integration, SyncRun
from schema.tenancy import ApiKey, Member
from schema.workspace import Workspace

WRONG = "What the user can put right; empty where the mutation was done."


@strawberry.type(description="Something in the input that the user can put right.")
class UserError:
    field: list[str] = strawberry.field(description="Where in the arguments, from `input` on.")
    code: str = strawberry.field(description="What is wrong, as a stable code: all are listed in docs/errors.md.")
    message: str = strawberry.field(description="What is wrong, in a sentence.")
    details: strawberry.scalars.JSON | None = strawberry.field(description="What a program can act on, by the code.")

    @classmethod
    def of(cls, refused: Refused) -> Self:
        """What a resolver has refused."""
        details: Any = refused.details
        path = ["input", *refused.field]
        return cls(field=path, code=refused.code.value, message=refused.message, details=details)


@strawberry.type
class Payload:
    user_errors: list[UserError] = strawberry.field(description=WRONG, default_factory=list)

    @classmethod
    def refuse(cls, refused: Refused) -> Self:
        """Nothing was done, and why."""
        return cls(user_errors=[UserError.of(refused)])


P = TypeVar("P", bound=Payload)


async def answer(info: Info, type_: type[P], work: Awaitable[P]) -> P:
    """What a mutation has done; what it refuses becomes the payload's `userErrors`."""
    info.context.loaders.clear()
    try:
        return await work
    except Refused as refused:
        return type_.refuse(refused)
    finally:
        info.context.loaders.clear()  # what was read before may be changed now


@strawberry.type(
    description="`authorizationUrl` where the user has yet to consent in the CRM; null where a token was given and works."
)
class ConnectPayload(Payload):
    integration: Integration | None = strawberry.field(description="The integration.", default=None)
    authorization_url: str | None = strawberry.field(description="Where the user consents.", default=None)


@strawberry.type(description="The integration as it is then.")
class IntegrationPayload(Payload):
    integration: Integration | None = strawberry.field(description="The integration.", default=None)


@strawberry.type(description="What is no more.")
class DeleteIntegrationPayload(Payload):
    integration_id: strawberry.ID | None = strawberry.field(description="The id that it had.", default=None)


@strawberry.type(
    description="`isNew` is false where a run that already covers the request is under way: that run is given."
)
class SyncPayload(Payload):
    sync_run: SyncRun | None = strawberry.field(description="The run.", default=None)
    is_new: bool | None = strawberry.field(description="Whether the request has made it.", default=None)


@strawberry.type(description="The workspace as it is then.")
class WorkspacePayload(Payload):
    workspace: Workspace | None = strawberry.field(description="The workspace.", default=None)


@strawberry.type(description="`acceptUrl` is to be sent to the person: this gateway sends no mail.")
class InviteMemberPayload(Payload):
    member: Member | None = strawberry.field(description="The member to be.", default=None)
    accept_url: str | None = strawberry.field(
        description="Where the person accepts, once and within seven days.", default=None
    )


@strawberry.type(description="The member as it is then.")
class MemberPayload(Payload):
    member: Member | None = strawberry.field(description="The member.", default=None)


@strawberry.type(description="The secret is shown once, here, and kept only as a hash.")
class CreateApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(description="The key.", default=None)
    secret: str | None = strawberry.field(description="What programs send as `Authorization: Bearer …`.", default=None)


@strawberry.type(description="The key as it is then.")
class ApiKeyPayload(Payload):
    api_key: ApiKey | None = strawberry.field(description="The key.", default=None)
