"""Notifications: what a person should know of, listed and as it comes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

from resolvers.context import Context
from resolvers.records import Page, read_page
from storage import notifications
from storage.listing import Window
from storage.outbound import Notification
from storage.records import now

LATE = timedelta(minutes=10)
"""So much after it was written may one be there: with its transaction."""


async def list_notifications(context: Context, window: Window) -> Page[Notification]:
    """A page of those that are kept, the newest first."""
    return await read_page(context, notifications.list_notifications(window))


async def watch_notifications(context: Context) -> AsyncIterator[Notification]:
    """Each as it comes, once, from now on."""
    with context.services.hub.subscribe(f"notifications:{context.workspace}") as events:
        since, told = now(), set[UUID]()
        async for about in events:
            sql, values = notifications.BY_ID, {"id": about, "since": since}
            if about is None:  # something may have been missed
                sql = notifications.SINCE
            for row in await context.database.fetch(context.workspace, sql, values):
                if row["id"] not in told:
                    told.add(row["id"])
                    since = max(since, row["at"] - LATE)
                    yield notifications.load(row)
