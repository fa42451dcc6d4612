"""The same field changed here and in a CRM: whose value counts, and what a person decides."""

from typing import Any
from uuid import UUID

import pytest
from sqlmodel import col, update

from connectors.facts import Catalog
from connectors.mapping import map_record
from storage import tables
from storage.listing import GlobalId
from storage.outbound import Conflict, Push
from sync.pages import Writer
from tests.schema.conftest import Home
from tests.schema.pages import TYPES, Pages, person

OLDER, NEWER = "2026-01-05T10:00:00Z", "2126-01-05T10:00:00Z"
"""Than whatever is written here."""

CONTACT = "query ($id: ID!) { contact(id: $id) { name jobTitle phone conflicts { nodes { id field status } } } }"
CONFLICTS = """
query ($integrationId: ID, $status: [ConflictStatus!]) { conflicts(integrationId: $integrationId, status: $status) {
  totalCount nodes { id field base local remote status resolution resolvedBy { name } resolvedAt
    record { id } source { externalId } } } }
"""
UPDATE = "mutation ($input: UpdateContactInput!) { updateContact(input: $input) { userErrors { message } } }"
RESOLVE = """
mutation ($ids: [ID!]!, $resolution: ConflictResolution!, $value: JSON) {
  resolveConflicts(input: {conflictIds: $ids, resolution: $resolution, value: $value}) {
    conflicts { status resolution resolvedBy { name } } userErrors { field code message } } }
"""


@pytest.fixture
async def pages(home: Home) -> Pages:
    return await Pages.open(home)


async def choose(pages: Pages, policy: str) -> None:
    """What the accounts do about conflicts."""
    async with pages.home.database.session(pages.home.workspace) as session:
        here = col(tables.Integration.workspace_id) == pages.home.workspace
        await session.exec(update(tables.Integration).where(here).values(conflict_policy=policy))


async def come(pages: Pages, at: str, **values: Any) -> None:
    """The CRM's person, changed at a time."""
    await pages.store("Person", person(1, "ann@acme.test", **{"name": "Ann", "update_time": at, **values}))


async def begin(pages: Pages, policy: str, **written: Any) -> str:
    """A person who is CEO in the CRM, and something else here; gives the id."""
    await choose(pages, policy)
    await come(pages, "2026-01-01T10:00:00Z", job_title="CEO")
    [contact] = (await pages.home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"]
    found: str = contact["id"]
    await change(pages, found, **(written or {"jobTitle": "CTO"}))
    return found


async def change(pages: Pages, id: str, **written: Any) -> None:
    found = await pages.home.read(UPDATE, input={"contactId": id, **written})
    assert found["updateContact"]["userErrors"] == []


async def title(pages: Pages, id: str) -> tuple[str | None, list[str]]:
    """What is shown, and how the contact's conflicts stand."""
    contact = (await pages.home.read(CONTACT, id=id))["contact"]
    return contact["jobTitle"], [each["status"] for each in contact["conflicts"]["nodes"]]


async def list_all(pages: Pages, **about: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await pages.home.read(CONFLICTS, **about))["conflicts"]["nodes"]
    return found


async def resolve(pages: Pages, resolution: str, value: Any = None) -> dict[str, Any]:
    """All that are open."""
    ids = [each["id"] for each in await list_all(pages, status=["OPEN"])]
    payload: dict[str, Any] = (await pages.home.read(RESOLVE, ids=ids, resolution=resolution, value=value))[
        "resolveConflicts"
    ]
    return payload


@pytest.mark.parametrize(
    ("policy", "at", "shown", "conflicts"),
    [
        ("NEWEST_WINS", OLDER, "CTO", []),
        ("NEWEST_WINS", NEWER, "CFO", []),
        ("CRM_WINS", OLDER, "CFO", []),
        ("LOCAL_WINS", NEWER, "CTO", []),
        ("MANUAL", NEWER, "CTO", ["OPEN"]),
    ],
)
async def test_the_policy_decides(pages: Pages, policy: str, at: str, shown: str, conflicts: list[str]) -> None:
    ann = await begin(pages, policy)
    await come(pages, at, job_title="CFO")
    assert await title(pages, ann) == (shown, conflicts)


@pytest.mark.parametrize("policy", ["NEWEST_WINS", "CRM_WINS", "LOCAL_WINS", "MANUAL"])
async def test_different_fields_are_both_kept(pages: Pages, policy: str) -> None:
    ann = await begin(pages, policy)
    await come(pages, NEWER, job_title="CEO", name="Ann Lee", phones=[{"value": "+420602123456"}])
    contact = (await pages.home.read(CONTACT, id=ann))["contact"]
    assert contact == {"name": "Ann Lee", "jobTitle": "CTO", "phone": "+420602123456", "conflicts": {"nodes": []}}


async def test_a_conflict_says_what_both_sides_say(pages: Pages) -> None:
    ann = await begin(pages, "MANUAL")
    await come(pages, OLDER, job_title="CFO")
    await come(pages, NEWER, job_title="COO")
    [conflict] = await list_all(pages)
    assert conflict == {
        "id": conflict["id"],
        "field": "jobTitle",
        "base": "CEO",
        "local": "CTO",
        "remote": "COO",
        "status": "OPEN",
        "resolution": None,
        "resolvedBy": None,
        "resolvedAt": None,
        "record": {"id": ann},
        "source": {"externalId": "1"},
    }
    told = (await pages.home.read("{ notifications { nodes { code message record { id } } } }"))["notifications"]
    message = "jobTitle has changed both here and in Account 0: decide which value counts."
    assert told["nodes"] == [{"code": "CONFLICT", "message": message, "record": {"id": ann}}]
    node = "query ($id: ID!) { node(id: $id) { ... on Conflict { field } } }"
    assert await pages.home.read(node, id=conflict["id"]) == {"node": {"field": "jobTitle"}}
    assert await list_all(pages, integrationId=pages.gid(0), status=["OPEN"]) == [conflict]
    assert await list_all(pages, integrationId=pages.gid(1)) == []
    assert await list_all(pages, status=["RESOLVED"]) == []


async def test_both_sides_agree_again_by_themselves(pages: Pages) -> None:
    ann = await begin(pages, "MANUAL")
    await come(pages, OLDER, job_title="CFO")
    await come(pages, NEWER, job_title="CTO ")
    assert await title(pages, ann) == ("CTO ", ["RESOLVED"])
    assert [(each["resolution"], each["resolvedBy"]) for each in await list_all(pages)] == [(None, None)]


@pytest.mark.parametrize(
    ("resolution", "value", "shown"), [("LOCAL", None, "CTO"), ("CRM", None, "CFO"), ("VALUE", " Chair", "Chair")]
)
async def test_a_person_decides(pages: Pages, resolution: str, value: str | None, shown: str) -> None:
    ann = await begin(pages, "MANUAL")
    await come(pages, OLDER, job_title="CFO")
    payload = await resolve(pages, resolution, value)
    ada = {"status": "RESOLVED", "resolution": resolution, "resolvedBy": {"name": "Ada"}}
    assert payload == {"conflicts": [ada], "userErrors": []}
    assert await title(pages, ann) == (shown, ["RESOLVED"])
    await come(pages, "2026-01-06T10:00:00Z", job_title="CFO", name="Ann Lee")
    assert await title(pages, ann) == (shown, ["RESOLVED"]), "what is decided stays so"
    await come(pages, NEWER, job_title="COO")
    assert await title(pages, ann) == (
        ("COO", ["RESOLVED"]) if resolution == "CRM" else (shown, ["OPEN", "RESOLVED"])
    ), "another change of the CRM is another question"


async def test_a_new_value_decides_nothing_that_is_open(pages: Pages) -> None:
    ann = await begin(pages, "MANUAL")
    await come(pages, OLDER, job_title="CFO")
    await change(pages, ann, jobTitle="Chair")
    [conflict] = await list_all(pages)
    assert (conflict["status"], conflict["base"], conflict["local"], conflict["remote"]) == (
        "OPEN", "CEO", "Chair", "CFO",
    )  # fmt: skip
    await change(pages, ann, jobTitle="CFO")
    assert await title(pages, ann) == ("CFO", ["RESOLVED"])


async def test_what_a_crm_makes_of_ours_is_no_change_of_its_own(pages: Pages) -> None:
    ann = await begin(pages, "CRM_WINS")
    account, external = pages.integrations[0], TYPES["Person"]
    sent = person(1, "ann@acme.test", name="Ann Lee", job_title="C.T.O.", update_time=NEWER)
    async with pages.home.database.session(pages.home.workspace) as session:
        writer = Writer(pages.home.database, session, account)
        writer.settler.holder.expect((account.id, external.name, "1"), ["job_title"])
        await writer.store_page(external, [map_record(external, sent, Catalog())])
    contact = (await pages.home.read(CONTACT, id=ann))["contact"]
    assert (contact["name"], contact["jobTitle"]) == ("Ann Lee", "CTO")
    await come(pages, "2126-01-06T10:00:00Z", job_title="C.T.O.", name="Ann")
    assert await title(pages, ann) == ("CTO", [])
    await come(pages, "2126-01-07T10:00:00Z", job_title="CFO")
    assert await title(pages, ann) == ("CFO", [])


async def test_each_source_is_asked_for_itself(pages: Pages) -> None:
    await choose(pages, "MANUAL")
    for account in (0, 1):
        await pages.store("Person", person(1 + account, "ann@acme.test", name="Ann", job_title="CEO"), account=account)
    [contact] = (await pages.home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"]
    await change(pages, contact["id"], jobTitle="CTO")
    await pages.store("Person", person(2, "ann@acme.test", name="Ann", job_title="CFO", update_time=NEWER), account=1)
    assert [(each["source"], each["remote"]) for each in await list_all(pages)] == [({"externalId": "2"}, "CFO")]
    await resolve(pages, "CRM")
    assert await title(pages, contact["id"]) == ("CFO", ["RESOLVED"])


async def test_what_has_parts_and_relations_are_told_as_their_fields_are(pages: Pages) -> None:
    home = pages.home
    await choose(pages, "MANUAL")
    await pages.store("Organization", *({"id": key, "name": name} for key, name in ((10, "A"), (11, "B"), (12, "C"))))
    deal = {"id": 1, "title": "Pumps", "value": 100, "currency": "EUR", "status": "open", "org_id": 10}
    await pages.store("Deal", {**deal, "update_time": OLDER})
    names = "{ organizations(orderBy: [{field: NAME}]) { nodes { id } } deals { nodes { id } } }"
    found = await home.read(names)
    a, b, c = (each["id"] for each in found["organizations"]["nodes"])
    given = {
        "dealId": found["deals"]["nodes"][0]["id"],
        "amount": {"amount": "200", "currency": "EUR"},
        "organizationId": b,
    }
    write = "mutation ($input: UpdateDealInput!) { updateDeal(input: $input) { userErrors { message } } }"
    await home.read(write, input=given)
    await pages.store("Deal", {**deal, "value": 300.5, "currency": "USD", "org_id": 12, "update_time": NEWER})
    said = {each["field"]: (each["base"], each["local"], each["remote"]) for each in await list_all(pages)}
    assert said == {
        "amount": (
            {"amount": "100", "currency": "EUR"},
            {"amount": "200", "currency": "EUR"},
            {"amount": "300.5", "currency": "USD"},
        ),
        "organization": (a, b, c),
    }
    [amount] = [each["id"] for each in await list_all(pages) if each["field"] == "amount"]
    value = {"amount": "250", "currency": "CZK"}
    payload = (await home.read(RESOLVE, ids=[amount], resolution="VALUE", value=value))["resolveConflicts"]
    assert payload["userErrors"] == []
    shown = (await home.read("{ deals { nodes { amount { amount currency } organization { id } } } }"))["deals"][
        "nodes"
    ]
    assert shown == [{"amount": value, "organization": {"id": b}}]


async def test_what_cannot_be_resolved(pages: Pages) -> None:
    ann = await begin(pages, "MANUAL")
    await come(pages, OLDER, job_title="CFO")
    [conflict] = await list_all(pages)

    async def refuse(*ids: str, value: Any = None) -> dict[str, Any]:
        resolution = "CRM" if value is None else "VALUE"
        payload = (await pages.home.read(RESOLVE, ids=list(ids), resolution=resolution, value=value))[
            "resolveConflicts"
        ]
        assert payload["conflicts"] == []
        [error] = payload["userErrors"]
        return dict(error)

    def told(field: str, code: str, message: str) -> dict[str, Any]:
        return {"field": ["input", field], "code": code, "message": message}

    gone = told("conflictIds", "NOT_FOUND", "There is no such conflict.")
    assert await refuse(conflict["id"], str(GlobalId("Conflict", UUID(int=1)))) == gone
    assert await refuse(ann) == gone
    assert await refuse() == told("conflictIds", "BAD_INPUT", "Give 1 to 100 conflicts.")
    long = told("value", "BAD_INPUT", "It has 255 characters at most.")
    assert await refuse(conflict["id"], value="x" * 256) == long
    assert await refuse(conflict["id"], value={"a": 1}) == told("value", "BAD_INPUT", "It is a text.")
    assert await title(pages, ann) == ("CTO", ["OPEN"])
    await resolve(pages, "CRM")
    message = "It is resolved already; a later change of the CRM opens another one."
    assert await refuse(conflict["id"]) == told("conflictIds", "ALREADY_ENDED", message)


async def test_what_was_sent_before_is_known_when_it_comes_back(pages: Pages) -> None:
    ann = await begin(pages, "CRM_WINS")
    key = GlobalId.read(ann).key
    about = {"integration_id": pages.integrations[0].id, "record_type": "CONTACT", "record_id": key}
    push = pages.home.make(
        Push, kind="EDIT", status="SENDING", claim=1, progress={"sent": {"job_title": "CTO"}}, **about
    )
    await pages.home.add(push)
    await change(pages, ann, jobTitle="Chair")
    await come(pages, NEWER, job_title="CTO", name="Ann Lee")
    contact = (await pages.home.read(CONTACT, id=ann))["contact"]
    assert (contact["name"], contact["jobTitle"]) == ("Ann Lee", "Chair")
    await come(pages, "2126-01-07T10:00:00Z", job_title="CFO")
    assert await title(pages, ann) == ("CFO", [])


async def test_an_activity_keeps_its_kind_where_a_crm_has_no_word_for_it(pages: Pages) -> None:
    home = pages.home
    await come(pages, OLDER)
    [contact] = (await home.read("{ contacts { nodes { id } } }"))["contacts"]["nodes"]
    log = "mutation ($input: LogActivityInput!) { logActivity(input: $input) { activity { id } userErrors { code } } }"
    given = {"contactIds": [contact["id"]], "kind": "LINKEDIN", "subject": "Hello"}
    key = (await home.read(log, input=given))["logActivity"]["activity"]["id"]
    external = TYPES["Activity"]
    made = {"id": 5, "subject": "Hello!", "type": "task", "person_id": 1, "update_time": NEWER}
    async with home.database.session(home.workspace) as session:
        writer = Writer(home.database, session, pages.integrations[0])
        await writer.store_page(external, [map_record(external, made, Catalog())], {"5": GlobalId.read(key).key})
    shown = (await home.read("{ activities { nodes { id kind subject } } }"))["activities"]["nodes"]
    assert shown == [{"id": key, "kind": "LINKEDIN", "subject": "Hello!"}]


async def test_a_conflict_whose_source_has_just_gone(home: Home) -> None:
    ada = home.contact(name="Ada")
    about = {"integration_id": home.integration, "record_type": "CONTACT", "record_id": ada.id, "field": "name"}
    await home.add(ada, home.make(Conflict, source_id=home.member, **about))
    told = ("BAD_INPUT", "The conflict's record in the CRM has just been deleted: ask again.")
    assert await home.refused("{ conflicts { nodes { source { externalId } } } }") == told


async def test_a_field_that_nobody_writes_here_takes_no_other_value(pages: Pages) -> None:
    home, ada = pages.home, pages.home.contact(name="Ada")
    about = {"integration_id": pages.integrations[0].id, "record_type": "CONTACT", "record_id": ada.id}
    source = home.source(ada, "1", integration_id=about["integration_id"])
    await home.add(ada, source, home.make(Conflict, source_id=source.id, field="lifecycle_stage", **about))
    [error] = (await resolve(pages, "VALUE", "customer"))["userErrors"]
    message = "lifecycleStage cannot be written here: decide for LOCAL or CRM."
    assert error == {"field": ["input", "resolution"], "code": "BAD_INPUT", "message": message}
    assert [each["status"] for each in await list_all(pages)] == ["OPEN"]


async def test_an_archived_record_takes_no_other_value(pages: Pages) -> None:
    ann = await begin(pages, "MANUAL")
    await come(pages, OLDER, job_title="CFO")
    archive = "mutation ($id: ID!) { archiveRecord(input: {id: $id}) { userErrors { message } } }"
    await pages.home.read(archive, id=ann)
    [error] = (await resolve(pages, "VALUE", "Chair"))["userErrors"]
    message = "The record is archived: it cannot be changed any more."
    assert error == {"field": ["input", "conflictIds"], "code": "BAD_INPUT", "message": message}
    assert (await resolve(pages, "CRM"))["userErrors"] == []
