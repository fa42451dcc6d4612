"""The rate ledger: one behaviour, in the database and in memory."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from connectors.declaration import Limit
from connectors.pacing import Ledger, MemoryLedger, Reservation
from storage.database import Database
from storage.ledger import PostgresLedger
from storage.shapes import BudgetWindow

BURST = Limit(window=BudgetWindow.BURST, seconds=1, limit=10, rolling=True)
SEARCH = Limit(window=BudgetWindow.SEARCH, seconds=60, limit=2, rolling=True)
DAY = Limit(window=BudgetWindow.DAY, seconds=86_400, limit=100, rolling=False)
LIMITS = (BURST, SEARCH, DAY)
LOOSE = (BURST, Limit(window=BudgetWindow.DAY, seconds=86_400, limit=100, rolling=False, firm=False))
CRM = "PIPEDRIVE"


@pytest.fixture
async def database(worker_url: str) -> AsyncIterator[Database]:
    database = Database(worker_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(params=["postgres", "memory"])
def ledger(request: pytest.FixtureRequest, database: Database) -> Ledger:
    return PostgresLedger(database) if request.param == "postgres" else MemoryLedger()


@pytest.fixture
def account() -> str:
    """One that no other test calls."""
    return uuid4().hex


def times(places: list[Reservation]) -> list[float]:
    """When the calls may be sent, on the ledger's clock."""
    found: list[Any] = [vars(place)["at"] for place in places]
    return [at.timestamp() if isinstance(at, datetime) else at for at in found]


def midnight() -> datetime:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=1)


async def reserve(ledger: Ledger, account: str, times: int, **how: Any) -> list[Reservation]:
    return [await ledger.reserve(CRM, account, how.get("limits", LIMITS), how.get("cost", 1)) for _ in range(times)]


async def left(ledger: Ledger, account: str, limits: Any = LIMITS) -> list[tuple[int | None, int | None]]:
    return [(budget.limit, budget.remaining) for budget in await ledger.read(CRM, account, limits)]


async def test_nine_tenths_of_a_quiet_window_go_at_once_and_the_rest_is_spread(ledger: Ledger, account: str) -> None:
    places = await reserve(ledger, account, 10)

    assert [place.wait_seconds for place in places[:9]] == [0] * 9
    gaps = [later - sooner for sooner, later in pairwise(times(places)[8:])]
    assert gaps == pytest.approx([0.09], abs=0.0001)
    assert [place.taken for place in places] == [True] * 10
    assert [place.until for place in places] == [None] * 10
    assert [place.quiet for place in places] == [True] + [False] * 9


async def test_a_place_far_ahead_is_told_but_not_taken(ledger: Ledger, account: str) -> None:
    places = await reserve(ledger, account, 40)

    taken = [place for place in places if place.taken]
    assert len(taken) >= 9
    assert all(place.wait_seconds <= 0.5 for place in taken)
    assert all(place.wait_seconds > 0.5 for place in places if not place.taken)
    assert (await left(ledger, account))[2] == (100, 100 - len(taken))


async def test_who_yields_leaves_the_next_places_to_others(ledger: Ledger, account: str) -> None:
    slow = (replace(BURST, seconds=2),)
    reads = [await ledger.reserve(CRM, account, slow, 1, yields=True) for _ in range(10)]
    write = await ledger.reserve(CRM, account, slow, 1)

    assert [place.taken for place in reads] == [True] * 9 + [False]
    assert write.taken
    assert write.wait_seconds == pytest.approx(0.18, abs=0.1)


async def test_accounts_do_not_share_their_limits(ledger: Ledger, account: str) -> None:
    await reserve(ledger, account, 9)

    (other,) = await reserve(ledger, f"{account}-2", 1)

    assert (other.wait_seconds, other.quiet) == (0, True)


async def test_searches_have_a_window_of_their_own(ledger: Ledger, account: str) -> None:
    first = await ledger.reserve(CRM, account, LIMITS, 1, search=True)
    second = await ledger.reserve(CRM, account, LIMITS, 1, search=True)
    (call,) = await reserve(ledger, account, 1)

    assert [place.taken for place in (first, second, call)] == [True, False, True]
    assert second.wait_seconds == pytest.approx(27, abs=1)
    assert call.wait_seconds == 0
    assert await left(ledger, account) == [(10, 8), (2, 1), (100, 98)]


async def test_a_budget_used_up_holds_until_midnight(ledger: Ledger, account: str) -> None:
    await reserve(ledger, account, 1, cost=95)

    (refused,) = await reserve(ledger, account, 1, cost=6)
    (small,) = await reserve(ledger, account, 1, cost=5)

    assert (refused.until, refused.taken) == (midnight(), False)
    assert (small.until, small.taken) == (None, True)
    assert (await left(ledger, account))[2] == (100, 0)


async def test_a_limit_of_the_lowest_plan_holds_nobody_back_until_it_is_told(ledger: Ledger, account: str) -> None:
    (first,) = await reserve(ledger, account, 1, cost=150, limits=LOOSE)
    unknown = await left(ledger, account, LOOSE)
    await ledger.settle(first, told={BudgetWindow.DAY: (100, None)})

    (refused,) = await reserve(ledger, account, 1, limits=LOOSE)

    assert unknown[1] == (None, None)
    assert refused.until == midnight()


async def test_headers_correct_the_limits(ledger: Ledger, account: str) -> None:
    (place,) = await reserve(ledger, account, 1)

    await ledger.settle(place, told={BudgetWindow.BURST: (4, 3), BudgetWindow.DAY: (5000, 1000)})

    assert await left(ledger, account) == [(4, 3), (2, 2), (5000, 1000)]


async def test_calls_of_others_are_counted(ledger: Ledger, account: str) -> None:
    (place,) = await reserve(ledger, account, 1)

    await ledger.settle(place, told={BudgetWindow.BURST: (10, 2), BudgetWindow.DAY: (None, 40)})

    assert await left(ledger, account) == [(10, 2), (2, 2), (100, 40)]


async def test_calls_under_way_are_not_forgotten(ledger: Ledger, account: str) -> None:
    places = await reserve(ledger, account, 3, cost=10)

    await ledger.settle(places[0], told={BudgetWindow.BURST: (10, 9), BudgetWindow.DAY: (100, 90)})

    assert await left(ledger, account) == [(10, 7), (2, 2), (100, 70)]


async def test_a_late_call_moves_the_next_ones(ledger: Ledger, account: str) -> None:
    limits = (Limit(window=BudgetWindow.BURST, seconds=1, limit=1, rolling=True),)
    (place,) = await reserve(ledger, account, 1, limits=limits)
    before = await reserve(ledger, account, 1, limits=limits)

    await ledger.settle(place, late=0.3)

    after = await reserve(ledger, account, 1, limits=limits)
    first, second, third = times([place, *before, *after])
    assert second - first == pytest.approx(1.015, abs=0.0001)
    assert 0.2999 <= third - second <= 0.6  # what the ledger itself took is part of it


async def test_a_block_holds_everybody(ledger: Ledger, account: str) -> None:
    (place,) = await reserve(ledger, account, 1)

    await ledger.settle(place, blocked=30)

    (blocked,) = await reserve(ledger, account, 1)
    assert blocked.wait_seconds == pytest.approx(30, abs=0.1)
    assert (blocked.taken, blocked.until) == (False, None)
    assert (await left(ledger, account))[0] == (10, 0)


async def test_a_day_that_is_used_up_holds_until_told_or_until_it_resets(ledger: Ledger, account: str) -> None:
    (place,) = await reserve(ledger, account, 1)
    await ledger.settle(place, exhausted=3600)
    (hour,) = await reserve(ledger, account, 1)
    await ledger.settle(place, exhausted=0)
    (day,) = await reserve(ledger, account, 1)

    assert hour.until is not None
    assert (hour.until - datetime.now(UTC)).total_seconds() == pytest.approx(3600, abs=1)
    assert day.until == max(midnight(), hour.until)
    assert (await left(ledger, account))[2] == (100, 0)


@pytest.mark.parametrize("how", ["asked", "connected"])
@pytest.mark.parametrize("told", [{BudgetWindow.DAY: (5000, 0)}, {}])
async def test_a_day_that_is_used_up_is_tried_where_a_person_asks(
    ledger: Ledger, account: str, how: str, told: Any
) -> None:
    for _ in range(2):
        (place,) = await reserve(ledger, account, 1, limits=LOOSE)
        await ledger.settle(place, told=told, exhausted=0)
        (held,) = await reserve(ledger, account, 1, limits=LOOSE)
        assert (held.until, held.taken) == (midnight(), False)
        if how == "asked":
            await ledger.release(CRM, account, LOOSE)
        else:
            await reserve(ledger, f"key-{account}", 1, limits=LOOSE)
            await ledger.adopt(CRM, f"key-{account}", account, LOOSE)
        (again,) = await reserve(ledger, account, 1, limits=LOOSE)
        assert (again.until, again.taken) == (None, True)


async def test_what_was_reserved_under_a_key_is_adopted(ledger: Ledger, account: str) -> None:
    (place,) = await reserve(ledger, f"key-{account}", 1, cost=2)
    await ledger.settle(place, told={BudgetWindow.BURST: (4, 3)})
    await reserve(ledger, account, 1, cost=3)

    await ledger.adopt(CRM, f"key-{account}", account, LIMITS)

    assert await left(ledger, account) == [(4, 2), (2, 2), (100, 95)]
    assert await left(ledger, f"key-{account}") == [(10, 10), (2, 2), (100, 100)]


async def test_an_account_that_nobody_called_has_all_of_it(ledger: Ledger, account: str) -> None:
    budgets = await ledger.read(CRM, account, LIMITS)

    assert [(one.window, one.window_seconds) for one in budgets] == [
        (BudgetWindow.BURST, 1),
        (BudgetWindow.SEARCH, 60),
        (BudgetWindow.DAY, 86_400),
    ]
    assert [(one.limit, one.remaining) for one in budgets] == [(10, 10), (2, 2), (100, 100)]


# ---------------------------------------------------------------- the database only


async def test_a_call_that_went_as_foreseen_costs_one_statement(database: Database, account: str) -> None:
    ledger, limits = (
        PostgresLedger(database),
        (replace(BURST, seconds=60), DAY),
    )  # in a minute, some lateness is nothing
    (first,) = await reserve(ledger, account, 1, limits=limits)
    await ledger.settle(first, told={BudgetWindow.BURST: (10, 9), BudgetWindow.DAY: (100, 99)})
    before = database.statements

    (second,) = await reserve(ledger, account, 1, limits=limits)
    await ledger.settle(second, late=0.001, told={BudgetWindow.BURST: (10, 8), BudgetWindow.DAY: (100, 98)})

    assert database.statements - before == 1


async def test_a_day_that_is_over_is_forgotten(database: Database, account: str) -> None:
    ledger = PostgresLedger(database)
    (place,) = await reserve(ledger, account, 1, cost=100)
    await ledger.settle(place, exhausted=0)
    async with database.system() as session:
        sql = """UPDATE rate_window SET resets_at = now() - interval '1 hour', blocked_until = now() - interval '1 hour'
        WHERE account = %(account)s AND "window" = 'DAY'"""
        await database.run(session, sql, {"account": account})

    (today,) = await reserve(ledger, account, 1, cost=7)

    assert (today.taken, today.until) == (True, None)
    assert (await left(ledger, account))[2] == (100, 93)


async def test_several_callers_in_two_processes_keep_within_the_window(worker_url: str, account: str) -> None:
    databases = [Database(worker_url), Database(worker_url)]
    for database in databases:
        await database.open()
    places: list[Reservation] = []

    async def call(ledger: Ledger) -> None:
        while len(places) < 24:
            place = await ledger.reserve(CRM, account, LIMITS, 1)
            if place.taken:
                places.append(place)
            await asyncio.sleep(place.wait_seconds if place.taken else max(0.0, place.wait_seconds - 0.4))

    await asyncio.gather(*(call(PostgresLedger(databases[number % 2])) for number in range(6)))

    for database in databases:
        await database.close()
    sent = sorted(times(places))
    assert min(later - sooner for sooner, later in zip(sent, sent[10:], strict=False)) >= 1.0149
