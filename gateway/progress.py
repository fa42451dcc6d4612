"""`crosswalk sync`: a run asked for by command, and its progress."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from gateway.process import Process, open_process
from gateway.sandbox import running_sandbox
from gateway.settings import Settings
from gateway.trouble import StartError
from resolvers.callers import Caller
from resolvers.context import Context
from resolvers.integrations import list_integrations
from resolvers.runs import count_done, start_sync, watch_run
from resolvers.scope import Request
from resolvers.workspaces import find_workspace, list_workspaces
from storage.listing import GlobalId, InvalidQuery
from storage.shapes import RecordType, Role, SyncKind, SyncStatus, SyncTrigger
from storage.tables import Integration, SyncRun

GOOD = {SyncStatus.SUCCEEDED.value, SyncStatus.PARTIAL.value}


async def sync(
    settings: Settings, wanted: str, types: str | None, *, full: bool = False, workspace: str | None = None
) -> int:
    """The exit code: 0 where the run ended well. A worker of this process takes part, so no gateway has to run."""
    record_types = read_types(types)
    with running_sandbox(settings.sandbox_port) if settings.crosswalk_sandbox else nullcontext():
        async with open_process(settings) as process:
            context = await choose_workspace(process, workspace)
            integration = choose(wanted, await list_integrations(context, None, None))
            run, is_new = await start_sync(
                context,
                integration_id=integration.id,
                request=Request(kind=SyncKind.FULL.value if full else None, record_types=record_types),
                trigger=SyncTrigger.COMMAND,
            )
            console = Console()
            console.print(f"{integration.display_name}: {'a sync' if is_new else 'the sync that is under way'}")
            return report(console, await watch(console, context, run))


async def choose_workspace(process: Process, wanted: str | None) -> Context:
    """What the gateway itself may do in the one that is wanted, else in the only one."""
    database = process.services.database
    found = [await find_workspace(database, wanted)] if wanted else await list_workspaces(database)
    if len(found) != 1:
        names = ", ".join(one.handle or one.name for one in found)
        raise StartError(f"--workspace: name one of {names}" if found else "there is no workspace: make one first")
    return process.new_context(Caller(workspace_id=found[0].id, member_id=None, role=Role.ADMIN))


def read_types(types: str | None) -> list[RecordType] | None:
    names = [name.strip().upper() for name in types.split(",")] if types else []
    known = {type_.value for type_ in RecordType}
    if wrong := [name for name in names if name not in known]:
        message = f"--types: got {wrong[0]!r}, but takes some of {','.join(sorted(known))}"
        raise StartError(message)
    return [RecordType(name) for name in names] or None


def choose(wanted: str, integrations: Sequence[Integration]) -> Integration:
    """The one integration of that id, name or CRM."""
    if not integrations:
        raise StartError("no integration is connected yet: connect one in GraphiQL, at /graphql, first")
    found = [one for one in integrations if one.id == read_id(wanted)]
    found = found or [one for one in integrations if wanted.casefold() == one.display_name.casefold()]
    found = found or [one for one in integrations if wanted.casefold() == one.crm.casefold()]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{one.display_name!r} ({one.id})" for one in found or integrations)
    raise StartError(f"{wanted!r} is {'not one' if found else 'no'} integration: take one of {names}")


def read_id(wanted: str) -> UUID | None:
    """As GraphQL gives it, or as the database has it."""
    for read in (UUID, lambda text: GlobalId.read(text).key):
        with suppress(ValueError, InvalidQuery):
            return read(wanted)
    return None


async def watch(console: Console, context: Context, run: SyncRun) -> SyncRun:
    """Draws the run until it ends; without a terminal, a line for each new status."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("QUEUED", total=None, records=0)
        seen, status = run, None
        async for seen in watch_run(context, run.id):
            draw(bar, task, seen)
            if seen.status != status and not console.is_terminal:
                console.print(" ".join(filter(None, (seen.status, seen.message))))
            status = seen.status
    return seen


def draw(bar: Progress, task: TaskID, run: SyncRun) -> None:
    met = sum(counts.get("fetched", 0) for counts in run.counts.values())
    done, total = count_done(run) or (met, None)
    if run.status in GOOD:
        total = done = met or 1  # records can come and go while it reads: the end is where it ends
    words = " ".join(filter(None, (run.status, run.message)))
    bar.update(task, description=words, completed=done, total=total, records=met)


def report(console: Console, run: SyncRun) -> int:
    """What the run has done, by kind of record."""
    columns = ("fetched", "created", "updated", "skipped", "archived", "failed")
    table = Table("", *columns, box=None)
    for name, counts in sorted(run.counts.items()):
        if not any(counts.get(column) for column in columns):
            continue
        table.add_row(name, *(f"{counts.get(column, 0):,}" for column in columns))
    console.print(table)
    if run.message:
        console.print(run.message)
    if run.status not in GOOD:
        sys.stderr.write(f"crosswalk: the sync is {run.status}\n")
    return 0 if run.status in GOOD else 1
