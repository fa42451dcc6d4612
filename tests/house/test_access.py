"""Who may do what is told as it is, no mutation is open to everybody, and every table is in one of two groups."""

import psycopg
import strawberry

from schema.build import schema
from schema.field import mutation
from storage.shapes import Role
from tests.house import access, tables

PLAIN = {
    "bigint",
    "boolean",
    "integer",
    "procrastinate_job_event_type",
    "procrastinate_job_status",
    "timestamp with time zone",
    "timestamp with time zone[]",
    "uuid",
}
"""Types whose values are ids, numbers, times and words of a fixed list."""

COLUMNS = """
select c.relname, c.relrowsecurity, a.attname, format_type(a.atttypid, null)
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
"""


def test_access_is_told_as_it_is() -> None:
    assert access.PAGE.read_text() == access.render(), "run `python -m tests.house.access` and look at what has changed"


# ---------------------------------------------------------------- roles


def test_every_mutation_has_a_role() -> None:
    assert access.find_unguarded(schema) == []


def test_a_guard_is_what_is_declared() -> None:
    said = {(type_, name): field.metadata.get("role", Role.VIEWER) for type_, name, field in access.list_fields(schema)}
    held = {(type_, name): access.find_role(field) for type_, name, field in access.list_fields(schema)}
    assert held == said
    assert said["Mutation", "connect"] is Role.ADMIN
    assert said["Workspace", "apiKeys"] is Role.ADMIN
    assert said["Query", "contacts"] is Role.VIEWER


def test_a_mutation_without_a_role_is_found() -> None:
    @strawberry.type
    class Mutation:
        @mutation("Guarded.", role=Role.OPERATOR)
        def guarded(self) -> int:
            return 1

        @mutation("Open to everybody.", role=Role.VIEWER)
        def open(self) -> int:
            return 1

        @strawberry.mutation
        def bare(self) -> int:
            return 1

        attribute: int = 1

    @strawberry.type
    class Query:
        number: int = 1

    assert access.find_unguarded(strawberry.Schema(Query, Mutation)) == ["attribute", "open", "bare"]


# ---------------------------------------------------------------- tables


def test_every_table_is_in_one_group(worker_url: str) -> None:
    with psycopg.connect(worker_url) as connection:
        found = {(table, secured) for table, secured, _, _ in connection.execute(COLUMNS)}

    assert {table for table, secured in found if secured} == set(tables.OWNED)
    assert {table for table, secured in found if not secured} == set(tables.OTHERS)


def test_the_others_hold_no_text_that_was_not_looked_at(worker_url: str) -> None:
    with psycopg.connect(worker_url) as connection:
        columns = connection.execute(COLUMNS).fetchall()

    texts = {(table, column) for table, secured, column, type_ in columns if not secured and type_ not in PLAIN}
    assert texts == {(table, column) for table, listed in tables.TEXTS.items() for column in listed}
