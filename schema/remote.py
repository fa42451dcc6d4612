"""The CRM's own records, as a picker shows them."""

from typing import Annotated, Any

import strawberry

from resolvers.remote import RemotePage, get_organization_name, get_source
from schema.field import Info, field, shown
from schema.paging import Edge, PageInfo
from schema.sources import SourceRecord

First = Annotated[int | None, strawberry.argument(description="How many: 1 to 250; 50 where no number is given.")]
After = Annotated[str | None, strawberry.argument(description="A cursor: the page begins after it.")]
Search = Annotated[
    str | None, strawberry.argument(description="Words that the CRM finds records by; not every type has a search.")
]


@strawberry.type(description="A record of the CRM, as the CRM has it now.")
class RemoteRecord:
    row: strawberry.Private[Any]
    external_type: str = shown("The CRM's own word.")
    external_id: str = shown("Its id in the CRM.")
    name: str | None = shown("Its name, title or subject.")
    email: str | None = shown("A person's primary e-mail address.")
    phone: str | None = shown("A person's primary phone number.")
    payload: strawberry.scalars.JSON = shown("The CRM's own payload.")

    @field("The name of the organization that it points at.")
    async def organization(self, info: Info) -> str | None:
        return await get_organization_name(info.context, self.row)

    @field("What it is linked to here; null where it was never synced.")
    async def source(self, info: Info) -> SourceRecord | None:
        row = await get_source(info.context, self.row)
        return SourceRecord.of(row) if row else None


@strawberry.type(description="A page of the CRM's own records.")
class RemoteRecordConnection:
    edges: list[Edge[RemoteRecord]] = strawberry.field(description="What is on the page, each with its cursor.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")

    @field("What is on the page.")
    def nodes(self) -> list[RemoteRecord]:
        return [edge.node for edge in self.edges]

    @classmethod
    def of(cls, page: RemotePage) -> "RemoteRecordConnection":
        """A page of records, each in its type."""
        edges = [Edge(cursor=cursor, node=RemoteRecord(row=record)) for cursor, record in page.rows]
        info = PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info)
