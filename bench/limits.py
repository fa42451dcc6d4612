"""What the limits cost: CPU of an operation with them and without, in this process and without a database."""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import strawberry
import uvicorn
from graphql import DocumentNode, parse, specified_rules
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.schema import validate_document
from strawberry.types.execution import ExecutionContext, PreExecutionError

from resolvers.budgets import Budgets
from resolvers.callers import Caller
from resolvers.context import Context, Services
from schema.build import Schema, make_schema
from storage.listing import stored
from storage.records import Record, now
from storage.shapes import Role
from storage.tables import Contact, Deal

ROUNDS, TIMES = 60, 30
WORKSPACE = UUID(int=1)
SEEN = """
query Board($first: Int!, $details: Boolean!) {
  contacts(first: $first) {
    nodes { id name emails { value } deals(first: 3) { nodes { ...Deal } } }
    pageInfo { hasNextPage endCursor }
  }
  viewer { role workspace @include(if: $details) { name } }
}
fragment Deal on Deal { id title status amount { amount currency } }
"""
VALUES = {"first": 25, "details": False}


class Bare(strawberry.Schema):
    """The same types; a document is read once here too, and nothing is counted."""

    def __init__(self, *types: Any, **options: Any) -> None:
        super().__init__(*types, **options)
        self._read = lru_cache(128)(self._parse)

    def _parse(self, text: str) -> DocumentNode:
        document = parse(text)
        assert not validate_document(self._schema, document, tuple(specified_rules))
        return document

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: SchemaExtensionsRunner
    ) -> PreExecutionError | None:
        context.context = replace(context.context, loaders={}, listings={}, reread=set())
        context.graphql_document = self._read(context.query or "")
        context.validation_rules = ()
        return await super()._prepare_operation_async(context, extensions_runner)


class Pretended:
    """Has ten contacts with three deals each, and nothing else."""

    def __init__(self) -> None:
        made = {"workspace_id": WORKSPACE, "created_at": now(), "updated_at": now()}
        self.contacts = [make_row(Contact(id=UUID(int=n), name="Ada", **made)) for n in range(10)]
        self.deals = [make_row(Deal(id=UUID(int=n), title="Engine", **made)) for n in range(3)]

    async def fetch(self, _workspace: UUID, _sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Whatever is asked."""
        if "parents" in values:
            return [{**row, "parent": each} for each in values["parents"] for row in self.deals]
        return [dict(row) for row in self.contacts]


def make_row(record: Record) -> dict[str, Any]:
    """As the database gives it."""
    return {name: value for name, value in record.model_dump().items() if name in stored(type(record))[1]}


def make_context() -> Context:
    """Of a caller who is never short of budget."""
    nothing: Any = None
    database: Any = Pretended()
    services = Services(
        database=database,
        hub=nothing,
        cache=nothing,
        clients=nothing,
        jobs=nothing,
        payloads=nothing,
        callers=nothing,
        public_url="",
        budgets=Budgets(10**12),
    )
    caller = Caller(workspace_id=WORKSPACE, member_id=None, role=Role.ADMIN)
    return Context(database=database, caller=caller, services=services)


async def carry_out(schema: strawberry.Schema, make_text: Callable[[int], str], values: dict[str, Any]) -> float:
    """CPU milliseconds of one operation, of so many."""
    context = make_context()
    began = time.process_time()
    for number in range(TIMES):
        answer = await schema.execute(make_text(number), variable_values=values, context_value=context)
        assert answer.errors is None, answer.errors
    return (time.process_time() - began) * 1000 / TIMES


async def compare(make_text: Callable[[int, int], str], values: dict[str, Any]) -> dict[str, float]:
    """Medians over rounds that take turns: milliseconds with limits, without, and what lies between."""
    bare, limited = make_schema(Bare), make_schema(Schema)
    rounds = [
        [await carry_out(schema, partial(make_text, number), values) for schema in (bare, limited)]
        for number in range(ROUNDS + 1)
    ][1:]  # the first one has warmed up
    without, with_ = (statistics.median(column) for column in zip(*rounds, strict=True))
    between = statistics.median(two - one for one, two in rounds)
    return {"without": without, "with": with_, "limits": between}


def measure_limits() -> dict[str, dict[str, float]]:
    """Of a text that was seen before, and of a tiny one that is new each time."""
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:  # the gateway's own
        seen = runner.run(compare(lambda _, __: SEEN, VALUES))
        new = runner.run(compare(lambda turn, number: f"{{ viewer {{ role }} a{turn}_{number}: __typename }}", {}))
    return {"seen": seen, "new": new}
