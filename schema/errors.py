"""What clients are told of errors: each has a code, and nothing of the inside of the gateway gets out."""

import logging
import secrets
from typing import Any

from graphql import GraphQLError

from resolvers.errors import BadInput, CrmFailed, CursorExpired, ErrorCode, Forbidden, Refused
from storage.listing import InvalidQuery, clean

logger = logging.getLogger(__name__)


def refuse(code: ErrorCode, message: str, **details: Any) -> GraphQLError:
    """An error about a request as a whole."""
    return GraphQLError(message, extensions={**details, "code": code.value})


def code_error(error: GraphQLError, operation: str | None) -> GraphQLError:
    """An error as clients may see it. What nobody foresaw is logged under an id, and the client gets the id only."""
    cause = find_cause(error)
    if cause is None:
        return error if "code" in (error.extensions or {}) else copy(error, error.message, ErrorCode.BAD_INPUT)
    match cause:
        case BadInput() | InvalidQuery() | CursorExpired():
            expired = isinstance(cause, CursorExpired)
            return copy(error, str(cause), ErrorCode.CURSOR_EXPIRED if expired else ErrorCode.BAD_INPUT)
        case Forbidden():
            return copy(error, cause.message, ErrorCode.FORBIDDEN, **cause.details)
        case CrmFailed():
            return copy(error, cause.message, cause.code, **cause.details)
        case Refused():
            return copy(error, cause.message, ErrorCode.BAD_INPUT, **(cause.details or {}))
    name = secrets.token_hex(8)
    path = ".".join(map(str, error.path or ()))
    logger.error("error %s in operation %s at %s", name, operation or "without a name", path or "-", exc_info=cause)
    message = f"Something went wrong here; the log has it under id {name}."
    return copy(error, message, ErrorCode.INTERNAL, id=name)


def find_cause(error: GraphQLError) -> Exception | None:
    """What was raised below GraphQL; None for what GraphQL itself has to say."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def hide_suggestion(error: GraphQLError) -> None:
    """Takes the names away that GraphQL thinks were meant, from which the schema could be guessed."""
    error.message = error.message.partition("Did you mean")[0].rstrip()


def copy(error: GraphQLError, message: str, code: ErrorCode, **details: Any) -> GraphQLError:
    """The error at its place, in these words."""
    return GraphQLError(
        clean(message),  # GraphQL repeats what it was given, a lone surrogate included
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**details, "code": code.value},
    )
