"""What can go wrong with a CRM, named by what the caller can do about it."""
# ruff: noqa: N818 # named by remedy

from collections.abc import Mapping
from datetime import datetime
from typing import TypedDict, Unpack


class Where(TypedDict, total=False):
    """Where it went wrong, for the log and for the vendor's support."""

    crm: str
    integration: str
    request_id: str
    status: int | None


class CrmError(Exception):
    """The root. `message` is a sentence for a person; it never holds a token or a body."""

    def __init__(self, message: str, **where: Unpack[Where]) -> None:
        super().__init__(message)
        self.message = message
        self.crm = where.get("crm", "")
        self.integration = where.get("integration", "")
        self.request_id = where.get("request_id", "")
        self.status = where.get("status")


class Retryable(CrmError):
    """The CRM did not answer, or asked to come again: try again after so many seconds."""

    def __init__(self, message: str, *, after: float | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.after = after


class Reauthorize(CrmError):
    """The credential is refused: a person has to consent, or to give a token, anew."""


class Rejected(CrmError):
    """The CRM will never take this request: what it says of each field."""

    def __init__(self, message: str, *, fields: Mapping[str, str] | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.fields = dict(fields or {})


class Unwritable(Rejected):
    """A value that this CRM has no place for: nothing was sent. `column` is the unified record's."""

    def __init__(self, field: str, message: str, *, column: str = "", **where: Unpack[Where]) -> None:
        super().__init__(message, fields={field: message}, **where)
        self.field = field
        self.column = column


class Ambiguous(CrmError):
    """Nobody knows whether the CRM has done it: no whole answer came. Look for it there before it is sent again."""


class Missing(CrmError):
    """There is no such record, or it cannot be seen."""


class Conflict(CrmError):
    """Somebody else changed it in the meantime, or has what can be there only once: `existing` is the id of that record."""

    def __init__(self, message: str, *, existing: str | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.existing = existing


class Unsupported(CrmError):
    """The account has not got that: a feature, a scope, a permission."""


class QuotaExhausted(CrmError):
    """The account's quota is used up until then."""

    def __init__(self, message: str, *, until: datetime, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.until = until


class Unmappable(Exception):
    """One record, or one field of it, is not what the CRM's documents say. It is told, and the run goes on."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
