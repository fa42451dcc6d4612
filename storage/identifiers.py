"""Ids that sort by the time they were made, so that new rows stand together in an index."""

import os
import time
from datetime import datetime
from typing import Final
from uuid import UUID

CHANCE: Final = 10
"""Bytes of it in an id."""
BLOCK: Final = 256
"""Ids' worth of chance taken from the system at a time: a call for each would cost more than all the rest of it."""

_drawn: list[int] = []
os.register_at_fork(after_in_child=_drawn.clear)


def uuid7() -> UUID:
    """A version 7 UUID (RFC 9562): 48 bits of milliseconds, then chance. Python has it from 3.14 on."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | _draw()
    return UUID(int=(value & ~(0xF << 76 | 0x3 << 62)) | 7 << 76 | 2 << 62)


def first_id(at: datetime) -> UUID:
    """Not greater than any id that is made from then on, and greater than all that were made before."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def _draw() -> int:
    while True:
        try:
            return _drawn.pop()  # one step, whatever thread it is in
        except IndexError:
            block = os.urandom(CHANCE * BLOCK)
            _drawn.extend(int.from_bytes(block[at : at + CHANCE]) for at in range(0, len(block), CHANCE))
