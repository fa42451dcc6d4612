"""The schema: its types, how its operations are read, and its text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    OperationDefinitionNode,
    build_schema,
    lexicographic_sort_schema,
    print_schema,
)
from strawberry.exceptions import MissingQueryError
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.execution import ExecutionContext, PreExecutionError

from resolvers.context import Context
from resolvers.errors import ErrorCode
from schema.documents import Reader, Unreadable, check_variables
from schema.errors import code_error, refuse
from schema.mutation import Mutation
from schema.paging import read
from schema.query import Query
from schema.scalars import SCALARS
from schema.subscription import Subscription
from schema.types import Activity, Contact, Deal, Organization

SDL = Path(__file__).with_name("schema.graphql")
"""The schema's text, committed: what changes there, clients will see."""


class Schema(strawberry.Schema):
    """Reads each document once, gives each operation loaders of its own, and codes all errors."""

    def __init__(self, *types: Any, **options: Any) -> None:
        super().__init__(*types, **options)
        self._reader = Reader(self._schema)

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: SchemaExtensionsRunner
    ) -> PreExecutionError | None:
        if isinstance(context.context, Context):
            context.context = replace(context.context, loaders={}, listings={}, reread=set())
        try:
            if context.query:
                context.graphql_document = self._reader.read(context.query)
                require_name(context.graphql_document, context._provided_operation_name)  # noqa: SLF001 # the public one fills in the first
                context.validation_rules = ()
            check_variables(context.variables)
            return await super()._prepare_operation_async(context, extensions_runner)
        except Unreadable as error:
            errors = list(error.errors)
        except GraphQLError as error:
            errors = [error]
        except CannotGetOperationTypeError as error:
            errors = [refuse(ErrorCode.BAD_INPUT, f"{error.as_http_error_reason().rstrip('.')}.")]
        except MissingQueryError:
            errors = [refuse(ErrorCode.BAD_INPUT, "There is no query.")]
        return PreExecutionError(data=None, errors=errors)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Every answer passes here, over HTTP, WebSocket and server-sent events alike."""
        name = execution_context.operation_name if execution_context else None
        errors[:] = [code_error(error, name) for error in errors]


def require_name(document: DocumentNode, name: str | None) -> None:
    """Of several operations, the request says which one it means; Strawberry would take the first."""
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) > 1 and name is None:
        raise refuse(ErrorCode.BAD_INPUT, "The document has several operations: name one in `operationName`.")


schema = Schema(
    Query,
    Mutation,
    Subscription,
    types=(Contact, Organization, Deal, Activity),
    config=StrawberryConfig(default_resolver=read, scalar_map=SCALARS),
)


def print_sdl() -> str:
    """The text that belongs into SDL, in an order that does not hang on the code's.

    From the text again: Strawberry's own sorting makes enums anew, without the classes of their values.
    """
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"


if __name__ == "__main__":
    SDL.write_text(print_sdl())
