"""Records that are made, changed and archived here."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, update

from resolvers.callers import Caller
from schema.build import schema
from storage import tables
from storage.listing import GlobalId
from storage.shapes import Role
from tests.schema.conftest import Home
from tests.schema.pages import Pages, person

SHOWN = {
    "contact": "id name firstName lastName jobTitle kind warmness isWarmLead email emails { value label primary } phone"
    " phones { value e164 primary } address { street city } tags customFields organization { id name } owner { email }"
    " archivedAt sources { externalId }",
    "organization": "id name domain website employeeCount tags customFields owner { email }",
    "deal": "id title amount { amount currency } status stage expectedCloseOn organization { name }"
    " contacts { nodes { name } }",
    "activity": "id kind subject body dueOn dueAt durationMinutes isDone contacts { nodes { name } } deal { title }"
    " organization { name }",
    "record": "id ... on Contact { archivedAt } ... on Deal { archivedAt }",
}
INPUTS = {
    "createContact": "contact",
    "updateContact": "contact",
    "createOrganization": "organization",
    "updateOrganization": "organization",
    "createDeal": "deal",
    "updateDeal": "deal",
    "logActivity": "activity",
    "updateActivity": "activity",
    "archiveRecord": "record",
}


async def write(home: Home, name: str, /, **given: Any) -> dict[str, Any]:
    """The record that a mutation answers with."""
    payload = await ask(home, name, given)
    assert payload["userErrors"] == []
    record: dict[str, Any] = payload[INPUTS[name]]
    return record


async def refuse(home: Home, name: str, /, **given: Any) -> tuple[str, str, str]:
    """The field, the code and the message of the one thing that is wrong."""
    payload = await ask(home, name, given)
    assert payload[INPUTS[name]] is None
    [error] = payload["userErrors"]
    return ".".join(error["field"][1:]), error["code"], error["message"]


async def ask(home: Home, name: str, given: dict[str, Any]) -> dict[str, Any]:
    kind = f"{name[0].upper()}{name[1:]}Input"
    shown = f"{INPUTS[name]} {{ {SHOWN[INPUTS[name]]} }} userErrors {{ field code message }}"
    query = f"mutation ($input: {kind}!) {{ {name}(input: $input) {{ {shown} }} }}"
    payload: dict[str, Any] = (await home.read(query, input=given))[name]
    return payload


async def read(home: Home, id: str) -> dict[str, Any]:
    query = f"query ($id: ID!) {{ contact(id: $id) {{ {SHOWN['contact']} }} }}"
    contact: dict[str, Any] = (await home.read(query, id=id))["contact"]
    return contact


@pytest.fixture
async def pages(home: Home) -> Pages:
    return await Pages.open(home)


# ---------------------------------------------------------------- making


async def test_a_contact_is_made_whole(home: Home) -> None:
    user = home.make(tables.CrmUser, integration_id=home.integration, external_id="7", email="Bo@acme.test")
    await home.add(user)
    acme = await write(
        home, "createOrganization", name="Acme ", website="https://www.acme.test/en", tags=["key", "key"]
    )
    assert (acme["name"], acme["domain"], acme["website"], acme["tags"]) == (
        "Acme", "acme.test", "https://www.acme.test/en", ["key"],
    )  # fmt: skip

    contact = await write(
        home,
        "createContact",
        name="Ann Maria  Lee",
        jobTitle="CEO",
        emails=[{"value": "a@acme.test"}, {"value": " ann@acme.test", "label": "work", "primary": True}],
        phones=[{"value": "+420 602 123 456"}],
        address={"city": "Prague"},
        organizationId=acme["id"],
        warmness=4,
        tags=["vip"],
        customFields={"Score": 7},
        ownerEmail="bo@acme.test",
    )

    assert contact == {
        "id": contact["id"],
        "name": "Ann Maria Lee",
        "firstName": "Ann Maria",
        "lastName": "Lee",
        "jobTitle": "CEO",
        "kind": "LEAD",
        "warmness": 4,
        "isWarmLead": True,
        "email": "ann@acme.test",
        "emails": [
            {"value": "ann@acme.test", "label": "work", "primary": True},
            {"value": "a@acme.test", "label": None, "primary": False},
        ],
        "phone": "+420602123456",
        "phones": [{"value": "+420 602 123 456", "e164": "+420602123456", "primary": True}],
        "address": {"street": None, "city": "Prague"},
        "tags": ["vip"],
        "customFields": {"Score": 7},
        "organization": {"id": acme["id"], "name": "Acme"},
        "owner": {"email": "Bo@acme.test"},
        "archivedAt": None,
        "sources": [],
    }
    assert await read(home, contact["id"]) == contact
    feed = await home.read("{ changes { nodes { kind cause recordId } } }")
    assert feed["changes"]["nodes"] == [
        {"kind": "CREATED", "cause": "MEMBER", "recordId": acme["id"]},
        {"kind": "CREATED", "cause": "MEMBER", "recordId": contact["id"]},
    ]


async def test_a_deal_and_an_activity_are_made(home: Home) -> None:
    ann = await write(home, "createContact", firstName="Ann")
    deal = await write(
        home, "createDeal", title="Pumps", amount={"amount": "1200.50", "currency": "eur"}, contactIds=[ann["id"]],
        expectedCloseOn="2026-12-01",
    )  # fmt: skip
    assert deal == {
        "id": deal["id"], "title": "Pumps", "amount": {"amount": "1200.50", "currency": "EUR"}, "status": "OPEN",
        "stage": None, "expectedCloseOn": "2026-12-01", "organization": None, "contacts": {"nodes": [{"name": "Ann"}]},
    }  # fmt: skip
    call = await write(
        home, "logActivity", contactIds=[ann["id"]], kind="CALL", subject="Hello", dueAt="2026-11-21T23:30:00-02:00",
        body="<b>Hi</b><script>x</script>", durationMinutes=15, dealId=deal["id"],
    )  # fmt: skip
    assert call == {
        "id": call["id"], "kind": "CALL", "subject": "Hello", "body": "<b>Hi</b>", "dueOn": "2026-11-22",
        "dueAt": "2026-11-22T01:30:00.000000Z", "durationMinutes": 15, "isDone": False,
        "contacts": {"nodes": [{"name": "Ann"}]}, "deal": {"title": "Pumps"}, "organization": None,
    }  # fmt: skip
    moved = await write(home, "updateActivity", activityId=call["id"], dueOn="2026-11-23", isDone=True)
    assert (moved["dueOn"], moved["dueAt"], moved["isDone"]) == ("2026-11-23", None, True)
    won = await write(home, "updateDeal", dealId=deal["id"], status="WON", amount=None, contactIds=None)
    assert (won["status"], won["amount"], won["contacts"], won["title"]) == ("WON", None, {"nodes": []}, "Pumps")


async def test_a_deal_that_is_made_here_makes_a_contact_of_a_lead(pages: Pages) -> None:
    home = pages.home
    await pages.store("Person", person(1, "bo@acme.test", name="Bo", day=1))
    [bo] = (await home.read("{ contacts { nodes { id kind } } }"))["contacts"]["nodes"]
    ann = await write(home, "createContact", firstName="Ann")
    eve = await write(home, "createContact", firstName="Eve", kind="LEAD")
    assert (bo["kind"], ann["kind"], eve["kind"]) == ("LEAD", "LEAD", "LEAD")
    deal = await write(home, "createDeal", title="Pumps", contactIds=[ann["id"], eve["id"]])
    await write(home, "updateDeal", dealId=deal["id"], contactIds=[ann["id"], bo["id"], eve["id"]])
    kinds = [(await read(home, each["id"]))["kind"] for each in (ann, bo, eve)]
    assert kinds == ["CONTACT", "CONTACT", "LEAD"], "what somebody has said of Eve stays"
    await pages.store("Person", person(1, "bo@acme.test", name="Bo Lee", day=2))
    assert (await read(home, bo["id"]))["kind"] == "CONTACT"
    await write(home, "archiveRecord", id=deal["id"])
    assert [(await read(home, each["id"]))["kind"] for each in (ann, bo)] == ["CONTACT", "LEAD"]


CLOSED = "query ($id: ID!) { deal(id: $id) { status closedAt conflicts { nodes { field } } } }"


async def test_a_deal_is_closed_when_it_is_won_or_lost(home: Home) -> None:
    deal = (await write(home, "createDeal", title="Pumps"))["id"]
    seen = []
    for status in ("OPEN", "WON", "WON", "LOST", "OPEN"):
        begun = datetime.now(UTC)
        await write(home, "updateDeal", dealId=deal, status=status)
        closed = (await home.read(CLOSED, id=deal))["deal"]["closedAt"]
        seen.append(None if closed is None else datetime.fromisoformat(closed) >= begun)
    assert seen == [None, True, False, True, None]


@pytest.mark.parametrize("policy", ["NEWEST_WINS", "LOCAL_WINS", "MANUAL"])
async def test_when_a_deal_was_closed_is_the_crms_word_once_it_has_one(pages: Pages, policy: str) -> None:
    home = pages.home
    async with home.database.session(home.workspace) as session:
        here = col(tables.Integration.workspace_id) == home.workspace
        await session.exec(update(tables.Integration).where(here).values(conflict_policy=policy))
    row = {"id": 7, "title": "Pumps", "status": "open", "update_time": "2026-01-01T10:00:00Z"}
    await pages.store("Deal", row)
    [deal] = (await home.read("{ deals { nodes { id } } }"))["deals"]["nodes"]
    await write(home, "updateDeal", dealId=deal["id"], status="WON")
    won = {"status": "won", "won_time": "2026-01-02T10:00:00Z", "update_time": "2026-01-02T10:00:00Z"}
    await pages.store("Deal", {**row, **won})
    found = (await home.read(CLOSED, id=deal["id"]))["deal"]
    assert found == {"status": "WON", "closedAt": "2026-01-02T10:00:00.000000Z", "conflicts": {"nodes": []}}


async def test_the_same_key_makes_one_record(home: Home) -> None:
    first = await write(home, "createContact", name="Ann", idempotencyKey="k1")
    await write(home, "updateContact", contactId=first["id"], jobTitle="CEO")
    again = await write(home, "createContact", name="Ann", idempotencyKey="k1")
    assert (again["id"], again["jobTitle"]) == (first["id"], "CEO")
    message = "The key was given before with another input: take a new key for another record."
    wrong = ("idempotencyKey", "BAD_INPUT", message)
    assert await refuse(home, "createContact", name="Bo", idempotencyKey="k1") == wrong
    assert await refuse(home, "createDeal", title="Ann", idempotencyKey="k1") == wrong
    assert (await write(home, "createContact", name="Ann", idempotencyKey="k2"))["id"] != first["id"]


async def test_who_comes_from_a_crm_with_the_address_is_the_same(pages: Pages) -> None:
    ann = await write(pages.home, "createContact", name="Ann Lee", emails=[{"value": "Ann@acme.test"}], warmness=5)
    await pages.store("Person", person(1, "ann@acme.test", name="Ann Lee", job_title="CEO"))
    found = await read(pages.home, ann["id"])
    assert found["sources"] == [{"externalId": "1"}]
    assert (found["name"], found["jobTitle"], found["warmness"], found["kind"]) == ("Ann Lee", "CEO", 5, "LEAD")
    assert found["emails"] == [{"value": "ann@acme.test", "label": None, "primary": True}]


async def test_nobody_is_made_twice(pages: Pages) -> None:
    await pages.store("Person", person(1, "ann@acme.test", name="Ann"))
    [there] = (await pages.home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"]
    query = """mutation { createContact(input: {emails: [{value: "ANN@acme.test"}]}) {
      contact { id } userErrors { field code message details } } }"""
    [error] = (await pages.home.read(query))["createContact"]["userErrors"]
    assert error == {
        "field": ["input", "emails"], "code": "BAD_INPUT", "details": {"recordId": there["id"]},
        "message": "There is a record with ann@acme.test already: update it.",
    }  # fmt: skip


# ---------------------------------------------------------------- changing


async def test_what_is_absent_stays_and_null_clears(home: Home) -> None:
    ann = await write(
        home, "createContact", name="Ann Lee", jobTitle="CEO", tags=["vip"], customFields={"a": 1, "b": 2}, warmness=2,
        emails=[{"value": "ann@acme.test"}],
    )  # fmt: skip
    changed = await write(
        home, "updateContact", contactId=ann["id"], jobTitle=None, customFields={"a": None, "c": [3]}, lastName="Poe",
    )  # fmt: skip
    assert changed == {
        **ann, "jobTitle": None, "customFields": {"b": 2, "c": [3]}, "lastName": "Poe", "name": "Ann Poe",
    }  # fmt: skip
    cleared = await write(
        home, "updateContact", contactId=ann["id"], warmness=None, tags=None, customFields=None, emails=None, kind="CONTACT"
    )  # fmt: skip
    assert cleared == {
        **changed, "warmness": None, "tags": [], "customFields": {}, "emails": [], "email": None, "kind": "CONTACT",
    }  # fmt: skip
    assert await write(home, "updateContact", contactId=ann["id"]) == cleared


async def test_a_local_value_outlives_syncs_until_the_crm_says_it_too(pages: Pages) -> None:
    await pages.store("Organization", {"id": 10, "name": "Acme"}, {"id": 11, "name": "Bolt"})
    await pages.store("Person", person(1, "ann@acme.test", name="Ann Lee", org_id=10, job_title="CEO", day=1))
    home = pages.home
    bolt = (await home.read('{ organizations(search: "Bolt") { nodes { id } } }'))["organizations"]["nodes"][0]["id"]
    ann = (await home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"][0]["id"]
    await write(
        home, "updateContact", contactId=ann, firstName="Anna", organizationId=bolt, tags=["vip"], jobTitle=None
    )

    await pages.store(
        "Person", person(1, "ann@acme.test", "a@b.test", name="Ann Lee", org_id=10, job_title="CEO", day=2)
    )
    held = await read(home, ann)
    assert (held["name"], held["jobTitle"], held["organization"]["name"], held["tags"]) == (
        "Anna Lee", None, "Bolt", ["vip"],
    )  # fmt: skip
    assert [each["value"] for each in held["emails"]] == ["ann@acme.test", "a@b.test"]

    await pages.store("Person", person(1, "ann@acme.test", name="Anna Lee", first_name="Anna", org_id=11, day=3))
    await pages.store("Person", person(1, "ann@acme.test", name="Eve Lee", first_name="Eve", org_id=10, day=4))
    found = await read(home, ann)
    assert (found["name"], found["organization"]["name"], found["tags"]) == ("Eve Lee", "Acme", ["vip"])


async def test_provenance_tells_what_was_written_here(pages: Pages) -> None:
    await pages.store("Person", person(1, "ann@acme.test", name="Ann", job_title="CEO"))
    ann = (await pages.home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"][0]["id"]
    await write(pages.home, "updateContact", contactId=ann, jobTitle="CTO", firstName="Anna")
    query = """query ($id: ID!) { contact(id: $id) { provenance(fields: ["jobTitle", "name", "email"]) {
      field value source { externalId } alternatives { value source { externalId } } } } }"""
    found = (await pages.home.read(query, id=ann))["contact"]["provenance"]
    one = {"externalId": "1"}
    assert sorted(found, key=lambda each: str(each["field"])) == [
        {"field": "email", "value": "ann@acme.test", "source": one, "alternatives": []},
        {"field": "jobTitle", "value": "CTO", "source": None, "alternatives": [{"value": "CEO", "source": one}]},
        {"field": "name", "value": "Anna", "source": None, "alternatives": [{"value": "Ann", "source": one}]},
    ]


async def test_the_id_of_a_merged_record_leads_to_the_other_one(home: Home) -> None:
    ann = await write(home, "createContact", name="Ann", jobTitle="CEO", warmness=3)
    bo = await write(home, "createContact", name="Bo", customFields={"a": 1})
    deal = await write(home, "createDeal", title="Pumps", contactIds=[ann["id"]])
    merge = """mutation ($keep: ID!, $merge: [ID!]!) {
      mergeRecords(input: {keepId: $keep, mergeIds: $merge}) { userErrors { code } } }"""
    await home.read(merge, keep=bo["id"], merge=[ann["id"]])
    found = await write(home, "updateContact", contactId=ann["id"], tags=["x"])
    assert found == {**bo, "jobTitle": "CEO", "warmness": 3, "tags": ["x"], "name": "Bo", "kind": "CONTACT"}
    kept = await write(home, "updateDeal", dealId=deal["id"], title="Pumps!")
    assert kept["contacts"] == {"nodes": [{"name": "Bo"}]}


async def merge(home: Home, keep: str, *others: str) -> None:
    query = """mutation ($keep: ID!, $merge: [ID!]!) {
      mergeRecords(input: {keepId: $keep, mergeIds: $merge}) { userErrors { code } } }"""
    found = await home.read(query, keep=keep, merge=list(others))
    assert found["mergeRecords"]["userErrors"] == []


def email(*addresses: str) -> list[dict[str, Any]]:
    return [{"value": one, "label": None, "primary": not number} for number, one in enumerate(addresses)]


async def test_two_that_were_made_here_have_the_lists_of_both(home: Home) -> None:
    given = {"emails": [{"value": "ann@a.test"}, {"value": "shared@b.test"}], "phones": [{"value": "+420602123456"}]}
    ann = await write(home, "createContact", firstName="Ann", jobTitle="CEO", tags=["vip"], **given)
    bo = await write(
        home, "createContact", name="Bo Lee", jobTitle="CTO", address={"city": "Prague"}, tags=["new", "vip"],
        emails=[{"value": "Bo@b.test"}], phones=[{"value": "+420602999999"}, {"value": "+420 602 123 456"}],
        customFields={"Score": 7},
    )  # fmt: skip
    cy = await write(
        home, "createContact", name="Cy", emails=[{"value": "cy@c.test"}], customFields={"Score": 8, "b": 1}
    )
    await merge(home, ann["id"], bo["id"], cy["id"])
    found = await read(home, ann["id"])
    assert [each["value"] for each in found["emails"]][:2] == ["ann@a.test", "shared@b.test"]
    assert {each["value"] for each in found["emails"]} == {"ann@a.test", "shared@b.test", "Bo@b.test", "cy@c.test"}
    assert [each["primary"] for each in found["emails"]] == [True, False, False, False]
    assert [each["e164"] for each in found["phones"]] == ["+420602123456", "+420602999999"]
    assert (found["email"], found["phone"], found["tags"]) == ("ann@a.test", "+420602123456", ["vip", "new"])
    assert (found["name"], found["jobTitle"], found["address"]["city"]) == ("Ann", "CEO", "Prague")
    assert found["customFields"] == {"Score": 8, "b": 1}, "of several that become part of it the last written counts"


@pytest.mark.parametrize("kept", ["here", "there"])
async def test_one_from_a_crm_and_one_made_here_have_the_addresses_of_both(pages: Pages, kept: str) -> None:
    home = pages.home
    await pages.store("Person", person(1, "ann@a.test", name="Ann Lee", day=1))
    [there] = (await home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"]
    here = await write(home, "createContact", name="Ann", emails=[{"value": "ann@b.test"}])
    ids = [here["id"], there["id"]]
    keep, other = ids if kept == "here" else reversed(ids)
    await merge(home, keep, other)
    both = ["ann@b.test", "ann@a.test"] if kept == "here" else ["ann@a.test", "ann@b.test"]
    assert (await read(home, keep))["emails"] == email(*both)
    await pages.store("Person", person(1, "ann@a.test", name="Ann Lee", day=2))
    assert (await read(home, keep))["emails"] == email(*both)
    await pages.store("Person", person(2, "ann@b.test", "ann@c.test", name="Ann Lee", day=2), account=1)
    assert {each["value"] for each in (await read(home, keep))["emails"]} == {*both, "ann@c.test"}


async def test_who_is_split_off_takes_the_addresses_along(pages: Pages) -> None:
    home = pages.home
    await pages.store("Person", person(1, "ann@a.test", "us@a.test", name="Ann", day=1))
    await pages.store("Person", person(2, "bo@b.test", "us@a.test", name="Bo", day=1), account=1)
    [ann] = (await home.read("{ contacts { nodes { id sources { id externalId } } } }"))["contacts"]["nodes"]
    here = await write(home, "createContact", name="Ann", emails=[{"value": "ann@c.test"}])
    await merge(home, ann["id"], here["id"])
    [bo] = [each["id"] for each in ann["sources"] if each["externalId"] == "2"]
    query = """mutation ($id: ID!) { splitRecord(input: {sourceRecordId: $id}) {
      separated { ... on Contact { id emails { value label primary } } } userErrors { code } } }"""
    split = (await home.read(query, id=bo))["splitRecord"]
    assert (split["userErrors"], split["separated"]["emails"]) == ([], email("bo@b.test", "us@a.test"))
    assert (await read(home, ann["id"]))["emails"] == email("ann@a.test", "us@a.test", "ann@c.test")


async def test_what_a_merge_has_added_goes_out(pages: Pages) -> None:
    home, made = pages.home, list[str]()
    for account, direction in enumerate(("BIDIRECTIONAL", "INBOUND")):
        async with home.database.session(home.workspace) as session:
            here = col(tables.Integration.id) == pages.integrations[account].id
            await session.exec(update(tables.Integration).where(here).values(direction=direction))
        await pages.store("Person", person(1, f"ann@{account}.test", name="Ann Lee", day=1), account=account)
    for each in (await home.read("{ contacts(orderBy: [{field: EMAIL}]) { nodes { id } } }"))["contacts"]["nodes"]:
        made.append(each["id"])
    await write(home, "updateContact", contactId=made[1], emails=[{"value": "ann@1.test"}, {"value": "ann@2.test"}])
    await merge(home, *made)
    assert (await read(home, made[0]))["emails"] == email("ann@0.test", "ann@1.test", "ann@2.test")
    found = await home.read("{ pushes { nodes { integration { id } record { id } status } } }")
    assert found["pushes"]["nodes"] == [
        {"integration": {"id": pages.gid(0)}, "record": {"id": made[0]}, "status": "PENDING"}
    ]


# ---------------------------------------------------------------- archiving


async def test_no_sync_brings_back_what_was_archived_here(pages: Pages) -> None:
    await pages.store("Person", person(1, "ann@acme.test", name="Ann", day=1))
    home = pages.home
    ann = (await home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"][0]["id"]
    archived = await write(home, "archiveRecord", id=ann)
    assert archived == {"id": ann, "archivedAt": archived["archivedAt"]}
    assert archived["archivedAt"] is not None
    await pages.store("Person", person(1, "ann@acme.test", name="Ann Lee", day=2))
    found = await read(home, ann)
    assert (found["name"], found["archivedAt"]) == ("Ann Lee", archived["archivedAt"])
    assert (await home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"] == []
    assert await write(home, "archiveRecord", id=ann) == archived, "done again, it changes nothing"
    message = "The record is archived: it cannot be changed any more."
    assert await refuse(home, "updateContact", contactId=ann, name="Eve") == ("contactId", "BAD_INPUT", message)
    integration = str(GlobalId("Integration", home.integration))
    assert await refuse(home, "archiveRecord", id=integration) == ("id", "NOT_FOUND", "There is no such record.")


async def test_nothing_new_is_linked_to_what_is_archived(home: Home) -> None:
    ann, bo = await write(home, "createContact", name="Ann"), await write(home, "createContact", name="Bo")
    acme = await write(home, "createOrganization", name="Acme")
    deal = await write(home, "createDeal", title="Pumps", contactIds=[ann["id"]], organizationId=acme["id"])
    links = {"contactIds": [ann["id"]], "organizationId": acme["id"], "dealId": deal["id"]}
    given = {"kind": "CALL", "subject": "Hello"}
    kept = await write(home, "createDeal", title="Pipes", contactIds=[ann["id"]], organizationId=acme["id"])
    for each in (ann, acme, deal):
        await write(home, "archiveRecord", id=each["id"])
    for name, value in links.items():
        told = (name, "BAD_INPUT", "The record is archived: nothing new can be linked to it.")
        assert await refuse(home, "logActivity", **given, **{"contactIds": [bo["id"]], name: value}) == told
    both = {"contactIds": [ann["id"], bo["id"]], "organizationId": acme["id"]}
    again = await write(home, "updateDeal", dealId=kept["id"], **both)
    assert again["organization"] == {"name": "Acme"}
    query = "query ($id: ID!) { deal(id: $id) { contacts(archived: INCLUDE) { nodes { name } } } }"
    found = (await home.read(query, id=kept["id"]))["deal"]["contacts"]["nodes"]
    assert {each["name"] for each in found} == {"Ann", "Bo"}, "it stays where it is"


# ---------------------------------------------------------------- what is wrong

NEEDED = "A contact needs a name, an e-mail address or a phone number."
ODD = "A key has no NUL, and no half of a surrogate pair."
NOWHERE = str(GlobalId("Contact", UUID(int=1)))
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("createContact", {"jobTitle": "CEO"}, "name", NEEDED),
    ("createContact", {"name": " "}, "name", NEEDED),
    ("createContact", {"name": "x" * 256}, "name", "It has 255 characters at most."),
    ("createContact", {"name": "A", "warmness": 6}, "warmness", "It is a whole number from 0 to 5."),
    ("createContact", {"emails": [{"value": "ann"}]}, "emails", "'ann' is no e-mail address."),
    ("createContact", {"phones": [{"value": "none"}]}, "phones", "'none' is no phone number."),
    ("createContact", {"name": "A", "customFields": [1]}, "customFields",
     "It is an object: the names of the custom fields with their values, null for none."),
    ("createContact", {"name": "A", "ownerEmail": "x@y.test"}, "ownerEmail",
     "Nobody with the address 'x@y.test' is a user of a connected CRM."),
    ("createContact", {"name": "A", "idempotencyKey": ""}, "idempotencyKey", "A key has 1 to 200 characters."),
    ("createContact", {"name": "A", "idempotencyKey": "a\0b"}, "idempotencyKey", ODD),
    ("createContact", {"name": "A", "idempotencyKey": "a\ud800"}, "idempotencyKey", ODD),
    ("createContact", {"name": "A", "ownerEmail": "a\0@b.test"}, "ownerEmail",
     "Nobody with the address 'a@b.test' is a user of a connected CRM."),
    ("createContact", {"name": "A", "customFields": {"": 1}}, "customFields",
     "'' is no name of a custom field: it has 1 to 100 characters and no dot."),
    ("createOrganization", {"name": ""}, "name", "It cannot be empty."),
    *(("createOrganization", {"name": "A", "website": each}, "website",
       f"{each!r} is no address of a website, as in https://acme.com.")
      for each in ("javascript:alert(1)", "javascript:1", "ftp://acme.com", "mailto:a@acme.com", "acme", "https://")),
    ("createOrganization", {"name": "A", "domain": "acme"}, "domain", "'acme' is no internet domain."),
    ("createDeal", {"title": "A", "amount": {"amount": 1, "currency": "EURO"}}, "amount",
     "The currency is a code of three letters of ISO 4217, as in EUR."),
    ("logActivity", {"contactIds": [], "kind": "CALL", "subject": "A"}, "contactIds", "Give 1 to 100 ids."),
    ("logActivity", {"contactIds": [NOWHERE], "kind": "OTHER", "subject": "A"}, "kind",
     "Give one of CALL, EMAIL, MEETING, TASK, NOTE, LINKEDIN, REFERRAL, CONFERENCE."),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "field", "message"), BAD)
async def test_what_is_wrong_is_named(home: Home, name: str, given: dict[str, Any], field: str, message: str) -> None:
    assert await refuse(home, name, **given) == (field, "BAD_INPUT", message)
    assert (await home.read("{ changes { nodes { kind } } }"))["changes"]["nodes"] == []


async def test_a_day_and_a_moment_can_be_those_of_another_zone_but_not_of_another_day(home: Home) -> None:
    ann = await write(home, "createContact", name="Ann")
    given = {"contactIds": [ann["id"]], "kind": "CALL", "subject": "A", "dueAt": "2026-12-01T23:30:00-05:00"}
    for day in ("2026-12-01", "2026-12-02"):
        call = await write(home, "logActivity", **given, dueOn=day)
        assert (call["dueOn"], call["dueAt"]) == (day, "2026-12-02T04:30:00.000000Z")
    message = "It is another day than that of dueAt: give one of them, or the same day in both."
    for day in ("2026-11-30", "2026-12-03"):
        assert await refuse(home, "logActivity", **given, dueOn=day) == ("dueOn", "BAD_INPUT", message)


async def test_what_no_database_takes_is_taken_out(home: Home) -> None:
    given = {"name": "A\0nn \ud800", "tags": ["a\0"], "idempotencyKey": "k"}
    made = await write(home, "createContact", **given)
    assert (made["name"], made["tags"]) == ("Ann \ufffd", ["a"])
    assert (await write(home, "createContact", **given))["id"] == made["id"]


async def test_ids_of_nothing_are_not_found(home: Home) -> None:
    gone = ("organizationId", "NOT_FOUND", "There is no such organization.")
    nothing = str(GlobalId("Organization", UUID(int=1)))
    assert await refuse(home, "createContact", name="A", organizationId=nothing) == gone
    assert await refuse(home, "createContact", name="A", organizationId=NOWHERE) == gone
    gone = ("contactId", "NOT_FOUND", "There is no such contact.")
    assert await refuse(home, "updateContact", contactId=NOWHERE, name="A") == gone
    assert await refuse(home, "updateContact", contactId=nothing, name="A") == gone


async def test_a_contact_keeps_what_it_is_known_by(home: Home) -> None:
    ann = await write(home, "createContact", name="Ann")
    assert await refuse(home, "updateContact", contactId=ann["id"], name=None) == ("name", "BAD_INPUT", NEEDED)
    assert await read(home, ann["id"]) == ann


async def test_a_viewer_writes_nothing(home: Home) -> None:
    caller = Caller(workspace_id=home.workspace, member_id=home.member, role=Role.VIEWER)
    query = 'mutation { createContact(input: {name: "Ann"}) { contact { id } } }'
    answer = await schema.execute(query, context_value=replace(home.context(), caller=caller))
    assert answer.errors is not None
    assert [error.extensions for error in answer.errors] == [{"code": "FORBIDDEN", "requiredRole": "OPERATOR"}]


async def test_warm_leads_are_found_by_the_threshold(home: Home) -> None:
    for name, warmth in (("Cold", 1), ("Warm", 4), ("Hot", 5), ("None", None)):
        await write(home, "createContact", name=name, **({} if warmth is None else {"warmness": warmth}))
    query = """{
      warm: contacts(filter: {isWarmLead: true}, orderBy: [{field: WARMNESS, direction: DESC}]) { nodes { name } }
      others: contacts(filter: {isWarmLead: false}, orderBy: [{field: NAME}]) { nodes { name } }
      low: contacts(filter: {warmness: {lt: 4}}) { nodes { name } } }"""
    names = [{"name": each} for each in ("Hot", "Warm", "Cold", "None")]
    expected = {"warm": {"nodes": names[:2]}, "others": {"nodes": names[2:]}, "low": {"nodes": names[2:3]}}
    assert await home.read(query) == expected
