"""The settings of an integration, and among them the fields of the CRM of which nothing is stored."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from connectors.excluding import list_needed
from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.crm import list_fields
from resolvers.errors import CrmFailed, Refused, Unknown, UserErrorCode
from resolvers.integrations import require_integration, update_integration
from resolvers.mappings import DOWN, request_remap
from storage import integrations, remap
from storage.tables import Integration
from sync.remap import ANY, note_changed

MOST_FIELDS = 500
FIELD = ("excludedFields",)


async def update_settings(context: Context, *, integration_id: UUID, **changes: Any) -> Integration:
    """Changes what is given: `excluded_fields`, and what `update_integration` takes. Raises Refused, and changes nothing."""
    if "excluded_fields" not in changes:
        return await update_integration(context, integration_id=integration_id, **changes)
    names = changes.pop("excluded_fields")
    if names is None:
        raise Refused(UserErrorCode.BAD_INPUT, "Give a list of fields; an empty one excludes none.", FIELD)
    integration = await require_integration(context, integration_id)
    wanted = list(dict.fromkeys(names))
    await check_names(context, integration, wanted)
    integration = await update_integration(context, integration_id=integration_id, **changes)
    return await exclude_fields(context, integration, wanted)


async def check_names(context: Context, integration: Integration, names: Sequence[str]) -> None:
    """Raises Refused for a field that the CRM has not got, or that has to stay; also where the CRM cannot be asked."""
    if len(names) > MOST_FIELDS:
        raise Refused(UserErrorCode.BAD_INPUT, f"Give at most {MOST_FIELDS} fields.", FIELD)
    connector = CONNECTORS[integration.crm]
    if kept := sorted(list_needed(connector).intersection(names)):
        message = f"{connector.label} needs {', '.join(kept)}: without ids and times nothing can be synced."
        raise Refused(UserErrorCode.BAD_INPUT, message, FIELD)
    new = set(names) - set(integration.excluded_fields)
    if new and (unknown := sorted(new - await _list_names(context, integration))):
        message = f"{connector.label} has no field {', '.join(unknown)}: `fields` of the integration lists what it has."
        raise Refused(UserErrorCode.BAD_INPUT, message, FIELD)


async def _list_names(context: Context, integration: Integration) -> set[str]:
    connector = CONNECTORS[integration.crm]
    try:
        lists = await asyncio.gather(*(list_fields(context, integration, one.name) for one in connector.types))
    except CrmFailed as error:
        message = f"Nothing is saved, since the fields of {connector.label} cannot be read: {error.message}"
        code = DOWN.get(error.code, UserErrorCode.CRM_UNAVAILABLE)
        raise Refused(code, message, FIELD, error.details) from error
    return {field.name for each in lists for field in each}


async def exclude_fields(context: Context, integration: Integration, names: Sequence[str]) -> Integration:
    """From now on nothing of these fields is stored; what is there of them goes with a remap. One that is no longer among
    them comes back with the next FULL. Raises Unknown."""
    async with context.database.session(context.workspace) as session:
        found = await integrations.find(session, integration.id, locked=True)
        if found is None:
            raise Unknown("integration", "integrationId")
        added = set(names) - set(found.excluded_fields)
        if set(names) != set(found.excluded_fields):
            values = {"integration": found.id, "excluded": list(names)}
            await context.database.run(session, remap.EXCLUDE, values)
            await integrations.announce(session, found.id)
        if added:
            await note_changed(context.database, session, found, {ANY: []})
            types = [one.name for one in CONNECTORS[found.crm].types if one.record_type.value in found.record_types]
            await request_remap(context, session, found, types)
        key = found.id
        session.expire_all()
        return await integrations.find(session, key) or found
