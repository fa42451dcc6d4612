"""A small schema behind the real edge and view: what HTTP does with operations, apart from what they mean."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import strawberry
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from gateway import oauth
from gateway.edge import list_middleware, show_fault
from gateway.guard import Limits, bear
from gateway.pace import Pace
from gateway.serve import Server, configure, listen
from gateway.streams import Streams
from gateway.view import View
from resolvers.callers import Caller, Callers
from resolvers.context import CALLBACK, Context
from storage.events import Hub
from storage.shapes import Role

MAX_BODY = 10_000


@strawberry.type
class Query:
    @strawberry.field
    def echo(self, text: str) -> str:
        return text

    @strawberry.field
    def keep(self, value: strawberry.scalars.JSON) -> strawberry.scalars.JSON:
        return value

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
    async def count(self, info: strawberry.Info[Context], to: int, waits: bool = False) -> AsyncGenerator[int]:
        """So many numbers; and then, if it `waits`, nothing until somebody ends it. `Process.ended` tells its end."""
        services: Any = info.context.services
        try:
            for number in range(to):
                yield number
            if waits:
                await asyncio.Event().wait()
        finally:
            services.ended.set()


class Process:
    def __init__(self, is_open: bool) -> None:
        nothing: Any = None
        visitor = Caller(workspace_id=UUID(int=1), member_id=None, role=Role.ADMIN)
        hub = Hub("postgresql://nowhere/nothing")
        callers = Callers(nothing, hub, visitor=visitor if is_open else None)
        self.ended = asyncio.Event()
        self.services: Any = SimpleNamespace(callers=callers, ended=self.ended)

    def new_context(self, caller: Caller) -> Context:
        nothing: Any = None
        return Context(database=nothing, caller=caller, services=self.services)


def create_app(
    *,
    public_url: str = "https://crm.example",
    origins: Collection[str] = (),
    is_open: bool = True,
    streams: Streams | None = None,
    pace: Pace | None = None,
) -> Starlette:
    """A gateway where everybody is admitted, if it `is_open`, and else nobody."""
    view = View(strawberry.Schema(Query, Mutation, Subscription), MAX_BODY, streams=streams, pace=pace)
    app = Starlette(
        middleware=list_middleware(public_url, visited=(CALLBACK,), origins=origins, is_open=is_open),
        exception_handlers={Exception: show_fault},
        routes=[Route("/graphql", view), WebSocketRoute("/graphql", view), oauth.ROUTE],
    )
    app.state.process = Process(is_open)
    return app


@asynccontextmanager
async def serve(app: Starlette, limits: Limits | None = None, stall_seconds: float | None = None) -> AsyncIterator[int]:
    """The port at which it is served, as the gateway is."""
    with listen("127.0.0.1", 0) as listener:
        if stall_seconds:
            bear(listener, stall_seconds)
        ready = asyncio.Event()
        server = Server(configure(app, MAX_BODY, limits or Limits()), ready.set)
        task = asyncio.create_task(server.serve([listener]))
        try:
            await ready.wait()
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task
