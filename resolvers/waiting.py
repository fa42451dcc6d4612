"""Why a push has not left yet, and when it can: what its integration, and whoever has caused it, have to say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.integrations import get_integration
from resolvers.loaders import load
from resolvers.records import get_row
from storage import pushes
from storage.outbound import Push
from storage.records import now
from storage.shapes import IntegrationStatus, PushStatus
from storage.tables import Integration
from sync.pushing import FAILURES, MINUTE, TOGETHER


@dataclass(frozen=True)
class Wait:
    """What a push waits for."""

    reason: str
    until: datetime | None = None
    """None: a person has to act."""


async def find_wait(context: Context, push: Push) -> Wait | None:
    """What keeps a push from leaving that has not left yet; None where only its own time does, or its turn."""
    if push.status != PushStatus.PENDING.value:
        return None
    integration, moment = await get_integration(context, push.integration_id), now()
    if integration is None:
        return None
    if wait := find_hold(integration, moment):
        return wait
    is_late = push.next_attempt_at is not None and push.next_attempt_at > moment
    is_counted = push.last_attempt_at is not None and push.last_attempt_at > moment - MINUTE
    return None if is_late or is_counted else await _find_crowd(context, push)


async def explain(context: Context, push: Push) -> str | None:
    """What a push waits for where a person has to act, else what went wrong with it last, else what it waits for."""
    wait = await find_wait(context, push)
    return push.last_error if wait is None or (wait.until and push.last_error) else wait.reason


async def find_next_attempt(context: Context, push: Push) -> datetime | None:
    """When a push is tried next; None: as soon as it is its turn, or a person has acted."""
    wait = await find_wait(context, push)
    if wait is None or wait.until is None:
        return push.next_attempt_at if wait is None else None
    return max(push.next_attempt_at or wait.until, wait.until)


def find_hold(integration: Integration, moment: datetime) -> Wait | None:
    """What keeps all pushes of an integration from leaving."""
    name, label = integration.display_name, CONNECTORS[integration.crm].label
    match IntegrationStatus(integration.status):
        case IntegrationStatus.PAUSED:
            return Wait(f"{name} is paused: it goes on when it is resumed.")
        case IntegrationStatus.ERROR:
            return Wait(f"{name} has to be connected again: {integration.last_error or 'its credential is refused.'}")
        case IntegrationStatus.PENDING | IntegrationStatus.DISCONNECTED:
            return Wait(f"{name} is not connected: it goes on when it is connected again.")
    until = integration.push_resumes_at
    if until is None or until <= moment:
        return None
    if integration.push_failures >= FAILURES:
        return Wait(f"{label} does not answer: it is tried again at {until:%H:%M:%S} UTC.", until)
    return Wait(f"The quota of {name} is used up: it goes on at {until:%Y-%m-%d %H:%M} UTC.", until)


async def _find_crowd(context: Context, push: Push) -> Wait | None:
    """Whoever has caused it has sent as much as is let go in a minute."""
    workspace = await get_row(context, "Workspace", context.workspace)

    async def fetch(names: Sequence[str | None]) -> list[tuple[int, datetime] | None]:
        async with context.database.session(context.workspace) as session:
            spent = await pushes.count_spent(context.database, session, now() - MINUTE, TOGETHER)
        return [spent.get(name) for name in names]

    spent: tuple[int, datetime] | None = await load(context, "spent", fetch, push.caused_by)
    if spent is None or spent[0] < workspace.pushes_per_minute:
        return None
    return Wait(
        f"No more than {workspace.pushes_per_minute} leave in a minute for whoever has caused it.", spent[1] + MINUTE
    )
