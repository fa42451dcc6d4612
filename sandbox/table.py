"""Records of one type: by id, in the orders lists ask for, with their bytes and their recent past."""

import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile
from typing import Any

from sandbox.wire import encode

Json = dict[str, Any]
Key = int | str
Entry = tuple[Any, Key]

PAST_KEPT = 50


@dataclass(slots=True)
class Row:
    record: Json
    hidden: tuple[str, ...] = ()
    body: bytes | None = None
    withheld: bool = False  # written by a transaction that has not committed yet
    past: list[tuple[float, Json | None]] = field(default_factory=list)

    def encoded(self) -> bytes:
        """As lists show it; encoded once."""
        if self.body is None:
            self.body = encode({name: value for name, value in self.record.items() if name not in self.hidden})
        return self.body

    def as_of(self, moment: float) -> Json | None:
        """The record as it was at that monotonic moment; None before it was made."""
        return next((record for until, record in self.past if until > moment), self.record)


class Table:
    def __init__(
        self,
        title: str,
        stamp: Callable[[datetime], str],
        is_live: Callable[[Json], bool],
        hidden: tuple[str, ...] = (),
        time: str = "update_time",
    ) -> None:
        """`title` names the field people edit, `time` that of the last change; `hidden` are left out by lists.

        `stamp` writes a time as this type has it.
        """
        self.title = title
        self.stamp = stamp
        self.is_live = is_live
        self.hidden = hidden
        self.time = time
        self.rows: dict[Key, Row] = {}
        self.orders: dict[str, list[Entry]] = {}
        self.last_id = 0
        self.purges = False  # deleted records are not kept
        self.written: dict[Key, float] = {}  # when each was put, the latest last

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def get(self, key: Key) -> Row | None:
        row = self.rows.get(key)
        return None if row is None or row.withheld else row

    def live(self) -> Iterator[Row]:
        return (row for row in self.rows.values() if not row.withheld and self.is_live(row.record))

    def load(self, records: list[Json]) -> None:
        """Replaces everything, with no past."""
        self.rows = {record["id"]: Row(record, self.hidden) for record in records}
        self.orders.clear()
        self.written.clear()
        self.last_id = max((key for key in self.rows if isinstance(key, int)), default=0)
        self.order(self.time)  # sorted now, and not in the first call that asks for it

    def put(self, record: Json) -> Row:
        """Inserts or replaces; the given record must not be changed afterwards."""
        key = record["id"]
        row = self.rows.get(key)
        old = None
        if row is None:
            row = self.rows[key] = Row(record, self.hidden)
        else:
            old, row.record, row.body = row.record, record, None
        now = time.monotonic()
        row.past = [*row.past[-PAST_KEPT:], (now, old)]
        self.written.pop(key, None)
        self.written[key] = now
        for name, order in self.orders.items():
            if old is not None:
                del order[bisect_left(order, entry(old, name))]
            insort(order, entry(record, name))
        if self.purges and not self.is_live(record):
            self.drop(key)
        return row

    def drop(self, key: Key) -> None:
        """Takes the record away for good."""
        record = self.rows.pop(key).record
        self.written.pop(key, None)
        for name, order in self.orders.items():
            del order[bisect_left(order, entry(record, name))]

    def written_since(self, moment: float) -> set[Key]:
        """The ids of what was put after that monotonic moment."""
        return set(takewhile(lambda key: self.written[key] > moment, reversed(self.written)))

    def order(self, name: str) -> list[Entry]:
        """All rows as sorted (value, id); kept in order by `put` once asked for."""
        if name not in self.orders:
            self.orders[name] = sorted(entry(row.record, name) for row in self.rows.values())
        return self.orders[name]


def entry(record: Json, name: str) -> Entry:
    value = record.get(name)
    return ("" if value is None else value, record["id"])
