"""The change feed: a page of it, and all of it as it grows."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from resolvers.context import Context
from resolvers.errors import CursorExpired
from storage import changes
from storage.golden import ChangeEvent
from storage.listing import Window
from storage.shapes import RecordType

BATCH = 100
"""Changes that a subscription reads at a time."""

EXPIRED = (
    f"Changes are kept for {changes.KEPT_DAYS} days, and some after this cursor are forgotten:"
    " read the records anew, and then the changes without a cursor."
)

Row = tuple[str, ChangeEvent]
"""A change after its cursor."""


@dataclass(frozen=True)
class ChangePage:
    """Some of the changes, the oldest first."""

    rows: Sequence[Row]
    has_next: bool
    has_previous: bool
    reached: int | None
    """The number up to which there is nothing more to be read; None where nothing has ever changed."""


async def list_changes(context: Context, *, window: Window, types: Sequence[RecordType] | None) -> ChangePage:
    """A page of the changes, from the oldest kept where there is no cursor. Raises InvalidQuery, CursorExpired."""
    after = None if window.after is None else changes.read_number(context.workspace, window.after)
    return await read_changes(context, after, window.size, types)


async def watch_changes(
    context: Context, *, after: str | None, types: Sequence[RecordType] | None
) -> AsyncIterator[Row]:
    """Every change after the cursor, then each as it is made. Whoever is slow gets them later: they are read from the
    store, and events only say that there is something to read."""
    position = None if after is None else changes.read_number(context.workspace, after)
    with context.services.hub.subscribe(f"changes:{context.workspace}") as events:
        while True:
            page = await read_changes(context, position, BATCH, types)
            for row in page.rows:
                yield row
            position = page.reached
            if not page.has_next:
                await anext(events)


async def read_changes(
    context: Context, after: int | None, size: int, types: Sequence[RecordType] | None
) -> ChangePage:
    """The changes after a number. Raises InvalidQuery for one that was never given, CursorExpired for one too old."""
    wanted = RecordType if types is None else types
    values = {"after": after, "types": [type_.value for type_ in wanted], "most": size + 1}
    rows = await context.database.fetch(context.workspace, changes.PAGE, values)
    state = rows[0]
    if state["expired"]:
        raise CursorExpired(EXPIRED)
    last = max(state["forgotten"], state["last"] or 0)
    changes.check_number(after, last)
    found = [_read(context, row) for row in rows if row["seq"] is not None]
    has_next = len(found) > size
    reached = found[size - 1][1].seq if has_next else last or None
    return ChangePage(found[:size], has_next, after is not None, reached)


def _read(context: Context, row: dict[str, Any]) -> Row:
    given = {name: row[name] for name in ChangeEvent.model_fields}
    event = ChangeEvent.model_construct(**{**given, "changes": changes.read_changes(row)})
    return changes.write_cursor(context.workspace, event.seq), event
