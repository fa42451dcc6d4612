"""Who is who, as people say it: records become one, and a source leaves its record."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.loaders import load
from resolvers.records import get_row
from storage import merges, sources
from storage.records import BY_TYPE, Record
from storage.shapes import ChangeCause, RecordType
from sync.identity import KEYS
from sync.joining import Joiner
from sync.journal import Origin
from sync.settle import Settler

NAMES = {BY_TYPE[type_].__name__: type_ for type_ in KEYS}
"""What can be merged and split, by the name that its global ids have."""
MOST = 100
"""Records that become part of another one at a time."""

Id = tuple[str, UUID]
"""The type's name and the key in a global id."""


async def merge_records(context: Context, keep: Id, others: Sequence[Id]) -> tuple[str, Record]:
    """Makes records part of one, whose id stays; theirs lead to it. Gives it, after its type's name.

    Done again, it changes nothing. Raises Refused; Unknown for what is not there.
    """
    name, key = keep
    _check_merge(keep, others)
    async with context.database.session(context.workspace) as session:
        settler = await _begin(context, session)
        [kept] = await _resolve(context, session, name, [key], "keepId")
        found = await _resolve(context, session, name, [other for _, other in others], "mergeIds")
        await Joiner(settler, NAMES[name]).merge(kept, set(found) - {kept})
    return name, await _read(context, name, kept)


async def split_record(context: Context, source: UUID) -> tuple[str, Record, Record]:
    """Gives a source a record of its own, for good. Gives its type's name, its old record and its own one.

    Raises Refused where it is the only one of its record, or of a type that is never matched; Unknown.
    """
    async with context.database.session(context.workspace) as session:
        settler = await _begin(context, session)
        rows = await context.database.run(session, sources.by_ids("SourceRecord"), {"ids": [source]})
        if not rows:
            raise Unknown("source record", "sourceRecordId")
        type_, record = RecordType(rows[0]["record_type"]), rows[0]["record_id"]
        if type_ not in KEYS:
            raise _refuse("Only sources of contacts and organizations are matched with others.", "sourceRecordId")
        separated = await Joiner(settler, type_).split(source, record)
        if separated is None:
            raise _refuse("It is the only source of its record: there is nothing to split.", "sourceRecordId")
    name = BY_TYPE[type_].__name__
    return name, await _read(context, name, record), await _read(context, name, separated)


async def list_merged(context: Context, record: UUID) -> Sequence[UUID]:
    """The records that have become part of this one."""

    async def fetch(ids: list[UUID]) -> list[list[UUID]]:
        found: dict[UUID, list[UUID]] = {each: [] for each in ids}
        for row in await context.fetch(merges.MERGED, {"ids": ids}):
            found[row["record_id"]].append(row["id"])
        return [found[each] for each in ids]

    return await load(context, "merged", fetch, record)


def _check_merge(keep: Id, others: Sequence[Id]) -> None:
    if keep[0] not in NAMES:
        raise _refuse("Only contacts and organizations can be merged.", "keepId")
    if not 1 <= len(others) <= MOST:
        raise _refuse(f"Give 1 to {MOST} records that are to become part of it.", "mergeIds")
    if any(name != keep[0] for name, _ in others):
        raise _refuse("All records are of one type: that of keepId.", "mergeIds")
    if len(set(others)) < len(others):
        raise _refuse("Name each record once.", "mergeIds")
    if keep in others:
        raise _refuse("The record that stays is none of those that become part of it.", "mergeIds")


async def _begin(context: Context, session: AsyncSession) -> Settler:
    """Under the workspace's lock: no page of a sync comes in between."""
    settler = Settler(context.database, session, context.workspace, Origin(ChangeCause.MEMBER))
    await settler.lock()
    return settler


async def _resolve(context: Context, session: AsyncSession, name: str, ids: Collection[UUID], field: str) -> list[UUID]:
    """What these ids lead to by now. Raises Unknown."""
    moved = await context.database.run(session, merges.SURVIVORS, {"ids": list(ids)})
    survivors = {row["id"]: row["record_id"] for row in moved}
    found = [survivors.get(one, one) for one in ids]
    there = await context.database.run(session, sources.by_ids(name), {"ids": found})
    if {row["id"] for row in there} != set(found):
        raise Unknown("record", field)
    return found


async def _read(context: Context, name: str, key: UUID) -> Record:
    record: Record = await get_row(context, name, key)
    return record


def _refuse(message: str, field: str) -> Refused:
    return Refused(UserErrorCode.BAD_INPUT, message, (field,))
