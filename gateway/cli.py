"""The command line: `crosswalk`, or `python -m gateway`."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from gateway import admin, progress, rotation, serve
from gateway.db import app as db
from gateway.links import clear_links_command
from gateway.mappings import mappings
from gateway.process import open_database
from gateway.settings import Settings
from gateway.start import prepare
from gateway.stats import stats_command
from gateway.trouble import StartError
from resolvers.errors import Refused
from schema.build import print_sdl
from storage.errors import StorageError
from storage.migrate import migrate as migrate_database

app = typer.Typer(
    name="crosswalk",
    help="A self-hosted GraphQL gateway over CRMs.\n\nSettings come from the environment, or from a file .env in this "
    "folder: see .env.example. Start with `crosswalk serve`, or with `make run`, which simulates the CRMs too.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(admin.workspaces, name="workspaces")
app.add_typer(admin.keys, name="keys")
app.add_typer(mappings, name="mappings")
app.add_typer(db, name="db")
app.command("stats")(stats_command)
app.command("clear-links")(clear_links_command)

Host = Annotated[str | None, typer.Option(help="Stands in for HOST.", show_default="127.0.0.1")]
Works = Annotated[bool, typer.Option("--worker/--no-worker", help="Whether this process carries out jobs too.")]
Port = Annotated[int | None, typer.Option(help="Stands in for PORT.", show_default="8000")]


@app.command("serve")
def serve_command(host: Host = None, port: Port = None, worker: Works = True) -> None:
    """Serve GraphQL and carry out jobs, until Ctrl-C.

    With CROSSWALK_SANDBOX=1 the simulated CRMs are started too.

    Example: CROSSWALK_SANDBOX=1 crosswalk serve --port 8010
    """
    serve.serve(prepare(host=host, port=port), works=worker)


@app.command("worker")
def worker_command(
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Where to answer /metrics, /healthz and /readyz.", show_default="nowhere"),
    ] = None,
    metrics_host: Annotated[
        str, typer.Option(help="On which address; METRICS_TOKEN is needed for others than loopback.")
    ] = "127.0.0.1",
) -> None:
    """Carry out syncs and other jobs.

    Run as many as wanted, on as many machines, beside the gateways of the same database.

    Example: DATABASE_URL=postgresql://crosswalk@db/crosswalk crosswalk worker --metrics-port 9100
    """
    serve.work(prepare(), metrics_host=metrics_host, metrics_port=metrics_port)


@app.command("sandbox")
def sandbox_command(
    port: Annotated[int | None, typer.Option(help="Stands in for SANDBOX_PORT.", show_default="8001")] = None,
    size: Annotated[int, typer.Option(min=1, help="Persons in the large account of each CRM.")] = 1200,
) -> None:
    """Simulate the CRMs alone, on 127.0.0.1, until Ctrl-C.

    Example: crosswalk sandbox --size 5000, and beside it: CROSSWALK_SANDBOX=1 crosswalk serve
    """
    settings = prepare(sandbox_port=port)
    command = [sys.executable, "-m", "sandbox", "--port", str(settings.sandbox_port), "--size", str(size)]
    os.execv(sys.executable, command)  # noqa: S606 # it is another program, and takes our place


@app.command("sync")
def sync_command(
    integration: Annotated[str, typer.Argument(help="Its id, its name, or its CRM.")],
    types: Annotated[
        str | None, typer.Option(help="Some of CONTACT,ORGANIZATION,DEAL,ACTIVITY.", show_default="all")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything again, not only what has changed.")] = False,
    workspace: Annotated[
        str | None, typer.Option(help="The name it was made with, or its id.", show_default="the only one")
    ] = None,
) -> None:
    """Sync an integration and show the progress.

    It reads everything the first time, then what has changed.

    It works whether or not a gateway runs: this command has a worker of its own. Ctrl-C stops watching; what is done
    is kept, and the run goes on as soon as a worker or a gateway runs.

    Example: crosswalk sync pipedrive --types contact,deal
    """
    raise typer.Exit(asyncio.run(progress.sync(prepare(), integration, types, full=full, workspace=workspace)))


@app.command("migrate")
def migrate_command() -> None:
    """Bring the database up to date. `serve` and `worker` do the same when they start.

    Example: DATABASE_URL=postgresql://owner@db/crosswalk crosswalk migrate
    """
    asyncio.run(run_migration(prepare()))
    typer.echo("The database is up to date.")


async def run_migration(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        url, _ = await open_database(settings, stack)
        await asyncio.to_thread(migrate_database, url)


@app.command("rotate-keys")
def rotate_keys_command(
    new: Annotated[
        bool, typer.Option("--new", help="Make a new key, even where the file has several already.")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Take the keys that nothing needs any more out of the file.")
    ] = False,
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Only drop the credentials whose key is lost: connect those accounts again."),
    ] = None,
) -> None:
    """Seal the stored credentials with a new key, while all runs.

    Where CROSSWALK_KEYS (or CROSSWALK_DATA) has a file with one key, a new one is put in front of it. Where there are
    several, the first one is taken: it was put there by hand. Killed in the middle, it is run again.

    Example: crosswalk rotate-keys --drop
    """
    settings = prepare()
    work = rotation.forget(settings, forget) if forget else rotation.rotate(settings, new=new, drop=drop)
    asyncio.run(work)


@app.command("schema")
def schema_command(
    out: Annotated[Path | None, typer.Option(help="A file to write it to, instead of standard output.")] = None,
) -> None:
    """Print the GraphQL schema.

    Example: crosswalk schema --out schema.graphql
    """
    if out:
        try:
            out.write_text(print_sdl())
        except OSError as error:
            raise StartError(f"cannot write {out} ({error.strerror}): name another file") from error
    else:
        typer.echo(print_sdl(), nl=False)


def main() -> None:
    """What a person can put right is a line on stderr and exit code 1, never a traceback."""
    try:
        app(prog_name="crosswalk")
    except (StartError, StorageError, Refused) as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"crosswalk: {line}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads on
        sys.exit(1)


if __name__ == "__main__":
    main()
