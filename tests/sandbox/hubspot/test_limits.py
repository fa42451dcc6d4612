"""Rate limits: windows, days, headers, 429."""

from datetime import UTC, datetime

import httpx
import pytest

from sandbox.limits import Budget
from tests.sandbox.hubspot.app import App
from tests.sandbox.hubspot.caller import Caller, V

CONTACT = f"/crm/objects/{V}/contacts/1001"
SEARCH = f"/crm/objects/{V}/contacts/search"


@pytest.fixture
def limited(client: httpx.AsyncClient) -> Caller:
    """With the limits of the vendor's lowest plan."""
    return Caller(client)


async def call_app(client: httpx.AsyncClient, name: str = "app") -> Caller:
    """One who calls with an app's access token."""
    given = await App(client, name=name).install()
    return Caller(client, bearer=given["access_token"])


async def test_a_hundred_calls_in_ten_seconds(limited: Caller) -> None:
    answers = [await limited.get(CONTACT) for _ in range(102)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429] * 2
    assert [answer.headers["x-hubspot-ratelimit-remaining"] for answer in answers[:2]] == ["99", "98"]
    refused = answers[-1]
    assert refused.headers["x-hubspot-ratelimit-max"] == "100"
    assert refused.headers["x-hubspot-ratelimit-interval-milliseconds"] == "10000"
    assert refused.headers["x-hubspot-ratelimit-daily"] == "250000"
    assert refused.headers["x-hubspot-ratelimit-daily-remaining"] == "249900"
    assert "retry-after" not in refused.headers
    body = refused.json()
    assert (body["errorType"], body["policyName"]) == ("RATE_LIMIT", "TEN_SECONDLY_ROLLING")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    log = (await limited.control("GET", "requests")).json()
    assert log["byStatus"] == {"200": 100, "429": 2}


async def test_five_searches_a_second(limited: Caller) -> None:
    answers = [await limited.call("POST", SEARCH, {}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert answers[-1].json()["policyName"] == "SECONDLY"
    assert not any(name.startswith("x-hubspot") for answer in answers for name in answer.headers)
    after = (await limited.get(CONTACT)).headers
    assert after["x-hubspot-ratelimit-remaining"] == "94"  # of a private app searches count as calls too


async def test_searches_are_the_accounts_and_bursts_the_apps(limited: Caller) -> None:
    one, other = [await call_app(limited.client, name) for name in ("one", "other")]
    assert [(await one.call("POST", SEARCH, {})).status_code for _ in range(5)] == [200] * 5
    assert [(await each.call("POST", SEARCH, {})).status_code for each in (other, limited)] == [429] * 2
    for caller, left in ((one, "109"), (other, "109"), (limited, "99")):
        headers = (await caller.get(CONTACT)).headers
        assert headers["x-hubspot-ratelimit-remaining"] == left
        assert ("x-hubspot-ratelimit-daily" in headers) == (caller is limited)


async def test_an_app_has_one_window_for_all_its_tokens(limited: Caller) -> None:
    app = App(limited.client)
    given = await app.install()
    first = Caller(limited.client, bearer=given["access_token"])
    assert [(await first.get(CONTACT)).status_code for _ in range(110)] == [200] * 110
    second = Caller(limited.client, bearer=(await app.refresh(given["refresh_token"])).json()["access_token"])
    assert [(await each.get(CONTACT)).status_code for each in (first, second, limited)] == [429, 429, 200]


async def test_accounts_do_not_share_limits(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"limits": {"BURST": 1}})
    assert [(await limited.get(CONTACT)).status_code for _ in range(2)] == [200, 429]
    assert (await Caller(limited.client, account=2).get(CONTACT)).status_code == 200


async def test_limits_that_were_asked_for(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"limits": {"BURST": 3, "SEARCH": 1, "DAY": 4}, "retryAfter": True})
    assert [(await limited.call("POST", SEARCH, {})).status_code for _ in range(2)] == [200, 429]
    answers = [await limited.get(CONTACT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 10


async def test_a_day_runs_out(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"limits": {"DAY": 2}})
    answers = [await limited.get(CONTACT), await limited.call("POST", SEARCH, {}), await limited.get(CONTACT)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (answers[2].json()["policyName"], answers[2].headers["x-hubspot-ratelimit-daily-remaining"]) == (
        "DAILY",
        "0",
    )


async def test_the_quota_runs_out_and_comes_back(limited: Caller) -> None:
    caller = await call_app(limited.client)
    await limited.control("PUT", "faults", {"dailyQuota": 2, "limits": "none"})
    answers = [await caller.get(CONTACT) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["policyName"] == "DAILY"
    await limited.control("PUT", "faults", {})
    assert (await caller.get(CONTACT)).status_code == 200


async def test_no_limits(crm: Caller) -> None:
    assert {(await crm.get(CONTACT)).status_code for _ in range(120)} == {200}
    assert {(await crm.call("POST", SEARCH, {})).status_code for _ in range(10)} == {200}


def test_a_day_ends_at_the_zones_midnight() -> None:
    now = [datetime.fromisoformat("2026-10-24T23:30:00+02:00")]
    budget = Budget(lambda: now[0])
    budget.take(5)
    assert (budget.used(), budget.resets()) == (5, 1800)
    now[0] = datetime.fromisoformat("2026-10-25T00:00:00+02:00")
    assert (now[0].astimezone(UTC).day, budget.used()) == (24, 0)
