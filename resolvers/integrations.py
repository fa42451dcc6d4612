"""Integrations: what can be connected, what there is of them, stopping and resuming them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import Connector
from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.loaders import load
from resolvers.outgoing import open_outbox
from resolvers.plans import check_plan, find_plan
from resolvers.records import get_row
from storage import integrations, pushes, runs, workspaces
from storage.declare import camel
from storage.shapes import ConflictPolicy, Direction, IntegrationStatus, Plan, RecordType
from storage.tables import Integration

LONGEST_NAME = 200

GOING_OUT = ("direction", "conflict_policy", "push_warm_leads", "replicate_activities", "allow_new_picklist_values")
"""What a person decides about what goes to the CRM."""


@dataclass(frozen=True)
class Platform:
    """A kind of CRM, and what is missing here to connect it by OAuth."""

    connector: Connector
    missing_settings: Sequence[str]
    callback_url: str
    required_plan: Plan | None
    """The smallest that includes it; None where none does."""
    is_included: bool
    """In the plan of the workspace."""


@dataclass(frozen=True)
class Stats:
    """How many unified records an integration is a source of."""

    contacts: int = 0
    organizations: int = 0
    deals: int = 0
    activities: int = 0
    leads: int = 0


async def list_platforms(context: Context) -> list[Platform]:
    """All CRMs that there is a connector for, in the order of their names."""
    services = context.services
    workspace = await get_row(context, "Workspace", context.workspace)
    offer = services.plans[Plan(workspace.plan)]
    return [
        Platform(
            connector=connector,
            missing_settings=services.missing_settings.get(name, ()),
            callback_url=services.callback_url,
            required_plan=find_plan(services.plans, name),
            is_included=offer.includes(name) and offer.has_room(1),
        )
        for name, connector in sorted(CONNECTORS.items())
    ]


async def get_integration(context: Context, id: UUID) -> Integration | None:
    """The integration of the workspace that the id leads to."""

    async def fetch(ids: Sequence[UUID]) -> list[Integration | None]:
        values = {"workspace": context.workspace, "ids": list(ids)}
        rows = await context.database.fetch(context.workspace, integrations.BY_IDS, values)
        found = {row.pop("asked"): Integration(**row) for row in rows}
        return [found.get(each) for each in ids]

    found: Integration | None = await load(context, Integration, fetch, id)
    return found


async def list_integrations(
    context: Context, crms: Sequence[str] | None, statuses: Sequence[IntegrationStatus] | None
) -> list[Integration]:
    """The workspace's integrations, the oldest first."""
    async with context.database.session(context.workspace) as session:
        return await integrations.find_all(session, crms, statuses)


async def get_stats(context: Context, integration_id: UUID) -> Stats:
    """What an integration has brought."""

    async def fetch(ids: Sequence[UUID]) -> list[Stats]:
        values = {"workspace": context.workspace, "ids": list(ids)}
        found: dict[UUID, dict[str, int]] = {}
        for row in await context.database.fetch(context.workspace, integrations.STATS, values):
            counts = found.setdefault(row["integration_id"], {})
            counts[NUMBERS[RecordType(row["record_type"])]] = row["records"]
            if row["record_type"] == RecordType.CONTACT.value:
                counts["leads"] = row["leads"]
        return [Stats(**found.get(each, {})) for each in ids]

    stats: Stats = await load(context, Stats, fetch, integration_id)
    return stats


CONNECTED = {status.value for status in (IntegrationStatus.ACTIVE, IntegrationStatus.PAUSED, IntegrationStatus.ERROR)}
TAKING = {IntegrationStatus.ACTIVE.value, IntegrationStatus.ERROR.value}
"""Which integrations take a place of the plan: beside a new one, and beside one that goes on."""

NUMBERS = {
    RecordType.CONTACT: "contacts",
    RecordType.ORGANIZATION: "organizations",
    RecordType.DEAL: "deals",
    RecordType.ACTIVITY: "activities",
}


# ---------------------------------------------------------------- what a person decides


async def wake(context: Context, session: AsyncSession, integration: UUID) -> None:
    """Lets a run that waits for the integration go on, now, and what is in its outbox."""
    await context.database.run(session, runs.WAIT_NO_LONGER, {"integration": integration})
    for waiting in await runs.find_next(context.database, session, integration):
        await context.services.jobs.defer_sync(session, waiting)
    if await pushes.reopen(context.database, session, integration):
        await context.services.jobs.defer_push(session, integration)


async def update_integration(context: Context, *, integration_id: UUID, **changes: Any) -> Integration:
    """Changes what is given: `display_name`, `record_types`, `filter`, `delete_guard_percent`, and what GOING_OUT
    names. Only the filter can be without a value. Once the integration takes warm leads, those that are here go out."""
    integration = await require_integration(context, integration_id)
    values: dict[str, Any] = {name: require_value(name, changes[name]) for name in GOING_OUT if name in changes}
    if "display_name" in changes:
        values["display_name"] = check_name(changes["display_name"] or "")
    if "record_types" in changes:
        types = check_types(integration, changes["record_types"] or ())
        values["record_types"] = [type_.value for type_ in types]
    if "delete_guard_percent" in changes:
        values["delete_guard_percent"] = check_percent(changes["delete_guard_percent"])
    if "filter" in changes and changes["filter"] != integration.filter:
        # What another filter lets in may have changed long ago: the next run is a FULL.
        values |= {"filter": changes["filter"], "watermarks": {}}
    if not values:
        return integration
    async with context.database.session(context.workspace) as session:
        changed = await integrations.change(session, integration.id, **values) or integration
        if values.get("push_warm_leads") and not integration.push_warm_leads:
            await open_outbox(context).queue_leads(session, integration=integration.id)
    return changed


async def require_included(context: Context, crm: str) -> None:
    """Raises Refused where the workspace's plan has no place for that CRM at all, before the CRM is asked anything."""
    workspace = await get_row(context, "Workspace", context.workspace)
    check_plan(context.services.plans, Plan(workspace.plan), crm, 1)


async def require_place(
    context: Context, session: AsyncSession, crm: str, old: Integration | None, field: Sequence[str] = ("crm",)
) -> None:
    """Raises Refused where the workspace's plan has no place for an account of that CRM: for a new one beside all that are
    connected, for an `old` one beside those that are at work."""
    workspace = await workspaces.lock(context.database, session, context.workspace)
    here = [one for one in await integrations.find_all(session) if old is None or one.id != old.id]
    taking = TAKING if old and old.status in CONNECTED else CONNECTED
    taken = sum(one.status in taking for one in here)
    check_plan(context.services.plans, Plan(workspace.plan), crm, taken + 1, field)


async def pause_integration(context: Context, id: UUID) -> Integration:
    """No run starts, and the one under way waits after its page."""
    integration = await require_integration(context, id)
    if integration.held_by_plan:  # now a person wants it so: no plan resumes it
        return await _change(context, integration, held_by_plan=False, last_error=None)
    if integration.status == IntegrationStatus.PAUSED.value:
        return integration
    if integration.status != IntegrationStatus.ACTIVE.value:
        raise not_active(integration)
    return await _change(context, integration, status=IntegrationStatus.PAUSED.value)


async def resume_integration(context: Context, id: UUID) -> Integration:
    """Undoes a pause; the run that waits goes on."""
    integration = await require_integration(context, id)
    if integration.status == IntegrationStatus.ACTIVE.value:
        return integration
    if integration.status != IntegrationStatus.PAUSED.value:
        raise not_active(integration)
    async with context.database.session(context.workspace) as session:
        await require_place(context, session, integration.crm, integration, ("integrationId",))
        values = {"status": IntegrationStatus.ACTIVE.value, "held_by_plan": False, "last_error": None}
        changed = await integrations.change(session, integration.id, **values)
        await wake(context, session, integration.id)
    return changed or integration


async def require_integration(context: Context, id: UUID) -> Integration:
    """The integration that the id leads to. Raises Unknown."""
    async with context.database.session(context.workspace) as session:
        found = await integrations.find(session, id)
    if found is None:
        raise Unknown("integration", "integrationId")
    return found


async def _change(context: Context, integration: Integration, **values: Any) -> Integration:
    async with context.database.session(context.workspace) as session:
        return await integrations.change(session, integration.id, **values) or integration


def not_active(integration: Integration) -> Refused:
    """Why nothing can be done with it, and what would help."""
    status = IntegrationStatus(integration.status)
    help_ = "resume it" if status is IntegrationStatus.PAUSED else "connect the account again"
    message = f"The integration is {status.value}: {help_} first."
    return Refused(UserErrorCode.NOT_ACTIVE, message, ("integrationId",), {"status": status.value})


def check_name(name: str | None, field: Sequence[str] = ("displayName",)) -> str | None:
    """A name that people can read, or None."""
    return None if name is None else require_name(name, field)


def require_name(name: str, field: Sequence[str] = ("displayName",)) -> str:
    """A name that people can read. Raises Refused."""
    cleaned = " ".join(name.replace("\0", "").split())
    if not cleaned or len(cleaned) > LONGEST_NAME:
        raise Refused(UserErrorCode.BAD_INPUT, f"A name has 1 to {LONGEST_NAME} characters.", field)
    return cleaned


def require_value(name: str, given: Direction | ConflictPolicy | bool | None) -> str | bool:  # a setting
    """As it is stored. Raises Refused where there is none."""
    if given is None:
        raise Refused(UserErrorCode.BAD_INPUT, f"`{camel(name)}` is not null.", (camel(name),))
    return given if isinstance(given, bool) else given.value


def check_percent(given: int | None) -> int:
    """A part in per cent. Raises Refused."""
    if given is None or not 0 <= given <= 100:
        raise Refused(UserErrorCode.BAD_INPUT, "`deleteGuardPercent` is 0 to 100.", ("deleteGuardPercent",))
    return given


def check_types(integration: Integration, asked: Sequence[RecordType]) -> list[RecordType]:
    """Each once; at least one, and only what the CRM has."""
    has = {type_.record_type for type_ in CONNECTORS[integration.crm].types}
    if not asked or not has.issuperset(asked):
        names = ", ".join(sorted(type_.value for type_ in has))
        raise Refused(UserErrorCode.BAD_INPUT, f"Give at least one of {names}.", ("recordTypes",))
    return list(dict.fromkeys(asked))
