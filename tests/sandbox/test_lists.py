"""Lists of both API versions: complete, in order, filtered as asked, refused where not understood."""

from typing import Any

import pytest

from tests.sandbox.caller import Caller

KINDS = {
    "persons": "Person",
    "organizations": "Organization",
    "activities": "Activity",
}
ORDERS = ["id", "update_time", "add_time"]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("order", ORDERS)
async def test_pages_are_complete_without_doubles(crm: Caller, order: str, direction: str) -> None:
    for path, kind in KINDS.items():
        rows = await crm.every(f"/api/v2/{path}", sort_by=order, sort_direction=direction, limit=23)
        keys = [(row[order], row["id"]) for row in rows]
        assert keys == sorted(keys, reverse=direction == "desc")
        assert sorted(str(row["id"]) for row in rows) == sorted(await crm.ids(kind))


async def test_deals_and_leads_are_in_two_lists_each(crm: Caller) -> None:
    for normal, archived, kind in (
        ("/api/v2/deals", "/api/v2/deals/archived", "Deal"),
        ("/api/v1/leads", "/api/v1/leads/archived", "Lead"),
    ):
        shown, put_away = await crm.every(normal, limit=17), await crm.every(archived, limit=17)
        assert {row["is_archived"] for row in shown} == {False}
        assert {row["is_archived"] for row in put_away} == {True}
        assert sorted(str(row["id"]) for row in shown + put_away) == sorted(await crm.ids(kind))


async def test_activities_without_a_due_date_are_in_its_order_too(crm: Caller) -> None:
    rows = await crm.every("/api/v2/activities", sort_by="due_date", limit=50)
    assert len(rows) == (await crm.counts())["Activity"]
    assert rows[0]["due_date"] is None


async def test_notes_page_by_offset(crm: Caller) -> None:
    rows = await crm.every("/v1/notes", limit=7)
    assert [str(row["id"]) for row in rows] == await crm.ids("Note")
    answer = (await crm.get("/api/v1/notes", limit=7, start=7)).json()
    assert answer["additional_data"]["pagination"] == {
        "start": 7, "limit": 7, "more_items_in_collection": True, "next_start": 14,
    }  # fmt: skip
    newest = await crm.data("/api/v1/notes", sort="update_time DESC")
    assert [row["update_time"] for row in newest] == sorted((row["update_time"] for row in newest), reverse=True)


async def test_bounds_of_time_include_the_first_and_exclude_the_last(crm: Caller) -> None:
    rows = await crm.every("/api/v2/persons", sort_by="update_time")
    first, last = rows[40]["update_time"], rows[90]["update_time"]
    wanted = [row["id"] for row in rows if first <= row["update_time"] < last]
    for order in ORDERS:
        found = await crm.every("/api/v2/persons", updated_since=first, updated_until=last, sort_by=order, limit=9)
        assert sorted(row["id"] for row in found) == sorted(wanted)


@pytest.mark.parametrize("path", ["/api/v1/leads", "/api/v1/notes"])
async def test_v1_lists_take_updated_since(crm: Caller, path: str) -> None:
    since = "2026-06-01T00:00:00Z"
    every, found = await crm.every(path), await crm.every(path, updated_since=since)
    newer = {row["id"] for row in every if row["update_time"].replace(" ", "T") >= since[:19]}
    assert 0 < len(newer) < len(every)
    assert {row["id"] for row in found} == newer


@pytest.mark.parametrize(
    ("path", "name", "field"),
    [
        ("/api/v2/persons", "owner_id", "owner_id"),
        ("/api/v2/persons", "org_id", "org_id"),
        ("/api/v2/organizations", "owner_id", "owner_id"),
        ("/api/v2/deals", "person_id", "person_id"),
        ("/api/v2/deals", "org_id", "org_id"),
        ("/api/v2/deals", "pipeline_id", "pipeline_id"),
        ("/api/v2/deals", "stage_id", "stage_id"),
        ("/api/v2/deals", "status", "status"),
        ("/api/v2/activities", "person_id", "person_id"),
        ("/api/v2/activities", "deal_id", "deal_id"),
        ("/api/v2/activities", "lead_id", "lead_id"),
        ("/api/v2/activities", "done", "done"),
        ("/api/v2/stages", "pipeline_id", "pipeline_id"),
        ("/api/v1/notes", "person_id", "person_id"),
        ("/api/v1/leads", "organization_id", "organization_id"),
    ],
)
async def test_filters(crm: Caller, path: str, name: str, field: str) -> None:
    every = await crm.every(path)
    value: Any = next(row[field] for row in reversed(every) if row[field] is not None)
    found = await crm.every(path, **{name: str(value).lower() if isinstance(value, bool) else value})
    assert found == [row for row in every if row[field] == value]


async def test_persons_of_a_deal(crm: Caller) -> None:
    deal = (await crm.data("/api/v2/deals", limit=1))[0]
    assert [row["id"] for row in await crm.data("/api/v2/persons", deal_id=deal["id"])] == [deal["person_id"]]


async def test_ids_unknown_are_left_out(crm: Caller) -> None:
    assert [row["id"] for row in await crm.data("/api/v2/persons", ids="3,999999,1")] == [1, 3]
    too_many = ",".join(str(number) for number in range(1, 102))
    assert (await crm.get("/api/v2/persons", ids=too_many)).status_code == 400


@pytest.mark.parametrize(
    ("path", "params", "named"),
    [
        ("/api/v2/persons", {"limit": 501}, "limit"),
        ("/api/v2/persons", {"limit": 0}, "limit"),
        ("/api/v2/persons", {"limit": "many"}, "limit"),
        ("/api/v2/persons", {"sort_by": "name"}, "sort_by"),
        ("/api/v2/persons", {"sort_direction": "up"}, "sort_direction"),
        ("/api/v2/persons", {"cursor": "%%%"}, "cursor"),
        ("/api/v2/persons", {"updated_since": "2026-01-01 00:00:00"}, "updated_since"),
        ("/api/v2/persons", {"updated_since": "2026-01-01T00:00:00.500Z"}, "updated_since"),
        ("/api/v2/persons", {"owner_id": "me"}, "owner_id"),
        ("/api/v2/persons", {"include_fields": "shoe_size"}, "include_fields"),
        ("/api/v2/deals", {"status": "maybe"}, "status"),
        ("/api/v2/activities", {"done": "perhaps"}, "done"),
        ("/api/v2/persons", {"custom_fields": ",".join("abcdefghijklmnop")}, "custom_fields"),
    ],
)
async def test_what_is_not_understood_is_refused(crm: Caller, path: str, params: dict[str, Any], named: str) -> None:
    answer = await crm.get(path, **params)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    assert named in answer.json()["error"]


async def test_a_cursor_belongs_to_its_order(crm: Caller) -> None:
    cursor = (await crm.get("/api/v2/persons", limit=2)).json()["additional_data"]["next_cursor"]
    answer = await crm.get("/api/v2/persons", limit=2, cursor=cursor, sort_by="update_time")
    assert answer.status_code == 400


async def test_more_and_less_than_lists_show(crm: Caller) -> None:
    plain = (await crm.data("/api/v2/persons", limit=1))[0]
    assert "open_deals_count" not in plain
    code = next(iter(plain["custom_fields"]))
    narrow = (await crm.data("/api/v2/persons", limit=1, custom_fields=code))[0]
    assert list(narrow["custom_fields"]) == [code]
    deals = await crm.every("/api/v2/deals", status="open")
    archived = await crm.every("/api/v2/deals/archived", status="open")
    person = next(deal["person_id"] for deal in deals if deal["person_id"])
    counted = await crm.data(f"/api/v2/persons/{person}", include_fields="open_deals_count")
    assert counted["open_deals_count"] == sum(deal["person_id"] == person for deal in deals + archived)
    labelled = await crm.every("/api/v2/persons", include_labels="true", include_option_labels="true")
    assert any(row["labels"] and set(row["labels"][0]) == {"id", "label"} for row in labelled)
    source = next(row["custom_fields"][code] for row in labelled if row["custom_fields"][code])
    assert set(source) == {"id", "label"}


async def test_attendees_are_shown_when_asked_for(crm: Caller) -> None:
    assert "attendees" not in (await crm.data("/api/v2/activities", limit=1))[0]
    assert "attendees" in (await crm.data("/api/v2/activities", limit=1, include_fields="attendees"))[0]


async def test_the_list_of_fields_has_pages(crm: Caller) -> None:
    pages = [page async for page in crm.pages("/api/v2/personFields")]
    assert [len(page) for page in pages] == [100, len(pages[1])]
    codes = [field["field_code"] for page in pages for field in page]
    assert len(set(codes)) == len(codes)
    assert codes == [field["field_code"] for field in await crm.every("/api/v2/personFields", limit=7)]
    for name in ("organizationFields", "dealFields", "activityFields"):
        assert await crm.data(f"/api/v2/{name}", limit=500)
    v1 = await crm.every("/api/v1/personFields", limit=50)
    assert [field["key"] for field in v1] == codes


async def test_settings_of_the_company(crm: Caller, small: Caller) -> None:
    users = await crm.data("/api/v1/users")
    me = await crm.data("/v1/users/me")
    assert len(users) == 8
    assert [user["active_flag"] for user in users].count(False) == 1
    assert me["company_domain"] == "nordlicht-sandbox"
    assert await crm.data("/api/v1/users/find", term=me["email"], search_by_email=1) == [users[0]]
    assert await crm.data(f"/api/v1/users/{users[2]['id']}") == users[2]
    others = await small.data("/api/v1/users")
    assert {user["id"] for user in users}.isdisjoint(user["id"] for user in others)
    kinds = {each["key_string"]: each["active_flag"] for each in await crm.data("/api/v1/activityTypes")}
    assert kinds["call"]
    assert kinds["demo"]
    assert not kinds["fax"]
    for path in ("leadLabels", "currencies", "leadSources", "filters", "webhooks"):
        assert isinstance(await crm.data(f"/api/v1/{path}"), list)
    assert {stage["pipeline_id"] for stage in await crm.data("/api/v2/stages")} == {
        pipeline["id"] for pipeline in await crm.data("/api/v2/pipelines")
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v2/nothing", 404),
        ("GET", "/api/v2/persons/999999", 404),
        ("GET", "/api/v2/persons/one", 404),
        ("GET", "/api/v1/leads/11111111-1111-4111-8111-111111111111", 404),
        ("PUT", "/api/v2/persons/1", 405),
        ("DELETE", "/api/v2/persons", 405),
        ("GET", "/api/v1/persons", 410),
    ],
)
async def test_errors_come_in_the_vendors_envelope(crm: Caller, method: str, path: str, status: int) -> None:
    answer = await crm.call(method, path)
    assert answer.status_code == status
    assert {"success", "error", "error_info", "data", "additional_data"} <= set(answer.json())


async def test_tokens(crm: Caller) -> None:
    bare = await crm.client.get("/pipedrive/api/v2/persons")
    assert bare.status_code == 401
    assert bare.json() == {
        "success": False, "error": "unauthorized access", "errorCode": 401,
        "error_info": "Please check developers.pipedrive.com",
    }  # fmt: skip
    assert bare.headers["x-401-by-gw"] == "true"
    for headers in ({"authorization": "Bearer sandbox-pipedrive-2"}, {"x-api-token": "sandbox-pipedrive-3"}):
        assert (await crm.client.get("/pipedrive/v1/users/me", headers=headers)).status_code == 401
    me = await crm.client.get("/pipedrive/v1/users/me", headers={"x-api-token": "sandbox-pipedrive-2"})
    assert me.json()["data"]["company_domain"] == "harborpine-sandbox"
