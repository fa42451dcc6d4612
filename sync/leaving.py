"""Takes away what is left of an integration that is being deleted, a batch at a time, so that others sync in between."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from storage import leaving
from storage.database import Database
from storage.shapes import RecordType
from sync.handing import send_again
from sync.settle import Settler

log = logging.getLogger(__name__)

BATCH = 500
"""Sources of one transaction, which the pages of the workspace's other integrations wait for."""


@dataclass(frozen=True)
class Leaver:
    """Carries out the jobs of integrations that leave. Each batch is whole: whoever takes the job over goes on."""

    database: Database

    async def take_away(self, workspace: UUID, integration: UUID) -> None:
        """Runs, sources and at last the integration itself; records that nothing else holds are archived."""
        async with self.database.session(workspace) as session:
            await leaving.drop_runs(self.database, session, integration)
        while await self._take_batch(workspace, integration):
            pass

    async def fail(self, workspace: UUID, integration: UUID, error: BaseException) -> None:
        """Logs an error of ours and raises it: the job is tried again until it has come to its end."""
        del workspace
        log.error("integration %s could not leave, %s", integration, uuid4().hex[:12], exc_info=error)
        raise error

    async def _take_batch(self, workspace: UUID, integration: UUID) -> bool:
        """Whether there may be more. A page that was under way when the integration left is waited for by the lock, and none
        is written after the last batch."""
        async with self.database.session(workspace) as session:
            settler = Settler(self.database, session, workspace)
            await settler.lock()
            batch = await leaving.find_next(self.database, session, integration, BATCH)
            for type_ in RecordType:
                if sources := [row for row in batch if row["record_type"] == type_.value]:
                    await self._take(settler, integration, type_, sources)
            await send_again(settler)
            await settler.finish()
            if not batch:
                await leaving.drop(self.database, session, integration)
            return bool(batch)

    async def _take(
        self, settler: Settler, integration: UUID, type_: RecordType, sources: Sequence[Mapping[str, Any]]
    ) -> None:
        """Sources of records of one type. What other integrations hold is written anew from what they say."""
        session = settler.session
        records = {source["record_id"] for source in sources}
        held = await leaving.find_held(self.database, session, integration, records)
        orphans = records - held
        await settler.journal.keep(type_, orphans)
        await leaving.drop_sources(self.database, session, type_, [source["id"] for source in sources], orphans)
        if held:
            await settler.settle_anew(type_, held, without=integration)
        if type_ is RecordType.DEAL:
            await self._settle_customers(settler, integration, orphans)

    async def _settle_customers(self, settler: Settler, integration: UUID, deals: set[UUID]) -> None:
        """Whom only these deals have made a CONTACT is a LEAD again; who leaves as well stays as they are."""
        customers = await leaving.find_customers(self.database, settler.session, deals)
        await settler.settle_kinds(await leaving.find_held(self.database, settler.session, integration, customers))
