"""Limits of a CRM: what is waited for, what ends the day, and that nobody storms."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
import respx

from connectors.client import Client
from connectors.errors import QuotaExhausted, Retryable
from connectors.http import Http
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from tests.connectors.clock import Time
from tests.connectors.conftest import BASE, make_client

PERSONS = CONNECTORS["PIPEDRIVE"].type("Person").listings[0]
GOOD = httpx.Response(200, json={"success": True, "data": [{"id": 1}], "additional_data": {"next_cursor": None}})


@pytest.fixture
def crm() -> Iterator[respx.MockRouter]:
    with respx.mock(base_url=BASE, assert_all_called=False) as router:
        yield router


def persons(crm: respx.MockRouter, *answers: httpx.Response | Exception) -> respx.Route:
    return crm.get("/api/v2/persons").mock(side_effect=list(answers))


async def test_a_429_waits_as_told(crm: respx.MockRouter, client: Client, time: Time) -> None:
    persons(crm, httpx.Response(429, headers={"retry-after": "3"}), GOOD)
    begun = time.now

    await client.page(PERSONS)

    assert client.calls == 2
    assert 3 <= time.now - begun <= 3.5


async def test_a_429_that_tells_nothing_waits_for_a_window(crm: respx.MockRouter, client: Client, time: Time) -> None:
    persons(crm, httpx.Response(429, json={"success": False, "error": "request over limit", "errorCode": 429}), GOOD)
    begun = time.now

    await client.page(PERSONS)

    assert client.calls == 2
    assert 2 <= time.now - begun <= 2.5


async def test_a_429_makes_all_callers_wait_and_there_is_no_storm(
    crm: respx.MockRouter, time: Time, ledger: MemoryLedger, http: Http
) -> None:
    sent: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        sent.append(time.now)
        return httpx.Response(429, headers={"retry-after": "5"}) if len(sent) == 1 else GOOD

    crm.get("/api/v2/persons").mock(side_effect=answer)
    clients = [make_client(time, ledger, http) for _ in range(10)]
    begun = time.now

    await clients[0].page(PERSONS)
    await asyncio.gather(*(client.page(PERSONS) for client in clients))

    assert len(sent) == 12
    assert sent[1] >= begun + 5


async def test_a_429_after_a_quiet_window_is_the_end_of_the_day(crm: respx.MockRouter, client: Client) -> None:
    crm.get("/api/v2/persons").mock(return_value=httpx.Response(429))

    with pytest.raises(QuotaExhausted) as caught:
        await client.page(PERSONS)
    with pytest.raises(QuotaExhausted) as again:
        await client.page(PERSONS)

    assert client.calls == 2
    assert caught.value.until == again.value.until == datetime(2026, 11, 22, tzinfo=UTC)


async def test_a_429_that_tells_the_day_is_used_up_is_believed_at_once(crm: respx.MockRouter, client: Client) -> None:
    headers = {"x-daily-ratelimit-token-limit": "60000", "x-daily-ratelimit-token-remaining": "0", "retry-after": "1"}
    crm.get("/api/v2/persons").mock(return_value=httpx.Response(429, headers=headers))

    with pytest.raises(QuotaExhausted) as caught:
        await client.page(PERSONS)

    assert client.calls == 1
    assert caught.value.until == datetime(2026, 11, 22, tzinfo=UTC)


async def test_a_429_on_a_day_with_quota_left_is_no_end_of_the_day(
    crm: respx.MockRouter, client: Client, time: Time
) -> None:
    headers = {"x-daily-ratelimit-token-limit": "60000", "x-daily-ratelimit-token-remaining": "59000"}
    crm.get("/api/v2/persons").mock(return_value=httpx.Response(429, headers=headers))
    begun = time.now

    with pytest.raises(Retryable):
        await client.page(PERSONS)

    assert client.calls == 5
    assert 2 + 4 + 8 + 16 <= time.now - begun <= 34


async def test_a_429_that_tells_to_wait_for_hours_is_a_quota(crm: respx.MockRouter, client: Client) -> None:
    persons(crm, httpx.Response(429, headers={"retry-after": "7200"}))

    with pytest.raises(QuotaExhausted) as caught:
        await client.page(PERSONS)

    assert 7190 < (caught.value.until - datetime.now(UTC)).total_seconds() <= 7200


async def test_a_window_that_stays_full_is_tried_five_times(crm: respx.MockRouter, client: Client) -> None:
    headers = {"x-ratelimit-limit": "20", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "2", "retry-after": "2"}
    crm.get("/api/v2/persons").mock(return_value=httpx.Response(429, headers=headers))

    with pytest.raises(Retryable):
        await client.page(PERSONS)

    assert client.calls == 5


async def test_headers_slow_the_calls_down(crm: respx.MockRouter, client: Client, time: Time) -> None:
    answer = httpx.Response(200, json={"success": True, "data": []}, headers={"x-ratelimit-limit": "4"})
    crm.get("/api/v2/persons").mock(return_value=answer)
    sent: list[float] = []

    for _ in range(41):
        await client.page(PERSONS)
        sent.append(time.now)

    assert all(sent[place + 4] - sent[place] >= 2 for place in range(37))
    assert 40 / (sent[-1] - sent[0]) >= 0.95 * 2


async def test_a_day_that_is_spent_stops_before_the_call(crm: respx.MockRouter, client: Client) -> None:
    headers = {"x-daily-ratelimit-token-limit": "30000", "x-daily-ratelimit-token-remaining": "5"}
    persons(crm, httpx.Response(200, json={"success": True, "data": []}, headers=headers))
    await client.page(PERSONS)

    with pytest.raises(QuotaExhausted) as caught:
        await client.page(PERSONS)

    assert client.calls == 1
    assert caught.value.until == datetime(2026, 11, 22, tzinfo=UTC)
