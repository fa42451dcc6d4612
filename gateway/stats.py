"""`crosswalk stats`: what is there, in numbers."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from gateway.admin import WIDE, enter, run
from gateway.process import Process
from resolvers.stats import SourceCount, TypeCount, count_all
from resolvers.workspaces import list_workspaces

Counted = tuple[str, Sequence[TypeCount], Sequence[SourceCount]]


def stats_command(
    workspace: Annotated[
        str | None, typer.Option(help="The name it was made with, or its id.", show_default="all")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Count records and sources, by CRM and type.

    With the last sync of each CRM, and whether the last FULL has proven to be complete.

    Example: crosswalk stats --workspace Acme --json
    """

    async def work(process: Process) -> list[Counted]:
        known = [] if workspace else await list_workspaces(process.services.database)
        names = [workspace] if workspace else [str(one.id) for one in known]
        shown = [workspace] if workspace else [one.handle or one.name for one in known]
        return [(title, *await count_all(await enter(process, name))) for name, title in zip(names, shown, strict=True)]

    found = run(work)
    if as_json:
        typer.echo(orjson.dumps([pack(*one) for one in found], option=orjson.OPT_INDENT_2).decode())
        return
    console = Console(width=WIDE)
    for one in found:
        show(console, *one)


def pack(workspace: str, records: Sequence[TypeCount], sources: Sequence[SourceCount]) -> dict[str, Any]:
    """As JSON. Nothing is pushed to a CRM yet."""
    return {
        "workspace": workspace,
        "records": [asdict(one) for one in records],
        "sources": [asdict(one) for one in sources],
        "pushes": 0,
    }


def show(console: Console, workspace: str, records: Sequence[TypeCount], sources: Sequence[SourceCount]) -> None:
    """As two tables."""
    console.print(f"workspace {workspace}")
    kinds = Table("records", "all", "archived", box=None)
    for kind in records:
        kinds.add_row(kind.record_type, f"{kind.records:,}", f"{kind.archived:,}")
    console.print(kinds)
    table = Table(
        "integration", "CRM", "status", "type", "sources", "deleted", "records", "last sync", "proven", box=None
    )
    for one in sources:
        last = f"{one.last_synced_at:%Y-%m-%d %H:%M}" if one.last_synced_at else "never"
        numbers = (f"{number:,}" for number in (one.sources, one.deleted, one.records))
        table.add_row(one.integration, one.crm, one.status, one.external_type or "", *numbers, last, one.verdict or "")
    console.print(table if sources else "no integration is connected yet")
