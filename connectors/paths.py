"""Paths into JSON: `additional_data.next_cursor`."""

from collections.abc import Callable, Iterable
from functools import cache
from operator import methodcaller
from typing import Any


@cache
def compile_path(path: str) -> Callable[[Any], Any]:
    """A function that follows the path; None where it ends before."""
    first, *rest = path.split(".")
    if not rest:
        return methodcaller("get", first)

    def follow(value: Any) -> Any:
        for step in (first, *rest):
            if not isinstance(value, dict):
                return None
            value = value.get(step)
        return value

    return follow


def follow_path(value: Any, path: str) -> Any:
    """What is at the path; None where there is nothing, or the value is no object."""
    return compile_path(path)(value) if isinstance(value, dict) else None


def follow_first(value: Any, paths: Iterable[str]) -> Any:
    """What is at the first of the paths where there is anything."""
    return next((found for path in paths if (found := follow_path(value, path)) is not None), None)
