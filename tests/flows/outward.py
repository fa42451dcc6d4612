"""What is written here and goes out, and what the CRM has of it then, by its own API."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.flows.conftest import Stage
from tests.stage import Gateway, Sandbox, wait_until

SETTLED = ("COMMITTED", "SKIPPED", "FAILED", "UNKNOWN")
PUSH = "id status attempts lastError externalType externalId record { id __typename }"
OUT: Mapping[str, Any] = {"pushWarmLeads": True, "replicateActivities": True, "allowNewPicklistValues": True}
"""Settings under which everything leaves that is not an edit."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Desk:
    """Somebody who works here, with an account that is connected."""

    gateway: Gateway
    integration: str

    @classmethod
    def open(cls, stage: Stage, *, is_read: bool = False, **settings: Any) -> "Desk":
        """With these settings of the integration, and as many pushes a minute as one likes."""
        desk = cls(stage.gateway, stage.connect())
        desk.do("updateWorkspace", "", pushesPerMinute=6000)
        if is_read:
            stage.gateway.sync(desk.integration)
        if settings:
            desk.set(**settings)
        return desk

    def do(self, mutation: str, fields: str, **given: Any) -> Row:
        """The payload of a mutation that must have no user errors."""
        payload = self.gateway.do(mutation, fields, **given)
        assert payload["userErrors"] == [], payload
        return payload

    def set(self, **settings: Any) -> None:
        """Of the integration."""
        self.do("updateIntegration", "", integrationId=self.integration, **settings)

    def add_contact(self, name: str, **given: Any) -> str:
        """The id of a new contact."""
        return str(self.do("createContact", "contact { id }", name=name, **given)["contact"]["id"])

    def add_organization(self, name: str, **given: Any) -> str:
        """The id of a new organization."""
        return str(self.do("createOrganization", "organization { id }", name=name, **given)["organization"]["id"])

    def find(self, external_type: str, external_id: str) -> str:
        """The id of what the CRM's record is here."""
        return str(self.gateway.show(self.integration, external_type, external_id, "... on Node { id }")["id"])

    def log(self, contact: str, kind: str, subject: str, **given: Any) -> str:
        """The id of a new activity."""
        asked = {"contactIds": [contact], "kind": kind, "subject": subject, **given}
        return str(self.do("logActivity", "activity { id }", **asked)["activity"]["id"])

    def warm(self, contact: str, warmness: int = 5) -> None:
        """Makes a contact warm."""
        self.do("updateContact", "", contactId=contact, warmness=warmness)

    def push(self, contact: str, **given: Any) -> Row:
        """Asks for a warm lead, and waits as long as the gateway does."""
        fields = f"outcome push {{ {PUSH} }} owner {{ email }}"
        return self.do("pushWarmLead", fields, contactId=contact, integrationId=self.integration, **given)

    def pushes(self, record: str | None = None) -> list[Row]:
        """All, or those of a record, the oldest first."""
        query = f"query($r: ID) {{ pushes(first: 250, recordId: $r) {{ nodes {{ {PUSH} }} }} }}"
        nodes: list[Row] = self.gateway.ask(query, r=record)["pushes"]["nodes"]
        return nodes[::-1]

    def settle(self, count: int, record: str | None = None, seconds: float = 30) -> list[Row]:
        """The pushes, once there are so many and none is under way."""

        def look() -> list[Row]:
            found = self.pushes(record)
            return found if len(found) >= count and all(one["status"] in SETTLED for one in found) else []

        try:
            found = wait_until(look, seconds, 0.1)
        except TimeoutError:
            raise AssertionError(self.pushes(record)) from None
        assert len(found) == count, found
        return found

    def settle_first(self, record: str) -> Row:
        """The oldest push of a record, once it is not under way."""
        return wait_until(lambda: [one for one in self.pushes(record)[:1] if one["status"] in SETTLED], every=0.05)[0]

    def show(self, contact: str, fields: str) -> Row:
        """A contact."""
        found: Row = self.gateway.ask(f"query($i: ID!) {{ contact(id: $i) {{ {fields} }} }}", i=contact)["contact"]
        return found

    def notices(self, code: str) -> list[str]:
        """The messages of all notifications of a kind."""
        nodes = self.gateway.ask("{ notifications(first: 100) { nodes { code message } } }")["notifications"]["nodes"]
        return [node["message"] for node in nodes if node["code"] == code]


class Books(ABC):
    """What an account has, in the same words for each CRM."""

    def __init__(self, crm: Sandbox) -> None:
        self.crm = crm

    @abstractmethod
    def people(self) -> list[Row]:
        """Of each: id, name, organization (id), owner (e-mail), labels (names)."""

    @abstractmethod
    def companies(self) -> list[Row]:
        """Of each: id, name, owner (e-mail)."""

    @abstractmethod
    def done(self) -> list[tuple[str, str, str]]:
        """Of each activity and note: the vendor's word for its kind, what it is called, and whose it is: a person's id."""

    @abstractmethod
    def add_company(self, name: str) -> str:
        """The id of a new company."""

    @abstractmethod
    def users(self) -> dict[str, str]:
        """Active users: e-mail -> id."""

    @abstractmethod
    def labels(self) -> list[str]:
        """The options that persons can be labelled with."""


class Pipedrive(Books):
    """Its lists of v2."""

    @property
    def _owners(self) -> Row:
        return {row["id"]: row["email"] for row in self.crm.call("GET", "/api/v1/users")["data"]}

    def _options(self) -> Row:
        fields = self.crm.call("GET", "/api/v2/personFields?limit=500")["data"]
        (field,) = [one for one in fields if one["field_code"] == "label_ids"]
        return {one["id"]: one["label"] for one in field["options"] or ()}

    def people(self) -> list[Row]:
        """Persons."""
        owners, options = self._owners, self._options()
        return [
            {
                "id": str(row["id"]),
                "name": row["name"],
                "organization": row["org_id"] and str(row["org_id"]),
                "owner": owners[row["owner_id"]],
                "labels": [options[one] for one in row["label_ids"]],
            }
            for row in self.crm.list("/api/v2/persons")
        ]

    def companies(self) -> list[Row]:
        """Organizations."""
        owners = self._owners
        rows = self.crm.list("/api/v2/organizations")
        return [{"id": str(row["id"]), "name": row["name"], "owner": owners[row["owner_id"]]} for row in rows]

    def done(self) -> list[tuple[str, str, str]]:
        """Activities by their type, and notes."""
        activities = self.crm.list("/api/v2/activities")
        notes = self.crm.list("/api/v1/notes")
        return sorted(
            [(row["type"], row["subject"], str(row["person_id"])) for row in activities]
            + [("note", row["content"], str(row["person_id"])) for row in notes]
        )

    def add_company(self, name: str) -> str:
        """An organization."""
        return str(self.crm.call("POST", "/api/v2/organizations", {"name": name})["data"]["id"])

    def users(self) -> dict[str, str]:
        """By their accounts."""
        rows = self.crm.call("GET", "/api/v1/users")["data"]
        return {row["email"]: str(row["id"]) for row in rows if row["active_flag"]}

    def labels(self) -> list[str]:
        """Of the field label_ids."""
        return list(self._options().values())


class Hubspot(Books):
    """Its objects with their associations."""

    objects = "/crm/objects/2026-09"
    kinds: Mapping[str, str] = {
        "calls": "hs_call_title",
        "emails": "hs_email_subject",
        "meetings": "hs_meeting_title",
        "tasks": "hs_task_subject",
        "notes": "hs_note_body",
    }

    @property
    def _owners(self) -> Row:
        return {row["id"]: row["email"] for row in self.crm.call("GET", "/crm/owners/2026-09")["results"]}

    def _rows(self, kind: str, properties: str, linked: str = "") -> list[Row]:
        path = f"{self.objects}/{kind}?limit=100&properties={properties}&associations={linked}"
        found: list[Row] = self.crm.call("GET", path)["results"]
        return found

    def _options(self) -> Row:
        field = self.crm.call("GET", "/crm/properties/2026-09/contacts/hs_lead_status")
        return {one["value"]: one["label"] for one in field["options"]}

    def people(self) -> list[Row]:
        """Contacts."""
        owners, options = self._owners, self._options()
        return [
            {
                "id": row["id"],
                "name": " ".join(filter(None, (said["firstname"], said["lastname"]))),
                "organization": next(iter(list_ends(row, "companies")), None),
                "owner": owners.get(said["hubspot_owner_id"]),
                "labels": [options[said["hs_lead_status"]]] if said["hs_lead_status"] else [],
            }
            for row in self._rows("contacts", "firstname,lastname,hubspot_owner_id,hs_lead_status", "companies")
            for said in [row["properties"]]
        ]

    def companies(self) -> list[Row]:
        """Companies."""
        owners = self._owners
        return [
            {
                "id": row["id"],
                "name": row["properties"]["name"],
                "owner": owners.get(row["properties"]["hubspot_owner_id"]),
            }
            for row in self._rows("companies", "name,hubspot_owner_id")
        ]

    def done(self) -> list[tuple[str, str, str]]:
        """By the type of object."""
        return sorted(
            (kind, row["properties"][title], end)
            for kind, title in self.kinds.items()
            for row in self._rows(kind, title, "contacts")
            for end in list_ends(row, "contacts")
        )

    def add_company(self, name: str) -> str:
        """Without a domain."""
        return str(self.crm.call("POST", f"{self.objects}/companies", {"properties": {"name": name}})["id"])

    def users(self) -> dict[str, str]:
        """As owners."""
        rows = self.crm.call("GET", "/crm/owners/2026-09")["results"]
        return {row["email"]: row["id"] for row in rows if row["email"]}

    def labels(self) -> list[str]:
        """Of hs_lead_status."""
        return list(self._options().values())


def list_ends(row: Row, kind: str) -> list[str]:
    """The ids that a row is associated with, each once."""
    found = row.get("associations", {}).get(kind, {}).get("results", ())
    return list(dict.fromkeys(one["id"] for one in found))


BOOKS: Mapping[str, type[Books]] = {"pipedrive": Pipedrive, "hubspot": Hubspot}


def read_books(stage: Stage) -> Books:
    """Of the stage's account."""
    return BOOKS[stage.crm.name](stage.crm)
