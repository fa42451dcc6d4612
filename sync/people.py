"""Who the users of a CRM are, and which of its persons are customers."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.client import Client
from connectors.errors import Missing, Unsupported
from connectors.facts import Catalog, User
from storage import upserts
from storage.database import Database
from storage.tables import Integration

NOTHING = Catalog()
"""What a record points at is told by the record alone."""


@dataclass(frozen=True)
class People:
    """Of one account, as one client sees it."""

    database: Database
    client: Client
    integration: Integration

    async def keep_users(self) -> None:
        """Stores the users as they are now: who owns what."""
        try:
            found = await self.client.users()
        except (Missing, Unsupported):  # without them an owner is nobody that is known
            return
        rows = [user_row(self.integration, user) for user in found]
        async with self.database.session(self.integration.workspace_id) as session:
            await upserts.write_users(self.database, session, rows)

    async def find_owners(self, owners: Collection[str]) -> None:
        """Reads the users anew where these owners of records are not all known."""
        values = {"integration": self.integration.id, "ids": sorted(owners)}
        if owners and await self.database.fetch(self.integration.workspace_id, upserts.UNKNOWN_USERS, values):
            await self.keep_users()

    async def find_customers(self) -> set[str]:
        """The ids of the persons whom a deal of a promoting type names: they are contacts, the others leads."""
        found: set[str] = set()
        for external in self.client.connector.types:
            for listing in external.listings if external.promotes else ():
                async for payloads in self.client.pages(listing):
                    for payload in payloads:
                        found.update(one for _, one in external.references["contacts"](payload, NOTHING))
        return found


@asynccontextmanager
async def side_task(work: Coroutine[Any, Any, None] | None) -> AsyncGenerator[None]:
    """Does the work beside the block. The block's end waits for it, and raises its error; an error of the block stops it."""
    task = asyncio.create_task(work) if work else None
    try:
        yield
        if task:
            await task
    finally:
        if task:
            task.cancel()
            await asyncio.gather(
                task, return_exceptions=True
            )  # what it raised has been raised, or the block's comes first


def user_row(integration: Integration, user: User) -> dict[str, object]:
    """A user of the CRM as a row."""
    return {
        "integration_id": integration.id,
        "external_id": user.external_id,
        "name": user.name,
        "email": user.email,
        "is_active": user.is_active,
    }
