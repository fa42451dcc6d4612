"""Reading an operation's text: within limits, parsed, validated and compiled once."""

from functools import lru_cache
from typing import Final

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from resolvers.budgets import Limits
from schema.cost import Part, compile_cost
from schema.limits import measure, refuse_introspection, scan, too_complex

REMEMBERED: Final = 128
LONGEST_REMEMBERED: Final = 8_000
"""Documents, and characters of one, that are kept as they were parsed."""

ERRORS: Final = 5
"""That are told of one document; GraphQL adds that there are more."""

RULES: Final = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


class Unreadable(Exception):  # noqa: N818 # named by remedy, as resolvers.errors
    """The document cannot be executed: why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


class Document:
    """One that can be executed."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode) -> None:
        self.node = node
        operations = (each for each in node.definitions if isinstance(each, OperationDefinitionNode))
        self.operations = {each.name.value if each.name else None: each for each in operations}
        """By name; None where the only one has none."""
        self._schema = schema
        self._costs: dict[str | None, Part] = {}

    def find_cost(self, name: str | None) -> Part:
        """Of the operation of that name, which is there. Raises a GraphQLError."""
        if name not in self._costs:
            self._costs[name] = compile_cost(self._schema, self.node, self.operations[name])
        return self._costs[name]


class Reader:
    """Reads documents for a schema and remembers the last ones."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._remembered = lru_cache(REMEMBERED)(self._read)

    def read(self, text: str, limits: Limits) -> Document:
        """A document that can be executed. Raises Unreadable."""
        read = self._remembered if len(text) <= LONGEST_REMEMBERED else self._read
        return read(text, limits.depth, limits.introspection)

    def _read(self, text: str, depth: int, introspection: bool) -> Document:
        try:
            scan(text)
            document = parse(text)
            measure(document, depth)
            if not introspection:
                refuse_introspection(document)
            errors = validate(self._schema, document, RULES, ERRORS, hide_suggestions=not introspection)
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
        return Document(self._schema, document)
