"""What a caller is told: the codes of the contract, and the exceptions that carry them."""

# ruff: noqa: N818 # named by remedy, as connectors.errors

from collections.abc import Mapping, Sequence
from enum import Enum
from math import ceil
from typing import Any

from connectors.errors import (
    Ambiguous,
    Conflict,
    CrmError,
    Missing,
    QuotaExhausted,
    Reauthorize,
    Rejected,
    Retryable,
    Unsupported,
    Unwritable,
)


class ErrorCode(Enum):
    """`errors[].extensions.code`: what the request as a whole, or one field of it, ran into."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_INPUT = "BAD_INPUT"
    TOO_COMPLEX = "TOO_COMPLEX"
    THROTTLED = "THROTTLED"
    TIMEOUT = "TIMEOUT"
    CRM_UNAVAILABLE = "CRM_UNAVAILABLE"
    CRM_QUOTA = "CRM_QUOTA"
    CRM_REAUTHORIZE = "CRM_REAUTHORIZE"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    INTERNAL = "INTERNAL"


class UserErrorCode(Enum):
    """`userErrors[].code`: what the user of a mutation can put right."""

    NOT_FOUND = "NOT_FOUND"
    BAD_INPUT = "BAD_INPUT"
    CREDENTIAL_REQUIRED = "CREDENTIAL_REQUIRED"
    CREDENTIAL_REFUSED = "CREDENTIAL_REFUSED"
    CRM_UNAVAILABLE = "CRM_UNAVAILABLE"
    CRM_QUOTA = "CRM_QUOTA"
    NOT_CONFIGURED = "NOT_CONFIGURED"
    ACCOUNT_MISMATCH = "ACCOUNT_MISMATCH"
    NOT_ACTIVE = "NOT_ACTIVE"
    ALREADY_ENDED = "ALREADY_ENDED"
    RUN_UNDER_WAY = "RUN_UNDER_WAY"
    ALREADY_MEMBER = "ALREADY_MEMBER"
    PLAN_INSUFFICIENT = "PLAN_INSUFFICIENT"


class ConsentCode(Enum):
    """`code`, as `returnTo` gets it: why a consent has come to nothing."""

    STATE_INVALID = "STATE_INVALID"
    ACCOUNT_MISMATCH = "ACCOUNT_MISMATCH"
    CREDENTIAL_REFUSED = "CREDENTIAL_REFUSED"
    CRM_UNAVAILABLE = "CRM_UNAVAILABLE"
    CRM_QUOTA = "CRM_QUOTA"
    PLAN_INSUFFICIENT = "PLAN_INSUFFICIENT"
    INTERNAL = "INTERNAL"


class BadInput(Exception):
    """An argument that can mean nothing: a sentence that says what would."""


class CursorExpired(Exception):
    """What comes after the cursor is kept no more, so that going on there would miss something."""


class Unauthenticated(Exception):
    """No credential, or none that counts: a sentence that says what would. It never says which part of it was right."""


class Forbidden(Exception):
    """The caller is known, and may not do this: a sentence that says who may."""

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class CrmFailed(Exception):
    """A CRM did not give what a field asked for: the field is null, the rest of the answer stands."""

    def __init__(self, code: ErrorCode, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details or {})


class Refused(Exception):
    """A mutation that cannot be done, and what the user can put right: becomes an entry of `userErrors`."""

    def __init__(
        self,
        code: UserErrorCode,
        message: str,
        field: Sequence[str] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = tuple(field)
        self.details = dict(details) if details else None


class Unknown(Refused):
    """The id is of nothing that this caller can see."""

    def __init__(self, what: str, field: str) -> None:
        super().__init__(UserErrorCode.NOT_FOUND, f"There is no such {what}.", (field,))


CODES: Mapping[type[CrmError], tuple[ErrorCode, UserErrorCode]] = {
    QuotaExhausted: (ErrorCode.CRM_QUOTA, UserErrorCode.CRM_QUOTA),
    Reauthorize: (ErrorCode.CRM_REAUTHORIZE, UserErrorCode.CREDENTIAL_REFUSED),
    Unsupported: (ErrorCode.CRM_REAUTHORIZE, UserErrorCode.CREDENTIAL_REFUSED),
    Retryable: (ErrorCode.CRM_UNAVAILABLE, UserErrorCode.CRM_UNAVAILABLE),
    Missing: (ErrorCode.CRM_UNAVAILABLE, UserErrorCode.CRM_UNAVAILABLE),
    Rejected: (ErrorCode.CRM_UNAVAILABLE, UserErrorCode.CRM_UNAVAILABLE),
    Unwritable: (ErrorCode.CRM_UNAVAILABLE, UserErrorCode.BAD_INPUT),
    Ambiguous: (ErrorCode.CRM_UNAVAILABLE, UserErrorCode.CRM_UNAVAILABLE),
    Conflict: (ErrorCode.CRM_UNAVAILABLE, UserErrorCode.CRM_UNAVAILABLE),
}
"""The remedy of a CRM's error -> the code of a field, the code of a mutation."""


def describe(error: CrmError) -> dict[str, Any]:
    """What a client can act on: when to come again."""
    if isinstance(error, QuotaExhausted):
        return {"resumesAt": error.until.isoformat().replace("+00:00", "Z")}
    if isinstance(error, Retryable) and error.after is not None:
        return {"retryAfter": ceil(error.after)}
    return {}


def failed(error: CrmError) -> CrmFailed:
    """A CRM's error as the error of a field."""
    return CrmFailed(CODES[type(error)][0], error.message, describe(error))


def refused(error: CrmError, field: Sequence[str]) -> Refused:
    """A CRM's error as what a mutation tells its user."""
    return Refused(CODES[type(error)][1], error.message, field, describe(error))
