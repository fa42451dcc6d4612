"""What no list of changes shows, gone through bit by bit: each DELTA goes on where the one before has stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.client import Client
from connectors.declaration import ExternalType, Removed, Trace
from connectors.errors import Rejected
from connectors.facts import Catalog, Payload
from connectors.mapping import compile_type, refer
from connectors.reading import Listing
from storage import upserts
from storage.database import Database
from storage.tables import Integration
from sync.steps import Batch, Cursor

NOTHING = Catalog()
"""What a record points at is told by the record alone."""
MOST = 5_000
"""Records of a type that one DELTA goes through: with more of them, a change takes as many DELTAs to be seen."""
AT_A_TIME = 1_000
"""Records whose relations are asked for between two commits."""


@dataclass(frozen=True, kw_only=True)
class BinStep:
    """Reads the list of what the CRM has deleted, which knows no time."""

    external: ExternalType
    listing: Listing
    database: Database
    integration: Integration
    whole: bool = False
    """All of it, by a run that has the time."""
    optional: bool = True
    ahead: bool = True

    @property
    def name(self) -> str:
        """Of the round."""
        return f"{self.external.name}:bin"

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """Those on a page that are here and alive."""
        at, read = cursor or (None if self.whole else self.integration.rounds.get(self.name), 0)
        try:
            page = await client.page(self.listing, at)
        except Rejected:
            if cursor or at is None:
                raise
            page = await client.page(self.listing)  # a place kept since the last run may be none any more
        program = compile_type(self.external)
        ids = [str(program.identifier(row)) for row in page.records]
        values = {"integration": self.integration.id, "type": self.external.name, "ids": ids}
        alive = await self.database.fetch(self.integration.workspace_id, upserts.ALIVE, values) if ids else ()
        removed = [Removed(external_type=self.external.name, external_id=row["external_id"]) for row in alive]
        read += len(ids)
        goes_on = page.next is not None and (self.whole or read < MOST)
        return Batch(
            removed=removed,
            round="" if self.whole else self.name,
            place=page.next,
            next=[page.next, read] if goes_on else None,
        )


@dataclass(frozen=True, kw_only=True)
class TraceStep:
    """Finds the records that point at others than they did, though nothing else of them has changed, and reads them anew."""

    external: ExternalType
    trace: Trace
    database: Database
    integration: Integration
    optional: bool = True
    ahead: bool = False  # what the lists of changes have shown is stored by then, and the same here as there

    @property
    def name(self) -> str:
        """Of the round."""
        return f"{self.external.name}:trace"

    async def fetch(self, client: Client, cursor: Cursor | None) -> Batch:
        """Those of the next thousand that are stored."""
        after, read = cursor or (self.integration.rounds.get(self.name) or "", 0)
        values = {"integration": self.integration.id, "type": self.external.name, "after": after, "most": AT_A_TIME}
        rows = await self.database.fetch(self.integration.workspace_id, upserts.REFERRING, values)
        before = {row["external_id"]: row["refs"] for row in rows}
        now = await self.trace(client, list(before)) if before else {}
        moved = [one for one, payload in now.items() if self._refer(payload) != before[one]]
        found = await client.read(self.external, moved) if moved else {}
        last = rows[-1]["external_id"] if len(rows) == AT_A_TIME else None
        read += len(rows)
        return Batch(
            records=list(found.values()),
            round=self.name,
            place=last,
            next=[last, read] if last is not None and read < MOST else None,
        )

    def _refer(self, payload: Payload) -> Mapping[str, Any]:
        """What it points at, as it is stored."""
        refs = refer(self.external, payload, NOTHING)
        return {name: [list(ref) for ref in refs.get(name, ())] for name in self.external.references}
