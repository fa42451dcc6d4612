"""The tables: the declared records with what only the database knows, and everything that is no record."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, DateTime, Index, LargeBinary, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from storage import records
from storage.declare import Relation, columns, declared, sort_key
from storage.records import Record, now
from storage.searching import keep_searched, search_column
from storage.shapes import ConflictPolicy, Direction, IntegrationStatus, Plan, Role, SyncStatus

MOMENT = DateTime(True)

SLIPS_IN = "kind = 'SELECTIVE' OR kind = 'REMAP'"
"""Runs that do not wait for a longer one of their integration: their pages come between its pages."""


# ---------------------------------------------------------------- the unified records


def indexes(record: type[Record], *more: Index) -> tuple[Index, ...]:
    """An index for each order and each foreign key, the workspace first: every statement is scoped by it.

    Nulls come last in both directions, which an index of Postgres serves in one direction only: a nullable column has two.
    """
    table, made = record.__name__.lower(), list[Index]()
    keys = {relation.key for relation in declared(record, Relation).values() if not relation.many}
    for column in columns(record).values():
        if column.order:
            key = sort_key(column)
            first: list[Any] = [text("workspace_id"), *([text(column.within)] if column.within else [])]
            made.append(Index(f"ix_{table}_{column.name}", *first, text(key), text("id")))
            if column.nullable:
                down = [text(f"{key} DESC NULLS LAST"), text("id DESC")]
                made.append(Index(f"ix_{table}_{column.name}_down", *first, *down))
        elif column.name in keys:
            made.append(Index(f"ix_{table}_{column.name}", column.name))
    return (*made, *more)


class Contact(records.Contact, table=True):
    """A person."""

    __tablename__ = "contact"
    __table_args__ = indexes(records.Contact)
    search: Any = search_column()


class Organization(records.Organization, table=True):
    """A company."""

    __tablename__ = "organization"
    __table_args__ = indexes(records.Organization)
    search: Any = search_column()


class Deal(records.Deal, table=True):
    """A sale."""

    __tablename__ = "deal"
    __table_args__ = indexes(records.Deal)
    search: Any = search_column()


class Activity(records.Activity, table=True):
    """A call, a meeting, a note."""

    __tablename__ = "activity"
    __table_args__ = indexes(records.Activity)
    search: Any = search_column()


keep_searched(Contact, Organization, Deal, Activity)


class DealContact(SQLModel, table=True):
    """Who takes part in a deal."""

    __tablename__ = "deal_contact"
    __table_args__ = (Index("ix_deal_contact_contact", "contact_id"),)
    deal_id: UUID = Field(primary_key=True)
    contact_id: UUID = Field(primary_key=True)
    workspace_id: UUID


class ActivityContact(SQLModel, table=True):
    """Who takes part in an activity."""

    __tablename__ = "activity_contact"
    __table_args__ = (Index("ix_activity_contact_contact", "contact_id"),)
    activity_id: UUID = Field(primary_key=True)
    contact_id: UUID = Field(primary_key=True)
    workspace_id: UUID


# ---------------------------------------------------------------- where they come from


class SourceRecord(SQLModel, table=True):
    """A CRM's record as it came, and its link to the unified record that it became."""

    __tablename__ = "source_record"
    __table_args__ = (
        Index("uq_source_record", "integration_id", "external_type", "external_id", unique=True),
        Index("ix_source_record_record", "record_id"),
        Index("ix_source_record_missing", "integration_id", postgresql_where=text("cardinality(missing) > 0")),
    )
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    integration_id: UUID = Field(foreign_key="integration.id", ondelete="CASCADE")
    crm: str
    external_type: str
    external_id: str
    record_type: str
    record_id: UUID
    url: str | None = None
    payload: Any = Field(sa_type=JSONB)
    mapped: dict[str, Any] = Field(sa_type=JSONB)
    """What this source says of the record, by column: what a merge of several sources starts from."""
    refs: dict[str, list[list[str]]] = Field(sa_type=JSONB)
    """relation -> [[external type, external id], …]: the CRM's records that it points at."""
    missing: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    """`type:id` of those that are not here yet: the link is made when they come."""
    content_hash: bytes = Field(sa_type=LargeBinary)
    """Of payload and mapped values together: equal means nothing to do, even after a change of the mapping."""
    observed_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    """When it was first read."""
    since: dict[str, str] = Field(default_factory=dict, sa_type=JSONB)
    """column -> when its present value was first read, for those that have changed since."""
    remote_created_at: datetime | None = Field(default=None, sa_type=MOMENT)
    remote_updated_at: datetime | None = Field(default=None, sa_type=MOMENT)
    synced_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    deleted_at: datetime | None = Field(default=None, sa_type=MOMENT)


class MatchKey(SQLModel, table=True):
    """What a source can be recognised by: an e-mail address, a phone number, a domain, a company's name; normalised."""

    __tablename__ = "match_key"
    __table_args__ = (
        Index("ix_match_key_value", "workspace_id", "record_type", "kind", "value"),
        Index("ix_match_key_record", "record_id"),
    )
    source_id: UUID = Field(primary_key=True)
    """The record itself, where it has no source any more: so it is found again when it comes anew."""
    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    workspace_id: UUID
    record_type: str
    record_id: UUID


class MergedRecord(SQLModel, table=True):
    """A unified record that has become part of another one: its id leads there."""

    __tablename__ = "merged_record"
    __table_args__ = (Index("ix_merged_record_record", "record_id"),)
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    record_id: UUID


class CrmUser(SQLModel, table=True):
    """A user of a CRM: who owns what there."""

    __tablename__ = "crm_user"
    integration_id: UUID = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    external_id: str = Field(primary_key=True)
    workspace_id: UUID
    name: str | None = None
    email: str | None = None
    is_active: bool = True
    member_id: UUID | None = None
    """Who it is here, where somebody has said so; else the member with the same address."""


# ---------------------------------------------------------------- integrations and runs


class Workspace(SQLModel, table=True):
    """The tenant: every row of every other table carries its id."""

    __tablename__ = "workspace"
    id: UUID = Field(primary_key=True)
    name: str
    handle: str | None = None
    """What whoever runs the gateway has called it: commands and sign-ins find it by that, however it is renamed."""
    plan: str = Plan.FREE.value
    source_priority: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    """Integrations whose values come first, the best one first; those that are not named come after them."""
    forgotten: int = Field(default=0, sa_type=BigInteger)
    """The last change that is no longer kept: a cursor before it has missed something."""
    warm_lead_threshold: int = 4
    """The warmness from which on a contact is a warm lead."""
    pushes_per_minute: int = 10
    """How many pushes of one member or API key leave in a minute."""
    created_at: datetime = Field(default_factory=now, sa_type=MOMENT)


class Member(SQLModel, table=True):
    """A person who works in a workspace."""

    __tablename__ = "member"
    __table_args__ = (Index("uq_member_email", "workspace_id", "email", unique=True),)
    id: UUID = Field(primary_key=True)
    workspace_id: UUID = Field(foreign_key="workspace.id", ondelete="CASCADE")
    email: str
    name: str | None = None
    role: str = Role.VIEWER.value
    invited_at: datetime | None = Field(default=None, sa_type=MOMENT)
    joined_at: datetime | None = Field(default=None, sa_type=MOMENT)
    invitation: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Digest of the token in the link that was last given out; null once it was followed."""
    invitation_ends_at: datetime | None = Field(default=None, sa_type=MOMENT)
    subject: str | None = None
    """The issuer's own name for the person, as it last came with this address: known again without it."""
    removed_at: datetime | None = Field(default=None, sa_type=MOMENT)
    """From then on the person is refused, whatever a sign-in says."""


class ApiKey(SQLModel, table=True):
    """A key that a program calls with. The secret was shown once; its hash is in `key_digest`."""

    __tablename__ = "api_key"
    __table_args__ = (Index("ix_api_key_workspace", "workspace_id", "created_at", "id"),)
    id: UUID = Field(primary_key=True)
    workspace_id: UUID = Field(foreign_key="workspace.id", ondelete="CASCADE")
    name: str
    role: str
    prefix: str
    """How the secret begins, for people to tell keys apart."""
    created_by: UUID | None = None
    created_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    expires_at: datetime | None = Field(default=None, sa_type=MOMENT)
    last_used_at: datetime | None = Field(default=None, sa_type=MOMENT)
    revoked_at: datetime | None = Field(default=None, sa_type=MOMENT)


class Integration(SQLModel, table=True):
    """One account of one CRM, connected to a workspace."""

    __tablename__ = "integration"
    __table_args__ = (Index("uq_integration_account", "workspace_id", "crm", "account_id", unique=True),)
    id: UUID = Field(primary_key=True)
    workspace_id: UUID = Field(foreign_key="workspace.id", ondelete="CASCADE")
    crm: str
    display_name: str
    status: str = IntegrationStatus.PENDING.value
    credential_kind: str
    credentials: bytes | None = Field(default=None, sa_type=LargeBinary)
    """Sealed by `storage.secrets`; null once disconnected."""
    scopes: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    account_id: str | None = None
    account_name: str | None = None
    account_url: str | None = None
    account_user_id: str | None = None
    account_time_zone: str | None = None
    record_types: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    filter: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    """Which records its runs take: {"contactKinds": […], "updatedSince": time, "createdSince": time}."""
    watermarks: dict[str, str] = Field(default_factory=dict, sa_type=JSONB)
    """external type -> the CRM's time up to which its changes are here; none before a FULL has ended."""
    excluded_fields: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    """The CRM's fields, in its own words, of which nothing is stored."""
    direction: str = Direction.INBOUND.value
    conflict_policy: str = ConflictPolicy.NEWEST_WINS.value
    push_warm_leads: bool = False
    replicate_activities: bool = False
    allow_new_picklist_values: bool = False
    """A label that the CRM does not have is added there; else it is left out."""
    push_failures: int = 0
    """How many pushes in a row the CRM has not answered: from a number on the others wait, and one is tried at a time."""
    push_resumes_at: datetime | None = Field(default=None, sa_type=MOMENT)
    """No push is sent before then: the CRM is down, or its quota is used up."""
    delete_guard_percent: int = 10
    """A FULL that would archive more than this of one type's sources waits for a word."""
    mappings_version: int = 0
    """Raised with each change of the mappings or of the excluded fields: what was mapped before is mapped anew."""
    to_remap: dict[str, list[str]] | None = Field(default=None, sa_type=JSONB)
    """external type -> local fields whose mapping has changed since all was last mapped; `*`: any. None: nothing known."""
    rounds: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """How far DELTAs have gone through what shows no change by itself, by name; none: the next begins anew."""
    health: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    """What the last check found: {"ok", "checkedAt", "latencyMs", "missingScopes", "message"}."""
    pending_until: datetime | None = Field(default=None, sa_type=MOMENT)
    """While nobody has consented yet: from then on it is as if it had never been."""
    same_as: UUID | None = None
    """Consent was for an account that was here already: this id leads to that integration."""
    held_by_plan: bool = False
    """PAUSED because the workspace's plan does not include it; a plan that does resumes it."""
    leaving_at: datetime | None = Field(default=None, sa_type=MOMENT)
    """It is being deleted: nobody sees it any more, and a job takes its records away."""
    last_synced_at: datetime | None = Field(default=None, sa_type=MOMENT)
    last_error: str | None = None
    connected_by: UUID | None = None
    created_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    updated_at: datetime = Field(default_factory=now, sa_type=MOMENT)


class OauthState(SQLModel, table=True):
    """A consent that somebody was sent to the CRM for. It is good for one answer, and the row goes with it."""

    __tablename__ = "oauth_state"
    __table_args__ = (Index("ix_oauth_state_integration", "integration_id"),)
    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    """Of the state: who reads the table cannot answer in anybody's place."""
    workspace_id: UUID
    integration_id: UUID = Field(foreign_key="integration.id", ondelete="CASCADE")
    display_name: str | None = None
    member_id: UUID | None = None
    return_to: str | None = None
    expires_at: datetime = Field(sa_type=MOMENT)


class SyncRun(SQLModel, table=True):
    """One run of a sync. It holds its own cursor: whatever dies, the next worker reads the row and goes on."""

    __tablename__ = "sync_run"
    __table_args__ = (
        Index(
            "uq_sync_run_writing",
            "integration_id",
            text(f"({SLIPS_IN})"),
            unique=True,
            postgresql_where=text("status IN ('RUNNING', 'WAITING')"),
        ),
        Index("ix_sync_run_created", "workspace_id", "created_at", "id"),
        Index("ix_sync_run_integration", "integration_id", "created_at", "id"),
    )
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    integration_id: UUID = Field(foreign_key="integration.id", ondelete="CASCADE")
    kind: str
    status: str = SyncStatus.QUEUED.value
    record_types: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    scope: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """What was asked for beside the types: {"records": [[external type, id], …], "filter": {…}, "limit": number}."""
    cursor: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    """Where the next page begins: {"listing": number, "page": the CRM's own cursor, …}; null before the first page."""
    counts: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """external type -> {"fetched": …, "created": …, "updated": …, "skipped": …, "archived": …, "failed": …}"""
    api_calls: int = 0
    is_dry_run: bool = False
    plan: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    """What it would do, of a dry run or of one that is held: {"counts", "moreCalls", "archivePercent", "sample"}."""
    attestation: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    """What was proven of each type: {"externalType", "evidence", "remoteCount", "localCount", "missing", …}."""
    approved: bool = False
    """Somebody has let it go on, though it archives much."""
    claim: int = 0
    """Raised each time a worker takes the run: a commit under an older claim is refused."""
    cancel_requested: bool = False
    message: str | None = None
    resumes_at: datetime | None = Field(default=None, sa_type=MOMENT)
    trigger: str
    triggered_by: UUID | None = None
    """The member who asked for it."""
    created_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    started_at: datetime | None = Field(default=None, sa_type=MOMENT)
    completed_at: datetime | None = Field(default=None, sa_type=MOMENT)
    updated_at: datetime = Field(default_factory=now, sa_type=MOMENT)


class SyncError(SQLModel, table=True):
    """One record that a run could not take over, or what stopped it."""

    __tablename__ = "sync_error"
    __table_args__ = (Index("uq_sync_error", "run_id", "external_type", "external_id", "code", unique=True),)
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    run_id: UUID = Field(foreign_key="sync_run.id", ondelete="CASCADE")
    external_type: str | None = None
    external_id: str | None = None
    field: str | None = None
    code: str
    message: str
    at: datetime = Field(default_factory=now, sa_type=MOMENT)
