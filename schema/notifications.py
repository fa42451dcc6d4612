"""Notifications: what a frontend's toast shows."""

from datetime import datetime
from typing import Any, Self

import strawberry

from resolvers.notifications import list_notifications
from resolvers.records import Page
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.derive import Paged
from schema.field import Info, field, shown
from schema.integrations import Integration, find_integration
from schema.paging import Node, PageInfo
from schema.pushes import find_record
from storage.listing import GlobalId, Window
from storage.notifications import KEPT_DAYS
from storage.shapes import NotificationLevel


@strawberry.type(
    description="What a toast shows: a push that failed, an integration that needs a new consent, a run that is held."
)
class Notification:
    row: strawberry.Private[Any]
    level: NotificationLevel = shown("How urgent it is.")
    code: str = shown("What it is about, as a stable code: all are listed in docs/outbound.md.")
    message: str = shown("What a person should know, in a sentence.")
    at: datetime = shown("When.")

    @field("Its id; opaque.")
    def id(self) -> strawberry.ID:
        return strawberry.ID(str(GlobalId("Notification", self.row.id)))

    @field("The integration that it is about.")
    async def integration(self, info: Info) -> Integration | None:
        return await find_integration(info, self.row.integration_id) if self.row.integration_id else None

    @field("The record that it is about.")
    async def record(self, info: Info) -> Node | None:
        row = self.row
        return await find_record(info, row.record_type, row.record_id) if row.record_type else None

    @classmethod
    def of(cls, row: Any) -> Self:
        """The type around a row."""
        return cls(row=row)


@strawberry.type(description="One notification, and where it stands.")
class NotificationEdge:
    cursor: str = strawberry.field(description="Where it stands in the list: for `after`.")
    node: Notification = strawberry.field(description="The notification.")


@strawberry.type(description="A page of notifications, the newest first.")
class NotificationConnection:
    edges: list[NotificationEdge] = strawberry.field(description="What is on the page, each with its cursor.")
    page_info: PageInfo = strawberry.field(description="Where the page stands in the list.")

    @field("What is on the page.")
    def nodes(self) -> list[Notification]:
        return [edge.node for edge in self.edges]

    @classmethod
    def of(cls, page: Page[Any]) -> Self:
        """A page of rows, each in its type."""
        edges = [NotificationEdge(cursor=cursor, node=Notification.of(row)) for cursor, row in page.rows]
        info = PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=edges[0].cursor if edges else None,
            end_cursor=edges[-1].cursor if edges else None,
        )
        return cls(edges=edges, page_info=info)


@strawberry.type
class NotificationQuery:
    @field(f"What people should know of, the newest first; kept for {KEPT_DAYS} days.", Paged(names=("first", "after")))
    async def notifications(self, info: Info, page: Window) -> NotificationConnection:
        return NotificationConnection.of(await list_notifications(info.context, page))
