"""What the documents say of mappings, made from the connectors' declarations: `python -m tests.house.mapping` writes it."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from typing import Any, Final

from connectors.declaration import Connector, Convert, ExternalType
from connectors.facts import Catalog
from connectors.registry import CONNECTORS
from storage.declare import Column, Group, Relation, camel, columns, declared
from storage.records import BY_TYPE, RECORDS, Record
from storage.shapes import RecordType
from tests.house.access import table
from tests.house.sources import ROOT

PAGE = ROOT / "docs" / "mapping.md"
NONE = "—"

INTRODUCTION = """\
# Which field is which

Every field of the unified records, and what it is made from in each CRM. Made from the connectors' declarations:
`python -m tests.house.mapping` writes it.

A field of a CRM is named as its answers name it; HubSpot's are properties, unless a dot says where else they are. What
stands alone is taken over as it is. Where a function reads it, the fields that it looks at come first and what it makes of
them below. "always" is said of what no field decides. A dash: the CRM has nothing for it, and it is null; a list is empty,
and `isDone` is false.

What all have and no CRM tells is left out: `id`, and `createdAt` and `updatedAt`, which are the times here. How several
sources become one record is in [sync.md](sync.md); how each CRM is read, in its own page.
"""

FOLLOWED: Final = {(RecordType.CONTACT, "email"): "emails", (RecordType.CONTACT, "phone"): "phones"}
"""Columns that are the first of a list."""

OUTER: Final = ("properties", "associations")
"""Objects in a payload that hold what functions look at."""


class Watched(dict[str, Any]):
    """A payload without values that remembers which were asked for."""

    def __init__(self, prefix: str = "", seen: list[str] | None = None) -> None:
        super().__init__()
        self.prefix = prefix
        self.seen: list[str] = [] if seen is None else seen
        if not prefix:
            self.update({name: Watched(f"{name}.", self.seen) for name in OUTER})

    def __contains__(self, name: object) -> bool:
        return False

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self.keys():
            self.seen.append(self.prefix + name)
        return super().get(name, default)


# ---------------------------------------------------------------- one cell


def describe(external: ExternalType, entry: str | Convert | None) -> str:
    """A path, or the fields that a function looks at and what it makes of them."""
    if entry is None:
        return NONE
    if isinstance(entry, str):
        return code(entry)
    payload = Watched()
    made = entry(payload, Catalog())
    fields = [name for name in dict.fromkeys(payload.seen) if name != external.identifier]
    if fields:
        return f"{', '.join(map(code, fields))}<br>{explain(entry)}"
    if made:
        return f"always {code(made.value if isinstance(made, Enum) else str(made))}<br>{explain(entry)}"
    return explain(entry)


def code(path: str) -> str:
    return f"`{path.removeprefix('properties.')}`"


def explain(convert: Callable[..., Any]) -> str:
    """The first paragraph of its docstring; of one that another function has made, of that one's."""
    function: Any = convert.func if isinstance(convert, partial) else convert
    maker, _, made = function.__qualname__.partition(".<locals>.")
    told = getattr(sys.modules[function.__module__], maker) if made else function
    return " ".join(inspect.cleandoc(told.__doc__).split("\n\n")[0].split())


# ---------------------------------------------------------------- the rows of a table

Row = tuple[str, Callable[[ExternalType], str]]
"""What a row is called, and its cell of a type."""


def list_rows(type_: RecordType) -> Iterator[Row]:
    """The fields that people see, in the order of their declaration; then what is told of the source."""
    record = BY_TYPE[type_]
    parts = {column: f"{group}.{part}" for group, of in declared(record, Group).items() for part, column in of.parts.items()}
    for name, column in sorted(columns(record).items(), key=lambda each: is_common(each[1])):
        if name in parts:
            yield parts[name], partial(describe_column, name)
        elif column.description and column.merge != "local":
            yield camel(name), partial(describe_column, name)
    yield "owner", partial(describe_column, "owner_external_id")
    for name in find_relations(type_):
        yield name, partial(describe_relation, name)
    yield "sources.externalId", lambda external: code(external.identifier)
    yield "sources.url", lambda external: f"`{external.page}`" if external.page else NONE
    yield "sources.remoteCreatedAt", lambda external: describe(external, external.created)
    yield "sources.remoteUpdatedAt", lambda external: describe(external, external.updated)
    yield "sources.deletedAt, archivedAt", lambda external: describe(external, external.deleted)
    yield "ids merged into it", lambda external: describe(external, external.merged)


def is_common(column: Column) -> bool:
    """Whether every unified record has it."""
    return column.name in columns(Record)


def describe_column(name: str, external: ExternalType) -> str:
    entry = external.mapping.get(name)
    if entry is None and (whole := FOLLOWED.get((external.record_type, name))) in external.mapping:
        return f"the first of `{whole}`"
    return describe(external, entry)


def describe_relation(name: str, external: ExternalType) -> str:
    return describe(external, external.references.get(name))


def find_relations(type_: RecordType) -> list[str]:
    """The relations that a CRM's record of the type tells by itself."""
    told = {name for _, external in list_types(type_) for name in external.references}
    return [name for name in declared(BY_TYPE[type_], Relation) if name in told]


def find_others(type_: RecordType) -> Iterator[tuple[str, str]]:
    """(relation, the one that it is the other side of), where the record at the other end tells it."""
    record = BY_TYPE[type_]
    for name, relation in declared(record, Relation).items():
        if name in find_relations(type_):
            continue
        for back, other in declared(RECORDS[relation.target], Relation).items():
            if other.target == record.__name__ and (other.key, other.through) == (relation.key, relation.through):
                yield name, f"{relation.target}.{back}"


# ---------------------------------------------------------------- the page


def list_types(type_: RecordType) -> list[tuple[Connector, ExternalType]]:
    """All that become records of this type."""
    return [(crm, one) for _, crm in sorted(CONNECTORS.items()) for one in crm.types if one.record_type is type_]


def render() -> str:
    """The whole page."""
    return "".join([INTRODUCTION, *(part for type_ in RecordType for part in render_type(type_))])


def render_type(type_: RecordType) -> Iterator[str]:
    types = list_types(type_)
    yield f"\n## {BY_TYPE[type_].__name__}\n\n"
    yield from table(("", *(f"{crm.label}: {one.name}" for crm, one in types)), fill(list_rows(type_), types))
    if others := [f"`{name}` is the other side of `{other}`" for name, other in find_others(type_)]:
        yield f"\n{', '.join(others)}.\n"


def fill(rows: Iterable[Row], types: Iterable[tuple[Connector, ExternalType]]) -> Iterator[tuple[str, ...]]:
    for name, cell in rows:
        yield f"`{name}`", *(cell(one) for _, one in types)


if __name__ == "__main__":
    PAGE.write_text(render())
