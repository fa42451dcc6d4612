"""The rate ledger: what has been spent of each CRM account's limits, shared by all processes and workspaces."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from storage.database import Database
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

OPEN = """
INSERT INTO rate_window (crm, account, "window", used, calls, updated_at)
SELECT %(crm)s, %(account)s, unnest(%(windows)s::text[]), 0, '{}', now()
ON CONFLICT (crm, account, "window") DO NOTHING
"""

HELD = """
WITH hasty AS MATERIALIZED (
  SELECT set_config('synchronous_commit', 'off', true) AS set
), asked AS (
  SELECT * FROM jsonb_to_recordset(%(asked)s::text::jsonb) AS asked(
    "window" text, seconds float8, rolling boolean, declared bigint, firm boolean,
    told bigint, remaining bigint, expected bigint)
), held AS MATERIALIZED (
  SELECT * FROM rate_window WHERE crm = %(crm)s AND account = %(account)s
  AND "window" IN (SELECT "window" FROM asked) ORDER BY "window" FOR UPDATE
)"""
"""The rows of an account, held until the transaction ends: always in one order, so that nobody waits in a circle. What the
last milliseconds before a crash of the database have spent may be forgotten: the CRM's answers tell."""

# Calls are spread evenly, since many sent together arrive in no order, and the CRM would count one too early. After a quiet
# window nine tenths may be spent at once, and half of it always.
RESERVE = f"""{HELD}, known AS (
  SELECT "window", rolling, seconds, calls, blocked_until, held."limit" AS noted,
    coalesce(held."limit", declared) AS allowed,
    held."limit" IS NOT NULL OR firm AS enforced,
    CASE WHEN resets_at > clock_timestamp() THEN used ELSE 0 END AS used,
    CASE WHEN resets_at > clock_timestamp() THEN resets_at
      ELSE coalesce(%(midnight)s::timestamptz, date_trunc('day', clock_timestamp(), 'UTC') + interval '1 day')
    END AS resets_at
  FROM held JOIN asked USING ("window")
), free AS (
  SELECT
    greatest(
      clock_timestamp(),
      max(blocked_until) FILTER (WHERE rolling),
      max(calls[cardinality(calls) - allowed + 1] + seconds * {MARGIN} * interval '1 second') FILTER (WHERE rolling)
    ) AS at,
    greatest(
      max(resets_at) FILTER (WHERE NOT rolling AND enforced AND used + %(cost)s > allowed),
      max(blocked_until) FILTER (WHERE NOT rolling AND blocked_until > clock_timestamp())
    ) AS until
  FROM known
), recent AS (
  SELECT known.*, cardinality(calls) AS held, seconds * {MARGIN} * interval '1 second' AS span,
    (SELECT count(*)::int FROM unnest(calls) AS call WHERE call > free.at - seconds * {MARGIN} * interval '1 second') AS near
  FROM known, free WHERE rolling
), place AS (
  SELECT until, greatest(free.at, (
    SELECT max(calls[held] + seconds * {SPREAD} / allowed * interval '1 second') FROM recent
    WHERE near >= greatest(1, allowed / 2)
      AND NOT (near < allowed * 9 / 10 AND (near = held OR calls[held - near] <= calls[held - near + 1] - span)))) AS at
  FROM free
), taken AS (
  UPDATE rate_window SET
    used = CASE WHEN rolling THEN rate_window.used ELSE known.used + %(cost)s END,
    resets_at = CASE WHEN rolling THEN rate_window.resets_at ELSE known.resets_at END,
    calls = CASE WHEN rolling THEN ARRAY(
      SELECT call FROM unnest(known.calls || at) AS call ORDER BY call OFFSET
        greatest(0, cardinality(known.calls) + 1 - allowed)) ELSE rate_window.calls END,
    updated_at = clock_timestamp()
  FROM known, place
  WHERE crm = %(crm)s AND account = %(account)s AND rate_window."window" = known."window" AND until IS NULL
    AND at <= clock_timestamp() + %(ahead)s * interval '1 second'
  RETURNING rate_window."window"
)
SELECT "window", noted, at, until,
  extract(epoch FROM at - clock_timestamp())::float8 AS wait,
  calls[cardinality(calls)] > at - seconds * interval '1 second' AS near,
  CASE WHEN rolling
    THEN 1 + (SELECT count(*) FROM unnest(calls) AS call WHERE call > at - seconds * {SLACK} * interval '1 second')
    ELSE used + %(cost)s END AS used,
  EXISTS (SELECT FROM taken) AS taken
FROM known, place, hasty
"""

SETTLE = f"""{HELD}, moved AS (
  SELECT "window", rolling, coalesce(told, held."limit", declared) AS allowed, told, remaining, expected,
    held.used, resets_at, held.blocked_until,
    CASE WHEN rolling AND %(late)s::float8 > 0
      THEN array_replace(calls, %(at)s, %(at)s + %(late)s * interval '1 second') ELSE calls END AS calls,
    (SELECT count(*) FROM unnest(calls) AS call WHERE call > %(at)s - seconds * {SLACK} * interval '1 second') AS ours
  FROM held JOIN asked USING ("window")
)
UPDATE rate_window SET
  "limit" = coalesce(told, rate_window."limit"),
  calls = CASE WHEN rolling THEN ARRAY(
    SELECT call FROM unnest(moved.calls || array_fill(
      %(at)s::timestamptz, ARRAY[greatest(0, allowed - remaining - ours)::int])) AS call ORDER BY call)
    ELSE rate_window.calls END,
  used = CASE WHEN rolling OR remaining IS NULL OR allowed IS NULL THEN rate_window.used
    WHEN allowed - remaining > moved.used THEN allowed - remaining
    WHEN allowed - remaining < expected - greatest(200, allowed / 100)
      THEN greatest(0, moved.used + allowed - remaining - expected)
    ELSE moved.used END,
  blocked_until = CASE
    WHEN rolling THEN greatest(moved.blocked_until, clock_timestamp() + %(blocked)s::float8 * interval '1 second')
    WHEN %(exhausted)s::float8 = 0 THEN greatest(moved.blocked_until, moved.resets_at)
    ELSE greatest(moved.blocked_until, clock_timestamp() + %(exhausted)s::float8 * interval '1 second') END,
  updated_at = clock_timestamp()
FROM moved, hasty WHERE crm = %(crm)s AND account = %(account)s AND rate_window."window" = moved."window"
"""

ADOPT = f"""
WITH left_behind AS (
  DELETE FROM rate_window WHERE crm = %(crm)s AND account = %(key)s RETURNING *
)
INSERT INTO rate_window (crm, account, "window", "limit", used, calls, resets_at, blocked_until, updated_at)
SELECT crm, %(account)s, "window", "limit", used, calls,
  CASE WHEN resets_at IS NOT NULL THEN coalesce(%(midnight)s::timestamptz, resets_at) END, blocked_until, clock_timestamp()
FROM left_behind ORDER BY "window"
ON CONFLICT (crm, account, "window") DO UPDATE SET
  "limit" = coalesce(excluded."limit", rate_window."limit"),
  used = CASE WHEN rate_window.resets_at > clock_timestamp()
      AND (rate_window."limit" IS NULL OR rate_window.used + {DEAREST} <= rate_window."limit")
    THEN rate_window.used ELSE 0 END + excluded.used,
  calls = ARRAY(SELECT call FROM unnest(rate_window.calls || excluded.calls) AS call ORDER BY call),
  resets_at = greatest(excluded.resets_at, rate_window.resets_at),
  blocked_until = excluded.blocked_until, -- the account has just answered: what held it back is over
  updated_at = clock_timestamp()
"""

RELEASE = f"""
UPDATE rate_window SET blocked_until = NULL, updated_at = clock_timestamp(),
  used = CASE WHEN used + {DEAREST} > coalesce(rate_window."limit", asked.declared) THEN 0 ELSE used END
FROM jsonb_to_recordset(%(asked)s::text::jsonb) AS asked("window" text, declared bigint)
WHERE crm = %(crm)s AND account = %(account)s AND rate_window."window" = asked."window"
AND (blocked_until > clock_timestamp() OR used + {DEAREST} > coalesce(rate_window."limit", asked.declared))
"""

READ = """
SELECT "window", "limit", used, calls, resets_at, blocked_until, clock_timestamp() AS now
FROM rate_window WHERE crm = %(crm)s AND account = %(account)s
"""


class Limited(Protocol):
    """One limit of a vendor's API."""

    @property
    def window(self) -> BudgetWindow:
        """Which."""

    @property
    def seconds(self) -> int | None:
        """How long its window is."""

    @property
    def limit(self) -> int | None:
        """How much, on the lowest plan."""

    @property
    def rolling(self) -> bool:
        """Calls in the last so many seconds; else spent until the account's midnight."""

    @property
    def firm(self) -> bool:
        """False: holds nobody back before the account's own figure is known."""


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The right to send one call: `wait_seconds` from now. If the budget is used up: not before `until`."""

    crm: str
    account: str
    limits: tuple[Limited, ...]
    at: datetime
    wait_seconds: float
    until: datetime | None
    taken: bool
    """False: nothing was reserved, since the place is too far ahead or the budget is used up."""
    lag: float
    """Seconds that the ledger itself took: a call may be later than it seems by so much."""
    quiet: bool
    """No other call of ours is within the rolling windows before it."""
    noted: Mapping[BudgetWindow, int | None]
    """By window, the account's own limit as far as the CRM has told it."""
    used: Mapping[BudgetWindow, int]
    """By window, this call included."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What is left of one limit."""

    window: BudgetWindow
    window_seconds: int | None
    limit: int | None
    remaining: int | None
    resets_at: datetime | None


class PostgresLedger:
    """The ledger on the table rate_window: a row for each account and window, its times those of the database's clock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._turn = asyncio.Lock()
        """The database takes them one by one anyway: those who wait need no connection."""

    async def reserve(
        self,
        crm: str,
        account: str,
        limits: Sequence[Limited],
        cost: int,
        *,
        search: bool = False,
        midnight: datetime | None = None,
        yields: bool = False,
    ) -> Reservation:
        """Take the next free place for a call, in one statement; before the first call to an account its rows are made.

        `yields`: others go first. `midnight`: when the account's day ends; None: UTC's.
        """
        mine = tuple(limit for limit in limits if search or limit.window is not BudgetWindow.SEARCH)
        values = {"crm": crm, "account": account, "cost": cost, "asked": _packed(mine), "midnight": midnight}
        values["ahead"] = YIELDING if yields else AHEAD
        rows, lag = await self._reserve(values)
        if len(rows) < len(mine):
            await self._run(OPEN, {**values, "windows": [limit.window.value for limit in mine]})
            rows, lag = await self._reserve(values)
        first = rows[0]
        return Reservation(
            crm=crm,
            account=account,
            limits=mine,
            at=first["at"],
            wait_seconds=max(0.0, first["wait"]),
            until=first["until"],
            taken=first["taken"],
            lag=lag,
            quiet=not any(row["near"] for row in rows),
            noted={BudgetWindow(row["window"]): row["noted"] for row in rows},
            used={BudgetWindow(row["window"]): row["used"] for row in rows},
        )

    async def settle(
        self,
        reservation: Any,
        *,
        late: float = 0,
        told: Mapping[BudgetWindow, tuple[int | None, int | None]] | None = None,
        blocked: float | None = None,
        exhausted: float | None = None,
    ) -> None:
        """Correct what was reserved by what happened; no statement where it happened as foreseen.

        `late`: seconds between the place reserved and the sending. `told`: (limit, remaining) by window, from headers.
        `blocked`: nobody may call for so many seconds. `exhausted`: the daily budget is used up for so long; 0: until it
        resets.
        """
        if not isinstance(reservation, Reservation):
            raise TypeError("a reservation of another ledger")
        told = told or {}
        late += reservation.lag
        shift = late if any(_matters(limit, late) for limit in reservation.limits) else 0.0
        wrong = any(
            _is_wrong(reservation, limit, *told.get(limit.window, (None, None))) for limit in reservation.limits
        )
        if not (shift or wrong) and blocked is None and exhausted is None:
            return
        values = {
            "crm": reservation.crm,
            "account": reservation.account,
            "at": reservation.at,
            "late": shift,
            "blocked": blocked,
            "exhausted": exhausted,
            "asked": _packed(reservation.limits, told, reservation.used),
        }
        await self._run(SETTLE, values)

    async def adopt(
        self,
        crm: str,
        key: str,
        account: str,
        limits: Sequence[Limited],  # noqa: ARG002 # the seam's
        midnight: datetime | None = None,
    ) -> None:
        """Count what was reserved under a key as the account's, once the account is known, and when its day ends."""
        await self._run(ADOPT, {"crm": crm, "key": key, "account": account, "midnight": midnight})

    async def release(self, crm: str, account: str, limits: Sequence[Limited]) -> None:
        """Let calls go although the daily budget is used up, as far as we know: a person asks for one, and the CRM's answer
        tells how it stands."""
        rows = [
            {"window": limit.window.value, "declared": limit.limit if limit.firm else None}
            for limit in limits
            if not limit.rolling
        ]
        await self._run(RELEASE, {"crm": crm, "account": account, "asked": orjson.dumps(rows).decode()})

    async def read(self, crm: str, account: str, limits: Sequence[Limited]) -> list[Budget]:
        """What is left of each limit; one that nobody has touched is whole."""
        rows = {row["window"]: row for row in await self._run(READ, {"crm": crm, "account": account})}
        return [_budget(limit, rows.get(limit.window.value)) for limit in limits]

    async def _reserve(self, values: Mapping[str, Any]) -> tuple[list[dict[str, Any]], float]:
        async with self._turn, self.database.system() as session:
            await session.connection()  # waiting for one comes before the clock is read
            begun = time.monotonic()
            rows = await self.database.run(session, RESERVE, values)
        return rows, time.monotonic() - begun

    async def _run(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        async with self.database.system() as session:
            return await self.database.run(session, sql, values)


def _packed(
    limits: Sequence[Limited],
    told: Mapping[BudgetWindow, tuple[int | None, int | None]] | None = None,
    expected: Mapping[BudgetWindow, int] | None = None,
) -> str:
    rows = []
    for limit in limits:
        own, remaining = (told or {}).get(limit.window, (None, None))
        row = {"window": limit.window.value, "seconds": limit.seconds, "rolling": limit.rolling, "firm": limit.firm}
        row |= {"declared": limit.limit, "told": own, "remaining": remaining}
        rows.append(row | {"expected": (expected or {}).get(limit.window, 0)})
    return orjson.dumps(rows).decode()


def _matters(limit: Limited, late: float) -> bool:
    """A call so late that the next ones would come too early behind it."""
    return limit.rolling and late > (limit.seconds or 0) * (MARGIN - 1) / 2


def _is_wrong(reservation: Reservation, limit: Limited, told: int | None, remaining: int | None) -> bool:
    """Whether the CRM's figures are not explained by ours."""
    noted, used = reservation.noted.get(limit.window), reservation.used.get(limit.window, 0)
    if told is not None and told != noted:
        return True
    allowed = noted if noted is not None else limit.limit
    if remaining is None or allowed is None:
        return False
    spent = allowed - remaining
    return spent > used or (not limit.rolling and spent < used - max(200, allowed // 100))


def _budget(limit: Limited, row: Mapping[str, Any] | None) -> Budget:
    allowed, used, resets = limit.limit, 0, None
    blocked = None
    if row is not None:
        now = row["now"]
        blocked = row["blocked_until"] if row["blocked_until"] and row["blocked_until"] > now else None
        if limit.rolling:
            recent = [call for call in row["calls"] if (now - call).total_seconds() < (limit.seconds or 0)]
            used = len(recent)
            resets = datetime.fromtimestamp(recent[0].timestamp() + (limit.seconds or 0), UTC) if recent else None
        elif row["resets_at"] and row["resets_at"] > now:
            used, resets = row["used"], row["resets_at"]
        evidently_more = row["limit"] is None and not limit.firm and used > (allowed or 0)
        allowed = row["limit"] if row["limit"] is not None else None if evidently_more else allowed
    return Budget(
        window=limit.window,
        window_seconds=limit.seconds,
        limit=allowed,
        remaining=0 if blocked else None if allowed is None else max(0, allowed - used),
        resets_at=max((at for at in (resets, blocked) if at), default=None),
    )
