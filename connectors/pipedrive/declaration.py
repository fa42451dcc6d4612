"""Pipedrive, declared. Where a fact is from: https://developers.pipedrive.com/docs/api/v1 and https://pipedrive.readme.io."""

from functools import partial

from connectors.declaration import Connector, ExternalType, OAuth, Removals
from connectors.pipedrive import writing
from connectors.pipedrive.activities import (
    always_note,
    is_done,
    read_content,
    read_deal,
    read_due_at,
    read_kind,
    read_kind_label,
    read_minutes,
    read_note,
    read_participants,
    say_note,
)
from connectors.pipedrive.custom import lead_fields
from connectors.pipedrive.fields import FAMILIES, list_keys, list_places, read_field
from connectors.pipedrive.filling import ACTIVITIES
from connectors.pipedrive.glance import list_anew
from connectors.pipedrive.lists import Recents, list_changes, list_v2, look_up, prove, search_in
from connectors.pipedrive.mapping import (
    always_open,
    custom_of,
    day_of,
    domain_of,
    is_deleted,
    labels_of,
    lead_first,
    point_at,
    read_address,
    read_amount,
    read_closed,
    read_currency,
    read_emails,
    read_industry,
    read_name,
    read_numbers,
    read_owner,
    read_pipeline,
    read_probability,
    read_stage,
    read_status,
)
from connectors.pipedrive.metadata import (
    find_complaint,
    find_refusal,
    read_active,
    read_fields,
    read_identity,
    read_pipelines,
    read_removals,
    read_users,
    read_words,
)
from connectors.pipedrive.rules import ERRORS, LIMITS, PAGING, RATES, widen
from connectors.reading import Listing, Lookup, Source
from storage.shapes import CredentialKind, RecordType

make_type = partial(ExternalType, read=read_field, places=list_places, keys=list_keys)

ORGANIZATION = make_type(
    name="Organization",
    record_type=RecordType.ORGANIZATION,
    label="Organization",
    is_writable=True,
    listings=(list_v2("/api/v2/organizations"),),
    changes=(list_changes("/api/v2/organizations"),),
    second=(list_anew("/api/v2/organizations", "Organization"),),
    lookups=(look_up("/api/v2/organizations"),),
    proof=prove("/api/v2/organizations"),
    search=search_in("/api/v2/organizations"),
    mapping={
        "name": "name",
        "domain": domain_of,
        "website": "website",
        "industry": read_industry,
        "employee_count": "employee_count",
        "address": read_address("address"),
        "tags": labels_of("Organization"),
        "owner_external_id": read_owner,
        "custom_fields": custom_of("Organization"),
    },
    references={},
    writes=writing.ORGANIZATION,
    created="add_time",
    updated="update_time",
    deleted=is_deleted,
    page="{account}/organization/{id}",
)

PERSON = make_type(
    name="Person",
    record_type=RecordType.CONTACT,
    label="Person",
    is_writable=True,
    listings=(list_v2("/api/v2/persons"),),
    changes=(list_changes("/api/v2/persons"),),
    second=(list_anew("/api/v2/persons", "Person"),),
    lookups=(look_up("/api/v2/persons"),),
    proof=prove("/api/v2/persons"),
    search=search_in("/api/v2/persons"),
    mapping={
        "kind": lead_first,
        "name": read_name,
        "first_name": "first_name",
        "last_name": "last_name",
        "job_title": "job_title",
        "emails": read_emails,
        "phones": read_numbers,
        "address": read_address("postal_address"),
        "tags": labels_of("Person"),
        "owner_external_id": read_owner,
        "custom_fields": custom_of("Person"),
    },
    references={"organization": point_at("Organization", "org_id")},
    telling={"emails": "email", "phones": "phone"},
    writes=writing.PERSON,
    created="add_time",
    updated="update_time",
    deleted=is_deleted,
    page="{account}/person/{id}",
)

DEAL = make_type(
    name="Deal",
    record_type=RecordType.DEAL,
    label="Deal",
    is_writable=True,
    # archived deals have left the normal list; here they are deals like others
    listings=(list_v2("/api/v2/deals"), list_v2("/api/v2/deals/archived", cost=20)),
    changes=(
        list_changes("/api/v2/deals"),
        list_changes("/api/v2/deals/archived", cost=20),
        list_changes("/api/v2/deals", status="deleted"),
    ),
    second=(list_anew("/api/v2/deals", "Deal"), list_anew("/api/v2/deals/archived", "Deal", cost=20)),
    lookups=(look_up("/api/v2/deals"), look_up("/api/v2/deals/archived", cost=20)),
    proof=prove("/api/v2/deals"),
    search=search_in("/api/v2/deals"),
    needs=("pipelines",),
    mapping={
        "title": "title",
        "amount_value": read_amount,
        "amount_currency": read_currency,
        "status": read_status,
        "stage": read_stage,
        "pipeline": read_pipeline,
        "probability": read_probability,
        "expected_close_on": day_of("expected_close_date"),
        "closed_at": read_closed,
        "owner_external_id": read_owner,
        "custom_fields": custom_of("Deal"),
    },
    telling={"closed_at": "close_time"},
    writes=writing.DEAL,
    references={
        "contacts": point_at("Person", "person_id"),
        "organization": point_at("Organization", "org_id"),
    },
    created="add_time",
    updated="update_time",
    deleted=is_deleted,
    page="{account}/deal/{id}",
    promotes=True,
)

LEADS = Listing(path="/api/v1/leads", paging="offset", cost=20, since="updated_since")

LEAD = make_type(
    name="Lead",
    record_type=RecordType.DEAL,
    label="Lead",
    is_writable=True,
    listings=(
        # both come in the order in which they were created; `sort` takes no direction here
        LEADS,
        Listing(path="/api/v1/leads/archived", paging="offset", cost=40),
    ),
    # archived ones are read-only, and their list cannot be asked for changes: a FULL reads it
    changes=(LEADS,),
    second=(
        Listing(path="/api/v1/leads", params={"sort": "update_time"}, paging="offset", cost=20),
        Listing(path="/api/v1/leads/archived", params={"sort": "update_time"}, paging="offset", cost=40),
    ),
    lookups=(Lookup(path="/api/v1/leads/{id}", paging="all", cost=2),),
    proof=Lookup(path="/api/v1/leads/{id}", paging="all", cost=2),
    search=search_in("/api/v2/leads"),
    needs=("leadLabels",),
    writes=writing.LEAD,
    mapping={
        "title": "title",
        "amount_value": read_amount,
        "amount_currency": read_currency,
        "status": always_open,
        "expected_close_on": day_of("expected_close_date"),
        "owner_external_id": read_owner,
        "custom_fields": lead_fields,
    },
    references={
        # a hit of a search has objects in the place of the ids
        "contacts": point_at("Person", "person_id", "person"),
        "organization": point_at("Organization", "organization_id", "organization"),
    },
    created="add_time",
    updated="update_time",
    page="{account}/leads/inbox/{id}",
)

ACTIVITY = make_type(
    name="Activity",
    needs=("activityTypes", "activeTypes"),
    writes=writing.ACTIVITY,
    record_type=RecordType.ACTIVITY,
    label="Activity",
    is_writable=True,
    listings=(list_v2("/api/v2/activities"),),
    changes=(list_changes("/api/v2/activities"),),
    second=(list_anew("/api/v2/activities"),),
    lookups=(look_up("/api/v2/activities"),),
    proof=prove("/api/v2/activities"),
    mapping={
        "kind": read_kind,
        "kind_label": read_kind_label,
        "subject": "subject",
        "body": read_note,
        "due_on": day_of("due_date"),
        "due_at": read_due_at,
        "duration_minutes": read_minutes,
        "is_done": is_done,
        "owner_external_id": read_owner,
        "custom_fields": custom_of("Activity"),
    },
    references={
        "contacts": read_participants,
        "organization": point_at("Organization", "org_id"),
        "deal": read_deal,
    },
    telling={"due_at": "due_time"},
    created="add_time",
    updated="update_time",
    deleted=is_deleted,
)

NOTES = Listing(path="/api/v1/notes", params={"sort": "id ASC"}, paging="offset", cost=20, since="updated_since")

NOTE = make_type(
    name="Note",
    record_type=RecordType.ACTIVITY,
    label="Note",
    is_writable=True,
    listings=(NOTES,),
    changes=(NOTES,),
    second=(Listing(path="/api/v1/notes", params={"sort": "update_time DESC"}, paging="offset", cost=20),),
    lookups=(Lookup(path="/api/v1/notes/{id}", paging="all", cost=2),),
    proof=Lookup(path="/api/v1/notes/{id}", paging="all", cost=2),
    writes=writing.NOTE,
    mapping={
        "kind": always_note,
        "kind_label": say_note,
        "body": read_content,
        "owner_external_id": read_owner,
    },
    references={
        "contacts": point_at("Person", "person_id"),
        "organization": point_at("Organization", "org_id"),
        "deal": read_deal,
    },
    created="add_time",
    updated="update_time",
    deleted=is_deleted,
)

USERS = Listing(path="/api/v1/users", paging="all", cost=20)
PIPELINES = Listing(path="/api/v2/pipelines", paging="cursor", cost=5)
STAGES = Listing(path="/api/v2/stages", paging="cursor", cost=5)


def list_fields(path: str, *, optional: bool = False) -> Listing:
    """The list of fields, which has pages too."""
    return Listing(path=path, paging="cursor", cost=10, optional=optional)


FIELDS = {
    "Organization": list_fields("/api/v2/organizationFields"),
    "Person": list_fields("/api/v2/personFields"),
    "Deal": list_fields("/api/v2/dealFields"),
    "Lead": list_fields("/api/v2/dealFields", optional=True),  # a lead has the custom fields of deals, another scope
    "Activity": list_fields("/api/v2/activityFields", optional=True),  # with OAuth it takes the scope `admin`
}

CONNECTOR = Connector(
    name="PIPEDRIVE",
    label="Pipedrive",
    credential_kinds=(CredentialKind.OAUTH2, CredentialKind.API_TOKEN),
    auth={
        CredentialKind.API_TOKEN: ("x-api-token", "{token}"),
        CredentialKind.OAUTH2: ("authorization", "Bearer {token}"),
    },
    scopes=(
        "base",
        "contacts:full",
        "deals:full",
        "activities:full",
        "leads:full",
        "users:read",
        "search:read",
        "recents:read",
        "webhooks:full",
        "contact-fields:full",
    ),
    wider=widen,
    # https://pipedrive.readme.io/docs/marketplace-oauth-authorization
    oauth=OAuth(
        default_url="https://oauth.pipedrive.com",
        authorize="/oauth/authorize",
        token="/oauth/token",  # noqa: S106 # a path
        revoke="/oauth/revoke",
        sends_scopes=False,
        refusals=("user_denied", "access_denied"),
        host="api_domain",
    ),
    settings=("PIPEDRIVE_CLIENT_ID", "PIPEDRIVE_CLIENT_SECRET"),
    setup_url="https://developers.pipedrive.com",
    docs="docs/pipedrive.md",
    default_api_url="https://api.pipedrive.com",
    account_host=r"https://[a-z0-9-]+\.pipedrive\.com",
    request_id="x-correlation-id",
    refusals=find_refusal,
    codes=("code", "errorCode"),
    complaints=find_complaint,
    paging=PAGING,
    limits=LIMITS,
    rates=RATES,
    errors=ERRORS,
    identity=Source(listings=(Listing(path="/v1/users/me", paging="all", cost=2),), read=read_identity),
    users=Source(listings=(USERS,), read=read_users),
    pipelines=Source(listings=(PIPELINES, STAGES), read=read_pipelines),
    fields={name: Source(listings=(listing,), read=read_fields(name)) for name, listing in FIELDS.items()},
    families=FAMILIES,
    words={
        "activityTypes": Source(
            listings=(Listing(path="/api/v1/activityTypes", paging="all", cost=20),),
            read=read_words("key_string", "name"),
        ),
        "activeTypes": Source(
            listings=(Listing(path="/api/v1/activityTypes", paging="all", cost=20),), read=read_active
        ),
        "leadLabels": Source(
            listings=(Listing(path="/api/v1/leadLabels", paging="all", cost=10),), read=read_words("id", "name")
        ),
    },
    activities=ACTIVITIES,
    types=(ORGANIZATION, PERSON, DEAL, LEAD, ACTIVITY, NOTE),
    needed=frozenset({"is_deleted", "deleted", "active_flag"}),
    removals=Removals(
        # the lists of changes show no deleted person, organization, activity or note
        listing=Recents(
            path="/api/v1/recents",
            paging="offset",
            cost=20,
            since="since_timestamp",
            optional=True,  # it takes the scope recents:read
        ),
        read=read_removals,
    ),
)
