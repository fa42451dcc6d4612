"""What bodies may say of properties: every type's check, and what is stored for it."""

import re
from collections.abc import Callable
from typing import Any

from sandbox.hubspot.account import Portal
from sandbox.hubspot.answers import VendorError, fail, invalid
from sandbox.hubspot.kinds import ENGAGEMENTS, Kind
from sandbox.hubspot.moments import read_moment
from sandbox.hubspot.unique import find_unique
from sandbox.table import Json
from sandbox.wire import encode_key

EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+\Z")
LONGEST = 65_536
ONE_OF = {"contacts": ("email", "firstname", "lastname"), "companies": ("name", "domain")}


class InvalidError(Exception):
    """A value that the property does not take."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_text(_: Json, text: str) -> str:
    if len(text) > LONGEST:
        raise InvalidError("VALUE_TOO_LONG", f"was longer than {LONGEST} characters")
    return text


def read_number(_: Json, text: str) -> str:
    try:
        float(text)
    except ValueError as error:
        raise InvalidError("INVALID_INTEGER", f"{text[:40]} was not a valid number") from error
    return text


def read_datetime(_: Json, text: str) -> str:
    try:
        return read_moment(text)
    except (ValueError, OverflowError) as error:
        raise InvalidError("INVALID_DATE", f"{text[:40]} was not a valid date or time") from error


def read_day(declared: Json, text: str) -> str:
    return read_datetime(declared, text)[:10]


def read_flag(_: Json, text: str) -> str:
    if text.lower() not in {"true", "false"}:
        raise InvalidError("INVALID_BOOLEAN", f"{text[:40]} was not one of the allowed options: [true, false]")
    return text.lower()


def read_options(declared: Json, text: str) -> str:
    """Of a checkbox several, separated by semicolons, which may stand at both ends too."""
    if declared["externalOptions"]:
        return text
    known = [option["value"] for option in declared["options"]]
    several = declared["fieldType"] == "checkbox"
    chosen = [part for part in text.split(";") if part] if several else [text]
    for one in chosen:
        if one not in known:
            raise InvalidError("INVALID_OPTION", f"{one[:40]} was not one of the allowed options: {known}")
    return ";".join(chosen)


READERS: dict[str, Callable[[Json, str], str]] = {
    "string": read_text, "number": read_number, "datetime": read_datetime, "date": read_day, "bool": read_flag,
    "enumeration": read_options,
}  # fmt: skip


def read_value(portal: Portal, kind: Kind, name: str, given: Any) -> str | None:
    """What is stored for a value; None empties. Raises InvalidError."""
    declared = portal.properties[kind.plural].get(name)
    if declared is None:
        raise InvalidError("PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if declared["modificationMetadata"]["readOnlyValue"]:
        raise InvalidError("READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
    if given is None or given == "":
        return None
    if isinstance(given, dict | list):
        raise InvalidError("INVALID_VALUE", f"{name} takes a text")
    text = str(given).lower() if isinstance(given, bool) else str(given)
    if name == "email" and kind.plural == "contacts":
        text = text.strip().lower()
        if not EMAIL.match(text):
            raise InvalidError("INVALID_EMAIL", f"Email address {text[:80]} is invalid")
    if name == "hubspot_owner_id" and text not in {owner["id"] for owner in portal.owners if not owner["archived"]}:
        raise InvalidError("INVALID_OWNER_ID", f"Owner {text[:40]} does not exist")
    return READERS[declared["type"]](declared, text)


def read_values(portal: Portal, kind: Kind, given: Any) -> Json:
    """The properties of a body as they are stored; VendorError naming every one that is refused."""
    if not isinstance(given, dict):
        raise invalid("Invalid input JSON: properties must be an object")
    found: Json = {}
    wrong: list[Json] = []
    for name, value in given.items():
        try:
            found[name] = read_value(portal, kind, name, value)
        except InvalidError as error:
            wrong.append({"message": str(error), "code": error.code, "context": {"propertyName": [name]}})
    if wrong:
        raise refuse_values(wrong)
    return found


def refuse_values(wrong: list[Json]) -> VendorError:
    shown = [
        {
            "isValid": False,
            "message": each["message"],
            "error": each["code"],
            "name": each["context"]["propertyName"][0],
            "localizedErrorMessage": each["message"],
        }
        for each in wrong
    ]
    return invalid(f"Property values were not valid: {encode_key(shown)}", wrong)


def refuse_value(name: str, code: str, message: str) -> VendorError:
    return refuse_values([{"message": message, "code": code, "context": {"propertyName": [name]}}])


def require(kind: Kind, record: Json) -> None:
    """What a new record cannot be without."""
    wanted = ("hs_timestamp",) if kind.plural in ENGAGEMENTS else ONE_OF.get(kind.plural, ())
    if wanted and not any(record.get(name) for name in wanted):
        detail = {
            "message": f"one of {', '.join(wanted)} is required",
            "code": "MISSING_REQUIRED_PROPERTY",
            "context": {"properties": list(wanted)},
        }
        message = f"Error creating {kind.singular.upper()}. Some required properties were not set."
        raise invalid(message, [detail])


def check_stage(portal: Portal, record: Json) -> None:
    """A deal's stage is one of its pipeline's."""
    pipeline = next((each for each in portal.pipelines if each["id"] == record.get("pipeline")), None)
    stages = [stage["id"] for stage in pipeline["stages"]] if pipeline else []
    if record.get("dealstage") not in stages:
        raise refuse_value(
            "dealstage", "INVALID_OPTION", f"{record.get('dealstage')} was not one of the allowed options: {stages}"
        )


def check_unique(portal: Portal, kind: Kind, key: int | None, given: Json) -> None:
    """409 where another record has the value already; `key` is the record's own id."""
    for name, value in given.items():
        if value is None or not portal.properties[kind.plural][name]["hasUniqueValue"]:
            continue
        other = find_unique(portal, kind, name, value)
        if other is None or other.record["id"] == key:
            continue
        what = "Contact already exists" if name == "email" else f"A record with this {name} already exists"
        raise fail(409, "CONFLICT", f"{what}. Existing ID: {other.record['id']}")


def keep_forward(portal: Portal, kind: Kind, old: Json, given: Json) -> Json:
    """A lifecycle stage goes forward only: one that is behind the record's is passed over, without an error."""
    new, before = given.get("lifecyclestage"), old.get("lifecyclestage")
    if not new or not before:
        return given
    order = [option["value"] for option in portal.properties[kind.plural]["lifecyclestage"]["options"]]
    if before in order and order.index(new) < order.index(before):
        return {name: value for name, value in given.items() if name != "lifecyclestage"}
    return given
