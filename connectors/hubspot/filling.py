"""HubSpot's properties as they are filled from our columns: all values are texts, and an empty one empties."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.custom import name_options
from connectors.facts import Field
from connectors.hubspot.mapping import ADDRESS
from connectors.hubspot.metadata import FLAG, SEVERAL
from connectors.values import read_moment
from connectors.writing import Fill, Making, find_stage
from storage.declare import camel
from storage.records import ActivityKind

ACTIVITIES: Mapping[ActivityKind, tuple[str, str]] = {
    ActivityKind.CALL: ("calls", "Call"),
    ActivityKind.EMAIL: ("emails", "Email"),
    ActivityKind.MEETING: ("meetings", "Meeting"),
    ActivityKind.LINKEDIN: ("tasks", "LINKED_IN"),
    ActivityKind.REFERRAL: ("tasks", "TODO"),
    ActivityKind.CONFERENCE: ("meetings", "Meeting"),
    ActivityKind.TASK: ("tasks", "TODO"),
    ActivityKind.NOTE: ("notes", "Note"),
}

MOST_PHONES = 2


# ---------------------------------------------------------------- by type


def encode_property(name: str, value: Any, making: Making) -> Mapping[str, Any]:
    """A value as JSON has it, by the type of the property. Raises Unwritable for one that is none."""
    if value in (None, "", [], {}):
        return {name: ""}
    field = making.fields.get(name)
    write = WRITERS.get(field.type) if field else None
    return {name: write(field, value, making) if field and write else write_text(field, value, making)}


def write_text(field: Field | None, value: Any, making: Making) -> str:
    """A text; of a list of entries the first."""
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(value, list) and len(value) > 1 and field:
        making.leave(field.name, f"{field.label} takes one value: {len(value) - 1} more are left out.")
    text = first.get("value") if isinstance(first, dict) else first
    if isinstance(text, bool):
        return str(text).lower()
    if not isinstance(text, str | int | float):
        raise making.refuse(field.name if field else "", f"{field.label if field else 'The property'} takes a text.")
    return str(text)


def write_number(field: Field, value: Any, making: Making) -> str:
    """A number; of an amount the amount, since HubSpot keeps no currency with it."""
    number = value.get("amount") if isinstance(value, dict) else value
    try:
        float(number)  # type: ignore[arg-type] # what it is not is refused here
    except (TypeError, ValueError):
        raise making.refuse(field.name, f"{field.label} takes a number.") from None
    return str(number)


def write_day(field: Field, value: Any, making: Making) -> str:
    """A day; of a moment its day."""
    return read_time(field, value, making)[:10]


def read_time(field: Field, value: Any, making: Making) -> str:
    """A moment; of a day its midnight in UTC."""
    text = str(value)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise making.refuse(field.name, f"{field.label} takes a day or a moment.") from None
    return midnight(text) if len(text) == len("2026-11-02") else text


def midnight(day: str) -> str:
    """The first moment of a day, in UTC."""
    return f"{day}T00:00:00Z"


def find_option(field: Field, value: Any) -> str | None:
    """The value of the option of that label, or of that value; capitals count only where two differ by them."""
    text = str(value).strip()
    labels = name_options(field.options)
    folded = text.casefold()
    ways: tuple[Callable[[str, str], bool], ...] = (
        lambda _, label: label == text,
        lambda one, _: one == text,
        lambda one, label: folded in (label.strip().casefold(), one.casefold()),
    )
    return next((one for fits in ways for one, label in labels.items() if fits(one, label)), None)


def write_option(field: Field, value: Any, making: Making) -> str:
    """An option by its label; a property whose options are elsewhere, such as owners, takes ids."""
    found = find_option(field, value) if field.options else str(value)
    if found is None:
        raise making.refuse(field.name, f"{field.label} has no option {str(value)[:100]}.")
    return found


def write_options(field: Field, value: Any, making: Making) -> str:
    """Several, apart by semicolons."""
    several = value if isinstance(value, list) else [value]
    return ";".join(write_option(field, one, making) for one in several)


def write_flag(field: Field, value: Any, making: Making) -> str:
    """True or false."""
    if not isinstance(value, bool):
        raise making.refuse(field.name, f"{field.label} takes true or false.")
    return str(value).lower()


WRITERS: Mapping[str, Callable[[Field, Any, Making], str]] = {
    "number": write_number,
    "date": write_day,
    "datetime": read_time,
    "enumeration": write_option,
    SEVERAL: write_options,
    FLAG: write_flag,
}


# ---------------------------------------------------------------- contacts and companies


def fill_name(value: Any, _: Making) -> Mapping[str, Any]:
    """Given name and family name, which is the last word; a single word is a given name."""
    first, _space, last = str(value or "").strip().rpartition(" ")
    return {"firstname": first or last, "lastname": last if first else ""}


def fill_emails(value: Any, making: Making) -> Mapping[str, Any]:
    """The primary address, and the additional ones where the account lets us write them; elsewhere they stay as they are."""
    texts = [one["value"] for one in sorted(value or (), key=lambda one: not one.get("primary"))]
    found = {"email": texts[0] if texts else ""}
    more = making.fields.get("hs_additional_emails")
    if more is not None and more.is_writable:
        found["hs_additional_emails"] = ";".join(texts[1:])
    elif texts[1:]:
        why = "HubSpot lets nobody write additional e-mail addresses here"
        making.leave("hs_additional_emails", f"Only the primary address was written: {why}.")
    return found


def fill_phones(value: Any, making: Making) -> Mapping[str, Any]:
    """One number and a mobile one, which takes the second of others too: HubSpot has no place for more."""
    entries = list(value or ())
    marked = next((one for one in entries if str(one.get("label")).lower() == "mobile"), None)
    others = [one for one in entries if one is not marked]
    plain, second = [*others, None, None][:2]
    mobile = marked or second
    if len(entries) > MOST_PHONES:
        making.leave("phone", f"{MOST_PHONES} of {len(entries)} numbers were written: HubSpot has no place for more.")
    return {"phone": plain["value"] if plain else "", "mobilephone": mobile["value"] if mobile else ""}


def fill_address(value: Any, making: Making) -> Mapping[str, Any]:
    """The parts, each a property; a street is one line."""
    given = value or {}
    parts = {"address": given.get("street")}
    parts |= {name: given.get(part, given.get(camel(part))) for part, name in ADDRESS.items()}
    if "address2" in making.fields:
        parts["address2"] = None
    return {name: text or "" for name, text in parts.items()}


def fill_tags(value: Any, making: Making) -> Mapping[str, Any]:
    """The lead status, of which a record has one: the first that there is."""
    if not value:
        return {"hs_lead_status": ""}
    field = making.fields.get("hs_lead_status")
    found = [one for name in value if field and (one := find_option(field, name))]
    if not found:
        raise making.refuse("hs_lead_status", f"There is no lead status {str(value[0])[:100]}.")
    if len(value) > 1:
        making.leave("hs_lead_status", "One of the tags was written: HubSpot has one lead status.")
    return {"hs_lead_status": found[0]}


def begin_contact(making: Making) -> Mapping[str, Any]:
    """A contact needs an address or a name: one with a number alone is called by it."""
    phones = making.values.get("phones") or ()
    number = making.values.get("phone") or next((one["value"] for one in phones), None)
    is_named = any(making.values.get(name) for name in ("name", "first_name", "last_name", "email", "emails"))
    return {"lastname": number} if number and not is_named else {}


# ---------------------------------------------------------------- deals


def fill_stage(value: Any, making: Making) -> Mapping[str, Any]:
    """The stage by its name, with its pipeline."""
    pipeline, stage = find_stage(value, making, "dealstage")
    return {"pipeline": pipeline, "dealstage": stage}


def fill_pipeline(value: Any, making: Making) -> Mapping[str, Any]:
    """The pipeline by its name, and its first stage."""
    found = [one for one in making.catalog.pipelines if one.name == value and one.stages]
    if len(found) != 1:
        raise making.refuse("pipeline", f"There is not one pipeline {str(value)[:100]}.")
    return {"pipeline": found[0].external_id, "dealstage": found[0].stages[0].external_id}


def fill_currency(value: Any, making: Making) -> Mapping[str, Any]:
    """The currency; an account with one currency has no property for it, and it is that one."""
    if "deal_currency_code" not in making.fields:
        own = making.catalog.words.get("portal", {}).get("currency")
        if value is None or own in (None, value):
            return {}
        raise making.refuse("deal_currency_code", f"The account's only currency is {own}.")
    return encode_property("deal_currency_code", value, making)


def fill_closing(value: Any, _: Making) -> Mapping[str, Any]:
    """The day, as its midnight in UTC."""
    return {"closedate": midnight(value) if value else ""}


def begin_deal(making: Making) -> Mapping[str, Any]:
    """The first stage of the first pipeline; for a deal that is over, one that says so."""
    wanted = {"WON": 100, "LOST": 0}.get(str(making.values.get("status")))
    for pipeline in making.catalog.pipelines[:1]:
        closed = [one for one in pipeline.stages if wanted is not None and one.is_closed and one.probability == wanted]
        for stage in [*closed, *pipeline.stages][:1]:
            return {"pipeline": pipeline.external_id, "dealstage": stage.external_id}
    return {}


# ---------------------------------------------------------------- activities


def stay(type_: str) -> Fill:
    """A kind that is written as records of this type needs no property."""

    def fill(value: Any, making: Making) -> Mapping[str, Any]:
        if ACTIVITIES.get(ActivityKind(value), ("", ""))[0] != type_:
            raise making.refuse("kind", f"What is one of {type_} becomes no {value}.")
        return {}

    return fill


def fill_task_kind(value: Any, making: Making) -> Mapping[str, Any]:
    """The type of the task: one for LinkedIn where the account has it."""
    stay("tasks")(value, making)
    field, word = making.fields.get("hs_task_type"), ACTIVITIES[ActivityKind(value)][1]
    known = {one for one, _ in field.options} if field else set()
    return {"hs_task_type": word if not known or word in known else "TODO"}


def fill_day(*names: str) -> Fill:
    """HubSpot knows no days of activities: the midnight in UTC, unless a time is known."""

    def fill(value: Any, making: Making) -> Mapping[str, Any]:
        if value is None or making.values.get("due_at"):
            return {}
        return {name: midnight(value) for name in names}

    return fill


def fill_moment(*names: str) -> Fill:
    """The time; an activity without any keeps what it has."""
    return lambda value, _: {} if value is None else dict.fromkeys(names, value)


def fill_state(name: str, done: str, open_: str) -> Fill:
    """A state that says done, or one that says not yet."""
    return lambda value, _: {name: done if value else open_}


def fill_call_span(value: Any, _: Making) -> Mapping[str, Any]:
    """Milliseconds."""
    return {"hs_call_duration": "" if value is None else str(value * 60_000)}


def fill_meeting_span(value: Any, making: Making) -> Mapping[str, Any]:
    """The end, which is so many minutes behind the start."""
    day = making.values.get("due_on")
    start = read_moment(making.values.get("due_at") or (midnight(day) if day else None), "dueAt")
    if value is None:
        return {"hs_meeting_end_time": ""}
    if start is None:
        raise making.refuse("hs_meeting_end_time", "A meeting's duration needs its start.")
    return {"hs_meeting_end_time": (start + timedelta(minutes=value)).isoformat().replace("+00:00", "Z")}


def begin_activity(**usual: str) -> Callable[[Making], Mapping[str, Any]]:
    """An activity without a time is of now; and what else one of its type has."""
    return lambda making: {
        "hs_timestamp": making.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **usual,
    }


def begin_note(making: Making) -> Mapping[str, Any]:
    """A note has no subject: one without a text has the subject as its text."""
    subject = making.values.get("subject")
    return {**begin_activity()(making), **({"hs_note_body": subject} if subject else {})}
