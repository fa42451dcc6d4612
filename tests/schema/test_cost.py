"""What operations cost, before and after; budgets, and what is said where they are spent."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLObjectType
from strawberry.types import ExecutionResult

from resolvers.budgets import KEPT, Budgets, Limits
from schema import limits
from schema.build import schema
from schema.cost import FEW, FIELDS, MUTATION, SCHEMA, read_metadata
from storage import tables
from storage.listing import USUAL, GlobalId
from tests.house.sources import ROOT
from tests.schema.conftest import Home, gid


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def full(home: Home) -> Home:
    """Three contacts: the first has an organization and two deals, the second a source."""
    organization = home.make(tables.Organization, name="Acme")
    ada, ben, cyd = (home.contact(number, name=name) for number, name in enumerate(("Ada", "Ben", "Cyd")))
    ada.organization_id = organization.id
    await home.add(organization)
    await home.add(ada, ben, cyd)
    await home.add(home.source(ben, "7"))
    deals = [home.make(tables.Deal, title=f"d{number}") for number in range(2)]
    links = [home.make(tables.DealContact, deal_id=deal.id, contact_id=ada.id) for deal in deals]
    await home.add(*deals)
    await home.add(*links)
    return home


def limited(home: Home, **limits: Any) -> Home:
    """The same workspace, in a process with other limits."""
    return replace(home, services=replace(home.services, limits=Limits(**limits)))


def poor(home: Home, budget: int, per_second: int = 10) -> tuple[Home, Clock]:
    """The same workspace, in a process with such budgets."""
    clock = Clock()
    return replace(home, services=replace(home.services, budgets=Budgets(budget, per_second, clock))), clock


def told(answer: ExecutionResult) -> tuple[int, int]:
    """What it was to cost, and what it has."""
    assert answer.extensions is not None
    return answer.extensions["cost"]["requested"], answer.extensions["cost"]["actual"]


DEALS = "deals(first: 4) { nodes { title } }"


@pytest.mark.parametrize(
    ("query", "requested", "actual"),
    [
        ("{ __typename }", 1, 1),
        ("{ viewer { role } }", 1, 1),
        ("{ viewer { role workspace { name } } }", 2, 2),
        # a connection, and each record on its page
        ("{ contacts { nodes { name } } }", 1 + 25, 1 + 3),
        ("{ contacts(first: 10) { nodes { name } pageInfo { hasNextPage } } }", 1 + 10, 1 + 3),
        ("{ contacts(last: 10) { edges { cursor node { name } } } }", 1 + 10, 1 + 3),
        ("{ contacts(first: 10) { edges { cursor } } }", 1 + 10, 1 + 3),
        ("{ contacts(first: 10) { edges { node { name } } nodes { name } } }", 1 + 10 + 10, 1 + 3 + 3),
        ("{ contacts(first: 10) { pageInfo { hasNextPage } } }", 1 + 10, 1 + 10),
        # what is asked of each record
        (f"{{ contacts(first: 10) {{ nodes {{ {DEALS} }} }} }}", 1 + 10 * (1 + 1 + 4), 1 + 3 * (1 + 1) + 2),
        ("{ contacts(first: 10) { nodes { organization { name } } } }", 1 + 10 * (1 + 1), 1 + 3 + 1),
        ("{ contacts(first: 10) { nodes { emails { value } } } }", 1 + 10 * (1 + 5), 1 + 3),
        # what is dear
        ("{ contacts(first: 10) { totalCount } }", 1 + 10 + 10, 1 + 10 + 10),
        ('{ contacts(first: 10, search: "a") { nodes { name } } }', 10 + 1 + 10, 10 + 1 + 1),
        ("{ contacts(first: 10) { nodes { sources { payload } } } }", 1 + 10 * (1 + 2 * (1 + 10)), 1 + 3 + 1 + 10),
        # what is asked for twice, and answered once
        (f"{{ contacts(first: 10) {{ nodes {{ ...a name {DEALS} }} }} }} fragment a on Contact {{ {DEALS} }}",
         1 + 10 * (1 + 1 + 4), 1 + 3 * (1 + 1) + 2),
        ("{ x: contacts(first: 1) { nodes { name } } y: contacts(first: 1) { nodes { name } } }", 4, 4),
        # what is left out
        ("{ viewer { workspace @skip(if: true) { name } } }", 1, 1),
        ("{ viewer { ...a @include(if: false) } } fragment a on Viewer { workspace { name } }", 1, 1),
        # introspection, whatever of it
        ('{ __type(name: "Contact") { fields { name } } }', 500, 500),
    ],
)  # fmt: skip
async def test_what_an_operation_costs(full: Home, query: str, requested: int, actual: int) -> None:
    answer = await full.ask(query)
    assert answer.errors is None
    assert told(answer) == (requested, actual)


async def test_a_cost_hangs_on_the_variables(full: Home) -> None:
    query = """query ($n: Int = 7, $search: String, $ids: [ID!] = [], $all: Boolean = false) {
      contacts(first: $n, search: $search) { nodes { name } }
      nodes(ids: $ids) { id }
      viewer @include(if: $all) { role }
    }"""
    some = [str(GlobalId("Contact", full.workspace))] * 4
    assert told(await full.ask(query))[0] == 1 + 7
    assert told(await full.ask(query, n=100))[0] == 1 + 100
    assert told(await full.ask(query, n=None))[0] == 1 + 25
    assert told(await full.ask(query, search="a"))[0] == 10 + 1 + 7
    assert told(await full.ask(query, ids=some))[0] == 1 + 7 + 4
    assert told(await full.ask(query, all=True))[0] == 1 + 7 + 1


async def test_of_an_interface_the_most_costly_kind_counts(full: Home) -> None:
    found = await full.read('{ contacts(search: "Ada") { nodes { id organization { id } } } }')
    ada = found["contacts"]["nodes"][0]
    query = f"""query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ id
      ... on Contact {{ {DEALS} organization {{ name }} }} ... on Organization {{ {DEALS} domain }} }} }}"""
    ids = [ada["id"], ada["organization"]["id"]]
    assert told(await full.ask(query, ids=ids)) == (2 * (1 + 1 + 4 + 1), (1 + 1 + 2 + 1) + (1 + 1 + 0))


async def test_reading_anew_is_dear(full: Home) -> None:
    key = str(GlobalId("Contact", full.workspace))
    assert told(await full.ask(f'{{ contact(id: "{key}") {{ name }} }}')) == (1, 1)
    assert told(await full.ask(f'{{ contact(id: "{key}", maxStaleness: 60) {{ name }} }}')) == (20 + 1, 20)


async def test_a_mutation_costs_ten(full: Home) -> None:
    key = str(GlobalId("Integration", full.integration))
    query = f'mutation {{ pauseIntegration(input: {{integrationId: "{key}"}}) {{ integration {{ status }} }} }}'
    assert told(await full.ask(query)) == (10 + 1 + 1, 10 + 1 + 1)


async def test_what_is_within_the_limit_is_answered_and_what_is_not_says_why(full: Home) -> None:
    strict = limited(full, cost=101)
    assert (await strict.ask("{ contacts(first: 100) { nodes { name } } }")).errors is None
    code, message = await strict.refused("{ contacts(first: 101) { nodes { name } } }")
    assert (code, message) == (
        "TOO_COMPLEX",
        "This operation may cost 102, and 101 is the most: ask for shorter pages (`first`), or for less of each record.",
    )


async def test_lists_within_lists_are_too_much(full: Home) -> None:
    usual = limited(full)
    deep = "contacts(first: 250) { nodes { name organization { contacts(first: 250) { nodes { name } } } } }"
    assert (await usual.refused(f"{{ {deep} }}"))[0] == "TOO_COMPLEX"
    many = [str(GlobalId("Contact", full.workspace))] * 10_001
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"
    assert (await usual.refused(query, ids=many))[0] == "TOO_COMPLEX"


async def test_fragments_that_multiply_are_too_complex(full: Home) -> None:
    """Forty fields in the text, 11,110 in the operation."""
    text = "{ integrations { ...f0 } } fragment f4 on Integration { displayName }"
    for level in range(4):
        inner = f"syncRuns(first: 1) {{ nodes {{ integration {{ ...f{level + 1} }} }} }}"
        fields = " ".join(f"{name}: {inner}" for name in "abcdefghij")
        text += f" fragment f{level} on Integration {{ {fields} }}"
    assert await limited(full, cost=10**12).refused(text) == (
        "TOO_COMPLEX",
        "An operation has 5,000 fields at most, those of fragments counted at each use.",
    )


# ---------------------------------------------------------------- budgets


TEN = "{ contacts(first: 9) { nodes { name } } }"
"""Costs 10; with three contacts, 4."""


async def test_what_was_not_used_is_given_back(full: Home) -> None:
    home, clock = poor(full, 100)
    for available in (96, 92):
        answer = await home.ask(TEN)
        assert answer.extensions == {
            "cost": {"requested": 10, "actual": 4, "available": available, "limit": 100, "perSecond": 10}
        }
    clock.now += 0.5
    assert (await home.ask(TEN)).extensions["cost"]["available"] == 92 + 5 - 4  # type: ignore[index]
    clock.now += 3600
    assert (await home.ask(TEN)).extensions["cost"]["available"] == 100 - 4  # type: ignore[index]


async def test_who_has_spent_the_budget_waits_and_others_do_not(full: Home, neighbour: Home) -> None:
    home, clock = poor(full, 12)
    other = replace(neighbour, services=home.services)
    await home.ask(TEN)
    answer = await home.ask("{ contacts(first: 29) { nodes { name } } }")
    assert answer.errors is not None
    assert (answer.errors[0].message, answer.errors[0].extensions) == (
        "This operation may cost 30, and 8 is left: try again in 3 s.",
        {"code": "THROTTLED", "retryAfter": 3},
    )
    assert answer.extensions == {"cost": {"requested": 30, "actual": 0, "available": 8, "limit": 12, "perSecond": 10}}
    assert (await home.refused(TEN))[0] == "THROTTLED"
    assert (await other.ask(TEN)).errors is None
    clock.now += 0.2
    assert (await home.ask(TEN)).errors is None


@pytest.mark.parametrize(
    ("query", "actual"),
    [
        ("query ($x: Int!) { contacts(first: $x) { nodes { name } } }", 0),  # no field was reached
        ("{ contacts(first: 9, last: 9) { nodes { name } } }", 1 + 9),  # an error took the whole answer
        ('{ contacts(first: 9) { nodes { name } } node(id: "x") { ... on Contact { organization { name } } } }',
         1 + 3 + 2),  # and here one object, of which nobody knows how far it was read
    ],
)  # fmt: skip
async def test_errors_are_accounted_for(full: Home, query: str, actual: int) -> None:
    home, _ = poor(full, 100)
    answer = await home.ask(query)
    assert answer.errors is not None
    assert answer.extensions is not None
    assert (answer.extensions["cost"]["actual"], answer.extensions["cost"]["available"]) == (actual, 100 - actual)


async def test_an_operation_that_was_never_one_costs_nothing(full: Home) -> None:
    home, _ = poor(full, 100)
    for query in ("{ nothing }", "{ contacts(", "{a" * 100):
        assert not (await home.ask(query)).extensions
    assert home.services.budgets.left(home.context().caller.name) == 100


async def test_a_subscription_pays_for_each_event_and_none_is_dropped(full: Home) -> None:
    home, _ = poor(full, 3)
    made = {"integration_id": home.integration, "kind": "FULL", "trigger": "MEMBER"}
    await home.add(
        home.make(tables.SyncRun, status="RUNNING", **made), home.make(tables.SyncRun, status="QUEUED", **made)
    )
    query = "subscription { syncRuns { status integration { displayName } } }"
    events = await schema.subscribe(query, context_value=home.context())
    found = [told(await anext(events)), told(await anext(events))]
    await events.aclose()
    assert found == [(2, 2), (2, 2)]
    assert home.services.budgets.left(home.context().caller.name) == 3 - 2 - 2
    [answer] = [event async for event in await schema.subscribe(query, context_value=home.context())]
    assert [(error.extensions or {})["code"] for error in answer.errors or ()] == ["THROTTLED"]


def test_a_budget_remembers_so_many_callers_only() -> None:
    budgets = Budgets(100, 1, Clock())
    for number in range(KEPT + 1):
        budgets.spend(str(number), 60)
    assert (budgets.left("0"), budgets.left("1")) == (100, 40)
    assert budgets.take("1", 50) == 10
    assert budgets.left("1") == 40


async def test_a_run_is_found_by_its_id(full: Home) -> None:
    run = full.make(tables.SyncRun, integration_id=full.integration, kind="FULL", status="FAILED", trigger="MEMBER")
    key = gid(run)
    await full.add(run)
    assert told(await full.ask(f'{{ syncRun(id: "{key}") {{ status counts {{ fetched }} }} }}')) == (1 + 5, 1)


# ---------------------------------------------------------------- the page


PAGE = (ROOT / "docs" / "limits.md").read_text()


def read_table(heading: str) -> dict[str, str]:
    """The rows of a table, by what their first column says."""
    rows = PAGE.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return {name.strip(): value.strip() for _, name, value, _ in (row.split("|") for row in rows)}


def list_declared(what: str) -> dict[str, str]:
    """What is declared beside the fields, as the page tells it."""
    found: dict[str, str] = {}
    for type_ in schema._schema.type_map.values():
        for name, field in (type_.fields if isinstance(type_, GraphQLObjectType) else {}).items():
            owner = "Connection" if type_.name.endswith("Connection") else type_.name
            declared = read_metadata(field).get(what)
            if isinstance(declared, Mapping):
                found |= {f"`{owner}.{name}({given})`": str(cost) for given, cost in declared.items()}
            elif declared:
                found[f"`{owner}.{name}`" + " without `first`" * (what == "size" and "first" in field.args)] = str(
                    declared
                )
    return found


def test_the_page_tells_what_is_dear_and_what_is_long() -> None:
    assert read_table("what is dear | costs besides") == list_declared("cost")
    assert read_table("which list | is taken to have") == list_declared("size")


def test_the_page_tells_the_limits() -> None:
    numbers = [value.replace(",", "") for value in read_table("of what | at most").values()]
    assert [int(number) for number in numbers] == [
        limits.CHARACTERS,
        limits.TOKENS,
        Limits().depth,
        limits.NESTING,
        limits.ALIASES,
        limits.DIRECTIVES,
        limits.DIRECTIVES_HERE,
        limits.SELECTIONS,
        limits.REPEATS,
        limits.OPERATIONS,
        limits.FRAGMENTS,
        FIELDS,
    ]
    budgets = Budgets()
    for number in (Limits().cost, Limits().seconds, budgets.limit, budgets.per_second, USUAL, FEW, MUTATION, SCHEMA):
        assert re.search(rf"\b{number:,}\b", PAGE)


async def test_the_pages_example_costs_what_it_says(full: Home) -> None:
    [query] = re.findall(r"```graphql\n(.*?)```", PAGE, re.DOTALL)
    assert told(await full.ask(query))[0] == 281
    assert "= 281." in PAGE
