"""HubSpot's objects as they are written: https://developers.hubspot.com/docs/api-reference/latest/crm/objects."""

from collections.abc import Mapping
from typing import Any

from connectors.hubspot import objects
from connectors.hubspot.filling import (
    begin_activity,
    begin_contact,
    begin_deal,
    begin_note,
    encode_property,
    fill_address,
    fill_call_span,
    fill_closing,
    fill_currency,
    fill_day,
    fill_emails,
    fill_meeting_span,
    fill_moment,
    fill_name,
    fill_phones,
    fill_pipeline,
    fill_stage,
    fill_state,
    fill_tags,
    fill_task_kind,
    stay,
)
from connectors.hubspot.objects import Kind
from connectors.hubspot.reading import Whole
from connectors.hubspot.seeking import (
    SEARCH_LAG,
    ByEmail,
    BySearch,
    Newest,
    by_domain,
    by_full_name,
    by_name,
    by_phone,
)
from connectors.hubspot.sending import LeadStatus, Update, create_objects
from connectors.writing import Fill, Made, Writes

OWNER = "hubspot_owner_id"
DUE = frozenset({"due_on", "due_at"})


def write_objects(
    kind: Kind,
    fills: Mapping[str, str | Fill],
    *,
    created: str = "hs_createdate",
    clears: tuple[str, ...] = (),
    **more: Any,
) -> Writes:
    """How objects of a type are written: they differ in their properties alone."""
    return Writes(
        fills={**fills, "owner_external_id": OWNER},
        encode=encode_property,
        owner=OWNER,
        creates=create_objects(kind),
        changes=Update(kind=kind, clears=clears),
        reads=Whole(kind=kind),
        made=Made(listing=Newest(kind=kind, created=created), lag=SEARCH_LAG),
        **more,
    )


def write_activities(kind: Kind, fills: Mapping[str, str | Fill], **more: Any) -> Writes:
    """What activities of all types have: a time, and relations."""
    return write_objects(
        kind,
        {"kind": stay(kind.name), "due_on": fill_day("hs_timestamp"), "due_at": fill_moment("hs_timestamp"), **fills},
        relations={"contacts": None, "organization": None, "deal": None},
        **{"together": (DUE,), "starts": begin_activity(), **more},
    )


COMPANIES = write_objects(
    objects.COMPANIES,
    {
        "name": "name",
        "domain": "domain",
        "website": "website",
        "industry": "industry",
        "employee_count": "numberofemployees",
        "phone": "phone",
        "address": fill_address,
        "tags": fill_tags,
    },
    created="createdate",
    relations={},
    required=frozenset({"name", "domain"}),
    finds=dict.fromkeys(
        ("domain", "name"), BySearch(kind=objects.COMPANIES, groups={"domain": by_domain, "name": by_name})
    ),
    label=LeadStatus(kind=objects.COMPANIES),
)

CONTACTS = write_objects(
    objects.CONTACTS,
    {
        "name": fill_name,
        "first_name": "firstname",
        "last_name": "lastname",
        "job_title": "jobtitle",
        "emails": fill_emails,
        "phones": fill_phones,
        "address": fill_address,
        "lifecycle_stage": "lifecyclestage",
        "tags": fill_tags,
    },
    created="createdate",
    clears=("lifecyclestage",),  # which goes forward only
    starts=begin_contact,
    relations={"organization": None},
    required=frozenset({"email", "firstname", "lastname"}),
    finds={
        "email": ByEmail(kind=objects.CONTACTS),
        "phone": BySearch(kind=objects.CONTACTS, groups={"phone": by_phone}),
        "name": BySearch(kind=objects.CONTACTS, groups={"name": by_full_name}),
    },
    label=LeadStatus(kind=objects.CONTACTS),
)

DEALS = write_objects(
    objects.DEALS,
    {
        "title": "dealname",
        "amount_value": "amount",
        "amount_currency": fill_currency,
        "pipeline": fill_pipeline,
        "stage": fill_stage,
        "expected_close_on": fill_closing,
    },
    created="createdate",
    starts=begin_deal,
    at_first=frozenset({"status"}),  # later its stage says it
    relations={"contacts": None, "organization": None},
    required=frozenset({"dealname"}),
)

CALLS = write_activities(
    objects.CALLS,
    {
        "subject": "hs_call_title",
        "body": "hs_call_body",
        "duration_minutes": fill_call_span,
        "is_done": fill_state("hs_call_status", "COMPLETED", "QUEUED"),
    },
    starts=begin_activity(hs_call_direction="OUTBOUND"),
)

EMAILS = write_activities(
    objects.EMAILS,
    {
        "subject": "hs_email_subject",
        "body": "hs_email_html",
        "is_done": fill_state("hs_email_status", "SENT", "SCHEDULED"),
    },
    starts=begin_activity(hs_email_direction="EMAIL"),
)

TIMES = ("hs_timestamp", "hs_meeting_start_time")
MEETINGS = write_activities(
    objects.MEETINGS,
    {
        "subject": "hs_meeting_title",
        "body": "hs_meeting_body",
        "due_on": fill_day(*TIMES),
        "due_at": fill_moment(*TIMES),
        "duration_minutes": fill_meeting_span,
        "is_done": fill_state("hs_meeting_outcome", "COMPLETED", "SCHEDULED"),
    },
    together=(DUE | {"duration_minutes"},),
)

TASKS = write_activities(
    objects.TASKS,
    {
        "kind": fill_task_kind,
        "subject": "hs_task_subject",
        "body": "hs_task_body",
        "is_done": fill_state("hs_task_status", "COMPLETED", "NOT_STARTED"),
    },
)

NOTES = write_activities(
    objects.NOTES,
    {"body": "hs_note_body"},
    starts=begin_note,
    at_first=frozenset({"subject", "is_done"}),
    required=frozenset({"hs_note_body"}),
)
