"""When a call may be sent: the ledger of an account's limits, and how long to wait after a failure."""

import random
import time
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeAlias

from connectors.declaration import Limit
from storage.shapes import BudgetWindow

MARGIN = 1.015
"""Of a rolling window: what the way to the CRM may stretch or shrink the time between two calls."""
SPREAD = 0.9
"""Of an even distance between calls: a little closer, so that one that was late does not hold up all that follow."""
AHEAD = 0.5
"""Seconds: a place further ahead is not held, for it would rest on calls whose true times are not known yet."""
YIELDING = 0.1
"""Seconds, of calls that let others go first: these find the places that come next free."""
SLACK = 1.25
"""Of a rolling window: how far back a call of ours may explain that the CRM has counted one."""
DEAREST = 100
"""What no call costs more than: a daily budget with less left may be in the way of one."""

Told: TypeAlias = Mapping[BudgetWindow, tuple[int | None, int | None]]
"""What headers say of each window: (limit, remaining)."""


class Reservation(Protocol):
    """The right to send one call."""

    @property
    def wait_seconds(self) -> float:
        """Until the call may be sent."""

    @property
    def until(self) -> datetime | None:
        """Not before then: the budget is used up, and nothing was reserved."""

    @property
    def taken(self) -> bool:
        """False: nothing was reserved; the place is too far ahead, so come again shortly before it is due."""

    @property
    def quiet(self) -> bool:
        """No other call of ours is within the rolling windows before it."""


class Budget(Protocol):
    """What is left of one limit."""

    @property
    def window(self) -> BudgetWindow:
        """Which limit."""

    @property
    def window_seconds(self) -> int | None:
        """How long the window is."""

    @property
    def limit(self) -> int | None:
        """Calls, or the vendor's tokens; None where it is not known."""

    @property
    def remaining(self) -> int | None:
        """What is left now."""

    @property
    def resets_at(self) -> datetime | None:
        """When there is all, or something, again."""


class Ledger(Protocol):
    """What has been spent of each account's limits, shared by all who call that account."""

    async def reserve(
        self,
        crm: str,
        account: str,
        limits: Sequence[Limit],
        cost: int,
        *,
        search: bool = False,
        midnight: datetime | None = None,
        yields: bool = False,
    ) -> Reservation:
        """Take the next free place for a call that costs so much of the daily budget, which is for the time until midnight:
        the account's, or UTC's where that is not known. `yields`: others go first."""

    async def settle(
        self,
        reservation: Reservation,
        *,
        late: float = 0,
        told: Told | None = None,
        blocked: float | None = None,
        exhausted: float | None = None,
    ) -> None:
        """Correct what was reserved by what happened.

        `late`: seconds between the place reserved and the sending. `blocked`: nobody may call for so many seconds.
        `exhausted`: the daily budget is used up for so many seconds; 0 means until it resets.
        """

    async def adopt(
        self, crm: str, key: str, account: str, limits: Sequence[Limit], midnight: datetime | None = None
    ) -> None:
        """Count what was reserved under a key as the account's, once the account is known, and when its day ends."""

    async def release(self, crm: str, account: str, limits: Sequence[Limit]) -> None:
        """Let calls go although the daily budget is used up, as far as we know: a person asks for one, and the CRM's answer
        tells how it stands."""

    async def read(self, crm: str, account: str, limits: Sequence[Limit]) -> Sequence[Budget]:
        """What is left of each limit."""


def backoff(attempt: int, *, told: float | None = None) -> float:
    """Seconds before the next try: told or 0.5, 1, 2, 4 with jitter, so that callers do not come back together."""
    if told is not None:
        return told + random.uniform(0, 0.1 * min(told, 10) + 0.05)  # noqa: S311 # spreads load
    return min(30.0, 0.5 * 2.0**attempt) * random.uniform(0.5, 1.0)  # noqa: S311 # spreads load


def come_again(wait: float, *, yields: bool = False) -> float:
    """Seconds after which to ask anew for a place that is `wait` ahead: before it is due, but not all callers at once."""
    ahead = YIELDING if yields else AHEAD
    return max(0.0, wait - ahead) + random.uniform(0, ahead / 2)  # noqa: S311 # spreads load


# ---------------------------------------------------------------- without a database


@dataclass
class _Window:
    """One limit of one account."""

    limit: int | None = None
    used: int = 0
    calls: list[float] = field(default_factory=list)
    resets_at: float = 0
    blocked_until: float = 0


@dataclass(frozen=True, kw_only=True)
class _Slot:
    """A place in the windows of an account."""

    crm: str
    account: str
    limits: tuple[Limit, ...]
    at: float
    wait_seconds: float
    until: datetime | None
    taken: bool
    quiet: bool
    used: Mapping[BudgetWindow, int]


@dataclass(frozen=True, kw_only=True)
class _Budget:
    """What is left of one limit."""

    window: BudgetWindow
    window_seconds: int | None
    limit: int | None
    remaining: int | None
    resets_at: datetime | None


class MemoryLedger:
    """A ledger for one process: for tests, and for a connector used by itself."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.windows: dict[tuple[str, str, BudgetWindow], _Window] = {}

    async def reserve(
        self,
        crm: str,
        account: str,
        limits: Sequence[Limit],
        cost: int,
        *,
        search: bool = False,
        midnight: datetime | None = None,
        yields: bool = False,
    ) -> _Slot:
        """Take the next free place for a call."""
        now = self.clock()
        ends = midnight.timestamp() if midnight else next_midnight(now)
        mine = tuple(limit for limit in limits if search or limit.window is not BudgetWindow.SEARCH)
        held = [(limit, self._window(crm, account, limit.window)) for limit in mine]
        until = max(
            (self._spent_until(limit, window, cost, ends) for limit, window in held if not limit.rolling), default=0
        )
        rolling = [(limit, window) for limit, window in held if limit.rolling]
        free = max([now, *(free_at(limit, window) for limit, window in rolling)])
        at = max([free, *(spread_from(limit, window, free) for limit, window in rolling)])
        quiet = all(not window.calls or window.calls[-1] <= at - (limit.seconds or 0) for limit, window in rolling)
        used: dict[BudgetWindow, int] = {}
        taken = not until and at - now <= (YIELDING if yields else AHEAD)
        if taken:
            for limit, window in held:
                used[limit.window] = take(limit, window, at, cost)
        return _Slot(
            crm=crm,
            account=account,
            limits=mine,
            at=at,
            wait_seconds=at - now,
            until=datetime.fromtimestamp(until, UTC) if until else None,
            taken=taken,
            quiet=quiet,
            used=used,
        )

    async def settle(
        self,
        reservation: Reservation,
        *,
        late: float = 0,
        told: Told | None = None,
        blocked: float | None = None,
        exhausted: float | None = None,
    ) -> None:
        """Correct what was reserved by what happened."""
        if not isinstance(reservation, _Slot):
            raise TypeError("a reservation of another ledger")
        now = self.clock()
        for limit in reservation.limits:
            window = self._window(reservation.crm, reservation.account, limit.window)
            allowed, remaining = (told or {}).get(limit.window, (None, None))
            window.limit = allowed if allowed is not None else window.limit
            known = window.limit or limit.limit
            spent = known - remaining if known is not None and remaining is not None else None
            if limit.rolling:
                window.blocked_until = max(window.blocked_until, now + (blocked or 0))
                correct_calls(limit, window, reservation.at, late, spent)
                continue
            if spent is not None:
                window.used = corrected(window.used, spent, reservation.used.get(limit.window, 0), known)
            if exhausted is not None:
                window.blocked_until = max(window.blocked_until, now + exhausted if exhausted else window.resets_at)

    async def adopt(
        self, crm: str, key: str, account: str, limits: Sequence[Limit], midnight: datetime | None = None
    ) -> None:
        """Count what was reserved under a key as the account's."""
        for limit in limits:
            found = self.windows.pop((crm, key, limit.window), None)
            if found is None or key == account:
                continue
            window = self._window(crm, account, limit.window)
            window.calls = sorted(window.calls + found.calls)
            if not limit.rolling:  # the account has just answered: what held it back is over
                window.blocked_until = 0
                window.used = 0 if window.limit and window.used + DEAREST > window.limit else window.used
            window.used += found.used
            window.limit = found.limit if found.limit is not None else window.limit
            ends = midnight.timestamp() if midnight and found.resets_at else found.resets_at
            window.resets_at = max(window.resets_at, ends)

    async def release(self, crm: str, account: str, limits: Sequence[Limit]) -> None:
        """Let calls go although the daily budget is used up."""
        for limit in limits:
            window = self._window(crm, account, limit.window)
            allowed = window.limit if window.limit is not None else limit.limit if limit.firm else None
            if not limit.rolling:
                window.blocked_until = 0
                window.used = 0 if allowed is not None and window.used + DEAREST > allowed else window.used

    async def read(self, crm: str, account: str, limits: Sequence[Limit]) -> Sequence[_Budget]:
        """What is left of each limit."""
        return [self._budget(self._window(crm, account, limit.window), limit) for limit in limits]

    def _window(self, crm: str, account: str, window: BudgetWindow) -> _Window:
        return self.windows.setdefault((crm, account, window), _Window())

    def _spent_until(self, limit: Limit, window: _Window, cost: int, midnight: float) -> float:
        now = self.clock()
        if window.resets_at <= now:
            window.used, window.resets_at = 0, midnight
        if window.blocked_until > now:
            return window.blocked_until
        known = window.limit if window.limit is not None else limit.limit if limit.firm else None
        return window.resets_at if known is not None and window.used + cost > known else 0

    def _budget(self, window: _Window, limit: Limit) -> _Budget:
        now = self.clock()
        allowed = window.limit if window.limit is not None else limit.limit
        if limit.rolling:
            recent = [call for call in window.calls if call > now - (limit.seconds or 0)]
            used, resets = len(recent), recent[0] + (limit.seconds or 0) if recent else None
        else:
            current = window.resets_at > now
            used, resets = (window.used, window.resets_at) if current else (0, next_midnight(now))
        if window.limit is None and not limit.firm and allowed is not None and used > allowed:
            allowed = None  # the account evidently has more than the lowest plan
        blocked = window.blocked_until > now
        return _Budget(
            window=limit.window,
            window_seconds=limit.seconds,
            limit=allowed,
            remaining=0 if blocked else None if allowed is None else max(0, allowed - used),
            resets_at=datetime.fromtimestamp(max(resets or 0, window.blocked_until), UTC)
            if blocked or resets
            else None,
        )


def free_at(limit: Limit, window: _Window) -> float:
    """When a rolling window has room for one more call."""
    allowed = window.limit if window.limit is not None else limit.limit
    full = allowed is not None and len(window.calls) >= allowed
    room = window.calls[-allowed] + (limit.seconds or 0) * MARGIN if full and allowed else 0.0
    return max(window.blocked_until, room)


def spread_from(limit: Limit, window: _Window, free: float) -> float:
    """Calls are spread evenly, since many sent together arrive in no order, and the CRM would count one too early. After a
    quiet window nine tenths may be spent at once, and half of it always."""
    allowed = window.limit if window.limit is not None else limit.limit
    span = (limit.seconds or 0) * MARGIN
    near = sum(1 for call in window.calls if call > free - span)
    if not allowed or near < max(1, allowed // 2):
        return 0.0
    before = len(window.calls) - near
    quiet = not before or window.calls[before - 1] <= window.calls[before] - span
    if quiet and near < allowed * 9 // 10:
        return 0.0
    return window.calls[-1] + (limit.seconds or 0) * SPREAD / allowed


def take(limit: Limit, window: _Window, at: float, cost: int) -> int:
    """Enter a call; the window's count with it."""
    if not limit.rolling:
        window.used += cost
        return window.used
    insort(window.calls, at)
    keep = window.limit if window.limit is not None else limit.limit
    del window.calls[: -(keep or 1)]
    return count_since(limit, window, at)


def count_since(limit: Limit, window: _Window, at: float) -> int:
    """How many calls of ours the CRM may be counting at that time."""
    return sum(1 for call in window.calls if call > at - (limit.seconds or 0) * SLACK)


def correct_calls(limit: Limit, window: _Window, at: float, late: float, spent: int | None) -> None:
    """Enter the true time of a call, and the calls that others made with the same credential."""
    if late > (limit.seconds or 0) * (MARGIN - 1) / 2 and at in window.calls:
        window.calls.remove(at)
        insort(window.calls, at + late)
    for _ in range(max(0, (spent or 0) - count_since(limit, window, at))):
        insort(window.calls, at)


def corrected(used: int, spent: int, expected: int, allowed: int | None) -> int:
    """Ours, unless the CRM has counted more, or so much less that calls under way do not explain it."""
    if spent > used:
        return spent
    if spent < expected - max(200, (allowed or 0) // 100):
        return max(0, used + spent - expected)
    return used


def next_midnight(now: float) -> float:
    """The end of the day in UTC."""
    day = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=1)).timestamp()
