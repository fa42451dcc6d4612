"""`crosswalk workspaces …` and `crosswalk keys …`: what whoever runs the gateway decides about its tenants."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gateway.process import Process, open_process
from gateway.start import prepare
from gateway.trouble import StartError
from resolvers.callers import Caller
from resolvers.context import Context
from resolvers.keys import create_key, list_keys, revoke_key
from resolvers.workspaces import change_plan, create_workspace, find_workspace, list_workspaces
from storage.records import now
from storage.shapes import Plan, Role
from storage.tables import ApiKey, Integration

T = TypeVar("T")

WIDE = 200
"""Columns: an id that is cut is of no use."""

workspaces = typer.Typer(help="The tenants: make, list, change plan.", no_args_is_help=True)
keys = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)

Workspace = Annotated[str, typer.Argument(help="The name it was made with, or its id.", show_default=False)]
InWorkspace = Annotated[
    str, typer.Option("--workspace", help="The name it was made with, or its id.", show_default=False)
]
PlanName = Annotated[Plan, typer.Argument(case_sensitive=False, show_default=False)]


def run(work: Callable[[Process], Awaitable[T]]) -> T:
    """Does it in a process that carries out no jobs; a gateway may run beside it."""

    async def working() -> T:
        async with open_process(prepare(), works=False) as process:
            return await work(process)

    return asyncio.run(working())


async def enter(process: Process, wanted: str) -> Context:
    """What the gateway itself may do in a workspace: everything."""
    found = await find_workspace(process.services.database, wanted)
    return process.new_context(Caller(workspace_id=found.id, member_id=None, role=Role.ADMIN))


# ---------------------------------------------------------------- workspaces


@workspaces.command("create")
def create_workspace_command(
    name: Annotated[str, typer.Argument(help="What it is called, here and in sign-ins.", show_default=False)],
    plan: Annotated[Plan, typer.Option(case_sensitive=False, help="What it subscribes to.")] = Plan.FREE,
) -> None:
    """Make a workspace and print its id.

    Example: crosswalk workspaces create Acme --plan BUSINESS
    """
    made = run(lambda process: create_workspace(process.services.database, name, plan))
    typer.echo(f"workspace {made.name} ({made.plan}), id {made.id}")
    typer.echo(f"Next: crosswalk keys create --workspace {made.id} --role ADMIN", err=True)


@workspaces.command("list")
def list_workspaces_command() -> None:
    """Print all workspaces.

    Example: crosswalk workspaces list
    """
    table = Table("made as", "name", "plan", "id", box=None)
    for one in run(lambda process: list_workspaces(process.services.database)):
        table.add_row(one.handle or one.name, one.name, one.plan, str(one.id))
    Console(width=WIDE).print(table)


@workspaces.command("plan")
def change_plan_command(workspace: Workspace, plan: PlanName) -> None:
    """Change what a workspace has subscribed to.

    Integrations that the plan does not include are paused, the newest first; nothing is deleted. A plan that includes them
    resumes them.

    Example: crosswalk workspaces plan Acme TEAMS
    """

    async def work(process: Process) -> tuple[str, list[Integration], list[Integration]]:
        changed, held, freed = await change_plan(await enter(process, workspace), plan)
        return changed.name, held, freed

    name, held, freed = run(work)
    typer.echo(f"workspace {name} ({plan.value})")
    for word, those in (("paused", held), ("resumed", freed)):
        for one in those:
            typer.echo(f"  {word}: {one.display_name} ({one.crm})")


# ---------------------------------------------------------------- keys


@keys.command("create")
def create_key_command(
    workspace: InWorkspace,
    role: Annotated[Role, typer.Option(case_sensitive=False, help="What it may do.", show_default=False)],
    name: Annotated[str, typer.Option(help="What people call it.")] = "command line",
    days: Annotated[int | None, typer.Option(min=1, help="When it ends.", show_default="never")] = None,
) -> None:
    """Make an API key and print its secret, alone on the last line. It is not shown again.

    Example: crosswalk keys create --workspace Acme --role ADMIN --name backend
    """
    expires_at = now() + timedelta(days=days) if days else None

    async def work(process: Process) -> tuple[ApiKey, str]:
        return await create_key(await enter(process, workspace), name=name, role=role, expires_at=expires_at)

    key, secret = run(work)
    until = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "until it is revoked"
    typer.echo(f"API key {key.name} ({key.role}) of workspace {workspace}, {until}, id {key.id}")
    typer.echo(secret)


@keys.command("list")
def list_keys_command(workspace: InWorkspace) -> None:
    """Print a workspace's keys, revoked ones too; not their secrets.

    Example: crosswalk keys list --workspace Acme
    """

    async def work(process: Process) -> list[ApiKey]:
        return await list_keys(await enter(process, workspace))

    table = Table("name", "role", "begins", "made", "last used", "ends", "id", box=None)
    for key in run(work):
        ends = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else day(key.expires_at)
        table.add_row(key.name, key.role, key.prefix, day(key.created_at), day(key.last_used_at), ends, str(key.id))
    Console(width=WIDE).print(table)


def day(moment: object) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"


@keys.command("revoke")
def revoke_key_command(
    workspace: InWorkspace,
    key: Annotated[str, typer.Argument(help="Its id, or how its secret begins.", show_default=False)],
) -> None:
    """Revoke a key: it opens nothing from now on.

    Example: crosswalk keys revoke --workspace Acme cw_Ab3dE
    """

    async def work(process: Process) -> ApiKey:
        context = await enter(process, workspace)
        found = [one for one in await list_keys(context) if key in (str(one.id), one.prefix)]
        if len(found) != 1:
            raise StartError(f"{key!r} is {'not one' if found else 'no'} key: `crosswalk keys list` shows them")
        return await revoke_key(context, found[0].id)

    revoked = run(work)
    typer.echo(f"revoked: {revoked.name} ({revoked.prefix}…)")
