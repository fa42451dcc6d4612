"""The ASGI application: its routes, and a lifespan that puts the process together."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from strawberry.schema import BaseSchema

from gateway import graphiql, invitations, oauth
from gateway.edge import list_middleware, show_fault
from gateway.metrics import Scrape
from gateway.process import Process, open_process
from gateway.requests import Requests
from gateway.settings import Settings
from gateway.view import View
from gateway.watch import Watch, Watched
from resolvers.context import CALLBACK
from schema.build import schema

log = structlog.get_logger("gateway")


def create_app(settings: Settings, *, works: bool = True) -> Starlette:
    """The gateway, carrying out jobs too if it `works`; `app.state.process` is there while the lifespan lasts."""
    watch = Watch.open(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with open_process(settings, works=works, watch=watch) as process:
            app.state.process = process
            if not graphiql.is_local():
                log.info("GraphiQL loads from the CDN that Strawberry names: `make graphiql` fetches it, with Node.js")
            yield

    watched = cast("BaseSchema", Watched(schema, watch))  # as far as a view needs one
    view = View(watched, settings.max_body, page=settings.graphiql)
    return Starlette(
        lifespan=lifespan,
        middleware=[
            Middleware(Requests, watch=watch),
            *list_middleware(
                settings.address,
                visited=(CALLBACK,),
                origins=tuple(filter(None, (settings.cors_origins or "").split(","))),
                is_open=settings.is_open,
            ),
        ],
        exception_handlers={Exception: show_fault},
        routes=[
            Route("/", lambda _: RedirectResponse("/graphql")),
            Route("/graphql", view),
            WebSocketRoute("/graphql", view),
            oauth.ROUTE,
            invitations.ROUTE,
            Route("/healthz", show_health),
            Route("/readyz", show_readiness),
            Scrape(watch.metrics, settings.host, settings.metrics_token).route,
            Mount("/static", StaticFiles(directory=graphiql.STATIC)),
        ],
    )


def create_worker(settings: Settings, host: str) -> Starlette:
    """A worker that tells of itself, on a listener of its own: whether it is well, and its metrics."""
    watch = Watch.open(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with open_process(settings, watch=watch) as process:
            app.state.process = process
            yield

    return Starlette(
        lifespan=lifespan,
        middleware=list_middleware(f"http://{host}", is_open=False),
        exception_handlers={Exception: show_fault},
        routes=[
            Route("/healthz", show_health),
            Route("/readyz", show_readiness),
            Scrape(watch.metrics, host, settings.metrics_token).route,
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
