"""Changes made as users make them: created, updated, deleted and merged by the vendor's own API."""

from typing import Any

import pytest

from tests.sandbox.caller import Caller


async def test_a_person_is_created_and_changed(crm: Caller) -> None:
    before = (await crm.counts())["Person"]
    fields = await crm.every("/api/v2/personFields")
    codes = {field["field_name"]: field for field in fields if field["is_custom_field"]}
    source = codes["Lead source"]
    made = await crm.make(
        "/api/v2/persons",
        name="Ann Mary Lee",
        emails=[{"value": "ann@lee.example"}, {"value": "ann@home.example", "label": "home"}],
        phones=[{"value": "+3725550101", "label": "mobile", "primary": True}],
        org_id=1,
        custom_fields={source["field_code"]: source["options"][1]["id"]},
    )
    assert (made["first_name"], made["last_name"]) == ("Ann Mary", "Lee")
    assert made["emails"] == [
        {"value": "ann@lee.example", "primary": True, "label": "work"},
        {"value": "ann@home.example", "primary": False, "label": "home"},
    ]
    assert made["update_time"] > "2026-11-01"
    assert (await crm.counts())["Person"] == before + 1
    path = f"/api/v2/persons/{made['id']}"
    score = codes["Score"]["field_code"]
    answer = await crm.call("PATCH", path, {"org_id": None, "phones": [], "custom_fields": {score: 7.5}})
    assert answer.status_code == 200
    changed = await crm.data(path)
    assert (changed["org_id"], changed["phones"], changed["emails"]) == (None, [], made["emails"])
    assert changed["custom_fields"] == made["custom_fields"] | {score: 7.5}
    newest = await crm.data("/api/v2/persons", updated_since=made["add_time"], sort_by="update_time")
    assert [row["id"] for row in newest] == [made["id"]]


async def test_an_organization_is_created(crm: Caller) -> None:
    made = await crm.make("/api/v2/organizations", name="Acme", address={"value": "Mill 1, Leeds"})
    assert made["address"]["value"] == "Mill 1, Leeds"
    assert made["address"]["locality"] is None
    answer = await crm.call("PATCH", f"/api/v2/organizations/{made['id']}", {"website": "https://acme.example"})
    assert answer.json()["data"]["website"] == "https://acme.example"


async def test_a_deal_goes_its_way(crm: Caller) -> None:
    made = await crm.make("/api/v2/deals", title="Big one", value=100, currency="GBP", person_id=1, pipeline_id=2)
    assert (made["status"], made["pipeline_id"], made["stage_id"]) == ("open", 2, 6)
    path = f"/api/v2/deals/{made['id']}"
    moved = (await crm.call("PATCH", path, {"stage_id": 2})).json()["data"]
    assert (moved["pipeline_id"], moved["stage_id"]) == (1, 2)
    assert moved["stage_change_time"]
    assert (await crm.call("PATCH", path, {"lost_reason": "Price"})).status_code == 400
    lost = (await crm.call("PATCH", path, {"status": "lost", "lost_reason": "Price"})).json()["data"]
    assert lost["lost_time"] == lost["close_time"] is not None
    won = (await crm.call("PATCH", path, {"status": "won"})).json()["data"]
    assert (won["lost_time"], won["lost_reason"], won["won_time"]) == (None, None, won["close_time"])
    archived = (await crm.call("PATCH", path, {"is_archived": True})).json()["data"]
    assert archived["archive_time"]
    assert made["id"] not in [row["id"] for row in await crm.every("/api/v2/deals")]
    assert made["id"] in [row["id"] for row in await crm.every("/api/v2/deals/archived")]
    assert (await crm.call("PATCH", path, {"title": "Smaller"})).status_code == 403
    back = (await crm.call("PATCH", path, {"is_archived": False, "title": "Smaller"})).json()["data"]
    assert (back["archive_time"], back["title"]) == (None, "Smaller")


async def test_an_activity_is_created_and_done(crm: Caller) -> None:
    made = await crm.make(
        "/api/v2/activities", subject="Call", type="call", due_date="2026-11-25", due_time="09:30", duration="00:15",
        participants=[{"person_id": 2}], deal_id=1,
    )  # fmt: skip
    assert (made["due_time"], made["duration"], made["person_id"]) == ("09:30:00", "00:15:00", 2)
    assert made["participants"] == [{"person_id": 2, "primary": True}]
    done = (await crm.call("PATCH", f"/api/v2/activities/{made['id']}", {"done": True})).json()["data"]
    assert done["marked_as_done_time"]
    assert (await crm.call("POST", "/api/v2/activities", {"person_id": 2})).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("POST", "/api/v2/persons", {}, "name"),
        ("POST", "/api/v2/persons", {"name": "A", "nickname": "B"}, "nickname"),
        ("POST", "/api/v2/persons", {"name": "A", "0" * 40: 1}, "0" * 40),
        ("POST", "/api/v2/persons", {"name": "A", "custom_fields": {"0" * 40: 1}}, "0" * 40),
        ("POST", "/api/v2/persons", {"name": "A", "org_id": "1"}, "org_id"),
        ("POST", "/api/v2/persons", {"name": "A", "org_id": 999_999}, "org_id"),
        ("POST", "/api/v2/persons", {"name": "A", "visible_to": "3"}, "visible_to"),
        ("POST", "/api/v2/persons", {"name": "A", "emails": ["a@b.example"]}, "emails"),
        ("POST", "/api/v2/persons", {"name": "A", "label_ids": [123_456]}, "label_ids"),
        ("POST", "/api/v2/persons", {"name": "A", "owner_id": 5}, "owner_id"),
        ("PATCH", "/api/v2/organizations/1", {"name": None}, "name"),
        ("POST", "/api/v2/organizations", {"name": "A", "address": "Mill 1"}, "address"),
        ("POST", "/api/v2/deals", {"value": 1}, "title"),
        ("PATCH", "/api/v2/deals/1", {"expected_close_date": "tomorrow"}, "expected_close_date"),
        ("PATCH", "/api/v2/deals/1", {"stage_id": 1, "pipeline_id": 2}, "stage_id"),
        ("PATCH", "/api/v2/activities/1", {"done": 1}, "done"),
        ("PATCH", "/api/v2/activities/1", {"type": "fax"}, "type"),
        ("PATCH", "/api/v2/activities/1", {"due_time": "9 o'clock"}, "due_time"),
    ],
)
async def test_bodies_are_read_strictly(crm: Caller, method: str, path: str, body: Any, named: str) -> None:
    answer = await crm.call(method, path, body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"Validation failed: {named}: ")


async def test_custom_values_are_checked_by_type(crm: Caller) -> None:
    wrong: dict[str, Any] = {
        "enum": 1, "set": [], "double": "1", "monetary": 5, "date": "2026-02-30T00:00:00Z", "varchar": "x" * 256,
        "daterange": {"value": "2026-01-01"}, "time": "09:00", "timerange": {}, "address": "Mill", "user": "me",
        "org": 0, "people": "1", "phone": 5, "text": 5, "varchar_auto": 5,
    }  # fmt: skip
    for field in await crm.every("/api/v2/dealFields"):
        if not field["is_custom_field"]:
            continue
        body = {"custom_fields": {field["field_code"]: wrong[field["field_type"]]}}
        answer = await crm.call("PATCH", "/api/v2/deals/1", body)
        assert (answer.status_code, answer.json()["field_code"]) == (400, field["field_code"])
        cleared = await crm.call("PATCH", "/api/v2/deals/1", {"custom_fields": {field["field_code"]: None}})
        assert cleared.status_code == 200


async def test_bodies_must_be_json(crm: Caller) -> None:
    url, headers = "/pipedrive/api/v2/persons", crm.headers
    form = await crm.client.post(url, data={"name": "A"}, headers=headers)
    broken = await crm.client.post(url, content=b"{", headers={**headers, "content-type": "application/json"})
    assert (form.status_code, broken.status_code) == (415, 400)


async def test_features_that_are_off(crm: Caller, small: Caller) -> None:
    """Contact Sync is on in the small account only, firmographics in the large one only."""
    assert (await crm.call("PATCH", "/api/v2/persons/1", {"job_title": "CTO"})).status_code == 403
    changed = (await small.call("PATCH", "/api/v2/persons/1", {"job_title": "CTO"})).json()["data"]
    assert changed["job_title"] == "CTO"
    assert "website" in await crm.data("/api/v2/organizations/1")
    assert "website" not in await small.data("/api/v2/organizations/1")


@pytest.mark.parametrize(("path", "kind"), [("persons", "Person"), ("organizations", "Organization"),
                                            ("deals", "Deal"), ("activities", "Activity")])  # fmt: skip
async def test_deleting_is_soft(crm: Caller, path: str, kind: str) -> None:
    key = (await crm.data(f"/api/v2/{path}", limit=1))[0]["id"]
    answer = await crm.call("DELETE", f"/api/v2/{path}/{key}")
    assert answer.json() == {"success": True, "data": {"id": key}}
    assert str(key) not in await crm.ids(kind)
    assert key not in [row["id"] for row in await crm.every(f"/api/v2/{path}")]
    assert await crm.data(f"/api/v2/{path}", ids=key) == []
    assert (await crm.data(f"/api/v2/{path}/{key}"))["is_deleted"] is True
    assert (await crm.call("DELETE", f"/api/v2/{path}/{key}")).status_code == 404
    assert (await crm.call("PATCH", f"/api/v2/{path}/{key}", {})).status_code == 404


async def test_deleted_deals_are_listed_by_status(crm: Caller) -> None:
    await crm.call("DELETE", "/api/v2/deals/1")
    deleted = await crm.every("/api/v2/deals", status="deleted")
    assert deleted[0]["id"] == 1
    assert {row["is_deleted"] for row in deleted} == {True}
    both = await crm.every("/api/v2/deals", status="deleted,won")
    assert {row["status"] for row in both if not row["is_deleted"]} == {"won"}


async def test_persons_are_merged(crm: Caller) -> None:
    survivor = await crm.make("/api/v2/persons", name="Ann", emails=[{"value": "a@b.example"}])
    loser = await crm.make("/api/v2/persons", name="Anne", emails=[{"value": "A@b.example"}, {"value": "c@d.example"}],
                           org_id=1)  # fmt: skip
    deal = await crm.make("/api/v2/deals", title="Theirs", person_id=loser["id"])
    call = await crm.make("/api/v2/activities", participants=[{"person_id": loser["id"]}])
    note = await crm.make("/api/v1/notes", content="x", person_id=loser["id"])
    lead = await crm.make("/api/v1/leads", title="x", person_id=loser["id"])
    answer = await crm.call("PUT", f"/api/v1/persons/{loser['id']}/merge", {"merge_with_id": survivor["id"]})
    shown = answer.json()["data"]
    assert (shown["id"], shown["merge_what_id"], shown["active_flag"]) == (survivor["id"], loser["id"], True)
    merged = await crm.data(f"/api/v2/persons/{survivor['id']}")
    assert (merged["name"], merged["org_id"]) == ("Ann", 1)
    assert [each["value"] for each in merged["emails"]] == ["a@b.example", "c@d.example"]
    assert (await crm.data(f"/api/v2/persons/{loser['id']}"))["is_deleted"] is True
    assert str(loser["id"]) not in await crm.ids("Person")
    for path in (f"/api/v2/deals/{deal['id']}", f"/api/v1/notes/{note['id']}", f"/api/v1/leads/{lead['id']}"):
        assert (await crm.data(path))["person_id"] == survivor["id"]
    activity = await crm.data(f"/api/v2/activities/{call['id']}")
    assert activity["participants"] == [{"person_id": survivor["id"], "primary": True}]
    again = await crm.call("PUT", f"/v1/persons/{loser['id']}/merge", {"merge_with_id": survivor["id"]})
    assert again.status_code == 404


@pytest.mark.parametrize("path", ["organizations", "deals"])
async def test_others_are_merged(crm: Caller, path: str) -> None:
    first, second = [row["id"] for row in await crm.data(f"/api/v2/{path}", limit=2)]
    answer = await crm.call("PUT", f"/api/v1/{path}/{first}/merge", {"merge_with_id": second})
    assert answer.json()["data"]["id"] == second
    assert (await crm.data(f"/api/v2/{path}/{first}"))["is_deleted"] is True
    if path == "organizations":
        assert all(row["org_id"] != first for row in await crm.every("/api/v2/persons"))


async def test_leads(crm: Caller) -> None:
    label = (await crm.data("/api/v1/leadLabels"))[0]["id"]
    answer = await crm.call("POST", "/api/v1/leads", {
        "title": "Maybe", "person_id": 1, "label_ids": [label], "value": {"amount": 9, "currency": "EUR"},
    })  # fmt: skip
    assert answer.status_code == 201
    lead = answer.json()["data"]
    path = f"/v1/leads/{lead['id']}"
    assert (lead["source_name"], lead["label_ids"]) == ("API", [label])
    assert (await crm.data("/v1/leads", sort="add_time DESC", limit=1))[0] == lead
    assert (await crm.call("PATCH", path, {"is_archived": True})).json()["data"]["is_archived"]
    assert lead["id"] in [row["id"] for row in await crm.every("/api/v1/leads/archived")]
    assert (await crm.call("PATCH", path, {"title": "No"})).status_code == 403
    assert (await crm.call("DELETE", path)).json()["data"] == {"id": lead["id"]}
    gone = await crm.get(path)
    assert gone.status_code == 404
    assert gone.json()["error"] == "requested lead not found"
    for body in ({"title": "No one"}, {"person_id": 1}, {"title": "X", "person_id": 1, "value": 5}):
        assert (await crm.call("POST", "/api/v1/leads", body)).status_code == 400


async def test_notes(crm: Caller) -> None:
    html = "<p>Hi</p><script>bad()</script>"
    note = await crm.make("/api/v1/notes", content=html, person_id=1, pinned_to_person_flag=1)
    person = await crm.data("/api/v2/persons/1")
    assert (note["content"], note["pinned_to_person_flag"]) == ("<p>Hi</p>", True)
    assert note["person"] == {"name": person["name"]}
    path = f"/api/v1/notes/{note['id']}"
    assert (await crm.call("PUT", path, {"content": "Bye"})).json()["data"]["content"] == "Bye"
    assert (await crm.call("DELETE", path)).json() == {"success": True, "data": True}
    assert (await crm.data(path))["active_flag"] is False
    assert note["id"] not in [row["id"] for row in await crm.every("/api/v1/notes")]
    ours = {"content": "x", "person_id": 1}
    wrong = ({"deal_id": 999_999}, {"person_id": "1"}, {"user_id": "1001"}, {"user_id": 999_999}, {"content": ""})
    for body in ({"content": "x"}, {"person_id": 1}, *(ours | each for each in wrong)):
        assert (await crm.call("POST", "/api/v1/notes", body)).status_code == 400


async def test_custom_fields_come_and_go(crm: Caller) -> None:
    field = await crm.make("/api/v2/personFields", field_name="Shoe", field_type="enum", options=[{"label": "41"}])
    code, option = field["field_code"], field["options"][0]["id"]
    assert (await crm.every("/api/v2/personFields"))[-1] == field
    await crm.call("PATCH", "/api/v2/persons/1", {"custom_fields": {code: option}})
    added = (await crm.call("POST", f"/api/v2/personFields/{code}/options", [{"label": "42"}])).json()["data"]
    assert [each["label"] for each in added] == ["42"]
    renamed = (await crm.call("PATCH", f"/api/v2/personFields/{code}", {"field_name": "Shoes"})).json()["data"]
    assert (renamed["field_code"], renamed["field_name"]) == (code, "Shoes")
    assert len(renamed["options"]) == 2
    assert (await crm.call("DELETE", f"/api/v2/personFields/{code}")).status_code == 200
    assert code not in (await crm.data("/api/v2/persons/1"))["custom_fields"]
    assert (await crm.call("DELETE", "/api/v2/personFields/name")).status_code == 400


async def test_recents(crm: Caller) -> None:
    since = "2026-11-02 00:00:00"
    assert (await crm.get("/api/v1/recents")).status_code == 400
    assert await crm.data("/api/v1/recents", since_timestamp=since) == []
    await crm.call("PATCH", "/api/v2/persons/1", {"name": "New"})
    await crm.call("DELETE", "/api/v2/deals/1")
    rows = await crm.data("/api/v1/recents", since_timestamp=since)
    assert sorted((row["item"], row["id"]) for row in rows) == [("deal", 1), ("person", 1)]
    flags = {row["item"]: row["data"]["active_flag"] for row in rows}
    assert flags == {"deal": False, "person": True}
    assert [row["item"] for row in await crm.data("/v1/recents", since_timestamp=since, items="person")] == ["person"]
    everything = await crm.every("/v1/recents", since_timestamp="2020-01-01 00:00:00", limit=200)
    assert len(everything) > sum((await crm.counts()).values()) - (await crm.counts())["Lead"]
