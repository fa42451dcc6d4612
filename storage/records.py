"""The unified records. Each column and relation is declared here and nowhere else."""

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic import Field as Shape
from sqlalchemy import ARRAY, DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB

from storage.declare import Declared, column, criterion, group, many, one
from storage.shapes import RecordType, ReplicationStatus

now = partial(datetime.now, UTC)
Sorted = partial(Text, collation="C")  # the same order in every Postgres, whatever its locale


class ContactKind(Enum):
    """Whether business with the person has begun."""

    LEAD = "LEAD"
    CONTACT = "CONTACT"


class DealStatus(Enum):
    """How a deal stands."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class ActivityKind(Enum):
    """OTHER, with kindLabel: what the CRM calls it."""

    CALL = "CALL"
    EMAIL = "EMAIL"
    MEETING = "MEETING"
    TASK = "TASK"
    NOTE = "NOTE"
    LINKEDIN = "LINKEDIN"
    REFERRAL = "REFERRAL"
    CONFERENCE = "CONFERENCE"
    OTHER = "OTHER"


class EmailAddress(BaseModel):
    """One of a person's e-mail addresses."""

    value: str = Shape(description="The address, as the CRM holds it.")
    label: str | None = Shape(default=None, description="What it is for: work, home …")
    primary: bool = Shape(default=False, description="Whether it is the one to use first.")


class PhoneNumber(BaseModel):
    """`e164` is null where the number cannot be parsed; `value` is what the CRM holds."""

    value: str = Shape(description="The number, as the CRM holds it.")
    e164: str | None = Shape(default=None, description="The number in its international form: +420602123456.")
    label: str | None = Shape(default=None, description="What it is for: work, mobile …")
    primary: bool = Shape(default=False, description="Whether it is the one to use first.")


class Address(BaseModel):
    """A postal address, as far as the CRM tells its parts apart."""

    street: str | None = Shape(default=None, description="Street and number.")
    city: str | None = Shape(default=None, description="City or town.")
    region: str | None = Shape(default=None, description="State, province or county.")
    postal_code: str | None = Shape(default=None, description="Postal code.")
    country: str | None = Shape(default=None, description="Country, as the CRM holds it.")


class Money(BaseModel):
    """An amount in its own currency; nothing is converted."""

    amount: Decimal = Shape(description="The amount, exact.")
    currency: str | None = Shape(default=None, description="Its currency: a code of three letters of ISO 4217.")


class Record(Declared):
    """What every unified record has."""

    id: UUID = column(primary_key=True)
    workspace_id: UUID = column()
    custom_fields: dict[str, Any] = column(
        "What the CRMs hold beyond this shape, by the name of the field there.",
        default=dict,
        sa_type=JSONB,
        merge="union",
    )
    owner_integration_id: UUID | None = column()
    owner_external_id: str | None = column()
    created_at: datetime = column(
        "When it was first seen here.", default=now, sa_type=DateTime(True), filter=True, order=True, merge="local"
    )
    updated_at: datetime = column(
        "When it last changed here.", default=now, sa_type=DateTime(True), filter=True, order=True, merge="local"
    )
    archived_at: datetime | None = column(
        "When its last source was deleted, or it was archived here.", sa_type=DateTime(True), merge="local"
    )

    ids = criterion(UUID, "{t}.id = ANY({given})")
    integration_id = criterion(
        UUID,
        "EXISTS (SELECT FROM source_record s WHERE s.workspace_id = {t}.workspace_id"
        " AND s.record_id = {t}.id AND s.integration_id = ANY({given}))",
    )
    crm = criterion(
        "Crm",
        "EXISTS (SELECT FROM source_record s WHERE s.workspace_id = {t}.workspace_id"
        " AND s.record_id = {t}.id AND s.crm = ANY({given}))",
    )
    owner_email = criterion(
        str,
        "EXISTS (SELECT FROM crm_user u WHERE u.workspace_id = {t}.workspace_id"
        " AND u.integration_id = {t}.owner_integration_id AND u.external_id = {t}.owner_external_id AND {match})",
        value="u.email",
        ignore_case=True,
    )


CUSTOM = criterion(dict, "")
"""By the names of custom fields, which are not declared: `storage.custom` writes the condition."""
TAG = criterion(str, "EXISTS (SELECT FROM unnest({t}.tags) AS tag(value) WHERE {match})", value="tag.value")


class Contact(Record):
    """A person, one across all CRMs of the workspace."""

    kind: ContactKind | None = column(
        "CONTACT once there is business, LEAD before.", filter=True, sa_type=Text, merge="derived"
    )
    name: str | None = column("The full name.", filter=True, order=True, sa_type=Sorted())
    first_name: str | None = column("The given name.")
    last_name: str | None = column("The family name.")
    job_title: str | None = column("The role at work.")
    email: str | None = column("The primary e-mail address.", order=True, sa_type=Sorted())
    emails: list[EmailAddress] = column(
        "All e-mail addresses, the primary first.", default=list, sa_type=JSONB, merge="union"
    )
    phone: str | None = column("The primary number: E.164 where it can be parsed, else as the CRM holds it.")
    phones: list[PhoneNumber] = column(
        "All phone numbers, the primary first.", default=list, sa_type=JSONB, merge="union"
    )
    address: Address | None = column("The postal address.", sa_type=JSONB)
    lifecycle_stage: str | None = column("The stage of the relation, in the CRM's word.", filter=True)
    tags: list[str] = column("The CRM's labels, by name.", default=list, sa_type=ARRAY(Text), merge="union")
    warmness: int | None = column(
        "0 to 5; warm from the workspace's threshold on.", filter=True, order=True, merge="local"
    )
    organization_id: UUID | None = column(filter=True)

    email_filter = criterion(
        str,
        "EXISTS (SELECT FROM jsonb_array_elements({t}.emails) AS e WHERE {match})",
        value="e ->> 'value'",
        ignore_case=True,
    )
    phone_filter = criterion(
        str,
        "EXISTS (SELECT FROM jsonb_array_elements({t}.phones) AS e,"
        " unnest(ARRAY[e ->> 'value', e ->> 'e164']) AS phone(value) WHERE {match})",
        value="phone.value",
    )
    tag = TAG
    is_warm_lead = criterion(
        bool,
        "{t}.warmness >= (SELECT w.warm_lead_threshold FROM workspace w WHERE w.id = %(workspace)s)",
    )
    custom_fields_filter = CUSTOM
    organization = one("The employer.", "Organization", key="organization_id")
    deals = many("Deals that the person takes part in.", "Deal", through="deal_contact")
    activities = many("What was done, or is to be done, with the person.", "Activity", through="activity_contact")


class Organization(Record):
    """A company, one across all CRMs of the workspace."""

    name: str | None = column("The name.", filter=True, order=True, sa_type=Sorted())
    domain: str | None = column("The internet domain.", filter=True)
    website: str | None = column("The address of the website.")
    industry: str | None = column("The line of business.", filter=True)
    employee_count: int | None = column("How many people work there.", filter=True, order=True)
    phone: str | None = column("The primary phone number.")
    address: Address | None = column("The postal address.", sa_type=JSONB)
    tags: list[str] = column("The CRM's labels, by name.", default=list, sa_type=ARRAY(Text), merge="union")

    tag = TAG
    custom_fields_filter = CUSTOM
    contacts = many("Those who work there.", "Contact", key="organization_id")
    deals = many("Deals with it.", "Deal", key="organization_id")
    activities = many("What was done, or is to be done, with it.", "Activity", key="organization_id")


class Deal(Record):
    """A CRM's pre-deal (a Pipedrive lead) is a Deal without a stage whose source says what it is."""

    title: str | None = column("What it is about.", filter=True, order=True, sa_type=Sorted())
    amount_value: Decimal | None = column(filter="amount", order="amount", within="amount_currency")
    amount_currency: str | None = column(filter="currency", sa_type=Sorted())
    status: DealStatus | None = column("Open, won or lost; null where it cannot be known.", filter=True, sa_type=Text)
    stage: str | None = column("The name of its stage.", filter=True)
    pipeline: str | None = column("The name of its pipeline.", filter=True)
    probability: int | None = column("Per cent.")
    expected_close_on: date | None = column("The day it should close.", filter=True, order=True)
    closed_at: datetime | None = column("When it was won or lost.", sa_type=DateTime(True), filter=True)
    organization_id: UUID | None = column(filter=True)

    amount = group("What it is worth.", Money, amount="amount_value", currency="amount_currency")
    custom_fields_filter = CUSTOM
    contact_id = criterion(
        UUID,
        "EXISTS (SELECT FROM deal_contact d WHERE d.workspace_id = {t}.workspace_id"
        " AND d.deal_id = {t}.id AND d.contact_id = ANY({given}))",
    )
    organization = one("The customer.", "Organization", key="organization_id")
    contacts = many("Those who take part.", "Contact", through="deal_contact")
    activities = many("What was done, or is to be done, for it.", "Activity", key="deal_id")


class Activity(Record):
    """dueOn is the day; dueAt is given only where the CRM knows a time, in UTC. A day is never turned into a midnight."""

    kind: ActivityKind = column("What kind of activity.", default=ActivityKind.OTHER, filter=True, sa_type=Text)
    kind_label: str | None = column("The CRM's own word for the kind.")
    subject: str | None = column("What it is about.", filter=True)
    body: str | None = column("Sanitized HTML or plain text.")
    due_on: date | None = column("The day.", filter=True, order=True)
    due_at: datetime | None = column("The moment, where the CRM knows a time.", sa_type=DateTime(True), filter=True)
    duration_minutes: int | None = column("How long it takes.")
    is_done: bool = column("Whether it is done.", default=False, filter=True)
    organization_id: UUID | None = column(filter=True)
    deal_id: UUID | None = column(filter=True)

    contact_id = criterion(
        UUID,
        "EXISTS (SELECT FROM activity_contact a WHERE a.workspace_id = {t}.workspace_id"
        " AND a.activity_id = {t}.id AND a.contact_id = ANY({given}))",
    )
    replication_status = criterion(
        ReplicationStatus,
        "(EXISTS (SELECT FROM (SELECT DISTINCT ON (p.integration_id) p.status FROM push p"
        " WHERE p.workspace_id = {t}.workspace_id AND p.record_id = {t}.id AND p.kind = 'ACTIVITY'"
        " ORDER BY p.integration_id, p.seq DESC) last"
        " WHERE CASE last.status WHEN 'COMMITTED' THEN 'REPLICATED' WHEN 'FAILED' THEN 'FAILED'"
        " WHEN 'SKIPPED' THEN 'NOT_APPLICABLE' ELSE 'PENDING' END = ANY({given}))"
        " OR ('NOT_APPLICABLE' = ANY({given}) AND NOT EXISTS (SELECT FROM push p"
        " WHERE p.workspace_id = {t}.workspace_id AND p.record_id = {t}.id AND p.kind = 'ACTIVITY')))",
    )
    contacts = many("Those who take part.", "Contact", through="activity_contact")
    organization = one("The company it concerns.", "Organization", key="organization_id")
    deal = one("The deal it concerns.", "Deal", key="deal_id")


RECORDS: dict[str, type[Record]] = {record.__name__: record for record in (Contact, Organization, Deal, Activity)}
BY_TYPE: dict[RecordType, type[Record]] = {RecordType[name.upper()]: record for name, record in RECORDS.items()}

SEARCHED: dict[str, str] = {
    "Contact": "coalesce({t}.name, '') || ' ' || jsonb_path_query_array({t}.emails, '$[*].value')::text"
    " || ' ' || jsonb_path_query_array({t}.phones, '$[*].e164 ? (@ != null)')::text"
    " || ' ' || regexp_replace(jsonb_path_query_array({t}.phones, '$[*].value')::text, '[^0-9,]', '', 'g')",
    "Organization": "coalesce({t}.name, '') || ' ' || coalesce({t}.domain, '')",
    "Deal": "coalesce({t}.title, '')",
    "Activity": "coalesce({t}.subject, '')",
}
"""What `search` looks in: an SQL expression of text for each record, a row of which is `{t}`. Its words are cut at
everything that is no letter and no digit."""

SEARCHED_TOO: dict[str, str] = {"Contact": "organization"}
"""The relation to one record whose words count as well."""
