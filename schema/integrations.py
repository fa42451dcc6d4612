"""Integrations: connected accounts of CRMs, what there is in them, and their sync runs."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from connectors.registry import CONNECTORS, Crm
from resolvers.crm import list_budgets, list_fields, list_pipelines, list_users
from resolvers.errors import BadInput
from resolvers.integrations import get_integration, get_stats
from resolvers.mappings import list_mappings
from resolvers.pushes import get_traffic
from resolvers.records import get_row, list_errors, list_integration_runs
from resolvers.runs import run_eta, run_progress
from resolvers.scope import read_filter
from resolvers.sources import get_member, get_user
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.crm import CrmField, CrmType, Pipeline, RateBudget
from schema.derive import Paged
from schema.field import Info, field, given, shown
from schema.mappings import FieldMapping
from schema.paging import Listing, Row
from schema.proof import Attestation, RecordCounts, SyncPlan
from schema.tenancy import Member
from storage.listing import Window
from storage.records import ContactKind
from storage.shapes import (
    ConflictPolicy,
    CredentialKind,
    Direction,
    IntegrationStatus,
    RecordType,
    SyncKind,
    SyncStatus,
    SyncTrigger,
)
from storage.tables import SyncRun as SyncRunRow


async def find_integration(info: Info, id: UUID) -> "Integration":
    """The integration that something belongs to: it is there as long as that can be read."""
    row = await get_integration(info.context, id)
    if row is None:
        raise BadInput("Its integration has just been deleted: ask again.")
    return Integration.of(row)


async def find_member(info: Info, id: UUID | None) -> Member | None:
    """The member who has done something, also after leaving."""
    row = await get_row(info.context, "Member", id) if id else None
    return Member.of(row) if row else None


@strawberry.type(description="A user of a CRM.")
class CrmUser:
    row: strawberry.Private[Any]
    external_id: str = shown("The user's id in the CRM.")
    name: str | None = shown("The user's name.")
    email: str | None = shown("The user's e-mail address.")
    is_active: bool = shown("Whether the user can still sign in there.")

    @field("The integration that the user was seen by.")
    async def integration(self, info: Info) -> "Integration":
        return await find_integration(info, self.row.integration_id)

    @field("Who it is here: whom somebody has tied to it, else the member with the same e-mail address.")
    async def member(self, info: Info) -> Member | None:
        if self.row.member_id:
            return await find_member(info, self.row.member_id)
        row = await get_member(info.context, self.row.email)
        return Member.of(row) if row else None


@strawberry.type(description="How many unified records an integration is a source of.")
class IntegrationStats:
    row: strawberry.Private[Any]
    contacts: int = shown("Contacts, leads included.")
    organizations: int = shown("Organizations.")
    deals: int = shown("Deals.")
    activities: int = shown("Activities.")
    leads: int = shown("Contacts of kind LEAD; counted in contacts too.")
    integration_id: strawberry.Private[UUID]

    @field("How many pushes are on their way to its CRM.")
    async def pending_pushes(self, info: Info) -> int:
        return (await get_traffic(info.context, self.integration_id)).pending

    @field("How many pushes have failed, for good or until they are tried again.")
    async def failed_pushes(self, info: Info) -> int:
        return (await get_traffic(info.context, self.integration_id)).failed

    @field("How many fields have changed on both sides and wait for a decision.")
    async def open_conflicts(self, info: Info) -> int:
        return (await get_traffic(info.context, self.integration_id)).conflicts


@strawberry.type(description="Which of the CRM's records are taken. Times are the CRM's.")
class SyncFilterSettings:
    contact_kinds: list[ContactKind] | None = strawberry.field(description="Of persons only these; null for all.")
    updated_since: datetime | None = strawberry.field(description="Only what was changed since.")
    created_since: datetime | None = strawberry.field(description="Only what was created since.")


@strawberry.type(description="What a person has decided about an integration.")
class IntegrationSettings:
    row: strawberry.Private[Any]
    record_types: list[RecordType] = shown("The unified types that are synced.")
    excluded_fields: list[str] = shown(
        "The CRM's fields, as its API calls them, of which nothing is stored or shown. One that is taken off the list comes"
        " back with the next FULL run."
    )
    delete_guard_percent: int = shown(
        "A FULL run that would archive more than this part of a type's records, in per cent, though the CRM does not name"
        " them as deleted, is HELD; up to 10 records it archives in any case. 100: no run is held."
    )
    direction: Direction = shown("Whether edits go to the CRM, of fields whose mapping lets them out.")
    conflict_policy: ConflictPolicy = shown("Whose value counts where a field has changed on both sides.")
    push_warm_leads: bool = shown("Whether contacts that are warm are made in the CRM.")
    replicate_activities: bool = shown("Whether activities that are logged here are written to the CRM.")
    allow_new_picklist_values: bool = shown(
        "May a label or picklist value be added in the CRM, or must it exist? Without it, the label is left out."
    )

    @field("Which records every run takes; null for all.")
    def filter(self) -> SyncFilterSettings | None:
        found = read_filter(self.row)
        if found is None:
            return None
        kinds = found.contact_kinds
        return SyncFilterSettings(
            contact_kinds=None if kinds is None else [ContactKind(kind) for kind in kinds],
            updated_since=found.updated_since,
            created_since=found.created_since,
        )


@strawberry.type(description="What a test of the integration has found.")
class IntegrationHealth:
    ok: bool = strawberry.field(description="Whether it works, with all that it needs.")
    checked_at: datetime = strawberry.field(description="When it was tested.")
    latency_ms: int | None = strawberry.field(
        description="How long the CRM took to say whose account it is, in milliseconds; null where it has not said it."
    )
    missing_scopes: list[str] = strawberry.field(description="What the CRM has not granted and should.")
    message: str | None = strawberry.field(description="What is wrong, in a sentence.")

    @classmethod
    def of(cls, found: Any) -> "IntegrationHealth":
        """From what is stored of it."""
        return cls(
            ok=found["ok"],
            checked_at=datetime.fromisoformat(found["checkedAt"]),
            latency_ms=found["latencyMs"],
            missing_scopes=found["missingScopes"],
            message=found["message"],
        )


@strawberry.type(description="One account of one CRM, connected to the workspace.")
class Integration(Row):
    crm: Crm = shown("Which CRM.")  # type: ignore[valid-type] # made from the registry
    display_name: str = shown("What people here call it.")
    status: IntegrationStatus = shown("Whether it can be used, and if not, why.")
    credential_kind: CredentialKind = shown("How it proves itself to the CRM.")
    scopes: list[str] = shown("What the CRM has granted.")
    account_id: str | None = shown("The account's id in the CRM.")
    account_name: str | None = shown("The account's name in the CRM.")
    account_url: str | None = shown("Where people open the account.")
    last_synced_at: datetime | None = shown("When a run last ended well.")
    last_error: str | None = shown("What went wrong last, in a sentence.")
    created_at: datetime = shown("When it was first connected.")

    @field("The member who connected it; null where a key or a command did.")
    async def connected_by(self, info: Info) -> Member | None:
        return await find_member(info, self.row.connected_by)

    @field("The CRM user whose grant it is.")
    async def account_user(self, info: Info) -> CrmUser | None:
        row = await get_user(info.context, self.row.id, self.row.account_user_id)
        return CrmUser(row=row) if row else None

    @field("What a person has decided about it.")
    def settings(self) -> IntegrationSettings:
        return IntegrationSettings(row=self.row)

    @field("The kinds of record that are read from it.")
    def types(self) -> list[CrmType]:
        return [CrmType.of(type_) for type_ in CONNECTORS[self.row.crm].types]

    @field("The team in the CRM, with who of them is a member here.", cost=20, size=25)
    async def users(self, info: Info) -> list[CrmUser] | None:
        return [CrmUser(row=row) for row in await list_users(info.context, self.row)]

    @field("The pipelines of the account, as the CRM has them now.", cost=20)
    async def pipelines(self, info: Info) -> list[Pipeline] | None:
        found: Any = await list_pipelines(info.context, self.row)
        return list(found)

    @field("The fields of the account's records, as the CRM has them now.", cost=20, size=100)
    async def fields(
        self,
        info: Info,
        external_type: Annotated[
            str | None, strawberry.argument(description="Of this type of record only, in the CRM's own word.")
        ] = strawberry.UNSET,
    ) -> list[CrmField] | None:
        return [CrmField(row=row) for row in await list_fields(info.context, self.row, given(external_type))]

    @field("How its fields become ours: the connector's mappings, with custom ones in their place.", size=60)
    async def field_mappings(
        self,
        info: Info,
        external_type: Annotated[
            str | None, strawberry.argument(description="Of this type of record only, in the CRM's own word.")
        ] = strawberry.UNSET,
    ) -> list[FieldMapping]:
        return [FieldMapping.of(row) for row in await list_mappings(info.context, self.row, given(external_type))]

    @field("What is left of the limits of the account's API.", cost=20)
    async def budget(self, info: Info) -> list[RateBudget] | None:
        return [RateBudget(row=row) for row in await list_budgets(info.context, self.row)]

    @field("What its last test has found; null until it is first tested.")
    def health(self) -> IntegrationHealth | None:
        return IntegrationHealth.of(self.row.health) if self.row.health else None

    @field("How many unified records it is a source of.")
    async def stats(self, info: Info) -> IntegrationStats:
        return IntegrationStats(row=await get_stats(info.context, self.row.id), integration_id=self.row.id)

    @field("Its runs, the newest first.", Paged())
    async def sync_runs(
        self,
        info: Info,
        page: Window,
        status: Annotated[
            SyncStatus | None, strawberry.argument(description="Only runs of this status.")
        ] = strawberry.UNSET,
    ) -> "Listing[SyncRun]":
        wanted = given(status)
        statuses = None if wanted is None else [wanted]
        found = await list_integration_runs(info.context, self.row.id, statuses=statuses, window=page)
        return Listing.of(found, SyncRun)


# ---------------------------------------------------------------- sync runs


@strawberry.type(description="One record that a run could not take over, or what stopped the run.")
class SyncError:
    row: strawberry.Private[Any]
    external_type: str | None = shown("The type of the record, in the CRM's own word.")
    external_id: str | None = shown("The record's id in the CRM.")
    field: str | None = shown("The field that was at fault.")
    code: str = shown("What was wrong, as a stable code.")
    message: str = shown("What was wrong, in a sentence.")
    at: datetime = shown("When.")

    @classmethod
    def of(cls, row: Any) -> "SyncError":
        """The type around a row."""
        return cls(row=row)


def total(run: "SyncRun", name: str) -> int:
    """One of the numbers over all types."""
    return sum(counts.get(name, 0) for counts in run.row.counts.values())


@strawberry.type(description="One run of a sync: the audit trail, and the progress while it lasts.")
class SyncRun(Row):
    kind: SyncKind = shown("What it reads.")
    status: SyncStatus = shown("How it stands.")
    record_types: list[RecordType] = shown("The unified types that it covers.")
    is_dry_run: bool = shown("It writes nothing: see `plan`.")
    api_calls: int = shown("How many calls to the CRM it took so far.")
    message: str | None = shown("What a person should know of its state, in a sentence.")
    resumes_at: datetime | None = shown("When it goes on, while it waits for a quota.")
    trigger: SyncTrigger = shown("Who or what asked for it.")
    created_at: datetime = shown("When it was asked for.")
    started_at: datetime | None = shown("When a worker first took it.")
    completed_at: datetime | None = shown("When it ended.")

    @field("The integration that is synced.")
    async def integration(self, info: Info) -> Integration:
        return await find_integration(info, self.row.integration_id)

    @field("The member who asked for it; null where a key or the gateway did.")
    async def triggered_by(self, info: Info) -> Member | None:
        return await find_member(info, self.row.triggered_by)

    @field("What became of the records so far, by their type in the CRM.")
    async def counts(self, info: Info) -> list[RecordCounts]:
        integration = await find_integration(info, self.row.integration_id)
        return RecordCounts.list_of(integration.row.crm, self.row.counts)

    @field("What was proven of each type, of a FULL without a filter that has read to its end.", size=8)
    def attestation(self) -> list[Attestation]:
        return [Attestation.of(row) for row in self.row.attestation]

    @field("What it would do, of a dry run that has ended or of a run that is or was held.")
    async def plan(self, info: Info) -> SyncPlan | None:
        if self.row.plan is None:
            return None
        integration = await find_integration(info, self.row.integration_id)
        return SyncPlan(row=self.row.plan, crm=integration.row.crm, calls=self.row.api_calls)

    @field("How many records are new here.")
    def records_created(self) -> int:
        return total(self, "created")

    @field("How many records have changed here.")
    def records_updated(self) -> int:
        return total(self, "updated")

    @field("How many records were the same as before.")
    def records_skipped(self) -> int:
        return total(self, "skipped")

    @field("How many records were archived here, because the CRM has deleted them.")
    def records_archived(self) -> int:
        return total(self, "archived")

    @field("How many records could not be taken over.")
    def records_failed(self) -> int:
        return total(self, "failed")

    @field("0 to 1; null while the total is not known.")
    def progress(self) -> float | None:
        return run_progress(self.row)

    @field("How many seconds it will still take, at the speed so far.")
    def eta_seconds(self) -> int | None:
        return run_eta(self.row)

    @field("The records that could not be taken over, and what stopped the run.", Paged(names=("first", "after")))
    async def errors(self, info: Info, page: Window) -> Listing[SyncError]:
        return Listing.of(await list_errors(info.context, self.row.id, page), SyncError)

    @field("How long it took, from start to end, in milliseconds; null until it has ended.")
    def duration_ms(self) -> int | None:
        run: SyncRunRow = self.row
        if run.started_at is None or run.completed_at is None:
            return None
        return round((run.completed_at - run.started_at).total_seconds() * 1000)
