"""Mappings as people change them: what counts, what is refused and where, who may, and whose they are."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx

from resolvers.callers import Caller
from resolvers.context import Context, Services
from schema.build import schema
from storage.golden import CrmCatalog
from storage.listing import GlobalId
from storage.shapes import Role
from tests.schema.conftest import Home

SCORE = "b" * 40
FIELDS: list[dict[str, Any]] = [
    {"field_code": "name", "field_name": "Name", "field_type": "varchar"},
    {"field_code": "job_title", "field_name": "Job title", "field_type": "varchar"},
    {"field_code": "nickname", "field_name": "Nickname", "field_type": "varchar"},
    {"field_code": "add_time", "field_name": "Person created", "field_type": "date"},
    {"field_code": "open_deals_count", "field_name": "Open deals", "field_type": "int", "bulk_edit_allowed": False},
    {"field_code": SCORE, "field_name": "Score", "field_type": "double", "is_custom_field": True},
]
ROW = "fragment row on FieldMapping { id externalType localField crmField direction transform isDefault }"
READ = f"""
query ($i: ID!, $t: String) {{ node(id: $i) {{ ... on Integration {{ fieldMappings(externalType: $t) {{ ...row }} }} }} }}
{ROW}
"""
UPDATE = f"""
mutation ($i: ID!, $m: [FieldMappingInput!]!, $r: Boolean! = false) {{
  updateFieldMappings(input: {{integrationId: $i, mappings: $m, replace: $r}}) {{
    mappings {{ ...row }} remapRun {{ kind status recordTypes }} userErrors {{ field code message }}
}} }}
{ROW}
"""
RESET = f"""
mutation ($i: ID!, $t: String) {{ resetFieldMappings(input: {{integrationId: $i, externalType: $t}}) {{
    mappings {{ ...row }} remapRun {{ kind }} userErrors {{ field code message }}
}} }}
{ROW}
"""
PREVIEW = """
query ($i: ID!, $m: [FieldMappingInput!]!) { previewFieldMappings(input: {integrationId: $i, mappings: $m}) {
  records changed failed coveragePercent sample { source { externalId } before after error }
} }
"""
SUGGEST = """
query ($i: ID!) { suggestFieldMappings(integrationId: $i, externalType: "Person") { localField crmField score reason } }
"""


@pytest.fixture(scope="module", autouse=True)
async def _jobs(services: Services) -> AsyncIterator[None]:
    """What is saved asks for a run, which nobody carries out here."""
    await services.jobs.open()
    yield
    await services.jobs.close()


def serve(crm: respx.MockRouter) -> respx.Route:
    answer = {"success": True, "data": FIELDS, "additional_data": {"next_cursor": None}}
    return crm.get("/api/v2/personFields").mock(return_value=httpx.Response(200, json=answer))


def wish(local: str, theirs: str, **more: Any) -> dict[str, Any]:
    return {"externalType": "Person", "localField": local, "crmField": theirs, **more}


async def update(home: Home, *wishes: dict[str, Any], replace: bool = False) -> Any:
    integration = str(GlobalId("Integration", home.integration))
    return (await home.read(UPDATE, i=integration, m=list(wishes), r=replace))["updateFieldMappings"]


async def read(home: Home, external_type: str | None = "Person") -> list[dict[str, Any]]:
    integration = str(GlobalId("Integration", home.integration))
    found: list[dict[str, Any]] = (await home.read(READ, i=integration, t=external_type))["node"]["fieldMappings"]
    return found


def brief(rows: list[dict[str, Any]], *locals_: str) -> list[tuple[Any, ...]]:
    names = ("localField", "crmField", "direction", "transform", "isDefault")
    return [tuple(row[name] for name in names) for row in rows if row["localField"] in locals_]


async def test_before_anybody_changes_them_the_connectors_own_count(home: Home) -> None:
    rows = await read(home)
    assert brief(rows, "name", "jobTitle", "emails") == [
        ("name", "name", "BIDIRECTIONAL", None, True),
        ("jobTitle", "job_title", "BIDIRECTIONAL", None, True),
        ("emails", "email", "BIDIRECTIONAL", None, True),
    ]
    assert {row["externalType"] for row in await read(home, None)} == {
        "Organization", "Person", "Deal", "Lead", "Activity", "Note"
    }  # fmt: skip
    one = rows[0]
    again = await home.read("query ($i: ID!) { node(id: $i) { ... on FieldMapping { localField } } }", i=one["id"])
    assert again["node"]["localField"] == one["localField"]


async def test_a_mapping_of_somebodys_own_takes_the_place_of_the_connectors(home: Home, crm: respx.MockRouter) -> None:
    serve(crm)
    saved = await update(
        home,
        wish("jobTitle", "nickname", transform="upper(value)", direction="INBOUND"),
        wish("customFields.Points", SCORE),
    )
    assert saved["userErrors"] == []
    assert saved["remapRun"] == {"kind": "REMAP", "status": "QUEUED", "recordTypes": ["CONTACT"]}
    rows = await read(home)
    assert brief(rows, "jobTitle", "customFields.Points") == [
        ("jobTitle", "nickname", "INBOUND", "upper(value)", False),
        ("jobTitle", "job_title", "OUTBOUND", None, True),
        ("customFields.Points", SCORE, "BIDIRECTIONAL", None, False),
    ]
    assert saved["mappings"] == rows
    mine = next(row for row in rows if not row["isDefault"])
    again = await home.read("query ($i: ID!) { node(id: $i) { ... on FieldMapping { crmField } } }", i=mine["id"])
    assert again["node"]["crmField"] == "nickname"

    same = await update(home, wish("jobTitle", "nickname", transform="upper(value)", direction="INBOUND"))
    assert (same["userErrors"], same["remapRun"]) == ([], None)

    left = await update(home, wish("jobTitle", "job_title", transform="trim(value)", direction="INBOUND"), replace=True)
    assert [row["id"] for row in left["mappings"] if not row["isDefault"]] == [mine["id"]]

    reset = (await home.read(RESET, i=str(GlobalId("Integration", home.integration)), t="Person"))["resetFieldMappings"]
    assert (reset["userErrors"], reset["remapRun"]) == ([], {"kind": "REMAP"})
    assert all(row["isDefault"] for row in reset["mappings"])


async def test_the_connectors_own_mapping_said_to_be_inbound_is_no_more_than_that(
    home: Home, crm: respx.MockRouter
) -> None:
    serve(crm)
    saved = await update(home, wish("jobTitle", "job_title", direction="INBOUND"))
    assert saved["userErrors"] == []
    assert brief(await read(home), "jobTitle") == [("jobTitle", "job_title", "INBOUND", None, False)]


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("no such field", wish("jobTitle", "jobtitle"), "crmField",
     "Pipedrive has no field jobtitle of Person: do you mean job_title?"),
    ("a label", wish("jobTitle", "Job title"), "crmField",
     "Pipedrive has no field Job title of Person: do you mean job_title?"),
    ("another type", wish("kind", "open_deals_count", direction="INBOUND"), "crmField",
     "kind holds one of its options, and open_deals_count a number (int): give a transform that makes"),
    ("only outbound does not fit", wish("name", SCORE), "crmField",
     f"name holds a text, and {SCORE} a number (double): give the direction INBOUND, or a transform."),
    ("read-only", wish("customFields.Open", "open_deals_count", direction="OUTBOUND"), "direction",
     "Pipedrive lets nobody write open_deals_count: give the direction INBOUND."),
    ("read-only by default", wish("customFields.Open", "open_deals_count"), "direction",
     "Pipedrive lets nobody write open_deals_count: give the direction INBOUND; where none is given it is BIDIRECTIONAL."),
    ("no such type", {**wish("jobTitle", "job_title"), "externalType": "Robot"}, "externalType",
     "`externalType` is one of Organization, Person, Deal, Lead, Activity, Note."),
    ("no such field of ours", wish("shoeSize", "nickname"), "localField", "Nothing can be mapped to shoeSize: there are "),
    ("follows", wish("email", "nickname"), "localField", "email is the first of emails: map emails."),
    ("a bad name", wish("customFields.a.b", "nickname"), "localField",
     "A custom field is customFields.name: 1 to 100 characters, no dot, no blank at its ends."),
    ("does not parse", wish("jobTitle", "nickname", transform="upper("), "transform", "The transform does not parse"),
    ("enormous", wish("jobTitle", "nickname", transform="1+" * 600 + "1"), "transform",
     "The transform has 1,201 characters: 1,000 are allowed."),
    ("never ends", wish("jobTitle", "nickname", transform="value.map(x, value.map(y, x))"), "transform",
     "The transform calls map(), which it may not"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "part", "message"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
async def test_what_is_wrong_with_a_row_is_told_there_and_nothing_is_saved(
    home: Home, crm: respx.MockRouter, row: dict[str, Any], part: str, message: str
) -> None:
    serve(crm)
    payload = await update(home, wish("name", "nickname"), row)
    [error] = payload["userErrors"]
    assert (error["field"], error["code"]) == (["input", "mappings", "1", part], "BAD_INPUT")
    assert error["message"].startswith(message)
    assert (payload["mappings"], payload["remapRun"]) == ([], None)
    assert all(row["isDefault"] for row in await read(home))


async def test_all_that_is_wrong_is_told_at_once(home: Home, crm: respx.MockRouter) -> None:
    serve(crm)
    payload = await update(home, wish("nothing", "nothing", transform="("), wish("jobTitle", "nothing"))
    assert [error["field"][2:] for error in payload["userErrors"]] == [
        ["0", "localField"], ["0", "crmField"], ["0", "transform"], ["1", "crmField"]
    ]  # fmt: skip


async def test_two_to_one_target_are_refused_also_beside_what_is_saved(home: Home, crm: respx.MockRouter) -> None:
    serve(crm)
    twice = await update(home, wish("jobTitle", "nickname"), wish("jobTitle", "name", direction="INBOUND"))
    assert [(error["field"][2:], error["message"]) for error in twice["userErrors"]] == [
        (
            ["1", "localField"],
            "Row 0 of the input fills jobTitle already: a field is filled from one. Change that one instead.",
        )
    ]
    written = await update(home, wish("jobTitle", "nickname"), wish("customFields.Nick", "nickname"))
    assert [(error["field"][2:], error["message"]) for error in written["userErrors"]] == [
        (["1", "crmField"], "Row 0 of the input writes nickname already: give one of them the direction INBOUND.")
    ]
    assert (await update(home, wish("jobTitle", "nickname")))["userErrors"] == []
    beside = await update(home, wish("jobTitle", "name", direction="INBOUND"))
    assert [error["message"] for error in beside["userErrors"]] == [
        "A mapping that is saved fills jobTitle already: a field is filled from one. Change that one instead."
    ]
    assert (await update(home, wish("jobTitle", "name", direction="INBOUND"), replace=True))["userErrors"] == []


async def test_while_the_crm_is_down_nothing_is_saved_and_it_is_said(home: Home, crm: respx.MockRouter) -> None:
    crm.get("/api/v2/personFields").mock(return_value=httpx.Response(401, json={"success": False}))
    payload = await update(home, wish("jobTitle", "nickname"))
    [error] = payload["userErrors"]
    assert (error["field"], error["code"]) == (["input", "mappings"], "CREDENTIAL_REFUSED")
    assert error["message"].startswith("Nothing is saved, since the fields of Pipedrive cannot be read: ")
    assert all(row["isDefault"] for row in await read(home))


async def test_reading_is_for_all_and_changing_for_admins(home: Home) -> None:
    caller = Caller(workspace_id=home.workspace, member_id=home.member, role=Role.OPERATOR)
    context = Context(home.database, caller, home.services)
    integration = str(GlobalId("Integration", home.integration))
    answer = await schema.execute(READ, variable_values={"i": integration, "t": "Person"}, context_value=context)
    assert answer.errors is None
    for mutation, more in ((UPDATE, {"m": [wish("jobTitle", "nickname")]}), (RESET, {})):
        answer = await schema.execute(mutation, variable_values={"i": integration, **more}, context_value=context)
        assert answer.errors is not None
        assert [(error.extensions or {})["code"] for error in answer.errors] == ["FORBIDDEN"]


async def test_those_of_another_workspace_are_nobodys(home: Home, neighbour: Home, crm: respx.MockRouter) -> None:
    serve(crm)
    saved = await update(home, wish("jobTitle", "nickname"))
    integration = str(GlobalId("Integration", home.integration))
    for row in saved["mappings"]:
        found = await neighbour.read("query ($i: ID!) { node(id: $i) { id } }", i=row["id"])
        assert found["node"] is None
    for mutation, more in ((UPDATE, {"m": [wish("jobTitle", "nickname")]}), (RESET, {})):
        [payload] = (await neighbour.read(mutation, i=integration, **more)).values()
        assert [(one["field"], one["code"]) for one in payload["userErrors"]] == [
            (["input", "integrationId"], "NOT_FOUND")
        ]
    assert (await neighbour.refused(SUGGEST, i=integration))[0] == "BAD_INPUT"


async def test_suggestions_leave_out_what_is_mapped_and_look_into_what_is_stored(
    home: Home, crm: respx.MockRouter
) -> None:
    serve(crm)
    contact = home.contact(name="Ada")
    await home.add(contact, home.source(contact, "1", payload={"id": 1, "nickname": "Countess", "job_title": "Head"}))
    integration = str(GlobalId("Integration", home.integration))
    found = (await home.read(SUGGEST, i=integration))["suggestFieldMappings"]
    assert [(one["localField"], one["crmField"]) for one in found] == [("customFields.Nickname", "nickname")]
    assert found[0]["reason"] == "100 % of 1 records have a value, which is kept nowhere else."


async def test_a_preview_tells_what_would_become_of_what_is_stored_without_asking_the_crm(
    home: Home, crm: respx.MockRouter
) -> None:
    route = serve(crm)
    integration = str(GlobalId("Integration", home.integration))
    wishes = [wish("jobTitle", "nickname", transform="upper(value)", direction="INBOUND")]
    code, message = await home.refused(PREVIEW, i=integration, m=wishes)
    assert (code, message.startswith("Person has not been synced since mappings are kept")) == ("BAD_INPUT", True)

    fields = [
        {"external_type": "Person", "name": each["field_code"], "label": each["field_name"], "type": each["field_type"]}
        | {"is_custom": False, "is_writable": True, "is_required": False, "options": []}
        for each in FIELDS
    ]
    catalog: dict[str, Any] = {"fields": fields, "pipelines": [], "words": {}, "account_url": None}
    await home.add(home.make(CrmCatalog, integration_id=home.integration, external_type="Person", catalog=catalog))
    for number, nickname in enumerate(("Ada", "Bee", None, ["no text"])):
        contact = home.contact(number)
        mapped = {"job_title": "ADA"} if nickname == "Ada" else {"job_title": None}
        payload = {"id": number, "nickname": nickname}
        await home.add(contact, home.source(contact, str(number), payload=payload, mapped=mapped))
    found = (await home.read(PREVIEW, i=integration, m=wishes))["previewFieldMappings"]
    sample = {one["source"]["externalId"]: one for one in found.pop("sample")}
    assert found == {"records": 4, "changed": 1, "failed": 1, "coveragePercent": 50.0}
    assert (sample["1"]["before"], sample["1"]["after"]) == ({"jobTitle": None}, {"jobTitle": "BEE"})
    reason = "jobTitle, from nickname: the value is no single text: a transform can make one of it."
    assert (sample["3"]["after"], sample["3"]["error"]) == (None, reason)
    assert not route.called
    assert all(row["isDefault"] for row in await read(home))
