"""What the documents say is what the code does."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from graphql import (
    GraphQLNamedType,
    GraphQLSchema,
    build_schema,
    is_enum_type,
    is_input_object_type,
    is_interface_type,
    is_introspection_type,
    is_object_type,
    is_specified_scalar_type,
    parse,
    validate,
)

from connectors.registry import CONNECTORS
from gateway import graphiql
from resolvers.errors import ConsentCode, ErrorCode, UserErrorCode
from schema.build import print_sdl
from tests.house import mapping, settings
from tests.house.sources import ROOT

README = (ROOT / "README.md").read_text()
SDL = (ROOT / "schema" / "schema.graphql").read_text()
QUERIES = re.findall(r"```graphql\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL)


def test_the_committed_schema_is_the_codes() -> None:
    assert print_sdl() == SDL, "run `make schema` and look at what has changed: clients will see it"


def test_everything_in_the_schema_has_a_description(schema: GraphQLSchema) -> None:
    assert list(find_undescribed(schema)) == []


def find_undescribed(schema: GraphQLSchema) -> Iterator[str]:
    for type_ in schema.type_map.values():
        if is_introspection_type(type_) or is_specified_scalar_type(type_):
            continue
        if not type_.description:
            yield type_.name
        for name, part in list_parts(type_):
            if not part.description:
                yield f"{type_.name}.{name}"
            for argument, given in getattr(part, "args", {}).items():
                if not given.description:
                    yield f"{type_.name}.{name}({argument})"


def list_parts(type_: GraphQLNamedType) -> Iterator[tuple[str, Any]]:
    if is_object_type(type_) or is_interface_type(type_) or is_input_object_type(type_):
        yield from type_.fields.items()
    elif is_enum_type(type_):
        yield from type_.values.items()


@pytest.mark.parametrize(
    "query", QUERIES, ids=lambda query: query.strip().splitlines()[-1 if "#" not in query else 0][:40]
)
def test_the_readmes_queries_are_valid(schema: GraphQLSchema, query: str) -> None:
    assert validate(schema, parse(query)) == []


def test_graphiqls_tabs_hold_the_readmes_queries() -> None:
    assert [tab["query"] for tab in graphiql.read_tabs()] == QUERIES[1:]


def test_graphiqls_lock_is_what_strawberrys_page_names() -> None:
    page = graphiql.read_strawberry()
    for asset in graphiql.list_assets():
        tag = re.search(rf'"{re.escape(graphiql.find_cdn())}/{asset.spec}/{asset.file}"\s+integrity="([^"]+)"', page)
        assert tag is not None
        assert tag[1] == asset.integrity


@pytest.mark.parametrize(
    ("heading", "codes"),
    [("errors\\[\\]", ErrorCode), ("userErrors\\[\\]", UserErrorCode), ("code` behind", ConsentCode)],
)
def test_every_code_is_listed(heading: str, codes: type[Enum]) -> None:
    section = re.split(rf"^## `{heading}.*$", (ROOT / "docs" / "errors.md").read_text(), flags=re.MULTILINE)[1]
    listed = re.findall(r"^\| `(\w+)` \|", section.split("\n## ")[0], re.MULTILINE)
    assert sorted(listed) == sorted(code.value for code in codes)


def test_the_settings_are_told_as_they_are() -> None:
    assert settings.EXAMPLE.read_text() == settings.render_example()
    assert settings.TABLE.read_text() == settings.render_table()


def test_the_mappings_are_told_as_they_are() -> None:
    assert mapping.PAGE.read_text() == mapping.render(), (
        "run `python -m tests.house.mapping` and look at what has changed"
    )


def test_what_is_made_by_the_readme_can_be_made() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)\b", README)) <= targets
    assert {"run", "test", "check", "schema", "bench", "soak", "audit"} <= targets


def test_the_readmes_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_each_connector_has_its_page() -> None:
    assert [crm.docs for crm in CONNECTORS.values() if not (ROOT / crm.docs).is_file()] == []


def test_a_decision_has_at_most_15_lines() -> None:
    sections = re.split(r"^## ", (ROOT / "docs" / "decisions.md").read_text(), flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections if len(section.strip().splitlines()) > 15] == []
