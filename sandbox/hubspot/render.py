"""Records as the vendor shows them."""

from collections.abc import Iterable
from typing import Any

from sandbox.hubspot.call import Call
from sandbox.hubspot.kinds import NAMES, Kind
from sandbox.hubspot.links import BUILT_IN, PRIMARY
from sandbox.hubspot.mess import SHAPE
from sandbox.table import Json

INLINE = 100  # so many associations of a record stand in a list


class View:
    """What one call shows of the records of a type."""

    def __init__(
        self, call: Call, kind: Kind, asked: Iterable[str] = (), history: Iterable[str] = (), linked: Iterable[str] = ()
    ) -> None:
        self.call, self.kind = call, kind
        known = call.portal.properties[kind.plural]
        wanted = {name for name in asked if name in known}
        always = {kind.created, kind.changed, "hs_object_id"}
        self.names = sorted(wanted | always) if wanted or any(asked) else list(kind.defaults())
        self.history = [name for name in history if name in known]
        self.linked = [NAMES[name] for name in linked if name in NAMES]
        self.blank = call.blank

    def show(self, record: Json, *, archived: bool = False) -> Json:
        properties: dict[str, Any] = {name: record.get(name) for name in self.names}
        if "associatedcompanyid" in properties:
            company = self.call.portal.links.primary(("contacts", "companies"), record["id"])
            properties["associatedcompanyid"] = None if company is None else str(company)
        for name in self.blank.intersection(properties):
            properties[name] = None
        shown: Json = {
            "id": str(record["id"]),
            "properties": properties,
            "createdAt": record.get(self.kind.created),
            "updatedAt": record.get(self.kind.changed),
            "archived": archived,
        }
        if archived:
            shown["archivedAt"] = record["archivedAt"]
        if self.history:
            shown["propertiesWithHistory"] = {name: self.past(record, name) for name in self.history}
        if self.linked:
            found = {other.plural: self.associated(record["id"], other) for other in self.linked}
            shown["associations"] = {name: each for name, each in found.items() if each}
        return distort(shown, record[SHAPE]) if SHAPE in record else shown

    def past(self, record: Json, name: str) -> list[Json]:
        """The value it has; earlier ones are not kept."""
        if record.get(name) is None:
            return []
        return [{"value": record[name], "timestamp": record[self.kind.changed], "sourceType": "CRM_UI"}]

    def associated(self, key: int, other: Kind) -> Json | None:
        """As lists have it: one line for each type of an association."""
        pair = (self.kind.plural, other.plural)
        rows = self.call.portal.tables[other.plural].rows
        ends = [(end, types) for end, types in sorted(self.call.portal.links.ends(pair, key).items()) if end in rows]
        if not ends:
            return None
        name = f"{self.kind.singular}_to_{other.singular}"
        results = []
        for end, types in ends[:INLINE]:
            for category, number in types:
                if category == BUILT_IN:
                    plain = pair in PRIMARY and number != PRIMARY[pair]
                    results.append({"id": str(end), "type": f"{name}_unlabeled" if plain else name})
        more = {"paging": self.call.link(ends[INLINE][0])} if len(ends) > INLINE else {}
        return {"results": results, **more}


def distort(shown: Json, shape: str) -> Json:
    """An answer that is not as documented."""
    if shape == "id":
        return {name: value for name, value in shown.items() if name != "id"}
    return shown | {"properties": "[object Object]"}


def view_of(call: Call, kind: Kind) -> View:
    """As the query parameters ask."""
    return View(call, kind, call.names("properties"), call.names("propertiesWithHistory"), call.names("associations"))
