"""`crosswalk rotate-keys`: all stored credentials are sealed with another key, while gateways and workers run."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from uuid import UUID

import typer

from gateway.process import load_keyring, open_database
from gateway.settings import Settings
from gateway.trouble import StartError
from storage import keyfile, rotation
from storage.database import Database
from storage.migrate import migrate
from storage.secrets import Keyring

PASSES: Final = 10
PAUSE: Final = 2.0
"""Seconds between the later ones: who still seals with an older key has its file from elsewhere, and may get a new one."""

INLINE: Final = (
    "CROSSWALK_KEYS holds the keys themselves, so no key is made here: put a new one in front of them wherever it is set "
    "(id:base64, made by openssl rand -base64 32), restart what runs there, then run this again"
)


async def rotate(settings: Settings, *, new: bool = False, drop: bool = False) -> None:
    """Makes a key where there is one only, or a `new` one is asked for; seals everything with the first one; says which keys
    nothing needs any more, and may `drop` them.

    Raises UnknownKey where some credentials need a key that is lost, before anything is done; StartError where some do not
    open, after the others were sealed.
    """
    async with turning(settings) as (database, ring):
        await rotation.require_keys(database, ring)
        if new or len(ring.names) == 1:
            await make_key(database, ring)
        sealed = await seal_all(database, ring)
        typer.echo(f"Sealed anew with key {ring.first}: the credentials of {rotation.describe(sealed)}.")
        uses = await rotation.count_uses(database)
        tell_idle(ring, [name for name in ring.names[1:] if name not in uses], drop=drop)
        if closed := await rotation.list_closed(database, ring):
            names = ", ".join(map(str, closed))
            raise StartError(f"not sealed anew, for they do not open: {names}: connect these accounts again")


async def forget(settings: Settings, names: Sequence[str]) -> None:
    """Drops the credentials whose key is lost. Raises StartError where none are."""
    async with turning(settings) as (database, ring):
        for name in names:
            forgotten = await rotation.forget(database, ring, name)
            if not forgotten:
                raise StartError(f"no credentials are lost with key {name}: all that it has sealed can be opened")
            typer.echo(f"Without credentials now: {rotation.describe(forgotten)}. Connect the accounts again.")


@asynccontextmanager
async def turning(settings: Settings) -> AsyncGenerator[tuple[Database, Keyring]]:
    """The database and the keys, for one command at a time."""
    async with AsyncExitStack() as stack:
        url, _ = await open_database(settings, stack)
        await asyncio.to_thread(migrate, url)
        database = Database(url)
        stack.push_async_callback(database.close)
        await database.open()
        await stack.enter_async_context(rotation.alone(database))
        yield database, load_keyring(settings)


async def make_key(database: Database, ring: Keyring) -> None:
    """A new first one. Its id is none that any credentials are sealed with, be it that the key to them is lost."""
    if ring.path is None:
        raise StartError(INLINE)
    taken = await rotation.count_uses(database)
    name = keyfile.put_in_front(ring.path, taken)
    ring.reload()
    typer.echo(f"Made key {name}, now the first one in {ring.path}.")


async def seal_all(database: Database, ring: Keyring) -> int:
    """Until a pass finds nothing that others have sealed with an older key meanwhile. Gives how many were sealed anew."""
    await rotation.await_sealers(database)
    sealed: set[UUID] = set()
    for _ in range(PASSES):
        found = await rotation.seal_anew(database, ring)
        if not found:
            return len(sealed)
        if sealed:
            await asyncio.sleep(PAUSE)
        sealed |= found
    message = f"others go on sealing with another key than {ring.first}"
    raise StartError(f"{message}: give every gateway and worker the same keys, then run this again")


def tell_idle(ring: Keyring, idle: Sequence[str], *, drop: bool) -> None:
    """What becomes of the keys that nothing needs any more."""
    if not idle:
        return
    names = f"key{'' if len(idle) == 1 else 's'} {', '.join(idle)}"
    unused = f"Nothing needs {names} any more, except backups made before now"
    if ring.path is None:
        typer.echo(f"{unused}: take it out of CROSSWALK_KEYS.")
    elif drop:
        keyfile.take_out(ring.path, idle)
        typer.echo(f"{unused}: taken out of {ring.path}.")
    else:
        typer.echo(f"{unused}: `crosswalk rotate-keys --drop` takes it out of {ring.path}.")
