"""Searches: their filters, orders, pages and limits."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.hubspot.caller import Caller, V, keys, write_filter


def epoch(moment: str) -> str:
    """Milliseconds since 1970, as searches take them."""
    return str(round(datetime.fromisoformat(moment).timestamp() * 1000))


@pytest.fixture
async def ann(crm: Caller) -> str:
    return await crm.make(
        "contacts", email="annabel@quux.example", firstname="Annabel", lastname="Quux", score_by_hand="10",
        interests="pricing;support", phone="+49 30 1234567", last_contract="2026-02-03", vip="true",
    )  # fmt: skip


NEW = ("createdate", "GT", "1793600000000")  # nothing made up is so new


@pytest.mark.parametrize(
    ("filters", "hit"),
    [
        ([("email", "EQ", "ANNABEL@quux.example")], True),
        ([("lastname", "NEQ", "quux")], False),
        ([("lastname", "IN", ["quux", "smith"])], True),
        ([("lastname", "IN", ["Quux"])], False),  # of texts a list wants lower case
        ([("lastname", "NOT_IN", ["smith"])], True),
        ([("score_by_hand", "EQ", "10.0")], True),
        ([("score_by_hand", "GT", "9")], True),  # as a number, not as text
        ([("score_by_hand", "LT", "9")], False),
        ([("score_by_hand", "BETWEEN", "5", "10")], True),
        ([("interests", "EQ", "support")], True),
        ([("interests", "IN", ["roadmap", "pricing"])], True),
        ([("interests", "NOT_IN", ["pricing"])], False),
        ([("last_contract", "GTE", "1770076800000")], True),
        ([("last_contract", "LT", "1770076800000")], False),
        ([("vip", "EQ", "true")], True),
        ([("city", "HAS_PROPERTY")], False),
        ([("city", "NOT_HAS_PROPERTY")], True),
        ([("city", "NEQ", "Berlin")], False),
        ([("email", "CONTAINS_TOKEN", "*@quux.example")], True),
        ([("email", "CONTAINS_TOKEN", "quux")], True),
        ([("email", "CONTAINS_TOKEN", "quu")], False),
        ([("email", "NOT_CONTAINS_TOKEN", "quux")], False),
        ([("hs_searchable_calculated_phone_number", "EQ", "301234567")], True),
        ([("associations.company", "HAS_PROPERTY")], False),
        ([("associations.companies", "NOT_HAS_PROPERTY")], True),
        ([("lastname", "EQ", "quux"), ("firstname", "EQ", "bob")], False),
    ],
)
async def test_operators(crm: Caller, ann: str, filters: list[Any], hit: bool) -> None:
    assert await crm.found("contacts", NEW, *filters) == ([ann] if hit else [])


async def test_groups_are_alternatives(crm: Caller, ann: str) -> None:
    groups = [
        {"filters": [write_filter("lastname", "EQ", "quux")]},
        {"filters": [write_filter("hs_object_id", "EQ", "1001")]},
    ]
    found = await crm.search("contacts", filterGroups=groups)
    assert (found["total"], keys(found["results"])) == (2, ["1001", ann])
    assert "paging" not in found


async def test_records_by_what_they_are_linked_with(crm: Caller) -> None:
    path = "/crm/v4/associations/companies/contacts/batch/read"
    linked = (await crm.post(path, {"inputs": [{"id": "1001"}]}))["results"][0]["to"]
    ids = [str(each["toObjectId"]) for each in linked]
    assert await crm.found("contacts", ("associations.company", "EQ", "1001")) == ids


async def test_words_are_looked_for_in_some_properties(crm: Caller, ann: str) -> None:
    for query, hit in (("Annabel quux", True), ("QUUX.exam", True), ("annabel smith", False)):
        assert await crm.found("contacts", NEW, query=query) == ([ann] if hit else [])
    assert ann in keys((await crm.search("contacts", query="quux"))["results"])


async def test_a_keyset_of_time_sees_every_record_once(crm: Caller) -> None:
    for kind, name in (
        ("contacts", "lastmodifieddate"),
        ("deals", "hs_lastmodifieddate"),
        ("notes", "hs_lastmodifieddate"),
    ):
        sort = [{"propertyName": name, "direction": "ASCENDING"}]
        rows = [row async for page in crm.walk(kind, sorts=sort, limit=40) for row in page]
        assert sorted(map(int, keys(rows))) == sorted(map(int, await crm.ids(kind)))
        times = [row["updatedAt"] for row in rows]
        assert times == sorted(times)
        middle = times[len(times) // 2]
        since = await crm.found(kind, (name, "GTE", epoch(middle)), sorts=sort)
        assert since == [row["id"] for row in rows if row["updatedAt"] >= middle][:200]
        after = await crm.found(kind, (name, "GT", epoch(middle)), sorts=sort)
        assert after == [row["id"] for row in rows if row["updatedAt"] > middle][:200]
        until = await crm.found(kind, (name, "LTE", epoch(middle)), sorts=[{**sort[0], "direction": "DESCENDING"}])
        assert until == [row["id"] for row in reversed(rows) if row["updatedAt"] <= middle][:200]


async def test_ids_are_numbers(crm: Caller) -> None:
    await crm.control("PUT", "data", {"size": 9_200})
    found = await crm.search(
        "contacts", sorts=[{"propertyName": "hs_object_id", "direction": "DESCENDING"}], limit=200,
        filterGroups=[{"filters": [write_filter("hs_object_id", "GT", "9999")]}],
    )  # fmt: skip
    ids = [int(key) for key in keys(found["results"])]
    assert ids == sorted(ids, reverse=True)
    assert min(ids) > 9999
    assert found["total"] == sum(1 for key in await crm.ids("contacts") if int(key) > 9999)


async def test_numbers_are_sorted_as_numbers(crm: Caller) -> None:
    sort = [{"propertyName": "amount", "direction": "DESCENDING"}]
    found = await crm.search("deals", sorts=sort, filterGroups=[
        {"filters": [write_filter("amount", "GT", "0"), write_filter("amount", "LT", "1000000")]}
    ], properties=["amount"], limit=200)  # fmt: skip
    amounts = [float(each["properties"]["amount"]) for each in found["results"]]
    assert len(amounts) > 20
    assert amounts == sorted(amounts, reverse=True)


async def test_a_search_ends_at_ten_thousand(crm: Caller) -> None:
    await crm.control("PUT", "data", {"size": 10_300})
    last = await crm.search("contacts", limit=200, after="9800")
    assert (last["total"], len(last["results"]), last["paging"]["next"]["after"]) == (10_300, 200, "10000")
    refused = await crm.search("contacts", 400, limit=200, after="10000")
    assert refused["category"] == "VALIDATION_ERROR"
    await crm.search("contacts", 400, limit=200, after="9900")


async def test_times_and_ids_together(crm: Caller) -> None:
    """How a client gets past very many records of one time."""
    await crm.faults(sameTime=250)
    newest = max(row["updatedAt"] for row in await crm.every("contacts"))
    seen: list[str] = []
    while page := await crm.found(
        "contacts", ("lastmodifieddate", "EQ", epoch(newest)), ("hs_object_id", "GT", seen[-1] if seen else "0"),
        sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}], limit=100,
    ):  # fmt: skip
        seen += page
    assert len(seen) == len(set(seen)) == 250


FILTER = write_filter("lastname", "EQ", "x")


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 201},
        {"limit": "many"},
        {"after": "later"},
        {"filterGroups": [{"filters": [FILTER]}] * 6},
        {"filterGroups": [{"filters": [FILTER] * 7}]},
        {"filterGroups": [{"filters": [FILTER] * 4}] * 5},
        {"filterGroups": [{"filters": [write_filter("nothing", "EQ", "x")]}]},
        {"filterGroups": [{"filters": [write_filter("lastname", "LIKE", "x")]}]},
        {"filterGroups": [{"filters": [write_filter("lastname", "EQ")]}]},
        {"filterGroups": [{"filters": [write_filter("lastname", "IN", "x")]}]},
        {"filterGroups": [{"filters": [write_filter("createdate", "BETWEEN", "1")]}]},
        {"filterGroups": [{"filters": [write_filter("createdate", "GT", "yesterday")]}]},
        {"filterGroups": [{"filters": [write_filter("hs_lastmodifieddate", "GT", "0")]}]},
        {"sorts": [{"propertyName": "lastname"}, {"propertyName": "firstname"}]},
        {"sorts": [{"propertyName": "nothing"}]},
        {"properties": ["a_property_of_some_length"] * 120},
    ],
)
async def test_what_a_search_refuses(crm: Caller, asked: dict[str, Any]) -> None:
    refused = await crm.search("contacts", 400, **asked)
    assert refused["category"] == "VALIDATION_ERROR"


async def test_archived_records_are_never_found(crm: Caller, ann: str) -> None:
    await crm.call("DELETE", f"/crm/objects/{V}/contacts/{ann}")
    assert await crm.found("contacts", ("lastname", "EQ", "quux")) == []


async def test_searches_lag_behind_writes(crm: Caller) -> None:
    early = await crm.make("contacts", lastname="Early")
    await asyncio.sleep(0.06)
    await crm.faults(searchLagSeconds=0.05)
    late = await crm.make("contacts", lastname="Late")
    await crm.change("contacts", early, lastname="Changed")
    found = await crm.search("contacts", filterGroups=[{"filters": [write_filter(*NEW)]}])
    assert [each["properties"]["lastname"] for each in found["results"]] == ["Early"]
    assert late in keys(await crm.every("contacts"))
    await asyncio.sleep(0.06)
    assert await crm.found("contacts", NEW) == [early, late]
    assert await crm.found("contacts", ("lastname", "EQ", "early")) == []


async def test_merges_can_be_hidden_in_searches(crm: Caller) -> None:
    body = {"primaryObjectId": "1001", "objectIdToMerge": "1002"}
    merged = (await crm.post(f"/crm/objects/{V}/contacts/merge", body))["id"]

    async def shown() -> Any:
        groups = [{"filters": [write_filter("hs_object_id", "EQ", merged)]}]
        found = await crm.search("contacts", properties=["hs_merged_object_ids"], filterGroups=groups)
        return found["results"][0]["properties"]["hs_merged_object_ids"]

    assert await shown() == "1001;1002"
    assert await crm.found("contacts", ("hs_merged_object_ids", "HAS_PROPERTY")) == [merged]
    await crm.faults(searchHidesMerges=True)
    assert await shown() is None
    assert (await crm.one("contacts", merged, "hs_merged_object_ids"))["properties"][
        "hs_merged_object_ids"
    ] == "1001;1002"
