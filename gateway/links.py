"""`crosswalk clear-links`: an integration forgets which of its CRM's records are which of ours."""

from typing import Annotated

import typer

from gateway.admin import run
from gateway.process import Process
from gateway.progress import choose, choose_workspace
from resolvers.integrations import list_integrations
from resolvers.unlinking import clear_links

ASK = (
    "Forget which records of {name} are which of ours? They stay as they are; deals, activities and people without an"
    " address or a number come anew beside them with the next sync."
)


def clear_links_command(
    integration: Annotated[str, typer.Argument(help="Its id, its name, or its CRM.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    workspace: Annotated[
        str | None, typer.Option(help="The name it was made with, or its id.", show_default="the only one")
    ] = None,
) -> None:
    """Forget which of a CRM's records are which of ours. The records stay; the next sync reads everything.

    It is refused while a sync of the integration is under way.

    Example: crosswalk clear-links pipedrive --yes
    """

    async def work(process: Process) -> str | None:
        context = await choose_workspace(process, workspace)
        found = choose(integration, await list_integrations(context, None, None))
        if not yes and not typer.confirm(ASK.format(name=found.display_name)):
            return None
        return (await clear_links(context, found.id)).display_name

    name = run(work)
    if name is None:
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{name}: its links are forgotten; the next sync is a FULL")
