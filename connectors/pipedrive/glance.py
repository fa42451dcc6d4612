"""Lists that are read once more: for who is there, not for what they are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.reading import Api, Listing, Page


@dataclass(frozen=True, kw_only=True)
class Glance(Listing):
    """A list of rows that have one custom field of all, which is most of a row. An account without any gives rows as they
    are; a name that the CRM does not know could be refused."""

    external_type: str

    async def page(
        self, api: Api, cursor: Any | None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """One page, of at most `size` rows."""
        custom = [field.name for field in await api.fields(self.external_type) if field.is_custom]
        return await self.ask(api, cursor, since, size, {"custom_fields": custom[0]} if custom else {})


def list_anew(path: str, type_: str = "", cost: int = 10) -> Listing:
    """The same records, the one that was changed last first: what the order by id has left out shows here. Of a type with
    custom fields, which is named, only a glance."""
    order = {"sort_by": "update_time", "sort_direction": "desc"}
    if type_:
        return Glance(path=path, params=order, paging="cursor", cost=cost, external_type=type_)
    return Listing(path=path, params=order, paging="cursor", cost=cost)
