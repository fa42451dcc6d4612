"""JSON that is made fit to be stored, and otherwise left exactly as it came."""

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.hygiene import decode


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": "x\\u0000y"}', {"a": "xy"}),
        (b'{"a\\u0000": 1}', {"a": 1}),
        (b'["a\\ud800b"]', ["a\ufffdb"]),
        (b'["a\\udc00\\ud83db"]', ["a\ufffd\ufffdb"]),
        (b'["\\ud83d\\ude00 \\u0000"]', ["\U0001f600 "]),
        (b"[9223372036854775807, -9223372036854775808]", [9223372036854775807, -9223372036854775808]),
        (b"[18446744073709551615]", [18446744073709551615]),
        (b"[18446744073709551616]", ["18446744073709551616"]),
        (b"[-9223372036854775809]", ["-9223372036854775809"]),
        (b"1180591620717411303425", "1180591620717411303425"),
        (b'{"id":-123456789012345678901234567890}', {"id": "-123456789012345678901234567890"}),
        (b'["12345678901234567890123"]', ["12345678901234567890123"]),
        (b'{"1234567890123456789012345678901234567890": 1.5}', {"1234567890123456789012345678901234567890": 1.5}),
        (b"[1.10, 1e5, 1e400]", [1.1, 100000.0, "1e400"]),
        (b'["line\nbreak"]', ["line\nbreak"]),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'["\xed\xa0\x80"]', ["\ufffd\ufffd\ufffd"]),
        (b"[NaN]", [None]),
        (b'["\\\\u0000"]', ["\\u0000"]),
    ],
)
def test_decode_leaves_nothing_that_cannot_be_stored(body: bytes, expected: Any) -> None:
    assert decode(body) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": [{"id": 1}, {"na', b"[" * 100_000, b'{"a": 1} x'])
def test_decode_refuses_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # each parser has its own words
        decode(body)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_decoded_can_always_be_encoded_without_nul(value: Any) -> None:
    found = decode(json.dumps(value).encode())

    body = orjson.dumps(found)

    assert b"\\u0000" not in body
    assert orjson.loads(body) == found


@given(st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_that_fit_are_exact(number: float) -> None:
    found = decode(json.dumps({"value": number}).encode())["value"]

    assert found == number
    assert type(found) is type(number)


SURROGATE = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")


def fit(value: Any) -> Any:
    """What must come of a value that was escaped to ASCII."""
    if isinstance(value, str):
        paired = SURROGATE.sub(lambda found: found[0] if len(found[0]) == 2 else "\ufffd", value)
        return paired.encode("utf-16", "surrogatepass").decode("utf-16").replace("\x00", "")
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, list):
        return [fit(item) for item in value]
    return {fit(key): fit(item) for key, item in value.items()}


MESSY = st.text(st.sampled_from('a"\\\x00\ud83d\ude00\n12345678901234567890:,[] u0'), max_size=40)
LONG = st.integers(-(10**25), 10**25)


@given(st.dictionaries(MESSY, st.lists(MESSY | LONG, max_size=4) | MESSY | LONG, max_size=5))
def test_only_what_is_unfit_is_changed(value: dict[str, Any]) -> None:
    assert decode(json.dumps(value).encode()) == fit(value)
    assert decode(json.dumps(value, indent=1).encode()) == fit(value)
    assert decode(json.dumps(value, separators=(",", ":")).encode()) == fit(value)
