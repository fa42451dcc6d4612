"""`@field("what it is")`: Strawberry's decorators, typed for mypy strict, with the description required."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar

import strawberry
from strawberry.extensions import FieldExtension
from strawberry.types.field import StrawberryField

from resolvers.context import Context
from resolvers.errors import Forbidden
from storage.shapes import Role

Info = strawberry.Info[Context, None]
E = TypeVar("E", bound=type[Enum])
T = TypeVar("T")


class Needs(FieldExtension):
    """Lets only callers through whose role includes this one."""

    def __init__(self, role: Role) -> None:
        self.role = role

    def check(self, info: Info) -> None:
        """Raises Forbidden."""
        own = info.context.caller.role
        if not own.includes(self.role):
            message = f"{info.field_name} needs the role {self.role.value}, and yours is {own.value}."
            raise Forbidden(message, {"requiredRole": self.role.value})

    def resolve(self, next_: Callable[..., Any], source: Any, info: Info, **kwargs: Any) -> Any:
        """Of a field that needs no waiting."""
        self.check(info)
        return next_(source, info, **kwargs)

    async def resolve_async(self, next_: Callable[..., Any], source: Any, info: Info, **kwargs: Any) -> Any:
        """Of the others."""
        self.check(info)
        return await next_(source, info, **kwargs)


def field(
    description: str,
    *extensions: FieldExtension,
    role: Role = Role.VIEWER,
    cost: int | Mapping[str, int] | None = None,
    size: int | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field that a method resolves: who may ask for it, and what that costs where it is more than usual (schema.cost).

    `cost` is one for all, or one for each argument that is given. `size` is how many objects a list is taken to have, a page
    where none is said.
    """

    def decorate(resolver: Callable[..., Any]) -> StrawberryField:
        guards = [] if role is Role.VIEWER else [Needs(role)]
        made: StrawberryField = strawberry.field(
            resolver,
            description=description,
            extensions=[*guards, *extensions],
            metadata={"role": role, "cost": cost, "size": size},
            **options,
        )
        return made

    return decorate


def mutation(
    description: str, *, role: Role, cost: int | None = None
) -> Callable[[Callable[..., Any]], StrawberryField]:
    """A field of Mutation: it says who may do it."""
    return field(description, role=role, cost=cost)


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
