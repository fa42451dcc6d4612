"""Pipedrive's fields as they are filled from our columns and relations."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.facts import Reference
from connectors.pipedrive.encoding import write_entries, write_number, write_place
from connectors.pipedrive.mapping import STATUSES
from connectors.pipedrive.metadata import HASH
from connectors.pipedrive.names import names_of
from connectors.values import read_moment
from connectors.writing import Fill, Making, Written, find_stage
from storage.records import ActivityKind

ACTIVITIES: Mapping[ActivityKind, tuple[str, str]] = {
    ActivityKind.CALL: ("Activity", "call"),
    ActivityKind.EMAIL: ("Activity", "email"),
    ActivityKind.MEETING: ("Activity", "meeting"),
    ActivityKind.LINKEDIN: ("Activity", "task"),
    ActivityKind.REFERRAL: ("Activity", "task"),
    ActivityKind.CONFERENCE: ("Activity", "meeting"),
    ActivityKind.TASK: ("Activity", "task"),
    ActivityKind.NOTE: ("Note", "note"),
}


# ---------------------------------------------------------------- bodies


def shape_v2(written: Written) -> dict[str, Any]:
    """Custom fields apart from the others."""
    body = {name: value for name, value in written.fields.items() if not HASH.fullmatch(name)}
    custom = {name: value for name, value in written.fields.items() if HASH.fullmatch(name)}
    return {**body, "custom_fields": custom} if custom else body


def shape_v1(written: Written) -> dict[str, Any]:
    """All fields beside one another."""
    return dict(written.fields)


def link(field: str) -> Callable[[Sequence[Reference]], Mapping[str, Any]]:
    """The field that names the first of the records."""
    return lambda ends: {field: int(ends[0][1]) if ends else None}


def link_participants(ends: Sequence[Reference]) -> Mapping[str, Any]:
    """The people of an activity, the first of them its primary one."""
    return {"participants": [{"person_id": int(one), "primary": not place} for place, (_, one) in enumerate(ends)]}


def link_deal(ends: Sequence[Reference]) -> Mapping[str, Any]:
    """A deal, or a lead, which has a field of its own."""
    type_, one = ends[0] if ends else (None, None)
    return {"deal_id": int(one) if one and type_ == "Deal" else None, "lead_id": one if type_ == "Lead" else None}


# ---------------------------------------------------------------- persons and organizations


def fill_name(value: Any, making: Making) -> Mapping[str, Any]:
    """The name, which every person has: without one what else a new person would be called by."""
    found = {"name": value} if value else begin_person(making)
    if not found:
        raise making.refuse("name", "Pipedrive keeps no person without a name.")
    return found


def fill_emails(value: Any, _: Making) -> Mapping[str, Any]:
    """The whole list: what is left out is gone."""
    return {"emails": write_entries(value)}


def fill_phones(value: Any, _: Making) -> Mapping[str, Any]:
    """The whole list, as the numbers were written."""
    return {"phones": write_entries(value)}


def fill_address(field: str) -> Fill:
    """An address in its parts."""
    return lambda value, _: {field: write_place(value) if value else None}


def fill_labels(external: str) -> Fill:
    """The ids of labels by their names."""

    def fill(value: Any, making: Making) -> Mapping[str, Any]:
        labels = names_of(making.catalog).labels.get(external, {})
        exact = {label: one for one, label in labels.items()}
        folded = {label.casefold(): one for one, label in labels.items()}
        found = [exact.get(name, folded.get(name.casefold())) for name in value or ()]
        for name, one in zip(value or (), found, strict=True):
            if one is None:
                raise making.refuse("label_ids", f"There is no label {name[:100]}.")
        return {"label_ids": [int(one) for one in found if one is not None]}

    return fill


def begin_person(making: Making) -> Mapping[str, Any]:
    """Pipedrive needs a name: that of the parts, else an address or a number."""
    values = making.values
    parts = " ".join(part for name in ("first_name", "last_name") if (part := values.get(name)))
    emails, phones = values.get("emails") or (), values.get("phones") or ()
    listed = [one["value"] for one in (*emails, *phones)]
    name = parts or values.get("email") or values.get("phone") or next(iter(listed), None)
    return {"name": name} if name else {}


def begin_organization(making: Making) -> Mapping[str, Any]:
    """A website by the domain, which Pipedrive has no field for; the domain as the name, where there is none."""
    domain = making.values.get("domain")
    return {"website": f"https://{domain}", "name": domain} if domain else {}


# ---------------------------------------------------------------- deals and leads


def fill_stage(value: Any, making: Making) -> Mapping[str, Any]:
    """The stage by its name, with its pipeline."""
    pipeline, stage = find_stage(value, making, "stage_id")
    return {"pipeline_id": int(pipeline), "stage_id": int(stage)}


def fill_pipeline(value: Any, making: Making) -> Mapping[str, Any]:
    """The pipeline by its name: a deal begins there in the first stage."""
    found = [one for one, name in names_of(making.catalog).pipelines.items() if name == value]
    if len(found) != 1:
        raise making.refuse("pipeline_id", f"There is not one pipeline {str(value)[:100]}.")
    return {"pipeline_id": int(found[0])}


def fill_status(value: Any, making: Making) -> Mapping[str, Any]:
    """Open, won or lost."""
    found = next((word for word, status in STATUSES.items() if status.value == value), None)
    if found is None:
        raise making.refuse("status", "A deal is OPEN, WON or LOST.")
    return {"status": found}


def fill_value(value: Any, _: Making) -> Mapping[str, Any]:
    """The worth of a deal, whose currency is another field; without one it is worth nothing."""
    return {"value": write_number(value) or 0}


def fill_currency(value: Any, _: Making) -> Mapping[str, Any]:
    """The currency of a deal's worth: every deal has one, also without any worth."""
    return {"currency": value} if value else {}


def fill_worth(_: Any, making: Making) -> Mapping[str, Any]:
    """The worth of a lead, which has amount and currency in one."""
    amount, currency = making.values.get("amount_value"), making.values.get("amount_currency")
    return {"value": None if amount is None else {"amount": write_number(amount), "currency": currency}}


# ---------------------------------------------------------------- activities and notes


def fill_kind(value: Any, making: Making) -> Mapping[str, Any]:
    """The type's key. Companies switch types off: a task stands in for one that is off."""
    external, word = ACTIVITIES.get(ActivityKind(value), (None, None))
    active = making.catalog.words.get("activeTypes", {})
    found = next((one for one in (word, "task") if one and (not active or one in active)), None)
    if external != "Activity" or found is None:
        raise making.refuse("type", f"There is no type of activity for {value}.")
    return {"type": found}


def stay_note(value: Any, making: Making) -> Mapping[str, Any]:
    """A note stays a note."""
    if value != ActivityKind.NOTE.value:
        raise making.refuse("content", f"A note becomes no {value}.")
    return {}


def fill_due(value: Any, _: Making) -> Mapping[str, Any]:
    """Day and time in UTC; without a time the day alone stays."""
    if value is None:
        return {"due_time": None}
    moment = read_moment(value, "dueAt")
    if moment is None:
        return {"due_time": None}
    return {
        "due_date": moment.date().isoformat(),
        "due_time": f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}",
    }


def fill_duration(value: Any, _: Making) -> Mapping[str, Any]:
    """Hours and minutes."""
    return {"duration": None if value is None else f"{value // 60:02}:{value % 60:02}"}


def begin_note(making: Making) -> Mapping[str, Any]:
    """A note has no subject: one without a text has the subject as its text."""
    subject = making.values.get("subject")
    return {"content": subject} if subject else {}
