"""HubSpot's ways to find objects again: by a unique property at once, by searches after their lag."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.hubspot.objects import Kind
from connectors.hubspot.reading import Batch, Found
from connectors.phones import local_digits, to_e164
from connectors.reading import Api, Page
from connectors.values import read_domain, read_id

SEARCH_LAG = 60.0
"""Seconds: the vendor says that a search knows of a change after "a few moments".

https://developers.hubspot.com/docs/api-reference/latest/crm/search-the-crm
"""
PHONES = ("hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number")


@dataclass(frozen=True, kw_only=True)
class ByEmail:
    """By the address, which is unique: a read, that knows of every contact at once."""

    kind: Kind
    lag: float = 0.0

    async def seek(self, api: Api, value: str, region: str | None) -> Sequence[str]:  # noqa: ARG002 # of numbers
        """The id of the contact that has it, as its primary address or as another."""
        question = {"properties": ["email"], "idProperty": "email", "inputs": [{"id": value.strip().lower()}]}
        body = await api.ask(Batch(kind=self.kind).path, {}, 1, body=question)
        return [one for row in api.paging["all"].rows(api, body) if (one := read_id(row.get("id")))]


def by_name(value: str, _: str | None) -> list[Mapping[str, str]]:
    """The name as a whole."""
    return [{"name": value.strip()}]


def by_full_name(value: str, _: str | None) -> list[Mapping[str, str]]:
    """Given name and family name, cut at each blank that may be between them."""
    words = value.split()
    cuts = range(1, min(len(words), 6)) if len(words) > 1 else ()
    named = [{"firstname": " ".join(words[:cut]), "lastname": " ".join(words[cut:])} for cut in cuts]
    return [*named] or [{"firstname": value.strip()}, {"lastname": value.strip()}]


def by_domain(value: str, _: str | None) -> list[Mapping[str, str]]:
    """The domain, with `www.` and without."""
    domain = read_domain(value) or value
    return [{"domain": domain}, {"domain": f"www.{domain}"}]


def by_phone(value: str, region: str | None) -> list[Mapping[str, str]]:
    """The number without its country, which is how HubSpot searches numbers; with it where HubSpot may not know the
    country's code."""
    digits, whole = local_digits(value, region), to_e164(value, region)
    if digits is None or whole is None:
        return [{"phone": value}, {"mobilephone": value}]
    return [{name: text} for name in PHONES for text in (digits, whole[1:])]


@dataclass(frozen=True, kw_only=True)
class BySearch(Found):
    """By a search for exact values: in the groups of which one fits, all properties are to have theirs."""

    groups: Callable[[str, str | None], Sequence[Mapping[str, str]]]
    lag: float = SEARCH_LAG

    async def seek(self, api: Api, value: str, region: str | None) -> Sequence[str]:
        """The ids of up to 100."""
        groups = [
            {"filters": [{"propertyName": name, "operator": "EQ", "value": text} for name, text in group.items()]}
            for group in self.groups(value, region)[:5]
        ]
        question = {"filterGroups": groups, "properties": [self.kind.modified], "limit": 100}
        rows, _, _ = await self.ask(api, question)
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
