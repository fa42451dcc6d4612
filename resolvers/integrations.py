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
from storage import integrations, runs
from storage.shapes import IntegrationStatus, RecordType
from storage.tables import Integration

LONGEST_NAME = 200


@dataclass(frozen=True)
class Platform:
    """A kind of CRM, and what is missing here to connect it by OAuth."""

    connector: Connector
    missing_settings: Sequence[str]
    callback_url: str


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
    return [
        Platform(connector, services.missing_settings.get(name, ()), services.callback_url)
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


NUMBERS = {
    RecordType.CONTACT: "contacts",
    RecordType.ORGANIZATION: "organizations",
    RecordType.DEAL: "deals",
    RecordType.ACTIVITY: "activities",
}


# ---------------------------------------------------------------- what a person decides


async def wake(context: Context, session: AsyncSession, integration: UUID) -> None:
    """Lets a run that waits for the integration go on, now."""
    await context.database.run(session, runs.WAIT_NO_LONGER, {"integration": integration})
    for waiting in await runs.find_next(context.database, session, integration):
        await context.services.jobs.defer_sync(session, waiting)


async def update_integration(context: Context, *, integration_id: UUID, **changes: Any) -> Integration:
    """Changes what is given: `display_name`, `record_types`, `filter`. Only the filter can be without a value."""
    integration = await require_integration(context, integration_id)
    values: dict[str, Any] = {}
    if "display_name" in changes:
        values["display_name"] = check_name(changes["display_name"] or "")
    if "record_types" in changes:
        types = check_types(integration, changes["record_types"] or ())
        values["record_types"] = [type_.value for type_ in types]
    if "filter" in changes and changes["filter"] != integration.filter:
        # What another filter lets in may have changed long ago: the next run is a FULL.
        values |= {"filter": changes["filter"], "watermarks": {}}
    return await _change(context, integration, **values) if values else integration


async def pause_integration(context: Context, id: UUID) -> Integration:
    """No run starts, and the one under way waits after its page."""
    integration = await require_integration(context, id)
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
        changed = await integrations.change(session, integration.id, status=IntegrationStatus.ACTIVE.value)
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


def check_name(name: str | None) -> str | None:
    """A name that people can read, or None."""
    if name is None:
        return None
    cleaned = " ".join(name.replace("\0", "").split())
    if not cleaned or len(cleaned) > LONGEST_NAME:
        message = f"A display name has 1 to {LONGEST_NAME} characters."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("displayName",))
    return cleaned


def check_types(integration: Integration, asked: Sequence[RecordType]) -> list[RecordType]:
    """Each once; at least one, and only what the CRM has."""
    has = {type_.record_type for type_ in CONNECTORS[integration.crm].types}
    if not asked or not has.issuperset(asked):
        names = ", ".join(sorted(type_.value for type_ in has))
        raise Refused(UserErrorCode.BAD_INPUT, f"Give at least one of {names}.", ("recordTypes",))
    return list(dict.fromkeys(asked))
