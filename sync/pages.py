"""A page of a CRM's records on its way into the store, in the transaction of its caller."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from connectors.facts import Mapped
from storage import integrations, matching, merges, sources, upserts
from storage.database import Database
from storage.identifiers import uuid7
from storage.records import Contact, now
from storage.shapes import RecordType
from storage.tables import Integration
from sync.digest import digest, write
from sync.golden import Source, Targets
from sync.handing import send_again
from sync.identity import is_named_alike, list_keys
from sync.joining import Joiner
from sync.journal import Origin
from sync.relaying import Relay
from sync.settle import Settler


class Gone(Exception):  # noqa: N818 # it is no error: somebody asked for it
    """The integration is being deleted: nothing more of it may be stored."""


@dataclass
class Stored:
    """What became of the records of a page."""

    created: int = 0
    updated: int = 0
    skipped: int = 0
    archived: int = 0

    def counts(self) -> dict[str, int]:
        """By name."""
        return vars(self)


@dataclass(frozen=True)
class Written:
    """A record as JSON, written once: for its fingerprint, and for its row."""

    payload: bytes
    values: bytes
    digest: bytes
    """Of the record as it came and as it was mapped: a changed mapping, or a renamed field, is a change too."""

    @classmethod
    def of(cls, mapped: Mapped) -> "Written":
        """With the keys in order: the same record is the same bytes."""
        payload, values, refs = map(write, (mapped.payload, mapped.values, mapped.refs))
        return cls(payload, values, digest(payload, refs, values))


@dataclass(kw_only=True)
class Change:
    """A record of the page that is new or differs from what is stored."""

    mapped: Mapped
    written: Written
    source: Source
    is_new: bool
    keys: Collection[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Writer:
    """Writes into one workspace, in one transaction."""

    database: Database
    session: AsyncSession
    integration: Integration
    origin: Origin = field(default_factory=Origin)

    @property
    def workspace(self) -> UUID:
        """The tenant that all of it belongs to."""
        return self.integration.workspace_id

    @cached_property
    def settler(self) -> Settler:
        """Who makes unified records of it."""
        return Settler(self.database, self.session, self.workspace, self.origin)

    async def store_page(
        self, external: ExternalType, records: Sequence[Mapped], places: Mapping[str, UUID] | None = None
    ) -> Stored:
        """Takes the records over. One that comes twice counts once, as it came last; one that is unchanged is left alone,
        and one that is older than what is here. `places`: external id -> the record that it is known to be, since it was
        made of that."""
        await self._begin()
        latest = {record.external_id: record for record in records}
        known = await upserts.find_known(self.database, self.session, self.integration.id, external.name, list(latest))
        gone = {name for name, old in known.items() if is_stale(latest[name], old) and latest[name].is_deleted}
        changes, unchanged = self._compare(external, latest, known, gone)
        merged = await self._find_merged(external, latest)
        linked = await self._link(changes, known, merged)
        linked += await self._put_together(changes, known, places or {})
        if unchanged:
            await self.database.run(self.session, upserts.TOUCH_SOURCES, {"ids": unchanged})
        done = Stored(skipped=len(unchanged))
        if changes or linked:
            await self._write(external.record_type, changes, linked)
        deleted = [change.source.id for change in changes if change.mapped.is_deleted]
        await self._note_survivors(deleted)
        gone.update(row["external_id"] for rows in merged.values() for row in rows)
        done.archived += await self._archive(external, list(gone)) if gone else 0
        await send_again(self.settler)
        await self.settler.finish()
        for change in changes:
            if change.mapped.is_deleted:
                done.archived += 1
            elif change.is_new:
                done.created += 1
            else:
                done.updated += 1
        return done

    async def archive(self, external: ExternalType, ids: Sequence[str]) -> int:
        """Archives what the CRM has deleted; what it said last stays. Gives how many of them were here and alive."""
        await self._begin()
        count = await self._archive(external, ids)
        await send_again(self.settler)
        await self.settler.finish()
        return count

    async def _archive(self, external: ExternalType, ids: Sequence[str]) -> int:
        values = {"integration": self.integration.id, "type": external.name, "ids": list(ids)}
        gone = await self.database.run(self.session, upserts.ARCHIVE_SOURCES, values)
        if gone:
            await self.settler.settle_anew(external.record_type, {row["record_id"] for row in gone})
            await self._note_survivors([row["id"] for row in gone])
        return len(gone)

    async def _note_survivors(self, deleted: Sequence[UUID]) -> None:
        """A deleted record that was merged into another one stays with it, whatever becomes of what it was known by."""
        pairs = await merges.find_survivors(self.database, self.session, deleted)
        await matching.note_same(self.database, self.session, pairs)

    async def _put_together(
        self, changes: Sequence[Change], known: Mapping[str, Mapping[str, Any]], places: Mapping[str, UUID]
    ) -> list[tuple[UUID, UUID]]:
        """Notes what was made of which record, for good. Gives pairs as `_link` does."""
        new = {change.mapped.external_id: change.source.id for change in changes if change.is_new}
        held = {
            name: (new.get(name) or known[name]["id"], record)
            for name, record in places.items()
            if name in new or name in known
        }
        others = await self.settler.gather([record for _, record in held.values()], {})
        pairs = [(source, others[record][0].id if others[record] else record) for source, record in held.values()]
        fresh = [change for change in changes if change.mapped.external_id in held and change.is_new]
        await self._keep_apart(fresh, {name: record for name, (_, record) in held.items()})
        await matching.note_same(self.database, self.session, [pair for pair in pairs if pair[0] != pair[1]])
        linked = [(new.get(name) or known[name]["record_id"], record) for name, (_, record) in held.items()]
        return [pair for pair in linked if pair[0] != pair[1]]

    async def _keep_apart(self, changes: Sequence[Change], places: Mapping[str, UUID]) -> None:
        """Who was brought to the CRM from here is nobody else with the same number and another name."""
        for change in changes:
            record = places[change.mapped.external_id]
            numbers = [key for key in change.keys if key[0] == "phone"]
            found = await matching.find_carriers(self.database, self.session, RecordType.CONTACT, numbers)
            carriers = [one for one in found if one["record"] != record]
            ids = {one["record"] for one in carriers}
            query = sources.by_ids(Contact.__name__)
            rows = await self.database.run(self.session, query, {"ids": [record, *ids]}) if ids else []
            known = {row["id"]: row for row in rows}
            mine = known.get(record, change.mapped.values)
            others = {one for one in ids & known.keys() if not is_named_alike(mine, known[one])}
            pairs = [(change.source.id, one["source"]) for one in carriers if one["record"] in others]
            await matching.note_apart(self.database, self.session, pairs)

    async def _find_merged(
        self, external: ExternalType, latest: Mapping[str, Mapped]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """The sources that the CRM has merged into records of the page, by the survivor's id."""
        into = {one: survivor for survivor, mapped in latest.items() for one in mapped.merged if one not in latest}
        found: dict[str, list[Mapping[str, Any]]] = {}
        if into:
            known = upserts.find_known(self.database, self.session, self.integration.id, external.name, list(into))
            for external_id, row in (await known).items():
                found.setdefault(into[external_id], []).append(row)
        return found

    async def _link(
        self,
        changes: Sequence[Change],
        known: Mapping[str, Mapping[str, Any]],
        merged: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> list[tuple[UUID, UUID]]:
        """Notes what the CRM has merged. Gives pairs of records; of a survivor that is new, its source and a record."""
        new = {change.mapped.external_id: change.source.id for change in changes if change.is_new}
        pairs, linked = [], []
        for survivor, rows in merged.items():
            if survivor in new or survivor in known:
                pairs += [(new.get(survivor) or known[survivor]["id"], row["id"]) for row in rows]
                linked += [(new.get(survivor) or known[survivor]["record_id"], row["record_id"]) for row in rows]
        await matching.note_same(self.database, self.session, pairs)
        return [pair for pair in linked if pair[0] != pair[1]]

    async def _begin(self) -> None:
        """Before anything is read. Raises Gone where the integration is being deleted, which waits for pages under way."""
        await self.settler.lock()
        if not await integrations.is_there(self.database, self.session, self.integration.id):
            raise Gone

    def _compare(
        self,
        external: ExternalType,
        latest: Mapping[str, Mapped],
        known: Mapping[str, Mapping[str, Any]],
        gone: Collection[str],
    ) -> tuple[list[Change], list[UUID]]:
        """Those to write, and the ids of the sources that are left as they are; of those that are gone, neither."""
        changes, unchanged = [], []
        for external_id, mapped in latest.items():
            old, written = known.get(external_id), Written.of(mapped)
            if external_id in gone or (old is None and mapped.is_deleted):
                continue  # it was gone before it was ever here
            if old and is_stale(mapped, old):
                unchanged.append(old["id"])
                continue
            if old and bytes(old["content_hash"]) == written.digest and mapped.is_deleted == bool(old["deleted_at"]):
                unchanged.append(old["id"])
                continue
            source = Source(
                id=old["id"] if old else uuid7(),
                integration_id=self.integration.id,
                crm=self.integration.crm,
                external_type=external.name,
                external_id=external_id,
                record_id=old["record_id"] if old else None,
                mapped=mapped.values,
                refs={name: [list(ref) for ref in mapped.refs.get(name, ())] for name in external.references},
                remote_updated_at=mapped.remote_updated_at,
                deleted_at=_deleted(mapped, old),
            )
            keys = list_keys(external.record_type, mapped.values)
            changes.append(Change(mapped=mapped, written=written, source=source, is_new=old is None, keys=keys))
        return changes, unchanged

    async def _write(self, type_: RecordType, changes: Sequence[Change], linked: Sequence[tuple[UUID, UUID]]) -> None:
        page = {change.source.id: change.source for change in changes}
        joiner = Joiner(self.settler, type_)
        keys = {change.source.id: change.keys for change in changes}
        fate, made, referring = await joiner.place(list(page.values()), keys, linked)
        records = {source.record_id for source in page.values() if source.record_id} | fate.touched
        found = await self.settler.gather(records, page, made - set(fate.moves.values()))
        sources = {record: speaking for record, speaking in found.items() if speaking}
        targets = await self.settler.find_targets(sources)
        relay = Relay(self.settler, self.integration, type_)
        await relay.look([change.source for change in changes if not change.is_new], sources)
        contacts = await self.settler.settle(type_, sources, targets)
        rows = upserts.packed(self._source_row(type_, change, targets) for change in changes)
        await self.database.run(self.session, upserts.UPSERT_SOURCES, {"rows": rows})
        await relay.pass_on(sources, targets)
        await joiner.settle_referring(referring)
        await self.settler.settle_kinds(contacts)

    async def relink(self) -> None:
        """Makes the links that had to wait: what a record points at can come after the record itself."""
        await self._begin()
        values: dict[str, Any] = {"integration": self.integration.id, "after": UUID(int=0)}
        while arrived := await self.database.run(self.session, upserts.ARRIVED, values):
            values["after"] = arrived[-1]["record_id"]
            for type_ in RecordType:
                records = {row["record_id"] for row in arrived if row["record_type"] == type_.value}
                sources = await self.settler.gather(records, {})
                targets = await self.settler.find_targets(sources)
                contacts = await self.settler.settle(type_, sources, targets)
                rows = [{"id": one.id, "missing": missing(one, targets)} for each in sources.values() for one in each]
                await self.database.run(self.session, upserts.SET_MISSING, {"rows": upserts.packed(rows)})
                await self.settler.settle_kinds(contacts)
            await send_again(self.settler)
            await self.settler.finish()

    def _source_row(self, type_: RecordType, change: Change, targets: Targets) -> dict[str, Any]:
        source, mapped = change.source, change.mapped
        return {
            "id": source.id,
            "integration_id": self.integration.id,
            "crm": self.integration.crm,
            "external_type": source.external_type,
            "external_id": source.external_id,
            "record_type": type_.value,
            "record_id": source.record_id,
            "url": mapped.url,
            "payload": orjson.Fragment(change.written.payload),
            "mapped": orjson.Fragment(change.written.values),
            "refs": source.refs,
            "missing": missing(source, targets),
            "content_hash": f"\\x{change.written.digest.hex()}",
            "remote_created_at": mapped.remote_created_at,
            "remote_updated_at": mapped.remote_updated_at,
            "deleted_at": source.deleted_at,
        }


def is_stale(mapped: Mapped, old: Mapping[str, Any]) -> bool:
    """Whether the CRM has said something newer of the record already. A version without a time counts as new."""
    mine, stored = mapped.remote_updated_at, old["remote_updated_at"]
    return mine is not None and stored is not None and mine < stored


def missing(source: Source, targets: Targets) -> list[str]:
    """What a source points at that is not here yet, as `type:id`."""
    return [f"{target[1]}:{target[2]}" for target in source.targets if target not in targets]


def _deleted(mapped: Mapped, old: Mapping[str, Any] | None) -> datetime | None:
    if not mapped.is_deleted:
        return None
    return (old and old["deleted_at"]) or mapped.remote_updated_at or now()
