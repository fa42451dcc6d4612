"""What tasks that run as long as the process have in common."""

import asyncio


def is_cancelled() -> bool:
    """The current task has been told to end. A loop that lives through errors asks this each time: where a connection
    goes away in the same moment, the driver raises that instead of CancelledError, which would be the last one heard of it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
