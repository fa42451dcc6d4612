"""`@field("what it is")`: Strawberry's decorators, typed for mypy strict, with the description required."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from resolvers.context import Context

Info = strawberry.Info[Context, None]
E = TypeVar("E", bound=type[Enum])
T = TypeVar("T")


def field(
    description: str, *extensions: FieldExtension, **options: Any
) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field that a method resolves."""

    def decorate(resolver: Callable[..., Any]) -> StrawberryField:
        made: StrawberryField = strawberry.field(
            resolver, description=description, extensions=list(extensions), **options
        )
        return made

    return decorate


def given(argument: T | None) -> T | None:
    """An optional argument; absent is the same as null."""
    return None if argument is strawberry.UNSET else argument


def shown(description: str) -> Any:
    """A field that is an attribute of what the type wraps: no argument of the constructor."""
    made = strawberry.field(description=description)
    made.init = False
    return made


def stream(description: str) -> Callable[[Callable[..., Any]], Any]:
    """A subscription."""

    def decorate(resolver: Callable[..., Any]) -> Any:
        return strawberry.subscription(resolver, description=description)

    return decorate


def words(enum: E, name: str, description: str, values: Mapping[str, str]) -> E:
    """An enum that is declared elsewhere, with what each of its values means."""
    strawberry.enum(enum, name=name, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = values[value.name]
    return enum
