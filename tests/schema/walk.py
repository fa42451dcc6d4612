"""Operations made from a schema by introspection: one for each field of its roots and each way to fill its arguments."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse_value,
    value_from_ast_untyped,
)

DEPTH = 3
"""Objects within objects that are looked into."""


@dataclass(frozen=True)
class Operation:
    """The field of its root that it asks for; all is in `text`, for people; `query` with `variables` is the same, and as it
    is alike for all values of an argument, it is read once."""

    name: str
    text: str
    query: str
    variables: dict[str, Any]


@dataclass(frozen=True)
class Walk:
    """`values` has what is tried for a type of argument, or for an argument by its name; of an input also by its fields."""

    schema: GraphQLSchema
    values: Mapping[str, Sequence[str]]

    def operations(self, root: str) -> Iterator[Operation]:
        """All of `query`, `mutation` or `subscription`."""
        type_ = getattr(self.schema, f"{root}_type")
        for name, field in type_.fields.items():
            for arguments, depth in self.fill(field):
                kinds = {f"${each}": str(field.args[each].type) for each in arguments}
                names = {each: f"${each}" for each in arguments}
                values = {each: value_from_ast_untyped(parse_value(value)) for each, value in arguments.items()}
                for fields in self.shapes(field, depth, about(arguments)):
                    text = f"{root} {{ {name}{spell(arguments, '()')}{fields} }}"
                    query = f"{root}{spell(kinds, '()')} {{ {name}{spell(names, '()')}{fields} }}"
                    yield Operation(name, text, query, values)

    def shapes(self, field: GraphQLField, depth: int, about: str | None) -> list[str]:
        """What is asked of a field of a root: one selection, or of an interface one for each kind of it. Where the id is of
        something else, `about`, not so deep: there is nothing."""
        named = get_named_type(field.type)
        if not isinstance(named, GraphQLInterfaceType):
            is_other = about is not None and is_node(named) and about != named.name
            return [self.select(field.type, 1 if is_other else depth)]
        kinds = self.schema.get_possible_types(named)
        depths = {kind.name: depth - 1 if about in (None, kind.name) else 0 for kind in kinds}
        return [f" {{ __typename id ... on {kind.name}{self.select(kind, depths[kind.name])} }}" for kind in kinds]

    def fill(self, field: GraphQLField) -> Iterator[tuple[dict[str, str], int]]:
        """Arguments, and how deep to look: the required ones alone with each of their values; then each other one beside
        them, where only what comes first differs. Of a mutation's inputs, one shows all that it answers with."""
        required = {name: self.tries(name, arg.type) for name, arg in field.args.items() if is_required_argument(arg)}
        usual = {name: tries[0] for name, tries in required.items()}
        few = {"first": "2"} if "first" in field.args else {}
        is_known = False
        for combined in product(*required.values()):
            yield {**few, **dict(zip(required, combined, strict=True))}, 1 if is_known else DEPTH
            is_known = "input" in required
        for name, argument in field.args.items():
            if name not in required:
                for value in self.tries(name, argument.type):
                    yield {**usual, name: value}, 1

    def tries(self, name: str, type_: Any) -> list[str]:
        """Values of an argument or of a field of an input."""
        if isinstance(type_, GraphQLNonNull):
            return self.tries(name, type_.of_type)
        if isinstance(type_, GraphQLList):
            return [f"[{value}]" for value in self.tries(name, type_.of_type)]
        if name in self.values and is_leaf_type(type_):
            return list(self.values[name])
        if isinstance(type_, GraphQLInputObjectType):
            return list(self.inputs(type_))
        if isinstance(type_, GraphQLEnumType):
            return [*type_.values][:2]
        return list(self.values[type_.name])

    def inputs(self, type_: GraphQLInputObjectType) -> Iterator[str]:
        """Each of its fields beside the required ones; a field of its own type is left out."""
        required = {
            name: self.tries(name, field.type)
            for name, field in type_.fields.items()
            if isinstance(field.type, GraphQLNonNull)
        }
        for combined in product(*required.values()):
            yield spell(dict(zip(required, combined, strict=True)))
        usual = {name: tries[0] for name, tries in required.items()}
        for name, field in type_.fields.items():
            if name not in required and get_named_type(field.type) is not type_:
                for value in self.tries(name, field.type):
                    yield spell({**usual, name: value})

    def select(self, type_: Any, depth: int) -> str:
        """All fields of a type that need no argument but one we have, so many objects deep."""
        named = get_named_type(type_)
        if is_leaf_type(named):
            return ""
        if isinstance(named, GraphQLInterfaceType):
            return " { __typename id }"
        assert isinstance(named, GraphQLObjectType)
        within = depth if named.name.endswith(("Connection", "Edge", "Payload")) else depth - 1
        shown = [
            f"{name}{self.usual(field)}{self.select(field.type, within)}"
            for name, field in named.fields.items()
            if is_leaf_type(get_named_type(field.type)) or within > 0
        ]
        return f" {{ __typename {' '.join(shown)} }}"

    def usual(self, field: GraphQLField) -> str:
        """The arguments of a field within: what is required, and of a list its first."""
        given = {name: self.tries(name, arg.type)[0] for name, arg in field.args.items() if is_required_argument(arg)}
        if "first" in field.args:
            given["first"] = "2"
        return spell(given, "()")


def is_node(type_: Any) -> bool:
    """Whether there is one of it by an id."""
    return isinstance(type_, GraphQLObjectType) and "Node" in {each.name for each in type_.interfaces}


def about(arguments: Mapping[str, str]) -> str | None:
    """What the id among some arguments is of; None where there is none."""
    text = arguments.get("id", "").strip('"')
    return base64.b64decode(text).decode().partition(":")[0] if text else None


def spell(values: Mapping[str, str], brackets: str = "{}") -> str:
    """An input, or in other brackets the arguments of a field."""
    if not values and brackets == "()":
        return ""
    return f"{brackets[0]}{', '.join(f'{name}: {value}' for name, value in values.items())}{brackets[1]}"
