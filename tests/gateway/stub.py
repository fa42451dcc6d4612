"""A small schema behind the real edge and view: what HTTP does with operations, apart from what they mean."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import strawberry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from gateway import oauth
from gateway.edge import Edge
from gateway.view import View
from resolvers.context import CALLBACK, Caller, Context
from storage.shapes import Role

MAX_BODY = 10_000


@strawberry.type
class Query:
    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def fails(self) -> str:
        raise ValueError("select secret from credentials")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self) -> bool:
        return True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int]:
        for number in range(to):
            yield number


class Process:
    def new_context(self) -> Context:
        caller = Caller(workspace_id=UUID(int=1), member_id=None, role=Role.ADMIN)
        nothing: Any = None
        return Context(database=nothing, caller=caller, services=nothing)


def create_app() -> Starlette:
    view = View(strawberry.Schema(Query, Mutation, Subscription), MAX_BODY)
    app = Starlette(
        middleware=[Middleware(Edge, public_url="https://crm.example", visited=(CALLBACK,))],
        routes=[Route("/graphql", view), WebSocketRoute("/graphql", view), oauth.ROUTE],
    )
    app.state.process = Process()
    return app
