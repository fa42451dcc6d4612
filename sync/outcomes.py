"""What can become of a push, and who says it: the seam between the outbox and what writes to a CRM."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.errors import Ambiguous, Conflict, CrmError, QuotaExhausted, Reauthorize, Retryable
from storage.outbound import Push
from storage.tables import Integration

Store: TypeAlias = Callable[[AsyncSession], Awaitable[None]]
"""Writes what goes with the outcome, in its transaction: all of it or nothing."""


@dataclass(frozen=True, kw_only=True)
class Committed:
    """It is in the CRM."""

    external_type: str | None = None
    external_id: str | None = None
    note: str | None = None
    """What had to be left out, in a sentence."""
    store: Store | None = None


@dataclass(frozen=True)
class Skipped:
    """There is nothing to be written any more."""

    reason: str
    store: Store | None = None


@dataclass(frozen=True)
class Retry:
    """Nothing was written, and another try may succeed, after so many seconds at least."""

    message: str
    after: float | None = None
    is_down: bool = True
    """It is the CRM that does not answer, whatever it is asked; else it is about this record."""


@dataclass(frozen=True)
class Refused:
    """It will never be taken as it is."""

    message: str


@dataclass(frozen=True)
class Unknown:
    """It may have been written. It is looked at again after so many seconds, else with the hourly retries; what the CRM's
    next sync shows counts as well."""

    message: str
    after: float | None = None
    is_down: bool = False
    """The CRM has broken off in the middle, as it does when it is down."""


@dataclass(frozen=True)
class Later:
    """Nothing was tried, and nothing of the integration can be before then; None: before a person has acted, or soon."""

    message: str
    until: datetime | None = None
    needs_consent: bool = False


Outcome: TypeAlias = Committed | Skipped | Retry | Refused | Unknown | Later

Handler: TypeAlias = Callable[[Integration, Sequence[Push]], Awaitable[Mapping[UUID, Outcome]]]
"""Writes pushes of one integration to its CRM: several edits of one type of record, else one. It goes on behind what their
`progress` says, keeps there what it has done (`storage.pushes.keep`), and gives an outcome for each."""


def judge(error: CrmError) -> Outcome:
    """What an error of a CRM means for a push of which nothing was written before."""
    match error:
        case Ambiguous():
            return Unknown(error.message, is_down=True)
        case QuotaExhausted():
            return Later(error.message, error.until)
        case Reauthorize():
            return Later(error.message, needs_consent=True)
        case Retryable():
            return Retry(error.message, error.after)
        case Conflict():
            return Retry(error.message, is_down=False)
        case _:
            return Refused(error.message)
