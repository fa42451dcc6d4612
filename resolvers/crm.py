"""Fields that reach into a CRM while the query runs: cached, batched, and asked once whoever asks."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from connectors.catalogs import read_catalog
from connectors.errors import CrmError, Unmappable
from connectors.excluding import strip_payload
from connectors.facts import Field, Payload, Pipeline, Stage
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.errors import BadInput, failed
from resolvers.integrations import get_integration
from storage.cache import MISS, Cache
from storage.errors import StorageError
from storage.records import now
from storage.shapes import BudgetWindow
from storage.tables import CrmUser, Integration, SourceRecord
from sync.clients import Clients
from sync.mappings import read_overrides
from sync.pages import Gone, Writer

TTL = 300.0
"""Seconds for which what changes rarely is kept: users, pipelines, fields."""


@dataclass(frozen=True)
class Budget:
    """What is left of one limit of the account's API."""

    window: BudgetWindow
    window_seconds: int | None
    limit: int | None
    remaining: int | None
    resets_at: datetime | None


async def list_users(context: Context, integration: Integration) -> list[CrmUser]:
    """The users of the CRM."""
    found = await _cached(context, integration, "users", "users")
    return [CrmUser(**user, integration_id=integration.id, workspace_id=integration.workspace_id) for user in found]


async def list_pipelines(context: Context, integration: Integration) -> list[Pipeline]:
    """The pipelines of the CRM with their stages."""
    found = await _cached(context, integration, "pipelines", "pipelines")
    return [Pipeline(**{**one, "stages": tuple(Stage(**stage) for stage in one["stages"])}) for one in found]


async def list_fields(context: Context, integration: Integration, external_type: str | None) -> list[Field]:
    """The fields of one type of the CRM, or of all."""
    names = [type_.name for type_ in CONNECTORS[integration.crm].types]
    if external_type is not None and external_type not in names:
        raise BadInput(f"`externalType` is one of {', '.join(names)}.")
    wanted = names if external_type is None else [external_type]
    found = await asyncio.gather(*(_cached(context, integration, f"fields:{name}", "fields", name) for name in wanted))
    return [
        Field(**{**one, "options": tuple((value, label) for value, label in one["options"])})
        for each in found
        for one in each
    ]


async def _cached(context: Context, integration: Integration, key: str, method: str, *arguments: str) -> Any:
    """What a method of the integration's client gives, as plain values; one call for all who ask at a time."""

    async def fetch() -> list[dict[str, Any]]:
        client = await context.services.clients.open(integration)
        return [asdict(one) for one in await getattr(client, method)(*arguments)]

    try:
        return await context.services.cache.get_or_fetch(
            f"{integration.workspace_id}:{integration.id}:{integration.updated_at.timestamp()}:{key}", fetch, TTL
        )
    except CrmError as error:
        raise failed(error) from error


async def list_budgets(context: Context, integration: Integration) -> list[Budget]:
    """The limits of the account, as the CRM last said or as counted here."""
    try:
        client = await context.services.clients.open(integration)
        found = await client.budget()
    except CrmError as error:
        raise failed(error) from error
    return [Budget(one.window, one.window_seconds, one.limit, one.remaining, one.resets_at) for one in found]


# ---------------------------------------------------------------- records


@dataclass
class Wanted:
    """A record that somebody waits for."""

    max_staleness: float
    payload: asyncio.Future[Payload | None]


Group: TypeAlias = dict[str, Wanted]


@dataclass
class Payloads:
    """Reads records of CRMs by id: all that is asked for at a time goes in one batch, each record once.

    One for the whole process. What was read is kept, with its time, for as long as anybody may find it fresh enough.
    """

    clients: Clients
    cache: Cache
    waiting: dict[tuple[UUID, str], Group] = field(default_factory=dict)
    sending: set[asyncio.Task[None]] = field(default_factory=set)

    async def read(
        self, integration: Integration, external_type: str, external_id: str, max_staleness: float
    ) -> Payload | None:
        """The record as the CRM has it, at most so many seconds old; None where the CRM has it no more."""
        group = self.waiting.setdefault((integration.id, external_type), {})
        wanted = group.get(external_id)
        if wanted is None:  # nothing is waited for before it is in the group, so that one query makes one group
            future = asyncio.get_running_loop().create_future()
            wanted = group[external_id] = Wanted(max_staleness, future)
            if len(group) == 1:
                task = asyncio.create_task(self._send(integration, external_type, group))
                self.sending.add(task)
                task.add_done_callback(self.sending.discard)
        wanted.max_staleness = min(wanted.max_staleness, max_staleness)
        return await asyncio.shield(wanted.payload)

    async def _send(self, integration: Integration, external_type: str, group: Group) -> None:
        await asyncio.sleep(0.002)  # what the same queries ask for comes along
        del self.waiting[integration.id, external_type]
        try:
            await self._answer(integration, external_type, group)
        except BaseException as error:
            for wanted in group.values():
                if not wanted.payload.done():
                    wanted.payload.set_exception(error)
                    wanted.payload.exception()  # heard, even if nobody waits any more
            if not isinstance(error, (CrmError, StorageError)):
                raise

    async def _answer(self, integration: Integration, external_type: str, group: Group) -> None:
        """Gives each its payload: the kept one where it is fresh enough, else the CRM's."""
        keys = {external_id: self._key(integration, external_type, external_id) for external_id in group}
        kept = await asyncio.gather(*map(self.cache.get, keys.values()))
        for wanted, found in zip(group.values(), kept, strict=True):
            if found is not MISS and now().timestamp() - found["at"] <= wanted.max_staleness:
                wanted.payload.set_result(found["payload"])
        missing = [external_id for external_id, wanted in group.items() if not wanted.payload.done()]
        if not missing:
            return
        client = await self.clients.open(integration)
        external = CONNECTORS[integration.crm].type(external_type)
        read = await client.read(external, missing)
        at = now().timestamp()
        for external_id in missing:
            payload = read.get(external_id)
            if payload is not None:
                payload = strip_payload(external, payload, frozenset(integration.excluded_fields))
            group[external_id].payload.set_result(payload)
            await self.cache.set(keys[external_id], {"at": at, "payload": payload}, TTL)

    @staticmethod
    def _key(integration: Integration, external_type: str, external_id: str) -> str:
        return f"{integration.workspace_id}:{integration.id}:payload:{external_type}:{external_id}"


async def read_payload(context: Context, source: SourceRecord, max_staleness: int | None) -> Any:
    """The CRM's own payload: the stored one where it is fresh enough, else the CRM's."""
    if max_staleness is None or not is_stale(source, max_staleness):
        return source.payload
    integration = await get_integration(context, source.integration_id)
    if integration is None:
        return source.payload
    payloads = context.services.payloads
    try:
        found = await payloads.read(integration, source.external_type, source.external_id, max_staleness)
    except CrmError as error:
        raise failed(error) from error
    external = CONNECTORS[integration.crm].type(source.external_type)
    return None if found is None else strip_payload(external, found, frozenset(integration.excluded_fields))


def is_stale(source: SourceRecord, max_staleness: int) -> bool:
    """Whether the stored payload is older than so many seconds."""
    if max_staleness < 0:
        raise BadInput("`maxStaleness` is a number of seconds, 0 or more.")
    return (now() - source.synced_at).total_seconds() > max_staleness


async def refresh_record(context: Context, sources: Sequence[SourceRecord], max_staleness: int) -> None:
    """Reads those sources that are older from their CRMs and takes over what has changed there."""
    stale = [source for source in sources if is_stale(source, max_staleness) and not source.deleted_at]
    groups: dict[tuple[UUID, str], list[SourceRecord]] = {}
    for source in stale:
        groups.setdefault((source.integration_id, source.external_type), []).append(source)
    for (integration_id, external_type), group in groups.items():
        integration = await get_integration(context, integration_id)
        if integration is not None:
            read = await _refresh(context, integration, external_type, [source.external_id for source in group])
            context.reread.update(source.id for source in group if source.external_id in read)


async def _refresh(
    context: Context, integration: Integration, external_type: str, ids: Sequence[str]
) -> Collection[str]:
    """Takes over what has changed; gives the ids of those that the CRM has shown."""
    external = CONNECTORS[integration.crm].type(external_type)
    try:
        client = await context.services.clients.open(integration)
        catalog = await read_catalog(client, external, context.services.clients.region)
        found: Mapping[str, Payload] = await client.read(external, list(ids))
        overrides = await read_overrides(context.database, integration)
        mapped = [map_record(external, payload, catalog, overrides) for payload in found.values()]
    except CrmError as error:
        raise failed(error) from error
    except Unmappable as error:
        raise BadInput(f"The CRM's record cannot be read: {error.message}") from error
    try:
        async with context.database.session(context.workspace) as session:
            await Writer(context.database, session, integration).store_page(external, mapped)
    except Gone:  # with its sources, in this moment
        return ()
    return found.keys()
