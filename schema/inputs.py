"""What mutations take: one input each."""

import strawberry

from connectors.registry import Crm
from schema.enums import SyncRequestKind
from storage.shapes import RecordType


@strawberry.input(
    description="With integrationId, the same integration consents anew (another account is refused: ACCOUNT_MISMATCH)."
    " returnTo must be of the configured origins."
)
class ConnectInput:
    crm: Crm = strawberry.field(description="Which CRM.")  # type: ignore[valid-type] # made from the registry
    display_name: str | None = strawberry.field(description="What people here call it; the account's name else.")
    api_token: str | None = strawberry.field(description="A token that was made in the CRM.")


@strawberry.input(description="Which integration.")
class IntegrationIdInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")


@strawberry.input(description="What is to be changed; what is absent stays as it is.")
class UpdateIntegrationInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    display_name: strawberry.Maybe[str | None] = strawberry.field(description="What people here call it; not null.")
    record_types: strawberry.Maybe[list[RecordType] | None] = strawberry.field(
        description="The unified types that are synced; not null, and at least one."
    )


@strawberry.input(description="What is to be synced.")
class SyncInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    kind: SyncRequestKind | None = strawberry.field(description="Null: DELTA where a FULL has ended, else FULL.")
    record_types: list[RecordType] | None = strawberry.field(
        description="Of the unified types only these; all that the integration syncs where not given."
    )


@strawberry.input(description="Which run.")
class SyncRunIdInput:
    sync_run_id: strawberry.ID = strawberry.field(description="The run.")
