"""Searches."""

from typing import Any

import pytest

from tests.sandbox.caller import Caller


async def find(crm: Caller, path: str, **params: Any) -> list[Any]:
    items = (await crm.data(f"/api/v2/{path}", **params))["items"]
    return [item["item"]["id"] for item in items]


@pytest.fixture
async def ann(crm: Caller) -> Any:
    fields = await crm.every("/api/v2/personFields")
    linked = next(field["field_code"] for field in fields if field["field_name"] == "LinkedIn")
    return await crm.make(
        "/api/v2/persons", name="Annabel Quux", emails=[{"value": "Annabel@Quux.example"}],
        phones=[{"value": "+372 777 4321"}], org_id=1, custom_fields={linked: "in/quuxine"},
    )  # fmt: skip


async def test_persons_are_found(crm: Caller, ann: Any) -> None:
    key = ann["id"]
    for params in (
        {"term": "annabel@quux.example", "fields": "email", "exact_match": "true"},
        {"term": "quux.ex", "fields": "email"},
        {"term": "777 4321", "fields": "phone"},
        {"term": "quuxine"},
        {"term": "ANNABEL", "organization_id": 1},
    ):
        assert await find(crm, "persons/search", **params) == [key]
    for params in (
        {"term": "quux.ex", "fields": "email", "exact_match": "true"},
        {"term": "7774321", "fields": "phone"},  # the text as stored, no number
        {"term": "annabel@quux.example", "fields": "name"},
        {"term": "annabel", "organization_id": 2},
    ):
        assert await find(crm, "persons/search", **params) == []
    item = (await crm.data("/api/v2/persons/search", term="annabel"))["items"][0]
    assert item["item"]["emails"] == ["Annabel@Quux.example"]
    assert item["item"]["organization"]["id"] == 1
    assert 0 < item["result_score"] <= 1


async def test_notes_are_searched(crm: Caller, ann: Any) -> None:
    await crm.make("/api/v1/notes", content="likes zeppelins", person_id=ann["id"])
    assert await find(crm, "persons/search", term="zeppelins", fields="notes") == [ann["id"]]


async def test_deleted_records_are_not_found(crm: Caller, ann: Any) -> None:
    await crm.call("DELETE", f"/api/v2/persons/{ann['id']}")
    assert await find(crm, "persons/search", term="annabel") == []


async def test_other_types_are_found(crm: Caller, ann: Any) -> None:
    organization = await crm.make("/api/v2/organizations", name="Zyzzyva", address={"value": "Quuxweg 1"})
    deal = await crm.make("/api/v2/deals", title="Zyzzyva rollout", person_id=ann["id"])
    lead = await crm.make("/api/v1/leads", title="Zyzzyva maybe", person_id=ann["id"])
    assert await find(crm, "organizations/search", term="quuxweg", fields="address") == [organization["id"]]
    assert await find(crm, "deals/search", term="zyzzyva", person_id=ann["id"], status="open") == [deal["id"]]
    assert await find(crm, "deals/search", term="zyzzyva", status="won") == []
    assert await find(crm, "leads/search", term="zyzzyva") == [lead["id"]]
    every = (await crm.data("/api/v2/itemSearch", term="zyzzyva"))["items"]
    assert {item["item"]["type"] for item in every} == {"organization", "deal", "lead"}
    assert await find(crm, "itemSearch", term="zyzzyva", item_types="deal,product") == [deal["id"]]


async def test_fields_are_searched_by_their_key(crm: Caller, ann: Any) -> None:
    async def named(term: str, match: str) -> list[Any]:
        found = await crm.data("/api/v2/itemSearch/field", term=term, entity_type="person", field="email", match=match)
        return [each["id"] for each in found]

    assert await named("Annabel@Quux.example", "exact") == [ann["id"]]
    assert await named("annabel@quux.example", "exact") == []
    assert await named("Annabel@", "beginning") == [ann["id"]]
    assert await named("@Quux", "middle") == [ann["id"]]


async def test_searches_have_pages(crm: Caller) -> None:
    found: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        body = (await crm.get("/api/v2/persons/search", term="example", limit=40, **cursor)).json()
        found += [item["item"]["id"] for item in body["data"]["items"]]
        if body["additional_data"]["next_cursor"] is None:
            break
        cursor = {"cursor": body["additional_data"]["next_cursor"]}
    assert len(found) > 80
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("persons/search", {}),
        ("persons/search", {"term": "a"}),
        ("persons/search", {"term": "ab", "fields": "title"}),
        ("itemSearch", {"term": "ab", "item_types": "elephant"}),
        ("itemSearch/field", {"term": "ab", "entity_type": "person"}),
        ("itemSearch/field", {"term": "ab", "entity_type": "person", "field": "org_id"}),
    ],
)
async def test_what_is_not_understood_is_refused(crm: Caller, path: str, params: dict[str, str]) -> None:
    assert (await crm.get(f"/api/v2/{path}", **params)).status_code == 400
