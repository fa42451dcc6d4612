"""Reading an operation's text: within limits, parsed and validated once."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    parse,
    specified_rules,
)
from graphql.language import Lexer
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.schema import validate_document

from resolvers.errors import ErrorCode
from schema.errors import refuse

LEVELS = 15
"""Of fields in fields."""

TOKENS = 15_000
NESTING = 60
"""Of brackets in brackets, in a document or in a variable: what reads them calls itself for each."""

REMEMBERED = 128
LONGEST_REMEMBERED = 8_000
"""Documents, and characters of one, that are kept as they were parsed."""

OPENING = (TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L)
CLOSING = (TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R)


class Unreadable(Exception):  # noqa: N818 # named by remedy, as resolvers.errors
    """The document cannot be executed: why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


class Reader:
    """Reads documents for a schema and remembers the last ones."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._remembered = lru_cache(REMEMBERED)(self._read)

    def read(self, text: str) -> DocumentNode:
        """A document that can be executed. Raises Unreadable."""
        return self._remembered(text) if len(text) <= LONGEST_REMEMBERED else self._read(text)

    def _read(self, text: str) -> DocumentNode:
        try:
            scan(text)
            document = parse(text)
            measure(document)
            errors = validate_document(self._schema, document, tuple(specified_rules))
        except GraphQLError as error:
            raise Unreadable([error]) from error
        except RecursionError as error:
            raise Unreadable([too_complex("The document is nested too deeply.")]) from error
        if errors and all(error.message.startswith("Maximum introspection depth") for error in errors):
            raise Unreadable([too_complex("An introspection has lists within lists, and may repeat few of them.")])
        if errors and all(isinstance(error, ValidationAbortedError) for error in errors):
            raise Unreadable([too_complex("The document takes too long to validate: repeat fewer fields.")])
        if errors:
            raise Unreadable(errors)
        return document


def too_complex(message: str) -> GraphQLError:
    """A request that asks for too much."""
    return refuse(ErrorCode.TOO_COMPLEX, message)


def scan(text: str) -> None:
    """Refuses what is too long or nested too deeply to be parsed."""
    if len(text) <= TOKENS and sum(map(text.count, "{[(")) <= NESTING:
        return
    lexer, depth, count = Lexer(Source(text)), 0, 0
    while (kind := lexer.advance().kind) is not TokenKind.EOF:
        count += 1
        depth += (kind in OPENING) - (kind in CLOSING)
        if count > TOKENS:
            raise too_complex(f"A document has {TOKENS} tokens at most.")
        if depth > NESTING:
            raise too_complex(f"A document has brackets within brackets {NESTING} deep at most.")


def measure(document: DocumentNode) -> None:
    """Refuses what asks for too many levels."""
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    level = [each.selection_set for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    depth = 0
    while level:
        depth += 1
        fields = list(expand(level, fragments))
        if depth > LEVELS and fields:
            raise too_complex(f"A query has fields within fields {LEVELS} levels deep at most.")
        level = [field.selection_set for field in fields if field.selection_set]


def expand(level: Iterable[SelectionSetNode], fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """The fields of a level, each once, those of fragments included; introspection has limits of its own."""
    waiting, seen = list(level), set[str]()
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                if not node.name.value.startswith("__"):
                    yield node
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments and node.name.value not in seen:
                seen.add(node.name.value)
                waiting.append(fragments[node.name.value].selection_set)


def check_variables(variables: Mapping[str, Any] | None) -> None:
    """Refuses variables that are nested too deeply to be read."""
    level: list[Any] = [variables]
    for _ in range(NESTING + 1):
        level = [inner for each in level if isinstance(each, dict | list) for inner in _inside(each)]
        if not level:
            return
    raise too_complex(f"A variable has lists and objects within one another {NESTING} deep at most.")


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value
