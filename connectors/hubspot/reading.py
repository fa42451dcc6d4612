"""HubSpot's ways of reading: lists of objects with all their properties, changes by search, objects by id in batches.

What a list or a search does not show is read beside it (`complete`): the relations of up to 1,000 objects in a call, and
properties that a list's address has no room for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

from connectors.client import in_turns, together
from connectors.errors import Missing, Retryable, Unmappable, Unsupported
from connectors.facts import Payload
from connectors.hubspot.objects import Kind
from connectors.paths import follow_path
from connectors.reading import Api, Listing, Lookup, Page
from connectors.values import read_id, read_moment

Json: TypeAlias = dict[str, Any]

ROOM = 6_000
"""Characters for the names of properties in an address: the vendor's servers refuse long ones with a 414."""
TOGETHER = 5
"""Pages of a list that are read before their relations are. One call tells the relations of twice as many; but twice as many
are 30 MB more of memory."""
MOST_READ = 100
MOST_ASSOCIATED = 1_000
MOST_FOUND = 200
TRIES = 3
"""Of a search whose answer cannot be: nothing new, though it counts more."""
LACKING = "lacking"
"""In a row on its way: the names of the properties that it has not got yet."""
ALL: Sequence[str] = ()
"""There: it has none of those that count."""


# ---------------------------------------------------------------- lists


@dataclass(frozen=True, kw_only=True)
class Objects(Listing):
    """The list of a type's objects, by id, with the properties that the address has room for."""

    kind: Kind

    async def page(
        self,
        api: Api,
        cursor: Any | None,
        *,
        since: datetime | None = None,  # noqa: ARG002 # this list knows no times
        size: int | None = None,
    ) -> Page:
        """Five pages of the vendor's, which are of 100 objects; one where fewer are wanted."""
        names = await self.kind.properties(api)
        asked, rest = split_names(names)
        listing = Listing(
            path=self.path, params={**self.params, "properties": asked}, paging=self.paging, cost=self.cost
        )
        rows: list[Payload] = []
        for _ in range(TOGETHER if size is None else 1):
            page = await listing.page(api, cursor, size=size)
            rows += page.records
            cursor = page.next
            if cursor is None:
                break
        return Page(records=[{**row, LACKING: rest} for row in rows] if rest else rows, next=cursor)


def split_names(names: Sequence[str]) -> tuple[str, list[str]]:
    """Names joined by commas, as many as an address has room for; and the others."""
    length = 0
    for number, name in enumerate(names):
        length += len(name) + 3  # a comma is three characters there
        if length > ROOM:
            return ",".join(names[:number]), list(names[number:])
    return ",".join(names), []


# ---------------------------------------------------------------- searches


@dataclass(frozen=True, kw_only=True)
class Found:
    """How searches are asked: each counts against the budget for searches."""

    kind: Kind
    cost: int = 1

    @property
    def path(self) -> str:
        """Of the type's searches."""
        return f"{self.kind.path}/search"

    async def ask(self, api: Api, question: Json) -> tuple[Sequence[Payload], str | None, int]:
        """The objects found, still without their properties; where the question's next page is; and how many there are."""
        body = await api.ask(self.path, {}, self.cost, body=question, search=True)
        rows = follow_path(body, "results")
        if not isinstance(rows, list):
            raise api.error(Retryable, "gave a search without results")
        after = follow_path(body, "paging.next.after")
        total = follow_path(body, "total")
        found = [{**row, LACKING: ALL} for row in rows if isinstance(row, dict)]
        return found, None if after is None else str(after), total if isinstance(total, int) else len(found)


@dataclass(frozen=True, kw_only=True)
class Changes(Found):
    """What has changed since a time, the longest ago first: by (time, id), so that no number of changes is too large.

    A search shows 10,000 objects, so it is never paged: each page asks for what comes behind the last one of the page
    before. Where a page is of one single time, those of that time are read in the order of their ids first.
    """

    optional: bool = False

    async def page(
        self, api: Api, cursor: Any | None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """A page. The cursor: {"at": milliseconds, "seen": ids of that time}, and {"id": the last of them} where they
        are read by id."""
        at = int((since or datetime.fromtimestamp(0, UTC)).timestamp() * 1000)
        place: Json = cursor or {"at": at, "seen": []}
        question = self._question(place, min(size or MOST_FOUND, MOST_FOUND))
        for _ in range(TRIES):
            rows, after, total = await self.ask(api, question)
            fresh = [row for row in rows if not self._is_seen(api, row, place)]
            more = after is not None or total > len(rows)
            if fresh or not more or (rows and after):
                break  # else the page is cut short: it counts more than it shows, and shows nothing new
        if more and not rows:
            raise api.error(Retryable, "gave an empty page of changes, though it counts some")
        return Page(records=fresh, next=self._next(api, place, rows) if more else self._end(place))

    def _question(self, place: Json, limit: int) -> Json:
        modified, at = self.kind.modified, str(place["at"])
        filters = [{"propertyName": modified, "operator": "GTE", "value": at}]
        order = modified
        if "id" in place:
            filters.append({"propertyName": modified, "operator": "LTE", "value": at})
            filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": place["id"]})
            order = "hs_object_id"
        return {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
            "properties": [modified],
            "limit": limit,
            "after": "0",
        }

    def _end(self, place: Json) -> Json | None:
        """Behind the last of one time come those of later times."""
        return {"at": place["at"] + 1, "seen": []} if "id" in place else None

    def _next(self, api: Api, place: Json, rows: Sequence[Payload]) -> Json:
        """Behind the rows."""
        if "id" in place:
            return {**place, "id": str(rows[-1].get("id"))}
        times = [self._time(api, row) for row in rows]
        seen = [str(row.get("id")) for row, time in zip(rows, times, strict=True) if time == times[-1]]
        if times[0] == times[-1]:  # there may be more of that time than a page can show
            return {"at": times[-1], "id": "0", "seen": list(dict.fromkeys([*self._seen(place, times[-1]), *seen]))}
        return {"at": times[-1], "seen": seen}

    def _seen(self, place: Json, time: int) -> Sequence[str]:
        return place["seen"] if place["at"] == time else ()

    def _is_seen(self, api: Api, row: Payload, place: Json) -> bool:
        """An object that has been changed again since it was seen is a new one."""
        return row.get("id") in place["seen"] and self._time(api, row) == place["at"]

    def _time(self, api: Api, row: Payload) -> int:
        """When it was changed, in milliseconds since 1970."""
        try:
            moment = read_moment(follow_path(row, f"properties.{self.kind.modified}") or row.get("updatedAt"), "")
        except Unmappable:
            moment = None
        if moment is None:
            raise api.error(Retryable, "gave a change without its time")
        return round(moment.timestamp() * 1000)


@dataclass(frozen=True, kw_only=True)
class Census(Found):
    """Counts the objects, and names them in the order of their ids: each page asks for those behind the last one."""

    async def count(self, api: Api) -> int:
        """The total of a search for everything: it is no subject to the limit of what a search shows."""
        _, _, total = await self.ask(api, {"limit": 1, "properties": [self.kind.modified]})
        return total

    async def page(self, api: Api, cursor: Any | None) -> Page:
        """Up to 200; fewer than the search counts where it shows no more of them."""
        behind = {"propertyName": "hs_object_id", "operator": "GT", "value": str(cursor or 0)}
        question = {
            "filterGroups": [{"filters": [behind]}],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": [self.kind.modified],
            "limit": MOST_FOUND,
        }
        rows: Sequence[Payload] = ()
        total = 1
        for _ in range(TRIES):
            rows, _, total = await self.ask(api, question)
            if rows or not total:
                break
        return Page(records=rows, next=str(rows[-1].get("id")) if rows and total > len(rows) else None)


@dataclass(frozen=True, kw_only=True)
class Words(Found):
    """What has the words in one of the properties that HubSpot searches."""

    shortest: int = 1

    async def find(self, api: Api, text: str, cursor: Any | None, size: int | None) -> Page:
        """One page, of at most `size`."""
        question = {"query": text, "limit": min(size or MOST_READ, MOST_READ), "after": str(cursor or "0")}
        rows, after, _ = await self.ask(api, {**question, "properties": [self.kind.modified]})
        return Page(records=rows, next=after)


# ---------------------------------------------------------------- by id


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Objects by id, 100 in a call; those that are not there are left out of the answer."""

    kind: Kind
    most: int = MOST_READ
    cost: int = 1

    @property
    def path(self) -> str:
        """Where it is asked."""
        return f"{self.kind.path}/batch/read"

    async def read(self, api: Api, ids: Sequence[str]) -> Sequence[Payload]:
        """With all their properties."""
        return await self.read_properties(api, ids, await self.kind.properties(api))

    async def read_properties(self, api: Api, ids: Sequence[str], names: Sequence[str]) -> Sequence[Payload]:
        """With these properties."""
        question = {"properties": list(names), "inputs": [{"id": one} for one in ids]}
        body = await api.ask(self.path, {}, self.cost, body=question)
        return api.paging["all"].rows(api, body)


@dataclass(frozen=True, kw_only=True)
class Whole(Batch):
    """Objects by id with their relations, which are asked for beside them."""

    async def read(self, api: Api, ids: Sequence[str]) -> Sequence[Payload]:
        """With all their properties and relations, as `complete` gives them."""
        rows, relations = await asyncio.gather(super().read(api, ids), find_relations(self.kind, api, ids))
        return [join(row, {}, relations) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Single(Lookup):
    """One object by its id, or by one that it had before it was merged."""

    kind: Kind

    async def read(self, api: Api, ids: Sequence[str]) -> Sequence[Payload] | None:
        """The object, still without its properties; none where it is archived, or gone for good."""
        rows = await super().read(api, ids)
        return [{**row, LACKING: ALL} for row in rows] if rows else rows


# ---------------------------------------------------------------- what rows lack


async def complete(kind: Kind, api: Api, rows: Sequence[Payload]) -> Sequence[Payload]:
    """The rows with all their properties, and with their relations under `associations`, as lists show them inline: the
    primary one first, then by id."""
    properties, relations = await together(
        find_properties(kind, api, rows),
        find_relations(kind, api, [one for row in rows if (one := read_id(row.get("id")))]),
    )
    return [join(row, properties, relations) for row in rows]


def join(row: Payload, properties: Mapping[str, Payload], relations: Mapping[str, Payload]) -> Payload:
    """One row with what was read beside it."""
    one = str(row.get("id"))
    whole = {name: value for name, value in row.items() if name != LACKING}
    if one in properties:
        whole["properties"] = {**_object(row.get("properties")), **properties[one]}
    if one in relations:
        whole |= relations[one]
    return whole


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


async def find_properties(kind: Kind, api: Api, rows: Sequence[Payload]) -> Mapping[str, Payload]:
    """What the rows say that they lack, by id. An object that has gone meanwhile stays as it was seen."""
    ids = [one for row in rows if LACKING in row and (one := read_id(row.get("id")))]
    if not ids:
        return {}
    lacking = next(row[LACKING] for row in rows if LACKING in row) or await kind.properties(api)
    batch = Batch(kind=kind)
    parts = [ids[start : start + MOST_READ] for start in range(0, len(ids), MOST_READ)]
    found = await in_turns([partial(batch.read_properties, api, part, lacking) for part in parts])
    return {str(row.get("id")): _object(row.get("properties")) for answer in found for row in answer}


async def find_relations(kind: Kind, api: Api, ids: Sequence[str]) -> Mapping[str, Payload]:
    """{"associations": {type: {"results": […]}}} for each of these ids."""
    parts = [ids[start : start + MOST_ASSOCIATED] for start in range(0, len(ids), MOST_ASSOCIATED)]
    asked = [(target, part) for target in kind.associated for part in parts]
    told = await in_turns([partial(read_associations, kind, target, api, part) for target, part in asked])
    found: dict[str, Json] = {one: {} for one in ids}
    for (target, _), answer in zip(asked, told, strict=True):
        for one, ends in answer.items():
            if one in found and ends:
                found[one][target] = {"results": sorted(ends, key=rank)}
    return {one: {"associations": ends} for one, ends in found.items()} if kind.associated else {}


def rank(end: Json) -> tuple[bool, int, str]:
    """The primary one first, then by id: the same relations are told in the same order each time."""
    number = end["id"]
    return PRIMARY not in end["labels"], int(number) if number.isdecimal() else 0, number


PRIMARY = "Primary"
"""The label of the company that a record belongs to before others."""


async def read_associations(kind: Kind, target: str, api: Api, ids: Sequence[str]) -> dict[str, list[Json]]:
    """id -> [{"id", "labels"}] of what these objects are related to; nothing where the account may not see that type."""
    found: dict[str, list[Json]] = {}
    inputs: list[Json] = [{"id": one} for one in ids]
    while inputs:
        try:
            body = await api.ask(kind.association_path(target), {}, 1, body={"inputs": inputs})
        except (Missing, Unsupported):
            return found
        inputs = []
        for row in api.paging["all"].rows(api, body):
            one = str(follow_path(row, "from.id"))
            ends = row.get("to")
            found.setdefault(one, []).extend(read_end(end) for end in ends or () if _has_id(end))
            if after := follow_path(row, "paging.next.after"):
                inputs.append({"id": one, "after": after})
    return found


def _has_id(end: Any) -> bool:
    return isinstance(end, dict) and read_id(end.get("toObjectId")) is not None


def read_end(end: Payload) -> Json:
    """The far end of an association, and how it is labelled."""
    types = end.get("associationTypes")
    labels = [one.get("label") for one in types if isinstance(one, dict)] if isinstance(types, list) else []
    return {"id": str(end["toObjectId"]), "labels": sorted({label for label in labels if isinstance(label, str)})}


async def trace(kind: Kind, api: Api, ids: Sequence[str]) -> Mapping[str, Payload]:
    """The relations of these objects, as far as the account may see all of them: a change of a relation is no change of
    its ends."""
    return await find_relations(kind, api, ids)
