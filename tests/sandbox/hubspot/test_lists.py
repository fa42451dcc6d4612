"""Lists, single records, and what an account has beside records."""

from typing import Any

import pytest

from tests.sandbox.hubspot.caller import Caller, V, keys

KINDS = ["contacts", "companies", "deals", "calls", "emails", "meetings", "tasks", "notes"]


async def test_every_record_is_listed_once(crm: Caller) -> None:
    assert list(await crm.counts()) == KINDS
    for kind in KINDS:
        assert keys(await crm.every(kind)) == await crm.ids(kind)


async def test_the_same_number_is_in_every_type(crm: Caller) -> None:
    for kind in KINDS:
        assert (await crm.ids(kind))[0] == "1001"


async def test_a_page_and_the_next(crm: Caller) -> None:
    first = await crm.data(f"/crm/objects/{V}/contacts", limit=2)
    assert keys(first["results"]) == ["1001", "1002"]
    assert first["paging"]["next"] == {
        "after": "1003", "link": f"https://api.hubapi.com/crm/objects/{V}/contacts?limit=2&after=1003",
    }  # fmt: skip
    second = await crm.data(f"/crm/objects/{V}/contacts", limit=2, after="1003")
    assert keys(second["results"]) == ["1003", "1004"]
    assert len((await crm.data(f"/crm/objects/{V}/contacts"))["results"]) == 10


@pytest.mark.parametrize("path", [f"/crm/objects/{V}/contacts", "/crm/objects/2026-03/contact", "/crm/v3/objects/0-1"])
async def test_versions_and_names_of_a_type(crm: Caller, path: str) -> None:
    record = (await crm.data(path, limit=1))["results"][0]
    assert set(record) == {"id", "properties", "createdAt", "updatedAt", "archived"}
    assert set(record["properties"]) == {
        "createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname",
    }  # fmt: skip
    assert record["updatedAt"] == record["properties"]["lastmodifieddate"]
    assert record["archived"] is False
    assert await crm.data(f"{path}/1001") == record


@pytest.mark.parametrize(
    "path",
    [
        "/crm/objects/2025-09/contacts", "/crm/objects/v3/contacts", "/crm/v2/objects/contacts", "/crm/v4/objects/contacts",
        "/crm/v3/associations/contacts/companies/labels", "/crm/objects/2026-09", "/account-info/v9/details",
    ],
)  # fmt: skip
async def test_paths_that_are_not_there(crm: Caller, path: str) -> None:
    answer = await crm.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


async def test_properties_are_those_asked_for(crm: Caller) -> None:
    path = f"/crm/objects/{V}/companies/1001"
    always = {"createdate", "hs_lastmodifieddate", "hs_object_id"}
    for params in ({"properties": "name,domain,nothing"}, {"properties": ["name", "domain"]}):
        assert set((await crm.data(path, **params))["properties"]) == always | {"name", "domain"}
    contact = await crm.one("contacts", "1001", "lastname", "hs_merged_object_ids", "hs_lastmodifieddate")
    assert contact["properties"]["hs_merged_object_ids"] is None
    assert "hs_lastmodifieddate" not in contact["properties"]
    values = [
        value
        for record in await crm.every("deals", properties="amount,closedate,hs_is_closed")
        for value in record["properties"].values()
    ]
    assert {type(value) for value in values} == {str, type(None)}


async def test_history_has_the_value_there_is(crm: Caller) -> None:
    path = f"/crm/objects/{V}/contacts"
    record = await crm.data(f"{path}/1001", propertiesWithHistory="lastname")
    assert [each["value"] for each in record["propertiesWithHistory"]["lastname"]] == [record["properties"]["lastname"]]
    assert (await crm.get(path, propertiesWithHistory="lastname", limit=51)).status_code == 400


async def test_associations_stand_in_lists(crm: Caller) -> None:
    records = await crm.every("contacts", associations="companies,deals")
    linked = next(each for each in records if len(each.get("associations", {}).get("companies", {})["results"]) == 2)
    company = linked["associations"]["companies"]["results"][0]["id"]
    assert linked["associations"]["companies"]["results"] == [
        {"id": company, "type": "contact_to_company"},
        {"id": company, "type": "contact_to_company_unlabeled"},
    ]
    deals = [each["associations"]["deals"]["results"] for each in records if "deals" in each.get("associations", {})]
    assert {each["type"] for listed in deals for each in listed} == {"contact_to_deal"}


async def test_a_contact_by_its_address(crm: Caller) -> None:
    key = await crm.make("contacts", email="Ann.Lee@example.example")
    path = f"/crm/objects/{V}/contacts/ANN.lee@example.example"
    assert (await crm.data(path, idProperty="email"))["id"] == key
    assert (await crm.get(path)).status_code == 404
    assert (await crm.get(path, idProperty="lastname")).status_code == 400


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 101}, {"limit": "many"}, {"after": "later"}, {"after": "-1"}]
)
async def test_what_a_list_refuses(crm: Caller, params: dict[str, Any]) -> None:
    answer = await crm.get(f"/crm/objects/{V}/contacts", **params)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


async def test_errors_say_which_record_and_type(crm: Caller) -> None:
    for key in ("999999", "abc", "1" * 40):
        answer = await crm.get(f"/crm/objects/{V}/contacts/{key}")
        assert (answer.status_code, answer.json()["category"]) == (404, "OBJECT_NOT_FOUND")
        assert len(answer.json()["correlationId"]) == 36
    answer = await crm.get(f"/crm/objects/{V}/elephants")
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert (await crm.call("PUT", f"/crm/objects/{V}/contacts/1001", {})).status_code == 405


async def test_an_address_that_is_too_long(crm: Caller) -> None:
    names = ",".join(f"property_{number}" for number in range(600))
    answer = await crm.get(f"/crm/objects/{V}/contacts", properties=names)
    assert answer.status_code == 414
    assert answer.text.startswith("<html>")
    assert (await crm.get(f"/crm/objects/{V}/contacts", properties=names[:7000])).status_code == 200


async def test_tokens(crm: Caller) -> None:
    for headers in ({}, {"authorization": "Bearer other"}, {"authorization": "Basic sandbox-hubspot"}):
        answer = await crm.client.get(f"/hubspot/crm/objects/{V}/contacts", headers=headers)
        assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


async def test_the_account(crm: Caller, small: Caller) -> None:
    large = await crm.data(f"/account-info/{V}/details")
    assert {"portalId", "accountType", "timeZone", "uiDomain", "dataHostingLocation", "utcOffset"} <= set(large)
    assert (large["companyCurrency"], large["additionalCurrencies"]) == ("EUR", ["USD", "GBP", "PLN", "JPY"])
    other = await small.data("/account-info/v3/details")
    assert (other["companyCurrency"], other["additionalCurrencies"]) == ("USD", [])
    assert other["portalId"] != large["portalId"]


async def test_owners(crm: Caller) -> None:
    path = f"/crm/owners/{V}"
    listed = [owner async for page in crm.pages(path, limit=3) for owner in page]
    assert listed == (await crm.data(path))["results"]
    assert all(owner["id"] != str(owner.get("userId")) for owner in listed)
    assert [owner["type"] for owner in listed if not owner["email"]] == ["QUEUE"]
    gone = (await crm.data(path, archived="true"))["results"]
    assert [owner["archived"] for owner in gone] == [True]
    assert "userId" not in gone[0]
    one = listed[1]
    assert (await crm.data(path, email=one["email"].upper()))["results"] == [one]
    assert await crm.data(f"{path}/{one['id']}") == one
    assert await crm.data(f"{path}/{one['userId']}", idProperty="userId") == one
    assert (await crm.get(f"{path}/{gone[0]['id']}")).status_code == 404
    assert (await crm.get(path, limit=501)).status_code == 400


async def test_pipelines(crm: Caller, small: Caller) -> None:
    pipelines = (await crm.data(f"/crm/pipelines/{V}/deals"))["results"]
    assert [each["id"] for each in pipelines] == ["default", "74218301"]
    stages = {stage["id"]: stage["metadata"] for each in pipelines for stage in each["stages"]}
    assert stages["closedwon"] == {"isClosed": "true", "probability": "1.0"}
    assert stages["139224871"] == {"isClosed": "false", "probability": "0.5"}
    used = {each["properties"]["dealstage"] for each in await crm.every("deals")}
    assert set(stages) <= used
    assert len((await small.data("/crm/v3/pipelines/deals"))["results"]) == 1
    assert (await crm.data(f"/crm/pipelines/{V}/contacts"))["results"] == []
    assert (await crm.data(f"/crm/pipelines/{V}/deals/default/stages"))["results"] == pipelines[0]["stages"]


async def test_archived_records(crm: Caller) -> None:
    bin_before = keys(await crm.every("contacts", archived="true"))
    assert set(bin_before).isdisjoint(await crm.ids("contacts"))
    before = await crm.one("contacts", "1004")
    path = f"/crm/objects/{V}/contacts/1004"
    assert [(await crm.call("DELETE", path)).status_code for _ in range(2)] == [204, 204]
    assert (await crm.get(path)).status_code == 404
    assert "1004" not in keys(await crm.every("contacts"))
    gone = await crm.data(path, archived="true")
    assert (gone["archived"], gone["updatedAt"]) == (True, before["updatedAt"])
    assert gone["archivedAt"] > gone["updatedAt"]
    assert set(keys(await crm.every("contacts", archived="true"))) == {*bin_before, "1004"}
    assert (await crm.get(f"/crm/objects/{V}/contacts/1005", archived="true")).status_code == 404
