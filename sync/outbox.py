"""What goes out is written down here, in the transaction of its cause; the jobs that send it commit with it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from connectors.facts import Catalog
from connectors.overrides import Overrides
from connectors.registry import CONNECTORS
from connectors.unmapping import writable
from storage import integrations, outbox, schedule
from storage.database import Database
from storage.records import now
from storage.shapes import Direction, RecordType
from storage.tables import Integration
from sync.catalogs import find_catalogs
from sync.jobs import Jobs
from sync.local import OWNED
from sync.mappings import find_overrides
from sync.settle import Settler

WARMNESS = "warmness"
NOTHING = Catalog()
OUTWARD = (Direction.OUTBOUND.value, Direction.BIDIRECTIONAL.value)


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """Of one workspace, for what one caller has caused."""

    database: Database
    jobs: Jobs | None = None
    """None: what is queued leaves with the next tick, a moment later."""
    caused_by: str | None = None
    """`member:ID` or `key:ID`; None: the gateway itself."""
    region: str | None = None
    """ISO country of phone numbers without one."""
    leaving: Mapping[tuple[UUID, UUID], Collection[str]] = field(default_factory=dict)
    """(integration, record) -> what a push that is in hand is about: it is not queued once more."""
    known: dict[UUID, tuple[Overrides, Mapping[str, Catalog]]] = field(default_factory=dict)
    """By integration, once it was asked for: what its CRM has a place for."""

    async def note_written(self, settler: Settler, type_: RecordType, record: UUID, names: Collection[str]) -> None:
        """Queues what follows from a local write of these columns, custom fields and relations of a record; comes after it,
        in its transaction."""
        session, found = settler.session, list[UUID]()
        if type_ is RecordType.CONTACT and WARMNESS in names:
            found += await outbox.queue_leads(self.database, session, caused_by=self.caused_by, contact=record)
        if type_ is RecordType.ACTIVITY:
            found += await outbox.queue_activities(self.database, session, [record], caused_by=self.caused_by)
        found += await self.queue(session, type_, record, await self.find_takers(session, type_, record, names))
        await self.wake(session, found)

    async def queue_leads(self, session: AsyncSession, *, integration: UUID | None = None) -> None:
        """Queues all warm leads of the workspace, or those for one integration: after the threshold has become lower, or the
        integration has begun to take them."""
        found = await outbox.queue_leads(self.database, session, caused_by=self.caused_by, integration=integration)
        await self.wake(session, found)

    async def wake(self, session: AsyncSession, found: Iterable[UUID]) -> None:
        """Lets these integrations' pushes leave once the transaction commits."""
        for integration in sorted(set(found)):
            if self.jobs:
                await self.jobs.defer_push(session, integration)
            else:
                await schedule.set_alarm(self.database, session, schedule.PUSH, integration, now())

    async def find_takers(
        self,
        session: AsyncSession,
        type_: RecordType,
        record: UUID,
        names: Collection[str],
        *,
        origin: Integration | None = None,
    ) -> dict[UUID, set[str]]:
        """The integrations that are to be told of a change of the record, and which of these names go out to each. `origin`:
        whose CRM has made the change, which is told nothing; what it has no place for itself stays where it is."""
        holders = await outbox.find_holders(self.database, session, record) if names else []
        there = {one.id: one for one in await integrations.find_all(session)} if holders else {}
        if origin is not None:
            names = await self._find_writable(session, origin, find_types(origin.crm, type_, None), names)
        told: dict[UUID, set[str]] = {}
        for holder in holders:
            integration = there.get(holder["id"])
            if integration is not None and (origin is None or integration.id != origin.id):
                told.setdefault(integration.id, set()).update(
                    await self._choose(session, integration, type_, holder, names)
                )
        for key, fields in told.items():
            fields.difference_update(self.leaving.get((key, record), ()))
        return {key: fields for key, fields in told.items() if fields}

    async def queue(
        self, session: AsyncSession, type_: RecordType, record: UUID, told: Mapping[UUID, Collection[str]]
    ) -> list[UUID]:
        """Queues a change of these names of a record, by integration, each of which it gives."""
        for key, fields in told.items():
            await outbox.queue_edit(self.database, session, key, (type_, record), sorted(fields), self.caused_by)
        return list(told)

    async def _choose(
        self,
        session: AsyncSession,
        integration: Integration,
        type_: RecordType,
        holder: dict[str, Any],
        names: Collection[str],
    ) -> set[str]:
        """Those of the names that go out to a holder: what was logged here goes in any case, of other records what the
        integration lets out; and always what the mapping has a place for."""
        is_ours = holder["is_replicated"] and integration.replicate_activities
        if not is_ours and integration.direction not in OUTWARD:
            return set()
        externals = find_types(integration.crm, type_, holder["external_type"])
        return await self._find_writable(session, integration, externals, names)

    async def _find_writable(
        self, session: AsyncSession, integration: Integration, externals: Sequence[ExternalType], names: Collection[str]
    ) -> set[str]:
        """Those of the names that one of these types of a CRM has a place for."""
        if integration.id not in self.known:
            overrides = await find_overrides(self.database, session, integration)
            self.known[integration.id] = overrides, await find_catalogs(self.database, integration, self.region)
        overrides, catalogs = self.known[integration.id]
        return {
            name
            for name in names
            for external in externals
            if name == OWNED or writable(external, name, overrides, catalogs.get(external.name, NOTHING))
        }


def find_types(crm: str, type_: RecordType, name: str | None) -> list[ExternalType]:
    """The CRM's types that a record may have there: the named one, else all that become its unified type."""
    return [one for one in CONNECTORS[crm].types if one.record_type is type_ and name in (None, one.name)]
