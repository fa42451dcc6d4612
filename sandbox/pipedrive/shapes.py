"""How v2 records look when a call asks for more, or less, than lists show of themselves."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import invalid
from sandbox.pipedrive.call import Call
from sandbox.pipedrive.fields import custom_fields
from sandbox.table import Json, Row
from sandbox.wire import encode

MOST_CUSTOM = 15
LINKS = {"Person": "person_id", "Organization": "org_id", "Deal": "deal_id"}

# Optional fields that count: the type they count, and which of its records.
COUNTED: dict[str, tuple[str, Callable[[Json], bool]]] = {
    "activities_count": ("Activity", lambda _: True),
    "done_activities_count": ("Activity", lambda record: bool(record["done"])),
    "undone_activities_count": ("Activity", lambda record: not record["done"]),
    "notes_count": ("Note", lambda _: True),
    "people_count": ("Person", lambda _: True),
    "open_deals_count": ("Deal", lambda record: record["status"] == "open"),
    "closed_deals_count": ("Deal", lambda record: record["status"] != "open"),
    "won_deals_count": ("Deal", lambda record: record["status"] == "won"),
    "lost_deals_count": ("Deal", lambda record: record["status"] == "lost"),
}


def render_rows(call: Call, kind: str, rows: list[Row]) -> list[bytes]:
    """Their bytes; those of the plain form are encoded once and kept."""
    changes = list(asked_changes(call, kind))
    if not changes:
        return [row.encoded() for row in rows]
    bodies = []
    for row in rows:
        shown = {name: value for name, value in row.record.items() if name not in row.hidden}
        for change in changes:
            change(shown, row.record)
        bodies.append(encode(shown))
    return bodies


def asked_changes(call: Call, kind: str) -> Iterable[Callable[[Json, Json], None]]:
    """What the query asks to be different: each takes the form shown, and the whole record."""
    company = call.company
    if kind not in company.fields:
        return
    if names := call.names("include_fields"):
        yield adds_optional(company, kind, names)
    if keys := call.names("custom_fields", MOST_CUSTOM):
        yield lambda shown, record: shown.update(
            custom_fields={key: record["custom_fields"].get(key) for key in keys if key in record["custom_fields"]}
        )
    if call.flag("include_labels"):
        labels = labels_by_id(company, kind)
        yield lambda shown, record: shown.update(
            labels=[{"id": key, "label": labels[key]} for key in record.get("label_ids") or () if key in labels]
        )
    if call.flag("include_option_labels"):
        yield adds_option_labels(company, kind)


def labels_by_id(company: Company, kind: str) -> dict[int, str]:
    options = next(field["options"] for field in company.fields[kind] if field["field_code"] == "label_ids")
    return {option["id"]: option["label"] for option in options}


def adds_optional(company: Company, kind: str, names: list[str]) -> Callable[[Json, Json], None]:
    known = {field["field_code"] for field in company.fields[kind] if field["is_optional_response_field"]}
    for name in names:
        if name not in known:
            raise invalid("include_fields", f"{name} is not one of {', '.join(sorted(known))}")
    values = {name: optional_value(company, kind, name) for name in names}

    def change(shown: Json, record: Json) -> None:
        shown.update({name: value(record) for name, value in values.items()})

    return change


def optional_value(company: Company, kind: str, name: str) -> Callable[[Json], Any]:
    if name in COUNTED:
        counted, which = COUNTED[name]
        link = LINKS[kind]
        counts = Counter(row.record[link] for row in company.tables[counted].live() if which(row.record))
        return lambda record: counts[record["id"]]
    if name.endswith("_count"):
        return lambda _: 0
    if name == "smart_bcc_email":
        return lambda record: f"{company.profile.domain}+{kind.lower()}{record['id']}@pipedrivemail.example"
    return lambda record: record.get(name)


def adds_option_labels(company: Company, kind: str) -> Callable[[Json, Json], None]:
    options = {
        code: {option["id"]: option["label"] for option in field["options"]}
        for code, field in custom_fields(company.fields[kind]).items()
        if field["field_type"] in {"enum", "set"}
    }

    def label(code: str, value: Any) -> Any:
        if isinstance(value, list):
            return [label(code, one) for one in value]
        return value if value is None else {"id": value, "label": options[code].get(value)}

    def change(shown: Json, _: Json) -> None:
        values: Json = shown["custom_fields"]
        shown["custom_fields"] = {key: label(key, v) if key in options else v for key, v in values.items()}

    return change
