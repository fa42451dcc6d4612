"""Workspaces: made, found and put on a plan by whoever runs the gateway; named by their admins."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from resolvers.callers import digest_handle, read_workspace
from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.integrations import require_name, wake
from resolvers.outgoing import open_outbox
from storage import integrations, workspaces
from storage.database import Database
from storage.identifiers import uuid7
from storage.shapes import IntegrationStatus, Plan
from storage.tables import Integration, Workspace

WARMEST = 5
FASTEST = 6_000
"""Pushes of one caller in a minute: more than any CRM takes."""


async def update_workspace(
    context: Context,
    *,
    name: str | None = None,
    priority: Sequence[UUID] | None = None,
    threshold: int | None = None,
    pace: int | None = None,
) -> Workspace:
    """Its name, as people see it, the integrations whose values come first, the warmness of a warm lead and how many pushes
    of one caller leave in a minute; what is None stays. Raises Refused, Unknown.

    Commands and sign-ins go on to find it by what it was first called. The records that are here follow the priority soon.
    Whoever is a warm lead by a lower threshold goes out.
    """
    name = None if name is None else require_name(name, ("name",))
    check_between(threshold, "warmLeadThreshold", 0, WARMEST)
    check_between(pace, "pushesPerMinute", 1, FASTEST)
    async with context.database.session(context.workspace) as session:
        before = await workspaces.lock(context.database, session, context.workspace)
        changed = await workspaces.change(
            context.database, session, context.workspace, name=name, threshold=threshold, pace=pace
        )
        if changed.warm_lead_threshold < before.warm_lead_threshold:
            await open_outbox(context).queue_leads(session)
        if priority is not None:
            ids = await _choose(session, priority)
            if ids != changed.source_priority:
                changed = await workspaces.set_priority(context.database, session, ids)
                await context.services.jobs.defer_rank(session, context.workspace)
    return changed


def check_between(given: int | None, field: str, least: int, most: int) -> None:
    """Raises Refused for a number that is out of bounds."""
    if given is not None and not least <= given <= most:
        raise Refused(UserErrorCode.BAD_INPUT, f"`{field}` is {least} to {most}.", (field,))


async def _choose(session: AsyncSession, priority: Sequence[UUID]) -> list[UUID]:
    """The integrations that these ids lead to. Raises Refused, Unknown."""
    chosen: list[UUID] = []
    for each in priority:
        integration = await integrations.find(session, each)
        if integration is None:
            raise Unknown("integration", "sourcePriority")
        if integration.id in chosen:
            message = f"{integration.display_name} is named twice: an integration has one place."
            raise Refused(UserErrorCode.BAD_INPUT, message, ("sourcePriority",))
        chosen.append(integration.id)
    return chosen


# ---------------------------------------------------------------- by whoever runs the gateway


async def create_workspace(database: Database, name: str, plan: Plan) -> Workspace:
    """A new workspace. Raises Refused where there is one that was called so."""
    name = require_name(name, ("name",))
    made = Workspace(id=uuid7(), name=name, handle=name, plan=plan.value)
    try:
        async with database.session(made.id) as session:
            await workspaces.add(session, made, digest_handle(name))
    except IntegrityError as error:
        message = f"There is a workspace {name} already: `crosswalk workspaces list` shows it."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("name",)) from error
    return made


async def list_workspaces(database: Database) -> list[Workspace]:
    """All of them, the oldest first: one statement each, for each is seen from inside only."""
    found = [row["workspace_id"] for row in await database.lookup(workspaces.ALL, {})]
    rows = [await get_workspace(database, each) for each in found]
    return sorted((row for row in rows if row), key=lambda row: (row.created_at, row.id))


async def get_workspace(database: Database, id: UUID) -> Workspace | None:
    """One of them."""
    async with database.session(id) as session:
        return await session.get(Workspace, id)


async def find_workspace(database: Database, wanted: str) -> Workspace:
    """The one of that handle or id; else the only one of that name. Raises Refused."""
    values = {"digest": digest_handle(wanted), "id": read_workspace(wanted)}
    found = [
        await get_workspace(database, row["workspace_id"]) for row in await database.lookup(workspaces.FIND, values)
    ]
    found = found or [one for one in await list_workspaces(database) if one.name.casefold() == wanted.casefold()]
    if len(found) == 1 and found[0]:
        return found[0]
    number = "several workspaces have" if found else "no workspace has"
    message = f"{number} the name {wanted}: `crosswalk workspaces list` shows all, with their ids."
    raise Refused(UserErrorCode.NOT_FOUND, message, ("workspace",))


async def change_plan(context: Context, plan: Plan) -> tuple[Workspace, list[Integration], list[Integration]]:
    """The workspace, the integrations that are paused because the plan does not include them, and those that it resumes, as
    they were before.

    The oldest come first where there is no room for all. Nothing is deleted; runs under way wait after their page.
    """
    offer, kept = context.services.plans[plan], 0
    held, freed = list[Integration](), list[Integration]()
    async with context.database.session(context.workspace) as session:
        await workspaces.lock(context.database, session, context.workspace)
        changed = await workspaces.change(context.database, session, context.workspace, plan=plan.value)
        there = [Integration(**one.model_dump()) for one in await integrations.find_all(session)]  # changes expire rows
        for one in there:
            if one.status != IntegrationStatus.ACTIVE.value and not one.held_by_plan:
                kept += one.status == IntegrationStatus.ERROR.value
                continue
            has_place = offer.includes(one.crm) and offer.has_room(kept + 1)
            kept += has_place
            if has_place and one.held_by_plan:
                await _free(context, session, one)
                freed.append(one)
            elif not has_place and not one.held_by_plan:
                await _hold(session, one, plan)
                held.append(one)
    return changed, held, freed


async def _hold(session: AsyncSession, integration: Integration, plan: Plan) -> None:
    message = f"Paused: the plan {plan.value} does not include it."
    values = {"status": IntegrationStatus.PAUSED.value, "held_by_plan": True, "last_error": message}
    await integrations.change(session, integration.id, **values)


async def _free(context: Context, session: AsyncSession, integration: Integration) -> None:
    values = {"status": IntegrationStatus.ACTIVE.value, "held_by_plan": False, "last_error": None}
    await integrations.change(session, integration.id, **values)
    await wake(context, session, integration.id)
