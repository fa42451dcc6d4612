"""The properties of each type of record, HubSpot's own and custom ones, as the Properties API lists them."""

from functools import cache

import orjson

from sandbox.hubspot.declared import BUILT_IN, COMMON, CUSTOM, OPTIONS
from sandbox.hubspot.kinds import KINDS
from sandbox.hubspot.profiles import FOUNDED, Profile
from sandbox.table import Json

# The letters of the declarations: type and field type.
FORMS = {
    "t": ("string", "text"), "a": ("string", "textarea"), "h": ("string", "html"), "p": ("string", "phonenumber"),
    "n": ("number", "number"), "d": ("date", "date"), "D": ("datetime", "date"), "s": ("enumeration", "select"),
    "r": ("enumeration", "radio"), "c": ("enumeration", "checkbox"), "b": ("bool", "booleancheckbox"),
    "o": ("enumeration", "select"), "m": ("enumeration", "checkbox"),
}  # fmt: skip
GROUPS = {"contacts": "contactinformation", "companies": "companyinformation", "deals": "dealinformation"}
BOTH = (("true", "Yes"), ("false", "No"))


def make_properties(profile: Profile) -> dict[str, dict[str, Json]]:
    """By type and name; deals have a currency of their own where the account has more than one."""
    found: dict[str, dict[str, Json]] = orjson.loads(encode_properties(profile))
    return found


@cache
def encode_properties(profile: Profile) -> bytes:
    """Made once: there are a thousand of them, and an account may change its own."""
    return orjson.dumps({kind: make_kind(profile, kind) for kind in KINDS})


def make_kind(profile: Profile, kind: str) -> dict[str, Json]:
    lines = [line.strip() for text in (COMMON, BUILT_IN[kind]) for line in text.replace("\n", "|").split("|")]
    found: dict[str, Json] = {}
    for line in filter(None, lines):
        name, form, label = line.split(" ", 2)
        if (kind == "contacts" and name == "hs_lastmodifieddate") or (kind in GROUPS and name == "hs_createdate"):
            continue
        if name == "deal_currency_code" and not profile.currencies:
            continue
        options = pipeline_options(profile, name) if kind == "deals" else None
        found[name] = make_property(name, label, form, options or split_options(OPTIONS.get(name, "")), group(kind))
    if "deal_currency_code" in found:
        codes = (profile.currency, *profile.currencies)
        found["deal_currency_code"]["options"] = [write_option(code, code, n) for n, code in enumerate(codes)]
    for name, label, form, listed in (CUSTOM[kind] + filler(kind))[: profile.custom]:
        found[name] = make_property(name, label, form, split_options(listed), group(kind), custom=True)
    return found


def filler(kind: str) -> tuple[tuple[str, str, str, str], ...]:
    """What an import of long ago left behind."""
    if kind not in GROUPS:
        return ()
    numbers = range(1, 100)
    return tuple((f"import_2019_column_{n:02d}", f"Import 2019 column {n:02d}", "t", "") for n in numbers)


def group(kind: str) -> str:
    return GROUPS.get(kind, f"{kind.rstrip('s')}information")


def split_options(text: str) -> list[Json]:
    """Out of `VALUE=Label,VALUE=Label`."""
    pairs = [part.partition("=") for part in text.split(",") if part]
    return [write_option(value, label or value, place) for place, (value, _, label) in enumerate(pairs)]


def write_option(value: str, label: str, place: int) -> Json:
    return {"label": label, "value": value, "displayOrder": place, "hidden": False}


def pipeline_options(profile: Profile, name: str) -> list[Json]:
    if name == "pipeline":
        return [write_option(each.key, each.label, place) for place, each in enumerate(profile.pipelines)]
    if name == "dealstage":
        stages = [stage for each in profile.pipelines for stage in each.stages]
        return [write_option(each.key, each.label, place) for place, each in enumerate(stages)]
    return []


def make_property(
    name: str, label: str, form: str, options: list[Json], group_name: str, *, custom: bool = False
) -> Json:
    """`form` is a letter, then `!` where people cannot write the value, `*` where it is unique."""
    kind, field = FORMS[form[0]]
    fixed, unique = "!" in form, "*" in form
    if form[0] == "b":
        options = [write_option(value, shown, place) for place, (value, shown) in enumerate(BOTH)]
    return {
        "name": name,
        "label": label,
        "type": kind,
        "fieldType": field,
        "description": "",
        "groupName": group_name,
        "options": options,
        "displayOrder": -1,
        "calculated": fixed and name.startswith("hs_calculated"),
        "externalOptions": form[0] in "om",
        **({"referencedObjectType": "OWNER"} if form[0] == "o" else {}),
        "hasUniqueValue": unique,
        "hidden": False,
        "hubspotDefined": not custom,
        "formField": not fixed,
        "dataSensitivity": "non_sensitive",
        "archived": False,
        "createdAt": FOUNDED,
        "updatedAt": FOUNDED,
        "modificationMetadata": {
            "archivable": custom,
            "readOnlyDefinition": not custom,
            "readOnlyValue": fixed,
            **({"readOnlyOptions": fixed or form[0] == "o"} if kind == "enumeration" else {}),
        },
    }
