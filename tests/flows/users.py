"""What people do in each CRM, by its own API, where they do the same in all of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.stage import Sandbox

Row = dict[str, Any]


class User(ABC):
    """Somebody who works in an account of a CRM."""

    person: str
    organization: str
    deal: str
    activity: str
    note: str
    """The external types."""
    first: int
    """The id of the first record of each type."""

    def __init__(self, crm: Sandbox) -> None:
        self.crm = crm

    def key(self, number: int) -> str:
        """The id of the n-th record that was made of a type."""
        return str(self.first + number - 1)

    @property
    def titled(self) -> tuple[str, ...]:
        """The types whose records can be renamed, one for each list of ours."""
        return self.person, self.organization, self.deal, self.activity

    @abstractmethod
    def add_person(self, name: str, email: str = "") -> str:
        """The id of a new person."""

    @abstractmethod
    def rename(self, kind: str, key: str, title: str) -> None:
        """Changes what people call a record."""

    @abstractmethod
    def delete(self, kind: str, key: str) -> None:
        """Into the recycle bin."""

    @abstractmethod
    def times(self, kind: str) -> dict[str, datetime]:
        """When each record of a type was changed last."""

    @abstractmethod
    def add_field(self, label: str) -> str:
        """The name of a new field of persons, for numbers."""

    @abstractmethod
    def drop_field(self, name: str) -> None:
        """Deletes a field of persons."""

    @abstractmethod
    def merge_people(self, primary: str, other: str) -> None:
        """Makes two persons one."""

    @abstractmethod
    def rename_field(self, name: str, label: str) -> None:
        """Of persons."""

    @abstractmethod
    def write(self, key: str, field: str, value: int) -> None:
        """Sets a custom field of a person."""


class Pipedrive(User):
    """Somebody who works in Pipedrive."""

    person, organization, deal, activity, note = "Person", "Organization", "Deal", "Activity", "Note"
    first = 1
    paths: Mapping[str, tuple[str, str]] = {
        "Person": ("/api/v2/persons", "name"),
        "Organization": ("/api/v2/organizations", "name"),
        "Deal": ("/api/v2/deals", "title"),
        "Activity": ("/api/v2/activities", "subject"),
        "Note": ("/api/v1/notes", "content"),
    }

    def add_person(self, name: str, email: str = "") -> str:
        """With one address at most."""
        body = {"name": name, "emails": [{"value": email}] if email else []}
        return str(self.crm.call("POST", "/api/v2/persons", body)["data"]["id"])

    def rename(self, kind: str, key: str, title: str) -> None:
        """By the field that is its title."""
        path, name = self.paths[kind]
        self.crm.call("PATCH", f"{path}/{key}", {name: title})

    def delete(self, kind: str, key: str) -> None:
        """For 30 days."""
        self.crm.call("DELETE", f"{self.paths[kind][0]}/{key}")

    def times(self, kind: str) -> dict[str, datetime]:
        """Of at most 500 records."""
        rows = self.crm.list(self.paths[kind][0])
        return {str(row["id"]): datetime.fromisoformat(row["update_time"]) for row in rows}

    def add_field(self, label: str) -> str:
        """Its code."""
        field = {"field_name": label, "field_type": "double"}
        return str(self.crm.call("POST", "/api/v2/personFields", field)["data"]["field_code"])

    def drop_field(self, name: str) -> None:
        """By its code."""
        self.crm.call("DELETE", f"/api/v2/personFields/{name}")

    def merge_people(self, primary: str, other: str) -> None:
        """The primary's id stays."""
        self.crm.call("PUT", f"/api/v1/persons/{other}/merge", {"merge_with_id": int(primary)})

    def rename_field(self, name: str, label: str) -> None:
        """By its code."""
        self.crm.call("PATCH", f"/api/v2/personFields/{name}", {"field_name": label})

    def write(self, key: str, field: str, value: int) -> None:
        """By its code."""
        self.crm.call("PATCH", f"/api/v2/persons/{key}", {"custom_fields": {field: value}})


class Hubspot(User):
    """Somebody who works in HubSpot."""

    person, organization, deal, activity, note = "contacts", "companies", "deals", "tasks", "notes"
    first = 1001
    objects = "/crm/objects/2026-09"
    titles: Mapping[str, str] = {"companies": "name", "deals": "dealname", "tasks": "hs_task_subject"}

    def add(self, kind: str, **properties: Any) -> str:
        """The id of a new record."""
        return str(self.crm.call("POST", f"{self.objects}/{kind}", {"properties": properties})["id"])

    def change(self, kind: str, key: str, **properties: Any) -> None:
        """Sets properties; an empty text clears one."""
        self.crm.call("PATCH", f"{self.objects}/{kind}/{key}", {"properties": properties})

    def link(self, kind: str, key: str, other: str, end: str) -> None:
        """An association without a label, which changes nobody's update time."""
        self.crm.call("PUT", f"{self.objects}/{kind}/{key}/associations/default/{other}/{end}")

    def label(self, kind: str, key: str, other: str, end: str, number: int) -> None:
        """An association with one of the vendor's own labels."""
        types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}]
        self.crm.call("PUT", f"{self.objects}/{kind}/{key}/associations/{other}/{end}", types)

    def unlink(self, kind: str, key: str, other: str, end: str) -> None:
        """Takes away all associations of the two."""
        self.crm.call("DELETE", f"{self.objects}/{kind}/{key}/associations/{other}/{end}")

    def merge(self, kind: str, primary: str, other: str) -> str:
        """The id of what has become of them."""
        body = {"primaryObjectId": primary, "objectIdToMerge": other}
        return str(self.crm.call("POST", f"{self.objects}/{kind}/merge", body)["id"])

    def rows(self, kind: str, *properties: str, linked: str = "") -> list[Row]:
        """All records of a type that are not archived, with the types that they are `linked` with."""
        found: list[Row] = []
        path = f"{self.objects}/{kind}?limit=100&properties={','.join(properties)}&associations={linked}"
        after = "0"
        while after:
            page = self.crm.call("GET", f"{path}&after={after}")
            found += page["results"]
            after = page.get("paging", {}).get("next", {}).get("after")
        return found

    def add_person(self, name: str, email: str = "") -> str:
        """Whose name is a first name."""
        return self.add("contacts", firstname=name, email=email)

    def rename(self, kind: str, key: str, title: str) -> None:
        """Of a person, both names."""
        names = {"firstname": title, "lastname": ""} if kind == "contacts" else {self.titles[kind]: title}
        self.change(kind, key, **names)

    def delete(self, kind: str, key: str) -> None:
        """For 90 days, without another update time."""
        self.crm.call("DELETE", f"{self.objects}/{kind}/{key}")

    def times(self, kind: str) -> dict[str, datetime]:
        """Of all records."""
        return {row["id"]: datetime.fromisoformat(row["updatedAt"]) for row in self.rows(kind)}

    def add_field(self, label: str) -> str:
        """Its name, which never changes."""
        name = label.lower().replace(" ", "_")
        field = {"name": name, "label": label, "type": "number", "fieldType": "number"}
        self.crm.call("POST", "/crm/properties/2026-09/contacts", {**field, "groupName": "contactinformation"})
        return name

    def drop_field(self, name: str) -> None:
        """By its name."""
        self.crm.call("DELETE", f"/crm/properties/2026-09/contacts/{name}")

    def merge_people(self, primary: str, other: str) -> None:
        """Whatever id they have then."""
        self.merge("contacts", primary, other)

    def rename_field(self, name: str, label: str) -> None:
        """Its label."""
        self.crm.call("PATCH", f"/crm/properties/2026-09/contacts/{name}", {"label": label})

    def write(self, key: str, field: str, value: int) -> None:
        """As a text, which all values are."""
        self.change("contacts", key, **{field: str(value)})


USERS: Mapping[str, type[User]] = {"pipedrive": Pipedrive, "hubspot": Hubspot}
