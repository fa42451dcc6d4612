"""The types of records: their names in paths, their times, and what a list shows of them unless told."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`title` is the property people edit; `created` and `changed` are the properties that hold the times."""

    plural: str
    singular: str
    type_id: str
    title: str
    created: str
    changed: str
    shown: tuple[str, ...]
    searched: tuple[str, ...]
    area: str  # of scopes, beside the type's own

    def defaults(self) -> tuple[str, ...]:
        return (*sorted({*self.shown, self.created, self.changed, "hs_object_id"}),)


def engagement(plural: str, singular: str, type_id: str, title: str, *searched: str) -> Kind:
    return Kind(
        plural, singular, type_id, title, "hs_createdate", "hs_lastmodifieddate", (), (title, *searched), "contacts"
    )


ALL = (
    Kind(
        "contacts", "contact", "0-1", "firstname", "createdate", "lastmodifieddate", ("email", "firstname", "lastname"),
        ("firstname", "lastname", "email", "phone", "hs_additional_emails", "fax", "mobilephone", "company",
         "hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"), "contacts",
    ),
    Kind(
        "companies", "company", "0-2", "name", "createdate", "hs_lastmodifieddate", ("name", "domain"),
        ("name", "domain", "phone", "website"), "companies",
    ),
    Kind(
        "deals", "deal", "0-3", "dealname", "createdate", "hs_lastmodifieddate",
        ("amount", "closedate", "dealname", "dealstage", "pipeline"),
        ("dealname", "pipeline", "dealstage", "description", "dealtype"), "deals",
    ),
    engagement("calls", "call", "0-48", "hs_call_title", "hs_call_body"),
    engagement("emails", "email", "0-49", "hs_email_subject"),
    engagement("meetings", "meeting", "0-47", "hs_meeting_title", "hs_meeting_body"),
    engagement("tasks", "task", "0-27", "hs_task_subject", "hs_task_body"),
    engagement("notes", "note", "0-46", "hs_note_body"),
)  # fmt: skip
KINDS = {kind.plural: kind for kind in ALL}
NAMES = {name: kind for kind in ALL for name in (kind.plural, kind.singular, kind.type_id)}
ENGAGEMENTS = ("calls", "emails", "meetings", "tasks", "notes")
