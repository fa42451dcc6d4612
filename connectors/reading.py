"""The ways of reading from a CRM: lists, look-ups by id, searches. A connector declares them, or brings a way of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from connectors.errors import CrmError, Missing, Rejected, Retryable, Unsupported
from connectors.facts import Field, Payload
from connectors.paths import follow_first, follow_path

T = TypeVar("T")
E = TypeVar("E", bound=CrmError)

TRIES = 3
"""Of a page that is empty, and that leads to itself: it was empty by an error."""


class Api(Protocol):
    """The API of one account, as its client calls it: within its limits, and again where that can help."""

    @property
    def paging(self) -> "Mapping[str, Paging]":
        """The connector's paging styles."""

    async def ask(
        self, path: str, params: Mapping[str, str], cost: int, *, body: Any = None, search: bool = False
    ) -> Any:
        """What the CRM answers. With a body the question is posted: it reads all the same. Raises a CrmError."""

    async def fields(self, external_type: str) -> Sequence[Field]:
        """The fields of a type, read once by each client."""

    def error(self, kind: type[E], what: str) -> E:
        """An error that says what the CRM has done: `what` follows its name."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of a listing, and where the next begins; None after the last."""

    records: Sequence[Payload]
    next: Any | None


@dataclass(frozen=True, kw_only=True)
class Paging:
    """How a list goes on: all paths are into the answer."""

    items: str
    """Where the rows are; a single record counts as one row. Empty: the answer is the record."""
    next: tuple[str, ...] = ()
    """Where the next page's cursor is, in one of these places; none: there is one page only."""
    more: tuple[str, ...] = ()
    """Where it is said whether there are more pages, if the cursor alone does not say it."""
    param: str = "cursor"
    """The query parameter that takes the cursor."""
    size: Mapping[str, str] = field(default_factory=dict)
    """The query parameters of the largest page."""

    def sized(self, size: int | None) -> Mapping[str, str]:
        """The query parameters of a page of at most `size` rows; None for the largest."""
        if size is None:
            return self.size
        return {name: str(min(size, int(most))) for name, most in self.size.items()}

    def read(self, api: Api, body: Any, cursor: Any | None) -> Page:
        """The page that an answer has. An empty one that says more follow is passed on as it is."""
        records = self.rows(api, body)
        return Page(records=records, next=self.follow(api, body, cursor, len(records)))

    def rows(self, api: Api, body: Any) -> Sequence[Payload]:
        """The rows of an answer."""
        rows = follow_path(body, self.items) if self.items else body
        if rows is None:
            return ()
        if isinstance(rows, dict):
            return (rows,)
        if not isinstance(rows, list):
            raise api.error(Retryable, "gave a list without rows")
        return [row for row in rows if isinstance(row, dict)]

    def follow(self, api: Api, body: Any, cursor: Any | None, count: int) -> Any | None:
        """The cursor of the page behind one of so many rows; None behind the last."""
        if not self.next or (self.more and not follow_first(body, self.more)):
            return None
        return self.check(api, follow_first(body, self.next), cursor, count)

    def check(self, api: Api, found: Any | None, cursor: Any | None, count: int) -> Any | None:
        """The cursor that was found. One that leads back to the same page would never end; an empty page may do so once."""
        if found is not None and count and str(found) == str(cursor):
            raise api.error(Rejected, "gave a list whose next page is the same page")
        return found


class Lists(Protocol):
    """A way to list records."""

    @property
    def path(self) -> str:
        """Where it is asked."""

    @property
    def optional(self) -> bool:
        """An account without it is served without it."""

    async def page(
        self, api: Api, cursor: Any | None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """One page, of at most `size` rows; with a time what has changed since, that second included, where the list knows
        times."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One way to list records of a type: a type can have several (live ones, archived ones)."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    paging: str
    """Which of the connector's paging styles."""
    cost: int
    """Of the daily budget, for each page."""
    since: str | None = None
    """The query parameter that takes a time: what has changed since, that second included."""
    optional: bool = False
    """An account without it is served without it."""

    async def page(
        self, api: Api, cursor: Any | None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """One page, of at most `size` rows."""
        return await self.ask(api, cursor, since, size, {})

    async def ask(
        self, api: Api, cursor: Any | None, since: datetime | None, size: int | None, more: Mapping[str, str]
    ) -> Page:
        """One page, asked for with `more` query parameters."""
        paging = api.paging[self.paging]
        params = {**paging.sized(size), **self.params, **more}
        if since is not None and self.since:
            params[self.since] = self.write_time(since)
        if cursor is not None:
            params[paging.param] = str(cursor)
        for _ in range(TRIES):
            page = paging.read(api, await api.ask(self.path, params, self.cost), cursor)
            if page.records or page.next is None or str(page.next) != str(cursor):
                return page
        raise api.error(Rejected, "gave an empty page again and again, though it says that more follow")

    def write_time(self, since: datetime) -> str:
        """A time in UTC, as the list takes it."""
        return since.strftime("%Y-%m-%dT%H:%M:%SZ")


class Counts(Protocol):
    """A way to count the records of a type apart from their lists, and to name those that were counted."""

    @property
    def path(self) -> str:
        """Where it is asked."""

    async def count(self, api: Api) -> int:
        """How many there are."""

    async def page(self, api: Api, cursor: Any | None) -> Page:
        """Some of them in the order of their ids, without most of what they have."""


class Reads(Protocol):
    """A way to read records by their ids."""

    @property
    def path(self) -> str:
        """Where it is asked."""

    @property
    def most(self) -> int:
        """How many records a call can ask for."""

    async def read(self, api: Api, ids: Sequence[str]) -> Sequence[Payload] | None:
        """The records, none where they are missing; None where the CRM does not say."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """One way to read records by their ids."""

    path: str
    """With `{id}`, one record is asked for at a time; without, up to `most` by the query parameter `param`."""
    params: Mapping[str, str] = field(default_factory=dict)
    param: str = "ids"
    most: int = 1
    paging: str
    cost: int

    async def read(self, api: Api, ids: Sequence[str]) -> Sequence[Payload] | None:
        """The records, none where they are missing; None where the CRM does not say."""
        params, path = dict(self.params), self.path
        if "{id}" in path:
            path = path.format(id=quote(ids[0], safe=""))
        else:
            params[self.param] = ",".join(ids)
        try:
            body = await api.ask(path, params, self.cost)
        except Missing:
            return ()
        except (Unsupported, Rejected):
            if "{id}" in self.path:
                return None
            raise
        return api.paging[self.paging].rows(api, body)


class Finds(Protocol):
    """A way to find records by words."""

    @property
    def path(self) -> str:
        """Where it is asked."""

    @property
    def shortest(self) -> int:
        """How many characters the words have at least."""

    async def find(self, api: Api, text: str, cursor: Any | None, size: int | None) -> Page:
        """One page, of at most `size`, the best first. A hit can have less than the record, and other names."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How records are found by words: each row of the paging style has one, or a part of it, in `item`."""

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    param: str = "term"
    """The query parameter that takes the words."""
    shortest: int = 1
    """How many characters they have at least."""
    paging: str
    item: str = "item"
    cost: int

    async def find(self, api: Api, text: str, cursor: Any | None, size: int | None) -> Page:
        """One page, of at most `size`."""
        paging = api.paging[self.paging]
        params = {**paging.sized(size), **self.params, self.param: text}
        if cursor is not None:
            params[paging.param] = str(cursor)
        page = paging.read(api, await api.ask(self.path, params, self.cost, search=True), cursor)
        hits = [hit for row in page.records if isinstance(hit := follow_path(row, self.item), dict)]
        return Page(records=hits, next=page.next)


@dataclass(frozen=True, kw_only=True)
class Source(Generic[T]):
    """What the CRM knows beside records: the lists it is read from, and how their rows become it."""

    listings: tuple[Listing, ...]
    read: Callable[..., T]
    """Takes the rows of each listing, in the listings' order."""
