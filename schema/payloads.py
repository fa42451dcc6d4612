"""What mutations answer: a result, or what the user can put right."""

from typing import Any, Self

import strawberry

from resolvers.errors import Refused
from schema.integrations import Integration, SyncRun

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


@strawberry.type(
    description="`authorizationUrl` where the user has yet to consent in the CRM; null where a token was given and works."
)
class ConnectPayload(Payload):
    integration: Integration | None = strawberry.field(description="The integration.", default=None)
    authorization_url: str | None = strawberry.field(description="Where the user consents.", default=None)


@strawberry.type(description="The integration as it is then.")
class IntegrationPayload(Payload):
    integration: Integration | None = strawberry.field(description="The integration.", default=None)


@strawberry.type(
    description="`isNew` is false where a run that already covers the request is under way: that run is given."
)
class SyncPayload(Payload):
    sync_run: SyncRun | None = strawberry.field(description="The run.", default=None)
    is_new: bool | None = strawberry.field(description="Whether the request has made it.", default=None)
