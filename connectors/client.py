"""What a CRM knows and holds, by its connector's declarations: identity, users, fields, lists and records."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from connectors.answers import Answer, make_error
from connectors.calls import Calls
from connectors.declaration import ExternalType
from connectors.errors import CrmError, Missing, Rejected, Retryable, Unmappable, Unsupported
from connectors.facts import Catalog, Field, Identity, Payload, Pipeline, User
from connectors.finding import has_key
from connectors.once import Once
from connectors.overrides import NONE, Overrides
from connectors.pacing import Budget
from connectors.paths import follow_path
from connectors.reading import Listing, Lists, Page, Paging, Reads, Source
from connectors.unmapping import require_writes, unmap_draft
from connectors.values import read_moment
from connectors.writing import Draft, Key, Labels, Seeks, Written

T = TypeVar("T")
E = TypeVar("E", bound=CrmError)

SIDE_BY_SIDE = 8
"""Records read one by one at the same time."""
MOST_MADE = 500
"""Records that were made of late: more of them prove nothing about one."""
MOST_PAGES = 1000
"""Of a list that is read as a whole: fields, stages. More means that the list does not end."""


class Client:
    """One account of one CRM, as one credential opens it. Cheap to make; all share the HTTP client and the ledger."""

    def __init__(self, wire: Calls) -> None:
        self.wire = wire
        self.connector = wire.connector
        self.once = Once()
        """What is read once by each client."""
        wire.locate = self.identify

    @property
    def calls(self) -> int:
        """How many calls it has made so far."""
        return self.wire.made

    @property
    def paging(self) -> Mapping[str, Paging]:
        """The connector's paging styles."""
        return self.connector.paging

    def now(self) -> datetime:
        """The time by the CRM's clock."""
        return self.wire.now()

    async def ask(
        self, path: str, params: Mapping[str, str], cost: int, *, body: Any = None, search: bool = False
    ) -> Any:
        """What the CRM answers. With a body the question is posted: it reads all the same. Raises a CrmError."""
        answer = await self.wire.ask(path, params, cost, body=body, search=search)
        return answer.body

    def error(self, kind: type[E], what: str) -> E:
        """An error that says what the CRM has done: `what` follows its name."""
        return kind(f"{self.connector.label} {what}.", crm=self.connector.name, integration=self.wire.integration)

    # ------------------------------------------------------------ what the CRM knows

    async def identify(self) -> Identity:
        """Whose account this is; from then on calls are counted as that account's and go to its own host."""
        identity = await self._load(self.connector.identity)
        wire = self.wire
        key, wire.account, wire.account_url = wire.key, identity.account_id, identity.account_url
        wire.time_zone = identity.time_zone
        if key != identity.account_id:
            limits = self.connector.limits
            await wire.ledger.adopt(self.connector.name, key, identity.account_id, limits, wire.midnight())
        return identity

    async def users(self) -> tuple[User, ...]:
        """The users of the account."""
        return await self._load(self.connector.users)

    async def find_user(self, login: str) -> User | None:
        """The user of that login, who has given a consent; None where the account does not show its users."""
        try:
            return next((user for user in await self.users() if user.login == login), None)
        except (Missing, Unsupported):
            return None

    async def pipelines(self) -> tuple[Pipeline, ...]:
        """The pipelines of the account with their stages."""
        return await self._load(self.connector.pipelines)

    async def fields(self, external_type: str) -> tuple[Field, ...]:
        """The fields of a type, custom ones included; read once by each client."""
        source = self.connector.fields.get(external_type)
        if source is None:
            return ()
        lists = [self.rows_once(listing) for listing in source.listings]
        try:
            return source.read(*await together(*lists))
        except (Missing, Unsupported):
            if all(listing.optional for listing in source.listings):
                return ()
            raise

    async def budget(self) -> Sequence[Budget]:
        """What is left of the account's limits, without a call."""
        return await self.wire.ledger.read(self.connector.name, self.wire.key, self.connector.limits)

    # ------------------------------------------------------------ records

    async def page(
        self, listing: Lists, cursor: Any | None = None, *, since: datetime | None = None, size: int | None = None
    ) -> Page:
        """One page of a list, of at most `size` rows; what its rows lack is not there yet."""
        return await listing.page(self, cursor, since=since, size=size)

    async def complete(self, external: ExternalType, rows: Sequence[Payload]) -> Sequence[Payload]:
        """The rows of a list, or of a search, with what the CRM does not show there."""
        return await external.complete(self, rows) if external.complete and rows else rows

    async def search(
        self, external: ExternalType, text: str, cursor: Any | None = None, size: int | None = None
    ) -> Page:
        """One page, of at most `size`, of what is found by words. A hit can have less than the record, and other names.

        Raises Unsupported for a type that is not searched.
        """
        if external.search is None:
            raise self.error(Unsupported, f"does not search {external.name}")
        return await external.search.find(self, text, cursor, size)

    async def read(self, external: ExternalType, ids: Sequence[str]) -> dict[str, Payload]:
        """Records by id, in as few calls as the CRM allows; those that it does not show are left out."""
        found: dict[str, Payload] = {}
        wanted = list(dict.fromkeys(ids))
        for lookup in external.lookups:
            missing = [one for one in wanted if one not in found]
            for answer in await self._look_up(lookup, missing):
                found |= {str(follow_path(record, external.identifier)): record for record in answer or ()}
        shown = await self.complete(external, [found[one] for one in wanted if one in found])
        return {str(follow_path(record, external.identifier)): record for record in shown}

    async def prove(self, external: ExternalType, ids: Sequence[str]) -> tuple[dict[str, Payload], list[str]]:
        """What became of records that a list did not show: those that are there, deleted ones too, and the ids of those
        that are gone for good. One that may not be seen is in neither.

        One that has become part of another is gone, and the other one is there.
        """
        found = await self.read(external, ids)
        proof, rest = external.proof, [one for one in ids if one not in found]
        if proof is None:
            return found, []
        answers = dict(zip(rest, await self._look_up(proof, rest), strict=True))
        told = {one: answer[0] for one, answer in answers.items() if answer}
        for record in await self.complete(external, list(told.values())):
            found[str(follow_path(record, external.identifier))] = record
        return found, [one for one in rest if answers[one] is not None and one not in found]

    async def _look_up(self, lookup: Reads, ids: Sequence[str]) -> list[Sequence[Payload] | None]:
        """The answers, of which each is for as many records as a call can ask for."""
        parts = [ids[start : start + lookup.most] for start in range(0, len(ids), lookup.most)]
        return await in_turns([partial(lookup.read, self, part) for part in parts])

    # ------------------------------------------------------------ writing

    async def write(self, method: str, path: str, body: Any, cost: int) -> Any:
        """What the CRM answers to a call that writes. Raises a CrmError: Ambiguous where nobody knows what was done."""
        return (await self.wire.write(method, path, body, cost)).body

    def refuse(self, status: int, body: Any) -> CrmError:
        """The error that an answer of that status and body stands for, in the vendor's words."""
        wire = self.wire
        answer = Answer(status=status, body=body, is_json=True, headers={})
        return make_error(self.connector, answer, wire.integration, secret=wire.credential.token)

    async def create(
        self,
        external: ExternalType,
        draft: Draft,
        catalog: Catalog,
        overrides: Overrides = NONE,
        *,
        without: Collection[str] = (),
    ) -> str:
        """Makes the record, without these fields of the CRM, and gives its id. Raises Unwritable before anything is sent,
        Conflict for what is there already, Ambiguous where nobody knows whether it was made: `list_made` and `find` tell."""
        writes = require_writes(external)
        if writes.creates is None:
            raise self.error(Unsupported, f"takes no new {external.label}")
        made = unmap_draft(external, draft, catalog, overrides, now=self.now(), is_new=True)
        written = self._mark(external, draft, made, None)
        kept = {name: value for name, value in written.fields.items() if name not in without}
        try:
            return await writes.creates.create(self, replace(written, fields=kept))
        except Rejected as error:
            raise use_labels(error, external, catalog) from None

    async def change(
        self, external: ExternalType, drafts: Mapping[str, Draft], catalog: Catalog, overrides: Overrides = NONE
    ) -> dict[str, CrmError | None]:
        """Changes records, in as few calls as the CRM allows: by id what went wrong with each, None where nothing did. What
        is Ambiguous can be sent again: it would be the same change."""
        writes = require_writes(external)
        marked = [one for one, draft in drafts.items() if draft.label is not None]
        current = await self.read(external, marked) if marked and writes.label and writes.label.many else {}
        result: dict[str, CrmError | None] = {}
        written: dict[str, Written] = {}
        for one, draft in drafts.items():
            try:
                made = unmap_draft(external, draft, catalog, overrides, now=self.now())
                written[one] = self._mark(external, draft, made, current.get(one))
            except CrmError as error:
                result[one] = error
        todo = [one for one, made in written.items() if made.fields or made.refs]
        parts = [todo[start : start + writes.changes.most] for start in range(0, len(todo), writes.changes.most)]
        calls = [partial(writes.changes.change, self, {one: written[one] for one in part}) for part in parts]
        for told in await in_turns(calls):
            result |= {one: use_labels(error, external, catalog) if error else None for one, error in told.items()}
        return {one: result.get(one) for one in drafts}

    def _mark(self, external: ExternalType, draft: Draft, written: Written, current: Payload | None) -> Written:
        """With the label that the draft asks for."""
        if draft.label is None:
            return written
        mark = self._labels(external).mark(draft.label, written.fields, current)
        return replace(written, fields={**written.fields, **mark})

    async def find(self, external: ExternalType, key: str, value: str, region: str | None = None) -> list[Payload]:
        """The records that have it: by `email`, `phone`, `domain` or `name`, exactly, but for how it is written. What was
        written within the `lag` of `seeks(external, key)` may be missing. Raises Unsupported for another key."""
        return (await self.find_any(external, [(key, value)], region))[0]

    async def find_any(
        self, external: ExternalType, keys: Sequence[Key], region: str | None = None
    ) -> list[list[Payload]]:
        """For each of the keys what `find` gives, in as few calls as the CRM allows."""
        ways: list[tuple[Seeks, list[Key]]] = []
        for key in keys:
            way = self.seeks(external, key[0])
            asked = next((each for one, each in ways if one is way), None)
            if asked is None:
                ways.append((way, [key]))
            else:
                asked.append(key)
        told = await together(*(way.seek(self, asked, region) for way, asked in ways))
        ids = list(dict.fromkeys(one for each in told for one in each))
        rows = (await self.read(external, ids)).values() if ids else ()
        return [[row for row in rows if has_key(external, row, key, value, region)] for key, value in keys]

    def seeks(self, external: ExternalType, key: str) -> Seeks:
        """How records are found by a key. Raises Unsupported where they are not."""
        found = external.writes.finds.get(key) if external.writes else None
        if found is None:
            raise self.error(Unsupported, f"finds no {external.label} by {key}")
        return found

    async def read_back(self, external: ExternalType, ids: Sequence[str]) -> dict[str, Payload]:
        """As `read`, of a few records that were just written, sooner where the CRM lets us."""
        way = external.writes.reads if external.writes else None
        if way is None or len(ids) > way.most:
            return await self.read(external, ids)
        found = await way.read(self, ids) or ()
        return {str(follow_path(record, external.identifier)): record for record in found}

    async def list_made(self, external: ExternalType, since: datetime) -> list[Payload]:
        """Records that were made at that time or later by the CRM's clock, the newest first, 500 at most. One that was made
        within the `lag` of its declaration may be missing. Raises Unsupported where the CRM does not tell."""
        made = external.writes.made if external.writes else None
        if made is None:
            raise self.error(Unsupported, f"does not list the newest of {external.label}")
        found: list[Payload] = []
        cursor = None
        while True:
            page = await self.page(made.listing, cursor, since=since, size=100)
            fresh = [row for row in page.records if is_made_since(external, row, since)]
            found += fresh
            cursor = page.next
            if cursor is None or len(fresh) < len(page.records) or len(found) >= MOST_MADE:
                return list(await self.complete(external, found[:MOST_MADE]))

    async def find_label(self, external: ExternalType, name: str) -> str | None:
        """The value of the label of that name, as the CRM has it now; None where it has none."""
        return await self._labels(external).find(self, name)

    async def add_label(self, external: ExternalType, name: str) -> str:
        """Adds a label, keeping all others, and gives its value. Two at a time can undo each other: hold a lock."""
        value = await self._labels(external).add(self, name)
        self.once = Once()  # the fields have changed
        return value

    def _labels(self, external: ExternalType) -> Labels:
        found = external.writes.label if external.writes else None
        if found is None:
            raise self.error(Unsupported, f"has no labels of {external.label}")
        return found

    # ------------------------------------------------------------ lists

    async def _load(self, source: Source[T]) -> T:
        return source.read(*await together(*(self.rows(listing) for listing in source.listings)))

    async def pages(self, listing: Lists) -> AsyncGenerator[Sequence[Payload]]:
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
        raise self.error(Retryable, "gave a list that does not end")

    async def rows(self, listing: Lists) -> list[Payload]:
        """All rows of a list."""
        return [row async for rows in self.pages(listing) for row in rows]

    async def rows_once(self, listing: Listing) -> list[Payload]:
        """All rows of a list that several may need, read once. Raises what reading it raised, to all who wait."""
        key = (listing.path, *sorted(listing.params.items()))
        return await self.once.of(key, partial(self.rows, replace(listing, optional=False)))


def is_made_since(external: ExternalType, row: Payload, since: datetime) -> bool:
    """Whether the record was made in that second or later; one without a time may have been."""
    try:
        made = read_moment(follow_path(row, external.created or ""), "")
    except Unmappable:
        made = None
    return made is None or made >= since.replace(microsecond=0)


def use_labels(error: E, external: ExternalType, catalog: Catalog) -> E:
    """The error with people's names for fields of the CRM in the place of keys that say nothing."""
    if isinstance(error, Rejected) and error.fields:
        for one in catalog.fields.get(external.name, ()):
            if one.is_custom and one.name != one.label and one.name in error.message:
                error.message = error.message.replace(one.name, one.label)
                error.args = (error.message,)
    return error


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
