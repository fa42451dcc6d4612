"""Mappings of fields: the connector's with somebody's own in their place; changing them."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.defaults import Default, list_defaults
from connectors.facts import Field
from connectors.overrides import Overrides, Rule
from connectors.registry import CONNECTORS
from connectors.targets import list_targets
from resolvers.context import Context
from resolvers.crm import list_fields
from resolvers.errors import BadInput, CrmFailed, ErrorCode, Refused, Unknown, UserErrorCode
from resolvers.integrations import get_integration, list_integrations, require_integration
from resolvers.loaders import load
from resolvers.rules import INWARD, OUTWARD, RefusedRows, Wish, check_rows, check_together
from storage import integrations, mappings, runs
from storage.identifiers import uuid7
from storage.shapes import Direction, IntegrationStatus, SyncKind, SyncTrigger
from storage.tables import Integration, SyncRun
from sync.remap import list_changed, note_changed

MOST_ROWS = 500
"""Of one input."""
TAKES_RUNS = frozenset({IntegrationStatus.ACTIVE.value, IntegrationStatus.PAUSED.value})
"""A run of one that is paused waits."""
DOWN: Mapping[ErrorCode, UserErrorCode] = {
    ErrorCode.CRM_QUOTA: UserErrorCode.CRM_QUOTA,
    ErrorCode.CRM_REAUTHORIZE: UserErrorCode.CREDENTIAL_REFUSED,
    ErrorCode.CRM_UNAVAILABLE: UserErrorCode.CRM_UNAVAILABLE,
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A mapping as it counts: the connector's, or one of somebody's own."""

    id: UUID
    wish: Wish
    """What somebody would ask for to have it."""
    is_default: bool = False

    @property
    def external_type(self) -> str:
        """The CRM's own word."""
        return self.wish.external_type

    @property
    def local_field(self) -> str:
        """As GraphQL writes it."""
        return self.wish.local_field

    @property
    def crm_field(self) -> str:
        """As the CRM's API calls it."""
        return self.wish.crm_field

    @property
    def direction(self) -> Direction:
        """Which way values go."""
        return self.wish.direction

    @property
    def transform(self) -> str | None:
        """An expression over `value`; None copies."""
        return self.wish.transform


# ---------------------------------------------------------------- reading


async def list_mappings(context: Context, integration: Integration, external_type: str | None) -> list[Row]:
    """The mappings of one type, or of all. Raises BadInput."""
    names = CONNECTORS[integration.crm].by_name
    if external_type is not None and external_type not in names:
        raise BadInput(f"`externalType` is one of {', '.join(names)}.")

    async def fetch(ids: Sequence[UUID]) -> list[list[Row]]:
        found: dict[UUID, list[Row]] = {}
        for row in await context.fetch(mappings.OF_INTEGRATIONS, {"integrations": list(ids)}):
            found.setdefault(row["integration_id"], []).append(read_row(row))
        return [found.get(each, []) for each in ids]

    custom: list[Row] = await load(context, Row, fetch, integration.id)
    wanted = [external_type] if external_type is not None else names
    return [row for row in overlay(integration, custom) if row.external_type in wanted]


async def get_mapping(context: Context, id: UUID) -> Row | None:
    """One by its id: of somebody's own, or a connector's, whose id follows from what it is."""
    rows = await context.fetch(mappings.BY_IDS, {"ids": [id]})
    if rows:
        integration = await get_integration(context, rows[0]["integration_id"])
        return read_row(rows[0]) if integration else None
    for integration in await list_integrations(context, None, None):
        found = await list_mappings(context, integration, None)
        if wanted := next((row for row in found if row.id == id), None):
            return wanted
    return None


def read_row(row: Mapping[str, Any]) -> Row:
    """One of the table."""
    wish = Wish(
        external_type=row["external_type"],
        local_field=row["local_field"],
        crm_field=row["crm_field"],
        direction=Direction(row["direction"]),
        transform=row["transform"],
    )
    return Row(id=row["id"], wish=wish)


def overlay(integration: Integration, custom: Sequence[Row]) -> list[Row]:
    """All that count: somebody's own, and of the connector's what they leave of it; by type, in the order of our fields."""
    found: list[Row] = []
    for external in CONNECTORS[integration.crm].types:
        own = [row for row in custom if row.external_type == external.name]
        usual = [_default(integration, external.name, one, own) for one in list_defaults(external)]
        order = {name: place for place, name in enumerate(list_targets(external.record_type))}
        rows = [*own, *(row for row in usual if row)]
        found += sorted(
            rows, key=lambda row: (order.get(row.local_field, len(order)), row.local_field, row.direction.value)
        )
    return found


def _default(integration: Integration, external_type: str, default: Default, own: Iterable[Row]) -> Row | None:
    """What is left of a connector's mapping beside somebody's own: both directions, one, or none."""
    is_filled = any(row.local_field == default.local_field and row.direction in INWARD for row in own)
    is_written = default.direction is Direction.INBOUND or any(
        default.local_field == row.local_field or default.crm_field == row.crm_field
        for row in own
        if row.direction in OUTWARD or _only_fills(row, default)
    )
    if is_filled and is_written:
        return None
    one_way = Direction.OUTBOUND if is_filled else Direction.INBOUND
    wish = Wish(
        external_type=external_type,
        local_field=default.local_field,
        crm_field=default.crm_field,
        direction=one_way if is_filled or is_written else default.direction,
    )
    return Row(id=uuid5(integration.id, ":".join(wish.key)), wish=wish, is_default=True)


def _only_fills(row: Row, default: Default) -> bool:
    """Whether it is the connector's mapping, said to be INBOUND."""
    pair = (row.local_field, row.crm_field, row.direction, row.transform)
    return pair == (default.local_field, default.crm_field, Direction.INBOUND, None)


# ---------------------------------------------------------------- changing


async def update_mappings(
    context: Context, *, integration_id: UUID, wishes: Sequence[Wish], replace: bool
) -> tuple[list[Row], SyncRun | None]:
    """Saves them all, or none. Gives the mappings of the types that are named, and the run that maps anew what is stored.

    `replace`: others of somebody's own of these types are taken away. Raises Refused, RefusedRows.
    """
    integration = await require_integration(context, integration_id)
    await check_alone(context, integration, wishes)
    types = {wish.external_type for wish in wishes}
    async with context.database.session(context.workspace) as session:
        stored = await _lock(context, session, integration)
        removed = choose_removed(stored, wishes, replace)
        check_beside(stored, removed, wishes)
        run = await _save(context, session, integration, stored, wishes, removed)
    return await _reread(context, integration, types), run


async def reset_mappings(
    context: Context, *, integration_id: UUID, external_type: str | None
) -> tuple[list[Row], SyncRun | None]:
    """Takes those of somebody's own away, of one type or of all: the connector's count again. Raises Refused."""
    integration = await require_integration(context, integration_id)
    names = CONNECTORS[integration.crm].by_name
    if external_type is not None and external_type not in names:
        message = f"`externalType` is one of {', '.join(names)}."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("externalType",))
    types = names if external_type is None else [external_type]
    async with context.database.session(context.workspace) as session:
        stored = await _lock(context, session, integration)
        run = await _save(
            context, session, integration, stored, (), [row for row in stored if row.external_type in types]
        )
    return await _reread(context, integration, types), run


async def check_alone(context: Context, integration: Integration, wishes: Sequence[Wish]) -> None:
    """Raises RefusedRows for rows that are wrong by themselves, by the CRM's own list of its fields; Refused where it cannot
    be read."""
    check_number(wishes)
    connector = CONNECTORS[integration.crm]
    named = dict.fromkeys(wish.external_type for wish in wishes if wish.external_type in connector.by_name)
    try:
        lists = await asyncio.gather(*(list_fields(context, integration, name) for name in named))
    except CrmFailed as error:
        message = f"Nothing is saved, since the fields of {connector.label} cannot be read: {error.message}"
        raise Refused(
            DOWN.get(error.code, UserErrorCode.CRM_UNAVAILABLE), message, ("mappings",), error.details
        ) from error
    fields: dict[str, list[Field]] = dict(zip(named, lists, strict=True))
    if wrong := check_rows(connector, wishes, fields, integration.excluded_fields):
        raise RefusedRows(wrong)


def check_number(wishes: Sequence[Wish]) -> None:
    """Raises Refused for none, and for more than anybody has."""
    if not wishes or len(wishes) > MOST_ROWS:
        raise Refused(UserErrorCode.BAD_INPUT, f"Give 1 to {MOST_ROWS} mappings.", ("mappings",))


def choose_removed(stored: Sequence[Row], wishes: Sequence[Wish], replace: bool) -> list[Row]:
    """Those of somebody's own that go with a change: of the same types, and not among its rows."""
    if not replace:
        return []
    keys, types = {wish.key for wish in wishes}, {wish.external_type for wish in wishes}
    return [row for row in stored if row.external_type in types and row.wish.key not in keys]


def check_beside(stored: Sequence[Row], removed: Sequence[Row], wishes: Sequence[Wish]) -> None:
    """Raises RefusedRows for two to one target, in the change or beside what stays."""
    keys = {wish.key for wish in wishes}
    stay = [row.wish for row in stored if row not in removed and row.wish.key not in keys]
    if wrong := check_together(wishes, stay):
        raise RefusedRows(wrong)


def combine(stored: Sequence[Row], removed: Sequence[Row], wishes: Sequence[Wish]) -> list[Wish]:
    """Somebody's own mappings as they would be."""
    keys, gone = {wish.key for wish in wishes}, {row.id for row in removed}
    return [*(row.wish for row in stored if row.id not in gone and row.wish.key not in keys), *wishes]


async def _lock(context: Context, session: AsyncSession, integration: Integration) -> list[Row]:
    """Those of somebody's own, with the integration locked until the transaction ends. Raises Unknown."""
    if await integrations.find(session, integration.id, locked=True) is None:
        raise Unknown("integration", "integrationId")
    rows = await context.database.run(session, mappings.OF_INTEGRATIONS, {"integrations": [integration.id]})
    return [read_row(row) for row in rows]


async def _reread(context: Context, integration: Integration, types: Collection[str]) -> list[Row]:
    context.loaders.clear()
    return [row for row in await list_mappings(context, integration, None) if row.external_type in types]


async def _save(
    context: Context,
    session: AsyncSession,
    integration: Integration,
    stored: Sequence[Row],
    wishes: Sequence[Wish],
    removed: Sequence[Row],
) -> SyncRun | None:
    """Writes what differs. Gives the run that maps anew what is stored; None where nothing has to be. Raises Unknown."""
    known = {row.wish.key: row for row in stored}
    changed = [wish for wish in wishes if wish.key not in known or known[wish.key].wish != wish]
    if not changed and not removed:
        return None
    rows = [pack_wish(wish, known[wish.key].id if wish.key in known else uuid7()) for wish in changed]
    if await mappings.save(context.database, session, integration.id, rows, [row.id for row in removed]) is None:
        raise Unknown("integration", "integrationId")
    concerned = list_changed(make_rules([row.wish for row in stored]), make_rules(combine(stored, removed, changed)))
    if not concerned:
        return None
    await note_changed(context.database, session, integration, concerned)
    return await request_remap(context, session, integration, concerned)


async def request_remap(
    context: Context, session: AsyncSession, integration: Integration, types: Iterable[str]
) -> SyncRun | None:
    """The run that maps what is stored of these types anew; None where the integration is not connected: what has changed is
    noted, for the next one."""
    if integration.status not in TAKES_RUNS:
        return None
    known = CONNECTORS[integration.crm].by_name
    trigger = SyncTrigger.API_KEY if context.caller.key_id else SyncTrigger.MEMBER
    run, is_new = await runs.request(
        context.database,
        session,
        integration=integration.id,
        kind=SyncKind.REMAP,
        types=list(dict.fromkeys(known[name].record_type for name in types)),
        scope={},
        asked_by=(trigger, context.caller.member_id),
    )
    if is_new:
        await context.services.jobs.defer_sync(session, run)
    return run


def pack_wish(wish: Wish, id: UUID) -> dict[str, Any]:
    """As the table has it."""
    return {
        "id": id,
        "external_type": wish.external_type,
        "local_field": wish.local_field,
        "crm_field": wish.crm_field,
        "direction": wish.direction.value,
        "transform": wish.transform,
    }


def make_rules(wishes: Iterable[Wish], excluded: Iterable[str] = ()) -> Overrides:
    """What records are mapped by where these are somebody's own mappings."""
    found: dict[str, list[Rule]] = {}
    for wish in sorted(wishes, key=lambda one: one.key):
        if wish.direction in INWARD:
            rule = Rule(local_field=wish.local_field, crm_field=wish.crm_field, transform=wish.transform)
            found.setdefault(wish.external_type, []).append(rule)
    rules = {name: tuple(each) for name, each in found.items()}
    return Overrides(rules=rules, excluded=frozenset(excluded))
