"""Rate limits: windows, daily tokens, headers, 429."""

import httpx
import pytest

from sandbox.limits import Window
from tests.sandbox.app import App
from tests.sandbox.caller import Caller

FIRST = {"sort_by": "id", "limit": 1}


@pytest.fixture
def limited(client: httpx.AsyncClient) -> Caller:
    """With the limits of the vendor's lowest plan."""
    return Caller(client)


async def test_twenty_calls_in_two_seconds(limited: Caller) -> None:
    answers = [await limited.get("/api/v2/persons", **FIRST) for _ in range(23)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 3
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers[:3]] == ["19", "18", "17"]
    refused = answers[-1]
    assert refused.headers["x-ratelimit-limit"] == "20"
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert refused.headers["x-ratelimit-reset"] == refused.headers["retry-after"]
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    assert refused.json()["error"] == "request over limit"
    assert refused.json()["errorCode"] == 429
    log = (await limited.control("GET", "requests")).json()
    assert log["byStatus"] == {"200": 20, "429": 3}


async def test_searches_have_a_window_of_their_own(limited: Caller) -> None:
    found = [(await limited.get("/api/v2/persons/search", term="example")).status_code for _ in range(11)]
    assert found == [200] * 10 + [429]
    assert (await limited.get("/v1/users/me")).status_code == 200


async def test_accounts_do_not_share_limits(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"limits": {"BURST": 1}})
    assert [(await limited.get("/v1/users/me")).status_code for _ in range(2)] == [200, 429]
    assert (await Caller(limited.client, account=2).get("/v1/users/me")).status_code == 200


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        ("/api/v2/persons", 10),
        ("/api/v2/deals/archived", 20),
        ("/api/v2/stages", 5),
        ("/api/v2/persons/1", 1),
        ("/api/v2/personFields", 10),
        ("/v1/notes", 20),
        ("/v1/leads/archived", 40),
        ("/v1/leadLabels", 10),
        ("/v1/users/me", 2),
        ("/api/v2/itemSearch?term=example", 20),
    ],
)
async def test_costs(limited: Caller, path: str, cost: int) -> None:
    headers = (await limited.get(path)).headers
    assert headers["x-daily-ratelimit-token-limit"] == str(7 * 30_000)
    assert int(headers["x-daily-ratelimit-token-remaining"]) == 7 * 30_000 - cost


async def test_the_daily_budget_runs_out(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"limits": {"DAY": 25}})
    answers = [await limited.get("/api/v2/persons", limit=1) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["x-daily-ratelimit-token-remaining"] == "5"
    assert answers[2].headers["x-ratelimit-remaining"] == "18"
    assert (await limited.get("/api/v2/persons/1")).status_code == 200


async def test_the_quota_runs_out_and_comes_back(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"dailyQuota": 2, "limits": "none"})
    answers = [await limited.get("/v1/users/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["x-daily-ratelimit-token-remaining"] == "0"
    assert int(answers[2].headers["retry-after"]) <= 86_400
    await limited.control("PUT", "faults", {})
    assert (await limited.get("/v1/users/me")).status_code == 200


async def test_retry_after_can_be_left_out(limited: Caller) -> None:
    await limited.control("PUT", "faults", {"limits": {"BURST": 1}, "retryAfter": False})
    await limited.get("/v1/users/me")
    refused = await limited.get("/v1/users/me")
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers


async def test_no_limits(crm: Caller) -> None:
    assert {(await crm.get("/v1/users/me")).status_code for _ in range(50)} == {200}


def test_a_window_rolls() -> None:
    now = [100.0]
    window = Window(2, clock=lambda: now[0])
    window.take()
    now[0] = 101.5
    window.take()
    assert (window.used(), window.resets()) == (2, 0.5)
    now[0] = 102.0
    assert window.used() == 1
    now[0] = 103.5
    assert (window.used(), window.resets()) == (0, 0.0)


async def test_headers_where_nothing_is_limited(crm: Caller) -> None:
    for path in ("/v1/users/me", "/api/v2/persons/search?term=example"):
        headers = (await crm.get(path)).headers
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("1000", "1000")


async def test_access_tokens_may_call_more_often(limited: Caller) -> None:
    app = App(limited.client)
    one, other = await app.caller(), await app.caller()
    answers = [await one.get("/v1/users/me") for _ in range(81)]
    assert [answer.status_code for answer in answers] == [200] * 80 + [429]
    assert (answers[0].headers["x-ratelimit-limit"], answers[0].headers["x-ratelimit-remaining"]) == ("80", "79")
    assert answers[80].headers["x-ratelimit-remaining"] == "0"
    searches = [await one.get("/api/v2/persons/search", term="example") for _ in range(11)]
    assert [answer.status_code for answer in searches] == [200] * 10 + [429]
    assert searches[0].headers["x-ratelimit-limit"] == "10"
    for caller, limit in ((other, "80"), (limited, "20")):
        headers = (await caller.get("/v1/users/me")).headers
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == (limit, str(int(limit) - 1))
        spent = 7 * 30_000 - int(headers["x-daily-ratelimit-token-remaining"])
    assert spent == 82 * 2 + 10 * 20
    assert (await limited.control("GET", "requests")).json()["tokens"] == spent


async def test_a_fault_limits_access_tokens_too(limited: Caller) -> None:
    caller = await App(limited.client).caller()
    await limited.control("PUT", "faults", {"limits": {"BURST": 1, "DAY": 7}})
    answers = [await caller.get("/v1/users/me") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["x-ratelimit-limit"] == "1"
    await limited.control("PUT", "data", {"size": 10})
    assert (await caller.get("/v1/users/me")).status_code == 200
