"""Properties over the wire: listing, making, changing and archiving them."""

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.hubspot.answers import Answer, VendorError, fail, invalid, succeed
from sandbox.hubspot.batch import answer_batch
from sandbox.hubspot.call import Call
from sandbox.hubspot.catalog import FORMS, group, make_property
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.records import now
from sandbox.table import Json

MOST = 100
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}\Z")
CHANGEABLE = {
    "label", "description", "groupName", "options", "displayOrder", "hidden", "formField", "type", "fieldType",
}  # fmt: skip


def list_properties(call: Call) -> Answer:
    """All there are; those of deleted properties are not kept, so that none are archived."""
    found = call.portal.properties[call.kind().plural].values()
    return succeed({"results": [] if call.flag("archived") else list(found)})


def find_property(call: Call, kind: Kind) -> Json:
    found = call.portal.properties[kind.plural].get(call.args["name"])
    if found is None:
        raise lacks(call.args["name"])
    return found


def lacks(name: str) -> VendorError:
    context = {"propertyName": [name]}
    return fail(404, "OBJECT_NOT_FOUND", f"Property {name} does not exist.", context=context)


def show_property(call: Call) -> Answer:
    return succeed(find_property(call, call.kind()))


def create_property(call: Call) -> Answer:
    kind = call.kind()
    made = make(call, kind, call.fields())
    call.portal.properties[kind.plural][made["name"]] = made
    return succeed(made, 201)


def create_batch(call: Call) -> Answer:
    """All of them, or none."""
    started, kind = datetime.now(UTC), call.kind()
    made = [make(call, kind, one) for one in call.inputs(MOST)]
    call.portal.properties[kind.plural].update({each["name"]: each for each in made})
    return answer_batch(started, made, [], 201)


def make(call: Call, kind: Kind, given: Json) -> Json:
    name, form = str(given.get("name", "")), (given.get("type"), given.get("fieldType"))
    if not NAME.match(name):
        raise invalid(f"Property name {name[:100]} is not valid: lower-case letters, digits and underscores only")
    if name in call.portal.properties[kind.plural]:
        raise fail(
            409,
            "OBJECT_ALREADY_EXISTS",
            f"A property named '{name}' already exists.",
            subCategory="Properties.PROPERTY_WITH_NAME_EXISTS",
        )
    letter = next((letter for letter, known in FORMS.items() if known == form), None)
    if letter is None and form[0] == "enumeration" and form[1] == "booleancheckbox":
        letter = "b"
    if letter is None or not given.get("label") or not given.get("groupName"):
        raise invalid("A property needs a name, a label, a groupName, and a type with a fieldType that fits it")
    unique = "*" if given.get("hasUniqueValue") else ""
    options = read_options(given.get("options") or [])
    made = make_property(name, str(given["label"]), letter + unique, options, group(kind.plural), custom=True)
    more = {key: given[key] for key in ("description", "groupName", "hidden", "displayOrder") if key in given}
    return made | {"createdAt": now(), "updatedAt": now()} | more


def read_options(given: Any) -> list[Json]:
    """The whole list of a property's options; values are unique."""
    if not isinstance(given, list) or not all(isinstance(one, dict) and one.get("label") for one in given):
        raise invalid("Invalid input JSON: options must be a list of label and value")
    found = [
        {
            "label": str(one["label"]),
            "value": str(one.get("value") or one["label"]),
            "displayOrder": one.get("displayOrder", place),
            "hidden": bool(one.get("hidden", False)),
        }
        for place, one in enumerate(given)
    ]
    if len({one["value"] for one in found}) < len(found):
        raise invalid("Property option values must be unique")
    return found


def change_property(call: Call) -> Answer:
    """Options are replaced as a whole: those left out are gone."""
    kind, given = call.kind(), call.fields()
    found = find_property(call, kind)
    rights = found["modificationMetadata"]
    if unknown := set(given) - CHANGEABLE:
        raise invalid(f"{sorted(unknown)[0]} of a property cannot be changed")
    if set(given) - {"options"} and rights["readOnlyDefinition"]:
        raise invalid(f"Property {found['name']} is read only")
    if "options" in given:
        if rights.get("readOnlyOptions", True):
            raise invalid(f"The options of property {found['name']} are read only")
        given["options"] = read_options(given["options"])
    changed = found | given | {"updatedAt": now()}
    call.portal.properties[kind.plural][found["name"]] = changed
    return succeed(changed)


def archive_property(call: Call) -> Answer:
    """Its values go with it."""
    kind = call.kind()
    found = find_property(call, kind)
    if found["hubspotDefined"]:
        raise invalid(f"Property {found['name']} is defined by HubSpot and cannot be archived")
    del call.portal.properties[kind.plural][found["name"]]
    return Answer(status=204)
