"""The outbox as a caller uses it."""

from resolvers.callers import Caller
from resolvers.context import Context
from sync.outbox import Outbox


def open_outbox(context: Context) -> Outbox:
    """For what the caller causes."""
    services = context.services
    return Outbox(
        database=context.database,
        jobs=services.jobs,
        caused_by=name_cause(context.caller),
        region=services.clients.region,
    )


def name_cause(caller: Caller) -> str | None:
    """Whose pushes they count among: a member, a key, or nobody in particular."""
    if caller.key_id:
        return f"key:{caller.key_id}"
    return f"member:{caller.member_id}" if caller.member_id else None
