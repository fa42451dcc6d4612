"""Transforms of values: expressions of CEL over `value` and a few named functions, compiled once and bounded."""

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import Any

import orjson

from connectors.expressions import cel
from connectors.functions import FUNCTIONS, Wrong, call

LONGEST = 1_000
"""Characters of an expression."""
LARGEST = 100_000
"""Bytes of JSON that a text, or what is made of a value, may have."""
MOST_WORK = 4_000_000
"""Characters of the expression times bytes of the value: what an evaluation costs grows with both."""
LIST_COSTS = 10
"""How many times as large a list or a table counts as a text of that size, since it is that much more work."""
LONGEST_PATTERN = 100
"""Characters of a regular expression."""

BUILT_IN = frozenset({
    "contains", "startsWith", "endsWith", "matches", "int", "double", "string", "bool", "has",
    "timestamp", "getFullYear", "getMonth", "getDate", "getHours", "getMinutes",
})  # fmt: skip
"""CEL's own functions that may be called. None of its macros that go through a list: one within the other, they could take
years. Not its size(), which counts bytes where it says characters: length() is ours."""
CALLED = BUILT_IN | FUNCTIONS.keys()
OPERATORS = frozenset({
    "!_", "-_", "_+_", "_-_", "_*_", "_/_", "_%_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_",
    "_&&_", "_||_", "_?_:_", "_[_]", "@in",
})  # fmt: skip
WORDS = frozenset({"value", "true", "false", "null", "in"})

TOKEN = re.compile(
    r"""(?P<refused>//|`|\"{3}|'{3})
    |(?P<text>[rR]"[^"\r\n]*"|[rR]'[^'\r\n]*'|"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<sign>\S)""",
    re.VERBOSE | re.ASCII,
)
PATTERN = re.compile(r"""[rR](?P<quote>["'])(?P<raw>[^"']*)(?P=quote)|(?P<mark>["'])(?P<plain>[^"'\\]*)(?P=mark)""")
COUNTED = re.compile(r"\{\s*\d")
"""In a regular expression, a number of times: compiled, it is that many times as large."""

logging.getLogger("cel").setLevel(logging.CRITICAL + 1)  # it would write what functions of ours say into the log

Token = tuple[str, str]
"""(kind, text)"""


class BadTransform(Exception):  # noqa: N818 # it is told to a person
    """An expression that cannot be used: a sentence that says why."""


class Failed(Exception):  # noqa: N818 # it is told to a person
    """A transform makes nothing of one value: how that came, as the end of a sentence."""


REASONS: Mapping[type[Exception], str] = {
    ZeroDivisionError: "divides by zero",
    OverflowError: "makes a number that is too large",
    TypeError: "puts types together that do not fit: int(), double() and string() convert",
    LookupError: "looks for something that is not there",
}
OTHERWISE = "makes nothing of this value"


@dataclass(frozen=True)
class Transform:
    """An expression, compiled."""

    program: cel.Program
    length: int
    functions: tuple[str, ...]
    """Of ours, those that it calls."""
    told: list[str] = field(default_factory=list)
    """What one of them has said of its arguments."""

    def __call__(self, value: Any, region: str | None = None) -> Any:
        """What is made of a value that JSON can hold; it is JSON again. `region`: the ISO country of phone numbers without
        one. Of null nothing is made. Raises Failed."""
        if value is None:
            return None
        size = measure(value) * (LIST_COSTS if isinstance(value, list | dict) else 1)
        if size > LARGEST or size * self.length > MOST_WORK:
            raise Failed("gets a value that is too long for it")
        self.told.clear()
        try:
            made = self.program.execute({"value": value, **{name: self._bind(name, region) for name in self.functions}})
        except Exception as error:  # noqa: BLE001 # whatever it is, it is this value's
            reason = next((text for kind, text in REASONS.items() if isinstance(error, kind)), OTHERWISE)
            raise Failed(self.told[0] if self.told else reason) from None
        return check_result(made)

    def _bind(self, name: str, region: str | None) -> Callable[..., Any]:
        def bound(*arguments: Any) -> Any:
            try:
                return call(name, region, arguments)
            except Wrong as wrong:
                self.told.append(str(wrong))
                raise

        return bound


@lru_cache(maxsize=1_000)
def compile_transform(text: str) -> Transform:
    """The expression, ready to be called. Raises BadTransform for one that does not parse, or that could take long."""
    if not text.strip():
        raise BadTransform("The transform is empty: leave it out to copy the value.")
    if len(text) > LONGEST:
        raise BadTransform(f"The transform has {len(text):,} characters: {LONGEST:,} are allowed.")
    check_tokens([(found.lastgroup or "", found.group()) for found in TOKEN.finditer(text)])
    try:
        program = cel.compile(text)
    except Exception as error:  # noqa: BLE001 # the library says it with several
        raise BadTransform(f"The transform does not parse: {_explain(error)}.") from None
    strangers = {*program.variables()} - {"value"} | {*program.functions()} - CALLED - OPERATORS
    if strangers:
        raise BadTransform(f"The transform uses {', '.join(sorted(strangers))}, which it may not: {_offer()}.")
    return Transform(program, len(text), tuple(name for name in program.functions() if name in FUNCTIONS))


def check_tokens(tokens: list[Token]) -> None:
    """Raises BadTransform for a name that is not known, a macro among them, and for a regular expression that is not told
    beforehand."""
    ends = [*tokens, ("", ""), ("", ""), ("", "")]
    for number, (kind, text) in enumerate(tokens):
        before, after = ends[number - 1][1] if number else "", ends[number + 1][1]
        if kind == "refused":
            raise BadTransform("The transform has a comment, a back quote or a text in three quotes: leave it out.")
        if kind == "sign" and text in "'\"":
            raise BadTransform("The transform has a text without an end.")
        if kind != "name":
            continue
        if after == "(" and text not in CALLED:
            raise BadTransform(f"The transform calls {text}(), which it may not: {_offer()}.")
        if text == "matches":
            check_pattern(ends[number + 2], ends[number + 3])
        if after != "(" and before != "." and text not in WORDS:
            raise BadTransform(f"The transform names `{text}`: there is only `value`.")


def check_pattern(pattern: Token, end: Token) -> None:
    """Raises BadTransform for a regular expression that could take long: its time grows with its size."""
    found = PATTERN.fullmatch(pattern[1])
    if found is None or end[1] != ")":
        raise BadTransform("matches() takes one regular expression as it is: value.matches(r'[0-9]+').")
    told = found["raw"] if found["plain"] is None else found["plain"]
    if len(told) > LONGEST_PATTERN or COUNTED.search(told):
        message = (
            f"A regular expression has up to {LONGEST_PATTERN} characters, and nothing that is counted as in a{{3}}."
        )
        raise BadTransform(message)


def measure(value: Any) -> int:
    """Bytes of JSON. Raises Failed for what JSON does not hold."""
    try:
        return len(orjson.dumps(value))
    except TypeError:
        raise Failed("gets a value that it cannot take") from None


def check_result(made: Any) -> Any:
    """What a transform has made, as JSON has it. Raises Failed."""
    if isinstance(made, datetime):
        return made.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(made, float) and not isfinite(made):
        raise Failed("makes no number")
    try:
        size = len(orjson.dumps(made))
    except TypeError:
        raise Failed("makes what is neither text, number, truth value, date, list nor table of them") from None
    if size > LARGEST:
        raise Failed("makes a value that is too long")
    return made


def _offer() -> str:
    return f"there are {', '.join(sorted(CALLED))}, and `value`"


def _explain(error: Exception) -> str:
    """Where, and what was met: the first line of it, without what could have been there."""
    found = re.search(r"<input>:\d+:(\d+): (.*)", str(error))
    if found is None:
        return "it is no expression"
    return f"at character {found[1]}: {found[2].split(' expecting ')[0]}"
