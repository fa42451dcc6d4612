"""Who holds the value of each field of a record, since when, and what its other sources say: computed as it is read."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from resolvers.context import Context
from resolvers.errors import BadInput
from resolvers.loaders import load
from storage import changes, local, sources, upserts
from storage.declare import Column, Group, Relation, columns
from storage.fields import CUSTOM, OWNER, Told, list_fields
from storage.listing import clean
from storage.records import RECORDS, Record
from storage.shapes import RecordType
from storage.tables import SourceRecord
from sync.golden import Source, Targets, rank
from sync.local import find_unit, list_followers


@dataclass(kw_only=True)
class Speaker(Source):
    """A source, and since when it says what it says."""

    row: SourceRecord

    def find_time(self, *names: str) -> datetime:
        """Since when it says the present values of these columns."""
        times = [datetime.fromisoformat(self.row.since[name]) for name in names if name in self.row.since]
        return max(times, default=self.row.observed_at)


@dataclass(frozen=True)
class Said:
    """What one source says of a field, as JSON, not yet as GraphQL shows it."""

    source: SourceRecord | None
    value: Any
    observed_at: datetime


@dataclass(frozen=True)
class Held(Said):
    """The value of a field, its holder, and what the others say. No holder: it was written here, it follows from other
    records, or its source is gone."""

    field: str
    alternatives: Sequence[Said]


@dataclass(frozen=True)
class Known:
    """A record as it is, and the sources that speak of it, the best one first."""

    image: Mapping[str, Any]
    speakers: Sequence[Speaker]
    targets: Targets
    written: Mapping[str, datetime]
    """The fields that were written here, and when."""


async def list_provenance(context: Context, record: Record, fields: Sequence[str] | None) -> list[Held]:
    """Of each field that has a value, or of these. Raises BadInput for a name that the record has no field of."""
    name = type(record).__name__
    if fields is not None:
        check_names(RECORDS[name], fields)

    async def fetch(ids: list[UUID]) -> list[Known]:
        return await _read_all(context, RECORDS[name], ids)

    known = await load(context, ("provenance", name), fetch, record.id)
    return list(_trace(RECORDS[name], known, record.updated_at, fields))


def check_names(record: type[Record], fields: Sequence[str]) -> None:
    """Raises BadInput."""
    sourced = [name for name, told in list_fields(record).items() if not _is_local(told)]
    for name in fields:
        if name not in (*sourced, CUSTOM) and not name.startswith(f"{CUSTOM}."):
            known = ", ".join([*sourced, f"{CUSTOM}.x"])
            raise BadInput(f"{clean(name)[:100]!r} is no field with a source of {record.__name__}: there are {known}.")


async def _read_all(context: Context, record: type[Record], ids: Sequence[UUID]) -> list[Known]:
    rows = await context.fetch(changes.read_images(record), {"ids": ids})
    images = {row["id"]: orjson.loads(row["image"]) for row in rows}
    speakers: dict[UUID, list[Speaker]] = {one: [] for one in ids}
    priority: Sequence[UUID] = ()
    for row in await context.fetch(sources.SPEAKING, {"ids": ids}):
        priority = row.pop("source_priority")
        source = SourceRecord.model_construct(**row)
        given = {name: row[name] for name in Source.__dataclass_fields__}
        speakers[source.record_id].append(Speaker(**given, row=source))
    targets = await _find_targets(context, [each for all_ in speakers.values() for each in all_])
    written = await _find_written(context, record, ids)
    return [Known(images.get(one, {}), rank(speakers[one], priority), targets, written.get(one, {})) for one in ids]


async def _find_written(context: Context, record: type[Record], ids: Sequence[UUID]) -> dict[UUID, dict[str, datetime]]:
    """By record, the fields that were written here, with what follows them, and when."""
    type_ = RecordType[record.__name__.upper()]
    found: dict[UUID, dict[str, datetime]] = {}
    for row in await context.fetch(local.OF_RECORDS, {"ids": list(ids)}):
        names = (row["name"], *list_followers(type_, [row["name"]]))
        fields = {find_unit(type_, name).field: row["at"] for name in names}
        found.setdefault(row["record_id"], {}).update(fields)
    return found


async def _find_targets(context: Context, speakers: Sequence[Speaker]) -> Targets:
    wanted = {target for each in speakers for target in each.targets}
    if not wanted:
        return {}
    rows = [{"integration_id": i, "external_type": t, "external_id": e} for i, t, e in wanted]
    found = await context.fetch(upserts.TARGETS, {"rows": upserts.packed(rows)})
    return {(row["integration_id"], row["external_type"], row["external_id"]): row["record_id"] for row in found}


def _trace(record: type[Record], known: Known, changed_at: datetime, fields: Sequence[str] | None) -> Iterator[Held]:
    for name, value in known.image.items():
        told = list_fields(record).get(name)
        is_wanted = fields is None or name in fields or (told is None and CUSTOM in fields)
        if _is_local(told) or not is_wanted or value in (None, [], {}):
            continue
        said = [one for speaker in known.speakers if (one := _ask(speaker, name, told, known.targets))]
        if name in known.written:
            yield Held(None, value, known.written[name], name, said)
            continue
        holder = _find_holder(record, told, value, said)
        others = [one for one in said if one is not holder]
        time = holder.observed_at if holder else changed_at
        yield Held(holder.source if holder else None, value, time, name, others)


def _find_holder(record: type[Record], told: Told | None, value: Any, said: Sequence[Said]) -> Said | None:
    """The best source that says the present value: while a new priority is being followed that need not be the first one.

    A list is made of what several say: its first entries are the best one's.
    """
    if isinstance(told, Column) and told.merge == "union":
        return next(iter(said), None)
    holder = next((one for one in said if _read(record, told, one.value) == _read(record, told, value)), None)
    is_derived = isinstance(told, Column) and told.merge == "derived"
    return holder if holder or is_derived else next(iter(said), None)


def _read(record: type[Record], told: Told | None, value: Any) -> Any:
    """A value of JSON, as it compares: 1.50 is 1.5, and a moment is one in any zone."""
    if isinstance(told, Group):
        return {part: _read(record, columns(record)[name], value[part]) for part, name in told.parts.items()}
    if value is None or not isinstance(told, Column):
        return value
    if told.type is Decimal:
        return Decimal(str(value))
    return datetime.fromisoformat(value) if told.type is datetime else value


def _is_local(told: Told | None) -> bool:
    """No source's business."""
    return isinstance(told, Column) and told.merge == "local"


def _ask(speaker: Speaker, name: str, told: Told | None, targets: Targets) -> Said | None:
    """What a source says of a field; None where it says nothing."""
    value, names = _listen(speaker, name, told, targets)
    return None if value in (None, [], {}) else Said(speaker.row, value, speaker.find_time(*names))


def _listen(speaker: Speaker, name: str, told: Told | None, targets: Targets) -> tuple[Any, Sequence[str]]:
    """The value, and the names under which the source keeps since when it is so."""
    mapped = speaker.mapped
    if told is None:
        own = name.removeprefix(f"{CUSTOM}.")
        return (mapped.get("custom_fields") or {}).get(own), (f"custom_fields.{own}",)
    if isinstance(told, Column):
        return mapped.get(told.name), (told.name,)
    if isinstance(told, Relation):
        found = [str(one) for one in dict.fromkeys(speaker.find_targets(name, targets))]
        return found if told.many else next(iter(found), None), (f"refs.{name}",)
    parts = {part: mapped.get(column) for part, column in told.parts.items()}
    if told is OWNER:
        parts["integrationId"] = str(speaker.integration_id)
    return parts if parts[next(iter(parts))] is not None else None, list(told.parts.values())
