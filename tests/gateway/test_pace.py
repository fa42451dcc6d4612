"""Who is refused again and again waits, and nobody else does."""

import asyncio
import time

import httpx
import pytest

from gateway.pace import Overdue, Pace
from tests.gateway.stub import create_app

INVALID = {"query": "{ nothing }"}
VALID = {"query": '{ echo(text: "x") }'}


async def test_refusals_come_at_their_pace_once_too_many_came_at_once() -> None:
    pace = Pace(per_second=10, at_once=2)
    for _ in range(3):
        pace.count("a")
    began = time.monotonic()
    await pace.wait("b")
    others = time.monotonic() - began
    await pace.wait("a")
    assert others < 0.09 <= time.monotonic() - began


async def test_those_who_wait_stand_behind_one_another() -> None:
    pace = Pace(per_second=20, at_once=1)
    for _ in range(2):
        pace.count("a")
    began, came = time.monotonic(), []

    async def come() -> None:
        await pace.wait("a")
        came.append(time.monotonic() - began)

    await asyncio.gather(*(come() for _ in range(3)))
    assert all(each >= least for each, least in zip(came, (0.04, 0.09, 0.14), strict=True))


async def test_whoever_would_wait_too_long_is_dropped() -> None:
    pace = Pace(per_second=1, at_once=1, longest=0.01)
    for _ in range(3):
        pace.count("a")
    with pytest.raises(Overdue):
        await pace.wait("a")


async def test_over_http_the_next_request_waits_whatever_it_asks_for() -> None:
    app = create_app(pace=Pace(per_second=1, at_once=1, longest=0.01))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answers = [await client.post("/graphql", json=each) for each in (VALID, INVALID, INVALID, INVALID, VALID)]
    assert [each.status_code for each in answers] == [200, 400, 400, 429, 429]
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "THROTTLED"
