"""Alembic, set up by program and loaded only when there is something to migrate (or to draft, or to compare)."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

import storage.golden
import storage.shared
import storage.tables  # noqa: F401 - fills SQLModel.metadata
from storage.errors import WrongVersion

FOLDER = Path(__file__).parent
METADATA = SQLModel.metadata

FOREIGN = re.compile(r"(idx_)?procrastinate_|job_schema$")
"""The job engine's tables, with our note about them: made elsewhere (storage.jobs)."""


def upgrade(url: str, found: str | None) -> None:
    """From revision `found` to the newest; the caller holds the lock."""
    config = settings()
    if found is not None and found not in {script.revision for script in scripts(config).walk_revisions()}:
        message = f"the database is at revision {found}, which this program does not know"
        raise WrongVersion(f"{message}: install the newer program that made it")
    with connected(url) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def draft(url: str, message: str) -> None:
    """Write a new revision from the difference between the tables and a database; it wants tidying by hand."""
    config = settings()
    with connected(url) as connection:
        config.attributes["connection"] = connection
        command.revision(
            config, message, autogenerate=True, rev_id=f"{len(list(scripts(config).walk_revisions())) + 1:04}"
        )


def differences(url: str) -> list[Any]:
    """What a database lacks of the tables or has beyond them; empty when both agree."""
    with connected(url) as connection:
        options = {"include_object": include_object, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, METADATA))


def settings() -> Config:
    """Alembic's configuration, which has no file."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def scripts(config: Config) -> ScriptDirectory:
    return ScriptDirectory.from_config(config)


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """One connection as the URL's role, which owns the tables. Errors come as the driver says them."""
    try:
        with create_engine(url, poolclass=NullPool).connect() as connection:
            yield connection
            connection.commit()
    except DBAPIError as error:
        raise error.orig or error from error


def include_object(_object: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
    """Alembic's hook: leave out what is not ours."""
    return not FOREIGN.match(name or "")
