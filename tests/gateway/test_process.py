"""The process put together: what starts, what it says of its health, what it leaves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import pytest_asyncio
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.process import DEMO, VISITOR, open_process
from gateway.settings import Settings
from storage.embedded import Embedded


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings.load(database_url=database_url, crosswalk_data=tmp_path, crosswalk_sandbox=True)


@pytest_asyncio.fixture
async def app(settings: Settings) -> AsyncIterator[Starlette]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


async def get(app: Starlette, path: str) -> tuple[int, Any]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        answer = await client.get(path)
    return answer.status_code, answer.json()


async def until(app: Starlette, holds: Callable[[int, Any], bool]) -> Any:
    """What /readyz says once it says that."""
    async with asyncio.timeout(20):
        while True:
            status, said = await get(app, "/readyz")
            if holds(status, said):
                return said
            await asyncio.sleep(0.05)


async def test_it_gets_ready_and_says_what_fails(app: Starlette) -> None:
    assert await until(app, lambda status, _: status == 200) == {"status": "ok"}
    hub, worker = app.state.process.tasks
    worker.cancel()
    said = await until(app, lambda status, _: status == 503)
    assert said == {"status": "unready", "worker": "not running"}
    hub.cancel()
    said = await until(app, lambda _, said: len(said) == 3)
    assert said == {"status": "unready", "worker": "not running", "events": "not listening to the database"}
    assert await get(app, "/healthz") == (200, {"status": "ok"})


async def test_a_database_that_goes_away_and_comes_back(app: Starlette, server: Embedded, database_url: str) -> None:
    await until(app, lambda status, _: status == 200)
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f'alter database "{name}" allow_connections false'.encode())
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        said = await until(app, lambda status, _: status == 503)
        assert "database" in said or "events" in said
        assert (await get(app, "/healthz"))[0] == 200
        admin.execute(f'alter database "{name}" allow_connections true'.encode())
    await until(app, lambda status, _: status == 200)


async def test_it_stops_while_the_database_is_away(settings: Settings, server: Embedded, database_url: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    app = create_app(settings)
    with psycopg.connect(server.url(), autocommit=True) as admin:
        async with asyncio.timeout(20):
            async with app.router.lifespan_context(app):
                await until(app, lambda status, _: status == 200)
                admin.execute(f'alter database "{name}" allow_connections false'.encode())
                admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        assert not [task for task in app.state.process.tasks if not task.done()]


async def test_without_a_worker_it_is_ready_too(settings: Settings) -> None:
    app = create_app(settings, works=False)
    async with app.router.lifespan_context(app):
        await until(app, lambda status, _: status == 200)


async def test_several_processes_share_the_demo_workspace(settings: Settings) -> None:
    async with open_process(settings, works=False) as one, open_process(settings, works=False) as other:
        contexts = [one.new_context(VISITOR), other.new_context(VISITOR)]
        for context in contexts:
            rows = await context.fetch("SELECT id, name, plan FROM workspace WHERE id = %(workspace)s", {})
            assert rows == [{"id": DEMO, "name": "Demo", "plan": "BUSINESS"}]


async def test_nothing_is_left_running(settings: Settings) -> None:
    before = asyncio.all_tasks()
    async with open_process(settings):
        pass
    assert asyncio.all_tasks() == before
