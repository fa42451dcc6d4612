"""The Fields API: v2 with pages by cursor, and v1 for reading."""

from typing import Any

from sandbox.pipedrive.answers import Answer, fail, invalid, missing, succeed
from sandbox.pipedrive.call import Call, Handler, page_rows
from sandbox.pipedrive.company import FOUNDED
from sandbox.pipedrive.fields import CUSTOM, hash_code, make_custom
from sandbox.pipedrive.offsets import page_offsets
from sandbox.pipedrive.values import CHECKED, is_text
from sandbox.table import Json

EXTRAS: dict[str, Json] = {
    "ui_visibility": {"add_visible_flag": True, "details_visible_flag": True},
    "important_fields": {"enabled": False, "stage_ids": []},
    "required_fields": {"enabled": False},
}
OPTION_TYPES = {"enum", "set"}
FIRST_V1 = 12_001  # the id of a type's first field in API v1


def show_field(call: Call, field: Json) -> Json:
    extras = call.names("include_fields")
    if set(extras) - set(EXTRAS):
        raise invalid("include_fields", f"must be among {', '.join(EXTRAS)}")
    return field | {name: EXTRAS[name] for name in extras}


def list_fields(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        page, cursor = page_rows(call, call.company.fields[kind])
        return succeed([show_field(call, each) for each in page], additional_data={"next_cursor": cursor})

    return handle


def find_field(call: Call, kind: str) -> Json:
    found = next((each for each in call.company.fields[kind] if each["field_code"] == call.args["code"]), None)
    if found is None:
        raise missing("Field")
    return found


def show_one(kind: str) -> Handler:
    return lambda call: succeed(show_field(call, find_field(call, kind)))


def next_option(call: Call) -> int:
    """Option ids count on through the whole company."""
    every = (each for fields in call.company.fields.values() for each in fields)
    return 1 + max(
        (option["id"] for each in every for option in each["options"] or () if isinstance(option["id"], int)), default=0
    )


def read_options(call: Call, given: Any) -> list[Json]:
    if not isinstance(given, list) or not given:
        raise invalid("options", "must be a list of objects with a label")
    if not all(isinstance(each, dict) and is_text(each.get("label"), 255) and each["label"] for each in given):
        raise invalid("options", "label is required")
    first = next_option(call)
    return [{"id": first + place, "label": each["label"]} for place, each in enumerate(given)]


def create_field(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        given, fields = call.fields(), call.company.fields[kind]
        name, field_type = given.get("field_name"), given.get("field_type")
        if not is_text(name, 255) or not name:
            raise invalid("field_name", "is required")
        if field_type not in CHECKED:
            raise invalid("field_type", f"must be one of {', '.join(CHECKED)}")
        options = read_options(call, given.get("options")) if field_type in OPTION_TYPES else None
        code = hash_code(call.company.profile, kind, "made", next_option(call), len(fields), name)
        fields.append(make_custom(code, str(name), str(field_type), options))
        return succeed(fields[-1])

    return handle


def rename_field(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        field, name = find_field(call, kind), call.fields().get("field_name")
        if not is_text(name, 255) or not name:
            raise invalid("field_name", "is required")
        field["field_name"] = name
        return succeed(field)

    return handle


def delete_field(kind: str) -> Handler:
    """Its values leave the records with it, without a new update time."""

    def handle(call: Call) -> Answer:
        field = find_field(call, kind)
        if not field["is_custom_field"]:
            raise fail(400, "Built-in fields cannot be deleted")
        call.company.fields[kind].remove(field)
        table = call.company.tables[kind]
        for row in list(table.rows.values()):
            values = row.record.get("custom_fields", {})
            if field["field_code"] in values:
                kept = {code: value for code, value in values.items() if code != field["field_code"]}
                table.put(row.record | {"custom_fields": kept})
        return succeed(field)

    return handle


def add_options(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        field = find_field(call, kind)
        if not field["is_custom_field"] or field["field_type"] not in OPTION_TYPES:
            raise fail(400, "Options can be added to custom fields of type enum and set only")
        added = read_options(call, call.body())
        field["options"] = [*field["options"], *added]
        return succeed(added, additional_data=None)

    return handle


def show_v1(number: int, field: Json) -> Json:
    custom = field["is_custom_field"]
    return {
        "id": FIRST_V1 + number,
        "key": field["field_code"],
        "name": field["field_name"],
        "order_nr": number + 1,
        "field_type": field["field_type"],
        "add_time": FOUNDED,
        "update_time": FOUNDED,
        "active_flag": True,
        "edit_flag": custom,
        "bulk_edit_allowed": True,
        "searchable_flag": custom,
        "mandatory_flag": field["field_code"] in {"name", "title"},
        "options": field["options"],
    }


def replace_options(kind: str) -> Handler:
    """API v1: the whole list of a field's options; those that are left out are gone."""

    def handle(call: Call) -> Answer:
        fields, place = call.company.fields[kind], call.number() - FIRST_V1
        if not 0 <= place < len(fields):
            raise missing("Field")
        field, given = fields[place], call.fields().get("options")
        if field["field_type"] not in OPTION_TYPES:
            raise fail(400, "Field has no options")
        if not isinstance(given, list) or not all(isinstance(each, dict) and each.get("label") for each in given):
            raise fail(400, "Options must be a list of objects with a label")
        known, first = {option["id"] for option in field["options"] or ()}, next_option(call)
        added = [each for each in given if each.get("id") not in known]
        numbers = {id(each): first + number for number, each in enumerate(added)}
        field["options"] = [{"id": numbers.get(id(each), each.get("id")), "label": each["label"]} for each in given]
        return succeed(show_v1(place, field))

    return handle


def list_v1(kind: str) -> Handler:
    def handle(call: Call) -> Answer:
        numbered = list(enumerate(call.company.fields[kind]))
        return page_offsets(call, numbered, lambda each: show_v1(*each))

    return handle


FIELD_KINDS = {f"{kind.lower()}Fields": kind for kind in CUSTOM}
