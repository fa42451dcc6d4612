"""Pages of a list: which part of it, in which order, and the cursors that say where it goes on."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson
from sqlmodel import SQLModel

from storage import tables
from storage.integrations import STAYS
from storage.shapes import SyncStatus

USUAL: Final = 25
MOST: Final = 250
"""Rows of a page: where nothing is said, and at most."""

COUNTED: Final = 10_000
"""How far rows are counted one by one; beyond, a filtered count is null."""

CONDITIONS: Final = 1_000
"""How many values one statement may compare with: Postgres takes 65,535, a person needs a handful."""


class InvalidQuery(ValueError):  # noqa: N818 # named by remedy, as resolvers.errors
    """What was asked of a list can mean nothing; the message says what would."""


@dataclass(frozen=True)
class GlobalId:
    """What a client sees of an id: opaque there, a type and a key here."""

    type: str
    key: UUID

    def __str__(self) -> str:
        return base64.b64encode(f"{self.type}:{self.key}".encode()).decode()

    @classmethod
    def read(cls, text: str) -> "GlobalId":
        """Raises InvalidQuery where no type and no key could have made it."""
        try:
            name, _, key = base64.b64decode(text, validate=True).decode().partition(":")
            found = cls(name, UUID(key))
        except ValueError:
            found = None
        if found is None or not found.type.isalpha() or str(found) != text:
            raise InvalidQuery(f"{clean(text)[:100]!r} is no id: ids are opaque, and given by this gateway.")
        return found


class Values:
    """The values of a statement, bound by name: no text of a request is ever part of the SQL."""

    def __init__(self) -> None:
        self.named: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """The placeholder that stands for a value."""
        if len(self.named) >= CONDITIONS:
            raise InvalidQuery(f"More than {CONDITIONS} conditions: use `in`, which takes any number of values as one.")
        name = f"v{len(self.named)}"
        self.named[name] = clean(value) if isinstance(value, str) else value
        return f"%({name})s"


def clean(text: str) -> str:
    """Without what Postgres cannot store: a NUL is dropped, a lone surrogate becomes U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text.replace("\0", ""))


def stored(model: type[SQLModel]) -> tuple[str, tuple[str, ...]]:
    """The table of a model, and the columns that a row of it has here: all but what only Postgres reads."""
    table = str(getattr(tables, model.__name__, model).__tablename__)
    return table, tuple(name for name in model.model_fields if name != "search")


def digest(*parts: Any) -> str:
    """A short name for what a list is made of: the same parts in, the same name out."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:9]).decode()


# ---------------------------------------------------------------- which part of the list


@dataclass(frozen=True, kw_only=True)
class Window:
    """The paging arguments of Relay. Both cursors may be given; of the sizes only one."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        if self.first is not None and self.last is not None:
            raise InvalidQuery("`first` and `last` cannot be given together: one says how many, and from which end.")
        for name, size in (("first", self.first), ("last", self.last)):
            if size is not None and not 1 <= size <= MOST:
                raise InvalidQuery(f"`{name}` is 1 to {MOST}, and not {size}.")

    @property
    def backward(self) -> bool:
        """Whether the page is read from its end; `before` alone means the page that ends there."""
        return self.last is not None or (self.first is None and self.after is None and self.before is not None)

    @property
    def size(self) -> int:
        """How many rows the page has at most."""
        return self.first or self.last or USUAL


@dataclass(frozen=True, kw_only=True)
class Key:
    """One of the values that rows are sorted by; the last one tells any two rows apart."""

    name: str
    type: type
    sql: str
    """The expression that the index is made of, over the alias `{t}`."""
    nullable: bool = False
    descending: bool = False
    length: int | None = None
    """How much of a text is compared."""

    def at(self, alias: str) -> str:
        """The expression over an alias."""
        return self.sql.format(t=alias)

    def of(self, row: Mapping[str, Any]) -> Any:
        """The value in a row."""
        value = row[self.name]
        return value[: self.length] if self.length and value is not None else value


def _text(value: str) -> str:
    if value != clean(value):
        raise ValueError(value)
    return value


def _amount(value: str) -> Decimal:
    if not re.fullmatch(r"-?\d{1,200}(\.\d{1,200})?", value):
        raise ValueError(value)
    return Decimal(value)


def _moment(value: str) -> datetime:
    if (moment := datetime.fromisoformat(value)).tzinfo is None:
        raise ValueError(value)
    return moment


def _whole(value: int) -> int:
    return int(value)


WITHIN: Final = "t.workspace_id = %(workspace)s"
"""Of every statement, besides row-level security."""

READERS: Mapping[type, tuple[type, Callable[[Any], Any]]] = {
    str: (str, _text),
    int: (int, _whole),
    Decimal: (str, _amount),
    datetime: (str, _moment),
    date: (str, date.fromisoformat),
    UUID: (str, UUID),
}
"""A key's type -> what it is in a cursor, and how it is read from there."""


def write_cursor(mark: str, keys: Sequence[Key], row: Mapping[str, Any]) -> str:
    """Where a row stands. The mark says in which list: a cursor is of no use in another."""
    values = [key.of(row) for key in keys]
    text = orjson.dumps([mark, *(format(value, "f") if isinstance(value, Decimal) else value for value in values)])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def read_cursor(mark: str, keys: Sequence[Key], cursor: str) -> list[Any]:
    """The values of the keys. Raises InvalidQuery for a cursor that is broken, or of another list."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found, *values = orjson.loads(text)
        if found != mark:
            raise InvalidQuery("A cursor goes with the order, the filter and the search that it was given for.")
        return [_read(key, value) for key, value in zip(keys, values, strict=True)]
    except InvalidQuery:
        raise
    except (ValueError, TypeError):
        raise InvalidQuery("That is no cursor of this list.") from None


def _read(key: Key, value: Any) -> Any:
    if value is None and key.nullable:
        return None
    written, read = READERS[key.type]
    if type(value) is not written:
        raise ValueError(value)
    return read(value)


def beyond(keys: Sequence[Key], values: Sequence[Any], backward: bool, bind: Callable[[Any], str]) -> list[str]:
    """What lies past a cursor, as conditions of which a row meets one at most; each is one range of the order's index.

    Nulls are last in the list, so they come first where it is read backwards.
    """
    (key, *rest), (value, *others) = keys, values
    sql, sign = key.at("t"), "<" if key.descending != backward else ">"
    if value is None:
        same, further = f"{sql} IS NULL", [f"{sql} IS NOT NULL"] if backward else []
    else:
        bound = bind(value)
        nulls = [f"{sql} IS NULL"] if key.nullable and not backward else []
        if len(rest) == 1 and rest[0].descending == key.descending and not rest[0].nullable:
            return [f"({sql}, {rest[0].at('t')}) {sign} ({bound}, {bind(others[0])})", *nulls]
        same, further = f"{sql} = {bound}", [f"{sql} {sign} {bound}", *nulls]
    if not rest:
        return further
    return [*(f"{same} AND {condition}" for condition in beyond(rest, others, backward, bind)), *further]


# ---------------------------------------------------------------- the statements of a list


class Listing:
    """A list that is ready to be read: its page, or the page of each of several parents, and how many it has in all.

    `conditions` are about the alias `t`; `parent` ties it to `k.id`, the id of a parent.
    """

    def __init__(
        self,
        model: type[SQLModel],
        keys: Sequence[Key],
        window: Window,
        values: Values,
        *,
        conditions: Sequence[str] = (),
        parent: str = "",
        about: Sequence[Any] = (),
        sparse: bool = False,
    ) -> None:
        self.model, self.keys, self.window, self.values = model, keys, window, values
        self.table, self.names = stored(model)
        self.conditions = (WITHIN, *conditions)
        self.parent = parent
        self.sparse = sparse
        """Rows are picked by a filter or a search, so that they have to be counted one by one."""
        self.mark = digest(self.table, parent, [(key.sql, key.descending) for key in keys], *about)
        self.key = (self.mark, window)
        """Equal for lists that are the same."""
        self._ranges, self._between = self._cut()

    def cursor(self, row: Mapping[str, Any]) -> str:
        """Where a row stands in this list."""
        return write_cursor(self.mark, self.keys, row)

    def page(self) -> str:
        """The rows of the page and one more, in the order in which they are read."""
        return self._rows(())

    def pages(self) -> str:
        """So for each parent in `%(parents)s`, whose id comes along as `parent`."""
        return (
            "SELECT k.id AS parent, p.* FROM unnest(%(parents)s::uuid[]) AS k(id)"
            f" CROSS JOIN LATERAL ({self._rows((self.parent,))}) p ORDER BY k.id, {self._order('p')}"
        )

    def total(self) -> str:
        """`total`: how many there are; one more than COUNTED where there are too many to count."""
        return f"SELECT {self._count(())} AS total"

    def totals(self) -> str:
        """So for each parent in `%(parents)s`."""
        return (
            f"SELECT k.id AS parent, {self._count((self.parent,))} AS total FROM unnest(%(parents)s::uuid[]) AS k(id)"
        )

    def _cut(self) -> tuple[list[str], list[str]]:
        """The ranges past the cursor that the page begins at, and the condition that it ends before the other."""
        past: dict[bool, list[str]] = {}
        for backward, cursor in ((False, self.window.after), (True, self.window.before)):
            if cursor is not None:
                read = read_cursor(self.mark, self.keys, cursor)
                past[backward] = beyond(self.keys, read, backward, self.values.bind)
        end = past.get(not self.window.backward)
        return past.get(self.window.backward, ["true"]), [f"({' OR '.join(end)})"] if end else []

    def _rows(self, more: Sequence[str]) -> str:
        where = " AND ".join([*more, *self.conditions, *self._between])
        names = ", ".join(f"t.{name}" for name in self.names)
        end = f"ORDER BY {self._order('t')} LIMIT {self.window.size + 1}"
        parts = [f"SELECT {names} FROM {self.table} t WHERE {where} AND {part} {end}" for part in self._ranges]
        return parts[0] if len(parts) == 1 else f"SELECT * FROM (({') UNION ALL ('.join(parts)})) t {end}"

    def _order(self, alias: str) -> str:
        backward = self.window.backward
        nulls = " NULLS FIRST" if backward else " NULLS LAST"
        return ", ".join(
            f"{key.at(alias)} {'DESC' if key.descending != backward else 'ASC'}{nulls if key.nullable else ''}"
            for key in self.keys
        )

    def _count(self, more: Sequence[str]) -> str:
        where = " AND ".join([*more, *self.conditions])
        if not self.sparse:
            return f"(SELECT count(*) FROM {self.table} t WHERE {where})"
        return f"(SELECT count(*) FROM (SELECT FROM {self.table} t WHERE {where} LIMIT {COUNTED + 1}) c)"


# ---------------------------------------------------------------- lists of runs, of what went wrong in one, of members


def list_runs(window: Window, *, integration_id: UUID | None, statuses: Sequence[SyncStatus] | None) -> Listing:
    """Runs, the newest first: all of the workspace, or those of an integration."""
    return _runs(window, statuses, integration_id, parent="")


def list_integration_runs(window: Window, *, statuses: Sequence[SyncStatus] | None) -> Listing:
    """The runs of each of several integrations, the newest first."""
    return _runs(window, statuses, None, parent="t.integration_id = k.id")


def _runs(
    window: Window, statuses: Sequence[SyncStatus] | None, integration_id: UUID | None, *, parent: str
) -> Listing:
    values, conditions = Values(), [STAYS]
    if integration_id is not None:
        conditions.append(f"t.integration_id = {values.bind(integration_id)}")
    if statuses is not None:
        conditions.append(f"t.status = ANY({values.bind([status.value for status in statuses])}::text[])")
    keys = [
        Key(name="created_at", type=datetime, sql="{t}.created_at", descending=True),
        Key(name="id", type=UUID, sql="{t}.id", descending=True),
    ]
    about = (integration_id, statuses and sorted(status.value for status in statuses))
    return Listing(
        tables.SyncRun,
        keys,
        window,
        values,
        conditions=conditions,
        parent=parent,
        about=about,
        sparse=statuses is not None,
    )


def list_errors(window: Window) -> Listing:
    """What went wrong in each of several runs, in the order in which it did."""
    keys = [Key(name="at", type=datetime, sql="{t}.at"), Key(name="id", type=UUID, sql="{t}.id")]
    return Listing(tables.SyncError, keys, window, Values(), parent="t.run_id = k.id")


def list_members(window: Window) -> Listing:
    """Those who are members, or invited to be; the longest known first, as their ids are made."""
    keys = [Key(name="id", type=UUID, sql="{t}.id")]
    return Listing(tables.Member, keys, window, Values(), conditions=["t.removed_at IS NULL"])
