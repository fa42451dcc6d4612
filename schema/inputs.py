"""What mutations take: one input each."""

from datetime import datetime
from typing import Any

import strawberry

from connectors.registry import Crm
from resolvers.scope import store_filter
from resolvers.workspaces import FASTEST, WARMEST
from schema.enums import SyncRequestKind
from storage.records import ContactKind
from storage.shapes import ConflictPolicy, Direction, RecordType, Role


@strawberry.input(
    description="With integrationId, the same integration consents anew (another account is refused: ACCOUNT_MISMATCH)."
    " returnTo must be of the configured origins."
)
class ConnectInput:
    crm: Crm = strawberry.field(description="Which CRM.")  # type: ignore[valid-type] # made from the registry
    display_name: str | None = strawberry.field(description="What people here call it; the account's name else.")
    api_token: str | None = strawberry.field(
        description="A token that was made in the CRM; without one, a user is asked for consent there."
    )
    integration_id: strawberry.ID | None = strawberry.field(description="The integration that is to be renewed.")
    return_to: str | None = strawberry.field(
        description="Where the user is sent after the consent; it gets `integration`, `status` (connected, refused, failed)"
        " and `code`."
    )


@strawberry.input(description="Which integration.")
class IntegrationIdInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")


@strawberry.input(description="Times are the CRM's.")
class SyncFilter:
    contact_kinds: list[ContactKind] | None = strawberry.field(
        description="Of persons only these: who takes part in a deal is a CONTACT, who does not a LEAD."
    )
    updated_since: datetime | None = strawberry.field(description="Only what was changed since.")
    created_since: datetime | None = strawberry.field(description="Only what was created since.")

    @property
    def stored(self) -> dict[str, Any] | None:
        """As runs and integrations keep it."""
        return store_filter(self.contact_kinds, self.updated_since, self.created_since)


@strawberry.input(description="A record in the CRM.")
class CrmRecordRef:
    external_type: str = strawberry.field(description="The type in the CRM, in the CRM's own word.")
    external_id: str = strawberry.field(description="The id in the CRM.")


@strawberry.input(description="What is to be changed; what is absent stays as it is.")
class UpdateIntegrationInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    display_name: strawberry.Maybe[str | None] = strawberry.field(description="What people here call it; not null.")
    record_types: strawberry.Maybe[list[RecordType] | None] = strawberry.field(
        description="The unified types that are synced; not null, and at least one."
    )
    filter: strawberry.Maybe[SyncFilter | None] = strawberry.field(
        description="Which records every run takes; null for all. What is here stays here."
    )
    excluded_fields: strawberry.Maybe[list[str] | None] = strawberry.field(
        description="The CRM's fields, as its API calls them, of which nothing is stored: what is here of them is taken out."
        " One that is left out of the list again comes back with the next FULL run. Ids and times cannot be excluded."
    )
    delete_guard_percent: strawberry.Maybe[int | None] = strawberry.field(
        description="How many per cent of a type's records a FULL run may archive without a word, 0 to 100; not null."
    )
    direction: strawberry.Maybe[Direction | None] = strawberry.field(
        description="Whether edits go to the CRM, of fields whose mapping lets them out; not null."
    )
    conflict_policy: strawberry.Maybe[ConflictPolicy | None] = strawberry.field(
        description="Whose value counts where a field has changed on both sides; not null."
    )
    push_warm_leads: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether contacts that are warm are made in the CRM, those that are warm now as well; not null."
    )
    replicate_activities: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether activities that are logged here are written to the CRM; not null."
    )
    allow_new_picklist_values: strawberry.Maybe[bool | None] = strawberry.field(
        description="Whether a label or picklist value that the CRM does not have is added there; not null."
    )


@strawberry.input(description="What is to be synced.")
class SyncInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    kind: SyncRequestKind | None = strawberry.field(description="Null: DELTA where a FULL has ended, else FULL.")
    record_types: list[RecordType] | None = strawberry.field(
        description="Of the unified types only these; all that the integration syncs where not given."
    )
    records: list[CrmRecordRef] | None = strawberry.field(description="Which records, for SELECTIVE.")
    filter: SyncFilter | None = strawberry.field(
        description="Which records, this time: what it says counts more than the integration's own filter."
    )
    limit: int | None = strawberry.field(description="Stop after so many records of each type: a trial.")
    dry_run: bool = strawberry.field(
        description="Compute what would be created, updated and archived, and write nothing: see the run's `plan`.",
        default=False,
    )


@strawberry.input(
    description="Removes the integration, its credentials, sources and links; unified records that nothing else holds are"
    " archived."
)
class DeleteIntegrationInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")


@strawberry.input(description="What is to be changed; what is absent stays as it is.")
class UpdateWorkspaceInput:
    name: strawberry.Maybe[str | None] = strawberry.field(description="What people call it; not null.")
    source_priority: strawberry.Maybe[list[strawberry.ID] | None] = strawberry.field(
        description="Between CRMs: the integrations whose values come first, the best one first, others after them; not"
        " null. The records that are here follow within a short time."
    )
    warm_lead_threshold: strawberry.Maybe[int | None] = strawberry.field(
        description=f"The warmness from which on a contact is a warm lead, 0 to {WARMEST}; not null. A lower one sends out"
        " who is warm by it; nothing is withdrawn by a higher one."
    )
    pushes_per_minute: strawberry.Maybe[int | None] = strawberry.field(
        description=f"How many pushes of one member or API key leave in a minute, 1 to {FASTEST}; not null."
    )


@strawberry.input(description="Who is invited.")
class InviteMemberInput:
    email: str = strawberry.field(description="The e-mail address by which the person signs in.")
    name: str | None = strawberry.field(description="The person's name.")
    role: Role = strawberry.field(description="What the person may do.", default=Role.VIEWER)


@strawberry.input(description="What is to be changed; what is absent stays as it is.")
class UpdateMemberInput:
    member_id: strawberry.ID = strawberry.field(description="The member.")
    name: strawberry.Maybe[str | None] = strawberry.field(description="The person's name; null clears it.")
    role: strawberry.Maybe[Role | None] = strawberry.field(description="What the person may do; not null.")


@strawberry.input(description="Which member.")
class MemberIdInput:
    member_id: strawberry.ID = strawberry.field(description="The member.")


@strawberry.input(description="The key that is to be made.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="What people call it.")
    role: Role = strawberry.field(description="What it may do.")
    expires_at: datetime | None = strawberry.field(description="When it ends; never where not given.")


@strawberry.input(description="Which key.")
class ApiKeyIdInput:
    api_key_id: strawberry.ID = strawberry.field(description="The key.")


@strawberry.input(description="Which run.")
class SyncRunIdInput:
    sync_run_id: strawberry.ID = strawberry.field(description="The run.")
