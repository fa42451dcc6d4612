"""HubSpot, declared. Where a fact is from: https://developers.hubspot.com/docs/api-reference/latest."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from connectors.declaration import Connector, Convert, ExternalType, OAuth
from connectors.hubspot import objects, writing
from connectors.hubspot.activities import (
    always,
    at,
    body_of,
    is_one_of,
    is_over,
    is_sent,
    on,
    read_call_minutes,
    read_meeting_minutes,
    read_task_kind,
    read_task_label,
    say,
    values,
)
from connectors.hubspot.fields import FAMILIES, read_field
from connectors.hubspot.filling import ACTIVITIES
from connectors.hubspot.mapping import (
    employed_by,
    read_address,
    read_amount,
    read_closed,
    read_company_domain,
    read_currency,
    read_emails,
    read_expected,
    read_headcount,
    read_kind,
    read_merged,
    read_name,
    read_numbers,
    read_pipeline,
    read_probability,
    read_stage,
    read_status,
    read_tags,
    refer_to,
)
from connectors.hubspot.metadata import read_identity, read_owners, read_pipelines, read_portal, read_properties
from connectors.hubspot.names import custom_fields, label_of
from connectors.hubspot.objects import Kind
from connectors.hubspot.reading import Batch, Census, Changes, Objects, Single, Words, complete, trace
from connectors.hubspot.rules import ERRORS, LIMITS, PAGING, RATES, VERSION, find_policy
from connectors.hubspot.sending import find_existing, list_complaints
from connectors.reading import Listing, Source
from storage.records import ActivityKind
from storage.shapes import CredentialKind, RecordType

OWNER = "properties.hubspot_owner_id"
EVERYBODY: Mapping[str, Convert] = {
    "contacts": refer_to("contacts"),
    "organization": refer_to("companies"),
    "deal": refer_to("deals"),
}
"""What an activity can be associated with."""


def make_type(
    kind: Kind, type_: RecordType, label: str, mapping: Mapping[str, str | Convert], **more: Any
) -> ExternalType:
    """A type of objects: they differ in their properties alone."""
    return ExternalType(
        name=kind.name,
        record_type=type_,
        label=label,
        is_writable=True,
        listings=(Objects(kind=kind, path=kind.path, params={"archived": "false"}, paging="after", cost=1),),
        changes=(Changes(kind=kind),),
        lookups=(Batch(kind=kind),),
        proof=Single(kind=kind, path=f"{kind.path}/{{id}}", paging="one", cost=1),
        search=Words(kind=kind),
        counts=Census(kind=kind),
        bin=Listing(path=kind.path, params={"archived": "true"}, paging="after", cost=1, optional=True),
        complete=partial(complete, kind),
        trace=partial(trace, kind) if kind.associated else None,
        merged=read_merged,
        read=read_field,
        places=lambda name: (f"properties.{name}",),
        holders=("properties", "associations"),
        mapping={**mapping, "custom_fields": custom_fields},
        created="createdAt",
        updated="updatedAt",
        deleted="archived",
        page=f"{{account}}/record/{kind.id}/{{id}}",
        **more,
    )


TYPES = (
    make_type(
        objects.COMPANIES,
        RecordType.ORGANIZATION,
        "Company",
        {
            "name": "properties.name",
            "domain": read_company_domain,
            "website": "properties.website",
            "industry": label_of("industry"),
            "employee_count": read_headcount,
            "phone": "properties.phone",
            "address": read_address,
            "tags": read_tags,
            "owner_external_id": OWNER,
        },
        writes=writing.COMPANIES,
        references={},
    ),
    make_type(
        objects.CONTACTS,
        RecordType.CONTACT,
        "Contact",
        {
            "kind": read_kind,
            "name": read_name,
            "first_name": "properties.firstname",
            "last_name": "properties.lastname",
            "job_title": "properties.jobtitle",
            "emails": read_emails,
            "phones": read_numbers,
            "address": read_address,
            "lifecycle_stage": label_of("lifecyclestage"),
            "tags": read_tags,
            "owner_external_id": OWNER,
        },
        writes=writing.CONTACTS,
        references={"organization": employed_by},
        telling={"emails": "email", "phones": "phone"},
    ),
    make_type(
        objects.DEALS,
        RecordType.DEAL,
        "Deal",
        {
            "title": "properties.dealname",
            "amount_value": read_amount,
            "amount_currency": read_currency,
            "status": read_status,
            "stage": read_stage,
            "pipeline": read_pipeline,
            "probability": read_probability,
            "expected_close_on": read_expected,
            "closed_at": read_closed,
            "owner_external_id": OWNER,
        },
        writes=writing.DEALS,
        references={"contacts": refer_to("contacts"), "organization": refer_to("companies")},
        needs=("pipelines", "portal"),
    ),
    make_type(
        objects.CALLS,
        RecordType.ACTIVITY,
        "Call",
        values(
            always(ActivityKind.CALL),
            say("Call"),
            subject="properties.hs_call_title",
            body=body_of("hs_call_body"),
            duration_minutes=read_call_minutes,
            is_done=is_over,
        ),
        writes=writing.CALLS,
        references=EVERYBODY,
    ),
    make_type(
        objects.EMAILS,
        RecordType.ACTIVITY,
        "Email",
        values(
            always(ActivityKind.EMAIL),
            say("Email"),
            subject="properties.hs_email_subject",
            body=body_of("hs_email_html", "hs_email_text"),
            is_done=is_sent,
        ),
        writes=writing.EMAILS,
        references=EVERYBODY,
    ),
    make_type(
        objects.MEETINGS,
        RecordType.ACTIVITY,
        "Meeting",
        values(
            always(ActivityKind.MEETING),
            say("Meeting"),
            subject="properties.hs_meeting_title",
            body=body_of("hs_meeting_body"),
            due_on=on("hs_meeting_start_time", "hs_timestamp"),
            due_at=at("hs_meeting_start_time", "hs_timestamp"),
            duration_minutes=read_meeting_minutes,
            is_done=is_one_of("hs_meeting_outcome", "COMPLETED"),
        ),
        telling={"duration_minutes": "hs_meeting_end_time"},
        writes=writing.MEETINGS,
        references=EVERYBODY,
    ),
    make_type(
        objects.TASKS,
        RecordType.ACTIVITY,
        "Task",
        values(
            read_task_kind,
            read_task_label,
            subject="properties.hs_task_subject",
            body=body_of("hs_task_body"),
            is_done=is_one_of("hs_task_status", "COMPLETED"),
        ),
        writes=writing.TASKS,
        references=EVERYBODY,
    ),
    make_type(
        objects.NOTES,
        RecordType.ACTIVITY,
        "Note",
        values(always(ActivityKind.NOTE), say("Note"), body=body_of("hs_note_body")),
        writes=writing.NOTES,
        references=EVERYBODY,
    ),
)

DETAILS = Listing(path=f"/account-info/{VERSION}/details", paging="one", cost=1)
OWNERS = tuple(
    Listing(path=f"/crm/owners/{VERSION}", params={"archived": archived}, paging="after", cost=1)
    for archived in ("false", "true")
)

CONNECTOR = Connector(
    name="HUBSPOT",
    label="HubSpot",
    credential_kinds=(CredentialKind.OAUTH2, CredentialKind.API_TOKEN),
    auth=dict.fromkeys((CredentialKind.OAUTH2, CredentialKind.API_TOKEN), ("authorization", "Bearer {token}")),
    scopes=(
        "oauth",
        *(f"crm.objects.{area}.{right}" for area in ("contacts", "companies", "deals") for right in ("read", "write")),
        "crm.objects.owners.read",
        *(f"crm.schemas.{area}.{right}" for area in ("contacts", "companies", "deals") for right in ("read", "write")),
        "sales-email-read",
    ),
    # https://developers.hubspot.com/docs/api-reference/latest/authentication
    oauth=OAuth(
        default_url="https://app.hubspot.com",
        authorize="/oauth/authorize",
        token=f"/oauth/{VERSION}/token",
        revoke=f"/oauth/{VERSION}/token/revoke",
        on_api=True,
        client_auth="client_secret_post",
        scopes="scopes",
        user="user_id",
    ),
    settings=("HUBSPOT_CLIENT_ID", "HUBSPOT_CLIENT_SECRET"),
    setup_url="https://developers.hubspot.com",
    docs="docs/hubspot.md",
    default_api_url="https://api.hubapi.com",
    request_id="x-hubspot-correlation-id",
    exceeded=find_policy,
    codes=("category", "subCategory", "error"),
    complaints=list_complaints,
    existing=find_existing,
    paging=PAGING,
    limits=LIMITS,
    rates=RATES,
    errors=ERRORS,
    identity=Source(listings=(DETAILS,), read=read_identity),
    users=Source(listings=OWNERS, read=read_owners),
    pipelines=Source(
        listings=(Listing(path=f"/crm/pipelines/{VERSION}/deals", paging="all", cost=1),), read=read_pipelines
    ),
    fields={
        type_.name: Source(
            listings=(Listing(path=f"/crm/properties/{VERSION}/{type_.name}", paging="all", cost=1, optional=True),),
            read=read_properties(type_.name),
        )
        for type_ in TYPES
    },
    families=FAMILIES,
    words={"portal": Source(listings=(DETAILS,), read=read_portal)},
    needed=frozenset(
        {"hs_object_id", "hs_merged_object_ids"}
        | {"createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate"}
    ),
    activities=ACTIVITIES,
    types=TYPES,
)
