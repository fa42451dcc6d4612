"""Rows in every table with workspaces' data, databases without row-level security, and statements that name no workspace."""

import ast
import importlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
from psycopg import sql
from sqlmodel import SQLModel

from storage import changes, conflicts, listing, merges, notifications, pushes, query, remap, sources, upserts
from storage.declare import Criterion, Relation, camel, declared
from storage.listing import GlobalId, Listing, Window
from storage.query import Arguments
from storage.records import RECORDS, Record
from storage.shapes import RecordType
from tests.house.sources import PRODUCT, ROOT, list_sources, name, parse
from tests.house.tables import OWNED

Row = dict[str, Any]

NUMBERS = itertools.count(1)
SAMPLES: dict[str, Callable[[], Any]] = {
    "BIGINT": lambda: next(NUMBERS),
    "BOOLEAN": lambda: False,
    "BYTEA": lambda: uuid4().bytes,
    "INTEGER": lambda: 0,
    "JSONB": lambda: "{}",
    "TEXT": lambda: uuid4().hex,
    "TEXT[]": list,
    "TIMESTAMP WITH TIME ZONE": lambda: datetime.now(UTC),
    "UUID": uuid4,
    "UUID[]": list,
    "VARCHAR": lambda: uuid4().hex,
}


def find_owner(table: str) -> str:
    """The column that says whose a row is."""
    return "id" if table == "workspace" else "workspace_id"


def make_row(table: str, workspace: UUID, made: dict[str, Row]) -> Row:
    """A row of a workspace, with made-up values where there must be some; `made` has what it may point at."""
    row: Row = {}
    for column in SQLModel.metadata.tables[table].columns:
        if column.name == find_owner(table):
            row[column.name] = workspace
        elif column.foreign_keys:
            [target] = column.foreign_keys
            row[column.name] = made[target.column.table.name][target.column.name]
        elif not column.nullable:
            row[column.name] = SAMPLES[column.type.compile(dialect=upserts.DIALECT)]()
    return row


def insert(connection: psycopg.Connection, table: str, row: Row) -> None:
    """The row as it is."""
    names, values = (sql.SQL(", ").join(map(kind, row)) for kind in (sql.Identifier, sql.Placeholder))
    into = sql.Identifier(table)
    connection.execute(sql.SQL("insert into {} ({}) values ({})").format(into, names, values), row)


def fill(connection: psycopg.Connection, workspace: UUID) -> dict[str, Row]:
    """One row of the workspace in every table with workspaces' data."""
    made: dict[str, Row] = {}
    for table in SQLModel.metadata.sorted_tables:
        if table.name in OWNED:
            made[table.name] = make_row(table.name, workspace, made)
            insert(connection, table.name, made[table.name])
    return made


def read_all(url: str, workspace: UUID) -> dict[str, list[str]]:
    """Everything that is the workspace's, as text."""
    query = "select t::text from {} t where {} = %s order by 1"
    with psycopg.connect(url) as connection:
        return {
            table: [
                text for (text,) in connection.execute(query.format(table, find_owner(table)).encode(), (workspace,))
            ]
            for table in OWNED
        }


def switch_off(url: str) -> None:
    """From now on row-level security keeps nobody from anything."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table in OWNED:
            connection.execute(f"alter table {table} disable row level security".encode())


# ---------------------------------------------------------------- statements

NAMES = "|".join(sorted(OWNED, key=len, reverse=True))
AFTER = "CROSS|FOR|FROM|GROUP|JOIN|LEFT|LIMIT|ON|ORDER|RETURNING|SET|UNION|USING|WHERE"
REFERENCE = re.compile(
    rf"(?:\b(FROM|JOIN|UPDATE|INTO)|,)\s+({NAMES}|\{{\w*\}})(?![\w.])(?:\s+(?:AS\s+)?(?!(?:{AFTER})\b)(\w+))?",
    re.IGNORECASE,
)
"""A table with workspaces' data in a statement, or what stands for one: what is done there, the table, its alias."""

OURS = r"(?:%\(workspace\)s|(?!excluded)\w+\.workspace_id)"
"""What a table's own column has to be equal to: the session's workspace, or that of another table which is checked too."""


def find_unscoped(statement: str) -> list[str]:
    """The tables from which, or into which, rows of other workspaces could come: no condition ties them to the session's."""
    text = statement.replace('"', "")
    wanted: Counter[tuple[str, str]] = Counter()
    found = [] if "%(workspace)s" in text else ["%(workspace)s"]
    for verb, table, alias in REFERENCE.findall(text):
        if verb.upper() == "INTO":
            found += [] if is_insert_scoped(text, table) else [table]
        elif verb or alias:
            wanted[alias, find_owner(table)] += 1
    for (alias, column), count in wanted.items():
        own = rf"{alias}\.{column}" if alias else rf"(?:(?:{NAMES})\.)?{column}"
        conditions = re.findall(rf"(?<![\w.]){own} = {OURS}", text)
        found += [alias or column] if len(conditions) < count else []
    return found


def is_insert_scoped(text: str, table: str) -> bool:
    """It says whose the rows are, and where one is there already, it is left alone unless it is the same workspace's."""
    columns = re.search(rf"INTO {table} \(([^)]*)\)", text)
    conflict = re.search(r"ON CONFLICT \(([^)]*)\) DO UPDATE", text)
    kept = conflict is None or "workspace_id" in conflict[1] or f"{table}.workspace_id = excluded.workspace_id" in text
    return columns is not None and "workspace_id" in columns[1] and kept


def list_constants() -> dict[str, str]:
    """Every statement of storage that stands there as it is sent, by module and name."""
    modules = [importlib.import_module(f"storage.{path.stem}") for path in (ROOT / "storage").glob("*.py")]
    return {
        f"{module.__name__}.{key}": value
        for module in modules
        for key, value in vars(module).items()
        if isinstance(value, str) and REFERENCE.search(value.replace('"', ""))
    }


def list_made() -> Iterator[str]:
    """Every statement that a function of storage makes from the declarations: those of MAKERS."""
    for record in RECORDS.values():
        yield from merges.absorbing(record.__name__)
        yield from (statement for _, statement in merges.referring(record.__name__))
        yield upserts.upsert_records(record)
        yield changes.read_images(record)
        yield from changes.find_pointing(record).values()
        yield remap.write_columns(RecordType[record.__name__.upper()], ("custom_fields",))
        for key, relation in declared(record, Relation).items():
            if relation.through:
                yield upserts.replace_links(record, key)
    yield changes.write_events(tuple(RecordType))
    yield from map(sources.by_ids, sources.NODES)
    yield from (remap.read_sources(None, 0), remap.read_sources(1, 1))
    for made in list_listings():
        yield from (made.page(), made.total())
        if made.parent:
            yield from (made.pages(), made.totals())


def list_listings() -> Iterator[Listing]:
    """Every list, asked for with a search and all filters that look into other tables."""
    for record in RECORDS.values():
        everything = Arguments(search="a", filter=ask_all(record))
        yield query.list_records(record, everything)
        for key, relation in declared(record, Relation).items():
            if relation.many:
                target = RECORDS[relation.target]
                yield query.list_related(record, key, Arguments(search="a", filter=ask_all(target)))
    yield listing.list_runs(Window(), integration_id=uuid4(), statuses=[])
    yield listing.list_integration_runs(Window(), statuses=[])
    yield listing.list_errors(Window())
    yield listing.list_members(Window())
    yield pushes.list_pushes(Window(), integration_id=uuid4(), record_ids=[uuid4()], statuses=[])
    yield pushes.list_record_pushes(Window())
    yield notifications.list_notifications(Window())
    yield conflicts.list_conflicts(Window(), integration_id=uuid4(), statuses=[])
    yield conflicts.list_record_conflicts(Window())


def ask_all(record: type[Record]) -> dict[str, Any]:
    """A filter with every criterion that is more than a column."""
    asked: dict[str, Any] = {}
    for key, each in declared(record, Criterion).items():
        name = key.removesuffix("_filter")
        target = record.__name__ if name == "ids" else name.removesuffix("_id").capitalize()
        one = str(GlobalId(target, uuid4())) if each.type is UUID else "x"
        asked[camel(name)] = {"eq": one} if each.value else [one]
        if each.type is bool:
            asked[camel(name)] = True
        if each.type is dict:
            asked[camel(name)] = [{"path": "x.y", "text": {"eq": one}}]
    return asked


MAKERS = {
    "storage/changes.py _field",
    "storage/changes.py find_pointing",
    "storage/changes.py read_images",
    "storage/changes.py write_events",
    "storage/custom.py read_comparison",
    "storage/listing.py Listing._count",
    "storage/listing.py Listing._rows",
    "storage/merges.py _refer",
    "storage/merges.py _repoint",
    "storage/merges.py absorbing",
    "storage/query.py list_related",
    "storage/query.py match",
    "storage/records.py Activity",
    "storage/records.py Contact",
    "storage/records.py Deal",
    "storage/records.py Record",
    "storage/remap.py read_sources",
    "storage/remap.py write_columns",
    "storage/sources.py by_ids",
    "storage/upserts.py replace_links",
    "storage/upserts.py upsert_records",
}
"""Where statements, or parts of them, are made: `list_made` has each of them make its own."""


def find_places() -> set[str]:
    """Where statements about these tables are, beside those that stand in a module of storage by a name."""
    named = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:{NAMES})\b", re.IGNORECASE)
    made = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+(?:{NAMES}\b|\{{\}})", re.IGNORECASE)
    places = {
        f"{name(path)} {place}"
        for path in list_sources(*PRODUCT)
        for place in find_texts(parse(path), made if "storage" in path.parts else named)
    }
    return {place for place in places if not re.match(r"storage/(\w+\.py $|migrations/)", place)}


def find_texts(node: ast.AST, wanted: re.Pattern[str], place: str = "") -> Iterator[str]:
    """The functions and classes, as `Listing._rows`, that have such a text which is no docstring; `` for the module."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Constant | ast.JoinedStr):
            if wanted.search(read_text(child)):
                yield place
        elif isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from find_texts(child, wanted, f"{place}.{child.name}".lstrip("."))
        else:
            yield from find_texts(child, wanted, place)


def read_text(node: ast.Constant | ast.JoinedStr) -> str:
    """A text with `{}` for each of its values."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node.value, str) else ""
