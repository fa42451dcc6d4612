"""`crosswalk mappings …`: the mappings of fields that somebody has made, out to a file and in from one."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.admin import run
from gateway.process import Process, open_process
from gateway.progress import choose, choose_workspace
from gateway.sandbox import running_sandbox
from gateway.settings import Settings
from gateway.start import prepare
from gateway.trouble import StartError
from resolvers.integrations import list_integrations
from resolvers.mappings import list_mappings, update_mappings
from resolvers.rules import RefusedRows, Wish
from storage.shapes import Direction

mappings = typer.Typer(help="Mappings of fields: export, import.", no_args_is_help=True)

TEXTS = {"externalType": "external_type", "localField": "local_field", "crmField": "crm_field"}

Name = Annotated[str, typer.Argument(help="Its id, its name, or its CRM.", show_default=False)]
InWorkspace = Annotated[
    str | None,
    typer.Option("--workspace", help="The name it was made with, or its id.", show_default="the only one"),
]


@mappings.command("export")
def export_command(
    integration: Name,
    out: Annotated[Path | None, typer.Option(help="A file to write it to, instead of standard output.")] = None,
    workspace: InWorkspace = None,
) -> None:
    """Print the mappings that somebody has made, as JSON; not the connector's own.

    Example: crosswalk mappings export pipedrive --out mappings.json
    """

    async def work(process: Process) -> list[dict[str, Any]]:
        context = await choose_workspace(process, workspace)
        found = choose(integration, await list_integrations(context, None, None))
        rows = await list_mappings(context, found, None)
        return [write_wish(row.wish) for row in rows if not row.is_default]

    text = orjson.dumps({"mappings": run(work)}, option=orjson.OPT_INDENT_2).decode()
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(f"{text}\n")
    except OSError as error:
        raise StartError(f"cannot write {out} ({error.strerror}): name another file") from error


@mappings.command("import")
def import_command(
    integration: Name,
    file: Annotated[Path, typer.Argument(help="What `crosswalk mappings export` has written.", show_default=False)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Take away other custom mappings of the types that the file names.")
    ] = False,
    workspace: InWorkspace = None,
) -> None:
    """Save the mappings of a file: all of them, or none where one is wrong.

    They are checked as `updateFieldMappings` checks them, by the fields that the CRM has. What is stored is mapped anew by
    the gateway or worker that runs, else by the next one.

    Example: crosswalk mappings import pipedrive mappings.json
    """
    wishes = read_file(file)
    asyncio.run(save(prepare(), integration, wishes, replace=replace, workspace=workspace))


async def save(
    settings: Settings, integration: str, wishes: list[Wish], *, replace: bool, workspace: str | None
) -> None:
    with running_sandbox(settings.sandbox_port) if settings.crosswalk_sandbox else nullcontext():
        async with open_process(settings, works=False) as process:
            context = await choose_workspace(process, workspace)
            found = choose(integration, await list_integrations(context, None, None))
            try:
                _, remap = await update_mappings(context, integration_id=found.id, wishes=wishes, replace=replace)
            except RefusedRows as refused:
                lines = [f"{'.'.join(row.field)}: {row.message}" for row in refused.rows]
                raise StartError("\n".join([*lines, "nothing is saved"])) from refused
    typer.echo(f"{found.display_name}: {len(wishes)} mappings are saved")
    typer.echo("What is stored is being mapped anew." if remap else "Nothing that is stored has to be mapped anew.")


def read_file(file: Path) -> list[Wish]:
    """The mappings in a file. Raises StartError."""
    try:
        given = orjson.loads(file.read_bytes())
    except OSError as error:
        raise StartError(f"cannot read {file} ({error.strerror}): name another file") from error
    except orjson.JSONDecodeError as error:
        raise StartError(f"{file} is no JSON: {error}") from error
    rows = given.get("mappings") if isinstance(given, dict) else None
    if not isinstance(rows, list):
        raise StartError(f"{file} has no list `mappings`: `crosswalk mappings export` writes one")
    wrong = [f"mappings.{number}: {reason}" for number, row in enumerate(rows) if (reason := find_fault(row))]
    if wrong:
        raise StartError("\n".join([*wrong, "nothing is saved"]))
    return [read_wish(row) for row in rows]


def find_fault(row: Any) -> str | None:
    """Why a row of a file is no mapping; None where it is one."""
    if not isinstance(row, dict):
        return "is no object"
    if strangers := sorted(set(row) - {*TEXTS, "direction", "transform"}):
        return f"has {', '.join(strangers)}, which nothing reads"
    if missing := [name for name in TEXTS if not isinstance(row.get(name), str)]:
        return f"needs {', '.join(missing)} as text"
    if row.get("direction", Direction.BIDIRECTIONAL.value) not in Direction.__members__:
        return f"`direction` is one of {', '.join(Direction.__members__)}"
    return None if isinstance(row.get("transform"), str | None) else "`transform` is a text"


def read_wish(row: Mapping[str, Any]) -> Wish:
    """A row of a file as somebody's wish."""
    texts = {ours: row[name] for name, ours in TEXTS.items()}
    direction = Direction(row.get("direction", Direction.BIDIRECTIONAL.value))
    return Wish(direction=direction, transform=row.get("transform"), **texts)


def write_wish(wish: Wish) -> dict[str, Any]:
    """A mapping as a row of a file."""
    texts = {name: getattr(wish, ours) for name, ours in TEXTS.items()}
    return {**texts, "direction": wish.direction.value, "transform": wish.transform}
