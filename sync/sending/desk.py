"""Where pushes of one integration are written: its CRM, its mappings, and our rows of it."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.catalogs import read_catalog
from connectors.client import MOST_MADE, Client
from connectors.declaration import ExternalType
from connectors.errors import Ambiguous, Conflict, CrmError, Missing, Rejected, Retryable, Unmappable
from connectors.facts import Catalog, Mapped, Payload
from connectors.mapping import map_record
from connectors.once import Once
from connectors.overrides import Overrides
from connectors.unmapping import fit_draft, unmap_draft
from connectors.values import read_domain
from connectors.writing import Draft, Key
from storage import integrations, merges, pushes, sending
from storage.database import Database
from storage.outbound import Push
from storage.shapes import ChangeCause, RecordType
from storage.tables import Integration
from sync.catalogs import find_catalogs
from sync.clients import Clients
from sync.journal import Origin
from sync.mappings import read_overrides
from sync.pages import Writer

SETTLING = 10.0
"""Seconds after which a call that was cut has either been carried out or never will be."""
LATEST = timedelta(minutes=1)
"""How long a CRM may not show yet what it has made."""
SLACK = timedelta(seconds=2)
"""Times are whole seconds, and clocks differ."""


class Taken(Exception):  # noqa: N818 # named by what has happened
    """Another worker has the push now."""


class Doubtful(Exception):  # noqa: N818 # named by what is so
    """It may have been written. `after` so many seconds the CRM can say it; None: it cannot."""

    def __init__(self, message: str, after: float | None) -> None:
        super().__init__(message)
        self.message = message
        self.after = after


@dataclass
class Locks:
    """What only one push may do at a time: of an integration one worker has them all."""

    by_name: WeakValueDictionary[tuple[UUID, str], asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """Those that somebody holds, or waits for."""

    def of(self, integration: UUID, name: str) -> asyncio.Lock:
        """The one of that name."""
        return self.by_name.setdefault((integration, name), asyncio.Lock())

    @asynccontextmanager
    async def hold(self, integration: UUID, names: Iterable[str]) -> AsyncGenerator[bool]:
        """Several, in an order that is the same for all. Gives whether somebody else has held one of them."""
        has_waited = False
        async with AsyncExitStack() as stack:
            for name in sorted(set(names)):
                lock = self.of(integration, name)
                has_waited |= lock.locked()
                await stack.enter_async_context(lock)
            yield has_waited


@dataclass(kw_only=True)
class Desk:
    """Of one integration, for one push or for several that go together."""

    database: Database
    integration: Integration
    client: Client
    overrides: Overrides
    catalogs: dict[str, Catalog]
    region: str | None
    locks: Locks
    settling: float = SETTLING

    @classmethod
    async def open(
        cls,
        database: Database,
        clients: Clients,
        integration: Integration,
        locks: Locks,
        *,
        known: Once,
        settling: float,
    ) -> "Desk":
        """`known`: what was read of the CRM's fields of late. Raises what opening its credential raises."""
        client = await clients.open(integration)
        client.once = known
        return cls(
            database=database,
            integration=integration,
            client=client,
            overrides=await read_overrides(database, integration),
            catalogs=await find_catalogs(database, integration, clients.region),
            region=clients.region,
            locks=locks,
            settling=settling,
        )

    def writes(self, type_: RecordType) -> ExternalType | None:
        """The CRM's type that a new record of ours becomes; None where it takes none."""
        types = (one for one in self.client.connector.types if one.record_type is type_)
        return next((one for one in types if one.writes and one.writes.creates), None)

    async def catalog(self, external: ExternalType) -> Catalog:
        """What the type's mapping looks up: as it was last read, else as the CRM has it."""
        if external.name not in self.catalogs:
            self.catalogs[external.name] = await read_catalog(self.client, external, self.region)
        return self.catalogs[external.name]

    async def know_option(self, external: ExternalType, value: str, name: str) -> None:
        """Has the catalog read anew where it was read before the CRM had that option: in place of what a sync has read what
        was read in the last minute, and in place of that what the CRM has now."""
        if await self._lacks_option(external, value, name):
            del self.catalogs[external.name]
            if await self._lacks_option(external, value, name):
                self.client.once = Once()
                del self.catalogs[external.name]

    async def _lacks_option(self, external: ExternalType, value: str, name: str) -> bool:
        fields = (await self.catalog(external)).fields.get(external.name, ())
        options = {(one, label.strip().casefold()) for each in fields for one, label in each.options}
        return (value, name.casefold()) not in options

    async def follow(self, group: Sequence[Push]) -> None:
        """Has pushes be about the records that theirs have become part of."""
        async with self.database.session(self.integration.workspace_id) as session:
            ids = [push.record_id for push in group]
            rows = await self.database.run(session, merges.SURVIVORS, {"ids": ids})
        survivors = {row["id"]: row["record_id"] for row in rows}
        for push in group:
            push.record_id = survivors.get(push.record_id, push.record_id)

    # ------------------------------------------------------------ making a record once

    async def make(
        self, push: Push, step: str, external: ExternalType, draft: Draft, spare: Collection[str] = ()
    ) -> str:
        """The id of the record that the draft becomes. It is made once: a try that may have succeeded is looked for first.
        What the CRM has no place for, or refuses of the columns that it can do `spare`, is left out: `list_left` says so.

        Raises a CrmError where nothing was made, Doubtful where nobody knows yet, Taken.
        """
        done = push.progress.get(step, {})
        if "id" in done:
            return str(done["id"])
        if "tried_at" in done and (found := await self._find_made(push, step, external, draft)):
            return found
        try:
            made = await self._create(push, step, external, draft, spare)
        except Ambiguous:
            await self.note(push, step, {**push.progress[step], "doubted_at": self.client.now().isoformat()})
            if found := await self._find_made(push, step, external, draft):
                return found
            raise Doubtful(self._explain(external), self._lag(external, draft)) from None
        except Conflict as error:
            if error.existing is None:
                raise
            await self.note_made(push, step, external, error.existing, is_ours=False)
            return error.existing
        except CrmError:
            await self.note(push, step, {})
            raise
        await self.note_made(push, step, external, made)
        return made

    async def _create(self, push: Push, step: str, external: ExternalType, draft: Draft, spare: Collection[str]) -> str:
        """Raises what `Client.create` raises, Taken."""
        catalog, now = await self.catalog(external), self.client.now()
        fitted, refused = fit_draft(external, draft, catalog, self.overrides, now=now, is_new=True)
        values = {name: value for name, value in fitted.values.items() if name in spare}
        fields = unmap_draft(external, Draft(values=values), catalog, self.overrides, now=now).fields
        usual = external.writes.spare if external.writes else frozenset()
        left, without = [error.message for error in refused], set[str]()
        while True:
            tried_at = self.client.now().isoformat()
            await self.note(push, step, {"type": external.name, "tried_at": tried_at, "left": left})
            try:
                return await self.client.create(external, fitted, catalog, self.overrides, without=without)
            except Rejected as error:
                told = (fields.keys() | usual) & error.fields.keys() - without
                if not told:
                    raise
                without |= told
                left.append(f"Left out: {error.message}")

    @staticmethod
    def list_left(push: Push) -> list[str]:
        """What was left out of what a push has made, a sentence for each."""
        steps = [done for done in push.progress.values() if isinstance(done, dict)]
        return list(dict.fromkeys(text for done in steps for text in done.get("left", ())))

    async def note_made(
        self, push: Push, step: str, external: ExternalType, made: str, *, is_ours: bool = True
    ) -> None:
        """Keeps which record of the CRM a step has made, or found. Raises Taken."""
        if external.record_type.value == push.record_type:
            push.external_type, push.external_id = external.name, made
        left = push.progress.get(step, {}).get("left", []) if is_ours else []
        tried_at = push.progress.get(step, {}).get("tried_at")
        done = {"type": external.name, "tried_at": tried_at, "id": made, "ours": is_ours, "left": left}
        await self.note(push, step, done)

    async def note(self, push: Push, step: str, done: Mapping[str, Any]) -> None:
        """Keeps how far a step has come, before anything else is done. Raises Taken."""
        push.progress = {**push.progress, step: dict(done)}
        if push.first_tried_at is None:
            push.first_tried_at = self.client.now()
        # steps go side by side: whichever writes last writes all of them
        turn = self.locks.of(self.integration.id, f"push:{push.id}")
        async with turn, self.database.session(push.workspace_id) as session:
            if not await pushes.keep(self.database, session, push):
                raise Taken

    async def _find_made(self, push: Push, step: str, external: ExternalType, draft: Draft) -> str | None:
        """The record that an earlier try has made; None where it has made none. Raises Doubtful before that is known."""
        done = push.progress[step]
        since = datetime.fromisoformat(done["tried_at"])
        async with self.locks.of(self.integration.id, "made"):
            rows = await self._list_candidates(external, draft, since)
            for row in rows:
                identifier = await self._recognise(push, external, row, draft)
                if identifier is not None:
                    await self.note_made(push, step, external, identifier)
                    return identifier
        doubted = datetime.fromisoformat(done.get("doubted_at", done["tried_at"]))
        left = self._lag(external, draft) - (self.client.now() - doubted).total_seconds()
        if left > 0:
            raise Doubtful(self._explain(external), left)
        if len(rows) >= MOST_MADE and not self._list_sure_keys(external, draft):
            raise Doubtful(self._explain(external), None)  # what was made before them is not shown
        return None

    async def _list_candidates(self, external: ExternalType, draft: Draft, since: datetime) -> list[Payload]:
        """Records that the try may have made: by a key that is found at once, and of those that were made since."""
        told = await self.client.find_any(external, self._list_sure_keys(external, draft), self.region)
        found = [row for rows in told for row in rows]
        if external.writes and external.writes.made:
            found += await self.client.list_made(external, since - SLACK)
        return found

    @staticmethod
    def _list_sure_keys(external: ExternalType, draft: Draft) -> list[Key]:
        """Those by which a record is found at once."""
        finds = external.writes.finds if external.writes else {}
        return [key for key in list_keys(draft) if key[0] in finds and not finds[key[0]].lag]

    async def _recognise(self, push: Push, external: ExternalType, row: Payload, draft: Draft) -> str | None:
        """The id of a record that is what the draft asks for, and that nobody else here has made or knows."""
        try:
            mapped = map_record(external, row, await self.catalog(external), self.overrides)
        except Unmappable:
            return None
        if not is_drafted(mapped, draft):
            return None
        async with self.database.session(push.workspace_id) as session:
            ids, since = [mapped.external_id], push.first_tried_at or self.client.now()
            taken = await sending.find_taken(self.database, session, push, external.name, ids, since)
        return None if taken else mapped.external_id

    def _lag(self, external: ExternalType, draft: Draft) -> float:
        """Seconds after which a look that finds nothing proves something: by a key that is found at once, or by a list."""
        made = external.writes.made if external.writes else None
        return self.settling + (made.lag if made and not self._list_sure_keys(external, draft) else 0.0)

    def _explain(self, external: ExternalType) -> str:
        label = self.client.connector.label
        return f"{label} did not say whether it has made the {external.label.lower()}: it is looked for there."

    # ------------------------------------------------------------ what the CRM has then

    async def read(self, external: ExternalType, ids: Sequence[str]) -> dict[str, Mapped]:
        """Records as the CRM has them now, in our shape; those that are not there, or cannot be mapped, are left out."""
        rows = await self.client.read_back(external, list(ids))
        return {one.external_id: one for one in await self.map(external, list(rows.values()))}

    async def confirm(self, push: Push, step: str, external: ExternalType, made: str) -> Mapped | None:
        """What a step has made, or found, as the CRM has it now; None where it cannot be mapped. Raises Retryable where it
        may not be shown yet, Missing where it is not there any more."""
        rows = await self.client.read_back(external, [made])
        found = await self.map(external, list(rows.values()))
        if made in rows and not any(one.is_deleted for one in found):
            return next(iter(found), None)
        done, label = push.progress.get(step, {}), self.client.connector.label
        tried_at = done.get("tried_at") if done.get("ours") else None
        if tried_at and self.client.now() - datetime.fromisoformat(tried_at) < LATEST:
            raise Retryable(f"{label} does not show {external.label} {made} yet.")
        raise Missing(f"{label} no longer has {external.label} {made}.")

    async def map(self, external: ExternalType, rows: Sequence[Payload]) -> list[Mapped]:
        """Records in our shape, without those that cannot be mapped."""
        found, catalog = [], await self.catalog(external)
        for row in rows:
            try:
                found.append(map_record(external, row, catalog, self.overrides))
            except Unmappable:
                continue
        return found

    async def find_survivors(self, external: ExternalType, ids: Collection[str]) -> dict[str, Mapped]:
        """What records that are not there any more have become part of, by their own ids, as far as the CRM says."""
        rows, _ = await self.client.prove(external, list(ids)) if ids else ({}, ())
        survivors = [one for one in await self.map(external, list(rows.values())) if not one.is_deleted]
        return {gone: survivor for survivor in survivors for gone in survivor.merged if gone in ids}

    async def take_over(
        self,
        external: ExternalType,
        records: Sequence[Mapped],
        places: Mapping[str, UUID],
        session: AsyncSession,
        *,
        done: Mapping[str, Any] | None = None,
        leaving: Mapping[UUID, Collection[str]] | None = None,
    ) -> None:
        """Stores records as a sync does. `places`: external id -> the record here that it is known to be; `done`: the step
        that has made them, so that what the CRM says of them first is what it has made of ours; `leaving`: record -> the
        values that the pushes in hand are about, which need not be queued once more."""
        if records and await integrations.is_there(self.database, session, self.integration.id):
            writer = Writer(self.database, session, self.integration, Origin(ChangeCause.MEMBER))
            for record in records if done and done.get("ours") else ():
                writer.settler.holder.expect((self.integration.id, external.name, record.external_id))
            mine = (leaving or {}).items()
            writer.settler.holder.leaving = {(self.integration.id, record): names for record, names in mine}
            await writer.store_page(external, records, places)


def list_keys(draft: Draft) -> list[Key]:
    """(key, value) that a record may be found by, the surest first."""
    values = draft.values
    found = [("email", one["value"]) for one in values.get("emails") or ()]
    found += [("phone", one.get("e164") or one["value"]) for one in values.get("phones") or ()]
    return found + [(name, values[name]) for name in ("domain", "name") if values.get(name)]


def fold(text: str) -> str:
    """Capitals and blanks apart, as names are recognised."""
    return " ".join(text.casefold().split())


def is_drafted(mapped: Mapped, draft: Draft) -> bool:
    """Whether a record of the CRM is what a draft asks for: by what says most about it."""
    said, asked = mapped.values, draft.values
    for name in ("emails", "phones"):
        if asked.get(name):
            theirs = {(one.get("e164") or one["value"]).casefold() for one in said.get(name) or ()}
            return any((one.get("e164") or one["value"]).casefold() in theirs for one in asked[name])
    homes = (None, asked.get("domain"), read_domain(asked.get("website")))
    if asked.get("domain") and said.get("domain") not in homes:
        return False
    names = [name for name in ("name", "title", "subject", "body") if asked.get(name) and said.get(name)]
    is_alike = bool(names) and all(fold(str(said[name])) == fold(str(asked[name])) for name in names[:1])
    theirs = {end for ends in mapped.refs.values() for end in map(tuple, ends)}
    return is_alike and theirs.issuperset(tuple(end) for end in draft.refs.get("contacts", ()))
