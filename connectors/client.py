"""What a CRM knows and holds, by its connector's declarations: identity, users, fields, lists and records."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from connectors.answers import Answer
from connectors.calls import Calls
from connectors.declaration import (
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
from connectors.errors import Missing, Rejected, Retryable, Unsupported
from connectors.pacing import Budget
from connectors.paths import follow_first, follow_path

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

    async def page(
        self, listing: Listing, cursor: Any | None = None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """One page of a list, of at most `size` rows. An empty page that says more follow is passed on as it is."""
        paging = self.connector.paging[listing.paging]
        params = {**_sized(paging, size), **listing.params}
        if since is not None and listing.since:
            params[listing.since] = since.strftime(listing.clock)
        if cursor is not None:
            params[paging.param] = str(cursor)
        answer = await self.wire.get(listing.path, params, listing.cost)
        records = self._records(answer, paging)
        return Page(records=records, next=self._next(answer, paging, cursor, len(records)))

    async def search(
        self, external: ExternalType, text: str, cursor: Any | None = None, size: int | None = None
    ) -> Page:
        """One page, of at most `size`, of what is found by words. A hit can have less than the record, and other names.

        Raises Unsupported for a type that is not searched.
        """
        search = external.search
        if search is None:
            message = f"{self.connector.label} does not search {external.name}."
            raise Unsupported(message, crm=self.connector.name, integration=self.wire.integration)
        paging = self.connector.paging[search.paging]
        params = {**_sized(paging, size), **search.params, search.param: text}
        if cursor is not None:
            params[paging.param] = str(cursor)
        answer = await self.wire.get(search.path, params, search.cost, search=True)
        rows = self._records(answer, paging)
        hits = [hit for row in rows if isinstance(hit := follow_path(row, search.item), dict)]
        return Page(records=hits, next=self._next(answer, paging, cursor, len(rows)))

    async def read(self, external: ExternalType, ids: Sequence[str]) -> dict[str, Payload]:
        """Records by id, in as few calls as the CRM allows; those that it does not show are left out."""
        found: dict[str, Payload] = {}
        wanted = list(dict.fromkeys(ids))
        for lookup in external.lookups:
            missing = [one for one in wanted if one not in found]
            parts = [missing[start : start + lookup.most] for start in range(0, len(missing), lookup.most)]
            for answer in await in_turns([partial(self._lookup, lookup, part) for part in parts]):
                found |= {str(follow_path(record, external.identifier)): record for record in answer or ()}
        return {one: found[one] for one in wanted if one in found}

    async def prove(self, external: ExternalType, ids: Sequence[str]) -> tuple[dict[str, Payload], list[str]]:
        """What became of records that a list did not show: those that are there, deleted ones too, and the ids of those
        that are gone for good. One that may not be seen is in neither."""
        found = await self.read(external, ids)
        proof, rest = external.proof, [one for one in ids if one not in found]
        if proof is None:
            return found, []
        answers = await in_turns([partial(self._lookup, proof, [one]) for one in rest])
        told = dict(zip(rest, answers, strict=True))
        found |= {one: answer[0] for one, answer in told.items() if answer}
        return found, [one for one, answer in told.items() if answer is not None and not answer]

    async def _lookup(self, lookup: Lookup, ids: Sequence[str]) -> Sequence[Payload] | None:
        """The records, none where they are missing; None where the CRM does not say."""
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
        except (Unsupported, Rejected):
            if "{id}" in lookup.path:
                return None
            raise
        return self._records(answer, self.connector.paging[lookup.paging])

    # ------------------------------------------------------------ lists

    async def _load(self, source: Source[T]) -> T:
        return source.read(*await together(*(self.rows(listing) for listing in source.listings)))

    async def pages(self, listing: Listing) -> AsyncGenerator[Sequence[Payload]]:
        """The rows of a list, page by page to its end; none of a list that this account has not got and can do without."""
        cursor = None
        for _ in range(MOST_PAGES):
            try:
                page = await self.page(listing, cursor)
            except (Missing, Unsupported):
                if listing.optional:
                    return
                raise
            yield page.records
            cursor = page.next
            if cursor is None:
                return
        raise self._unreadable("a list that does not end")

    async def rows(self, listing: Listing) -> list[Payload]:
        """All rows of a list."""
        return [row async for rows in self.pages(listing) for row in rows]

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
        if not paging.next or (paging.more and not follow_first(answer.body, paging.more)):
            return None
        found = follow_first(answer.body, paging.next)
        if found is None and paging.counted and paging.more:
            found = int(cursor or 0) + count
        if found is not None and str(found) == str(cursor if cursor is not None or not paging.counted else 0):
            message = f"{self.connector.label} gave a list whose next page is the same page."
            raise Rejected(message, crm=self.connector.name, integration=self.wire.integration)
        return found

    def _unreadable(self, what: str) -> Retryable:
        return self.wire.retryable(f"{self.connector.label} gave {what}.")


def _sized(paging: Paging, size: int | None) -> Mapping[str, str]:
    """The query parameters of a page of at most `size` rows; None for the largest."""
    if size is None:
        return paging.size
    return {name: str(min(size, int(most))) for name, most in paging.size.items()}


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


async def in_turns(calls: Sequence[Callable[[], Coroutine[Any, Any, T]]]) -> list[T]:
    """The results of many calls, so many of them side by side."""
    results: list[T] = []
    for start in range(0, len(calls), SIDE_BY_SIDE):
        results += await together(*(call() for call in calls[start : start + SIDE_BY_SIDE]))
    return results
