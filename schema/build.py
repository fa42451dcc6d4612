"""The schema: its types, how its operations are read, and its text."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import strawberry
from graphql import GraphQLError, build_schema, lexicographic_sort_schema, print_schema
from strawberry.exceptions import MissingQueryError
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from resolvers.context import Context
from resolvers.errors import ErrorCode
from schema.documents import Document, Reader, Unreadable
from schema.errors import code_error, hide_suggestion, refuse
from schema.execution import Charge, Execution, Executor, find_limits
from schema.limits import check_variables
from schema.mutation import Mutation
from schema.paging import read
from schema.query import Query
from schema.scalars import SCALARS
from schema.subscription import Subscription
from schema.types import Activity, Contact, Deal, Organization

SDL = Path(__file__).with_name("schema.graphql")
"""The schema's text, committed: what changes there, clients will see."""


class Schema(strawberry.Schema):
    """Reads each document once, gives each operation loaders of its own, holds it to its limits, and codes all errors."""

    def __init__(self, *types: Any, **options: Any) -> None:
        super().__init__(*types, **{"execution_context_class": Executor, **options})
        self._reader = Reader(self._schema)

    def _create_execution_context(
        self,
        query: str | None,
        allowed_operation_types: Iterable[OperationType],
        variable_values: dict[str, Any] | None = None,
        context_value: Any = None,
        root_value: Any = None,
        operation_name: str | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> Execution:
        return Execution(
            query=query,
            schema=self,
            allowed_operations=allowed_operation_types,
            context=context_value,
            root_value=root_value,
            variables=variable_values,
            provided_operation_name=operation_name,
            operation_extensions=operation_extensions,
        )

    async def _prepare_operation_async(
        self, context: ExecutionContext, extensions_runner: SchemaExtensionsRunner
    ) -> PreExecutionError | None:
        if isinstance(context.context, Context):
            context.context = replace(context.context, loaders={}, listings={}, reread=set())
        document = None
        try:
            if context.query:
                document = self._reader.read(context.query, find_limits(context.context))
                context.graphql_document = document.node
                require_name(document, context._provided_operation_name)  # noqa: SLF001 # the public one fills in the first
                note(document, context)
                context.validation_rules = ()
            check_variables(context.variables)
            refused = await super()._prepare_operation_async(context, extensions_runner)
            if document and not refused:
                charge(document, context)
            return refused
        except Unreadable as error:
            errors = list(error.errors)
        except GraphQLError as error:
            errors = [error]
        except CannotGetOperationTypeError as error:
            errors = [refuse(ErrorCode.BAD_INPUT, f"{error.as_http_error_reason().rstrip('.')}.")]
        except MissingQueryError:
            errors = [refuse(ErrorCode.BAD_INPUT, "There is no query.")]
        return PreExecutionError(data=None, errors=errors)

    async def _handle_execution_result(
        self,
        context: ExecutionContext,
        result: Any,
        extensions_runner: SchemaExtensionsRunner,
        *,
        skip_process_errors: bool = False,
    ) -> ExecutionResult:
        """Every answer passes here, of a subscription each."""
        if isinstance(context, Execution) and context.charge:
            context.extensions_results["cost"] = context.charge.settle(result.data, result.errors)
        return await super()._handle_execution_result(
            context, result, extensions_runner, skip_process_errors=skip_process_errors
        )

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """All errors pass here, over HTTP, WebSocket and server-sent events alike."""
        name = execution_context.operation_name if execution_context else None
        errors[:] = [code_error(error, name) for error in errors]
        if execution_context and not find_limits(execution_context.context).introspection:
            for error in errors:
                hide_suggestion(error)


def charge(document: Document, context: ExecutionContext) -> None:
    """Takes what the operation may cost from its caller's budget. Raises a GraphQLError where that cannot be."""
    if isinstance(context, Execution) and isinstance(context.context, Context):
        made = Charge(document.find_cost(context.operation_name), context.variables, context.context)
        made.check(find_limits(context.context).cost)
        context.charge = made
        made.take()


def note(document: Document, context: ExecutionContext) -> None:
    """Lets who looks on know what the operation is; of one that is not in the document, only how it was called."""
    if isinstance(context.context, Context):
        operation = context.context.operation
        operation.name = context.operation_name
        if found := document.operations.get(operation.name):
            operation.kind = found.operation.value


def require_name(document: Document, name: str | None) -> None:
    """Of several operations, the request says which one it means; Strawberry would take the first."""
    if len(document.operations) > 1 and name is None:
        raise refuse(ErrorCode.BAD_INPUT, "The document has several operations: name one in `operationName`.")


S = TypeVar("S", bound=strawberry.Schema)


def make_schema(class_: type[S]) -> S:
    """Of these types."""
    return class_(
        Query,
        Mutation,
        Subscription,
        types=(Contact, Organization, Deal, Activity),
        config=StrawberryConfig(default_resolver=read, scalar_map=SCALARS),
    )


schema = make_schema(Schema)


def print_sdl() -> str:
    """The text that belongs into SDL, in an order that does not hang on the code's.

    From the text again: Strawberry's own sorting makes enums anew, without the classes of their values.
    """
    return print_schema(lexicographic_sort_schema(build_schema(schema.as_str()))) + "\n"


if __name__ == "__main__":
    SDL.write_text(print_sdl())
