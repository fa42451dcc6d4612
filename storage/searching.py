"""The words that records are found by, and the triggers that keep them."""

import re
from typing import Any

from sqlalchemy import DDL, Column, FetchedValue, event
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlmodel import Field

from storage.records import SEARCHED, Record


def search_column() -> Any:
    """The words of a record as a text search vector, which the table's trigger keeps up to date."""
    return Field(default=None, sa_column=Column("search", TSVECTOR, FetchedValue(), nullable=True))


def keep_searched(*models: type[Record]) -> None:
    """Has the tables' triggers made with them."""
    for model in models:
        for statement in write_trigger(model.__name__):
            made: Any = DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
            event.listen(model.__table__, "after_create", made)  # type: ignore[attr-defined]


def write_trigger(record: str) -> list[str]:
    """The statements of a record's trigger.

    A generated column would do, if Postgres 18 did not read its definition anew for each row of an update that is about
    other columns: 20 microseconds of the 80 that such a row takes.
    """
    table, searched = record.lower(), SEARCHED[record]
    text = f'({searched.format(t="new")}) COLLATE "default"'  # under "C", in which names are sorted, ä is no letter
    words = f"to_tsvector('simple', regexp_replace({text}, '[^[:alnum:]]+', ' ', 'g'))"
    names = ", ".join(dict.fromkeys(re.findall(r"{t}\.(\w+)", searched)))
    body = f"$$BEGIN new.search := {words}; RETURN new; END$$"
    made = f"CREATE TRIGGER search BEFORE INSERT OR UPDATE OF {names} ON {table} FOR EACH ROW"
    return [
        f"CREATE FUNCTION search_{table}() RETURNS trigger LANGUAGE plpgsql AS {body}",
        f"{made} EXECUTE FUNCTION search_{table}()",
    ]
