"""Who looks on while work is done: what metrics, traces and logs are made of. Looking takes microseconds and never fails."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(kw_only=True)
class Claim:
    """A worker's hold on a run, from where it takes it to where it leaves it."""

    workspace: UUID
    integration: UUID
    run: UUID
    crm: str
    kind: str
    waited: float | None
    """Seconds from the request to now; None where the run goes on, so that it was not kept waiting by us."""
    status: str | None = None
    """How the worker has left the run; None where it was taken from it."""


class Observer(Protocol):
    """Looks on."""

    def call(self, crm: str, status: int | None, seconds: float) -> None:
        """A CRM was called, and has answered with this status of HTTP, or not at all."""

    def push(self, crm: str, kind: str, status: str) -> None:
        """A push was tried, or looked at, and stands like this."""

    def claim(self, claim: Claim) -> AbstractContextManager[object]:
        """A worker has taken a run; at the end of the block it leaves it, and `claim` has how."""


class Nobody:
    """Does not look."""

    def call(self, crm: str, status: int | None, seconds: float) -> None:
        """Nothing."""

    def push(self, crm: str, kind: str, status: str) -> None:
        """Nothing."""

    def claim(self, claim: Claim) -> AbstractContextManager[object]:
        """Nothing."""
        del claim
        return nullcontext()
