"""The faults an account can be told to have: which there are, what they take, what is left of them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_positive(value: Any) -> bool:
    return is_count(value) and value > 0


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def is_part(value: Any) -> bool:
    return is_amount(value) and value <= 1


def is_code(value: Any) -> bool:
    return is_count(value) and 400 <= value <= 599


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_names(value: Any) -> bool:
    return isinstance(value, list) and all(is_text(name) for name in value)


STATUS_PARTS: dict[str, Callable[[Any], bool]] = {"code": is_code, "times": is_count, "path": is_text}


def is_status(value: Any) -> bool:
    if not isinstance(value, dict):
        return is_code(value)
    return "code" in value and all(name in STATUS_PARTS and STATUS_PARTS[name](part) for name, part in value.items())


WINDOWS = {"BURST", "SEARCH", "DAY"}


def is_limits(value: Any) -> bool:
    if not isinstance(value, dict):
        return bool(value == "none")
    return set(value) <= WINDOWS and all(is_count(part) for part in value.values())


@dataclass(frozen=True)
class Fault:
    """`takes` says in words what `accepts` checks."""

    takes: str
    accepts: Callable[[Any], bool]


FAULTS = {
    "status": Fault('400 to 599, or {"code": 503, "times": 3, "path": "/api/v2/persons" or "/oauth/token"}', is_status),
    "latencyMs": Fault("milliseconds", is_amount),
    "limits": Fault('"none", or calls by window: {"BURST": 4, "SEARCH": 2, "DAY": 1000}', is_limits),
    "retryAfter": Fault("true or false: whether a 429 says when to come back; false at HubSpot, unless given", is_flag),
    "cutEvery": Fault("n: every n-th answer", is_positive),
    "refuseToken": Fault("true or false", is_flag),
    "expireTokensAfter": Fault("n: the API calls that each access token may make", is_count),
    "refuseRefresh": Fault("true or false", is_flag),
    "omitRefreshToken": Fault("true or false", is_flag),
    "rotateRefreshToken": Fault("true or false", is_flag),
    "withoutScopes": Fault('scopes that new access tokens lack: ["leads:full"]', is_names),
    "timeoutAfterCommit": Fault("the next n creates", is_count),
    "listEndsEarly": Fault("0 to 1: the part of a list that is shown", is_part),
    "emptyPage": Fault("n: the n-th page, whose rows a list in its default order shows nowhere else", is_positive),
    "dropFromLists": Fault("so many of 10,000 records", is_count),
    "lateCommits": Fault("so many records of each type", is_count),
    "editWhilePaging": Fault("so many records between two pages", is_count),
    "sameTime": Fault("so many records of each type", is_count),
    "purgeDeleted": Fault("true or false: deleted records are gone for good, as after the vendor's 30 days", is_flag),
    "searchLagSeconds": Fault("seconds", is_amount),
    "searchHidesMerges": Fault("true or false: searches do not show which records were merged (HubSpot)", is_flag),
    "keepPrimaryId": Fault("true or false: a merged record keeps the primary's id (HubSpot)", is_flag),
    "dailyQuota": Fault("calls left today", is_count),
}


class FaultError(Exception):
    """A name or a value that is not in the table; the message says which are."""


def check_faults(given: dict[str, Any]) -> None:
    for name, value in given.items():
        if name not in FAULTS:
            raise FaultError(f"unknown fault: {name}")
        if not FAULTS[name].accepts(value):
            raise FaultError(f"{name} takes {FAULTS[name].takes}")


@dataclass
class Faults:
    """The faults in force, and what they have done so far."""

    given: dict[str, Any] = field(default_factory=dict)
    answers: int = 0
    failed: int = 0
    silenced: int = 0
    served: int = 0
    pages: dict[str, int] = field(default_factory=dict)
    made: Counter[str] = field(default_factory=Counter)

    def get(self, name: str, default: Any = None) -> Any:
        return self.given.get(name, default)

    def status(self, path: str) -> int | None:
        """The status to answer with instead, if this call is to fail."""
        asked = self.get("status")
        if asked is None:
            return None
        if not isinstance(asked, dict):
            return int(asked)
        if not path.startswith(asked.get("path", "")) or self.failed >= asked.get("times", float("inf")):
            return None
        self.failed += 1
        return int(asked["code"])

    def named_status(self, path: str, below: str) -> int | None:
        """As `status`, where the fault names a path `below`, and only then."""
        asked = self.get("status")
        named = isinstance(asked, dict) and asked.get("path", "").startswith(below)
        return self.status(path) if named else None

    def wears_out(self, token: str) -> bool:
        """Whether this call, counted here, is one more than the access token may make."""
        most = self.get("expireTokensAfter")
        self.made[token] += 1
        return most is not None and self.made[token] > most

    def cuts(self) -> bool:
        """Whether this answer, counted here, is one to break off."""
        every = self.get("cutEvery")
        self.answers += 1
        return every is not None and self.answers % every == 0

    def silences(self) -> bool:
        """Whether this create, counted here, is one to leave without an answer."""
        if self.silenced >= self.get("timeoutAfterCommit", 0):
            return False
        self.silenced += 1
        return True

    def quota_left(self) -> int | None:
        quota = self.get("dailyQuota")
        return None if quota is None else max(0, quota - self.served)

    def empties(self, listing: str, *, first: bool, swallows: bool = False) -> bool:
        """Whether this page of a list is to be empty, where the place that is asked for does not number its page.

        A list in its default order swallows the rows of the page; any other shows them on the next one. An emptied first
        page of such a list is asked for again at the same place; the count then goes on instead of starting over.
        """
        emptied = self.get("emptyPage")
        page = self.pages.get(listing, 0)
        self.pages[listing] = 1 if first and (swallows or page != emptied) else page + 1
        return emptied is not None and self.pages[listing] == emptied
