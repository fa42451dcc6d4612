"""What can be watched: each begins with how it is now."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

import strawberry

from resolvers.changes import watch_changes
from resolvers.errors import BadInput
from resolvers.notifications import watch_notifications
from resolvers.runs import watch_integration, watch_run, watch_runs
from schema.changes import After, RecordChange, Types
from schema.field import Info, given, stream
from schema.ids import read_key
from schema.integrations import Integration, SyncRun
from schema.notifications import Notification
from storage.changes import KEPT_DAYS

R = TypeVar("R")


async def follow(info: Info, make: Callable[[Any], R], rows: AsyncIterator[Any]) -> AsyncGenerator[R]:
    """Each row in its type. What was read for the one before is forgotten."""
    async for row in rows:
        info.context.loaders.clear()
        yield make(row)


def require(id: str, type_: str, what: str) -> Any:
    """The key in a global id of something that has to be there."""
    key = read_key(id, type_)
    if key is None:
        raise BadInput(f"There is no such {what}.")
    return key


@strawberry.type(description="What can be watched, over WebSocket or server-sent events.")
class Subscription:
    @stream("The run as it is now, then after each change of it, until it ends.")
    async def sync_progress(
        self, info: Info, sync_run_id: Annotated[strawberry.ID, strawberry.argument(description="The run.")]
    ) -> AsyncGenerator[SyncRun]:
        key = require(sync_run_id, "SyncRun", "sync run")
        async for each in follow(info, SyncRun.of, watch_run(info.context, key)):
            yield each

    @stream("Every run as it starts, changes and ends: what a monitor shows.")
    async def sync_runs(
        self,
        info: Info,
        integration_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this integration.")
        ] = strawberry.UNSET,
    ) -> AsyncGenerator[SyncRun]:
        wanted = given(integration_id)
        key = None if wanted is None else require(wanted, "Integration", "integration")
        async for each in follow(info, SyncRun.of, watch_runs(info.context, key)):
            yield each

    @stream("The integration as it is now, then after each change: PENDING to ACTIVE is what a wizard waits for.")
    async def integration(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The global id.")]
    ) -> AsyncGenerator[Integration]:
        key = require(id, "Integration", "integration")
        async for each in follow(info, Integration.of, watch_integration(info.context, key)):
            yield each

    @stream(
        f"As the query `changes`, then live, with no gap. A cursor older than what is kept ({KEPT_DAYS} days) is"
        " CURSOR_EXPIRED."
    )
    async def record_changes(
        self, info: Info, after: After = strawberry.UNSET, record_types: Types = strawberry.UNSET
    ) -> AsyncGenerator[RecordChange]:
        rows = watch_changes(info.context, after=given(after), types=given(record_types))
        async for each in follow(info, RecordChange.of, rows):
            yield each

    @stream("What people should know of, as it happens; what came before is in the query `notifications`.")
    async def notifications(self, info: Info) -> AsyncGenerator[Notification]:
        async for each in follow(info, Notification.of, watch_notifications(info.context)):
            yield each
