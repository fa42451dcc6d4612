"""The faults that touch the data of an account, over tables of any CRM."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from math import ceil
from zlib import crc32

from sandbox.table import Key, Row, Table


def pick_dropped(table: Table, of_ten_thousand: int) -> frozenset[Key]:
    """The ids missing in lists in their default order: the same ones each time, at least one."""
    if not of_ten_thousand:
        return frozenset()
    wanted = ceil(len(table.rows) * of_ten_thousand / 10_000)
    return frozenset(sorted(table.rows, key=lambda key: crc32(str(key).encode()))[:wanted])


def withhold(table: Table, count: int) -> None:
    """Takes back the commit of so many live rows, spread over the table."""
    live = list(table.live())
    for row in live[:: max(1, len(live) // count)][:count] if count else []:
        row.withheld = True


def commit_all(table: Table) -> None:
    for row in table.rows.values():
        row.withheld = False


def purge_deleted(table: Table, *, purging: bool) -> None:
    """Takes deleted records away for good, those of now and, while `purging`, each that is deleted."""
    table.purges = purging
    if purging:
        table.orders.clear()
        table.rows = {key: row for key, row in table.rows.items() if table.is_live(row.record)}


def commit_late(table: Table, order: str, passed: Row | None) -> None:
    """Lets withheld rows appear which a list has passed; `passed` is its last row so far, or None at its end.

    In the order of ids they appear with the next page, stamped a second ago. In the order of time they appear after the
    list's end, one second under the newest row: below the cursor, as a transaction that was open all the while.
    """
    late = [row for row in table.rows.values() if row.withheld]
    if order == table.time and passed is not None:
        return
    if order == "id" and passed is not None:
        late = [row for row in late if row.record["id"] < passed.record["id"]]
    newest = max((str(row.record.get(table.time) or "") for row in table.live()), default="") if late else ""
    for row in late:
        row.withheld = False
        just_now = table.stamp(datetime.now(UTC) - timedelta(seconds=1))
        moment = second_before(newest, table) if order == table.time else just_now
        table.put({**row.record, table.time: moment})


def second_before(moment: str, table: Table) -> str:
    return table.stamp(datetime.fromisoformat(moment).replace(tzinfo=UTC) - timedelta(seconds=1))


def edit_some(table: Table, count: int, near: Iterable[Row]) -> None:
    """Edits so many rows, as people do while a list is read; `near` are rows to choose from."""
    now = table.stamp(datetime.now(UTC))
    for row in list(islice(near, count)):
        title = str(row.record.get(table.title) or "")
        edited = title.removesuffix(" *") if title.endswith(" *") else f"{title} *"
        table.put({**row.record, table.title: edited, table.time: now})


def share_time(table: Table, count: int) -> None:
    """Gives so many live rows one update time: now, as a bulk import would."""
    now = table.stamp(datetime.now(UTC))
    table.orders.clear()
    for row in list(islice(table.live(), count)):
        table.put({**row.record, table.time: now})
