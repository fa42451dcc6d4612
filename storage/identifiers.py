"""Ids that sort by the time they were made, so that new rows stand together in an index."""

import secrets
import time
from uuid import UUID


def uuid7() -> UUID:
    """A version 7 UUID (RFC 9562): 48 bits of milliseconds, then chance. Python has it from 3.14 on."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    return UUID(int=(value & ~(0xF << 76 | 0x3 << 62)) | 7 << 76 | 2 << 62)
