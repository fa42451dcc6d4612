"""The faults, each as a sync would meet it."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.sandbox.caller import Caller

PATHS = {"/api/v2/persons": "Person", "/api/v2/activities": "Activity", "/api/v1/notes": "Note"}


def keys(records: list[Any]) -> list[str]:
    return [str(record["id"]) for record in records]


async def test_every_call_fails(crm: Caller) -> None:
    await crm.faults(status=503)
    answer = await crm.get("/v1/users/me")
    assert answer.status_code == 503
    assert answer.json()["success"] is False


async def test_some_calls_fail(crm: Caller) -> None:
    await crm.faults(status={"code": 500, "times": 2, "path": "/api/v2/persons"})
    assert (await crm.get("/v1/users/me")).status_code == 200
    assert [(await crm.get("/api/v2/persons")).status_code for _ in range(3)] == [500, 500, 200]


async def test_tokens_are_refused(crm: Caller) -> None:
    await crm.faults(refuseToken=True)
    answer = await crm.get("/v1/users/me")
    assert (answer.status_code, answer.json()["errorCode"]) == (401, 401)
    await crm.faults()
    assert (await crm.get("/v1/users/me")).status_code == 200


async def test_answers_are_late(crm: Caller) -> None:
    await crm.faults(latencyMs=60)
    start = time.monotonic()
    await crm.get("/v1/users/me")
    assert time.monotonic() - start >= 0.06


async def test_connections_are_cut_in_the_middle(wire: Caller, caplog: pytest.LogCaptureFixture) -> None:
    await wire.faults(cutEvery=3)
    for _ in range(2):
        assert (await wire.get("/api/v2/persons")).status_code == 200
        assert (await wire.get("/api/v2/persons")).status_code == 200
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            await wire.get("/api/v2/persons")
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_creates_are_committed_and_not_answered(wire: Caller, caplog: pytest.LogCaptureFixture) -> None:
    before = await wire.counts()
    await wire.faults(timeoutAfterCommit=2)
    for path, body in (
        ("/api/v2/persons", {"name": "Ann Lee"}),
        ("/api/v1/notes", {"content": "hello", "person_id": 1}),
    ):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await wire.call("POST", path, body)
    assert (await wire.call("POST", "/api/v2/persons", {"name": "Ann Lee"})).status_code == 200
    after = await wire.counts()
    assert (after["Person"], after["Note"]) == (before["Person"] + 2, before["Note"] + 1)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(("path", "kind"), PATHS.items())
async def test_lists_end_early(crm: Caller, path: str, kind: str) -> None:
    every = await crm.every(path)
    for part in (0.3, 0):
        await crm.faults(listEndsEarly=part)
        assert await crm.every(path, limit=20) == every[: int(len(every) * part)]
    assert (await crm.counts())[kind] == len(every)


@pytest.mark.parametrize("empty", [1, 2])
@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_empty_and_its_rows_are_on_no_other(crm: Caller, path: str, empty: int) -> None:
    pages = [page async for page in crm.pages(path, limit=20)]
    await crm.faults(emptyPage=empty)
    for _ in range(2):
        shown = [page async for page in crm.pages(path, limit=20)]
        assert shown == [[] if number == empty else page for number, page in enumerate(pages, 1)]


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/leads"])
async def test_a_list_of_which_the_only_page_is_empty_ends(crm: Caller, path: str) -> None:
    await crm.faults(emptyPage=1)
    for _ in range(2):
        assert [page async for page in crm.pages(path, limit=500)] == [[]]


@pytest.mark.parametrize("empty", [1, 2])
@pytest.mark.parametrize("path", PATHS)
async def test_a_page_of_changes_or_in_another_order_is_empty_though_its_rows_follow(
    crm: Caller, path: str, empty: int
) -> None:
    order = {"sort": "update_time"} if "v1" in path else {"sort_by": "update_time"}
    for asked in (order, {"updated_since": "2000-01-01T00:00:00Z"}):
        every = await crm.every(path, **asked)
        await crm.faults(emptyPage=empty)
        for _ in range(2):
            pages = [page async for page in crm.pages(path, limit=20, **asked)]
            assert pages[empty - 1] == []
            assert [record for page in pages for record in page] == every
        await crm.faults()


@pytest.mark.parametrize(("path", "kind"), PATHS.items())
async def test_records_are_missing_in_the_default_order_only(crm: Caller, path: str, kind: str) -> None:
    await crm.faults(dropFromLists=500)
    shown, ids = set(keys(await crm.every(path))), set(await crm.ids(kind))
    assert shown < ids
    assert len(ids - shown) == pytest.approx(len(ids) * 0.05, abs=3)
    order = {"sort": "update_time"} if "v1" in path else {"sort_by": "update_time"}
    assert set(keys(await crm.every(path, **order))) == ids
    for key in ids - shown:
        assert (await crm.data(f"{path}/{key}"))["id"] == int(key)


async def test_missing_records_are_there_by_ids(crm: Caller) -> None:
    await crm.faults(dropFromLists=1)
    missing = set(await crm.ids("Person")) - set(keys(await crm.every("/api/v2/persons")))
    assert len(missing) == 1
    assert keys(await crm.data("/api/v2/persons", ids=",".join(missing))) == list(missing)


@pytest.mark.parametrize("order", ["id", "update_time"])
async def test_records_are_committed_late_below_the_cursor(crm: Caller, order: str) -> None:
    every = set(await crm.ids("Person"))
    await crm.faults(lateCommits=4)
    late = every - set(await crm.ids("Person"))
    assert len(late) == 4
    assert (await crm.get(f"/api/v2/persons/{next(iter(late))}")).status_code == 404
    seen = await crm.every("/api/v2/persons", sort_by=order, limit=30)
    assert late.isdisjoint(keys(seen))
    assert set(await crm.ids("Person")) == every
    newest = max(record["update_time"] for record in seen)
    afterwards = [await crm.data(f"/api/v2/persons/{key}") for key in late]
    if order == "update_time":
        assert all(record["update_time"] < newest for record in afterwards)
        assert all(record["update_time"] > newest[:10] for record in afterwards)
    else:
        assert all(record["update_time"] > newest for record in afterwards)


async def test_a_fault_taken_back_commits_what_was_late(crm: Caller) -> None:
    before = await crm.counts()
    await crm.faults(lateCommits=5)
    assert (await crm.counts())["Lead"] == before["Lead"] - 5
    await crm.faults()
    assert await crm.counts() == before


@pytest.mark.parametrize("path", PATHS)
async def test_records_are_edited_between_pages(crm: Caller, path: str) -> None:
    before = {record["id"]: record for record in await crm.every(path)}
    order = {"sort": "update_time"} if "v1" in path else {"sort_by": "update_time"}
    await crm.faults(editWhilePaging=3)
    pages = [page async for page in crm.pages(path, limit=10, **order)]
    await crm.faults()
    after = {record["id"]: record for record in await crm.every(path)}
    edited = [key for key in after if after[key]["update_time"] != before[key]["update_time"]]
    assert len(edited) > 3
    assert all(after[key]["update_time"] > "2026-11-01" for key in edited)
    seen = {record["id"] for page in pages for record in page}
    if "v2" in path:  # a cursor holds its place, where an offset loses rows
        assert seen == set(before)


@pytest.mark.parametrize(("path", "kind"), PATHS.items())
async def test_many_records_share_one_time(crm: Caller, path: str, kind: str) -> None:
    await crm.faults(sameTime=200)
    order = {"sort": "update_time"} if "v1" in path else {"sort_by": "update_time"}
    records = await crm.every(path, limit=30, **order)
    times = [record["update_time"] for record in records]
    assert times.count(max(times)) == min(200, len(records))
    assert sorted(keys(records)) == sorted(await crm.ids(kind))


async def test_searches_lag_behind_writes(crm: Caller) -> None:
    await crm.make("/api/v2/persons", name="Quentin Early")
    await asyncio.sleep(0.06)
    await crm.faults(searchLagSeconds=0.05)
    made = await crm.make("/api/v2/persons", name="Quentin Late")
    await crm.call("PATCH", f"/api/v2/persons/{made['id']}", {"name": "Quentin Later"})

    async def found() -> list[str]:
        items = (await crm.data("/api/v2/persons/search", term="Quentin"))["items"]
        return sorted(item["item"]["name"] for item in items)

    assert await found() == ["Quentin Early"]
    assert made["id"] in [row["id"] for row in await crm.every("/api/v2/persons")]
    await asyncio.sleep(0.06)
    assert await found() == ["Quentin Early", "Quentin Later"]


async def test_faults_of_the_data_outlive_new_data(crm: Caller) -> None:
    await crm.faults(dropFromLists=1000)
    await crm.control("PUT", "data", {"size": 100})
    assert 88 <= len(await crm.every("/api/v2/persons")) < 100


async def test_deleted_records_are_purged(crm: Caller) -> None:
    since = {"since_timestamp": "2024-01-01 00:00:00", "items": "person"}
    deals = await crm.every("/api/v2/deals", status="deleted")
    assert deals
    await crm.call("DELETE", "/api/v2/persons/1")
    assert (await crm.data("/api/v2/persons/1"))["is_deleted"] is True
    before = await crm.counts()
    await crm.faults(purgeDeleted=True)
    assert await crm.counts() == before
    for path in ("/api/v2/persons/1", f"/api/v2/deals/{deals[0]['id']}"):
        assert (await crm.get(path)).status_code == 404
    assert await crm.every("/api/v2/deals", status="deleted") == []
    every = await crm.ids("Person")
    assert sorted(str(row["id"]) for row in await crm.every("/v1/recents", **since)) == sorted(every)
    notes = await crm.every("/v1/notes")
    kept, merged, note = *map(int, every[:2]), notes[0]["id"]
    assert (await crm.call("PUT", f"/v1/persons/{merged}/merge", {"merge_with_id": kept})).status_code == 200
    assert (await crm.call("DELETE", f"/v1/notes/{note}")).status_code == 200
    assert (await crm.call("DELETE", "/api/v2/activities/1")).json()["data"] == {"id": 1}
    await crm.faults()
    for path in (f"/api/v2/persons/{merged}", f"/v1/notes/{note}", "/api/v2/activities/1", "/api/v2/persons/1"):
        assert (await crm.get(path)).status_code == 404
    assert sorted(row["id"] for row in await crm.every("/v1/recents", **since)) == sorted(
        map(int, every[:1] + every[2:])
    )
    assert keys(await crm.every("/api/v2/persons", sort_by="id")) == [every[0], *every[2:]]
    made = await crm.make("/api/v2/persons", name="Ann Lee")
    await crm.call("DELETE", f"/api/v2/persons/{made['id']}")
    assert (await crm.data(f"/api/v2/persons/{made['id']}"))["is_deleted"] is True
