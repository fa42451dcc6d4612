"""The control surface."""

from typing import Any

import pytest

from tests.sandbox.caller import Caller

KINDS = ["Person", "Organization", "Deal", "Lead", "Activity", "Note"]


async def test_counts_and_ids(crm: Caller, small: Caller) -> None:
    counts = await crm.counts()
    assert list(counts) == KINDS
    ids = (await crm.control("GET", "ids")).json()
    assert {kind: len(each) for kind, each in ids.items()} == counts
    assert ids["Person"][0] == "1"
    assert len(ids["Lead"][0]) == 36
    assert (await small.counts())["Person"] == 60


async def test_the_log_counts_calls(crm: Caller) -> None:
    await crm.control("DELETE", "requests")
    for number in (1, 2):
        await crm.get(f"/api/v2/persons/{number}", include_fields="notes_count")
    await crm.get("/v1/users/me")
    await crm.get("/api/v2/persons", limit=9999)
    log = (await crm.control("GET", "requests")).json()
    assert log["total"] == 4
    assert log["byStatus"] == {"200": 3, "400": 1}
    assert {"method": "GET", "path": "/api/v2/persons/{id}", "status": 200, "count": 2} in log["calls"]
    assert log["recent"][0]["path"] == "/api/v2/persons/1"
    assert log["recent"][0]["query"] == "include_fields=notes_count"
    assert log["tokens"] == 2 * 1 + 2 + 10
    cleared = (await crm.control("DELETE", "requests")).json()
    assert (cleared["total"], cleared["tokens"], cleared["recent"]) == (0, 0, [])


async def test_new_data_clears_log_and_limits(crm: Caller) -> None:
    await crm.control("PUT", "faults", {"limits": {"BURST": 1}})
    assert [(await crm.get("/v1/users/me")).status_code for _ in range(2)] == [200, 429]
    await crm.control("PUT", "data", {"size": 10})
    assert (await crm.control("GET", "requests")).json()["total"] == 0
    assert (await crm.get("/v1/users/me")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "known"),
    [
        ("GET", "/_sandbox/act/counts", None, 404, "pipedrive"),
        ("GET", "/_sandbox/pipedrive/counts?account=3", None, 404, "2"),
        ("GET", "/_sandbox/pipedrive/ids?type=Persons", None, 400, "Person"),
        ("GET", "/_sandbox/pipedrive/weather", None, 404, "requests"),
        ("DELETE", "/_sandbox/pipedrive/counts", None, 405, "GET"),
        ("PUT", "/_sandbox/pipedrive/faults", {"rain": 1}, 400, "latencyMs"),
        ("PUT", "/_sandbox/pipedrive/faults", {"expireTokensAfter": -1}, 400, "status"),
        ("PUT", "/_sandbox/pipedrive/faults", {"withoutScopes": "leads:full"}, 400, "withoutScopes"),
        ("PUT", "/_sandbox/pipedrive/faults", {"listEndsEarly": 2}, 400, "listEndsEarly"),
        ("PUT", "/_sandbox/pipedrive/faults", {"limits": {"HOUR": 2}}, 400, "limits"),
        ("PUT", "/_sandbox/pipedrive/data", {"size": -1}, 400, "size"),
        ("PUT", "/_sandbox/pipedrive/data", {"size": 1, "colour": 2}, 400, "seed"),
        ("PUT", "/_sandbox/pipedrive/data", {"seed": 1}, 400, "size"),
    ],
)
async def test_what_is_unknown_says_what_is_known(
    crm: Caller, method: str, path: str, body: Any, status: int, known: str
) -> None:
    answer = await crm.client.request(method, path, json=body)
    assert answer.status_code == status
    assert known in answer.json()["known"]


async def test_faults_replace_one_another(crm: Caller, small: Caller) -> None:
    await crm.control("PUT", "faults", {"latencyMs": 1})
    await crm.control("PUT", "faults", {"retryAfter": False})
    assert (await crm.control("GET", "faults")).json() == {"retryAfter": False}
    assert (await small.control("GET", "faults")).json() == {"limits": "none"}


async def test_the_front_page_says_what_is_here(crm: Caller) -> None:
    page = (await crm.client.get("/")).text
    assert page.startswith("CRMs, simulated")
    assert "token sandbox-pipedrive-2" in page
    assert "/_sandbox/pipedrive/faults" in page
    assert "authorize at /pipedrive/oauth/authorize?client_id=" in page
    for fault in ("expireTokensAfter", "withoutScopes", "purgeDeleted"):
        assert f"  {fault}: " in page
