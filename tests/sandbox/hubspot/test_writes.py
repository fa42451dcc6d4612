"""Creating, changing, merging and archiving records, one by one and in batches."""

from typing import Any

import pytest

from tests.sandbox.hubspot.caller import Caller, V, keys

CONTACTS = f"/crm/objects/{V}/contacts"


def codes(body: Any) -> list[str]:
    return [each["code"] for each in body["errors"]]


async def test_a_record_is_made_and_changed(crm: Caller) -> None:
    given = {"email": "Ann@Lee.example", "lastname": "Lee", "last_demo": "1795132800000", "last_contract": "2026-02-03"}
    made = await crm.post(CONTACTS, {"properties": given}, 201)
    assert made["properties"]["email"] == "ann@lee.example"
    assert made["properties"]["last_demo"] == "2026-11-20T00:00:00.000Z"
    assert made["createdAt"] == made["updatedAt"] == made["properties"]["lastmodifieddate"]
    key = made["id"]
    assert key in await crm.ids("contacts")
    changed = (await crm.change("contacts", key, lastname="", phone="0044 7400 123456", vip=True)).json()
    assert changed["properties"]["lastname"] is None
    assert changed["properties"]["vip"] == "true"
    old = await crm.one("contacts", "1001")
    assert (await crm.change("contacts", "1001", city="Ulm")).json()["updatedAt"] > old["updatedAt"]
    one = await crm.one("contacts", key, "hs_searchable_calculated_phone_number", "email")
    assert one["properties"]["hs_searchable_calculated_phone_number"] == "7400123456"
    by_address = await crm.call(
        "PATCH", f"{CONTACTS}/ann@lee.example?idProperty=email", {"properties": {"city": "Ulm"}}
    )
    assert by_address.json()["id"] == key
    assert (await crm.change("contacts", "999999", city="Ulm")).status_code == 404


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("contacts", {"lastname": "x", "nothing": "1"}, "PROPERTY_DOESNT_EXIST"),
        ("contacts", {"email": "no address"}, "INVALID_EMAIL"),
        ("contacts", {"lastname": "x", "hs_lead_status": "New"}, "INVALID_OPTION"),
        ("contacts", {"lastname": "x", "interests": "pricing;nothing"}, "INVALID_OPTION"),
        ("contacts", {"lastname": "x", "score_by_hand": "many"}, "INVALID_INTEGER"),
        ("contacts", {"lastname": "x", "last_contract": "tomorrow"}, "INVALID_DATE"),
        ("contacts", {"lastname": "x", "vip": "maybe"}, "INVALID_BOOLEAN"),
        ("contacts", {"lastname": "x", "hubspot_owner_id": "1"}, "INVALID_OWNER_ID"),
        ("contacts", {"lastname": "x", "hs_object_id": "1"}, "READ_ONLY_VALUE"),
        ("contacts", {"city": "Ulm"}, "MISSING_REQUIRED_PROPERTY"),
        ("companies", {"city": "Ulm"}, "MISSING_REQUIRED_PROPERTY"),
        ("notes", {"hs_note_body": "Hello"}, "MISSING_REQUIRED_PROPERTY"),
        ("notes", {"hs_timestamp": "0", "hs_note_body": "x" * 65_537}, "VALUE_TOO_LONG"),
        ("deals", {"dealname": "x", "dealstage": "139224871"}, "INVALID_OPTION"),
        ("deals", {"dealname": "x", "pipeline": "74218301", "dealstage": "closedwon"}, "INVALID_OPTION"),
    ],
)
async def test_values_that_are_refused(crm: Caller, kind: str, given: dict[str, str], code: str) -> None:
    before = await crm.counts()
    refused = await crm.post(f"/crm/objects/{V}/{kind}", {"properties": given}, 400)
    assert (refused["category"], codes(refused)) == ("VALIDATION_ERROR", [code])
    assert await crm.counts() == before


@pytest.mark.parametrize("body", [[], {}, {"properties": []}, {"properties": {"email": {}}}])
async def test_bodies_that_are_refused(crm: Caller, body: Any) -> None:
    await crm.post(CONTACTS, body, 400)


async def test_an_address_belongs_to_one_contact(crm: Caller) -> None:
    key = await crm.make("contacts", email="ann@lee.example")
    other = await crm.make("contacts", lastname="Other")
    refused = await crm.post(CONTACTS, {"properties": {"email": "ANN@lee.example"}}, 409)
    assert (refused["category"], refused["message"]) == ("CONFLICT", f"Contact already exists. Existing ID: {key}")
    assert (await crm.change("contacts", other, email="ann@lee.example")).status_code == 409
    assert (await crm.change("contacts", key, email="ann@lee.example")).status_code == 200
    unique = await crm.make("contacts", lastname="Third", external_id="x-1")
    assert (await crm.change("contacts", other, external_id="x-1")).status_code == 409
    assert (await crm.data(f"{CONTACTS}/x-1", idProperty="external_id"))["id"] == unique


async def test_a_lifecycle_stage_goes_forward_only(crm: Caller) -> None:
    key = await crm.make("contacts", lastname="Lee", lifecyclestage="opportunity")
    seen = []
    for stage in ("lead", "customer", "", "lead"):
        await crm.change("contacts", key, lifecyclestage=stage)
        seen.append((await crm.one("contacts", key, "lifecyclestage"))["properties"]["lifecyclestage"])
    assert seen == ["opportunity", "customer", None, "lead"]


async def test_a_stage_says_more_of_a_deal(crm: Caller) -> None:
    key = await crm.make("deals", dealname="x", dealstage="closedwon", amount=12.5)
    names = ("hs_is_closed_won", "hs_deal_stage_probability", "pipeline", "amount")
    found = (await crm.one("deals", key, *names))["properties"]
    assert [found[name] for name in names] == ["true", "1.0", "default", "12.5"]


async def test_a_record_is_linked_as_it_is_made(crm: Caller) -> None:
    link = {"to": {"id": "1001"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}]}
    body = {"properties": {"hs_timestamp": "2026-11-25T09:00:00Z", "hs_task_subject": "Call"}, "associations": [link]}
    made = await crm.post(f"/crm/objects/{V}/tasks", body, 201)
    linked = await crm.data(f"/crm/objects/{V}/tasks/{made['id']}/associations/contacts")
    assert [each["toObjectId"] for each in linked["results"]] == ["1001"]
    for wrong in ({**link, "to": {"id": "999999"}}, {**link, "types": []}, {"to": {"id": "1001"}}):
        await crm.post(f"/crm/objects/{V}/tasks", {**body, "associations": [wrong]}, 400)


async def test_a_batch_is_read(crm: Caller) -> None:
    wanted = [str(number) for number in range(1001, 1041)]
    body = {"properties": ["lastname"], "inputs": [{"id": key} for key in wanted]}
    found = await crm.post(f"{CONTACTS}/batch/read", body)
    assert (found["status"], sorted(keys(found["results"]))) == ("COMPLETE", wanted)
    assert keys(found["results"]) != wanted
    assert "errors" not in found
    partly = await crm.post(f"{CONTACTS}/batch/read", {"inputs": [{"id": "1001"}, {"id": "999999"}, {"id": "x"}]}, 207)
    assert keys(partly["results"]) == ["1001"]
    assert (partly["numErrors"], partly["errors"][0]["category"]) == (1, "OBJECT_NOT_FOUND")
    assert partly["errors"][0]["context"] == {"ids": ["999999", "x"]}
    address = await crm.make("contacts", email="ann@lee.example")
    by_address = {"idProperty": "email", "inputs": [{"id": "Ann@Lee.example"}]}
    assert keys((await crm.post(f"{CONTACTS}/batch/read", by_address))["results"]) == [address]
    await crm.call("DELETE", f"{CONTACTS}/{address}")
    body = {"inputs": [{"id": address}]}
    assert (await crm.post(f"{CONTACTS}/batch/read", body, 207))["results"] == []
    archived = await crm.post(f"{CONTACTS}/batch/read", body, archived="true")
    assert [each["archived"] for each in archived["results"]] == [True]
    await crm.post(f"{CONTACTS}/batch/read", {"inputs": [{"id": "1001"}] * 101}, 400)


async def test_a_batch_without_marks_is_made_as_a_whole(crm: Caller) -> None:
    before = await crm.counts()
    good = {"properties": {"lastname": "Good", "email": "good@one.example"}}
    for bad, status in (({"properties": {"city": "Ulm"}}, 400), (good, 409)):
        await crm.post(f"{CONTACTS}/batch/create", {"inputs": [good, bad]}, status)
    assert await crm.counts() == before
    made = await crm.post(f"{CONTACTS}/batch/create", {"inputs": [good, {"properties": {"lastname": "Two"}}]}, 201)
    assert sorted(each["properties"]["lastname"] for each in made["results"]) == ["Good", "Two"]


async def test_a_batch_with_marks_is_made_in_part(crm: Caller) -> None:
    inputs = [
        {"properties": {"lastname": "Good"}, "objectWriteTraceId": "t1"},
        {"properties": {"nothing": "x"}, "objectWriteTraceId": "t2"},
    ]
    made = await crm.post(f"{CONTACTS}/batch/create", {"inputs": inputs}, 207)
    assert [each["objectWriteTraceId"] for each in made["results"]] == ["t1"]
    assert made["numErrors"] == 1
    assert made["errors"][0]["context"] == {"objectWriteTraceId": ["t2"]}
    assert codes(made["errors"][0]) == ["PROPERTY_DOESNT_EXIST"]


async def test_batches_change_and_archive(crm: Caller) -> None:
    inputs = [{"id": key, "properties": {"city": f"City {key}"}} for key in ("1001", "1002")]
    changed = await crm.post(f"{CONTACTS}/batch/update", {"inputs": inputs})
    assert {each["id"]: each["properties"]["city"] for each in changed["results"]} == {
        "1001": "City 1001", "1002": "City 1002",
    }  # fmt: skip
    await crm.post(f"{CONTACTS}/batch/update", {"inputs": [inputs[0], inputs[0]]}, 423)
    lacking = {"id": "999999", "properties": {"city": "Nowhere"}}
    await crm.post(f"{CONTACTS}/batch/update", {"inputs": [{"id": "1001", "properties": {"city": "No"}}, lacking]}, 404)
    assert (await crm.one("contacts", "1001", "city"))["properties"]["city"] == "City 1001"
    await crm.post(f"{CONTACTS}/batch/archive", {"inputs": [{"id": "1001"}, {"id": "999999"}]}, 204)
    assert "1001" not in await crm.ids("contacts")


async def test_upserts(crm: Caller) -> None:
    one = {"id": "ann@lee.example", "idProperty": "email", "properties": {"lastname": "Lee"}}
    for new in (True, False):
        found = await crm.post(f"{CONTACTS}/batch/upsert", {"inputs": [one]})
        assert [each["new"] for each in found["results"]] == [new]
    other = {"id": "x-7", "idProperty": "external_id", "properties": {"lastname": "Seven"}}
    key = (await crm.post(f"{CONTACTS}/batch/upsert", {"inputs": [other]}))["results"][0]["id"]
    assert (await crm.one("contacts", key, "external_id"))["properties"]["external_id"] == "x-7"
    await crm.post(f"{CONTACTS}/batch/upsert", {"inputs": [{**one, "idProperty": "lastname"}]}, 400)


async def merge(crm: Caller, primary: str, other: str) -> str:
    body = {"primaryObjectId": primary, "objectIdToMerge": other}
    return str((await crm.post(f"{CONTACTS}/merge", body))["id"])


async def test_a_merge_makes_a_third_record(crm: Caller) -> None:
    first = await crm.make("contacts", email="ann@lee.example", lastname="Lee")
    second = await crm.make("contacts", email="ann@home.example", lastname="Li", city="Ulm")
    before = set(await crm.ids("contacts"))
    link = f"/crm/objects/{V}/contacts/{second}/associations/default/companies/1001"
    assert (await crm.call("PUT", link)).status_code == 200
    survivor = await merge(crm, first, second)
    assert survivor not in before
    assert set(await crm.ids("contacts")) == (before - {first, second}) | {survivor}
    names = ("email", "lastname", "city", "hs_additional_emails", "hs_merged_object_ids", "hs_calculated_merged_vids")
    for key in (first, second, survivor):
        record = await crm.one("contacts", key, *names)
        assert record["id"] == record["properties"]["hs_object_id"] == survivor
    found = record["properties"]
    assert [found[name] for name in names[:5]] == [
        "ann@lee.example", "Lee", "Ulm", "ann@home.example", f"{first};{second}",
    ]  # fmt: skip
    assert [part.split(":")[0] for part in found["hs_calculated_merged_vids"].split(";")] == [first, second]
    body = {"inputs": [{"id": first}, {"id": second}]}
    assert keys((await crm.post(f"{CONTACTS}/batch/read", body))["results"]) == [survivor]
    assert {first, second, survivor}.isdisjoint(keys(await crm.every("contacts", archived="true")))
    linked = await crm.data(f"{CONTACTS}/{survivor}/associations/companies")
    assert [each["toObjectId"] for each in linked["results"]] == ["1001"]
    assert (await crm.data(f"{CONTACTS}/ann@home.example", idProperty="email"))["id"] == survivor


async def test_merges_of_merged_records(crm: Caller) -> None:
    first, second, third = [await crm.make("contacts", lastname=f"N{number}") for number in range(3)]
    middle = await merge(crm, first, second)
    last = await merge(crm, third, first)  # by its old id
    merged = (await crm.one("contacts", second, "hs_merged_object_ids"))["properties"]["hs_merged_object_ids"]
    assert merged.split(";") == [first, second, third, middle]
    assert (await crm.one("contacts", first))["id"] == last
    for pair in (("999999", first), (first, second)):
        body = {"primaryObjectId": pair[0], "objectIdToMerge": pair[1]}
        assert (await crm.call("POST", f"{CONTACTS}/merge", body)).status_code in {400, 404}


async def test_a_merge_may_keep_the_primary_id(crm: Caller) -> None:
    await crm.faults(keepPrimaryId=True)
    assert await merge(crm, "1001", "1002") == "1001"
    assert (await crm.one("contacts", "1002", "hs_merged_object_ids"))["id"] == "1001"
    found = await crm.one("contacts", "1001", "hs_merged_object_ids")
    assert found["properties"]["hs_merged_object_ids"] == "1002"


async def test_a_contact_is_deleted_for_good(crm: Caller) -> None:
    key = await crm.make("contacts", email="ann@lee.example")
    await crm.call("DELETE", f"{CONTACTS}/1001")
    for body in ({"objectId": "ann@lee.example", "idProperty": "email"}, {"objectId": "1001"}):
        await crm.post(f"{CONTACTS}/gdpr-delete", body, 204)
    for gone in (key, "1001"):
        for archived in ("true", "false"):
            assert (await crm.get(f"{CONTACTS}/{gone}", archived=archived)).status_code == 404
            assert gone not in keys(await crm.every("contacts", archived=archived))
    await crm.post(f"{CONTACTS}/gdpr-delete", {"objectId": "999999"}, 404)
