"""Associations."""

from typing import Any

import pytest

from tests.sandbox.hubspot.caller import Caller, V

READ = f"/crm/associations/{V}/contacts/companies/batch/read"
PRIMARY = {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}
PLAIN = {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": None}


def pair(one: str, other: str, **more: Any) -> dict[str, Any]:
    return {"from": {"id": one}, "to": {"id": other}, **more}


def typed(number: int, category: str = "HUBSPOT_DEFINED") -> dict[str, Any]:
    return {"associationCategory": category, "associationTypeId": number}


async def read(crm: Caller, key: str, path: str = READ) -> dict[str, list[Any]]:
    """The types by the id at the other end."""
    found = (await crm.post(path, {"inputs": [{"id": key}]}))["results"][0]["to"]
    return {str(each["toObjectId"]): each["associationTypes"] for each in found}


@pytest.fixture
async def ann(crm: Caller) -> str:
    """A contact of two companies, of which the second is the primary."""
    key = await crm.make("contacts", lastname="Lee")
    inputs = [pair(key, "1001", types=[typed(279)]), pair(key, "1002", types=[typed(1)])]
    made = await crm.post(f"/crm/associations/{V}/contacts/companies/batch/create", {"inputs": inputs})
    assert [each["toObjectId"] for each in made["results"]] == ["1001", "1002"]
    return key


async def test_a_batch_is_read_in_part(crm: Caller, ann: str) -> None:
    lone = await crm.make("contacts", lastname="Lone")
    inputs = [{"id": key} for key in (ann, lone, "999999")]
    found = await crm.post(READ, {"inputs": inputs}, 207)
    assert found["results"] == [
        {
            "from": {"id": ann},
            "to": [
                {"toObjectId": "1001", "associationTypes": [PLAIN]},
                {"toObjectId": "1002", "associationTypes": [PRIMARY, PLAIN]},
            ],
        }
    ]
    assert [each["context"]["fromObjectId"] for each in found["errors"]] == [[lone], ["999999"]]
    assert {each["subCategory"] for each in found["errors"]} == {"crm.associations.NO_ASSOCIATIONS_FOUND"}
    await crm.post(READ, {"inputs": [{"id": "1001"}] * 1001}, 400)


async def test_ids_are_numbers_in_v4(crm: Caller, ann: str) -> None:
    found = await crm.post("/crm/v4/associations/0-1/company/batch/read", {"inputs": [{"id": ann}]})
    assert [each["toObjectId"] for each in found["results"][0]["to"]] == [1001, 1002]
    single = await crm.data(f"/crm/v4/objects/contact/{ann}/associations/0-2")
    assert [each["toObjectId"] for each in single["results"]] == [1001, 1002]
    old = await crm.data(f"/crm/v3/objects/contacts/{ann}/associations/companies")
    assert old["results"][0] == {"id": "1001", "type": "contact_to_company"}


async def test_the_other_direction(crm: Caller, ann: str) -> None:
    back = await read(crm, "1002", f"/crm/associations/{V}/companies/contacts/batch/read")
    assert [each["typeId"] for each in back[ann]] == [2, 280]


async def test_one_company_is_the_primary(crm: Caller, ann: str) -> None:
    path = f"/crm/objects/{V}/contacts/{ann}/associations/companies/1001"
    assert (await crm.call("PUT", path, [typed(1)])).status_code == 201
    assert await read(crm, ann) == {"1001": [PRIMARY, PLAIN], "1002": [PLAIN]}
    assert (await crm.one("contacts", ann, "associatedcompanyid"))["properties"]["associatedcompanyid"] == "1001"
    lone = await crm.make("contacts", lastname="Lone")
    default = f"/crm/objects/{V}/contacts/{lone}/associations/default/companies/1001"
    assert (await crm.call("PUT", default)).status_code == 200
    assert await read(crm, lone) == {"1001": [PRIMARY, PLAIN]}


async def test_a_change_of_associations_is_none_of_the_record(crm: Caller, ann: str) -> None:
    before = [await crm.one("contacts", ann), await crm.one("companies", "1001")]
    assert (await crm.call("DELETE", f"/crm/objects/{V}/contacts/{ann}/associations/companies/1001")).status_code == 204
    assert set(await read(crm, ann)) == {"1002"}
    assert [await crm.one("contacts", ann), await crm.one("companies", "1001")] == before


async def test_batches_link_and_part(crm: Caller, ann: str) -> None:
    dated, v4 = f"/crm/associations/{V}/contacts/companies/batch", "/crm/v4/associations/contacts/companies/batch"
    made = await crm.post(f"{dated}/associate/default", {"inputs": [pair(ann, "1003")]})
    assert [each["associationSpec"]["associationTypeId"] for each in made["results"]] == [279, 280]
    parting = {"inputs": [{"from": {"id": ann}, "to": [{"id": "1003"}, {"id": "999999"}]}]}
    assert (await crm.post(f"{dated}/archive", parting))["results"] == []
    await crm.post(f"{v4}/archive", {"inputs": [{"from": {"id": ann}, "to": [{"id": "1002"}]}]}, 204)
    assert set(await read(crm, ann)) == {"1001"}
    for wrong in (pair(ann, "999999"), pair("999999", "1001")):
        await crm.post(f"{dated}/associate/default", {"inputs": [wrong]}, 404)
    await crm.post(f"{dated}/create", {"inputs": [pair(ann, "1003", types=[typed(4)])]}, 400)


async def test_labels(crm: Caller, ann: str) -> None:
    labels = (await crm.data(f"/crm/associations/{V}/contacts/companies/labels"))["results"]
    assert (labels[0], labels[-1]) == (PRIMARY, PLAIN)
    own = [each for each in labels if each["category"] == "USER_DEFINED"]
    body = {"inputs": [pair(ann, "1003", types=[typed(own[0]["typeId"], "USER_DEFINED")])]}
    batch = f"/crm/associations/{V}/contacts/companies/batch"
    made = await crm.post(f"{batch}/create", body)
    assert made["results"][0]["labels"] == [own[0]["label"]]
    assert (await read(crm, ann))["1003"] == [own[0], PLAIN]
    await crm.post(f"{batch}/labels/archive", body)
    assert (await read(crm, ann))["1003"] == [PLAIN]


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("notes", (202, 190, 214)),
        ("calls", (194, 182, 206)),
        ("emails", (198, 186, 210)),
        ("meetings", (200, 188, 212)),
        ("tasks", (204, 192, 216)),
        ("deals", (3, 341, None)),
    ],
)
async def test_types_of_activities_and_deals(crm: Caller, kind: str, numbers: tuple[int | None, ...]) -> None:
    for other, number in zip(("contacts", "companies", "deals"), numbers, strict=True):
        if number:
            labels = (await crm.data(f"/crm/associations/{V}/{kind}/{other}/labels"))["results"]
            assert labels[-1] == {"category": "HUBSPOT_DEFINED", "typeId": number, "label": None}
    assert (await crm.get(f"/crm/associations/{V}/notes/notes/labels")).status_code == 400


async def test_very_many_associations_have_pages(crm: Caller) -> None:
    await crm.control("PUT", "data", {"size": 1200})
    path = f"/crm/associations/{V}/meetings/contacts/batch/read"
    seen: list[str] = []
    asked: dict[str, str] = {"id": "1001"}
    while asked:
        found = (await crm.post(path, {"inputs": [asked]}))["results"][0]
        seen += [each["toObjectId"] for each in found["to"]]
        asked = {"id": "1001", "after": found["paging"]["next"]["after"]} if "paging" in found else {}
        assert len(found["to"]) <= 500
    assert len(seen) == len(set(seen)) > 560
    pages = [page async for page in crm.pages(f"/crm/objects/{V}/meetings/1001/associations/contacts", limit=300)]
    assert [each["toObjectId"] for page in pages for each in page] == seen


async def test_archived_records_are_not_linked(crm: Caller, ann: str) -> None:
    await crm.call("DELETE", f"/crm/objects/{V}/companies/1002")
    assert set(await read(crm, ann)) == {"1001"}
    await crm.call("DELETE", f"/crm/objects/{V}/contacts/{ann}")
    assert (await crm.post(READ, {"inputs": [{"id": ann}]}, 207))["results"] == []
