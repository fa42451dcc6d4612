"""Loaders: one fetch for all who ask at a time, each key once; errors reach all of them."""

import asyncio
from collections.abc import Hashable
from typing import Any

import pytest

from resolvers.loaders import Loader, load


class Carrier:
    def __init__(self) -> None:
        self.loaders: dict[Hashable, Loader[Any, Any]] = {}


class Fetch:
    """Doubles numbers, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, keys: list[int]) -> list[int]:
        self.batches.append(keys)
        await asyncio.sleep(0)
        if 13 in keys:
            raise ValueError("unlucky")
        return [key * 2 for key in keys]


async def test_what_is_asked_for_at_the_same_time_is_fetched_together_and_once() -> None:
    carrier, fetch = Carrier(), Fetch()
    assert await asyncio.gather(*(load(carrier, "x", fetch, key) for key in (1, 2, 1, 3))) == [2, 4, 2, 6]
    assert await load(carrier, "x", fetch, 3) == 6
    assert await load(carrier, "x", fetch, 4) == 8
    assert fetch.batches == [[1, 2, 3], [4]]


async def test_who_asks_a_turn_later_is_still_in_time() -> None:
    """Of a list of several, the fields are reached later than of a list of one."""
    carrier, fetch = Carrier(), Fetch()

    async def ask(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await load(carrier, "x", fetch, turns)

    assert await asyncio.gather(*map(ask, range(3))) == [0, 2, 4]
    assert fetch.batches == [[0, 1, 2]]


async def test_an_error_reaches_all_of_the_batch_and_nobody_else() -> None:
    carrier, fetch = Carrier(), Fetch()
    found = await asyncio.gather(*(load(carrier, "x", fetch, key) for key in (1, 13)), return_exceptions=True)
    assert [str(each) for each in found] == ["unlucky", "unlucky"]
    assert await load(carrier, "x", fetch, 5) == 10


async def test_who_gives_up_takes_nothing_from_the_others() -> None:
    carrier, fetch = Carrier(), Fetch()
    first, second = (asyncio.create_task(load(carrier, "x", fetch, 7)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == 14
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_fetch_that_answers_for_other_keys_is_an_error() -> None:
    async def short(keys: list[int]) -> list[int]:
        return keys[1:]

    with pytest.raises(ValueError, match="shorter"):
        await load(Carrier(), "x", short, 1)
