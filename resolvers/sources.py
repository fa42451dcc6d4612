"""What a record is made of: its sources, how fresh they are, who owns it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from operator import attrgetter
from typing import Any
from uuid import UUID

from resolvers.context import Context
from resolvers.crm import read_payload, refresh_record
from resolvers.errors import BadInput
from resolvers.loaders import load
from resolvers.records import get_row
from storage import sources
from storage.listing import clean
from storage.records import Record, now
from storage.shapes import RecordType
from storage.tables import CrmUser, Member, SourceRecord


class ServedFrom(Enum):
    """Where an answer was taken from."""

    STORE = "STORE"
    CACHE = "CACHE"
    CRM = "CRM"
    STALE = "STALE"


@dataclass(frozen=True)
class Freshness:
    """asOf is the oldest of the sources; null for a record that only exists here."""

    as_of: datetime | None
    age_seconds: int | None
    served_from: ServedFrom = ServedFrom.STORE


async def list_sources(context: Context, record_id: UUID) -> list[SourceRecord]:
    """The records of CRMs that a unified record is made of."""

    async def fetch(ids: list[UUID]) -> list[list[SourceRecord]]:
        found: dict[UUID, list[SourceRecord]] = {each: [] for each in ids}
        for row in await context.fetch(sources.OF_RECORDS, {"ids": ids}):
            found[row["record_id"]].append(SourceRecord.model_construct(**row))
        return [found[each] for each in ids]

    return await load(context, "sources", fetch, record_id)


async def get_payload(context: Context, source: SourceRecord, max_staleness: int | None) -> Any:
    """The CRM's own payload, at most so many seconds old where that is asked for."""

    async def fetch(ids: list[UUID]) -> list[Any]:
        rows = await context.fetch(sources.PAYLOADS, {"ids": ids})
        found = {row["id"]: row["payload"] for row in rows}
        return [found.get(each) for each in ids]

    payload = await load(context, "payloads", fetch, source.id)
    return await read_payload(context, SourceRecord.model_construct(**vars(source), payload=payload), max_staleness)


async def get_freshness(context: Context, record: Record) -> Freshness:
    """How old the oldest of a record's live sources is."""
    found = await list_sources(context, record.id)
    return measure(context, found)


def measure(context: Context, found: Sequence[SourceRecord]) -> Freshness:
    """The age of the oldest, and where it was taken from; of those that the CRM has deleted only where there is no other."""
    live = [source for source in found if not source.deleted_at] or found
    if not live:
        return Freshness(None, None)
    oldest = min(live, key=attrgetter("synced_at"))
    age = max(0, int((now() - oldest.synced_at).total_seconds()))
    return Freshness(oldest.synced_at, age, ServedFrom.CRM if oldest.id in context.reread else ServedFrom.STORE)


async def get_source_record(context: Context, source: SourceRecord) -> tuple[str, Record] | None:
    """The unified record, after its type's name, that a source belongs to."""
    name = RecordType(source.record_type).value.capitalize()
    record: Record | None = await get_row(context, name, source.record_id)
    return (name, record) if record else None


async def get_fresh_record(context: Context, name: str, id: UUID, max_staleness: int | None) -> Record | None:
    """A record; with a staleness, after its older sources were read again."""
    if max_staleness is not None and max_staleness < 0:
        raise BadInput("`maxStaleness` is a number of seconds, 0 or more.")
    record: Record | None = await get_row(context, name, id)
    if record is None or max_staleness is None:
        return record
    await refresh_record(context, await list_sources(context, record.id), max_staleness)
    context.loaders.clear()
    again: Record | None = await get_row(context, name, record.id)
    return again


# ---------------------------------------------------------------- people


async def get_user(context: Context, integration_id: UUID | None, external_id: str | None) -> CrmUser | None:
    """A user of a CRM, as the last sync saw it."""
    if integration_id is None or external_id is None:
        return None

    async def fetch(keys: list[tuple[UUID, str]]) -> list[CrmUser | None]:
        values = {"integrations": [key[0] for key in keys], "ids": [key[1] for key in keys]}
        rows = await context.fetch(sources.USERS, values)
        found = {(row["integration_id"], row["external_id"]): CrmUser.model_construct(**row) for row in rows}
        return [found.get(key) for key in keys]

    return await load(context, "users", fetch, (integration_id, external_id))


async def get_member(context: Context, email: str | None) -> Member | None:
    """The member of the workspace with that e-mail address."""
    if not email:
        return None

    async def fetch(emails: list[str]) -> list[Member | None]:
        rows = await context.fetch(sources.MEMBERS, {"emails": emails})
        found = {row["email"].lower(): Member.model_construct(**row) for row in rows}
        return [found.get(each) for each in emails]

    return await load(context, "members", fetch, clean(email).lower())
