"""What is told of all workspaces together."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from connectors.declaration import Limit
from storage import schedule
from storage.database import Database
from storage.gauges import Waiting, count_failing, count_waiting, find_least
from storage.ledger import PostgresLedger
from storage.shapes import BudgetWindow

SPAN = Limit(window=BudgetWindow.BURST, seconds=3600, limit=10, rolling=True)
DAY = Limit(window=BudgetWindow.DAY, seconds=86_400, limit=100, rolling=False)
LOOSE = Limit(window=BudgetWindow.DAY, seconds=86_400, limit=100, rolling=False, firm=False)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def crm() -> str:
    return uuid4().hex


async def test_the_account_that_has_least_is_told(database: Database, crm: str) -> None:
    ledger, limits = PostgresLedger(database), (SPAN, DAY)
    await ledger.reserve(crm, "frugal", limits, 1)
    for _ in range(2):
        await ledger.reserve(crm, "lavish", limits, 20)

    least = await find_least(database, {crm: limits, "OTHER": limits})

    assert least == {(crm, "BURST"): pytest.approx(0.8), (crm, "DAY"): pytest.approx(0.6)}


async def test_what_the_crm_has_told_counts(database: Database, crm: str) -> None:
    ledger = PostgresLedger(database)
    told = await ledger.reserve(crm, "told", (DAY,), 20)
    await ledger.settle(told, told={BudgetWindow.DAY: (40, None)})
    assert await find_least(database, {crm: (DAY,)}) == {(crm, "DAY"): pytest.approx(0.5)}

    used_up = await ledger.reserve(crm, "used up", (DAY,), 1)
    await ledger.settle(used_up, exhausted=7200)
    assert await find_least(database, {crm: (DAY,)}) == {(crm, "DAY"): 0}


async def test_a_limit_that_an_account_has_evidently_passed_is_not_its_own(database: Database, crm: str) -> None:
    await PostgresLedger(database).reserve(crm, "larger", (LOOSE,), 150)
    assert await find_least(database, {crm: (LOOSE,)}) == {}


async def test_what_nobody_has_called_today_is_whole(database: Database, database_url: str, crm: str) -> None:
    await PostgresLedger(database).reserve(crm, "quiet", (DAY,), 50)
    with psycopg.connect(database_url) as admin:
        admin.execute("update rate_window set updated_at = now() - interval '25 hours'")
    assert await find_least(database, {crm: (DAY,)}) == {}


async def test_jobs_wait_from_when_they_could_be_taken(database: Database, database_url: str) -> None:
    assert await count_waiting(database) == Waiting(jobs=0, oldest=0)
    with psycopg.connect(database_url) as admin:
        for status, seconds in [("todo", None), ("todo", -420), ("todo", 3600), ("doing", None)]:
            admin.execute(
                "insert into procrastinate_jobs (queue_name, task_name, status, scheduled_at)"
                " values ('sync', 'sync', %s, now() + %s * interval '1 second')",
                (status, seconds),
            )

    waiting = await count_waiting(database)

    assert waiting.jobs == 2
    assert waiting.oldest == pytest.approx(420, abs=20)


async def test_outboxes_that_fail_are_counted(database: Database) -> None:
    before, now = await count_failing(database), datetime.now(UTC)
    workspace = uuid4()
    async with database.session(workspace) as session:
        for _ in range(2):
            await schedule.repeat(database, session, schedule.RETRY, uuid4(), 3600, now)
        await schedule.set_alarm(database, session, schedule.PUSH, uuid4(), now)
    assert await count_failing(database) == before + 2
