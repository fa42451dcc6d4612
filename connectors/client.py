"""What a CRM knows and holds, by its connector's declarations: identity, users, fields, lists and records."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from connectors.answers import Answer
from connectors.calls import Calls
from connectors.declaration import (
    Catalog,
    ExternalType,
    Field,
    Identity,
    Listing,
    Lookup,
    Page,
    Paging,
    Payload,
    Pipeline,
    Source,
    User,
)
from connectors.errors import Missing, Retryable, Unsupported
from connectors.pacing import Budget
from connectors.paths import follow_path

T = TypeVar("T")

SIDE_BY_SIDE = 8
"""Records read one by one at the same time."""
MOST_PAGES = 1000
"""Of a list that is read as a whole: fields, stages. More means that the list does not end."""


class Client:
    """One account of one CRM, as one credential opens it. Cheap to make; all share the HTTP client and the ledger."""

    def __init__(self, wire: Calls) -> None:
        self.wire = wire
        self.connector = wire.connector
        wire.locate = self.identify

    @property
    def calls(self) -> int:
        """How many calls it has made so far."""
        return self.wire.made

    def now(self) -> datetime:
        """The time by the CRM's clock."""
        return self.wire.now()

    # ------------------------------------------------------------ what the CRM knows

    async def identify(self) -> Identity:
        """Whose account this is; from then on calls are counted as that account's and go to its own host."""
        identity = await self._load(self.connector.identity)
        wire = self.wire
        key, wire.account, wire.account_url = wire.key, identity.account_id, identity.account_url
        if key != identity.account_id:
            await wire.ledger.adopt(self.connector.name, key, identity.account_id, self.connector.limits)
        return identity

    async def catalog(self, region: str | None = None) -> Catalog:
        """All that mappings need, read side by side; a list that serves several is read once."""
        connector = self.connector
        if self.wire.account_url is None:
            await self.identify()
        words = list(connector.words.items())
        sources: list[Source[Any]] = [connector.users, connector.pipelines]
        sources += [*connector.fields.values(), *(source for _, source in words)]
        wanted = {_key(listing): listing for source in sources for listing in source.listings}
        found = await together(*(self._rows(listing) for listing in wanted.values()))
        rows = dict(zip(wanted, found, strict=True))

        def of(source: Source[T]) -> list[list[Payload]]:
            return [rows[_key(listing)] for listing in source.listings]

        return Catalog(
            users=connector.users.read(*of(connector.users)),
            pipelines=connector.pipelines.read(*of(connector.pipelines)),
            fields={name: source.read(*of(source)) for name, source in connector.fields.items()},
            words={name: source.read(*of(source)) for name, source in words},
            region=region,
            account_url=self.wire.account_url,
        )

    async def users(self) -> tuple[User, ...]:
        """The users of the account."""
        return await self._load(self.connector.users)

    async def pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines of the account with their stages."""
        return await self._load(self.connector.pipelines)

    async def fields(self, external_type: str) -> tuple[Field, ...]:
        """The fields of a type, custom ones included."""
        source = self.connector.fields.get(external_type)
        return await self._load(source) if source else ()

    async def budget(self) -> Sequence[Budget]:
        """What is left of the account's limits, without a call."""
        return await self.wire.ledger.read(self.connector.name, self.wire.key, self.connector.limits)

    # ------------------------------------------------------------ records

    async def page(self, listing: Listing, cursor: Any | None = None) -> Page:
        """One page of a list. An empty page that says more follow is passed on as it is."""
        paging = self.connector.paging[listing.paging]
        params = {**paging.size, **listing.params}
        if cursor is not None:
            params[paging.param] = str(cursor)
        answer = await self.wire.get(listing.path, params, listing.cost)
        records = self._records(answer, paging)
        return Page(records=records, next=self._next(answer, paging, cursor, len(records)))

    async def read(self, external_type: ExternalType, ids: Sequence[str]) -> dict[str, Payload]:
        """Records by id, in as few calls as the CRM allows; those that it does not show are left out."""
        found: dict[str, Payload] = {}
        wanted = list(dict.fromkeys(ids))
        for lookup in external_type.lookups:
            missing = [one for one in wanted if one not in found]
            parts = [missing[start : start + lookup.most] for start in range(0, len(missing), lookup.most)]
            for start in range(0, len(parts), SIDE_BY_SIDE):
                answers = await together(*(self._lookup(lookup, part) for part in parts[start : start + SIDE_BY_SIDE]))
                for record in (record for answer in answers for record in answer):
                    found[str(follow_path(record, external_type.identifier))] = record
        return {one: found[one] for one in wanted if one in found}

    async def _lookup(self, lookup: Lookup, ids: Sequence[str]) -> Sequence[Payload]:
        params = dict(lookup.params)
        path = lookup.path
        if "{id}" in path:
            path = path.format(id=quote(ids[0], safe=""))
        else:
            params[lookup.param] = ",".join(ids)
        try:
            answer = await self.wire.get(path, params, lookup.cost)
        except Missing:
            return ()
        return self._records(answer, self.connector.paging[lookup.paging])

    # ------------------------------------------------------------ lists

    async def _load(self, source: Source[T]) -> T:
        return source.read(*await together(*(self._rows(listing) for listing in source.listings)))

    async def _rows(self, listing: Listing) -> list[Payload]:
        """All rows of a list."""
        rows: list[Payload] = []
        cursor = None
        for _ in range(MOST_PAGES):
            try:
                page = await self.page(listing, cursor)
            except (Missing, Unsupported):
                if listing.optional:
                    return []
                raise
            rows += page.records
            cursor = page.next
            if cursor is None:
                return rows
        raise self._unreadable("a list that does not end")

    def _records(self, answer: Answer, paging: Paging) -> Sequence[Payload]:
        rows = follow_path(answer.body, paging.items)
        if rows is None:
            return ()
        if isinstance(rows, dict):
            return (rows,)
        if not isinstance(rows, list):
            raise self._unreadable("a list without rows")
        return [row for row in rows if isinstance(row, dict)]

    def _next(self, answer: Answer, paging: Paging, cursor: Any | None, count: int) -> Any | None:
        """The next page's cursor. One that leads back to the same page would never end."""
        if paging.next is None or (paging.more and not follow_path(answer.body, paging.more)):
            return None
        found = follow_path(answer.body, paging.next)
        if found is None and paging.counted and paging.more:
            found = int(cursor or 0) + count
        if found is not None and str(found) == str(cursor if cursor is not None or not paging.counted else 0):
            raise self._unreadable("a list whose next page is the same page")
        return found

    def _unreadable(self, what: str) -> Retryable:
        return self.wire.retryable(f"{self.connector.label} gave {what}.")


async def together(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """The results of calls made side by side; the first that fails stops the others."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _key(listing: Listing) -> tuple[str, tuple[tuple[str, str], ...]]:
    return listing.path, tuple(sorted(listing.params.items()))
