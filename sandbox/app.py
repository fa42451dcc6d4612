"""The application: every simulated CRM below its own path, the control surface, and a page that says so."""

import socket
import sys
from collections.abc import Callable, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from sandbox import hubspot, pipedrive
from sandbox.account import Crm
from sandbox.control import CONTROLS, control_route
from sandbox.faults import FAULTS

HOST = "127.0.0.1"
PORT = 8001
SIZE = 1200
SEED = 1

Create = Callable[[int, int], Crm]
CRMS: tuple[Create, ...] = (pipedrive.create_crm, hubspot.create_crm)


def create_app(size: int = SIZE, seed: int = SEED, creators: Sequence[Create] = CRMS) -> Starlette:
    """`size` is the number of persons in the large account of each CRM; the second account stays small."""
    crms = {crm.name: crm for crm in (create(size, seed) for create in creators)}
    return Starlette(
        routes=[
            index_route(crms),
            control_route(crms),
            *(Mount(f"/{crm.name}", routes=crm.routes) for crm in crms.values()),
        ]
    )


def index_route(crms: dict[str, Crm]) -> Route:
    async def index(_: Request) -> PlainTextResponse:
        return PlainTextResponse("\n".join(describe(crms)))

    return Route("/", index)


def describe(crms: dict[str, Crm]) -> list[str]:
    lines = ["CRMs, simulated. Nothing here is real, and nothing leaves this machine.", ""]
    for crm in crms.values():
        lines += [f"/{crm.name}"]
        lines += [
            f"  authorize at /{crm.name}{crm.authorize}?client_id=any&redirect_uri=http://...&scope=...&state=..."
        ]
        for number, account in enumerate(crm.accounts, 1):
            held = ", ".join(f"{count} {name}" for name, count in account.counts().items())
            lines.append(f"  account {number}, token {account.token}: {held}")
        lines += [f"  {', '.join(methods)} /_sandbox/{crm.name}/{what}" for what, methods in CONTROLS.items()]
    lines += ["", "All of /_sandbox takes ?account=2."]
    lines += ['PUT data takes {"size": persons, "seed": 1, "broken": records that cannot be mapped, 0 unless given}.']
    lines += ["PUT faults takes an object, which replaces the one before, of:"]
    return [*lines, *(f"  {name}: {fault.takes}" for name, fault in FAULTS.items()), ""]


def serve(port: int, size: int, seed: int) -> None:
    """Serves until interrupted; a port that is taken ends the program with status 1 and one line."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            sys.stderr.write(f"sandbox: cannot listen on {HOST}:{port}: {error.strerror}\n")
            raise SystemExit(1) from error
        config = uvicorn.Config(
            create_app(size, seed), log_level="warning", access_log=False, ws="none", lifespan="off"
        )
        sys.stderr.write(f"sandbox: http://{HOST}:{listener.getsockname()[1]}\n")
        uvicorn.Server(config).run(sockets=[listener])
