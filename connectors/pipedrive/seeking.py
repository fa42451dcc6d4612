"""Pipedrive's ways to find records again, and its labels."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.client import together
from connectors.errors import Missing, Rejected, Unsupported
from connectors.facts import Payload
from connectors.pipedrive.metadata import find_label_options
from connectors.pipedrive.names import LABELS
from connectors.reading import Api, Listing
from connectors.writing import Key, WriteApi

SEARCH_LAG = 60.0
"""Seconds. The vendor tells no figure; people see a new record in searches after some seconds."""
MOST_SPELLINGS = 5


@dataclass(frozen=True, kw_only=True)
class Search:
    """By a search for the exact text, capitals aside."""

    path: str
    field: str
    spell: Callable[[str, str | None], Sequence[str]] = lambda value, _: (" ".join(value.split()),)
    """The ways in which people write the value: numbers are searched as they were typed."""
    lag: float = SEARCH_LAG

    async def seek(self, api: Api, keys: Sequence[Key], region: str | None) -> Sequence[str]:
        """The ids of those that are found in any spelling: each is a call."""
        asked = [
            api.ask(
                f"{self.path}/search",
                {"term": text, "fields": self.field, "exact_match": "true", "limit": "100"},
                20,
                search=True,
            )
            for _, value in keys
            for text in self.spell(value, region)[:MOST_SPELLINGS]
        ]
        answers = await together(*asked)
        rows = [row for body in answers for row in api.paging["search"].rows(api, body)]
        hits = [row["item"] for row in rows if isinstance(row.get("item"), dict)]
        return list(dict.fromkeys(str(hit["id"]) for hit in hits if hit.get("id") is not None))


# ---------------------------------------------------------------- labels


@dataclass(frozen=True, kw_only=True)
class LabelField:
    """The labels of persons or organizations, which are options of a field.

    https://pipedrive.readme.io/docs/working-with-labels
    """

    fields: str
    """personFields."""
    many: bool = True

    async def find(self, api: Api, name: str) -> str | None:
        """The id of the label."""
        _, options = await self._read(api)
        wanted = name.strip().casefold()
        exact = [one for one, label in options if label == name] or [
            one for one, label in options if label.strip().casefold() == wanted
        ]
        return exact[0] if exact else None

    async def add(self, api: WriteApi, name: str) -> str:
        """By the call of v2 that adds options, which is described for custom fields only; where that is refused, by the call
        of v1, which replaces all of them."""
        code, _ = await self._read(api)
        try:
            await api.write("POST", f"/api/v2/{self.fields}/{code}/options", [{"label": name}], 5)
        except (Rejected, Missing, Unsupported):
            await self._add_by_replacing(api, name)
        found = await self.find(api, name)
        if found is None:
            raise api.error(Unsupported, f"did not take the label {name}")
        return found

    async def _add_by_replacing(self, api: WriteApi, name: str) -> None:
        listing = Listing(path=f"/api/v1/{self.fields}", paging="offset", cost=20)
        rows = await self._rows(api, listing)
        field = next((row for row in rows if row.get("key") in LABELS and row.get("id") is not None), None)
        options = field.get("options") if field else None
        if field is None or not isinstance(options, list):
            raise api.error(Unsupported, "does not show its field of labels")
        body = {"options": [*options, {"label": name, "color": "red"}]}
        await api.write("PUT", f"/api/v1/{self.fields}/{field['id']}", body, 10)

    async def _read(self, api: Api) -> tuple[str, list[tuple[str, str]]]:
        """The key of the field, and (id, label) of its options, as they are now."""
        rows = await self._rows(api, Listing(path=f"/api/v2/{self.fields}", paging="cursor", cost=10))
        found = find_label_options(rows)
        if found is None:
            raise api.error(Unsupported, "has no labels here")
        return found

    async def _rows(self, api: Api, listing: Listing) -> list[Payload]:
        rows: list[Payload] = []
        cursor = None
        while True:
            page = await listing.page(api, cursor)
            rows += page.records
            cursor = page.next
            if cursor is None or any(row.get("field_code", row.get("key")) in LABELS for row in rows):
                return rows

    def read(self, payload: Payload) -> Sequence[str] | None:
        """All, by their ids."""
        own = payload.get("label_ids")
        return [str(one) for one in own] if isinstance(own, list) else None

    def mark(self, value: str, fields: Mapping[str, Any], current: Payload | None) -> Mapping[str, Any]:
        """All labels that the record has, and this one."""
        own = fields.get("label_ids", current.get("label_ids") if current else None)
        return {"label_ids": list(dict.fromkeys([*(own if isinstance(own, list) else ()), int(value)]))}
