"""The schema as a text: the committed file is the code's, and everything in it says what it is."""

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    is_specified_scalar_type,
)

from connectors.registry import CONNECTORS
from schema.build import SDL, print_sdl


def test_the_committed_schema_is_the_codes() -> None:
    assert SDL.read_text() == print_sdl(), "run `make schema`"


def describe(sdl: str) -> Iterator[tuple[str, str | None]]:
    """(coordinate, description) of everything that can have one."""
    for name, type_ in build_schema(sdl).type_map.items():
        if name.startswith("__") or is_specified_scalar_type(type_):
            continue
        yield name, type_.description
        if isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{value}", each.description) for value, each in type_.values.items())
        if isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{key}", each.description) for key, each in type_.fields.items())
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for key, each in type_.fields.items():
                yield f"{name}.{key}", each.description
                yield from ((f"{name}.{key}({arg}:)", one.description) for arg, one in each.args.items())


def test_everything_has_a_description() -> None:
    found = dict(describe(print_sdl()))
    assert len(found) > 700
    assert [at for at, text in found.items() if not text] == []


def test_a_description_is_a_sentence() -> None:
    found = {at: text or "" for at, text in describe(print_sdl()) if not at.startswith("Crm.")}
    assert [at for at, text in found.items() if not text.endswith((".", "…", "?"))] == []


def test_the_crms_are_those_that_there_is_a_connector_for() -> None:
    crm = build_schema(print_sdl()).type_map["Crm"]
    assert isinstance(crm, GraphQLEnumType)
    assert set(crm.values) == set(CONNECTORS)
