"""Every error has a code, says nothing of the inside, and takes nothing else down with it."""

import asyncio
import logging
from typing import Any
from uuid import uuid4

import pytest

from resolvers.context import Context
from schema.build import schema
from storage import tables
from storage.database import Database
from storage.listing import GlobalId
from tests.schema.conftest import Home, gid

BROKEN_ID = "Q29udGFjdDo3"
NAME = {"field": "NAME"}


@pytest.mark.parametrize(
    "query",
    [
        "{ contacts(first: 0) { totalCount } }",
        "{ contacts(first: 251) { totalCount } }",
        "{ contacts(first: 99999999999) { totalCount } }",
        "{ contacts(first: 1, last: 1) { totalCount } }",
        '{ contacts(after: "x") { totalCount } }',
        "{ contacts(filter: {nonsense: 1}) { totalCount } }",
        '{ contacts(filter: {ids: ["x"]}) { totalCount } }',
        '{ contacts(filter: {createdAt: {gt: "2026-01-01T00:00:00"}}) { totalCount } }',
        '{ deals(filter: {amount: {gt: "NaN"}}) { totalCount } }',
        '{ deals(filter: {expectedCloseOn: {gt: "2026-02-30"}}) { totalCount } }',
        "{ organizations(filter: {employeeCount: {gt: 3000000000}}) { totalCount } }",
        "{ contacts(orderBy: [{field: AGE}]) { totalCount } }",
        "{ contacts(archived: null) { totalCount } }",
        '{ node(id: "") { id } }',
        '{ syncRuns(integrationId: "") { totalCount } }',
        '{ contact(id: "Q29udGFjdDowMWExZmJkMS0xMmZkLTc0NmQtOGIzMy01YWRlODZhYWMwYTg=", maxStaleness: -1) { id } }',
        '{ node(id: "x\\u0000") { id } }',
        f'{{ contact(id: "{BROKEN_ID}") {{ id }} }}',
        f'{{ recordBySource(integrationId: "{BROKEN_ID}", externalType: "x", externalId: "y") {{ id }} }}',
        f'{{ syncRuns(integrationId: "{BROKEN_ID}") {{ totalCount }} }}',
        f'mutation {{ pauseIntegration(input: {{integrationId: "{BROKEN_ID}"}}) {{ userErrors {{ code }} }} }}',
        f'mutation {{ cancelSync(input: {{syncRunId: "{BROKEN_ID}"}}) {{ userErrors {{ code }} }} }}',
        "{ contacts { nodes } }",
        "{ nothing }",
        "{ contacts(",
        "query ($x: Int!) { contacts(first: $x) { totalCount } }",
        "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }",
        "",
    ],
)
async def test_what_can_mean_nothing_is_bad_input(home: Home, query: str) -> None:
    code, _ = await home.refused(query)
    assert code == "BAD_INPUT"


@pytest.mark.parametrize("value", ["2026-01-01T00:00:00", 7, {"a": 1}, "\ud800", ["x"]])
async def test_a_variable_that_can_mean_nothing_is_bad_input(home: Home, value: Any) -> None:
    query = "query ($x: DateTime) { contacts(filter: {createdAt: {gt: $x}}) { totalCount } }"
    assert (await home.refused(query, x=value))[0] == "BAD_INPUT"
    query = "query ($x: Int) { contacts(first: $x) { totalCount } }"
    if value != 7:
        assert (await home.refused(query, x=value))[0] == "BAD_INPUT"


async def test_an_operation_that_is_not_there_is_bad_input(home: Home) -> None:
    answer = await schema.execute("query a { __typename }", operation_name="b", context_value=home.context())
    assert answer.errors is not None
    assert answer.errors[0].extensions == {"code": "BAD_INPUT"}


async def test_of_several_operations_none_is_taken_without_a_name(home: Home) -> None:
    code, message = await home.refused("query a { viewer { role } } query b { __typename }")
    assert (code, message) == (
        "BAD_INPUT",
        "The document has several operations: name one in `operationName`.",
    )


async def test_many_lists_at_once_are_answered_and_leave_room_for_others(home: Home) -> None:
    await home.add(*(home.contact(number, name=f"n{number}") for number in range(30)))
    wide = " ".join(f"a{n}: contacts(first: 30) {{ nodes {{ name }} }}" for n in range(50))
    answer, other = await asyncio.gather(home.ask(f"{{ {wide} }}"), home.read("{ contacts { totalCount } }"))
    assert answer.errors is None
    assert other["contacts"]["totalCount"] == 30


async def test_a_text_with_a_nul_or_a_lone_surrogate_finds_nothing(home: Home) -> None:
    query = "query ($x: String!) { contacts(search: $x, filter: {name: {eq: $x}}) { totalCount } }"
    for value in ("\0", "a\0b", "\ud800", "a\udfff"):
        assert (await home.read(query, x=value))["contacts"]["totalCount"] == 0


async def test_a_cursor_goes_with_its_list(home: Home) -> None:
    await home.add(home.contact(1, name="a"), home.contact(2, name="b"))
    found = await home.read("{ contacts(first: 1) { pageInfo { endCursor } } }")
    query = "query ($c: String, $o: [ContactOrder!]) { contacts(after: $c, orderBy: $o) { nodes { name } } }"
    cursor = found["contacts"]["pageInfo"]["endCursor"]
    assert (await home.read(query, c=cursor))["contacts"]["nodes"] == [{"name": "a"}]
    code, message = await home.refused(query, c=cursor, o=[NAME])
    assert (code, message) == (
        "BAD_INPUT",
        "A cursor goes with the order, the filter and the search that it was given for.",
    )
    organizations = "query ($c: String) { organizations(after: $c) { totalCount } }"
    assert (await home.refused(organizations, c=cursor))[0] == "BAD_INPUT"


# ---------------------------------------------------------------- too much


def leaf(levels: int) -> str:
    """A query of so many levels of fields."""
    steps = (["contacts", "nodes"] + ["organization", "contacts", "nodes"] * levels)[:levels]
    last = {"contacts": "totalCount", "nodes": "name", "organization": "name"}[steps[levels - 2]]
    return "".join(f"{{ {step} " for step in steps[: levels - 1]) + f"{{ {last} }}" + " }" * (levels - 1)


async def test_15_levels_are_answered_and_16_are_not(home: Home) -> None:
    assert (await home.ask(leaf(15))).errors is None
    assert (await home.refused(leaf(16)))[0] == "TOO_COMPLEX"


async def test_levels_are_counted_through_fragments(home: Home) -> None:
    query = "{ contacts { nodes { ...a } } } fragment a on Contact { organization { contacts { nodes { ...a } } } }"
    assert (await home.refused(query))[0] == "TOO_COMPLEX"
    text = "query { contacts { nodes { ...f0 } } } "
    text += (
        " ".join(f"fragment f{n} on Contact {{ ...f{n + 1} }}" for n in range(80)) + " fragment f80 on Contact { name }"
    )
    assert (await home.ask(text)).errors is None


@pytest.mark.parametrize(
    "query",
    [
        "{a" * 200 + "}" * 200,
        "{a" * 7000,
        "{ contacts(filter: " + "{not: " * 200 + "{}" + "}" * 200 + ") { totalCount } }",
        "{ contacts(filter: {ids: " + "[" * 6000,
        '{ node(id: "x") { ' + "... on Contact { " * 200 + "id" + " }" * 200 + " } }",
        "{" + " a" * 15_001 + " }",
        "{" + " __typename" * 9_000 + " }",
        "query { ...f0 } " + " ".join(f"fragment f{n} on Query {{ ...f{n + 1} }}" for n in range(1500)),
    ],
    ids=["fields", "unclosed", "filter", "list", "inline", "tokens", "repeated", "chain"],
)
async def test_what_would_take_too_long_is_too_complex(home: Home, query: str) -> None:
    assert (await home.refused(query))[0] == "TOO_COMPLEX"


async def test_a_variable_that_is_nested_200_deep_is_too_complex(home: Home) -> None:
    value: dict[str, Any] = {}
    for _ in range(200):
        value = {"not": value}
    query = "query ($f: ContactFilter) { contacts(filter: $f) { totalCount } }"
    assert (await home.refused(query, f=value))[0] == "TOO_COMPLEX"


async def test_introspection_is_no_level(home: Home) -> None:
    found = schema.introspect()
    assert found["__schema"]["queryType"]["name"] == "Query"
    query = '{ __type(name: "Contact") { fields { type { ofType { ofType { ofType { name } } } } } } }'
    assert (await home.ask(query)).errors is None


# ---------------------------------------------------------------- what nobody foresaw


async def test_an_unforeseen_error_is_logged_under_the_id_that_the_client_gets(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    closed = Database(home.database.url)  # never opened
    context = Context(closed, home.context().caller, home.services)
    with caplog.at_level(logging.ERROR, logger="schema"):
        answer = await schema.execute("query Mine { contacts { totalCount } }", context_value=context)
    assert answer.errors is not None
    [error] = answer.errors
    assert error.extensions is not None
    assert error.extensions["code"] == "INTERNAL"
    name = error.extensions["id"]
    assert error.message == f"Something went wrong here; the log has it under id {name}."
    assert error.original_error is None
    [record] = caplog.records
    assert record.getMessage() == f"error {name} in operation Mine at contacts"
    assert record.exc_info


async def test_a_crm_that_fails_takes_nothing_else_down(home: Home) -> None:
    answer = await home.ask("{ integrations { displayName users { name } fields { name } } }")
    assert answer.data == {"integrations": [{"displayName": "Acme's Pipedrive", "users": None, "fields": None}]}
    assert answer.errors is not None
    assert {tuple(error.path or ()) for error in answer.errors} == {
        ("integrations", 0, "users"),
        ("integrations", 0, "fields"),
    }
    assert {str((error.extensions or {})["code"]) for error in answer.errors} == {"CRM_REAUTHORIZE"}


async def test_a_negative_staleness_is_bad_input(home: Home) -> None:
    contact = home.contact()
    key = gid(contact)
    await home.add(contact, home.source(contact, "1"))
    query = "query ($id: ID!) { contact(id: $id, maxStaleness: -1) { id } }"
    assert (await home.refused(query, id=key))[0] == "BAD_INPUT"
    query = "query ($id: ID!) { contact(id: $id) { sources { payload(maxStaleness: -1) } } }"
    assert (await home.refused(query, id=key))[0] == "BAD_INPUT"


# ---------------------------------------------------------------- mutations


INTEGRATION = "{ integration { id status displayName } userErrors { field code message details } }"


async def test_an_id_of_nothing_or_of_another_type_is_not_found(home: Home, neighbour: Home) -> None:
    query = f"mutation ($id: ID!) {{ pauseIntegration(input: {{integrationId: $id}}) {INTEGRATION} }}"
    foreign = str(GlobalId("Integration", neighbour.integration))
    for each in (foreign, str(GlobalId("Integration", uuid4())), str(GlobalId("Contact", home.integration))):
        payload = (await home.read(query, id=each))["pauseIntegration"]
        assert payload["integration"] is None
        [error] = payload["userErrors"]
        assert (error["field"], error["code"]) == (["input", "integrationId"], "NOT_FOUND")
    query = (
        "mutation ($id: ID!) { cancelSync(input: {syncRunId: $id}) { syncRun { id } isNew userErrors { field code } } }"
    )
    payload = (await home.read(query, id=foreign))["cancelSync"]
    assert payload == {
        "syncRun": None,
        "isNew": None,
        "userErrors": [{"field": ["input", "syncRunId"], "code": "NOT_FOUND"}],
    }


async def test_pausing_twice_in_one_operation_reads_anew_each_time(home: Home) -> None:
    query = f"""mutation ($id: ID!) {{
      first: pauseIntegration(input: {{integrationId: $id}}) {INTEGRATION}
      again: resumeIntegration(input: {{integrationId: $id}}) {INTEGRATION}
      named: updateIntegration(input: {{integrationId: $id, displayName: "  New   name "}}) {INTEGRATION}
      gone: disconnect(input: {{integrationId: $id}}) {INTEGRATION} }}"""
    found = await home.read(query, id=str(GlobalId("Integration", home.integration)))
    assert [payload["integration"]["status"] for payload in found.values()] == [
        "PAUSED",
        "ACTIVE",
        "ACTIVE",
        "DISCONNECTED",
    ]
    assert found["named"]["integration"]["displayName"] == "New name"
    assert all(payload["userErrors"] == [] for payload in found.values())


async def test_what_a_user_can_put_right_comes_with_its_place(home: Home) -> None:
    query = f"mutation ($i: UpdateIntegrationInput!) {{ updateIntegration(input: $i) {INTEGRATION} }}"
    own = str(GlobalId("Integration", home.integration))
    payload = (await home.read(query, i={"integrationId": own, "displayName": ""}))["updateIntegration"]
    assert payload["integration"] is None
    assert [(error["field"], error["code"]) for error in payload["userErrors"]] == [
        (["input", "displayName"], "BAD_INPUT")
    ]
    for given, field, code in (
        ("", "crm", "NOT_CONFIGURED"),
        (', apiToken: " "', "apiToken", "CREDENTIAL_REQUIRED"),
        (', apiToken: "\\u00fc"', "apiToken", "CREDENTIAL_REFUSED"),
        (', returnTo: "https://app.test"', "returnTo", "BAD_INPUT"),
    ):
        query = f"mutation {{ connect(input: {{crm: PIPEDRIVE{given}}}) {INTEGRATION} }}"
        payload = (await home.read(query))["connect"]
        assert [(error["field"], error["code"]) for error in payload["userErrors"]] == [(["input", field], code)]


# ---------------------------------------------------------------- subscriptions


async def stream(home: Home, query: str, **variables: Any) -> list[Any]:
    """All that a subscription answers."""
    results = await schema.subscribe(query, variable_values=variables, context_value=home.context())
    return [result async for result in results]


async def test_a_run_that_has_ended_is_shown_once(home: Home) -> None:
    run = home.make(tables.SyncRun, integration_id=home.integration, kind="FULL", status="FAILED", trigger="MEMBER")
    key = gid(run)
    await home.add(run)
    query = "subscription ($id: ID!) { syncProgress(syncRunId: $id) { status integration { displayName } } }"
    [answer] = await stream(home, query, id=key)
    assert answer.errors is None
    assert answer.data == {"syncProgress": {"status": "FAILED", "integration": {"displayName": "Acme's Pipedrive"}}}


async def test_errors_of_a_subscription_have_codes_too(home: Home) -> None:
    query = "subscription ($id: ID!) { syncProgress(syncRunId: $id) { status } }"
    for each in (BROKEN_ID, str(GlobalId("SyncRun", uuid4())), str(GlobalId("Contact", uuid4()))):
        [answer] = await stream(home, query, id=each)
        assert [error.extensions["code"] for error in answer.errors] == ["BAD_INPUT"]
    [answer] = await stream(home, "subscription { nothing }")
    assert [error.extensions["code"] for error in answer.errors] == ["BAD_INPUT"]
    [answer] = await stream(home, "subscription " + "{a" * 300)
    assert [error.extensions["code"] for error in answer.errors] == ["TOO_COMPLEX"]


async def test_each_operation_reads_anew_even_with_the_context_of_another(home: Home) -> None:
    context = home.context()
    contact = home.contact(name="before")
    key = gid(contact)
    await home.add(contact)
    query = "query ($id: ID!) { contact(id: $id) { name } }"
    found: list[Any] = []
    for name in ("before", "after"):
        async with home.database.session(home.workspace) as session:
            await home.database.run(
                session,
                "UPDATE contact SET name = %(name)s WHERE id = %(id)s",
                {"name": name, "id": GlobalId.read(key).key},
            )
        found.append((await schema.execute(query, variable_values={"id": key}, context_value=context)).data)
    assert found == [{"contact": {"name": "before"}}, {"contact": {"name": "after"}}]
