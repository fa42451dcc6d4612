"""The fields of each type of record, built in and custom, as the Fields API v2 lists them."""

from hashlib import sha1
from typing import Any

from sandbox.pipedrive.company import ACTIVITY_TYPES, LABELS, Profile

Json = dict[str, Any]

ADDRESS_PARTS = (
    "value", "street_number", "route", "subpremise", "sublocality", "locality", "admin_area_level_1",
    "admin_area_level_2", "country", "postal_code", "formatted_address",
)  # fmt: skip
SUBFIELDS = {
    "address": ADDRESS_PARTS,
    "monetary": ("value", "currency"),
    "daterange": ("value", "until"),
    "time": ("value", "timezone_name"),
    "timerange": ("value", "until", "timezone_name"),
}

# One line per built-in field: code, type, name. A `?` marks a field that lists leave out unless `include_fields` asks.
BUILT_IN = {
    "Person": """
        id int ID | name varchar Name | first_name varchar First name | last_name varchar Last name | email varchar Email
        phone phone Phone | org_id org Organization | owner_id user Owner | label_ids set Labels
        visible_to visible_to Visible to | add_time date Person created | update_time date Update time
        picture_id picture Profile picture | ?next_activity_id int Next activity | ?last_activity_id int Last activity
        ?open_deals_count int Open deals | ?related_open_deals_count int Related open deals
        ?closed_deals_count int Closed deals | ?related_closed_deals_count int Related closed deals
        ?won_deals_count int Won deals | ?related_won_deals_count int Related won deals
        ?lost_deals_count int Lost deals | ?related_lost_deals_count int Related lost deals
        ?participant_open_deals_count int Participant in open deals
        ?participant_closed_deals_count int Participant in closed deals
        ?activities_count int Total activities | ?done_activities_count int Done activities
        ?undone_activities_count int Activities to do | ?notes_count int Notes | ?files_count int Files
        ?followers_count int Followers | ?email_messages_count int Email messages count
        ?last_incoming_mail_time date Last email received | ?last_outgoing_mail_time date Last email sent
        ?smart_bcc_email varchar Smart BCC email | ?marketing_status enum Marketing status
        ?doi_status enum Double opt-in""",
    "Organization": """
        id int ID | name varchar Name | owner_id user Owner | label_ids set Labels | address address Address
        visible_to visible_to Visible to | add_time date Organization created | update_time date Update time
        website varchar Website | linkedin varchar LinkedIn profile | industry enum Industry
        annual_revenue double Annual revenue | employee_count int Number of employees
        ?people_count int People | ?open_deals_count int Open deals | ?closed_deals_count int Closed deals
        ?won_deals_count int Won deals | ?lost_deals_count int Lost deals | ?activities_count int Total activities
        ?done_activities_count int Done activities | ?undone_activities_count int Activities to do
        ?related_open_deals_count int Related open deals | ?related_closed_deals_count int Related closed deals
        ?related_won_deals_count int Related won deals | ?related_lost_deals_count int Related lost deals
        ?notes_count int Notes | ?files_count int Files | ?followers_count int Followers
        ?email_messages_count int Email messages count | ?smart_bcc_email varchar Smart BCC email
        ?next_activity_id int Next activity | ?last_activity_id int Last activity""",
    "Deal": """
        id int ID | title varchar Title | creator_user_id user Creator | owner_id user Owner | value monetary Value
        currency varchar_options Currency | person_id people Contact person | org_id org Organization
        pipeline_id pipeline Pipeline | stage_id stage Stage | status status Status | probability int Probability
        label_ids set Labels | lost_reason varchar_options Lost reason | expected_close_date date Expected close date
        visible_to visible_to Visible to | add_time date Deal created | update_time date Update time
        stage_change_time date Last stage change | close_time date Deal closed on | won_time date Won time
        lost_time date Lost time | archive_time date Archive time | is_archived boolean Archived
        origin varchar Source origin | origin_id varchar Source origin ID | channel enum Source channel
        channel_id varchar Source channel ID | acv monetary ACV | arr monetary ARR | mrr monetary MRR
        ?next_activity_id int Next activity | ?last_activity_id int Last activity | ?notes_count int Notes
        ?activities_count int Total activities | ?done_activities_count int Done activities
        ?undone_activities_count int Activities to do | ?products_count int Products | ?files_count int Files
        ?followers_count int Followers | ?participants_count int Participants | ?source_lead_id varchar Source lead
        ?first_won_time date First won time | ?email_messages_count int Email messages count
        ?last_incoming_mail_time date Last email received | ?last_outgoing_mail_time date Last email sent
        ?smart_bcc_email varchar Smart BCC email""",
    "Activity": """
        id int ID | subject varchar Subject | type enum Type | owner_id user Assigned to user
        creator_user_id user Creator | done boolean Done | due_date date Due date | due_time time Due time
        duration time Duration | busy boolean Free or busy | deal_id deal Deal | lead_id lead Lead
        person_id people Contact person | org_id org Organization | project_id project Project
        location address Location | participants participants Participants | ?attendees attendees Attendees
        public_description text Public description | note text Note | priority enum Priority
        add_time date Add time | update_time date Last updated time
        marked_as_done_time date Marked as done time""",
}
CONTACT_SYNC = """
    notes text Notes | im varchar Instant messenger | birthday date Birthday | job_title varchar Job title
    postal_address address Postal address"""

# Custom fields: name, type, options. Every type there is; two of one name.
CUSTOM: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Person": (
        ("Lead source", "enum", "Inbound,Outbound,Referral,Trade fair"),
        ("Interests", "set", "Pricing,Support,Security,Roadmap"),
        ("LinkedIn", "varchar", ""),
        ("Score", "double", ""),
        ("Budget", "monetary", ""),
        ("Home address", "address", ""),
        ("Last contract", "date", ""),
        ("Region", "varchar", ""),
        ("Region", "enum", "North,South,East,West"),
        ("Preferred name", "varchar_auto", ""),
        ("Background", "text", ""),
        ("Account manager", "user", ""),
        ("Partner company", "org", ""),
        ("Referred by", "people", ""),
        ("Holiday", "daterange", ""),
        ("Best time to call", "time", ""),
        ("Office hours", "timerange", ""),
        ("Fax", "phone", ""),
        ("Legacy ID", "double", ""),
        # What an import of long ago left behind: enough of it that the list of fields has a second page.
        *((f"Import 2019 column {number:02d}", "varchar", "") for number in range(1, 61)),
    ),
    "Organization": (
        ("Tier", "enum", "Bronze,Silver,Gold"),
        ("VAT number", "varchar", ""),
        ("Tags", "set", "Key account,Reseller,At risk"),
        ("Contract value", "monetary", ""),
        ("Reception", "phone", ""),
        ("Customer since", "date", ""),
        ("Delivery address", "address", ""),
        ("Employees (old)", "double", ""),
        ("Parent", "org", ""),
        ("Main contact", "people", ""),
        ("Success manager", "user", ""),
        ("Fiscal year", "daterange", ""),
        ("Service hours", "timerange", ""),
        ("Daily cut-off", "time", ""),
        ("History", "text", ""),
        ("City", "varchar_auto", ""),
    ),
    "Deal": (
        ("Priority", "enum", "Low,Normal,High"),
        ("Products", "set", "Core,Add-on,Training"),
        ("PO number", "varchar", ""),
        ("Discount", "double", ""),
        ("Setup fee", "monetary", ""),
        ("Kick-off", "date", ""),
        ("Contract period", "daterange", ""),
        ("Hotline", "phone", ""),
        ("Campaign", "varchar_auto", ""),
        ("Scope", "text", ""),
        ("Sales engineer", "user", ""),
        ("Reseller", "org", ""),
        ("Decision maker", "people", ""),
        ("Demo at", "time", ""),
        ("Support window", "timerange", ""),
        ("Site", "address", ""),
    ),
    "Activity": (),
}
STATUSES = (("open", "Open"), ("won", "Won"), ("lost", "Lost"), ("deleted", "Deleted"))


def make_fields(profile: Profile) -> dict[str, list[Json]]:
    """The fields by type of record; option ids count on through the whole company, as they do at the vendor's."""
    numbers = iter(range(1, 100_000))
    fields = {}
    for kind, text in BUILT_IN.items():
        more = CONTACT_SYNC if kind == "Person" and profile.contact_sync else ""
        built_in = [make_built_in(line, numbers) for line in split_lines(f"{text}|{more}")]
        custom = [
            make_custom(hash_code(profile, kind, place, name), name, field_type, split_options(options, numbers))
            for place, (name, field_type, options) in enumerate(CUSTOM[kind][: profile.custom])
        ]
        fields[kind] = built_in + custom
    return fields


def split_lines(text: str) -> list[str]:
    return [part.strip() for line in text.splitlines() for part in line.split("|") if part.strip()]


def hash_code(profile: Profile, kind: str, *parts: object) -> str:
    """A key of 40 hexadecimal digits, different in every company."""
    seed = ":".join(map(str, (profile.company_id, kind, *parts)))
    return sha1(seed.encode(), usedforsecurity=False).hexdigest()


def split_options(text: str, numbers: Any) -> list[Json] | None:
    return [{"id": next(numbers), "label": label} for label in text.split(",")] if text else None


def make_built_in(line: str, numbers: Any) -> Json:
    code, field_type, name = line.split(" ", 2)
    options: dict[str, list[Json]] = {
        "label_ids": [{"id": next(numbers), "label": label} for label in LABELS] if code == "label_ids" else [],
        "type": [{"id": key, "label": label} for key, label, active, _ in ACTIVITY_TYPES if active],
        "status": [{"id": key, "label": label} for key, label in STATUSES],
    }
    return make_field(code.removeprefix("?"), name, field_type, options.get(code), optional=code.startswith("?"))


def make_custom(code: str, name: str, field_type: str, options: list[Json] | None) -> Json:
    return make_field(code, name, field_type, options, custom=True)


def make_field(
    code: str, name: str, field_type: str, options: list[Json] | None, *, custom: bool = False, optional: bool = False
) -> Json:
    parts = SUBFIELDS.get(field_type) if custom or field_type == "address" else None
    return {
        "field_name": name,
        "field_code": code,
        "description": None,
        "field_type": field_type,
        "options": options,
        "subfields": parts
        and [{"field_code": part, "field_name": f"{part} of {name}", "field_type": "varchar"} for part in parts],
        "is_custom_field": custom,
        "is_optional_response_field": optional,
    }


def custom_fields(fields: list[Json]) -> dict[str, Json]:
    return {field["field_code"]: field for field in fields if field["is_custom_field"]}


def label_ids(fields: list[Json]) -> list[int]:
    """The options of the built-in label field."""
    return [option["id"] for field in fields if field["field_code"] == "label_ids" for option in field["options"]]
