"""The job engine's schema, applied from the installed package and never copied; a row of ours says how far it is."""

import re
from importlib.metadata import version
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager

from storage.errors import WrongVersion

Stage = tuple[int, int, int, int]
"""A release and the number of a file in it; the release itself comes after its files."""

ALL = 99


def install(connection: psycopg.Connection) -> None:
    """Bring procrastinate's tables to the installed release; the caller holds the lock, the connection autocommits.

    A new database gets the whole schema, an older one the package's own files in between, each in a transaction with the
    note that it is done. Raises WrongVersion for a database that a newer release has prepared.
    """
    installed = version("procrastinate")
    connection.execute("create table if not exists job_schema (reached text not null)")
    row = connection.execute("select reached from job_schema").fetchone()
    if row is None:
        _apply(connection, SchemaManager.get_schema(), "insert into job_schema values (%s)", installed)
        return
    reached, wanted = stage(row[0]), stage(installed)
    if reached > wanted:
        message = f"the jobs of this database were made by procrastinate {row[0]}, and {installed} is installed"
        raise WrongVersion(f"{message}: install {row[0]} or newer")
    for file in between(reached, wanted):
        name = "_".join(file.stem.split("_")[:2])
        _apply(connection, file.read_text(), "update job_schema set reached = %s", name)
    if reached < wanted:
        connection.execute("update job_schema set reached = %s", (installed,))


def stage(name: str) -> Stage:
    """From a release or the beginning of a file's name: `3.10.0`, `03.04.00_50`."""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)(?:_(\d+))?", name)
    if found is None:
        raise WrongVersion(f"procrastinate {name} is no release that can be compared: install a released one")
    major, minor, patch, file = found.groups()
    return int(major), int(minor), int(patch), int(file or ALL)


def between(reached: Stage, wanted: Stage) -> list[Path]:
    """The package's migration files after the one and up to the other, in their order."""
    files = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return [file for file in files if reached < stage(file.name) <= wanted]


def _apply(connection: psycopg.Connection, script: str, note: str, reached: str) -> None:
    with connection.transaction():
        connection.execute(script.encode())
        connection.execute(note.encode(), (reached,))
