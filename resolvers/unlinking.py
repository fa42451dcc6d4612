"""Forgetting which of a CRM's records are which of ours."""

from uuid import UUID

from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from storage import integrations, runs, unlinking, upserts
from storage.tables import Integration


async def clear_links(context: Context, id: UUID) -> Integration:
    """All or nothing of it is done. Raises Refused while a run is under way, Unknown."""
    async with context.database.session(context.workspace) as session:
        integration = await integrations.find(session, id, locked=True)
        if integration is None:
            raise Unknown("integration", "integrationId")
        key = integration.id
        values = {"workspace": context.workspace, "integration": key}
        if await context.database.run(session, runs.UNDER_WAY, values):
            message = "A run of the integration is under way: wait for its end, or cancel it first."
            raise Refused(UserErrorCode.RUN_UNDER_WAY, message, ("integrationId",))
        await context.database.run(session, upserts.LOCK_MATCHING, values)
        await unlinking.forget_links(context.database, session, key)
        return await integrations.find(session, key) or integration
