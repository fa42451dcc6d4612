"""HubSpot's types of objects: what is told of each before anything of it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.hubspot.rules import VERSION
from connectors.reading import Api


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A type of objects."""

    name: str
    """As paths have it."""
    id: str
    """As a record's page has it. https://developers.hubspot.com/docs/api-reference/latest/crm/understanding-the-crm"""
    modified: str
    """The property with the time of the last change."""
    associated: tuple[str, ...]
    """The types that its relations lead to."""
    read: tuple[str, ...]
    """The properties that are read where the account does not tell which there are."""

    @property
    def path(self) -> str:
        """Of its objects."""
        return f"/crm/objects/{VERSION}/{self.name}"

    def association_path(self, target: str) -> str:
        """Where relations are read, of many objects at a time."""
        return f"/crm/associations/{VERSION}/{self.name}/{target}/batch/read"

    async def properties(self, api: Api) -> Sequence[str]:
        """The names of all its properties in the account; the usual ones where it does not tell."""
        return sorted(field.name for field in await api.fields(self.name)) or self.read


PEOPLE = ("contacts", "companies", "deals")
ALWAYS = ("hs_object_id", "hubspot_owner_id", "hs_merged_object_ids")
PLACE = ("address", "city", "state", "zip", "country")


def _kind(name: str, id: str, modified: str, associated: Iterable[str], *read: str) -> Kind:
    return Kind(name=name, id=id, modified=modified, associated=tuple(associated), read=(*ALWAYS, modified, *read))


COMPANIES = _kind(
    "companies", "0-2", "hs_lastmodifieddate", (), "name", "domain", "website", "industry", "numberofemployees", "phone",
    "address2", "hs_lead_status", *PLACE,
)  # fmt: skip
CONTACTS = _kind(
    "contacts", "0-1", "lastmodifieddate", ("companies",), "firstname", "lastname", "email", "hs_additional_emails",
    "phone", "mobilephone", "jobtitle", "lifecyclestage", "hs_lead_status", "associatedcompanyid", *PLACE,
)  # fmt: skip
DEALS = _kind(
    "deals", "0-3", "hs_lastmodifieddate", ("contacts", "companies"), "dealname", "amount", "deal_currency_code",
    "dealstage", "pipeline", "closedate", "hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost",
    "hs_deal_stage_probability",
)  # fmt: skip
CALLS = _kind(
    "calls", "0-48", "hs_lastmodifieddate", PEOPLE, "hs_timestamp", "hs_call_title", "hs_call_body", "hs_call_duration",
    "hs_call_status",
)  # fmt: skip
EMAILS = _kind(
    "emails", "0-49", "hs_lastmodifieddate", PEOPLE, "hs_timestamp", "hs_email_subject", "hs_email_html",
    "hs_email_text", "hs_email_status", "hs_email_direction",
)  # fmt: skip
MEETINGS = _kind(
    "meetings", "0-47", "hs_lastmodifieddate", PEOPLE, "hs_timestamp", "hs_meeting_title", "hs_meeting_body",
    "hs_meeting_start_time", "hs_meeting_end_time", "hs_meeting_outcome",
)  # fmt: skip
TASKS = _kind(
    "tasks", "0-27", "hs_lastmodifieddate", PEOPLE, "hs_timestamp", "hs_task_subject", "hs_task_body", "hs_task_status",
    "hs_task_type",
)  # fmt: skip
NOTES = _kind("notes", "0-46", "hs_lastmodifieddate", PEOPLE, "hs_timestamp", "hs_note_body")
