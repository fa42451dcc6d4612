"""The migrations make what the tables say, under row-level security; procrastinate's schema follows its package."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from storage import jobs
from storage.errors import UnsafeRole, WrongVersion
from storage.migrate import HEAD, migrate
from storage.migrations import upgrade
from tests.house.tables import OWNED


def rows(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode(), values or None).fetchall()


def do(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


# ---------------------------------------------------------------- our tables


def test_the_revisions_make_what_the_tables_say(database_url: str) -> None:
    assert upgrade.differences(database_url) == []


def test_they_are_the_same_to_the_letter(database_url: str, empty_url: str) -> None:
    """Alembic's comparison does not read triggers, nor all that an index can be."""
    with upgrade.connected(empty_url) as connection:
        upgrade.METADATA.create_all(connection)
    queries = [
        """select table_name, column_name, udt_name, is_nullable, column_default, collation_name, generation_expression
        from information_schema.columns where table_schema = 'public'""",
        "select tablename, indexdef from pg_indexes where schemaname = 'public'",
        """select conrelid::regclass::text, pg_get_constraintdef(oid)
        from pg_constraint where connamespace = 'public'::regnamespace""",
        """select tgrelid::regclass::text, pg_get_triggerdef(t.oid), pg_get_functiondef(tgfoid)
        from pg_trigger t where not tgisinternal""",
    ]

    for query in queries:
        made, wanted = (
            sorted((row for row in rows(url, query) if row[0] in upgrade.METADATA.tables), key=str)
            for url in (database_url, empty_url)
        )
        assert made == wanted
        assert made


def test_the_comparison_sees_what_is_missing(database_url: str) -> None:
    do(database_url, "drop index ix_contact_name_down", "alter table deal drop column stage")

    kinds = {difference[0] for difference in upgrade.differences(database_url)}

    assert kinds == {"add_index", "add_column"}


def test_the_head_is_the_newest_revision() -> None:
    assert upgrade.scripts(upgrade.settings()).get_heads() == [HEAD]


def test_row_level_security_is_forced_on_every_table_with_a_workspace(database_url: str) -> None:
    covered = rows(
        database_url,
        """
        select c.relname from pg_class c
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
          and c.relrowsecurity and c.relforcerowsecurity
          and exists (select from pg_policy p where p.polrelid = c.oid
                      and p.polqual is not null and p.polwithcheck is not null)
        """,
    )

    assert {name for (name,) in covered} == set(OWNED)
    assert {"workspace", "integration", "contact", "api_key", "oauth_state"} <= set(OWNED)


def test_a_migrated_database_is_left_as_it_is(database_url: str) -> None:
    written = "select oid::text, xmin::text from pg_class where relnamespace = 'public'::regnamespace order by 1"
    before = rows(database_url, written)

    migrate(database_url)

    assert rows(database_url, written) == before  # not even a grant again


def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_url] * 4))

    assert rows(empty_url, "select version_num from alembic_version") == [(HEAD,)]


def test_a_newer_database_is_refused(database_url: str) -> None:
    do(database_url, "update alembic_version set version_num = '9999'")

    with pytest.raises(WrongVersion, match="revision 9999, which this program does not know: install the newer"):
        migrate(database_url)


# ---------------------------------------------------------------- roles


def test_the_app_role_may_change_rows_and_nothing_else(database_url: str) -> None:
    rights = rows(
        database_url,
        """
        select c.relname, has_table_privilege('crosswalk_app', c.oid, 'select')
             , has_table_privilege('crosswalk_app', c.oid, 'insert')
             , has_table_privilege('crosswalk_app', c.oid, 'update')
             , has_table_privilege('crosswalk_app', c.oid, 'delete')
             , has_table_privilege('crosswalk_app', c.oid, 'truncate')
        from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
        """,
    )

    ours = {row for row in rights if row[0] not in ("alembic_version", "job_schema")}
    assert {row[1:] for row in ours} == {(True, True, True, True, False)}
    assert {row[1:] for row in set(rights) - ours} == {(False, False, False, False, False)}
    assert {"contact", "procrastinate_jobs", "procrastinate_workers"} <= {row[0] for row in ours}


def test_an_owner_without_createrole_migrates_and_stays_under_row_level_security(empty_url: str) -> None:
    name = empty_url.partition("?")[0].rpartition("/")[2]
    owner = f"owner_{name}"
    do(empty_url, f"create role {owner} login nosuperuser", f"alter database {name} owner to {owner}")
    url = empty_url.replace("postgres@", f"{owner}@")
    try:
        migrate(url)
        do(empty_url, "insert into workspace values (gen_random_uuid(), 'theirs', 'FREE', now(), null, '{}', 0, 4, 10)")

        assert rows(url, "select * from workspace") == []
    finally:
        do(empty_url, f"reassign owned by {owner} to postgres", f"drop owned by {owner}", f"drop role {owner}")


def test_a_role_with_createrole_may_take_the_app_role_it_has_made(empty_url: str) -> None:
    name = empty_url.partition("?")[0].rpartition("/")[2]
    owner = f"maker_{name}"
    # another database of the server may have made the role: then its admin lets ours grant it
    do(
        empty_url,
        f"create role {owner} login nosuperuser createrole",
        f"alter database {name} owner to {owner}",
        "do $$ begin create role crosswalk_app nologin; exception when duplicate_object then null; end $$",
        f"grant crosswalk_app to {owner} with admin option, set false, inherit false",
    )
    url = empty_url.replace("postgres@", f"{owner}@")
    try:
        migrate(url)
        do(url, "set role crosswalk_app", "select from contact")

        assert rows(url, "select pg_has_role(current_user, 'crosswalk_app', 'set')") == [(True,)]
    finally:
        do(
            empty_url,
            f"reassign owned by {owner} to postgres",
            f"revoke crosswalk_app from {owner} cascade",
            f"drop owned by {owner}",
            f"drop role {owner}",
        )


def test_a_role_that_may_not_make_tables_is_told_so(empty_url: str) -> None:
    name = empty_url.partition("?")[0].rpartition("/")[2]
    reader = f"reader_{name}"
    do(empty_url, f"create role {reader} login")
    try:
        with pytest.raises(UnsafeRole, match=r"may not migrate .*: let it own the database, or grant it create"):
            migrate(empty_url.replace("postgres@", f"{reader}@"))
    finally:
        do(empty_url, f"drop role {reader}")


# ---------------------------------------------------------------- the job engine's schema


def schema(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """What procrastinate's objects are, without their order."""
    queries = {
        "columns": """select table_name, column_name, data_type, is_nullable, column_default
            from information_schema.columns where table_name like 'procrastinate%'""",
        "indexes": "select indexdef from pg_indexes where tablename like 'procrastinate%'",
        "triggers": "select pg_get_triggerdef(oid) from pg_trigger where tgrelid::regclass::text like 'procrastinate%'"
        " and not tgisinternal",
        "functions": "select oid::regprocedure::text, pg_get_function_result(oid) from pg_proc"
        " where proname like 'procrastinate%'",
        "labels": "select enumtypid::regtype::text, enumlabel from pg_enum",
        "types": "select oid::regtype::text, typtype::text from pg_type where typname like 'procrastinate%'",
    }
    return {kind: sorted(rows(url, query)) for kind, query in queries.items()}


def test_the_path_of_files_ends_where_the_whole_schema_does(database_url: str, empty_url: str) -> None:
    do(empty_url, "create table job_schema (reached text not null)", "insert into job_schema values ('00.00.00_00')")

    with psycopg.connect(empty_url, autocommit=True) as connection:
        jobs.install(connection)

    assert schema(empty_url) == schema(database_url)
    assert rows(empty_url, "select * from job_schema") == rows(database_url, "select * from job_schema")


def test_a_path_that_was_cut_goes_on_where_it_was(database_url: str, empty_url: str) -> None:
    whole = jobs.between((0, 0, 0, 0), jobs.stage("99.0.0"))
    half = len(whole) // 2
    do(empty_url, *(file.read_text() for file in whole[:half]))
    reached = "_".join(whole[half - 1].stem.split("_")[:2])
    do(empty_url, "create table job_schema (reached text not null)")
    with psycopg.connect(empty_url) as connection:
        connection.execute("insert into job_schema values (%s)", (reached,))

    with psycopg.connect(empty_url, autocommit=True) as connection:
        jobs.install(connection)

    assert schema(empty_url) == schema(database_url)


def test_files_go_in_the_order_of_their_numbers() -> None:
    found = [file.name for file in jobs.between(jobs.stage("3.0.0"), jobs.stage("3.2.0"))]

    assert found == [
        "03.01.00_01_pre_add_heartbeat.sql",
        "03.01.00_50_post_add_heartbeat.sql",
        "03.02.00_01_pre_batch_defer_jobs.sql",
        "03.02.00_50_post_batch_defer_jobs.sql",
    ]


def test_jobs_of_a_newer_release_are_refused(database_url: str) -> None:
    do(database_url, "update job_schema set reached = '4.0.0'")

    with pytest.raises(WrongVersion, match=r"made by procrastinate 4\.0\.0, and 3\..* is installed: install 4\.0\.0"):
        migrate(database_url)


def test_its_files_come_from_the_package() -> None:
    assert "site-packages" in Path(SchemaManager.get_migrations_path()).parts
