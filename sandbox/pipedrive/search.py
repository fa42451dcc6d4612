"""Searches of API v2, over an index that may lag behind the writes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.pipedrive.account import Company
from sandbox.pipedrive.answers import Answer, invalid, succeed
from sandbox.pipedrive.call import Call, Handler, page_rows
from sandbox.pipedrive.fields import custom_fields
from sandbox.table import Json

SEARCHABLE = {"address", "varchar", "text", "varchar_auto", "double", "monetary", "phone"}
KINDS = {"person": "Person", "organization": "Organization", "deal": "Deal", "lead": "Lead"}
NEVER_FOUND = {"product", "file", "mail_attachment", "project"}
NOTE_LINKS = {"Person": "person_id", "Organization": "org_id", "Deal": "deal_id", "Lead": "lead_id"}
STATUSES = ("open", "won", "lost")

# The text of each search field, by type.
TEXTS: dict[str, dict[str, Callable[[Json], list[Any]]]] = {
    "Person": {
        "name": lambda record: [record["name"]],
        "email": lambda record: [one["value"] for one in record["emails"]],
        "phone": lambda record: [one["value"] for one in record["phones"]],
    },
    "Organization": {
        "name": lambda record: [record["name"]],
        "address": lambda record: [(record["address"] or {}).get("value")],
    },
    "Deal": {"title": lambda record: [record["title"]]},
    "Lead": {"title": lambda record: [record["title"]]},
}


@dataclass(frozen=True)
class Index:
    """The account as its search index knows it: writes of the last `lag` seconds are not in it."""

    company: Company
    moment: float

    def records(self, kind: str) -> Iterator[Json]:
        table = self.company.tables[kind]
        for row in table.rows.values():
            record = None if row.withheld else row.as_of(self.moment)
            if record is not None and table.is_live(record):
                yield record

    def find(self, kind: str, key: Any) -> Json | None:
        row = self.company.tables[kind].get(key) if key else None
        return row.as_of(self.moment) if row else None

    def notes(self, kind: str) -> dict[Any, list[str]]:
        notes: dict[Any, list[str]] = {}
        for note in self.records("Note"):
            notes.setdefault(note[NOTE_LINKS[kind]], []).append(note["content"])
        return notes


def open_index(call: Call) -> Index:
    return Index(call.company, time.monotonic() - call.company.faults.get("searchLagSeconds", 0))


def searchable_codes(company: Company, kind: str) -> list[str]:
    fields = custom_fields(company.fields["Deal" if kind == "Lead" else kind])
    return [code for code, field in fields.items() if field["field_type"] in SEARCHABLE]


def custom_texts(codes: list[str], record: Json) -> list[str]:
    values = record.get("custom_fields", record)
    found = (values[code] for code in codes if code in values)
    plain = (value.get("value") if isinstance(value, dict) else value for value in found)
    return [str(value) for value in plain if value is not None]


class Search:
    """One search: its term, where it looks, and what it finds."""

    def __init__(self, call: Call, kinds: list[str]) -> None:
        self.call, self.kinds = call, kinds
        self.index = open_index(call)
        self.codes = {kind: searchable_codes(call.company, kind) for kind in kinds}
        self.exact = bool(call.flag("exact_match"))
        self.term = call.query.get("term", "").strip().casefold()
        if len(self.term) < (1 if self.exact else 2):
            raise invalid("term", "must have at least 2 characters, or 1 with exact_match")
        known = {name for kind in kinds for name in TEXTS[kind]} | {"notes", "custom_fields"}
        self.fields = call.names("fields") or sorted(known)
        if set(self.fields) - known and len(kinds) == 1:
            raise invalid("fields", f"must be among {', '.join(sorted(known))}")
        self.person, self.organization = call.integer("person_id"), call.integer("organization_id")
        self.status = call.choice("status", STATUSES, "open") if call.query.get("status") else None

    def hits(self, text: Any) -> bool:
        folded = str(text).casefold() if text is not None else ""
        return folded == self.term if self.exact else self.term in folded

    def filtered(self, kind: str, record: Json) -> bool:
        organization = record.get("organization_id" if kind == "Lead" else "org_id")
        return (
            (self.person is None or record.get("person_id") == self.person)
            and (self.organization is None or organization == self.organization)
            and (self.status is None or record.get("status") == self.status)
        )

    def texts(self, kind: str, record: Json, notes: dict[Any, list[str]]) -> list[Any]:
        found = [text for name in self.fields if name in TEXTS[kind] for text in TEXTS[kind][name](record)]
        if "notes" in self.fields:
            found += notes.get(record["id"], [])
        return found + (custom_texts(self.codes[kind], record) if "custom_fields" in self.fields else [])

    def results(self) -> list[tuple[float, str, Json]]:
        """Best first: the shorter the text the term was found in, the better."""
        found = []
        for kind in self.kinds:
            notes = self.index.notes(kind) if "notes" in self.fields else {}
            for record in self.index.records(kind):
                hits = [text for text in self.texts(kind, record, notes) if self.hits(text)]
                if hits and self.filtered(kind, record):
                    found.append((round(len(self.term) / min(len(str(hit)) for hit in hits), 4), kind, record))
        return sorted(found, key=lambda each: (-each[0], each[1], str(each[2]["id"])))

    def answer(self) -> Answer:
        page, cursor = page_rows(self.call, self.results())
        items = [{"result_score": score, "item": self.show(kind, record)} for score, kind, record in page]
        related: Json = {"related_items": []} if self.call.flag("search_for_related_items") else {}
        return succeed({"items": items, **related}, additional_data={"next_cursor": cursor})

    def show(self, kind: str, record: Json) -> Json:
        shown = {
            "id": record["id"],
            "type": kind.lower(),
            "visible_to": int(record["visible_to"]),
            "owner": {"id": record["owner_id"]},
            "custom_fields": [text for text in custom_texts(self.codes[kind], record) if self.hits(text)],
            "notes": [],
        }
        return shown | ITEMS[kind](self.index, record)


def show_linked(index: Index, kind: str, key: Any) -> Json | None:
    linked = index.find(kind, key)
    if linked is None:
        return None
    address = {"address": (linked["address"] or {}).get("value")} if kind == "Organization" else {}
    return {"id": linked["id"], "name": linked["name"], **address}


def show_person(index: Index, record: Json) -> Json:
    return {
        "name": record["name"],
        "phones": [one["value"] for one in record["phones"]],
        "emails": [one["value"] for one in record["emails"]],
        "organization": show_linked(index, "Organization", record["org_id"]),
    }


def show_organization(_: Index, record: Json) -> Json:
    return {"name": record["name"], "address": (record["address"] or {}).get("value")}


def show_deal(index: Index, record: Json) -> Json:
    stage = index.company.settings["Stage"].get(record["stage_id"])
    return {
        **{name: record[name] for name in ("title", "value", "currency", "status", "is_archived")},
        "stage": stage and {"id": stage.record["id"], "name": stage.record["name"]},
        "person": show_linked(index, "Person", record["person_id"]),
        "organization": show_linked(index, "Organization", record["org_id"]),
    }


def show_lead(index: Index, record: Json) -> Json:
    person = index.find("Person", record["person_id"])
    value = record["value"] or {}
    return {
        "title": record["title"],
        "person": show_linked(index, "Person", record["person_id"]),
        "organization": show_linked(index, "Organization", record["organization_id"]),
        "phones": [one["value"] for one in person["phones"]] if person else [],
        "emails": [one["value"] for one in person["emails"]] if person else [],
        "value": value.get("amount"),
        "currency": value.get("currency"),
        "is_archived": record["is_archived"],
    }


ITEMS = {"Person": show_person, "Organization": show_organization, "Deal": show_deal, "Lead": show_lead}


def search_records(kind: str) -> Handler:
    return lambda call: Search(call, [kind]).answer()


def search_items(call: Call) -> Answer:
    asked = call.names("item_types") or list(KINDS)
    if unknown := set(asked) - set(KINDS) - NEVER_FOUND:
        raise invalid("item_types", f"unknown: {sorted(unknown)[0]}")
    return Search(call, [KINDS[name] for name in asked if name in KINDS]).answer()


MATCHES: dict[str, Callable[[str, str], bool]] = {
    "exact": lambda text, term: text == term,
    "beginning": lambda text, term: text.startswith(term),
    "middle": lambda text, term: term in text,
}


def search_field(call: Call) -> Answer:
    """By the value of one field, by its key; case counts."""
    kind = KINDS[call.choice("entity_type", tuple(KINDS), "")]
    match = MATCHES[call.choice("match", tuple(MATCHES), "exact")]
    term, field = call.query.get("term", ""), call.query.get("field", "")
    if not term or not field:
        raise invalid("field" if term else "term", "is required")
    custom = custom_fields(call.company.fields["Deal" if kind == "Lead" else kind])
    if field not in custom and field not in TEXTS[kind]:
        raise invalid("field", "is not searchable")
    title = call.company.tables[kind].title

    def texts(record: Json) -> list[Any]:
        if field in TEXTS[kind]:
            return TEXTS[kind][field](record)
        value = record.get("custom_fields", record).get(field)
        return [value.get("value") if isinstance(value, dict) else value]

    found = [
        {"id": record["id"], "name": record[title]}
        for record in open_index(call).records(kind)
        if any(text is not None and match(str(text), term) for text in texts(record))
    ]
    page, cursor = page_rows(call, found)
    return succeed(page, additional_data={"next_cursor": cursor})
