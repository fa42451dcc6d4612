"""What the documents say of mappings, made from the connectors' declarations: `python -m tests.house.mapping` writes it."""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from typing import Any

from connectors.declaration import Connector, Convert, ExternalType
from connectors.defaults import find_looked_at
from connectors.registry import CONNECTORS
from connectors.targets import FOLLOWED
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

A CRM's field that stands alone is taken over as it is. Else the fields that are looked at come first, and below what is
made of them; "always" is what no field decides. A dash: the CRM has nothing for it, so it is null, a list empty, `isDone`
false. Fields are called as the CRM's API calls them: Pipedrive's has two versions, v1 and v2; HubSpot's are properties, but
for `id`, `createdAt`, `updatedAt`, `archived` and `associations`. `{account}` is the address of the account's pages.

Not here is what no CRM tells: `id`; `createdAt` and `updatedAt`, which are the times here; `archivedAt`, when the last
source was deleted. [sync.md](sync.md) says how several sources become one record; [hubspot.md](hubspot.md) and
[pipedrive.md](pipedrive.md) how they are read.
"""


# ---------------------------------------------------------------- one cell


def describe(external: ExternalType, entry: str | Convert | None) -> str:
    """A path, or the fields that a function looks at and what it makes of them."""
    if entry is None:
        return NONE
    if isinstance(entry, str):
        return code(entry)
    fields, made = find_looked_at(external, entry)
    maker, given = find_maker(entry)
    named = {name.rpartition(".")[2] for name in fields}
    others = [code(one) for one in given if one not in named]
    told = f"{explain(maker).removesuffix('.')}: {', '.join(others)}." if others else explain(maker)
    if fields:
        return f"{', '.join(map(code, fields))}<br>{told}"
    if made:
        always = f"always {code(made.value if isinstance(made, Enum) else str(made))}"
        return f"{always}<br>{told}" if maker is entry else always
    return told


def code(path: str) -> str:
    return f"`{path.removeprefix('properties.')}`"


def find_maker(convert: Convert) -> tuple[Callable[..., Any], list[str]]:
    """The function that says what is done: itself, or the one that has made it, with the texts that one was given."""
    function: Any = convert.func if isinstance(convert, partial) else convert
    maker, _, made = function.__qualname__.partition(".<locals>.")
    if not made:
        return function, []
    given = inspect.getclosurevars(function).nonlocals.values()
    texts = [text for one in given for text in (one if isinstance(one, tuple) else (one,)) if isinstance(text, str)]
    return getattr(sys.modules[function.__module__], maker), texts


def explain(function: Callable[..., Any]) -> str:
    """The first paragraph of its docstring, in the words of GraphQL."""
    text = inspect.cleandoc(function.__doc__ or "").split("\n\n")[0]
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))


# ---------------------------------------------------------------- the rows of a table

Row = tuple[str, Callable[[ExternalType], str]]
"""What a row is called, and its cell of a type."""


def list_rows(type_: RecordType) -> Iterator[Row]:
    """The fields that people see, in the order of their declaration; then what is told of the source."""
    record = BY_TYPE[type_]
    groups = declared(record, Group).items()
    parts = {column: f"{name}.{part}" for name, group in groups for part, column in group.parts.items()}
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
    yield "sources.deletedAt", lambda external: describe(external, external.deleted)
    yield "merged into it", lambda external: describe(external, external.merged)


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
    if others := [f"`{name}`: `{other}`" for name, other in find_others(type_)]:
        yield f"\nWhat the other side tells: {', '.join(others)}.\n"


def fill(rows: Iterable[Row], types: Iterable[tuple[Connector, ExternalType]]) -> Iterator[tuple[str, ...]]:
    for name, cell in rows:
        yield name if " " in name else f"`{name}`", *(cell(one) for _, one in types)


if __name__ == "__main__":
    PAGE.write_text(render())
