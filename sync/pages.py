"""A page of a CRM's records on its way into the store, in the transaction of its caller."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from connectors.facts import Mapped
from storage import integrations, merges, upserts
from storage.database import Database
from storage.identifiers import uuid7
from storage.records import now
from storage.shapes import RecordType
from storage.tables import Integration
from sync.merge import Matcher, Source, list_keys
from sync.settle import Settler, Targets


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
        return cls(payload, values, blake2b(b"\0".join((payload, values, refs)), digest_size=16).digest())


@dataclass(kw_only=True)
class Change:
    """A record of the page that is new or differs from what is stored."""

    mapped: Mapped
    written: Written
    source: Source
    is_new: bool
    keys: Sequence[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Writer:
    """Writes into one workspace, in one transaction."""

    database: Database
    session: AsyncSession
    integration: Integration

    @property
    def workspace(self) -> UUID:
        """The tenant that all of it belongs to."""
        return self.integration.workspace_id

    @property
    def settler(self) -> Settler:
        """Who makes unified records of it."""
        return Settler(self.database, self.session, self.workspace)

    async def store_page(self, external: ExternalType, records: Sequence[Mapped]) -> Stored:
        """Takes the records over. One that comes twice counts once, as it came last; an unchanged one is left alone."""
        await self._begin()
        latest = {record.external_id: record for record in records}
        known = await upserts.find_known(self.database, self.session, self.integration.id, external.name, list(latest))
        changes, unchanged = self._compare(external, latest, known)
        merged = await self._find_merged(external, latest)
        for change in changes:
            older = [one["record_id"] for one in merged.get(change.mapped.external_id, ())]
            change.source.record_id = change.source.record_id or min(older, default=None)
        if unchanged:
            await self.database.run(self.session, upserts.TOUCH_SOURCES, {"ids": unchanged})
        done = Stored(skipped=len(unchanged))
        if changes:
            await self._write(external.record_type, changes)
            deleted = [change.source.id for change in changes if change.mapped.is_deleted]
            await self._follow_merges(external.record_type, deleted)
        done.archived += await self._join(external, merged) if merged else 0
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
        values = {"integration": self.integration.id, "type": external.name, "ids": list(ids)}
        gone = await self.database.run(self.session, upserts.ARCHIVE_SOURCES, values)
        if gone:
            await self.settler.settle_anew(external.record_type, {row["record_id"] for row in gone})
            await self._follow_merges(external.record_type, [row["id"] for row in gone])
        return len(gone)

    async def _follow_merges(self, type_: RecordType, deleted: Sequence[UUID]) -> None:
        """A deleted record that was merged into another one belongs to that one's record from now on."""
        moves = await merges.find_survivors(self.database, self.session, self.workspace, deleted)
        if moves:
            await self._move(type_, moves)

    async def _move(self, type_: RecordType, moves: Sequence[Mapping[str, Any]]) -> None:
        """Gives sources to the records that theirs have become part of."""
        empty = await merges.move_sources(self.database, self.session, moves)
        gone = [move for move in moves if move["old"] in empty]
        await merges.absorb(self.database, self.session, self.workspace, type_, gone)
        await self.settler.settle_anew(type_, {move["new"] for move in moves} | {move["old"] for move in moves} - empty)

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

    async def _join(self, external: ExternalType, merged: Mapping[str, Sequence[Mapping[str, Any]]]) -> int:
        """Archives merged sources, and gives them to their survivors' records. Gives how many of them were alive."""
        stored = await upserts.find_known(self.database, self.session, self.integration.id, external.name, list(merged))
        gone = [row["external_id"] for rows in merged.values() for row in rows if not row["deleted_at"]]
        values = {"integration": self.integration.id, "type": external.name, "ids": gone}
        archived = await self.database.run(self.session, upserts.ARCHIVE_SOURCES, values) if gone else []
        moves = [
            {"source": row["id"], "old": row["record_id"], "new": stored[survivor]["record_id"]}
            for survivor, rows in merged.items()
            for row in rows
            if survivor in stored and row["record_id"] != stored[survivor]["record_id"]
        ]
        if moves:
            await self._move(external.record_type, moves)
        left = {row["record_id"] for row in archived} - {move["old"] for move in moves}
        if left:
            await self.settler.settle_anew(external.record_type, left)
        return len(archived)

    async def _begin(self) -> None:
        """Before anything is read. Raises Gone where the integration is being deleted, which waits for pages under way."""
        await self.settler.lock()
        if not await integrations.is_there(self.database, self.session, self.integration.id):
            raise Gone

    def _compare(
        self, external: ExternalType, latest: Mapping[str, Mapped], known: Mapping[str, Mapping[str, Any]]
    ) -> tuple[list[Change], list[UUID]]:
        """Those to write, and the ids of the sources that are stored as they are."""
        changes, unchanged = [], []
        for external_id, mapped in latest.items():
            old, written = known.get(external_id), Written.of(mapped)
            if old is None and mapped.is_deleted:
                continue  # it was gone before it was ever here
            if old and bytes(old["content_hash"]) == written.digest and mapped.is_deleted == bool(old["deleted_at"]):
                unchanged.append(old["id"])
                continue
            source = Source(
                id=old["id"] if old else uuid7(),
                integration_id=self.integration.id,
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

    async def _write(self, type_: RecordType, changes: Sequence[Change]) -> None:
        made = await self._match(type_, changes)
        page = {change.source.id: change.source for change in changes}
        records = {source.record_id for source in page.values() if source.record_id}
        sources = await self.settler.gather(records, page, made)
        targets = await self.settler.find_targets(sources)
        contacts = await self.settler.settle(type_, sources, targets)
        rows = upserts.packed(self._source_row(type_, change, targets) for change in changes)
        await self.database.run(self.session, upserts.UPSERT_SOURCES, {"rows": rows})
        old = [change.source.id for change in changes if not change.is_new]
        old += records - made  # one that had no source any more has kept the keys of its last one
        await upserts.replace_keys(self.database, self.session, old, self._key_rows(type_, changes))
        await self.settler.settle_kinds(contacts)

    async def _match(self, type_: RecordType, changes: Sequence[Change]) -> set[UUID]:
        """Gives each source the unified record that it belongs to; those that are new come back."""
        wanted = {key for change in changes if change.is_new for key in change.keys}
        candidates = await upserts.find_candidates(self.database, self.session, self.workspace, type_, wanted)
        matcher = Matcher(candidates)
        matcher.place([change.source for change in changes], {one.source.id: one.keys for one in changes})
        return matcher.made

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

    def _key_rows(self, type_: RecordType, changes: Sequence[Change]) -> list[dict[str, Any]]:
        return [
            {"source_id": one.source.id, "record_id": one.source.record_id, "record_type": type_.value}
            | {"kind": kind, "value": value}
            for one in changes
            for kind, value in one.keys
        ]

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


def write(value: Any) -> bytes:
    """JSON, keys in order; copied, since orjson gives it in a buffer of several times its size."""
    return bytes(memoryview(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)))


def missing(source: Source, targets: Targets) -> list[str]:
    """What a source points at that is not here yet, as `type:id`."""
    return [f"{target[1]}:{target[2]}" for target in source.targets if target not in targets]


def _deleted(mapped: Mapped, old: Mapping[str, Any] | None) -> datetime | None:
    if not mapped.is_deleted:
        return None
    return (old and old["deleted_at"]) or mapped.remote_updated_at or now()
