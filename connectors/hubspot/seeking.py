"""HubSpot's ways to find objects again: by a unique property at once, by searches after their lag."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from connectors.client import together
from connectors.hubspot.objects import Kind
from connectors.hubspot.reading import MOST_READ, Batch, Found
from connectors.phones import local_digits, to_e164
from connectors.reading import Api, Page
from connectors.values import read_domain, read_id
from connectors.writing import Key

Group: TypeAlias = Mapping[str, str]
"""property -> the value that it is to have."""

SEARCH_LAG = 60.0
"""Seconds: the vendor says that a search knows of a change after "a few moments".

https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm
"""
MOST_GROUPS = 5
"""Of filters in a search, of which one has to fit."""
PHONES = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")


@dataclass(frozen=True, kw_only=True)
class ByEmail:
    """By addresses, which are unique: a read, that knows of every contact at once."""

    kind: Kind
    lag: float = 0.0

    async def seek(self, api: Api, keys: Sequence[Key], region: str | None) -> Sequence[str]:  # noqa: ARG002 # of numbers
        """The ids of the contacts that have them, as their primary address or as another: up to 100 addresses."""
        inputs = [{"id": value.strip().lower()} for _, value in keys[:MOST_READ]]
        question = {"properties": ["email"], "idProperty": "email", "inputs": inputs}
        body = await api.ask(Batch(kind=self.kind).path, {}, 1, body=question)
        return [one for row in api.paging["all"].rows(api, body) if (one := read_id(row.get("id")))]


def by_name(value: str, _: str | None) -> list[Group]:
    """The name as a whole."""
    return [{"name": value.strip()}]


def by_full_name(value: str, _: str | None) -> list[Group]:
    """Given name and family name, cut at each blank that may be between them."""
    words = value.split()
    cuts = range(1, min(len(words), 6)) if len(words) > 1 else ()
    named = [{"firstname": " ".join(words[:cut]), "lastname": " ".join(words[cut:])} for cut in cuts]
    return [*named] or [{"firstname": value.strip()}, {"lastname": value.strip()}]


def by_domain(value: str, _: str | None) -> list[Group]:
    """The domain, with `www.` and without."""
    domain = read_domain(value) or value
    return [{"domain": domain}, {"domain": f"www.{domain}"}]


def by_phone(value: str, region: str | None) -> list[Group]:
    """The number without its country, which is how HubSpot searches numbers; with it where HubSpot may not know the
    country's code."""
    digits, whole = local_digits(value, region), to_e164(value, region)
    if digits is None or whole is None:
        return [{"phone": value}, {"mobilephone": value}]
    return [{name: text} for name in PHONES for text in (digits, whole[1:])]


@dataclass(frozen=True, kw_only=True)
class BySearch(Found):
    """By a search for exact values: in the groups of which one fits, all properties are to have theirs."""

    groups: Mapping[str, Callable[[str, str | None], Sequence[Group]]]
    """key -> the groups of a value."""
    lag: float = SEARCH_LAG

    async def seek(self, api: Api, keys: Sequence[Key], region: str | None) -> Sequence[str]:
        """The ids of up to 100 for each search, which has as many keys as HubSpot takes groups."""
        searches: list[list[Sequence[Group]]] = [[]]
        for key, value in keys:
            groups = self.groups[key](value, region)[:MOST_GROUPS]
            if sum(map(len, searches[-1])) + len(groups) > MOST_GROUPS:
                searches.append([])
            searches[-1].append(groups)
        told = await together(*(self._search(api, search) for search in searches))
        return list(dict.fromkeys(one for ids in told for one in ids))

    async def _search(self, api: Api, asked: Sequence[Sequence[Group]]) -> list[str]:
        """The ids of what fits one of the keys, each of which is its groups. Where there is more than can be shown, each key
        is searched for alone, so that a common one hides nothing that another finds."""
        groups = [
            {"filters": [{"propertyName": name, "operator": "EQ", "value": text} for name, text in group.items()]}
            for each in asked
            for group in each
        ]
        question = {"filterGroups": groups, "properties": [self.kind.modified], "limit": 100}
        rows, after, _ = await self.ask(api, question)
        if after is not None and len(asked) > 1:
            told = await together(*(self._search(api, [each]) for each in asked))
            return [one for ids in told for one in ids]
        return [one for row in rows if (one := read_id(row.get("id")))]


@dataclass(frozen=True, kw_only=True)
class Newest(Found):
    """What was made since a time, the newest first: lists have no such order, so it is a search."""

    created: str
    """The property with the time of its making."""
    optional: bool = False

    async def page(
        self, api: Api, cursor: Any | None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """Up to 100."""
        at = int(since.timestamp()) * 1000 if since else 0
        question = {
            "filterGroups": [{"filters": [{"propertyName": self.created, "operator": "GTE", "value": str(at)}]}],
            "sorts": [{"propertyName": self.created, "direction": "DESCENDING"}],
            "properties": [self.kind.modified],
            "limit": min(size or 100, 100),
            "after": str(cursor or "0"),
        }
        rows, after, _ = await self.ask(api, question)
        return Page(records=rows, next=after)
