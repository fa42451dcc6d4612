"""Brings a database to what this program expects: role, tables, the job engine's schema, grants. Safe from every process."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from storage import jobs
from storage.database import ROLE, WAIT, check_version, plain_url
from storage.errors import DatabaseUnavailable, UnsafeRole

HEAD = "0006"
"""The newest revision; a test holds it against the scripts."""

LOCK = 1668443507
"""Of pg_advisory_lock: one process migrates, the others wait. It dies with its connection."""

CREATE_ROLE = """
do $$
begin
    if not exists (select from pg_roles where rolname = 'crosswalk_app') then
        create role crosswalk_app nologin nosuperuser nobypassrls;
    end if;
    -- since 16 whoever creates a role may not take it without this; pg_has_role is true for a superuser
    if not pg_has_role(current_user, 'crosswalk_app', 'set') then
        grant crosswalk_app to current_user with set true, inherit false;
    end if;
exception
    -- no CREATEROLE, or the role is another's: we stay the owner, for whom row-level security is forced
    when insufficient_privilege then null;
    -- roles are the whole server's and the lock is the database's: another database made it just now
    when duplicate_object or unique_violation then null;
end
$$
"""

UNGRANTED = """
select c.oid::regclass::text as name, c.relkind = 'S' as sequence
from pg_class c
where c.relnamespace = current_schema()::regnamespace
  and pg_has_role(c.relowner, 'usage')
  and c.relkind in ('r', 'p', 'S')
  and c.relname not in ('alembic_version', 'job_schema')
  and exists (select from pg_roles where rolname = 'crosswalk_app')
  and case when c.relkind = 'S' then not has_sequence_privilege('crosswalk_app', c.oid, 'usage')
           else not has_table_privilege('crosswalk_app', c.oid, 'delete') end
order by 1
"""


def migrate(url: str) -> None:
    """Blocking; in an event loop, call it in a thread. A database that is up to date costs a few statements.

    Raises DatabaseUnavailable, WrongVersion for what is newer than this program or too old a server, and UnsafeRole where
    the URL's role may not make tables. Behind PgBouncer give it a direct address: the lock belongs to a session.
    """
    url = plain_url(url)
    with _locked(url) as connection:
        connection.execute(CREATE_ROLE)
        if (found := _revision(connection)) != HEAD:
            # The exception to "no loading inside functions": Alembic takes a second, and a start that has nothing to
            # migrate, which is nearly every one, does without it.
            importlib.import_module("storage.migrations.upgrade").upgrade(url, found)
        jobs.install(connection)
        _grant(connection)


@contextmanager
def _locked(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=int(WAIT)) as connection:
            check_version(connection.info)
            connection.execute("select pg_advisory_lock(%s)", (LOCK,))
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        message = f"the role of DATABASE_URL may not migrate ({error.diag.message_primary})"
        raise UnsafeRole(f"{message}: let it own the database, or grant it create on the schema") from error
    except psycopg.OperationalError as error:
        why = str(error).strip().splitlines()[0]
        raise DatabaseUnavailable(f"no Postgres to migrate ({why}): start it, or correct DATABASE_URL") from error


def _revision(connection: psycopg.Connection) -> str | None:
    """What Alembic left; None for a new database."""
    found = connection.execute("select to_regclass('alembic_version') is not null").fetchone()
    if found != (True,):
        return None
    row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else None


def _grant(connection: psycopg.Connection) -> None:
    """Rows of every table to the app's role, but not what the migrations themselves remember."""
    missing = connection.execute(UNGRANTED).fetchall()
    if not missing:
        return
    role = sql.Identifier(ROLE)
    connection.execute(
        sql.SQL("do $$ begin execute format('grant usage on schema %I to {}', current_schema()); end $$").format(role)
    )
    for name, sequence in missing:
        rights = "usage, select on sequence" if sequence else "select, insert, update, delete on table"
        # regclass::text is quoted where it must be
        connection.execute(sql.SQL("grant {} {} to {}").format(sql.SQL(rights), sql.SQL(name), role))
