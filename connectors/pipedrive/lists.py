"""Pipedrive's ways of listing, looking up and searching."""

from datetime import datetime

from connectors.reading import Listing, Lookup, Search

BY_ID = {"sort_by": "id", "sort_direction": "asc"}
"""An order that edits do not change, so that no record moves from one page to another."""


class Recents(Listing):
    """What was changed lately, of all types; it writes times in a way of its own."""

    def write_time(self, since: datetime) -> str:
        """A time in UTC."""
        return since.strftime("%Y-%m-%d %H:%M:%S")


def list_v2(path: str, cost: int = 10) -> Listing:
    """A list of records by cursor."""
    return Listing(path=path, params=BY_ID, paging="cursor", cost=cost, since="updated_since")


def list_changes(path: str, cost: int = 10, **params: str) -> Listing:
    """Records by cursor, the one that was changed longest ago first."""
    order = {"sort_by": "update_time", "sort_direction": "asc", **params}
    return Listing(path=path, params=order, paging="cursor", cost=cost, since="updated_since")


def prove(path: str) -> Lookup:
    """One record; a deleted one too, for the 30 days until it is purged."""
    return Lookup(path=f"{path}/{{id}}", paging="all", cost=1)


def look_up(path: str, cost: int = 10) -> Lookup:
    """Up to 100 records by id; unknown and invisible ones are left out of the answer."""
    return Lookup(path=path, most=100, params={"limit": "100"}, paging="all", cost=cost)


def search_in(path: str) -> Search:
    """What has the words in a name, an e-mail address, a number, a note or a custom field."""
    return Search(path=f"{path}/search", shortest=2, paging="search", cost=20)
