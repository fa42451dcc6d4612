"""The fingerprint of a source: one half of the record as it came, one of what was mapped of it."""

from hashlib import blake2b
from typing import Any

import orjson

HALF = 16
"""Bytes."""


def write(value: Any) -> bytes:
    """JSON, keys in order; copied, since orjson gives it in a buffer of several times its size."""
    return bytes(memoryview(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)))


def digest(payload: bytes, refs: bytes, values: bytes) -> bytes:
    """Of the three as `write` gives them: a changed mapping, or a renamed field, is a change too."""
    return _half(payload, refs) + _half(values)


def renew_digest(old: bytes, values: bytes) -> bytes:
    """Of the same record, mapped anew. One of an older form stays as it is: the next page writes the record again."""
    return old[:HALF] + _half(values) if len(old) == 2 * HALF else old


def _half(*parts: bytes) -> bytes:
    return blake2b(b"\0".join(parts), digest_size=HALF).digest()
