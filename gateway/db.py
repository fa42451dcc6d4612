"""`crosswalk db …`: the database, embedded or named by DATABASE_URL."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.settings import Settings
from gateway.start import prepare
from gateway.trouble import StartError
from storage.embedded import Embedded

app = typer.Typer(help="The database: is it there, look into it, save it.", no_args_is_help=True)

NOT_OURS = "DATABASE_URL is set, so there is no embedded database: use the tools of that server"


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Embedded, str]]:
    """The tools and the address of the database; the embedded one is started for the time of the block."""
    embedded = Embedded(settings.crosswalk_data)
    if settings.database_url:
        yield embedded, settings.database_url.get_secret_value()
    else:
        with embedded:
            yield embedded, embedded.url()


@contextmanager
def without_password(url: str) -> Iterator[str]:
    """The address as an argument of a program, which every user of the machine can read: a password is in a file, which they
    cannot, for the time of the block."""
    parts = conninfo_to_dict(url)
    password = str(parts.pop("password", None) or "")
    if not password:
        yield url
        return
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    with NamedTemporaryFile("w", prefix="crosswalk-") as file:  # mode 600, without which libpq would not read it
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield make_conninfo("", **{**parts, "passfile": file.name})


@app.command("status")
def status() -> None:
    """Say whether the database runs, where, and who uses it. Exit code 1 if it does not.

    Example: crosswalk db status
    """
    settings = prepare()
    if settings.database_url:
        typer.echo(
            f"running: Postgres {server_version(settings.database_url.get_secret_value())}, named by DATABASE_URL"
        )
        return
    found = Embedded(settings.crosswalk_data).status()
    users = f", used by process {', '.join(map(str, found.holders))}" if found.holders else ""
    if found.version is None:
        typer.echo(f"none yet: `crosswalk serve` makes one in {found.folder}")
    else:
        typer.echo(f"{'running' if found.running else 'stopped'}: Postgres {found.version} in {found.folder}{users}")
    raise typer.Exit(0 if found.running else 1)


def server_version(url: str) -> str:
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            return str(connection.info.server_version // 10_000)
    except psycopg.OperationalError as error:
        message = f"DATABASE_URL: no Postgres answers ({str(error).splitlines()[0]}): start it, or correct the address"
        raise StartError(message) from error


@app.command("stop")
def stop(
    force: Annotated[
        bool, typer.Option("--force", help="Also while other processes use it; their syncs go on later.")
    ] = False,
) -> None:
    """Stop the embedded database. The last process that uses it does so by itself; this is for one left behind.

    Example: crosswalk db stop
    """
    settings = prepare()
    if settings.database_url:
        raise StartError(NOT_OURS)
    Embedded(settings.crosswalk_data).stop(force=force)
    typer.echo("stopped")


@app.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(context: typer.Context) -> None:
    """Open psql on the database; arguments after -- are psql's.

    Example: crosswalk db psql -- -c "select count(*) from contact"
    """
    with opened(prepare()) as (embedded, url), without_password(url) as address:
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is psql's; a handler, unlike "ignore", is not inherited
        command = [str(embedded.binary("psql")), *context.args, f"--dbname={address}"]
        code = subprocess.run(command, check=False).returncode  # noqa: S603 # psql, as asked for
    raise typer.Exit(code)


@app.command("url")
def url() -> None:
    """Print the database's address, for other tools. The embedded one answers while something uses it.

    Example: psql "$(crosswalk db url)"
    """
    settings = prepare()
    named = settings.database_url.get_secret_value() if settings.database_url else None
    typer.echo(named or Embedded(settings.crosswalk_data).url())


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.", show_default=False)],
) -> None:
    """Save the database to a file, also while it is in use. `pg_restore` reads it. The keys in CROSSWALK_DATA are apart.

    Example: crosswalk db backup crosswalk.dump
    """
    if file.exists():
        message = f"{file} is there already: name another file"
        raise StartError(message)
    unfinished = file.with_name(f"{file.name}.unfinished")
    with opened(prepare()) as (embedded, url), without_password(url) as address:
        command = [str(embedded.binary("pg_dump")), "--format=custom", f"--file={unfinished}", f"--dbname={address}"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, umask=0o077)  # noqa: S603 # our own tool
    if ended.returncode:
        unfinished.unlink(missing_ok=True)
        reason = (ended.stderr.strip() or f"exit code {ended.returncode}").splitlines()[0]
        message = f"no backup was written: {reason}"
        raise StartError(message)
    unfinished.replace(file)
    typer.echo(f"{file}: {file.stat().st_size:,} bytes")
