"""JSON as CRMs send it, made fit to be stored: no NUL, no lone surrogate, no integer beyond 64 bits."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import orjson

NUL = rb"\u0000"
DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
LONG = b"0" * 19
"""Looked for in the body with all digits made 0: fifty times cheaper than a pattern."""
BEFORE, AFTER = b":,[ \t\r\n", b",]} \t\r\n"
"""What stands beside a number."""
UNFIT = re.compile("[\x00\ud800-\udfff]")
LOWEST, HIGHEST = -(2**63), 2**64 - 1


UNFIT_ESCAPE = re.compile(
    rb"\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})"
)
"""A NUL, or half a pair of surrogates; or a text that looks like it, behind a backslash that is escaped itself."""
QUOTE = re.compile(rb'\\[\s\S]|"')


def decode(body: bytes) -> Any:
    """A JSON document. Raises ValueError for what is none, such as a body that was cut.

    One record in a hundred has something that cannot be stored, so a page of 500 nearly always has: what is wrong is mended
    in the bytes, and the fast parser takes the rest.
    """
    try:
        return orjson.loads(mend(body) if is_suspect(body) else body)
    except orjson.JSONDecodeError:
        pass  # either broken, or something that can be mended
    try:
        return orjson.loads(mend(body))
    except orjson.JSONDecodeError:
        return decode_exactly(body)


def mend(body: bytes) -> bytes:
    """The document without NULs and lone surrogates, and with integers beyond 64 bits as strings."""
    return keep_integers(UNFIT_ESCAPE.sub(mend_escape, body))


def keep_integers(body: bytes) -> bytes:
    """The document with integers beyond 64 bits, of which the fast parser would make floats, as strings."""
    parts, end, quotes = [], 0, 0
    for start, stop in find_integers(body):
        quotes += count_quotes(body, end, start)
        fits = quotes % 2 == 1 or isinstance(read_integer(body[start:stop].decode()), int)  # odd: inside a string
        parts += [body[end:start], body[start:stop] if fits else b'"%b"' % body[start:stop]]
        end = stop
    return b"".join([*parts, body[end:]]) if parts else body


def find_integers(body: bytes) -> Iterator[tuple[int, int]]:
    """Where integers of 19 digits and more stand, or what looks like them inside a string."""
    zeros = body.translate(DIGITS)
    at = zeros.find(LONG)
    while at >= 0:
        stop = at + len(LONG)
        while zeros[stop : stop + 1] == b"0":
            stop += 1
        start = at - 1 if body[at - 1 : at] == b"-" else at
        if body[max(start - 1, 0) : start] in BEFORE and body[stop : stop + 1] in AFTER:
            yield start, stop
        at = zeros.find(LONG, stop)


def mend_escape(found: re.Match[bytes]) -> bytes:
    """Nothing for a NUL, U+FFFD for half a pair; what only looks like it, as it is."""
    body, first = found.string, found.start()
    while body[first - 1 : first] == b"\\":
        first -= 1
    if (found.start() - first) % 2:
        return found[0]
    return b"" if found[0] == rb"\u0000" else rb"\ufffd"


def count_quotes(body: bytes, start: int, end: int) -> int:
    """How often a string begins or ends there."""
    if body.find(b"\\\\", start, end) < 0:  # no backslash is escaped itself, so each one before a quote escapes it
        return body.count(b'"', start, end) - body.count(b'\\"', start, end)
    return sum(quote == b'"' for quote in QUOTE.findall(body, start, end))


def is_suspect(body: bytes) -> bool:
    """Whether there may be what orjson would let through: a NUL, or an integer that it turns into a float. Lone surrogates
    it refuses by itself."""
    return NUL in body or LONG in body.translate(DIGITS)


def decode_exactly(body: bytes) -> Any:
    """The slow way: NUL dropped, a lone surrogate U+FFFD, an integer beyond 64 bits or an infinite number a string."""
    text = body.decode("utf-8-sig", errors="replace")
    try:
        # strict=False takes bare control characters inside strings
        found = json.loads(
            text, strict=False, parse_int=read_integer, parse_float=read_number, parse_constant=lambda _: None
        )
        return clean(found)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_integer(digits: str) -> int | str:
    """An integer that fits in 64 bits, signed or not; else its digits."""
    if len(digits) < 19:
        return int(digits)
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if LOWEST <= number <= HIGHEST else digits


def read_number(digits: str) -> float | str:
    """A finite number; else its digits."""
    number = float(digits)
    return number if math.isfinite(number) else digits


def clean(value: Any) -> Any:
    """The value with all its texts, keys included, fit to be stored."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean_text(key): clean(item) for key, item in value.items()}
    return value


def clean_text(text: str) -> str:
    """Without NUL, and with U+FFFD in the place of each lone surrogate."""
    if UNFIT.search(text) is None:
        return text
    return UNFIT.sub(lambda found: "" if found[0] == "\x00" else "\ufffd", text)
