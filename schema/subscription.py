"""What can be watched: each begins with how it is now."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, TypeVar

import strawberry

from resolvers.errors import BadInput
from resolvers.runs import watch_integration, watch_run, watch_runs
from schema.field import Info, given, stream
from schema.ids import read_key
from schema.integrations import Integration, SyncRun
from schema.paging import Row

R = TypeVar("R", bound=Row)


async def follow(info: Info, type_: type[R], rows: AsyncIterator[Any]) -> AsyncGenerator[R]:
    """Each row in its type. What was read for the one before is forgotten."""
    async for row in rows:
        info.context.loaders.clear()
        yield type_.of(row)


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
        async for each in follow(info, SyncRun, watch_run(info.context, key)):
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
        async for each in follow(info, SyncRun, watch_runs(info.context, key)):
            yield each

    @stream("The integration as it is now, then after each change: PENDING to ACTIVE is what a wizard waits for.")
    async def integration(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The global id.")]
    ) -> AsyncGenerator[Integration]:
        key = require(id, "Integration", "integration")
        async for each in follow(info, Integration, watch_integration(info.context, key)):
            yield each
