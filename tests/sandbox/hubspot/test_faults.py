"""The faults, each as a sync of HubSpot would meet it."""

import json
import time
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.hubspot.app import App
from tests.sandbox.hubspot.caller import Caller, V, keys

CONTACTS = f"/crm/objects/{V}/contacts"
KINDS = {"contacts": "lastmodifieddate", "companies": "hs_lastmodifieddate", "tasks": "hs_lastmodifieddate"}


def by_time(kind: str) -> dict[str, Any]:
    return {"sorts": [{"propertyName": KINDS[kind], "direction": "ASCENDING"}], "limit": 30}


@pytest.mark.parametrize("status", [400, 403, 404, 423, 477, 500, 502, 503, 504, 521])
async def test_every_call_fails(crm: Caller, status: int) -> None:
    await crm.faults(status=status)
    answer = await crm.get(CONTACTS)
    assert answer.status_code == status
    if answer.headers["content-type"].startswith("application/json"):
        assert answer.json()["status"] == "error"
    else:
        assert answer.text.startswith("<html>")
    assert ("retry-after" in answer.headers) == (status == 477)


async def test_some_calls_fail(crm: Caller) -> None:
    await crm.faults(status={"code": 500, "times": 2, "path": CONTACTS})
    assert (await crm.get(f"/crm/owners/{V}")).status_code == 200
    assert [(await crm.get(CONTACTS)).status_code for _ in range(3)] == [500, 500, 200]


async def test_tokens_are_refused(crm: Caller) -> None:
    await crm.faults(refuseToken=True)
    answer = await crm.get(CONTACTS)
    assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    await crm.faults()
    assert (await crm.get(CONTACTS)).status_code == 200


async def test_access_tokens_wear_out(crm: Caller) -> None:
    app = App(crm.client)
    given = await app.install()
    caller = Caller(crm.client, bearer=given["access_token"])
    await crm.faults(expireTokensAfter=2)
    answers = [await caller.get(CONTACTS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert answers[2].json()["category"] == "EXPIRED_AUTHENTICATION"
    assert (await crm.get(CONTACTS)).status_code == 200
    again = (await app.refresh(given["refresh_token"])).json()["access_token"]
    assert (await Caller(crm.client, bearer=again).get(CONTACTS)).status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        ("crm.objects.contacts.read", "GET", CONTACTS),
        ("crm.objects.companies.read", "POST", f"/crm/objects/{V}/companies/search"),
        ("crm.objects.deals.read", "POST", f"/crm/associations/{V}/deals/companies/batch/read"),
        ("crm.objects.contacts.write", "POST", CONTACTS),
        ("crm.objects.owners.read", "GET", f"/crm/owners/{V}"),
        ("crm.schemas.contacts.write", "POST", f"/crm/properties/{V}/contacts"),
    ],
)
async def test_a_token_without_the_scope(crm: Caller, scope: str, method: str, path: str) -> None:
    app = App(crm.client)
    await crm.faults(withoutScopes=[scope])
    whole = " ".join({scope, "crm.objects.contacts.read", "crm.objects.contacts.write", "crm.schemas.contacts.read"})
    caller = Caller(crm.client, bearer=(await app.install(scope=whole))["access_token"])
    answer = await caller.call(method, path, {} if method == "POST" else None)
    assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
    assert answer.json()["errors"][0]["context"]["requiredGranularScopes"] == [scope]
    assert (await caller.get(f"/account-info/{V}/details")).status_code == 200


async def test_activities_go_with_contacts(crm: Caller) -> None:
    for scope, status in (("crm.objects.contacts.read", 200), ("crm.objects.notes.read", 200), ("oauth", 403)):
        given = await App(crm.client).install(scope=scope)
        caller = Caller(crm.client, bearer=given["access_token"])
        assert (await caller.get(f"/crm/objects/{V}/notes")).status_code == status


async def test_texts_of_emails_have_a_scope_of_their_own(crm: Caller) -> None:
    path = f"/crm/objects/{V}/emails"
    asked = {"properties": "hs_email_html,hs_email_subject", "limit": 100}
    for scope, seen in (("", False), (" sales-email-read", True)):
        given = await App(crm.client).install(scope=f"crm.objects.contacts.read{scope}")
        listed = (await Caller(crm.client, bearer=given["access_token"]).data(path, **asked))["results"]
        assert any(each["properties"]["hs_email_html"] for each in listed) == seen
        assert any(each["properties"]["hs_email_subject"] for each in listed)


async def test_answers_are_late(crm: Caller) -> None:
    await crm.faults(latencyMs=60)
    start = time.monotonic()
    await crm.get(CONTACTS)
    assert time.monotonic() - start >= 0.06


async def test_connections_are_cut_in_the_middle(socketed: Caller) -> None:
    await socketed.faults(cutEvery=3)
    for _ in range(2):
        assert [(await socketed.get(CONTACTS)).status_code for _ in range(2)] == [200, 200]
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            await socketed.get(CONTACTS)


async def test_creates_are_committed_and_not_answered(socketed: Caller) -> None:
    before = await socketed.counts()
    await socketed.faults(timeoutAfterCommit=2)
    for path, body in (
        (CONTACTS, {"properties": {"lastname": "Lee"}}),
        (f"{CONTACTS}/batch/create", {"inputs": [{"properties": {"lastname": "Li"}}]}),
    ):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await socketed.call("POST", path, body)
    assert (await socketed.get(CONTACTS)).status_code == 200
    assert (await socketed.counts())["contacts"] == before["contacts"] + 2


@pytest.mark.parametrize("kind", KINDS)
async def test_lists_end_early(crm: Caller, kind: str) -> None:
    every = await crm.every(kind)
    rows = [row async for page in crm.walk(kind, **by_time(kind)) for row in page]
    for part in (0.3, 0):
        await crm.faults(listEndsEarly=part)
        assert await crm.every(kind, limit=20) == every[: int(len(every) * part)]
        assert [row async for page in crm.walk(kind, **by_time(kind)) for row in page] == rows[: int(len(rows) * part)]
    assert (await crm.search(kind))["total"] == len(every)


@pytest.mark.parametrize("empty", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_is_empty_and_its_rows_are_on_no_other(crm: Caller, kind: str, empty: int) -> None:
    """Of a list; those of a search, or of what is archived, follow."""
    path = f"/crm/objects/{V}/{kind}"
    pages = [page async for page in crm.pages(path, limit=20)]
    ids = sorted(await crm.ids(kind))
    await crm.faults(emptyPage=empty)
    for _ in range(2):
        shown = [page async for page in crm.pages(path, limit=20)]
        assert shown == [[] if number == empty else page for number, page in enumerate(pages, 1)]
        found = [page async for page in crm.walk(kind, **by_time(kind))]
        assert found[empty - 1] == []
        assert sorted(keys([row for page in found for row in page])) == ids
    for one in ids[:3]:
        await crm.call("DELETE", f"{path}/{one}")
    gone = [page async for page in crm.pages(path, limit=1, archived="true")]
    assert gone[empty - 1] == []
    assert set(ids[:3]) <= set(keys([row for page in gone for row in page]))


async def test_a_list_of_which_the_only_page_is_empty_ends(crm: Caller) -> None:
    assert (await crm.control("PUT", "data", {"size": 20})).status_code == 200
    await crm.faults(emptyPage=1)
    for _ in range(2):
        assert [page async for page in crm.pages(CONTACTS, limit=100)] == [[]]


@pytest.mark.parametrize("kind", KINDS)
async def test_records_are_missing_in_lists_only(crm: Caller, kind: str) -> None:
    await crm.faults(dropFromLists=500)
    shown, ids = set(keys(await crm.every(kind))), set(await crm.ids(kind))
    assert shown < ids
    assert len(ids - shown) == pytest.approx(len(ids) * 0.05, abs=3)
    assert (await crm.search(kind))["total"] == len(ids)
    for key in ids - shown:
        assert (await crm.one(kind, key))["id"] == key


async def test_records_are_committed_late_below_the_place_in_a_list(crm: Caller) -> None:
    every = set(await crm.ids("contacts"))
    newest = max(row["updatedAt"] for row in await crm.every("contacts"))
    await crm.faults(lateCommits=4)
    late = every - set(await crm.ids("contacts"))
    assert len(late) == 4
    assert (await crm.get(f"{CONTACTS}/{next(iter(late))}")).status_code == 404
    seen = await crm.every("contacts", limit=30)
    assert late.isdisjoint(keys(seen))
    assert set(await crm.ids("contacts")) == every
    assert all([(await crm.one("contacts", key))["updatedAt"] > newest for key in late])


async def test_records_are_committed_late_below_the_newest_time(crm: Caller) -> None:
    every = set(await crm.ids("contacts"))
    await crm.faults(lateCommits=4)
    late = every - set(await crm.ids("contacts"))
    pages = [page async for page in crm.walk("contacts", **by_time("contacts"))]
    assert late.isdisjoint(keys([row for page in pages for row in page]))
    newest = pages[-1][-1]["updatedAt"]
    assert late < every == set(await crm.ids("contacts"))
    times = {datetime.fromisoformat((await crm.one("contacts", key))["updatedAt"]) for key in late}
    assert times == {datetime.fromisoformat(newest) - timedelta(seconds=1)}


async def test_a_fault_taken_back_commits_what_was_late(crm: Caller) -> None:
    before = await crm.counts()
    await crm.faults(lateCommits=5)
    assert (await crm.counts())["deals"] == before["deals"] - 5
    assert (await crm.search("deals"))["total"] == before["deals"] - 5
    await crm.faults()
    assert await crm.counts() == before


@pytest.mark.parametrize("searched", [True, False])
async def test_records_are_edited_between_pages(crm: Caller, searched: bool) -> None:
    before = {row["id"]: row for row in await crm.every("tasks")}
    await crm.faults(editWhilePaging=3)
    pages = crm.walk("tasks", **by_time("tasks")) if searched else crm.pages(f"/crm/objects/{V}/tasks", limit=30)
    seen = {row["id"] async for page in pages for row in page}
    await crm.faults()
    after = {row["id"]: row for row in await crm.every("tasks")}
    edited = [key for key in after if after[key]["updatedAt"] != before[key]["updatedAt"]]
    assert len(edited) > 3
    assert all(after[key]["updatedAt"] > "2026-11-01" for key in edited)
    if not searched:  # a list holds its place, where the places of a search move on
        assert seen == set(before)


@pytest.mark.parametrize("kind", KINDS)
async def test_many_records_share_one_time(crm: Caller, kind: str) -> None:
    await crm.faults(sameTime=200)
    rows = [row async for page in crm.walk(kind, **by_time(kind)) for row in page]
    times = [row["updatedAt"] for row in rows]
    assert times.count(max(times)) == min(200, len(rows))
    assert sorted(keys(rows)) == sorted(await crm.ids(kind))


async def test_faults_of_the_data_outlive_new_data(crm: Caller) -> None:
    await crm.faults(dropFromLists=1000)
    await crm.control("PUT", "data", {"size": 100})
    assert 88 <= len(await crm.every("contacts")) < 100


async def test_archived_records_are_purged(crm: Caller) -> None:
    assert await crm.every("deals", archived="true")
    before = await crm.counts()
    await crm.faults(purgeDeleted=True)
    assert await crm.counts() == before
    assert await crm.every("deals", archived="true") == []
    await crm.call("DELETE", f"{CONTACTS}/1001")
    await crm.faults()
    assert (await crm.get(f"{CONTACTS}/1001", archived="true")).status_code == 404
    await crm.call("DELETE", f"{CONTACTS}/1002")
    assert keys(await crm.every("contacts", archived="true")) == ["1002"]


async def test_broken_records_are_those_asked_for(crm: Caller, small: Caller) -> None:
    """The large account starts with two, the small one with none."""

    async def shown(caller: Caller) -> str:
        names = {"tasks": "hs_timestamp", "deals": "amount", "contacts": "createdate"}
        return json.dumps([await caller.every(kind, properties=name) for kind, name in names.items()])

    for caller, wanted in ((crm, [True, True, False]), (small, [False] * 3)):
        text = await shown(caller)
        assert [sign in text for sign in ("2026-13-45", "12.500,00", "0000-00-00")] == wanted
    await crm.control("PUT", "data", {"size": 300, "broken": 6})
    assert any(isinstance(row["properties"], str) for row in await crm.every("notes"))
    assert any("id" not in row for row in await crm.every("calls"))
    assert len(await crm.every("calls")) == len(await crm.ids("calls"))
