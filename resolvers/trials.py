"""Suggesting mappings, and trying them before they are saved."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from connectors.errors import Unmappable
from connectors.facts import Field
from connectors.registry import CONNECTORS
from connectors.suggesting import Suggestion, suggest
from connectors.targets import list_targets
from resolvers.context import Context
from resolvers.crm import list_fields
from resolvers.errors import BadInput, Refused
from resolvers.integrations import get_integration
from resolvers.mappings import (
    check_beside,
    check_number,
    choose_removed,
    combine,
    list_mappings,
    make_rules,
    read_row,
)
from resolvers.records import get_row
from resolvers.rules import INWARD, RefusedRows, Wish, check_rows
from storage import mappings
from storage.tables import Integration
from sync.catalogs import find_catalogs
from sync.preview import MappingPreview, Unread, preview
from sync.remap import UNREAD

SAMPLES = 100
"""Records that suggestions look into."""
MOST_SUGGESTIONS = 100


async def suggest_mappings(context: Context, integration_id: UUID, external_type: str) -> list[Suggestion]:
    """For fields of the CRM that no mapping uses, and fields of ours that none fills: the best first. Raises BadInput."""
    integration = await get_integration(context, integration_id)
    if integration is None:
        raise BadInput("There is no such integration.")
    used = await list_mappings(context, integration, external_type)
    external = CONNECTORS[integration.crm].type(external_type)
    fields = await list_fields(context, integration, external_type)
    values = {"integration": integration.id, "type": external_type, "most": SAMPLES}
    samples = [row["payload"] for row in await context.fetch(mappings.SAMPLES, values)]
    taken = {row.crm_field for row in used} | set(integration.excluded_fields)
    filled = {row.local_field for row in used if row.direction in INWARD}
    always = {name for name, one in list_targets(external.record_type).items() if one.columns[0] in external.mapping}
    left = [one for one in fields if one.name not in taken]
    found = await asyncio.to_thread(
        suggest, CONNECTORS[integration.crm], external, left, samples, skip=filled | always
    )  # hundreds of fields, each beside all of ours: others get their turns meanwhile
    return found[:MOST_SUGGESTIONS]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What mappings would make of one record, by local field."""

    source: Any
    before: Mapping[str, Any]
    after: Mapping[str, Any] | None
    error: str | None


async def preview_mappings(
    context: Context, *, integration_id: UUID, wishes: Sequence[Wish], replace: bool
) -> tuple[MappingPreview, list[Tried]]:
    """What they would change in the stored payloads. No CRM is asked: its fields are as the last run has read them. Raises
    BadInput."""
    integration = await get_integration(context, integration_id)
    if integration is None:
        raise BadInput("There is no such integration.")
    kept = await find_catalogs(context.database, integration, context.services.clients.region)
    fields = {name: catalog.fields.get(name, ()) for name, catalog in kept.items()}
    stored = [
        read_row(row) for row in await context.fetch(mappings.OF_INTEGRATIONS, {"integrations": [integration.id]})
    ]
    removed = choose_removed(stored, wishes, replace)
    try:
        check_number(wishes)
        check_kept(integration, wishes, fields)
        check_beside(stored, removed, wishes)
        found = await preview(
            context.database,
            integration,
            make_rules(combine(stored, removed, wishes), integration.excluded_fields),
            list_concerned([*wishes, *(row.wish for row in removed)]),
            context.services.clients.region,
        )
    except (Refused, RefusedRows, Unread, Unmappable) as error:
        raise BadInput(str(error)) from error
    sources = await asyncio.gather(*(get_row(context, "SourceRecord", one.source_id) for one in found.sample))
    rows = zip(sources, found.sample, strict=True)
    return found, [
        Tried(source=source, before=one.before, after=one.after, error=one.error) for source, one in rows if source
    ]


def check_kept(integration: Integration, wishes: Sequence[Wish], fields: Mapping[str, Sequence[Field]]) -> None:
    """Raises Unread for a type whose fields no run has read yet, RefusedRows for rows that are wrong by themselves."""
    connector = CONNECTORS[integration.crm]
    for name in dict.fromkeys(wish.external_type for wish in wishes):
        if name in connector.by_name and name not in fields:
            raise Unread(UNREAD.format(type=name))
    if wrong := check_rows(connector, wishes, fields, integration.excluded_fields):
        raise RefusedRows(wrong)


def list_concerned(wishes: Iterable[Wish]) -> dict[str, list[str]]:
    """By external type, the local fields that these fill."""
    found: dict[str, list[str]] = {}
    for wish in wishes:
        if wish.direction in INWARD and wish.local_field not in found.setdefault(wish.external_type, []):
            found[wish.external_type].append(wish.local_field)
    return found
