"""What has changed: the feed of all changes of records."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from resolvers.changes import ChangePage
from resolvers.changes import Row as ChangeRow
from resolvers.records import get_row
from resolvers.runs import get_run
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.field import Info, field, shown
from schema.integrations import SyncRun
from schema.paging import Node, PageInfo, wrap
from schema.shown import FieldChange
from storage.listing import GlobalId
from storage.records import BY_TYPE
from storage.shapes import ChangeCause, ChangeKind, RecordType

After = Annotated[
    str | None, strawberry.argument(description="A cursor: what comes after it; from the oldest kept where not given.")
]
Types = Annotated[list[RecordType] | None, strawberry.argument(description="Only changes of records of these types.")]


@strawberry.type(
    description="What one transaction has made of one record. Of each record, changes come in their order."
)
class RecordChange:
    row: strawberry.Private[Any]
    place: strawberry.Private[str]
    kind: ChangeKind = shown("What has become of the record.")
    record_type: RecordType = shown("The type of the record.")
    cause: ChangeCause = shown("What has changed it.")
    at: datetime = shown("When it was changed here.")

    @field("Where it stands in the feed: for `after`.")
    def cursor(self) -> str:
        return self.place

    @field("The global id of the record, also of one that has become part of another one.")
    def record_id(self) -> strawberry.ID:
        return strawberry.ID(str(GlobalId(self._model.__name__, self.row.record_id)))

    @field("The record as it is now; of one that has become part of another one that one.")
    async def record(self, info: Info) -> Node | None:
        name = self._model.__name__
        row = await get_row(info.context, name, self.row.record_id)
        return wrap((name, row)) if row else None

    @field("The global id of the record that it has become part of, of a MERGED one.")
    def merged_into_id(self) -> strawberry.ID | None:
        merged = self.row.merged_into
        return strawberry.ID(str(GlobalId(self._model.__name__, merged))) if merged else None

    @field("The run that has changed it; null where it was no run, or the run is no more.")
    async def sync_run(self, info: Info) -> SyncRun | None:
        row = await get_run(info.context, self.row.run_id) if self.row.run_id else None
        return SyncRun.of(row) if row else None

    @field("What is another value now; of a CREATED one all that has a value. A MERGED one has none.", size=5)
    def changes(self) -> list[FieldChange]:
        return FieldChange.list_of(self._model, self.row.changes)

    @property
    def _model(self) -> Any:
        return BY_TYPE[RecordType(self.row.record_type)]

    @classmethod
    def of(cls, row: ChangeRow) -> Self:
        """A change after its cursor."""
        return cls(place=row[0], row=row[1])


@strawberry.type(description="One change, and where it stands.")
class RecordChangeEdge:
    cursor: str = strawberry.field(description="Where it stands in the feed: for `after`.")
    node: RecordChange = strawberry.field(description="The change.")


@strawberry.type(description="A page of the feed, the oldest first.")
class RecordChangeConnection:
    edges: list[RecordChangeEdge] = strawberry.field(description="What is on the page, each with its cursor.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the feed.")

    @field("What is on the page.")
    def nodes(self) -> list[RecordChange]:
        return [edge.node for edge in self.edges]

    @classmethod
    def of(cls, page: ChangePage) -> Self:
        """A page of changes, each in its type."""
        edges = [RecordChangeEdge(cursor=row[0], node=RecordChange.of(row)) for row in page.rows]
        info = PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info)
