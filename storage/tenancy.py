"""What keeps a session's statements in its workspace, raw ones and SQLAlchemy's. Row-level security stands behind it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import false
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria
from sqlmodel import SQLModel

from storage import golden, outbound, tables
from storage.errors import NoWorkspace, WrongWorkspace

MODULES: Final = (tables, golden, outbound)

OWNERS: Final[Mapping[type[SQLModel], str]] = {
    mapper.class_: "id" if mapper.class_ is tables.Workspace else "workspace_id"
    for mapper in tables.Workspace._sa_registry.mappers  # noqa: SLF001 # SQLModel has no other name for it
    if mapper.class_.__module__ in {module.__name__ for module in MODULES}
}
"""The tables with workspaces' data, and the column that says whose a row is."""


def read_workspace(session: Session) -> UUID | None:
    """Which one a session is in; None outside of workspaces. Raises NoWorkspace for a session that was made by hand."""
    if "workspace" not in session.info:
        raise NoWorkspace("a session without a workspace: take one from Database.session or Database.system")
    workspace: UUID | None = session.info["workspace"]
    return workspace


def bind_workspace(workspace: UUID | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a raw statement, which finds its workspace as `%(workspace)s`; none outside of workspaces.

    Raises WrongWorkspace where the values name another one.
    """
    if workspace is None:
        return dict(values)
    if values.get("workspace", workspace) != workspace:
        raise WrongWorkspace("a statement names another workspace than the one that it runs in")
    return {**values, "workspace": workspace}


def narrow(state: ORMExecuteState) -> None:
    """Before each of SQLAlchemy's statements: whatever table it names, the rows are the workspace's own."""
    state.statement = state.statement.options(*criteria(read_workspace(state.session)))


@lru_cache(256)
def criteria(workspace: UUID | None) -> tuple[Any, ...]:
    """A condition for each table; outside of workspaces one that nothing meets. Making them takes longer than most reads."""
    if workspace is None:
        return tuple(with_loader_criteria(model, false()) for model in OWNERS)
    return (
        with_loader_criteria(tables.Workspace, lambda table: table.id == workspace, include_aliases=True),
        *(
            with_loader_criteria(model, lambda table: table.workspace_id == workspace, include_aliases=True)
            for model in OWNERS
            if model is not tables.Workspace
        ),
    )


def check_rows(session: Session, *_: Any) -> None:
    """Before rows of a session are written. Raises WrongWorkspace where one is not the workspace's own."""
    workspace = read_workspace(session)
    for row in (*session.new, *session.dirty, *session.deleted):
        owner = OWNERS.get(type(row))
        if owner and getattr(row, owner) != workspace:
            raise WrongWorkspace(f"a row of {type(row).__name__} is not of the workspace that its session is in")
