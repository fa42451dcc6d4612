"""Sources that were mapped anew on their way into the store, and the records that they speak of."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from storage import remap, upserts
from storage.database import Database
from storage.declare import Column, camel, columns
from storage.fields import CUSTOM, list_fields
from storage.records import BY_TYPE
from storage.shapes import RecordType
from storage.tables import SyncRun
from sync.handing import send_again
from sync.identity import list_keys
from sync.joining import Joiner
from sync.journal import Origin
from sync.settle import Settler
from sync.trouble import Error

KEYED: Mapping[RecordType, frozenset[str]] = {
    RecordType.CONTACT: frozenset({"emails", "phones", "email", "phone"}),
    RecordType.ORGANIZATION: frozenset({"domain", "name"}),
}
"""Columns by which records are recognised: who changes them changes the match keys too."""


@dataclass(kw_only=True)
class Anew:
    """A source with what the mappings make of it now."""

    id: UUID
    external_id: str
    record_id: UUID
    is_shared: bool = False
    """Its record has other sources too."""
    before: Mapping[str, Any] = field(default_factory=dict)
    """What it said so far: all columns, or those that were looked at."""
    changed: Mapping[str, Any] = field(default_factory=dict)
    """The columns that say something else now."""
    hash: bytes | None = None
    """Its fingerprint, where that is another one."""
    payload: Mapping[str, Any] | None = None
    """Where something was taken out of it."""
    refs: Mapping[str, Sequence[Sequence[str]]] | None = None
    """Where it points at other records."""
    error: Error | None = None

    @property
    def is_changed(self) -> bool:
        """Whether anything is to be written."""
        return self.hash is not None

    @property
    def now(self) -> Mapping[str, Any]:
        """What it says."""
        return {**self.before, **self.changed}

    def list_changes(self) -> dict[str, list[Any]]:
        """As the change feed tells them: field -> [before, after]."""
        found = {
            camel(name): [self.before.get(name), value]
            for name, value in self.changed.items()
            if name != "custom_fields"
        }
        if "custom_fields" in self.changed:
            old, new = self.before.get("custom_fields") or {}, self.changed["custom_fields"]
            found |= {f"{CUSTOM}.{key}": [old.get(key), new.get(key)] for key in {**old, **new}}
        return {
            name: ends
            for name, ends in found.items()
            if ends[0] != ends[1] and not all(is_nothing(one) for one in ends)
        }

    def list_since(self) -> list[str]:
        """What has another value now, as `since` of a source names it."""
        names = [name for name in self.changed if name != "custom_fields"]
        old, new = self.before.get("custom_fields") or {}, self.changed.get("custom_fields") or {}
        return [*names, *(f"custom_fields.{key}" for key, value in new.items() if old.get(key) != value)]


def is_nothing(value: Any) -> bool:
    """From nothing to an empty list is no change."""
    return value is None or value in ([], {})


def is_keyed(type_: RecordType, names: Iterable[str]) -> bool:
    """Whether one of these columns says who a record is."""
    return not KEYED.get(type_, frozenset()).isdisjoint(names)


@cache
def list_plain(type_: RecordType) -> frozenset[str]:
    """Columns that are of a record, which has one source, exactly what this says; and that nothing else follows from."""
    told = {one.name for one in list_fields(BY_TYPE[type_]).values() if isinstance(one, Column)}
    return frozenset(
        name
        for name, column in columns(BY_TYPE[type_]).items()
        if name in told | {"custom_fields"}
        and column.merge in ("first", "union")
        and column.type not in (datetime, Decimal)  # the feed has them as Postgres writes them
        and name not in KEYED.get(type_, ())
    )


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Sources that have changed, ready to be written."""

    type: RecordType
    rows: Sequence[Anew]
    sources: bytes
    columns: Sequence[str]
    """Of the records with one source: what has changed in any of them."""
    records: bytes
    """And those records."""
    others: Sequence[Anew]
    """Those whose records are made anew of all that their sources say."""


def pack(external: ExternalType, rows: Iterable[Anew]) -> Packed:
    """What is to be written of sources, and of the records that have no other one."""
    changed, plain = [row for row in rows if row.is_changed], list_plain(external.record_type)
    alone = [row for row in changed if row.refs is None and not row.is_shared and plain.issuperset(row.changed)]
    apart = {row.id for row in alone}
    names = sorted({name for row in alone for name in row.changed})
    records = [
        {"id": row.record_id, **{name: row.now.get(name) for name in names}, "changes": row.list_changes()}
        for row in alone
    ]
    return Packed(
        type=external.record_type,
        rows=changed,
        sources=upserts.packed(_source_row(row) for row in changed),
        columns=names,
        records=upserts.packed(records),
        others=[row for row in changed if row.id not in apart],
    )


@dataclass(frozen=True)
class Rewriter:
    """Writes what was mapped anew, in one transaction of a run."""

    database: Database
    session: AsyncSession
    run: SyncRun

    @cached_property
    def settler(self) -> Settler:
        """Who makes unified records of it; locked before anything is read."""
        return Settler(self.database, self.session, self.run.workspace_id, Origin.of(self.run))

    async def write(self, packed: Packed) -> None:
        """Sources, their records and their match keys."""
        if not packed.rows:
            return
        await remap.write_sources(self.database, self.session, packed.sources)
        if packed.columns:
            workspace, run = self.run.workspace_id, self.run.id
            made = remap.write_columns(packed.type, tuple(packed.columns))
            await remap.write_records(self.database, self.session, workspace, made, packed.records, run=run)
        await self._settle(packed.type, packed.others)
        await self._recognise(packed.type, packed.others)

    async def _settle(self, type_: RecordType, rows: Sequence[Anew]) -> None:
        """The others, from all that their sources say."""
        if rows:
            await self.settler.settle_anew(type_, {row.record_id for row in rows})
            await send_again(self.settler)
        await self.settler.finish()
        if any(row.refs is not None for row in rows):
            await self._mark_missing([row.record_id for row in rows])

    async def _mark_missing(self, records: Collection[UUID]) -> None:
        sources = await self.settler.gather(records, {})
        targets = await self.settler.find_targets(sources)
        missing = [
            {
                "id": one.id,
                "missing": [f"{kind}:{name}" for _, kind, name in one.targets if (_, kind, name) not in targets],
            }
            for each in sources.values()
            for one in each
        ]
        await self.database.run(self.session, upserts.SET_MISSING, {"rows": upserts.packed(missing)})

    async def _recognise(self, type_: RecordType, rows: Sequence[Anew]) -> None:
        """Who has an e-mail address now that somebody else has is that one too."""
        keyed = [row for row in rows if is_keyed(type_, row.changed)]
        if keyed:
            keys = {row.id: list_keys(type_, row.now) for row in keyed}
            await Joiner(self.settler, type_).recognise({row.record_id for row in keyed}, keys)


def _source_row(row: Anew) -> dict[str, Any]:
    return {
        "id": row.id,
        "mapped": row.changed,
        "hash": f"\\x{(row.hash or b'').hex()}",
        "fields": row.list_since(),
        "payload": row.payload,
        "refs": row.refs,
    }
