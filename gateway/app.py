"""The ASGI application: its routes, and a lifespan that puts the process together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from gateway import graphiql, oauth
from gateway.edge import Edge
from gateway.process import Process, open_process
from gateway.settings import Settings
from gateway.view import View
from resolvers.context import CALLBACK
from schema.build import schema

log = structlog.get_logger("gateway")


def create_app(settings: Settings, *, works: bool = True) -> Starlette:
    """The gateway, carrying out jobs too if it `works`; `app.state.process` is there while the lifespan lasts."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with open_process(settings, works=works) as process:
            app.state.process = process
            if not graphiql.is_local():
                log.info("GraphiQL loads from the CDN that Strawberry names: `make graphiql` fetches it, with Node.js")
            yield

    view = View(schema, settings.max_body)
    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(Edge, public_url=settings.address, visited=(CALLBACK,))],
        routes=[
            Route("/", lambda _: RedirectResponse("/graphql")),
            Route("/graphql", view),
            WebSocketRoute("/graphql", view),
            oauth.ROUTE,
            Route("/healthz", show_health),
            Route("/readyz", show_readiness),
            Mount("/static", StaticFiles(directory=graphiql.STATIC)),
        ],
    )


async def show_health(_: Request) -> JSONResponse:
    """The process lives, whatever else is down."""
    return JSONResponse({"status": "ok"})


async def show_readiness(request: Request) -> JSONResponse:
    """200 if requests can be answered and jobs are carried out; else 503, with what is not there."""
    process: Process = request.app.state.process
    troubles = await process.find_troubles()
    return JSONResponse({"status": "unready" if troubles else "ok", **troubles}, 503 if troubles else 200)
