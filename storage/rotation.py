"""Turning keys over: which keys the stored credentials need, and sealing them anew while everything runs."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

import psycopg
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import consents, integrations, notifications
from storage.database import WAIT, Database
from storage.errors import BrokenSeal, UnknownKey
from storage.secrets import Keyring, make_head
from storage.shapes import IntegrationStatus

ALONE: Final = "SELECT pg_advisory_lock(hashtextextended('rotate-keys', 2))"

HOLD: Final = "SELECT pg_advisory_xact_lock_shared(hashtextextended('keys', 2))"

OUTWAIT: Final = "SELECT pg_advisory_xact_lock(hashtextextended('keys', 2))"

KEYS: Final = "SELECT workspace_id, key_id, integrations FROM crosswalk_keys_in_use()"

SEALED: Final = """
SELECT id, credentials FROM integration WHERE workspace_id = %(workspace)s
AND (substring(credentials FROM 1 FOR %(length)s) = %(head)s) = %(wanted)s ORDER BY id LIMIT %(limit)s
"""
"""Those whose credentials are `wanted` with the key of that head, or with any other one."""

SWAP: Final = """
UPDATE integration SET credentials = %(new)s
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND credentials = %(old)s RETURNING id
"""
"""No change that a person made: `updated_at`, by which caches are keyed, stays."""

FORGET: Final = """
UPDATE integration SET credentials = NULL, status = %(status)s, last_error = %(message)s, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND credentials = %(old)s RETURNING id
"""

LOST: Final = "The key that its credentials were sealed with is lost"

SAMPLES: Final = 3
"""Of workspaces, and of integrations in each, that a key is tried with: one value alone can have been damaged."""


# ---------------------------------------------------------------- one after the other


@asynccontextmanager
async def alone(database: Database) -> AsyncGenerator[None]:
    """Nobody else turns keys over during the block; whoever does already is waited for."""
    async with await psycopg.AsyncConnection.connect(
        database.url, autocommit=True, connect_timeout=int(WAIT)
    ) as connection:
        await connection.execute(ALONE)
        yield


async def hold_keys(database: Database, session: AsyncSession) -> None:
    """Before sealing, in the transaction that stores it: until it ends, nobody takes the key for one that nothing needs."""
    await database.run(session, HOLD, {})


async def await_sealers(database: Database) -> None:
    """Once this returns, all that was sealed before can be seen, and whoever seals from now on reads the keys' file as it
    is now."""
    async with database.system() as session:
        await database.run(session, OUTWAIT, {})


# ---------------------------------------------------------------- which keys are needed


async def count_uses(database: Database) -> Counter[str]:
    """Key id -> how many integrations, of all workspaces, have credentials that are sealed with it."""
    return _add_up(await _list_uses(database))


async def find_lost(database: Database, ring: Keyring) -> dict[str, int]:
    """The same of the keys that are not in the ring, and of those that open nothing: another key has got their id."""
    rows = await _list_uses(database)
    if any(row["key_id"] not in ring.names for row in rows):
        ring.reload()  # turned over just now
    return {
        name: count
        for name, count in sorted(_add_up(rows).items())
        if name not in ring.names
        or not await _opens(database, ring, name, [row["workspace_id"] for row in rows if row["key_id"] == name])
    }


async def require_keys(database: Database, ring: Keyring) -> None:
    """Raises UnknownKey where stored credentials are sealed with a key that the ring does not have."""
    lost = await find_lost(database, ring)
    if lost:
        told = ", ".join(f"{name}: {describe(count)}" for name, count in lost.items())
        message = (
            f"{ring.where} lacks keys that stored credentials are sealed with ({told}): put back those that were there"
        )
        command = " ".join(["crosswalk rotate-keys", *(f"--forget {name}" for name in lost)])
        raise UnknownKey(f"{message}, or run `{command}` and connect the accounts anew")


def describe(integrations: int) -> str:
    """`1 integration`, `2 integrations`."""
    return f"{integrations:,} integration{'' if integrations == 1 else 's'}"


def _add_up(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    uses: Counter[str] = Counter()
    for row in rows:
        uses[row["key_id"]] += row["integrations"]
    return uses


async def _list_uses(database: Database) -> list[dict[str, Any]]:
    async with database.system() as session:
        return await database.run(session, KEYS, {})


async def _opens(database: Database, ring: Keyring, name: str, workspaces: list[UUID]) -> bool:
    """Whether the ring's key of that id is the one that sealed; also where there is nothing any more to try it with."""
    tried = 0
    for workspace in workspaces[:SAMPLES]:
        for row in await _list_sealed(database, workspace, name, limit=SAMPLES):
            if _open(ring, workspace, row) is not None:
                return True
            tried += 1
    return not tried


def _open(ring: Keyring, workspace: UUID, row: Mapping[str, Any]) -> bytes | None:
    """What is sealed in it; None where the ring does not open it."""
    try:
        return ring.open(row["credentials"], workspace=workspace, integration=row["id"])
    except (UnknownKey, BrokenSeal):
        return None


async def _list_sealed(
    database: Database, workspace: UUID, name: str, *, wanted: bool = True, limit: int | None = None
) -> list[dict[str, Any]]:
    """Id and credentials of the integrations that need the key, or (not `wanted`) another one."""
    head = make_head(name)
    values = {"length": len(head), "head": head, "wanted": wanted, "limit": limit}
    async with database.session(workspace) as session:
        return await database.run(session, SEALED, values)


# ---------------------------------------------------------------- one pass


async def seal_anew(database: Database, ring: Keyring) -> set[UUID]:
    """Seals the credentials with the first key that are sealed with another one. Gives the integrations that it has found.

    A pass sees what was there when it began: it is repeated until it finds nothing. What does not open stays as it is.
    """
    found = set()
    async for workspace, row in _list_others(database, ring):
        plain = _open(ring, workspace, row)
        if plain is not None:
            await _seal_one(database, ring, workspace, row, plain)
            found.add(row["id"])
    return found


async def list_closed(database: Database, ring: Keyring) -> list[UUID]:
    """Integrations whose credentials are sealed with another key than the first one, and do not open."""
    return [row["id"] async for workspace, row in _list_others(database, ring) if _open(ring, workspace, row) is None]


async def _list_others(database: Database, ring: Keyring) -> AsyncGenerator[tuple[UUID, dict[str, Any]]]:
    """Workspace, and id and credentials of an integration, for all that are sealed with another key than the first one."""
    rows = await _list_uses(database)
    for workspace in dict.fromkeys(row["workspace_id"] for row in rows if row["key_id"] != ring.first):
        for row in await _list_sealed(database, workspace, ring.first, wanted=False):
            yield workspace, row


async def _seal_one(database: Database, ring: Keyring, workspace: UUID, row: Mapping[str, Any], plain: bytes) -> None:
    """Under the lock of renewals, so that whoever has a new token already can store it. What is not there any more by then
    is left to the next pass."""
    async with database.session(workspace) as session:
        await consents.lock_credential(database, session, row["id"])
        sealed = ring.seal(plain, workspace=workspace, integration=row["id"])
        await database.run(session, SWAP, {"integration": row["id"], "old": row["credentials"], "new": sealed})


# ---------------------------------------------------------------- what is lost


async def forget(database: Database, ring: Keyring, name: str) -> int:
    """Drops the credentials that were sealed with that key and do not open any more. Gives of how many integrations.

    Each is in ERROR from then on, until somebody connects its account again.
    """
    forgotten = 0
    for workspace in [row["workspace_id"] for row in await _list_uses(database) if row["key_id"] == name]:
        for row in await _list_sealed(database, workspace, name):
            if _open(ring, workspace, row) is None:
                forgotten += await _forget_one(database, workspace, row)
    return forgotten


async def _forget_one(database: Database, workspace: UUID, row: Mapping[str, Any]) -> bool:
    values = {
        "integration": row["id"],
        "old": row["credentials"],
        "status": IntegrationStatus.ERROR.value,
        "message": f"{LOST}: connect it again.",
    }
    async with database.session(workspace) as session:
        await consents.lock_credential(database, session, row["id"])
        integration = await integrations.find(session, row["id"])  # as it is with its credentials
        changed = bool(await database.run(session, FORGET, values))
        if changed:
            await integrations.announce(session, row["id"])
        if changed and integration:
            await notifications.notify_refused(database, session, integration, f"{LOST}.")
        return changed
