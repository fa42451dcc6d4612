"""A session is one transaction in one workspace, hot reads are scoped the same, and unsafe servers and roles are refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.database import Database, WorkspaceSession, check_version
from storage.embedded import Embedded
from storage.errors import DatabaseUnavailable, NoWorkspace, UnsafeRole, WrongVersion
from storage.migrate import migrate
from storage.shared import RateWindow
from storage.tables import Workspace

INSERT = (
    "insert into workspace (id, name, plan, source_priority, forgotten, warm_lead_threshold, pushes_per_minute, created_at)"
    " values (%(id)s, %(name)s, 'FREE', '{}', 0, 4, 10, now()) returning name"
)
NAMES = "select name from workspace order by name"


@pytest.fixture
async def database(worker_url: str) -> AsyncIterator[Database]:
    database = Database(worker_url)
    await database.open()
    yield database
    await database.close()


async def names(session: AsyncSession) -> list[str]:
    return [row[0] for row in await (await session.connection()).execute(text(NAMES))]


async def add(database: Database, name: str = "one") -> UUID:
    workspace = uuid4()
    async with database.session(workspace) as session:
        session.add(Workspace(id=workspace, name=name))
    return workspace


# ---------------------------------------------------------------- sessions


async def test_a_session_commits_at_its_end(database: Database) -> None:
    workspace = await add(database)

    async with database.session(workspace) as session:
        found = (await session.exec(select(Workspace))).one()

    assert (found.id, found.name) == (workspace, "one")  # readable after the commit


async def test_an_error_rolls_it_back(database: Database) -> None:
    workspace = uuid4()

    async def fail() -> None:
        async with database.session(workspace) as session:
            await database.run(session, INSERT, {"id": workspace, "name": "gone"})
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert await database.fetch(workspace, NAMES, {}) == []


async def test_a_session_sees_its_workspace_only(database: Database) -> None:
    one, two = await add(database, "one"), await add(database, "two")

    async with database.session(one) as session:
        assert await names(session) == ["one"]
        changed = await database.run(session, "update workspace set name = 'x' where id = %(id)s", {"id": two})

    assert changed == []
    assert await database.fetch(two, NAMES, {}) == [{"name": "two"}]


async def test_a_row_of_another_workspace_is_refused(database: Database) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        async with database.session(uuid4()) as session:
            await database.run(session, INSERT, {"id": uuid4(), "name": "theirs"})


async def test_the_setting_does_not_outlive_its_transaction(database: Database) -> None:
    workspace = await add(database)
    setting = "select coalesce(current_setting('app.workspace', true), '') as workspace, pg_backend_pid() as backend"

    async with database.session(workspace) as session:
        during = (await database.run(session, setting, {}))[0]
    async with database.system() as session:  # the same connection, back from the pool
        after = (await database.run(session, setting, {}))[0]
        seen = await names(session)

    assert during == {"workspace": str(workspace), "backend": after["backend"]}
    assert (after["workspace"], seen) == ("", [])


async def test_a_savepoint_that_rolls_back_keeps_the_workspace(database: Database) -> None:
    workspace = await add(database)

    async with database.session(workspace) as session:
        with pytest.raises(DBAPIError):
            async with session.begin_nested():
                await (await session.connection()).execute(text("select 1 / 0"))
        assert await names(session) == ["one"]


async def test_statements_run_as_the_app_role_even_for_a_superuser(database: Database) -> None:
    who = "select current_user::text as role, session_user::text as login, current_setting('timezone') as zone"
    expected = [{"role": "crosswalk_app", "login": "postgres", "zone": "UTC"}]

    async with database.session(uuid4()) as session:
        assert await database.run(session, who, {}) == expected
    assert await database.fetch(uuid4(), who, {}) == expected


@pytest.mark.parametrize("workspace", [None, "", "3e9b1c0e-5bd5-4b83-a8a5-0a0a5a2b8f58"])
async def test_no_statement_without_a_workspace(database: Database, workspace: Any) -> None:
    with pytest.raises(NoWorkspace):
        async with database.session(workspace):
            pass
    with pytest.raises(NoWorkspace):
        await database.fetch(workspace, NAMES, {})


async def test_a_session_made_by_hand_has_no_workspace_either(database: Database) -> None:
    async with AsyncSession(database._engine, sync_session_class=WorkspaceSession) as session:
        with pytest.raises(NoWorkspace):
            await names(session)


async def test_the_system_session_serves_tables_without_row_level_security(database: Database) -> None:
    account = uuid4().hex
    async with database.system() as session:
        session.add(RateWindow(crm="none", account=account, window="DAY", limit=7))

    async with database.system() as session:
        found = await database.run(session, 'select "limit" from rate_window where account = %(a)s', {"a": account})
    assert found == [{"limit": 7}]


async def halt(database: Database, when: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """A transaction whose process stands still for longer than the server allows."""
    async with database.session(uuid4()) as session:
        await database.run(session, "set local idle_in_transaction_session_timeout = 50", {})
        backend = (await database.run(session, "select pg_backend_pid() as pid", {}))[0]["pid"]
        async with asyncio.timeout(10):
            alive = "select 1 from pg_stat_get_activity(%(pid)s) where pid is not null"
            while await database.lookup(alive, {"pid": backend}):  # noqa: ASYNC110 # one transaction sees one state of it
                await asyncio.sleep(0.02)
        await when(session)


async def test_a_transaction_that_idled_for_too_long_has_lost_its_connection(database: Database) -> None:
    async def nothing(_: AsyncSession) -> None:
        """Straight to the commit."""

    ways: list[Callable[[AsyncSession], Awaitable[object]]] = [names, lambda one: database.run(one, NAMES, {}), nothing]
    for when in ways:
        with pytest.raises(DatabaseUnavailable):
            await halt(database, when)
    assert await database.fetch(await add(database), NAMES, {}) == [{"name": "one"}]


async def test_a_minute_is_too_long(database: Database) -> None:
    setting = "select current_setting('idle_in_transaction_session_timeout') as idle"
    async with database.session(uuid4()) as session:
        assert await database.run(session, setting, {}) == [{"idle": "1min"}]
    assert await database.fetch(uuid4(), setting, {}) == [{"idle": "1min"}]


# ---------------------------------------------------------------- raw statements


async def test_run_sees_what_the_session_holds_back(database: Database) -> None:
    workspace = uuid4()

    async with database.session(workspace) as session:
        session.add(Workspace(id=workspace, name="pending"))
        assert await database.run(session, NAMES, {}) == [{"name": "pending"}]


async def test_run_takes_many_rows_as_json(database: Database) -> None:
    sql = "select * from jsonb_to_recordset(%(rows)s::jsonb) as r(name text, size int) order by name"
    rows = [{"name": "é", "size": 2}, {"name": "a", "size": None}]

    async with database.session(uuid4()) as session:
        assert await database.run(session, sql, {"rows": Jsonb(rows)}) == [rows[1], rows[0]]


async def test_run_without_rows(database: Database) -> None:
    async with database.session(uuid4()) as session:
        assert await database.run(session, "set local lock_timeout = '1s'", {}) == []


async def test_json_columns_pass_through_the_models(database: Database) -> None:
    value = {"text": 'ü"\\', "list": [1, 2.5, None], "nested": {"yes": True}}

    assert await database.fetch(uuid4(), "select %(v)s::jsonb as b, %(v)s::json as j", {"v": Jsonb(value)}) == [
        {"b": value, "j": value}
    ]


# ---------------------------------------------------------------- hot reads


async def test_fetch_decodes_rows(database: Database) -> None:
    one = uuid4()
    sql = "select %(id)s::uuid as id, 1.50::numeric as amount, array['a'] as tags, null as nothing, '50%%' as percent"

    found = await database.fetch(one, sql, {"id": one})

    assert [{**row, "amount": str(row["amount"])} for row in found] == [
        {"id": one, "amount": "1.50", "tags": ["a"], "nothing": None, "percent": "50%"}
    ]


async def test_fetch_changes_nothing(database: Database) -> None:
    workspace = uuid4()

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await database.fetch(workspace, INSERT, {"id": workspace, "name": "x"})


async def test_many_reads_at_once_stay_apart(database: Database) -> None:
    workspaces = [await add(database, f"workspace {number}") for number in range(5)]

    found = await asyncio.gather(*(database.fetch(workspace, NAMES, {}) for workspace in workspaces * 20))

    assert found == [[{"name": f"workspace {number}"}] for number in range(5)] * 20


async def test_a_read_whose_error_is_its_own_leaves_the_pool_well(database: Database) -> None:
    for _ in range(8):
        with pytest.raises(psycopg.errors.UndefinedColumn):
            await database.fetch(uuid4(), "select nothing", {})

    assert await database.fetch(uuid4(), "select 1 as one", {}) == [{"one": 1}]


async def test_statements_are_counted_without_what_they_need_besides(database: Database) -> None:
    workspace = await add(database)
    before = database.statements

    await database.fetch(workspace, NAMES, {})
    async with database.session(workspace) as session:
        await names(session)
        await database.run(session, NAMES, {})

    assert database.statements - before == 3


# ---------------------------------------------------------------- servers and roles


async def test_connections_that_the_server_has_dropped_are_replaced(database_url: str) -> None:
    database = Database(database_url)
    await database.open()
    workspace = await add(database)
    drop = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> %s"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(drop, (connection.info.backend_pid,))

    try:
        assert await database.fetch(workspace, NAMES, {}) == [{"name": "one"}]
        async with database.session(workspace) as session:
            assert await names(session) == ["one"]
    finally:
        await database.close()


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:1/nothing", "postgresql://u:hunter2@/x?host=/nowhere"]
)
async def test_a_server_that_is_not_there_is_named_without_the_password(url: str) -> None:
    database = Database(url)

    with pytest.raises(DatabaseUnavailable, match="start it, or correct DATABASE_URL") as caught:
        await database.open()
    await database.close()

    assert "hunter2" not in str(caught.value)
    with pytest.raises(DatabaseUnavailable, match="start it, or correct DATABASE_URL"):
        migrate(url)


@pytest.mark.parametrize("url", ["sqlite:///x", "postgresql+asyncpg://h/d", "", "host=localhost"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="begins with postgresql://"):
        Database(url)


async def test_sqlalchemy_s_spelling_and_the_url_s_own_options_are_taken(worker_url: str) -> None:
    url = worker_url.replace("postgresql://", "postgresql+psycopg://") + "&options=-c%20application_name%3Dmine"
    database = Database(url)
    await database.open()

    sql = "select current_user::text as role, current_setting('application_name') as name"
    assert await database.fetch(uuid4(), sql, {}) == [{"role": "crosswalk_app", "name": "mine"}]
    await database.close()


async def test_a_superuser_without_the_app_role_is_refused(tmp_path: Path) -> None:
    with Embedded(tmp_path, {"fsync": "off"}) as server:  # roles are a whole server's: this one has none but postgres
        database = Database(server.url())
        with pytest.raises(UnsafeRole, match=r"run as postgres, .*: run `crosswalk migrate`"):
            await database.open()
        await database.close()

        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("create role crosswalk_app bypassrls")
        database = Database(server.url())
        with pytest.raises(UnsafeRole, match="run as crosswalk_app"):
            await database.open()
        await database.close()


async def test_an_owner_without_the_app_role_is_served_as_itself(tmp_path: Path) -> None:
    with Embedded(tmp_path, {"fsync": "off"}) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("create role owner login")
            connection.execute("create database theirs owner owner")
        url = server.url("theirs").replace("postgres@", "owner@")
        migrate(url)
        database = Database(url)
        await database.open()

        workspace = await add(database)

        assert await database.fetch(workspace, "select name, current_user::text as role from workspace", {}) == [
            {"name": "one", "role": "owner"}
        ]
        assert await database.fetch(uuid4(), NAMES, {}) == []
        await database.close()


def test_a_server_that_is_too_old_is_refused() -> None:
    old: Any = SimpleNamespace(server_version=150004)

    with pytest.raises(WrongVersion, match="Postgres 15: Crosswalk needs 16 or newer"):
        check_version(old)
