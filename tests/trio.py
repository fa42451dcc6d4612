"""Who writes of the same people here, in Pipedrive and in HubSpot: each in its own words, read in those of one test."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.stage import Gateway, Sandbox

Row = Mapping[str, Any]
ACCOUNT = 2
"""Small ones of the same company: their users have the same addresses, and their people have titles and addresses."""
OWNERS = ("dana@harborpine-sandbox.example", "luis@harborpine-sandbox.example")
LABELS = ("Hot", "Warm", "Cold", "VIP ⭐")
SCORE = "Soak score"
FIRSTS = ("Anna", "Jean Paul", "Łukasz", "Mia", "Óscar")
LASTS = ("Krüger", "O'Connor", "Sato", "Núñez", "Weiß")
TITLES = ("Buyer", "CTO", "Head of Sales", "Geschäftsführer", "R&D <lead>")
CITIES = ("Austin", "Lyon", "Łódź", "京都")
CONTACTS = """
query($after: String) { list: contacts(first: 250, after: $after, archived: INCLUDE) {
  nodes { id name jobTitle emails { value } phones { value } address { street city postalCode country } tags customFields
    owner { email } sources { externalId integration { crm } } }
  pageInfo { hasNextPage endCursor }
} }
"""
WRITE = "mutation($i: UpdateContactInput!) { updateContact(input: $i) { userErrors { code message } } }"
NOBODY: Row = {
    "name": "", "title": None, "emails": [""], "phones": [], "address": None, "owner": None, "labels": [], "score": None,
}  # fmt: skip
"""A person of whom nothing is said."""


# ---------------------------------------------------------------- what people write


def draw(dice: random.Random, number: int, mark: int) -> dict[str, Any]:
    """One or two fields of a person with new values, in the words of this test; None empties."""
    makers: Mapping[str, Callable[[], Any]] = {
        "name": lambda: f"{dice.choice(FIRSTS)} {dice.choice(LASTS)}{mark}",
        "title": lambda: dice.choice((*TITLES, None)),
        "emails": lambda: [f"P{number}.{mark}@Soak.example", *([f"q{number}@soak.example"] if mark % 5 == 0 else [])],
        "phones": lambda: [f"+49151{mark:07}", *([f"+49301{mark:07}"] if mark % 3 == 0 else [])] if mark % 7 else [],
        "address": lambda: draw_address(dice, mark),
        "owner": lambda: dice.choice(OWNERS),
        "labels": lambda: dice.choice(([], *([label] for label in LABELS))),
        "score": lambda: dice.choice((None, 0, 7, 12.5, -3)),
    }
    return {name: makers[name]() for name in dice.sample(sorted(makers), dice.choice((1, 1, 2)))}


def draw_address(dice: random.Random, mark: int) -> dict[str, str] | None:
    """Some of its parts."""
    parts = {"street": f"{mark} Mill Road", "city": dice.choice(CITIES), "postalCode": "10115", "country": "France"}
    return None if mark % 6 == 0 else {name: parts[name] for name in dice.sample(sorted(parts), 3)}


ROOM: Mapping[str, int] = {"phones": 2, "labels": 1}
"""How many HubSpot can hold of what both sides may have added to."""


def drop_empty(given: Row) -> Row:
    """What a new person has."""
    return {name: value for name, value in given.items() if value}


def fold(held: Row) -> dict[str, Any]:
    """What both CRMs can hold of it, and in which letters: HubSpot has one address that we can write, in small ones."""
    address = {name: part for name, part in (held["address"] or {}).items() if part}
    return {
        "name": held["name"],
        "title": held["title"] or None,
        "emails": held["emails"][0].lower(),
        "phones": frozenset("".join(one for one in phone if one.isdigit()) for phone in held["phones"]),
        "address": tuple(sorted(address.items())),
        "owner": held["owner"],
        "labels": frozenset(held["labels"]),
        "score": None if held["score"] is None else float(held["score"]),
    }


# ---------------------------------------------------------------- who writes it


@dataclass
class Pipedrive:
    """Somebody who works in Pipedrive."""

    crm: Sandbox
    ids: list[str] = field(default_factory=list)
    """Of the people, in the order of their numbers."""

    def begin(self, people: Sequence[Row]) -> None:
        """The fields that are needed, and these people."""
        self.crm.fill(0, account=ACCOUNT)
        self.crm.disturb(ACCOUNT, limits="none")
        asked = {"field_name": SCORE, "field_type": "double"}
        self.score = self.call("POST", "/api/v2/personFields", asked)["data"]["field_code"]
        fields = self.call("GET", "/api/v2/personFields?limit=500")["data"]
        options = next(each["options"] for each in fields if each["field_code"] == "label_ids")
        self.labels = {option["label"]: option["id"] for option in options}
        self.owners = {each["email"]: each["id"] for each in self.call("GET", "/api/v1/users")["data"]}
        self.ids = [str(self.call("POST", "/api/v2/persons", self.encode(each))["data"]["id"]) for each in people]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The API of the account."""
        return self.crm.call(method, path, body, ACCOUNT)

    def encode(self, given: Row) -> dict[str, Any]:
        """Pipedrive's words."""
        made: dict[str, Any] = {}
        for name, value in given.items():
            match name:
                case "title":
                    made["job_title"] = value
                case "emails" | "phones":
                    made[name] = [{"value": one, "primary": not place} for place, one in enumerate(value)]
                case "address":
                    made["postal_address"] = value and self.encode_address(value)
                case "owner":
                    made["owner_id"] = self.owners[value]
                case "labels":
                    made["label_ids"] = [self.labels[one] for one in value]
                case "score":
                    made["custom_fields"] = {self.score: value}
                case _:
                    made[name] = value
        return made

    def encode_address(self, parts: Row) -> dict[str, Any]:
        """The whole in one line, and its parts."""
        names = {"street": "route", "city": "locality", "postalCode": "postal_code", "country": "country"}
        return {"value": ", ".join(parts.values()), **{names[name]: part for name, part in parts.items()}}

    def write(self, number: int, given: Row) -> None:
        """Changes a person."""
        self.call("PATCH", f"/api/v2/persons/{self.ids[number]}", self.encode(given))

    def rows(self) -> list[dict[str, Any]]:
        """All people."""
        found, cursor = list[dict[str, Any]](), ""
        while True:
            page = self.call("GET", f"/api/v2/persons?limit=500{cursor}")
            found += page["data"]
            if not (after := (page.get("additional_data") or {}).get("next_cursor")):
                return found
            cursor = f"&cursor={after}"

    def times(self) -> dict[str, str]:
        """When each was changed last."""
        return {str(row["id"]): row["update_time"] for row in self.rows()}

    def read(self) -> dict[int, Row]:
        """By number what the CRM has, in the words of this test."""
        labels = {one: label for label, one in self.labels.items()}
        owners = {one: email for email, one in self.owners.items()}
        found = dict[int, Row]()
        for row in self.rows():
            place = row["postal_address"] or {}
            found[self.ids.index(str(row["id"]))] = {
                "name": row["name"],
                "title": row["job_title"],
                "emails": [one["value"] for one in row["emails"]],
                "phones": [one["value"] for one in row["phones"]],
                "address": {
                    "street": place.get("route"),
                    "city": place.get("locality"),
                    "postalCode": place.get("postal_code"),
                    "country": place.get("country"),
                },
                "owner": owners[row["owner_id"]],
                "labels": [labels[one] for one in row["label_ids"]],
                "score": row["custom_fields"].get(self.score),
            }
        return found


@dataclass
class Hubspot:
    """Somebody who works in HubSpot."""

    crm: Sandbox
    ids: list[str] = field(default_factory=list)
    names = (
        "firstname", "lastname", "jobtitle", "email", "phone", "mobilephone", "address", "city", "zip", "country",
        "hubspot_owner_id", "hs_lead_status", "soak_score",
    )  # fmt: skip
    objects = "/crm/objects/2026-09/contacts"

    def begin(self, people: Sequence[Row]) -> None:
        """The fields and options that are needed, and these people."""
        self.crm.fill(0, account=ACCOUNT)
        self.crm.disturb(ACCOUNT, limits="none")
        number = {"type": "number", "fieldType": "number", "groupName": "contactinformation"}
        self.call("POST", "/crm/properties/2026-09/contacts", {"name": "soak_score", "label": SCORE, **number})
        self.values = {label: f"LABEL_{place}" for place, label in enumerate(LABELS)}
        options = [
            {"label": label, "value": value, "displayOrder": place, "hidden": False}
            for place, (label, value) in enumerate(self.values.items())
        ]
        self.call("PATCH", "/crm/properties/2026-09/contacts/hs_lead_status", {"options": options})
        self.owners = {
            each["email"]: each["id"] for each in self.call("GET", "/crm/owners/2026-09?limit=100")["results"]
        }
        self.ids = [
            str(self.call("POST", self.objects, {"properties": self.encode(drop_empty(each))})["id"]) for each in people
        ]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The API of the account."""
        return self.crm.call(method, path, body, ACCOUNT)

    def encode(self, given: Row) -> dict[str, str]:
        """HubSpot's words, all of them texts."""
        made: dict[str, str] = {}
        for name, value in given.items():
            match name:
                case "name":
                    made["firstname"], _, made["lastname"] = value.rpartition(" ")
                case "title":
                    made["jobtitle"] = value or ""
                case "emails":
                    made["email"] = value[0]
                case "phones":
                    made["phone"], made["mobilephone"] = [*value, "", ""][:2]
                case "address":
                    names = {"street": "address", "city": "city", "postalCode": "zip", "country": "country"}
                    made |= {theirs: (value or {}).get(ours, "") for ours, theirs in names.items()}
                case "owner":
                    made["hubspot_owner_id"] = self.owners[value]
                case "labels":
                    made["hs_lead_status"] = self.values[value[0]] if value else ""
                case "score":
                    made["soak_score"] = "" if value is None else str(value)
        return made

    def write(self, number: int, given: Row) -> None:
        """Changes a contact."""
        self.call("PATCH", f"{self.objects}/{self.ids[number]}", {"properties": self.encode(given)})

    def rows(self) -> list[dict[str, Any]]:
        """All contacts."""
        found, after = list[dict[str, Any]](), "0"
        while after:
            page = self.call("GET", f"{self.objects}?limit=100&properties={','.join(self.names)}&after={after}")
            found += page["results"]
            after = page.get("paging", {}).get("next", {}).get("after")
        return found

    def times(self) -> dict[str, str]:
        """When each was changed last."""
        return {row["id"]: row["updatedAt"] for row in self.rows()}

    def read(self) -> dict[int, Row]:
        """By number what the CRM has, in the words of this test."""
        labels = {value: label for label, value in self.values.items()}
        owners = {one: email for email, one in self.owners.items()}
        found = dict[int, Row]()
        for row in self.rows():
            has = {name: row["properties"].get(name) for name in self.names}
            found[self.ids.index(row["id"])] = {
                "name": " ".join(part for part in (has["firstname"], has["lastname"]) if part),
                "title": has["jobtitle"],
                "emails": [has["email"]],
                "phones": [one for one in (has["phone"], has["mobilephone"]) if one],
                "address": {
                    "street": has["address"],
                    "city": has["city"],
                    "postalCode": has["zip"],
                    "country": has["country"],
                },
                "owner": owners[has["hubspot_owner_id"]],
                "labels": [labels[has["hs_lead_status"]]] if has["hs_lead_status"] else [],
                "score": has["soak_score"] or None,
            }
        return found


@dataclass
class Here:
    """Somebody who works with the gateway."""

    gateway: Gateway
    contacts: dict[int, str] = field(default_factory=dict)
    """By number."""

    def encode(self, given: Row, mark: int) -> dict[str, Any]:
        """GraphQL's words: a name as a whole, or in its parts."""
        made: dict[str, Any] = {}
        for name, value in given.items():
            match name:
                case "name" if mark % 2:
                    made["firstName"], _, made["lastName"] = value.rpartition(" ")
                case "title":
                    made["jobTitle"] = value
                case "emails" | "phones":
                    made[name] = [{"value": one, "primary": not place} for place, one in enumerate(value)]
                case "owner":
                    made["ownerEmail"] = value
                case "labels":
                    made["tags"] = value
                case "score":
                    made["customFields"] = {SCORE: value}
                case _:
                    made[name] = value
        return made

    def write(self, number: int, given: Row, mark: int) -> None:
        """Changes a contact."""
        asked = {"contactId": self.contacts[number], **self.encode(given, mark)}
        errors = self.gateway.ask(WRITE, i=asked)["updateContact"]["userErrors"]
        assert errors == []

    def nodes(self) -> list[dict[str, Any]]:
        """All contacts."""
        return list(self.gateway.walk(CONTACTS))

    def read(self) -> dict[int, Row]:
        """By number what is here, in the words of this test."""
        numbers = {one: number for number, one in self.contacts.items()}
        return {
            numbers[node["id"]]: {
                "name": node["name"],
                "title": node["jobTitle"],
                "emails": [one["value"] for one in node["emails"]],
                "phones": [one["value"] for one in node["phones"]],
                "address": node["address"],
                "owner": node["owner"]["email"],
                "labels": node["tags"],
                "score": node["customFields"].get(SCORE),
            }
            for node in self.nodes()
        }
