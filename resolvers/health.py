"""Whether an integration works: one real attempt at its CRM, and what came of it is kept."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from connectors.declaration import Connector
from connectors.errors import CrmError, Reauthorize
from connectors.facts import Identity
from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.errors import Unknown
from resolvers.integrations import not_active, require_integration, wake
from storage import consents, integrations
from storage.errors import BrokenSeal, UnknownKey
from storage.records import now
from storage.shapes import CredentialKind, IntegrationStatus
from storage.tables import Integration

TRIES = 2
PATIENCE = 3.0
"""Seconds that the call waits for its turn: a person waits for the answer."""
LONGEST = 8.0
"""Seconds that the whole attempt takes."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What came of the attempt."""

    message: str | None = None
    """What is wrong, in a sentence."""
    latency_ms: int | None = None
    refused: bool = False
    """The CRM does not take the credential."""


async def check_integration(context: Context, id: UUID) -> Integration:
    """The integration with its health, found out anew; one that was in ERROR and works is ACTIVE again. The attempt is made
    although the account's quota is used up, as far as we know; where it works, what has waited goes on.

    Raises Unknown, and Refused where there is no credential to try.
    """
    integration = await require_integration(context, id)
    _require_credential(integration)
    await context.services.clients.release(integration)
    finding = await _try(context, integration)
    async with context.database.session(context.workspace) as session:
        current = await integrations.find(session, integration.id, locked=True)
        if current is None:
            raise Unknown("integration", "integrationId")
        _require_credential(current)
        health = make_health(current, finding)
        if finding.refused and current.status != IntegrationStatus.PAUSED.value:
            await consents.refuse(context.database, session, integration, finding.message or "")
        elif finding.message is None and current.status in (
            IntegrationStatus.ERROR.value,
            IntegrationStatus.ACTIVE.value,
        ):
            if current.status == IntegrationStatus.ERROR.value:
                await integrations.change(session, current.id, status=IntegrationStatus.ACTIVE.value, last_error=None)
            await wake(context, session, current.id)
        return await integrations.note_health(context.database, session, current.id, health) or current


def _require_credential(integration: Integration) -> None:
    if integration.credentials is None:
        raise not_active(integration)


async def _try(context: Context, integration: Integration) -> Finding:
    connector = CONNECTORS[integration.crm]
    try:
        async with asyncio.timeout(LONGEST):
            client = await context.services.clients.open(integration, force=True)
            client.wire.tries, client.wire.patience = TRIES, PATIENCE
            begun = time.monotonic()
            identity = await client.identify()
    except CrmError as error:
        return Finding(message=error.message, refused=isinstance(error, Reauthorize))
    except (UnknownKey, BrokenSeal) as error:
        return Finding(message=f"The credential cannot be read: {error}.")
    except TimeoutError:
        return Finding(message=f"{connector.label} has not answered for {LONGEST:.0f} seconds.")
    latency_ms = round((time.monotonic() - begun) * 1000)
    return Finding(message=compare(connector, integration, identity), latency_ms=latency_ms)


def compare(connector: Connector, integration: Integration, found: Identity) -> str | None:
    """What is wrong with what the credential opens: another account, another user; None where it is the one expected."""
    if found.account_id != integration.account_id:
        expected = integration.account_name or integration.account_id
        name = found.account_name or found.account_id
        return f"The credential opens the {connector.label} account {name}, and not {expected}."
    user = found.user
    if user and integration.account_user_id and user.external_id != integration.account_user_id:
        name = user.name or user.external_id
        return f"The credential is of another {connector.label} user now: {name}."
    return None


def make_health(integration: Integration, finding: Finding) -> dict[str, Any]:
    """The finding as it is stored, with the scopes that are missing now."""
    connector = CONNECTORS[integration.crm]
    missing = list_missing(connector, integration)
    message = finding.message
    if missing and message is None:
        names = ", ".join(missing)
        message = f"{connector.label} has not granted: {names}. Add them in {connector.setup_url}, then connect again."
    return {
        "ok": message is None,
        "checkedAt": now().isoformat(),
        "latencyMs": finding.latency_ms,
        "missingScopes": missing,
        "message": message,
    }


def list_missing(connector: Connector, integration: Integration) -> Sequence[str]:
    """What the connector asks for and the CRM has not granted. A token that somebody has made has no scopes."""
    if integration.credential_kind != CredentialKind.OAUTH2.value:
        return []
    granted = frozenset(integration.scopes)
    return [scope for scope in connector.scopes if granted.isdisjoint((scope, *connector.wider(scope)))]
