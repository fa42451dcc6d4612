"""JSON as CRMs send it, made fit to be stored: no NUL, no lone surrogate, no integer beyond 64 bits."""

import json
import math
import re
from typing import Any

import orjson

NUL = rb"\u0000"
LONG = re.compile(rb"(?:\A|[:,\[\s])-?[0-9]{19}")
"""An integer that may not fit, where a value can begin: keys of forty digits are common too."""
DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
LONG_RUN = b"0" * 19
"""Looked for in the body with all digits made 0: twenty times cheaper than the pattern."""
UNFIT = re.compile("[\x00\ud800-\udfff]")
LOWEST, HIGHEST = -(2**63), 2**64 - 1


def decode(body: bytes) -> Any:
    """A JSON document. Raises ValueError for what is none, such as a body that was cut."""
    if not is_suspect(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # either broken, or something that the slow way can mend
    return decode_exactly(body)


def is_suspect(body: bytes) -> bool:
    """Whether there is what orjson would let through: a NUL, or an integer that it turns into a float. Lone surrogates it
    refuses by itself."""
    return NUL in body or (LONG_RUN in body.translate(DIGITS) and LONG.search(body) is not None)


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
