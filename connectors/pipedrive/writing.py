"""Pipedrive's records as they are written: https://developers.pipedrive.com/docs/api/v1 (bodies of both versions)."""

from typing import Any

from connectors.phones import spell_phone
from connectors.pipedrive.encoding import encode_field
from connectors.pipedrive.filling import (
    begin_note,
    begin_organization,
    begin_person,
    fill_address,
    fill_currency,
    fill_due,
    fill_duration,
    fill_emails,
    fill_kind,
    fill_labels,
    fill_name,
    fill_phones,
    fill_pipeline,
    fill_stage,
    fill_status,
    fill_value,
    fill_worth,
    link,
    link_deal,
    link_participants,
    shape_v1,
    shape_v2,
    stay_note,
)
from connectors.pipedrive.names import LABELS
from connectors.pipedrive.seeking import LabelField, Search
from connectors.pipedrive.sending import CreateNote
from connectors.reading import Listing
from connectors.writing import Change, Create, Made, Writes


def newest(path: str) -> Made:
    """The list, the newest first: it shows at once what was made."""
    params = {"sort_by": "add_time", "sort_direction": "desc"}
    return Made(listing=Listing(path=path, params=params, paging="cursor", cost=10))


def write_v2(path: str, **more: Any) -> dict[str, Any]:
    """What all types of v2 share: `more` is of one of them."""
    return {
        "encode": encode_field,
        "owner": "owner_id",
        "creates": Create(path=path, cost=5, shape=shape_v2, id="data.id"),
        "changes": Change(path=f"{path}/{{id}}", cost=5, shape=shape_v2),
        "made": newest(path),
        **more,
    }


ORGANIZATION = Writes(
    fills={
        "name": "name",
        "website": "website",
        "industry": "industry",
        "employee_count": "employee_count",
        "address": fill_address("address"),
        "tags": fill_labels("Organization"),
        "owner_external_id": "owner_id",
    },
    told={"label_ids": LABELS},
    starts=begin_organization,
    at_first=frozenset({"domain"}),
    # they come with the plan
    spare=frozenset({"website", "industry", "employee_count", "annual_revenue", "linkedin"}),
    relations={},
    required=frozenset({"name"}),
    finds={"name": Search(path="/api/v2/organizations", field="name")},
    label=LabelField(fields="organizationFields"),
    **write_v2("/api/v2/organizations"),
)

PERSON = Writes(
    fills={
        "name": fill_name,
        "job_title": "job_title",
        "emails": fill_emails,
        "phones": fill_phones,
        "address": fill_address("postal_address"),
        "tags": fill_labels("Person"),
        "owner_external_id": "owner_id",
    },
    told={"emails": ("email",), "phones": ("phone",), "label_ids": LABELS},
    starts=begin_person,
    # v2 makes them of the name
    at_first=frozenset({"first_name", "last_name"}),
    relations={"organization": link("org_id")},
    required=frozenset({"name"}),
    finds={
        "email": Search(path="/api/v2/persons", field="email"),
        "phone": Search(path="/api/v2/persons", field="phone", spell=spell_phone),
        "name": Search(path="/api/v2/persons", field="name"),
    },
    label=LabelField(fields="personFields"),
    **write_v2("/api/v2/persons"),
)

DEAL = Writes(
    fills={
        "title": "title",
        "amount_value": fill_value,
        "amount_currency": fill_currency,
        "status": fill_status,
        "pipeline": fill_pipeline,
        "stage": fill_stage,
        "probability": "probability",
        "expected_close_on": "expected_close_date",
        "owner_external_id": "owner_id",
    },
    relations={"contacts": link("person_id"), "organization": link("org_id")},
    required=frozenset({"title"}),
    **write_v2("/api/v2/deals"),
)

LEAD = Writes(
    fills={
        "title": "title",
        "amount_value": fill_worth,
        "amount_currency": fill_worth,
        "expected_close_on": "expected_close_date",
        "owner_external_id": "owner_id",
    },
    encode=encode_field,
    owner="owner_id",
    together=(frozenset({"amount_value", "amount_currency"}),),
    relations={"contacts": link("person_id"), "organization": link("organization_id")},
    required=frozenset({"title"}),
    creates=Create(path="/api/v1/leads", cost=10, shape=shape_v1, id="data.id"),
    changes=Change(path="/api/v1/leads/{id}", cost=10, shape=shape_v1),
)

ACTIVITY = Writes(
    fills={
        "kind": fill_kind,
        "subject": "subject",
        "body": "note",
        "due_on": "due_date",
        "due_at": fill_due,
        "duration_minutes": fill_duration,
        "is_done": "done",
        "owner_external_id": "owner_id",
    },
    together=(frozenset({"due_on", "due_at"}),),
    relations={"contacts": link_participants, "organization": link("org_id"), "deal": link_deal},
    **write_v2("/api/v2/activities"),
)

NOTE = Writes(
    fills={"kind": stay_note, "body": "content", "owner_external_id": "user_id"},
    encode=encode_field,
    owner="user_id",
    starts=begin_note,
    at_first=frozenset({"subject", "is_done"}),
    relations={"contacts": link("person_id"), "organization": link("org_id"), "deal": link_deal},
    required=frozenset({"content"}),
    creates=CreateNote(path="/api/v1/notes", cost=10, shape=shape_v1, id="data.id", author="user_id"),
    changes=Change(path="/api/v1/notes/{id}", cost=10, shape=shape_v1, method="PUT"),
    made=Made(listing=Listing(path="/api/v1/notes", params={"sort": "add_time DESC"}, paging="offset", cost=20)),
)
