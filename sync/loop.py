"""The page loop: one run, from where it stands to its end. What it has to survive is in its cursor."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.client import Client
from connectors.declaration import Catalog, ExternalType, Listing, Mapped, Page, Payload
from connectors.errors import Unmappable
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from storage import runs
from storage.database import Database
from storage.shapes import IntegrationStatus, SyncStatus
from storage.tables import Integration, SyncRun
from sync.pages import Stored, Writer

AT_ONCE = 50
"""Records mapped before others get their turn: requests are answered by the same process."""

MANY = 1_000
"""Records after which the planner should look at the tables again."""

WRITTEN = (
    "source_record",
    "match_key",
    "contact",
    "organization",
    "deal",
    "activity",
    "deal_contact",
    "activity_contact",
)

DISCONNECTED = "The integration was disconnected."
PAUSED = "The integration is paused: the run goes on when it is resumed."

Step = tuple[ExternalType, Listing]
Error = dict[str, str | None]


class Superseded(Exception):  # noqa: N818 # it is no error: another worker goes on
    """Another worker has taken the run: nothing of this page may be kept."""


class Stopped(Exception):  # noqa: N818 # it is no error: somebody asked for it
    """A person cancelled the run, or paused or disconnected its integration."""

    def __init__(self, status: SyncStatus, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def list_steps(crm: str, record_types: Sequence[str]) -> list[Step]:
    """What a FULL run reads, in its order: a record comes after what it points at."""
    types = [type_ for type_ in CONNECTORS[crm].types if type_.record_type.value in record_types]
    return [(type_, listing) for type_ in types for listing in type_.listings]


@dataclass
class Loop:
    """Carries one run through its listings."""

    database: Database
    client: Client
    integration: Integration
    run: SyncRun
    catalog: Catalog
    spent: int = 0
    """Calls of the client that the run has been charged with."""

    async def carry_out(self) -> SyncStatus:
        """Reads page after page; each page's records, counts and cursor are one commit."""
        steps = list_steps(self.integration.crm, self.run.record_types)
        cursor = self.run.cursor or {}
        at, page_cursor = cursor.get("listing", 0), cursor.get("page")
        for number in range(at, len(steps)):
            await self._read_listing(number, steps[number], page_cursor)
            page_cursor = None
        async with self.database.session(self.run.workspace_id) as session:
            await Writer(self.database, session, self.integration).relink()
            failed = await runs.has_errors(self.database, session, self.run.id)
        if sum(counts.get("created", 0) + counts.get("updated", 0) for counts in self.run.counts.values()) >= MANY:
            await self.database.analyze(*WRITTEN)
        return SyncStatus.PARTIAL if failed else SyncStatus.SUCCEEDED

    async def _read_listing(self, number: int, step: Step, cursor: object) -> None:
        external, listing = step
        page = await self.client.page(listing, cursor)
        while True:
            # The next page is on its way while this one is written.
            ahead = None if page.next is None else asyncio.create_task(self.client.page(listing, page.next))
            try:
                await self._store(number, external, page)
                if ahead is None:
                    return
                page = await ahead
            except BaseException:
                if ahead:
                    ahead.cancel()
                    await asyncio.gather(ahead, return_exceptions=True)
                raise

    async def _store(self, number: int, external: ExternalType, page: Page) -> None:
        mapped, errors = await self._map(external, page.records)
        last = page.next is None
        self.run.cursor = {"listing": number + last, "page": page.next}
        async with self.database.session(self.run.workspace_id) as session:
            stored = await Writer(self.database, session, self.integration).store_page(external, mapped)
            await runs.add_errors(self.database, session, self.run, errors)
            self._count(external, len(page.records), stored, len(errors))
            state = await runs.commit_page(self.database, session, self.run, self.charge())
            if state is None:
                raise Superseded
        self._obey(state)

    async def _map(self, external: ExternalType, records: Sequence[Payload]) -> tuple[list[Mapped], list[Error]]:
        """The records in our shape, and what is told of those that have none."""
        mapped, errors = [], []
        for number, payload in enumerate(records):
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            try:
                mapped.append(map_record(external, payload, self.catalog))
            except Unmappable as error:
                errors.append(explain(external, payload, error))
        return mapped, errors

    def _count(self, external: ExternalType, fetched: int, stored: Stored, failed: int) -> None:
        counts = self.run.counts.setdefault(external.name, {})
        made = {
            "fetched": fetched,
            "created": stored.created,
            "updated": stored.updated,
            "skipped": stored.skipped,
            "archived": stored.archived,
            "failed": failed,
        }
        for name, number in made.items():
            counts[name] = counts.get(name, 0) + number

    def charge(self) -> int:
        """The calls since the last time."""
        calls, self.spent = self.client.calls - self.spent, self.client.calls
        return calls

    @staticmethod
    def _obey(state: Mapping[str, object]) -> None:
        """What a person has asked for since the last page."""
        if state["integration_status"] == IntegrationStatus.PAUSED.value:
            raise Stopped(SyncStatus.WAITING, PAUSED)
        if state["cancel_requested"] or state["integration_status"] != IntegrationStatus.ACTIVE.value:
            disconnected = state["integration_status"] == IntegrationStatus.DISCONNECTED.value
            raise Stopped(SyncStatus.CANCELLED, DISCONNECTED if disconnected else "Cancelled.")


def explain(external: ExternalType, payload: Payload, error: Unmappable) -> Error:
    """The SyncError of a record that could not be mapped."""
    name = payload.get(external.identifier)
    return {
        "external_type": external.name,
        "external_id": None if name is None else str(name),
        "field": error.field,
        "code": "UNMAPPABLE",
        "message": error.message,
    }
