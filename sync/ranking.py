"""Settles the records of a workspace anew once its priority of sources has changed, a batch at a time."""

import logging
from dataclasses import dataclass
from uuid import UUID, uuid4

from storage import workspaces
from storage.database import Database
from storage.shapes import ChangeCause, RecordType
from sync.handing import send_again
from sync.journal import Origin
from sync.settle import Settler

log = logging.getLogger(__name__)

BATCH = 500
"""Records of one transaction, which the pages of the workspace's integrations wait for."""

FIRST = UUID(int=0)


@dataclass(frozen=True)
class Ranker:
    """Carries out the jobs of workspaces whose priority has changed.

    Each batch follows the priority of its own time. What is settled already does not change again: whoever takes the job
    over begins anew.
    """

    database: Database

    async def settle_all(self, workspace: UUID, _: UUID) -> None:
        """All records that several integrations have something to say of; nobody else depends on their order."""
        after: UUID | None = FIRST
        while after is not None:
            after = await self._settle_batch(workspace, after)

    async def fail(self, workspace: UUID, _: UUID, error: BaseException) -> None:
        """Logs an error of ours and raises it: the job is tried again until it has come to its end."""
        log.error("workspace %s could not be settled, %s", workspace, uuid4().hex[:12], exc_info=error)
        raise error

    async def _settle_batch(self, workspace: UUID, after: UUID) -> UUID | None:
        """The last one of the batch; None where there is none any more."""
        async with self.database.session(workspace) as session:
            settler = Settler(self.database, session, workspace, Origin(ChangeCause.MEMBER))
            await settler.lock()
            values = {"after": after, "most": BATCH}
            rows = await self.database.run(session, workspaces.SEVERAL, values)
            for type_ in RecordType:
                if records := {row["record_id"] for row in rows if row["record_type"] == type_.value}:
                    await settler.settle_anew(type_, records)
            await send_again(settler)
            await settler.finish()
        return rows[-1]["record_id"] if rows else None
