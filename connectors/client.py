"""Executes a connector's declarations over HTTP: auth, paging, pacing, retries and errors, the same for every CRM."""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from connectors.answers import Answer, make_error, read_answer, reset_seconds, told_limits, told_seconds
from connectors.declaration import (
    Catalog,
    Connector,
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
from connectors.errors import Missing, QuotaExhausted, Reauthorize, Retryable, Unsupported
from connectors.http import BROKEN, REFUSED, Http
from connectors.pacing import Budget, Ledger, Reservation, backoff, come_again
from connectors.paths import follow_path
from storage.shapes import CredentialKind

T = TypeVar("T")

TRIES = 5
PATIENCE = 60.0
"""Seconds that a call waits for its turn; a longer wait is the caller's to plan."""
SIDE_BY_SIDE = 8
"""Records read one by one at the same time."""
MOST_PAGES = 1000
"""Of a list that is read as a whole: fields, stages. More means that the list does not end."""
SWIFT, STRETCH = 0.02, 0.05
"""Seconds: an answer slower than the first was perhaps counted later than it was sent, by up to the second."""
SENDABLE = re.compile(r"[\x21-\x7e]{1,4096}")


class Client:
    """One account of one CRM, as one credential opens it. Cheap to make; all share the HTTP client and the ledger."""

    def __init__(  # noqa: PLR0913 # what it works with, each by name
        self,
        connector: Connector,
        *,
        token: str,
        api_url: str,
        account: str | None,
        ledger: Ledger,
        http: Http,
        integration: str = "",
        account_url: str | None = None,
        kind: CredentialKind | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connector = connector
        self.token = token
        self.api_url = api_url.rstrip("/")
        self.account = account
        self.account_url = account_url
        self.ledger = ledger
        self.http = http
        self.integration = integration
        self.kind = kind or connector.credential_kinds[0]
        self.calls = 0
        self._pause = pause
        self._clock = clock

    # ------------------------------------------------------------ what the CRM knows

    async def identify(self) -> Identity:
        """Whose account this is; from then on calls are counted as that account's and go to its own host."""
        identity = await self._load(self.connector.identity)
        key, self.account = self._key, identity.account_id
        self.account_url = identity.account_url
        if key != self.account:
            await self.ledger.adopt(self.connector.name, key, self.account, self.connector.limits)
        return identity

    async def catalog(self, region: str | None = None) -> Catalog:
        """All that mappings need, read side by side; a list that serves several is read once."""
        connector = self.connector
        if self.account_url is None:
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
            account_url=self.account_url,
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
        return await self.ledger.read(self.connector.name, self._key, self.connector.limits)

    # ------------------------------------------------------------ records

    async def page(self, listing: Listing, cursor: Any | None = None) -> Page:
        """One page of a list. An empty page that says more follow is passed on as it is."""
        paging = self.connector.paging[listing.paging]
        params = {**paging.size, **listing.params}
        if cursor is not None:
            params[paging.param] = str(cursor)
        answer = await self._get(listing.path, params, listing.cost)
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
            answer = await self._get(path, params, lookup.cost)
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
        return self._retryable(f"{self.connector.label} gave {what}.")

    # ------------------------------------------------------------ calls

    @property
    def _key(self) -> str:
        """Whose limits the calls count against: the account's, or before it is known the credential's."""
        return self.account or "token-" + hashlib.sha256(self.token.encode()).hexdigest()[:16]

    @property
    def _base(self) -> str:
        """The account's own host, once known, in the place of the vendor's; a host given by a setting stays."""
        own, connector = self.account_url, self.connector
        if self.api_url == connector.default_api_url and own and re.fullmatch(connector.account_host, own):
            return own
        return self.api_url

    async def _get(self, path: str, params: Mapping[str, str], cost: int, *, search: bool = False) -> Answer:
        """A call that reads, made again as long as that can help."""
        if SENDABLE.fullmatch(self.token) is None:
            raise Reauthorize("There is no usable token.", crm=self.connector.name, integration=self.integration)
        await self._locate(path)
        failure, refused = self._unreachable(), 0
        for attempt in range(TRIES):
            reservation = await self._reserve(cost, search=search)
            answer = await self._send(reservation, path, params)
            if answer is not None and answer.ok:
                return answer
            if answer is not None and answer.status == 429:
                refused += 1
                failure = await self._limited(reservation, answer, refused)
                continue  # the ledger now knows when the next try may be sent
            failure = await self._failed(reservation, answer)
            if attempt < TRIES - 1:
                await self._pause(backoff(attempt, told=failure.after))
        raise failure

    async def _locate(self, path: str) -> None:
        """An account's own host is asked for before the first call that has to go there."""
        generic = self.api_url == self.connector.default_api_url
        if generic and self.account_url is None and path not in {one.path for one in self.connector.identity.listings}:
            await self.identify()

    async def _failed(self, reservation: Reservation, answer: Answer | None) -> Retryable:
        """Why the call failed, where trying again at once can help; raises where it cannot."""
        if answer is None:
            return self._unreachable()
        error = make_error(self.connector, answer, self.integration)
        if isinstance(error, Retryable):
            if answer.status >= 500 and (error.after or 0) <= PATIENCE:
                return error
            await self.ledger.settle(reservation, blocked=error.after)
        raise error

    async def _reserve(self, cost: int, *, search: bool) -> Reservation:
        """Wait for a place in the account's limits."""
        connector = self.connector
        while True:
            reservation = await self.ledger.reserve(connector.name, self._key, connector.limits, cost, search=search)
            if reservation.taken:
                return reservation
            if reservation.until is not None:
                raise self._exhausted(reservation.until)
            if reservation.wait_seconds > PATIENCE * 1.1:
                message = f"{connector.label} asked not to be called for a while."
                raise self._retryable(message, after=reservation.wait_seconds)
            await self._pause(come_again(reservation.wait_seconds))

    async def _send(self, reservation: Reservation, path: str, params: Mapping[str, str]) -> Answer | None:
        """One call over the wire at its time; None where no whole answer came."""
        due = self._clock() + reservation.wait_seconds
        if reservation.wait_seconds > 0:
            await self._pause(reservation.wait_seconds)
        header, form = self.connector.auth[self.kind]
        headers = {header: form.format(token=self.token), "accept": "application/json"}
        late = self._clock() - due
        self.calls += 1
        try:
            response = await self.http.get(self._base + path, params=dict(params), headers=headers)
        except BROKEN:
            await self.ledger.settle(reservation, late=late)
            return None
        except REFUSED as error:
            raise Unsupported(
                f"The address of {self.connector.label} is not usable.", crm=self.connector.name
            ) from error
        late += min(STRETCH, max(0.0, self._clock() - due - late - SWIFT))
        answer = read_answer(self.connector, response)
        if answer is None or answer.status != 429:
            told = told_limits(self.connector, answer) if answer else None
            await self.ledger.settle(reservation, late=late, told=told)
        return answer

    async def _limited(self, reservation: Reservation, answer: Answer, refused: int) -> Retryable:
        """The `refused`-th 429 to a call: everybody waits as told. Raises QuotaExhausted where the day's budget is used up.

        Vendors answer both alike. It is the day's where the answer says so or asks for a long wait; and where the answer
        tells nothing, none of our calls were in the window, and it is a 429 still.
        """
        connector = self.connector
        told, limits = told_seconds(answer), told_limits(connector, answer)
        rolling = {limit.window: limit.seconds or 0 for limit in connector.limits if limit.rolling}
        empty = {window for window, (_, left) in limits.items() if left == 0}
        has_day = any(left for window, (_, left) in limits.items() if window not in rolling)
        if told is not None and told > PATIENCE:
            await self.ledger.settle(reservation, told=limits, exhausted=told)
            raise self._exhausted(datetime.now(UTC) + timedelta(seconds=told))
        still = (
            told is None
            and not has_day
            and reservation.quiet
            and refused > (TRIES - 1 if empty & rolling.keys() else 1)
        )
        if still or empty - rolling.keys():
            await self.ledger.settle(reservation, told=limits, exhausted=0)
            until = (await self.ledger.reserve(connector.name, self._key, connector.limits, 0)).until
            raise self._exhausted(until or datetime.now(UTC) + timedelta(hours=1))
        if told is None:
            told = max(reset_seconds(connector, answer) or 0, *rolling.values(), 1) * 2.0 ** (refused - 1)
        after = backoff(0, told=min(PATIENCE, max(told, 1.0)))  # some tell 0
        await self.ledger.settle(reservation, told=limits, blocked=after)
        return self._retryable(f"{connector.label} is asked too often (HTTP 429).", after=after, status=429)

    def _exhausted(self, until: datetime) -> QuotaExhausted:
        message = f"The daily quota of the {self.connector.label} account is used up."
        return QuotaExhausted(message, until=until, crm=self.connector.name, integration=self.integration)

    def _unreachable(self) -> Retryable:
        return self._retryable(f"{self.connector.label} cannot be reached, or its answers are cut off.")

    def _retryable(self, message: str, *, after: float | None = None, status: int | None = None) -> Retryable:
        return Retryable(message, after=after, crm=self.connector.name, integration=self.integration, status=status)


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
