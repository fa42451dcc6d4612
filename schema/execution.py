"""Carrying an operation out: within its time, and charged for what it costs."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import ExecutionResult, GraphQLError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.execution import ExecutionContext

from resolvers.budgets import Budgets, Limits
from resolvers.context import Context
from resolvers.errors import ErrorCode
from schema.cost import Part
from schema.errors import refuse
from schema.limits import too_complex

USUAL = Limits()


def find_limits(context: object) -> Limits:
    """Those that are set; without a caller, as for the commands, the usual ones."""
    return context.services.limits if isinstance(context, Context) else USUAL


# ---------------------------------------------------------------- time


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Ends what takes too long: a query, a mutation, one event of a subscription."""

    def execute_operation(self, serially: bool | None = None) -> Any:
        """As GraphQL's."""
        result = super().execute_operation(serially)
        return self._hurry(result) if self.is_awaitable(result) else result

    async def _hurry(self, work: Awaitable[Any]) -> Any:
        seconds = find_limits(self.context_value).seconds
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            self._stop()
            message = f"It took longer than {seconds:g} s and was ended: ask for less at a time."
            return ExecutionResult(None, [refuse(ErrorCode.TIMEOUT, message)])
        except asyncio.CancelledError:  # who asked has gone
            self._stop()
            raise

    def _stop(self) -> None:
        if isinstance(self.context_value, Context):
            self.context_value.stop()


# ---------------------------------------------------------------- cost


class Charge:
    """Of one operation to its caller: what it may cost is taken before, what it did not cost is given back."""

    def __init__(self, part: Part, variables: Mapping[str, Any] | None, context: Context) -> None:
        self.requested = max(1, part.reckon(variables or {}))
        self._part = part
        self._variables = variables or {}
        self._budgets: Budgets = context.services.budgets
        self._name = context.caller.name
        self._taken = 0

    def check(self, limit: int) -> None:
        """Refuses what costs too much for one operation."""
        if self.requested > limit:
            message = (
                f"This operation may cost {self.requested:,}, and {limit:,} is the most:"
                " ask for shorter pages (`first`), or for less of each record."
            )
            raise too_complex(message)

    def take(self) -> None:
        """Refuses what the caller has too little left for."""
        wait = self._budgets.take(self._name, self.requested)
        if wait:
            message = (
                f"This operation may cost {self.requested:,}, and {max(0, self._budgets.left(self._name)):,} is left:"
                f" try again in {wait} s."
            )
            raise refuse(ErrorCode.THROTTLED, message, retryAfter=wait)
        self._taken = self.requested

    def settle(self, data: Mapping[str, Any] | None, errors: list[GraphQLError] | None) -> dict[str, int]:
        """Accounts for an answer, of a subscription for each, and gives what its client is told."""
        actual = 0
        if data is not None:
            actual = max(1, self._part.count([data], self._variables, bool(errors)))
        elif any(error.path or is_timeout(error) for error in errors or ()):
            actual = self.requested  # it was carried out, and nothing tells how far
        self._budgets.spend(self._name, actual - self._taken)
        self._taken = 0
        return {
            "requested": self.requested,
            "actual": actual,
            "available": self._budgets.left(self._name),
            "limit": self._budgets.limit,
            "perSecond": self._budgets.per_second,
        }


def is_timeout(error: GraphQLError) -> bool:
    """Whether it tells that the time was over."""
    return (error.extensions or {}).get("code") == ErrorCode.TIMEOUT.value


@dataclass
class Execution(ExecutionContext):
    """Strawberry's, with what is charged for it."""

    charge: Charge | None = None
