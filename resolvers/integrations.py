"""Integrations: what can be connected, connecting it, stopping and resuming it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from connectors.declaration import Connector, Identity
from connectors.errors import CrmError
from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode, refused
from resolvers.loaders import load
from storage import integrations, runs
from storage.identifiers import uuid7
from storage.shapes import CredentialKind, IntegrationStatus, RecordType
from storage.tables import Integration
from sync.loop import DISCONNECTED

LONGEST_NAME = 200
LONGEST_TOKEN = 4_000


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
    callback = f"{services.public_url}/oauth/callback"
    return [
        Platform(connector, services.missing_settings.get(name, ()), callback)
        for name, connector in sorted(CONNECTORS.items())
    ]


async def get_integration(context: Context, id: UUID) -> Integration | None:
    """One integration of the workspace."""

    async def fetch(ids: Sequence[UUID]) -> list[Integration | None]:
        values = {"workspace": context.workspace, "ids": list(ids)}
        rows = await context.database.fetch(context.workspace, integrations.BY_IDS, values)
        found = {row["id"]: Integration(**row) for row in rows}
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


# ---------------------------------------------------------------- connecting


async def connect(
    context: Context, *, crm: str, display_name: str | None, api_token: str | None
) -> tuple[Integration | None, str | None]:
    """The integration of the account that the token opens: a new one, or the one that is there, renewed.

    The second value is the address where a user consents; None where a token was given.
    """
    name = check_name(display_name)
    if api_token is None or not (token := api_token.strip()):
        message = "Give an apiToken: connecting by consent is not available yet."
        raise Refused(UserErrorCode.CREDENTIAL_REQUIRED, message, ("apiToken",))
    if len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        message = "That is no API token: it has characters that no token has, or is too long."
        raise Refused(UserErrorCode.CREDENTIAL_REFUSED, message, ("apiToken",))
    try:
        identity = await context.services.clients.with_token(crm, token).identify()
    except CrmError as error:
        raise refused(error, ("apiToken",)) from error
    try:
        return await _keep(context, crm, name, token, identity), None
    except IntegrityError:  # somebody connected the same account in this moment: it is renewed
        return await _keep(context, crm, name, token, identity), None


async def _keep(context: Context, crm: str, name: str | None, token: str, identity: Identity) -> Integration:
    connector = CONNECTORS[crm]
    async with context.database.session(context.workspace) as session:
        old = await integrations.find_account(session, crm, identity.account_id)
        own = old.id if old else uuid7()
        values: dict[str, Any] = {
            "status": IntegrationStatus.ACTIVE.value,
            "credential_kind": CredentialKind.API_TOKEN.value,
            "credentials": context.services.clients.seal(token, workspace=context.workspace, integration=own),
            "scopes": list(identity.scopes),
            "account_name": identity.account_name,
            "account_url": identity.account_url,
            "account_user_id": identity.user.external_id,
            "last_error": None,
            "connected_by": context.caller.member_id,
        }
        if old:
            values |= {"display_name": name} if name else {}
            if old.status == IntegrationStatus.PAUSED.value:
                del values["status"]  # a person has paused it, and nobody has resumed it
            renewed = await integrations.change(session, own, **values)
            await _wake(context, session, own)
            return renewed or old
        made = Integration(
            id=own,
            workspace_id=context.workspace,
            crm=crm,
            account_id=identity.account_id,
            display_name=name or identity.account_name or connector.label,
            record_types=list(dict.fromkeys(type_.record_type.value for type_ in connector.types)),
            **values,
        )
        await integrations.add(session, made)
        return made


async def _wake(context: Context, session: Any, integration: UUID) -> None:
    """Lets a run that waits for the integration go on, now."""
    await context.database.run(session, runs.WAIT_NO_LONGER, {"integration": integration})
    waiting = await runs.find_next(context.database, session, integration)
    if waiting:
        await context.services.jobs.defer_sync(session, waiting)


# ---------------------------------------------------------------- what a person decides


async def update_integration(context: Context, *, integration_id: UUID, **changes: Any) -> Integration:
    """Changes what is given: `display_name`, `record_types`. None is refused: neither can be without a value."""
    integration = await _require(context, integration_id)
    values: dict[str, Any] = {}
    if "display_name" in changes:
        values["display_name"] = check_name(changes["display_name"] or "")
    if "record_types" in changes:
        types = check_types(integration, changes["record_types"] or ())
        values["record_types"] = [type_.value for type_ in types]
    return await _change(context, integration, **values) if values else integration


async def pause_integration(context: Context, id: UUID) -> Integration:
    """No run starts, and the one under way waits after its page."""
    integration = await _require(context, id)
    if integration.status == IntegrationStatus.PAUSED.value:
        return integration
    if integration.status != IntegrationStatus.ACTIVE.value:
        raise not_active(integration)
    return await _change(context, integration, status=IntegrationStatus.PAUSED.value)


async def resume_integration(context: Context, id: UUID) -> Integration:
    """Undoes a pause; the run that waits goes on."""
    integration = await _require(context, id)
    if integration.status == IntegrationStatus.ACTIVE.value:
        return integration
    if integration.status != IntegrationStatus.PAUSED.value:
        raise not_active(integration)
    async with context.database.session(context.workspace) as session:
        changed = await integrations.change(session, id, status=IntegrationStatus.ACTIVE.value)
        await _wake(context, session, id)
    return changed or integration


async def disconnect(context: Context, id: UUID) -> Integration:
    """Forgets the credentials and ends the runs; records and links stay."""
    integration = await _require(context, id)
    async with context.database.session(context.workspace) as session:
        await runs.cancel_all(context.database, session, id, DISCONNECTED)
        status = IntegrationStatus.DISCONNECTED.value
        changed = await integrations.change(session, id, status=status, credentials=None, last_error=None)
    return changed or integration


async def _require(context: Context, id: UUID) -> Integration:
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
