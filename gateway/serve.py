"""Running: the gateway's listener, a worker alone, and how both come to their end."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from typing import NoReturn

import uvicorn
from starlette.applications import Starlette

from gateway.app import create_app, create_worker
from gateway.guard import Limits, bear, make_room, open_door
from gateway.process import open_process
from gateway.sandbox import running_sandbox
from gateway.settings import Settings, is_loopback
from gateway.trouble import StartError
from gateway.watch import Watch

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE = 3
"""Seconds that requests under way have when the gateway stops."""


class Server(uvicorn.Server):
    """uvicorn's, which leaves signals to us and says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    def stop(self) -> None:
        self.force_exit = self.should_exit  # asked twice
        self.should_exit = True
        logging.getLogger("uvicorn.error").addFilter(is_news)


def is_news(record: logging.LogRecord) -> bool:
    """Streams that are cut because we stop are no error, though uvicorn tells them as one."""
    cut = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cut and not str(record.msg).startswith("Cancel %s running")


def serve(settings: Settings, *, works: bool = True) -> None:
    """Until interrupted: the gateway, a job worker in it if it `works`, and the sandbox where that is on."""
    leave_on_sigterm()
    with listen(settings.host, settings.port) as listener:
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        with running_sandbox(settings.sandbox_port) if settings.crosswalk_sandbox else nullcontext():
            app = create_app(settings, works=works)
            limits = Limits(connections=make_room())
            config = configure(app, settings.max_body, limits)
            with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
                runner.run(run_server(app, Server(config, lambda: greet(settings)), listener))


def configure(app: Starlette, max_body: int, limits: Limits) -> uvicorn.Config:
    """uvicorn's settings for an application whose lifespan is entered by us, so that what goes wrong in it is one line."""
    http, ws = open_door(limits)
    return uvicorn.Config(
        app,
        lifespan="off",
        http=http,
        ws=ws,
        log_config=None,
        access_log=False,  # it would write addresses down, and with them codes and links
        server_header=False,
        proxy_headers=False,
        ws_max_size=max_body,
        ws_per_message_deflate=False,  # it would take 40 kB of memory for each socket
        timeout_graceful_shutdown=GRACE,
    )


async def run_server(app: Starlette, server: Server, listener: socket.socket) -> None:
    on_signals(server.stop)
    async with app.router.lifespan_context(app):
        await server.serve([listener])


def greet(settings: Settings) -> None:
    """What a person wants to know of a gateway that has just started."""
    lines = [f"Crosswalk answers at {settings.address}/graphql"]
    if settings.crosswalk_sandbox:
        lines.append(f"  CRMs are simulated at http://127.0.0.1:{settings.sandbox_port}")
    if not settings.is_open:
        lines.append("  Every call needs a credential: see `crosswalk workspaces --help` and `crosswalk keys --help`.")
    if not settings.public_url and not is_loopback(settings.host):
        lines.append("  PUBLIC_URL is not set: consents and invitations would lead people to that address.")
    print(*lines, "  Ctrl-C stops it.", sep="\n", flush=True)  # noqa: T201 # for people, unlike the log


@contextmanager
def listen(host: str, port: int, name: str = "PORT") -> Generator[socket.socket]:
    """A bound socket; raises StartError where that cannot be, by the name under which the port was given."""
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bear(listener)
        try:
            listener.bind(address)
        except OSError as error:
            message = f"cannot listen on {host}:{port} ({error.strerror}): stop what does, or set {name} to another"
            raise StartError(f"{name}: {message}") from error
        yield listener


def work(settings: Settings, *, metrics_host: str, metrics_port: int | None) -> None:
    """Until interrupted: jobs; and where a port is given for it, what there is to tell of them."""
    leave_on_sigterm()
    if metrics_port is None:
        asyncio.run(run_worker(settings))
        return
    with listen(metrics_host, metrics_port, "--metrics-port") as listener:
        app = create_worker(settings, metrics_host)
        config = configure(app, settings.max_body, Limits(connections=make_room()))
        host, port, *_ = listener.getsockname()
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(run_server(app, Server(config, lambda: greet_worker(f"{host}:{port}")), listener))


async def run_worker(settings: Settings) -> None:
    stopped = asyncio.Event()
    on_signals(stopped.set)
    async with open_process(settings, watch=Watch.open(settings)):
        greet_worker()
        await stopped.wait()


def greet_worker(metrics: str | None = None) -> None:
    """The same of a worker."""
    where = f" Its metrics are at http://{metrics}/metrics." if metrics else ""
    print(f"Crosswalk's worker waits for jobs.{where} Ctrl-C stops it.", flush=True)  # noqa: T201 # for people


def on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        loop.add_signal_handler(each, stop)


def leave_on_sigterm() -> None:
    """Before the loop runs, as after Ctrl-C: what has been started is stopped on the way out."""

    def leave(_number: int, _frame: object) -> NoReturn:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
