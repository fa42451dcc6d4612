"""HubSpot's ways of writing: objects with their associations, changes in batches, options of a property."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.client import in_turns
from connectors.errors import Conflict, CrmError, Missing, Rejected, Retryable, Unsupported
from connectors.facts import Payload, Reference
from connectors.hubspot.objects import Kind
from connectors.hubspot.reading import PRIMARY, read_associations
from connectors.hubspot.rules import VERSION
from connectors.paths import follow_path
from connectors.reading import Api
from connectors.values import read_id, read_text
from connectors.writing import Create, WriteApi, Written

RELATIONS: Mapping[str, str] = {"contacts": "contacts", "organization": "companies", "deal": "deals"}
"""Our relations -> HubSpot's types."""
TYPES: Mapping[tuple[str, str], int] = {
    ("contacts", "companies"): 279, ("deals", "contacts"): 3, ("deals", "companies"): 341,
    ("notes", "contacts"): 202, ("notes", "companies"): 190, ("notes", "deals"): 214,
    ("calls", "contacts"): 194, ("calls", "companies"): 182, ("calls", "deals"): 206,
    ("emails", "contacts"): 198, ("emails", "companies"): 186, ("emails", "deals"): 210,
    ("meetings", "contacts"): 200, ("meetings", "companies"): 188, ("meetings", "deals"): 212,
    ("tasks", "contacts"): 204, ("tasks", "companies"): 192, ("tasks", "deals"): 216,
}  # fmt: skip
"""The type of an association without a label. https://developers.hubspot.com/docs/api-reference/latest/crm/associations"""
PRIMARIES: Mapping[tuple[str, str], int] = {("contacts", "companies"): 1, ("deals", "companies"): 5}
"""That of the company that comes before others."""
STATUS: Mapping[str, int] = {"CONFLICT": 409, "OBJECT_NOT_FOUND": 404, "OBJECT_ALREADY_EXISTS": 409}
"""The status that the category of an error in a batch stands for; any other is a 400."""
MOST = 100
EXISTING = re.compile(r"Existing ID: (\d+)")


def list_complaints(body: Any) -> list[tuple[str, str]]:
    """(property, what is wrong with it) as an error has it; else what it says of the whole."""
    if not isinstance(body, dict):
        return []
    details = body.get("errors")
    told = [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []
    found = [(_name(one), text) for one in told if (text := read_text(one.get("message")))]
    whole = read_text(body.get("message"))
    return found or ([("", whole)] if whole else [])


def _name(detail: Payload) -> str:
    names = follow_path(detail, "context.propertyName")
    return str(names[0]) if isinstance(names, list) and names else str(detail.get("in") or "")


def find_existing(body: Any) -> str | None:
    """The id of the contact that has the address already."""
    found = EXISTING.search(str(follow_path(body, "message")))
    return found[1] if found else None


# ---------------------------------------------------------------- objects


def shape_object(kind: Kind, written: Written) -> dict[str, Any]:
    """The body of a new object."""
    ends = [
        {"to": {"id": one}, "types": [write_type(kind, target)]}
        for relation, references in written.refs.items()
        for target, one in check_ends(relation, references)
    ]
    return {"properties": dict(written.fields), **({"associations": ends} if ends else {})}


def write_type(kind: Kind, target: str) -> dict[str, Any]:
    """The plain association with a type."""
    return {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TYPES[kind.name, target]}


def check_ends(relation: str, references: Sequence[Reference]) -> list[Reference]:
    """Those ends that are of the relation's type."""
    return [(target, one) for target, one in references if target == RELATIONS[relation]]


def create_objects(kind: Kind) -> Create:
    """Makes one object with its associations."""
    return Create(path=kind.path, cost=1, shape=lambda written: shape_object(kind, written), id="id")


@dataclass(frozen=True, kw_only=True)
class Update:
    """Changes up to 100 objects in one call; their relations beside it."""

    kind: Kind
    most: int = MOST
    clears: tuple[str, ...] = ()
    """Properties that have to be emptied before they can go back."""

    async def change(self, api: WriteApi, written: Mapping[str, Written]) -> Mapping[str, CrmError | None]:
        """By id what went wrong with each."""
        wrong: dict[str, CrmError | None] = dict.fromkeys(written)
        fields = {one: dict(each.fields) for one, each in written.items() if each.fields}
        behind = {one: {name: each[name] for name in self.clears if each.get(name)} for one, each in fields.items()}
        cleared = {one: {**each, **dict.fromkeys(behind[one], "")} for one, each in fields.items()}
        wrong |= await self._update(api, cleared)  # all else goes with it, lest a refusal leave nothing but the gap
        wrong |= await self._update(api, {one: each for one, each in behind.items() if each and wrong[one] is None})
        linked = [one for one, each in written.items() if each.refs and wrong[one] is None]
        for one in linked:
            try:
                await self._relate(api, one, written[one].refs)
            except CrmError as error:
                wrong[one] = error
        return wrong

    async def _update(self, api: WriteApi, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, CrmError | None]:
        """Each marked, so that one that is refused does not keep the others from being written; where the batch is refused
        as a whole all the same, each alone."""
        if not fields:
            return {}
        inputs = [{"id": one, "properties": dict(each), "objectWriteTraceId": one} for one, each in fields.items()]
        try:
            if len(inputs) == 1:
                ((one, each),) = fields.items()
                await api.write("PATCH", f"{self.kind.path}/{one}", {"properties": dict(each)}, 1)
                return {one: None}
            body = await api.write("POST", f"{self.kind.path}/batch/update", {"inputs": inputs}, 1)
        except (Rejected, Missing, Conflict) as error:
            if len(inputs) == 1:
                return dict.fromkeys(fields, error)
            alone = await in_turns([partial(self._update, api, {one: each}) for one, each in fields.items()])
            return {one: told for each in alone for one, told in each.items()}
        except CrmError as error:
            return dict.fromkeys(fields, error)
        return self._read(api, body, fields)

    def _read(self, api: WriteApi, body: Any, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, CrmError | None]:
        """By id; for one that is neither among the results nor among the errors nobody knows."""
        done = {str(follow_path(row, "id")) for row in api.paging["all"].rows(api, body)}
        done |= {str(one) for row in api.paging["all"].rows(api, body) if (one := row.get("objectWriteTraceId"))}
        told: dict[str, CrmError | None] = {
            one: None if one in done else api.error(Retryable, "did not say what became of a change") for one in fields
        }
        errors = follow_path(body, "errors")
        for error in errors if isinstance(errors, list) else ():
            marks = follow_path(error, "context.objectWriteTraceId") or follow_path(error, "context.ids")
            for one in marks if isinstance(marks, list) else ():
                if one in told:
                    told[one] = api.refuse(STATUS.get(str(error.get("category")), 400), error)
        return told

    async def _relate(self, api: WriteApi, one: str, refs: Mapping[str, Sequence[Reference]]) -> None:
        """Makes the relations of an object what they are to be."""
        for relation, references in refs.items():
            target = RELATIONS[relation]
            wanted = [end for _, end in check_ends(relation, references)]
            there = (await read_associations(self.kind, target, api, [one])).get(one, [])
            known = [end["id"] for end in there]
            if relation == "contacts" or not wanted:
                gone = [end for end in known if end not in wanted]
            else:  # a company that is not the primary one is somebody else's to take away
                gone = [end["id"] for end in there if PRIMARY in end["labels"] and end["id"] not in wanted]
            primary = PRIMARIES.get((self.kind.name, target))
            if gone:
                await self._associate(
                    api, target, "archive", [{"from": {"id": one}, "to": [{"id": end} for end in gone]}]
                )
            if primary is None:
                types, new = [write_type(self.kind, target)], [end for end in wanted if end not in known]
            else:
                types, new = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": primary}], wanted[:1]
            if new:
                inputs = [{"from": {"id": one}, "to": {"id": end}, "types": types} for end in new]
                await self._associate(api, target, "create", inputs)

    async def _associate(self, api: WriteApi, target: str, what: str, inputs: list[dict[str, Any]]) -> None:
        path = f"/crm/associations/{VERSION}/{self.kind.name}/{target}/batch/{what}"
        errors = follow_path(await api.write("POST", path, {"inputs": inputs}, 1), "errors")
        for error in errors if isinstance(errors, list) else ():
            raise api.refuse(STATUS.get(str(error.get("category")), 400), error)


# ---------------------------------------------------------------- labels


@dataclass(frozen=True, kw_only=True)
class LeadStatus:
    """The property that stands for labels: one of its options."""

    kind: Kind
    name: str = "hs_lead_status"
    many: bool = False

    @property
    def path(self) -> str:
        """Of the property."""
        return f"/crm/properties/{VERSION}/{self.kind.name}/{self.name}"

    async def find(self, api: Api, name: str) -> str | None:
        """The value of the option of that label."""
        wanted = name.strip().casefold()
        found = [
            one for one in self._options(await self._read(api)) if wanted == str(one.get("label")).strip().casefold()
        ]
        return next((str(one["value"]) for one in found), None)

    async def add(self, api: WriteApi, name: str) -> str:
        """Writes the whole list, which is how HubSpot takes one more."""
        row = await self._read(api)
        if follow_path(row, "modificationMetadata.readOnlyOptions") is True:
            raise api.error(Unsupported, f"lets nobody change the options of {self.name}")
        options, shown = self._options(row), row.get("options")
        if not isinstance(shown, list) or len(options) < len(shown):  # what is not written again is gone
            raise api.error(Unsupported, f"does not show all options of {self.name}")
        values = {str(one["value"]) for one in options}
        plain = re.sub(r"\W+", "_", name).strip("_").upper() or "LABEL"
        numbered = [plain, *(f"{plain}_{number}" for number in range(2, len(values) + 2))]
        value = next(one for one in numbered if one not in values)
        last = max((order for one in options if isinstance(order := one.get("displayOrder"), int)), default=-1)
        new = {"label": name, "value": value, "displayOrder": last + 1, "hidden": False}
        await api.write("PATCH", self.path, {"options": [*options, new]}, 1)
        return value

    def read(self, payload: Payload) -> Sequence[str] | None:
        """One, or none."""
        given = payload.get("properties")
        if not isinstance(given, dict) or self.name not in given:
            return None
        return [str(given[self.name])] if given[self.name] else []

    def mark(self, value: str, fields: Mapping[str, Any], current: Payload | None) -> Mapping[str, Any]:  # noqa: ARG002
        """A record has one: it takes the place of what it has."""
        return {self.name: value}

    async def _read(self, api: Api) -> Payload:
        body = await api.ask(self.path, {}, 1)
        return body if isinstance(body, dict) else {}

    def _options(self, row: Payload) -> list[dict[str, Any]]:
        """As they are written again, hidden ones too."""
        found = row.get("options")
        kept = ("label", "value", "displayOrder", "hidden", "description")
        return [
            {name: one[name] for name in kept if name in one}
            for one in (found if isinstance(found, list) else ())
            if isinstance(one, dict) and read_id(one.get("value"))
        ]
