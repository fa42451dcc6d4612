"""What a document may be, what is not told of the schema, and how long an operation may take."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from graphql import get_introspection_query

from resolvers.budgets import Limits
from schema.build import schema
from storage import tables
from storage.database import Database
from storage.listing import GlobalId
from tests.schema.conftest import Home

TEN_THOUSAND = "{ " + " ".join(f"a{number}: __typename" for number in range(10_000)) + " }"


def repeat(times: int, text: str = "__typename", *, number: bool = False) -> str:
    """A query that holds it so many times."""
    return "{ " + " ".join(f"a{each}: {text}" if number else text for each in range(times)) + " }"


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (repeat(51, number=True), "A document has 50 aliases at most."),
        (TEN_THOUSAND, "A document has 100,000 characters at most: send long texts as variables."),
        (repeat(1_700, number=True), "A document has 5,000 tokens at most."),
        (repeat(5_000), "A document has 5,000 tokens at most."),
        (repeat(500), "Between one pair of braces there are 200 fields at most."),
        (repeat(11), "Between one pair of braces the same field stands 10 times at most."),
        ("{ __typename @aa@aa@aa@aa@aa@aa@aa@aa@aa@aa }", "At one place there are 5 directives at most."),
        ('{ __typename @a(x: "@") @a # @\n @a @a(x: [1, "}"]) @a, @a }', "At one place there are 5 directives at most."),
        ("query ($x: Int @a @a @a @a @a @a) { __typename }", "At one place there are 5 directives at most."),
        (repeat(17, "a @a @a @a"), "A document has 50 directives at most."),
        ("{a" * 200 + "}" * 200, "A document has brackets within brackets 60 deep at most."),
        ("query a { __typename }" * 21, "A document has 20 operations at most."),
        ("{ __typename }" + "fragment a on Query { __typename }" * 101, "A document has 100 fragments at most."),
        ("{ integrations { ...a } } fragment a on Integration { syncRuns { nodes { integration { ...a } } } }",
         "A query has fields within fields 15 levels deep at most."),
        ('{ a(b: """' + '\\"""' * 40_000, "A document has 100,000 characters at most: send long texts as variables."),
    ],
)  # fmt: skip
async def test_a_document_that_is_too_much_is_refused_in_one_sentence(home: Home, query: str, message: str) -> None:
    assert await home.refused(query) == ("TOO_COMPLEX", message)


@pytest.mark.parametrize(
    "query",
    [
        repeat(50, number=True),
        "{ " + " ".join(f"a{n}: __typename" for n in range(50)) + " contacts(first: 1, archived: EXCLUDE) { totalCount } }",
        '{ contacts(search: "a: b @c @d @e @f @g @h {{{ \\" :") @include(if: true) @skip(if: false) { totalCount } }',
        '{ contacts(search: """ "a" \\""" : @ """) { totalCount } } # ' + "@@ : {{{{ " * 50,
        "{ contacts(filter: {and: [" + '{name: {eq: "a"}}, ' * 60 + "]}) { totalCount } }",
        get_introspection_query(
            descriptions=True,
            specified_by_url=True,
            directive_is_repeatable=True,
            schema_description=True,
            input_value_deprecation=True,
        ),
    ],
)  # fmt: skip
async def test_what_only_looks_like_too_much_is_answered(home: Home, query: str) -> None:
    assert (await home.ask(query)).errors is None


async def test_what_is_too_much_is_refused_cheaply(home: Home) -> None:
    """Without being parsed: that would take a quarter of a second."""
    before = time.process_time()
    for _ in range(20):
        assert (await home.refused(TEN_THOUSAND))[0] == "TOO_COMPLEX"
    assert time.process_time() - before < 0.5


async def test_a_validation_tells_of_a_few_errors(home: Home) -> None:
    answer = await home.ask("{ " + " ".join(f"nothing{number}" for number in range(100)) + " }")
    assert [error.extensions for error in answer.errors or ()] == [{"code": "BAD_INPUT"}] * 6
    assert "limit reached" in (answer.errors or [])[-1].message


async def test_a_process_has_levels_of_its_own(home: Home) -> None:
    flat = limited(home, depth=2)
    assert (await flat.ask("{ viewer { role } }")).errors is None
    assert await flat.refused("{ viewer { workspace { name } } }") == (
        "TOO_COMPLEX",
        "A query has fields within fields 2 levels deep at most.",
    )
    assert (await home.ask("{ viewer { workspace { name } } }")).errors is None


def limited(home: Home, **limits: Any) -> Home:
    """The same workspace, in a process with other limits."""
    return replace(home, services=replace(home.services, limits=Limits(**limits)))


# ---------------------------------------------------------------- introspection


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("{ __schema { types { name } } }", "__schema"),
        ('{ viewer { role } x: __type(name: "Contact") { name } }', "__type"),
        ("{ ... { ...a } } fragment a on Query { ... on Query { __schema { types { name } } } }", "__schema"),
    ],
)
async def test_introspection_can_be_switched_off(home: Home, query: str, name: str) -> None:
    closed = limited(home, introspection=False)
    assert (await home.ask(query)).errors is None
    assert await closed.refused(query) == (
        "BAD_INPUT",
        f"{name} is not answered: introspection is switched off here.",
    )
    assert await closed.read("{ __typename viewer { __typename } }") == {
        "__typename": "Query",
        "viewer": {"__typename": "Viewer"},
    }


ORDER = "query ($x: [ContactOrder!]) { contacts(orderBy: $x) { totalCount } }"
FILTER = "query ($x: ContactFilter) { contacts(filter: $x) { totalCount } }"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("{ viewr { role } }", None),
        ("{ viewer { rol } }", None),
        ("{ contacts(frist: 1) { totalCount } }", None),
        ("{ contacts(filter: {nam: {eq: 1}}) { totalCount } }", None),
        ("{ contacts(orderBy: [{field: NAM, direction: ASC}]) { totalCount } }", None),
        ("{ node(id: 1) { ... on Contct { id } } }", None),
        ("{ node(id: 1) { name } }", None),
        ("query ($x: ContctFilter) { contacts(filter: $x) { totalCount } }", None),
        ("{ __typename @include(iff: true) }", None),
        ("{ contacts }", None),
        (ORDER, [{"field": "NAM", "direction": "ASC"}]),
        (ORDER, [{"fild": "NAME", "direction": "ASC"}]),
        (FILTER, {"nam": {"eq": "x"}}),
        ("mutation { sync(input: {integrationId: 1, kin: FULL}) { isNew } }", None),
        ("subscription { syncRun { id } }", None),
    ],
)
async def test_without_introspection_no_name_is_suggested(home: Home, query: str, value: Any) -> None:
    variables = {} if value is None else {"x": value}
    for closed in (False, True):
        asked = limited(home, introspection=not closed)
        answers = [await asked.ask(query, **variables)]
        if query.startswith("subscription"):
            answers = [each async for each in await schema.subscribe(query, context_value=asked.context())]
        messages = [error.message for answer in answers for error in answer.errors or ()]
        assert messages
        assert any("Did you mean" in message for message in messages) is not closed, messages


async def test_with_introspection_names_are_suggested(home: Home) -> None:
    _, message = await home.refused("{ viewr { role } }")
    assert message == "Cannot query field 'viewr' on type 'Query'. Did you mean 'viewer'?"


# ---------------------------------------------------------------- time


@asynccontextmanager
async def locked(home: Home, table: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """As long as the block lasts, whoever reads the table waits."""
    async with await psycopg.AsyncConnection.connect(home.database.url) as other:
        await other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield other
        await other.rollback()


async def count_waiting(watcher: psycopg.AsyncConnection[Any]) -> int:
    """Statements that wait for a lock, by the server's own list."""
    found = await watcher.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    [number] = await found.fetchone() or (0,)
    return int(number)


async def until(watcher: psycopg.AsyncConnection[Any], number: int) -> None:
    """Waits for the server to have so many of them."""
    async with asyncio.timeout(5):
        while await count_waiting(watcher) != number:  # noqa: ASYNC110 # nobody but the server knows
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("query", "table"),
    [
        ("{ contacts { nodes { name } } viewer { role } }", "contact"),  # a read of its own
        ("query ($id: ID!) { integration(id: $id) { displayName } }", "integration"),  # one for all who ask
        ("{ integrations { displayName } }", "integration"),  # in a session
        (
            "mutation ($id: ID!) { pauseIntegration(input: {integrationId: $id}) { integration { status } } }",
            "integration",
        ),
    ],
)
async def test_what_takes_too_long_is_ended_with_its_statement(home: Home, query: str, table: str) -> None:
    hasty = limited(home, seconds=0.3)
    key = str(GlobalId("Integration", home.integration))
    variables = {"id": key} if "$id" in query else {}
    async with locked(home, table) as other:
        asking = asyncio.create_task(hasty.ask(query, **variables))
        await until(other, 1)
        answer = await asking
        assert answer.data is None
        assert [(error.message, error.extensions) for error in answer.errors or ()] == [
            ("It took longer than 0.3 s and was ended: ask for less at a time.", {"code": "TIMEOUT"})
        ]
        assert answer.extensions is not None
        assert answer.extensions["cost"]["actual"] == answer.extensions["cost"]["requested"]
        await until(other, 0)
    found = await home.read("query ($id: ID!) { integration(id: $id) { status } }", id=key)
    assert found["integration"]["status"] == "ACTIVE"


async def test_who_goes_takes_the_statement_along(home: Home) -> None:
    key = str(GlobalId("Integration", home.integration))
    async with locked(home, "integration") as other:
        asking = asyncio.create_task(home.ask("query ($id: ID!) { integration(id: $id) { crm } }", id=key))
        await until(other, 1)
        asking.cancel()
        await until(other, 0)
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_event_that_takes_too_long_does_not_end_the_subscription(home: Home) -> None:
    made = {"integration_id": home.integration, "kind": "FULL", "trigger": "MEMBER"}
    await home.add(
        home.make(tables.SyncRun, status="RUNNING", **made), home.make(tables.SyncRun, status="QUEUED", **made)
    )
    hasty = limited(home, seconds=0.3)
    query = "subscription { syncRuns { status errors(first: 1) { nodes { code } } } }"
    events = await schema.subscribe(query, context_value=hasty.context())
    async with locked(home, "sync_error"):
        first = await anext(events)
    second = await anext(events)
    await events.aclose()
    assert [(error.extensions or {})["code"] for error in first.errors or ()] == ["TIMEOUT"]
    assert second.data == {"syncRuns": {"status": "QUEUED", "errors": {"nodes": []}}}


async def test_the_server_ends_a_read_that_nobody_has_ended(home: Home) -> None:
    database = Database(home.database.url, read_seconds=1)
    await database.open()
    with pytest.raises(psycopg.errors.QueryCanceled):
        await database.fetch(home.workspace, "SELECT pg_sleep(30)", {})
    await database.close()
