"""Reading records: one, several, those that another one leads to. One statement for each relation and level."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlmodel import SQLModel

from resolvers.context import Context
from resolvers.loaders import load
from storage import listing, merges, query, sources
from storage.declare import Relation
from storage.listing import COUNTED, Listing, Window
from storage.query import Arguments
from storage.records import BY_TYPE, RECORDS, Record
from storage.shapes import RecordType, SyncStatus
from storage.tables import SyncError, SyncRun

T = TypeVar("T", bound=SQLModel)


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list, and what it takes to count the whole."""

    rows: Sequence[tuple[str, T]]
    """Each with its cursor."""
    has_next: bool
    has_previous: bool
    listing: Listing
    parent: UUID | None = None


# ---------------------------------------------------------------- single rows


async def get_row(context: Context, name: str, id: UUID) -> Any:
    """The row of a node by its type's name and its id; None where there is none, or the type has no rows here.

    The id of a record that has become part of another one leads to that one.
    """
    if (model := sources.NODES.get(name)) is None:
        return None

    async def fetch(ids: list[UUID]) -> list[Any]:
        found = await read(ids)
        missing = [each for each in ids if each not in found] if name in RECORDS else []
        if missing:
            moved = {row["id"]: row["record_id"] for row in await context.fetch(merges.SURVIVORS, {"ids": missing})}
            survivors = await read(list(moved.values())) if moved else {}
            found |= {old: survivors[new] for old, new in moved.items() if new in survivors}
        return [found.get(each) for each in ids]

    async def read(ids: Sequence[UUID]) -> dict[UUID, Any]:
        rows = await context.fetch(sources.by_ids(name), {"ids": ids})
        return {row["id"]: model.model_construct(**row) for row in rows}

    return await load(context, name, fetch, id)


async def get_related(context: Context, record: Record, relation: Relation) -> Record | None:
    """The one record that a relation leads to."""
    key: UUID | None = getattr(record, relation.key)
    found: Record | None = await get_row(context, relation.target, key) if key else None
    return found


async def get_by_source(
    context: Context, integration_id: UUID, external_type: str, external_id: str
) -> tuple[str, Record] | None:
    """The unified record, after its type's name, that a CRM's record belongs to."""
    values = {
        "integration": integration_id,
        "type": listing.clean(external_type),
        "id": listing.clean(external_id),
    }
    for row in await context.fetch(sources.BY_SOURCE, values):
        name = BY_TYPE[RecordType(row["record_type"])].__name__
        if record := await get_row(context, name, row["record_id"]):
            return name, record
    return None


# ---------------------------------------------------------------- lists


async def list_records(context: Context, record: type[Record], arguments: Arguments) -> Page[Record]:
    """A page of all records of a type."""
    return await read_page(context, query.list_records(record, arguments))


async def list_related(context: Context, record: Record, name: str, arguments: Arguments) -> Page[Record]:
    """A page of the records that a relation leads to."""
    key = (type(record), name, arguments)
    found = context.listings.get(key)
    if found is None:
        found = context.listings[key] = query.list_related(RECORDS[type(record).__name__], name, arguments)
    return await load_page(context, found, record.id)


async def list_runs(
    context: Context, *, integration_id: UUID | None, statuses: Sequence[SyncStatus] | None, window: Window
) -> Page[SyncRun]:
    """A page of the runs of the workspace, or of an integration; the newest first."""
    return await read_page(context, listing.list_runs(window, integration_id=integration_id, statuses=statuses))


async def list_integration_runs(
    context: Context, integration_id: UUID, *, statuses: Sequence[SyncStatus] | None, window: Window
) -> Page[SyncRun]:
    """So for one of several integrations: one statement for all of them."""
    return await load_page(context, listing.list_integration_runs(window, statuses=statuses), integration_id)


async def list_errors(context: Context, run_id: UUID, window: Window) -> Page[SyncError]:
    """A page of what went wrong in a run, in the order in which it did."""
    return await load_page(context, listing.list_errors(window), run_id)


async def read_page(context: Context, listing: Listing) -> Page[Any]:
    """The page of a list that stands alone."""
    return _page(listing, await context.fetch(listing.page(), listing.values.named))


async def load_page(context: Context, listing: Listing, parent: UUID) -> Page[Any]:
    """The page of a list that each of several parents has."""

    async def fetch(parents: list[UUID]) -> list[Page[Any]]:
        rows = await context.fetch(listing.pages(), {**listing.values.named, "parents": parents})
        found: dict[UUID, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row.pop("parent"), []).append(row)
        return [_page(listing, found.get(each, []), each) for each in parents]

    return await load(context, listing.key, fetch, parent)


def _page(listing: Listing, rows: Sequence[dict[str, Any]], parent: UUID | None = None) -> Page[Any]:
    window, more = listing.window, len(rows) > listing.window.size
    kept = [(listing.cursor(row), listing.model.model_construct(**row)) for row in rows[: window.size]]
    if window.backward:
        return Page(kept[::-1], window.before is not None, more, listing, parent)
    return Page(kept, more, window.after is not None, listing, parent)


async def count_rows(context: Context, page: Page[Any]) -> int | None:
    """How many rows the whole list has; None where that would take too long. One statement for all parents."""
    found, named = page.listing, page.listing.values.named
    if page.parent is None:
        [row] = await context.fetch(found.total(), named)
        total = row["total"]
    else:

        async def fetch(parents: list[UUID]) -> list[int]:
            rows = await context.fetch(found.totals(), {**named, "parents": parents})
            totals = {row["parent"]: row["total"] for row in rows}
            return [totals[each] for each in parents]

        total = await load(context, ("total", found.mark), fetch, page.parent)
    return None if found.sparse and total > COUNTED else int(total)
