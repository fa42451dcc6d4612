"""Deleting an integration: gone at once for everybody, and its records soon after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import UUID

from resolvers.accounts import leave_account, revoke
from resolvers.context import Context
from resolvers.errors import Unknown
from resolvers.integrations import require_integration
from storage import integrations, leaving

PATIENCE = 15.0
"""Seconds that the answer waits for the job: it takes away what most integrations have."""


async def delete_integration(context: Context, id: UUID) -> UUID:
    """Removes the integration that the id leads to, and gives its own id. Raises Unknown."""
    integration = await require_integration(context, id)
    with context.services.hub.subscribe(f"integration:{integration.id}") as events:
        left = await _leave(context, integration.id)
        await asyncio.gather(revoke(context, integration.crm, left), _wait(context, integration.id, events))
    return integration.id


async def _leave(context: Context, id: UUID) -> str | None:
    """From the commit on it is there for a job only. Gives the refresh token of a consent that is to be taken back."""
    async with context.database.session(context.workspace) as session:
        integration = await integrations.find(session, id, locked=True)
        if integration is None:  # somebody else was quicker
            raise Unknown("integration", "integrationId")
        await leaving.mark(context.database, session, context.workspace, integration.id)
        left = await leave_account(context, session, integration)
        await context.services.jobs.defer_leave(session, integration)
    return left


async def _wait(context: Context, id: UUID, events: AsyncIterator[str | None]) -> None:
    """Until nothing of it is there, but not for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while not await leaving.has_left(context.database, context.workspace, id):
                await anext(events)
