"""What can be read."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry

from connectors.registry import Crm
from resolvers.changes import list_changes
from resolvers.conflicts import get_conflict
from resolvers.context import Context
from resolvers.integrations import get_integration, list_integrations, list_platforms
from resolvers.keys import get_key
from resolvers.mappings import get_mapping
from resolvers.pushes import get_push
from resolvers.records import get_by_source, get_row, list_records, list_runs
from resolvers.remote import list_remote
from resolvers.runs import get_run
from resolvers.sources import get_fresh_record
from schema.changes import After as AfterChange
from schema.changes import RecordChangeConnection, Types
from schema.conflicts import ConflictQuery
from schema.crm import CrmPlatform
from schema.derive import Paged
from schema.field import Info, field, given
from schema.ids import read_key
from schema.integrations import Integration, SyncRun
from schema.notifications import NotificationQuery
from schema.paging import NODES, Listing, Node
from schema.pushes import PushQuery
from schema.remaps import MappingQuery
from schema.remote import After, First, RemoteRecordConnection, Search
from schema.types import Activity, Contact, Deal, Organization
from schema.workspace import Viewer
from storage import records
from storage.listing import GlobalId, Window
from storage.query import Arguments
from storage.shapes import IntegrationStatus, SyncStatus

Id = Annotated[strawberry.ID, strawberry.argument(description="The global id.")]
Staleness = Annotated[
    int | None, strawberry.argument(description="How old its sources may be, in seconds; any age where not given.")
]

FINDERS: dict[str, Callable[[Context, UUID], Awaitable[Any]]] = {
    "Integration": get_integration,
    "SyncRun": get_run,
    "ApiKey": get_key,
    "FieldMapping": get_mapping,
    "Push": get_push,
    "Conflict": get_conflict,
}
"""Nodes that are no rows of records' tables."""


async def find_node(info: Info, id: str) -> Node | None:
    """Whatever has the id; None where it is unknown, or another workspace's."""
    found = GlobalId.read(id)
    finder = FINDERS.get(found.type)
    row = await (finder(info.context, found.key) if finder else get_row(info.context, found.type, found.key))
    return NODES[found.type].of(row) if row else None


async def find_record(info: Info, type_: Any, id: str, max_staleness: int | None) -> Any:
    """A record of one type."""
    key = read_key(id, type_.__name__)
    row = await get_fresh_record(info.context, type_.__name__, key, given(max_staleness)) if key else None
    return type_.of(row) if row else None


async def find_records(info: Info, record: type[records.Record], page: Arguments) -> Any:
    """A page of the records of one type."""
    return Listing.of(await list_records(info.context, record, page), NODES[record.__name__])


REREAD = {"maxStaleness": 20}
SEARCH = {"search": 10}
FRESH = "maxStaleness in seconds: older sources are read again from their CRMs first."
SEARCHED = (
    "`search` looks in name, e-mails, phones and organization, by words and beginnings of words;"
    " of other types in what names them."
)


@strawberry.type(description="What can be read.")
class Query(PushQuery, NotificationQuery, ConflictQuery, MappingQuery):
    @field("Who is asking.")
    def viewer(self) -> Viewer:
        return Viewer()

    @field("Whatever has this id; null where there is nothing, or nothing that the caller can see.")
    async def node(self, info: Info, id: Id) -> Node | None:
        return await find_node(info, id)

    @field("Whatever has these ids, in their order; null for each that there is nothing for.")
    async def nodes(
        self, info: Info, ids: Annotated[list[strawberry.ID], strawberry.argument(description="The global ids.")]
    ) -> list[Node | None]:
        # an error in the place of a node is told there, and the others stand
        found: list[Any] = await asyncio.gather(*(find_node(info, each) for each in ids), return_exceptions=True)
        return found

    @field("From a CRM's id to the unified record: what a support screen starts with.")
    async def record_by_source(
        self,
        info: Info,
        integration_id: Annotated[strawberry.ID, strawberry.argument(description="The integration.")],
        external_type: Annotated[str, strawberry.argument(description="The type in the CRM, in the CRM's own word.")],
        external_id: Annotated[str, strawberry.argument(description="The id in the CRM.")],
    ) -> Node | None:
        key = read_key(integration_id, "Integration")
        found = await get_by_source(info.context, key, external_type, external_id) if key else None
        return NODES[found[0]].of(found[1]) if found else None

    @field(FRESH, cost=REREAD)
    async def contact(self, info: Info, id: Id, max_staleness: Staleness = strawberry.UNSET) -> Contact | None:
        found: Contact | None = await find_record(info, Contact, id, max_staleness)
        return found

    @field(SEARCHED, Paged(records.Contact, searched=True), cost=SEARCH)
    async def contacts(self, info: Info, page: Arguments) -> Listing[Contact]:
        found: Listing[Contact] = await find_records(info, records.Contact, page)
        return found

    @field("A company. " + FRESH, cost=REREAD)
    async def organization(
        self, info: Info, id: Id, max_staleness: Staleness = strawberry.UNSET
    ) -> Organization | None:
        found: Organization | None = await find_record(info, Organization, id, max_staleness)
        return found

    @field("Companies. `search` looks in name and domain.", Paged(records.Organization, searched=True), cost=SEARCH)
    async def organizations(self, info: Info, page: Arguments) -> Listing[Organization]:
        found: Listing[Organization] = await find_records(info, records.Organization, page)
        return found

    @field("A sale. " + FRESH, cost=REREAD)
    async def deal(self, info: Info, id: Id, max_staleness: Staleness = strawberry.UNSET) -> Deal | None:
        found: Deal | None = await find_record(info, Deal, id, max_staleness)
        return found

    @field("Sales. `search` looks in the title.", Paged(records.Deal, searched=True), cost=SEARCH)
    async def deals(self, info: Info, page: Arguments) -> Listing[Deal]:
        found: Listing[Deal] = await find_records(info, records.Deal, page)
        return found

    @field("A call, a meeting, a task, a note. " + FRESH, cost=REREAD)
    async def activity(self, info: Info, id: Id, max_staleness: Staleness = strawberry.UNSET) -> Activity | None:
        found: Activity | None = await find_record(info, Activity, id, max_staleness)
        return found

    @field(
        "Calls, meetings, tasks, notes. `search` looks in the subject.",
        Paged(records.Activity, searched=True),
        cost=SEARCH,
    )
    async def activities(self, info: Info, page: Arguments) -> Listing[Activity]:
        found: Listing[Activity] = await find_records(info, records.Activity, page)
        return found

    @field("The kinds of CRM that can be connected.")
    async def crm_platforms(self, info: Info) -> list[CrmPlatform]:
        return [
            CrmPlatform(
                connector=platform.connector,
                missing_settings=list(platform.missing_settings),
                callback_url=platform.callback_url,
                required_plan=platform.required_plan,
                is_included_in_plan=platform.is_included,
            )
            for platform in await list_platforms(info.context)
        ]

    @field("One integration.")
    async def integration(self, info: Info, id: Id) -> Integration | None:
        key = read_key(id, "Integration")
        row = await get_integration(info.context, key) if key else None
        return Integration.of(row) if row else None

    @field("The workspace's integrations, the oldest first.")
    async def integrations(
        self,
        info: Info,
        crm: Annotated[
            list[Crm] | None,  # type: ignore[valid-type] # made from the registry
            strawberry.argument(description="Only those of these CRMs."),
        ] = strawberry.UNSET,
        status: Annotated[
            list[IntegrationStatus] | None, strawberry.argument(description="Only those with one of these.")
        ] = strawberry.UNSET,
    ) -> list[Integration]:
        wanted: Any = given(crm)
        crms = None if wanted is None else [each.value for each in wanted]
        return [Integration.of(row) for row in await list_integrations(info.context, crms, given(status))]

    @field(
        "A page of the CRM's own records, straight from the CRM, each with what it is linked to:"
        " the picker for a selective sync.",
        cost=50,
        size=50,
    )
    async def remote_records(
        self,
        info: Info,
        integration_id: Annotated[strawberry.ID, strawberry.argument(description="The integration.")],
        external_type: Annotated[str, strawberry.argument(description="The type in the CRM, in the CRM's own word.")],
        search: Search = strawberry.UNSET,
        first: First = strawberry.UNSET,
        after: After = strawberry.UNSET,
    ) -> RemoteRecordConnection | None:
        key, window = read_key(integration_id, "Integration"), Window(first=given(first), after=given(after))
        row = await get_integration(info.context, key) if key else None
        if row is None:
            return None
        page = await list_remote(info.context, row, external_type=external_type, search=given(search), window=window)
        return RemoteRecordConnection.of(page)

    @field("One run of a sync.")
    async def sync_run(self, info: Info, id: Id) -> SyncRun | None:
        key = read_key(id, "SyncRun")
        row = await get_run(info.context, key) if key else None
        return SyncRun.of(row) if row else None

    @field("The workspace's runs, the newest first.", Paged())
    async def sync_runs(
        self,
        info: Info,
        page: Window,
        integration_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this integration.")
        ] = strawberry.UNSET,
        status: Annotated[
            list[SyncStatus] | None, strawberry.argument(description="Only those with one of these.")
        ] = strawberry.UNSET,
    ) -> Listing[SyncRun]:
        key, wanted = None, given(integration_id)
        if wanted is not None:
            key = read_key(wanted, "Integration") or UUID(int=0)  # of nothing: another type has no runs
        found = await list_runs(info.context, integration_id=key, statuses=given(status), window=page)
        return Listing.of(found, SyncRun)

    @field(
        "All changes after the cursor, oldest first, from every CRM and from here; without a cursor, from the oldest kept."
    )
    async def changes(
        self,
        info: Info,
        first: Annotated[
            int | None, strawberry.argument(description="How many: 1 to 250; 25 where no number is given.")
        ] = strawberry.UNSET,
        after: AfterChange = strawberry.UNSET,
        record_types: Types = strawberry.UNSET,
    ) -> RecordChangeConnection:
        window = Window(first=given(first), after=given(after))
        page = await list_changes(info.context, window=window, types=given(record_types))
        return RecordChangeConnection.of(page)
