"""What a sync finds to be sent once more, handed to the outbox in the sync's own transaction."""

from sync.outbox import Outbox
from sync.settle import Settler


async def send_again(settler: Settler) -> None:
    """Queues what CRMs have changed though ours counts; comes after the records are settled."""
    waiting, settler.holder.to_push = settler.holder.to_push, []
    outbox = Outbox(database=settler.database, leaving=settler.holder.leaving)
    for type_, record, names in waiting:
        await outbox.note_written(settler, type_, record, names)
