"""Properties over the wire."""

from typing import Any

import pytest

from tests.sandbox.hubspot.caller import Caller, V

CONTACTS = f"/crm/properties/{V}/contacts"


async def by_name(crm: Caller, kind: str) -> dict[str, Any]:
    return {each["name"]: each for each in (await crm.data(f"/crm/properties/{V}/{kind}"))["results"]}


async def test_properties_of_every_type(crm: Caller, small: Caller) -> None:
    for kind in ("contacts", "companies", "deals", "calls", "emails", "meetings", "tasks", "notes"):
        found = await by_name(crm, kind)
        assert len(found) >= 45
        assert all(each["options"] for each in found.values() if each["type"] == "bool")
        assert {"hs_object_id", "hubspot_owner_id", "hs_merged_object_ids"} <= set(found)
    contacts = await by_name(crm, "contacts")
    assert "hs_lastmodifieddate" not in contacts
    assert {each["type"] for each in contacts.values()} == {
        "string", "number", "date", "datetime", "enumeration", "bool",
    }  # fmt: skip
    own = [each for each in contacts.values() if not each["hubspotDefined"]]
    assert [each["type"] for each in own if each["label"] == "Region"] == ["string", "enumeration"]
    assert contacts["hubspot_owner_id"]["referencedObjectType"] == "OWNER"
    assert contacts["hs_object_id"]["modificationMetadata"]["readOnlyValue"] is True
    assert [option["value"] for option in contacts["lifecyclestage"]["options"]][-2:] == ["other", "1054321"]
    assert ("deal_currency_code" in await by_name(crm, "deals"), "deal_currency_code" in await by_name(small, "deals")) == (
        True, False,
    )  # fmt: skip


async def test_every_value_is_of_a_property_there_is(crm: Caller) -> None:
    """What is shown of records is no more than what properties say."""
    for kind in await crm.counts():
        names = list(await by_name(crm, kind))
        body = {"inputs": [{"id": "1001"}], "properties": names}
        shown = (await crm.post(f"/crm/objects/{V}/{kind}/batch/read", body))["results"][0]
        assert set(shown["properties"]) == set(names)


async def test_a_property_is_made_changed_and_archived(crm: Caller) -> None:
    given = {"name": "colour", "label": "Colour", "type": "enumeration", "fieldType": "select",
             "groupName": "contactinformation", "options": [{"label": "Red", "value": "red"}]}  # fmt: skip
    made = await crm.post(CONTACTS, given, 201)
    assert (made["hubspotDefined"], made["options"][0]["displayOrder"]) == (False, 0)
    key = await crm.make("contacts", lastname="Lee", colour="red")
    options = [{"label": "Blue", "value": "blue", "displayOrder": 0, "hidden": False}]
    changed = await crm.call("PATCH", f"{CONTACTS}/colour", {"options": options, "label": "Hue"})
    assert (changed.json()["label"], changed.json()["options"]) == ("Hue", options)
    assert (await crm.change("contacts", key, colour="red")).status_code == 400
    assert (await crm.call("DELETE", f"{CONTACTS}/colour")).status_code == 204
    assert (await crm.get(f"{CONTACTS}/colour")).status_code == 404
    assert "colour" not in (await crm.one("contacts", key, "colour"))["properties"]


async def test_a_thousand_properties(crm: Caller) -> None:
    for start in range(0, 1000, 100):
        inputs = [
            {"name": f"many_{n}", "label": f"Many {n}", "type": "string", "fieldType": "text",
             "groupName": "contactinformation"}
            for n in range(start, start + 100)
        ]  # fmt: skip
        await crm.post(f"{CONTACTS}/batch/create", {"inputs": inputs}, 201)
    names = [name for name in await by_name(crm, "contacts") if name.startswith("many_")]
    assert len(names) == 1000
    found = await crm.post(f"/crm/objects/{V}/contacts/batch/read", {"inputs": [{"id": "1001"}], "properties": names})
    assert len(found["results"][0]["properties"]) == 1003
    assert (await crm.get(f"/crm/objects/{V}/contacts", properties=",".join(names))).status_code == 414


async def test_what_is_refused(crm: Caller) -> None:
    given = {"name": "shade", "label": "Shade", "type": "string", "fieldType": "text", "groupName": "x"}
    for wrong in ({"name": "Shade!"}, {"type": "colour"}, {"fieldType": "select"}, {"label": ""}):
        await crm.post(CONTACTS, {**given, **wrong}, 400)
    refused = await crm.post(CONTACTS, {**given, "name": "email"}, 409)
    assert refused["subCategory"] == "Properties.PROPERTY_WITH_NAME_EXISTS"
    for name, body in (
        ("email", {"label": "Mail"}),
        ("hs_merged_object_ids", {"options": []}),
        ("region", {"name": "x"}),
    ):
        assert (await crm.call("PATCH", f"{CONTACTS}/{name}", body)).status_code == 400
    assert (await crm.call("DELETE", f"{CONTACTS}/email")).status_code == 400


@pytest.mark.parametrize("name", ["hs_lead_status", "lifecyclestage"])
async def test_options_of_the_vendors_own_can_be_extended(crm: Caller, name: str) -> None:
    options = (await crm.data(f"{CONTACTS}/{name}"))["options"]
    more = [*options, {"label": "Warm", "value": "warm", "displayOrder": 99, "hidden": False}]
    assert (await crm.call("PATCH", f"{CONTACTS}/{name}", {"options": more})).status_code == 200
    assert await crm.make("contacts", lastname="Lee", **{name: "warm"})
