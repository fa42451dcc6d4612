"""Calls to one account over the wire: whose host, which credential, within its limits, made again where that can help."""

import asyncio
import hashlib
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.answers import Answer, make_error, read_answer, reset_seconds, told_limits, told_seconds
from connectors.declaration import Connector
from connectors.errors import Ambiguous, QuotaExhausted, Reauthorize, Retryable, Unsupported
from connectors.facts import Credential
from connectors.http import BROKEN, REFUSED, UNSENT, Http, send
from connectors.pacing import Ledger, Reservation, backoff, come_again
from storage.shapes import BudgetWindow

TRIES = 5
PATIENCE = 60.0
"""Seconds: who is asked to come again later than that has used up more than a burst."""
SWIFT, STRETCH = 0.02, 0.05
"""Seconds: an answer slower than the first was perhaps counted later than it was sent, by up to the second."""
RENEWALS = 5
"""Of the token within one call: others may use up a new one before this call has got through."""
EARLY = 300.0
"""Seconds before its end at which a token is renewed."""
SENDABLE = re.compile(r"[\x21-\x7e]{1,4096}")

Renew = Callable[[str], Awaitable[Credential]]
"""A credential that is newer than the one with this token. Raises Reauthorize where there will be none."""

Observe = Callable[[str, int | None, float], None]
"""Is told of each call: the CRM, the status of HTTP or None where no answer came, seconds."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is sent."""

    path: str
    params: Mapping[str, str]
    body: Any = None
    cost: int
    search: bool = False
    method: str | None = None
    """Of a call that writes: one that may have arrived is not made again. None: it reads."""


@dataclass
class Calls:
    """What it takes to call one account of one CRM, as one credential opens it."""

    connector: Connector
    credential: Credential
    api_url: str
    account: str | None
    ledger: Ledger
    http: Http
    integration: str = ""
    account_url: str | None = None
    time_zone: str | None = None
    """By whose midnight the account's days end; None: UTC."""
    locate: Callable[[], Awaitable[object]] | None = None
    """Finds the account's own host."""
    renew: Renew | None = None
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    tries: int = TRIES
    observe: Observe | None = None
    patience: float = PATIENCE
    """Seconds that it waits for its turn, or for a CRM that asks to come again; a longer wait is the caller's to plan."""
    yields: bool = False
    """Whoever writes to the account goes first."""
    made: int = 0
    """How many calls it has made so far."""
    ahead: float = 0.0
    """Seconds by which the CRM's clock is ahead of ours, as its answers tell."""
    renewed: str = ""
    """The token that the last renewal gave."""
    accepted: bool = False
    """The CRM has taken it: where it refuses it then, the token has ended."""
    flying: Counter[str] = field(default_factory=Counter)
    """How many calls wait for their answer, by their token."""

    @property
    def key(self) -> str:
        """Whose limits the calls count against: the account's, or before it is known the credential's."""
        return self.account or "token-" + hashlib.sha256(self.credential.token.encode()).hexdigest()[:16]

    @property
    def base(self) -> str:
        """The account's own host, once known, in the place of the vendor's; a host given by a setting stays."""
        own, connector = self.account_url, self.connector
        host = connector.account_host
        if self.api_url == connector.default_api_url and own and host and re.fullmatch(host, own):
            return own
        return self.api_url

    async def ask(
        self, path: str, params: Mapping[str, str], cost: int, *, body: Any = None, search: bool = False
    ) -> Answer:
        """A call that reads, made again as long as that can help. With a body it is posted."""
        return await self._make(Call(path=path, params=params, body=body, cost=cost, search=search))

    async def write(self, method: str, path: str, body: Any, cost: int) -> Answer:
        """A call that writes, made again only where the CRM has not done anything of it: it was too busy, it refused the
        token, or it was not reached. Raises Ambiguous where it may have done it, and errors in the vendor's words."""
        return await self._make(Call(path=path, params={}, body=body, cost=cost, method=method))

    async def _make(self, call: Call) -> Answer:
        await self._locate(call.path)
        failure, refused, renewals, attempt = self._unreachable(), 0, 0, 0
        while attempt < self.tries:
            token = await self._find_token()
            reservation = await self._reserve(call.cost, search=call.search)
            answer = await self._send(reservation, call, token)
            if answer is not None and answer.ok:
                return answer
            if answer is not None and answer.status == 401 and renewals < RENEWALS and await self._renew_refused(token):
                renewals += 1
                continue
            attempt += 1
            if answer is not None and answer.status == 429:
                refused += 1
                failure = await self._limited(reservation, answer, refused)
                continue  # the ledger now knows when the next try may be sent
            failure = await self._failed(reservation, answer, call)
            if attempt < self.tries:
                await self.pause(backoff(attempt - 1, told=failure.after))
        raise failure

    def now(self) -> datetime:
        """The time by the CRM's clock, as far as its answers have told it."""
        return datetime.fromtimestamp(self.wall() + self.ahead, UTC)

    def midnight(self) -> datetime | None:
        """When the account's day ends; None where that is not known."""
        try:
            here = datetime.fromtimestamp(self.wall(), ZoneInfo(self.time_zone or ""))
        except (ValueError, ZoneInfoNotFoundError):
            return None
        return (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)

    async def _locate(self, path: str) -> None:
        """An account's own host is asked for before the first call that has to go there."""
        is_given = self.api_url != self.connector.default_api_url or self.connector.account_host is None
        if self.locate is None or self.account_url is not None or is_given:
            return
        if path not in {one.path for one in self.connector.identity.listings}:
            await self.locate()

    # ------------------------------------------------------------ the credential

    async def _find_token(self) -> str:
        """The token to call with, renewed shortly before its end; until then it serves, where that fails for now."""
        ends = self.credential.expires_at
        if self.renew and ends is not None and ends - self.wall() < EARLY:
            try:
                self.credential = await self.renew(self.credential.token)
            except Retryable:
                if ends <= self.wall():
                    raise
        if SENDABLE.fullmatch(self.credential.token) is None:
            raise Reauthorize("There is no usable token.", crm=self.connector.name, integration=self.integration)
        return self.credential.token

    async def _renew_refused(self, token: str) -> bool:
        """A newer token in the place of one that the CRM refuses. One that was just renewed and never worked, and that no
        call under way may show to work, is not renewed again: the CRM would refuse the next one too."""
        if self.renew is None:
            return False
        if token == self.credential.token:
            if token == self.renewed and not self.accepted and not self.flying[token]:
                return False
            self.credential = await self.renew(token)
            if self.renewed != self.credential.token:
                self.renewed, self.accepted = self.credential.token, False
        return True

    # ------------------------------------------------------------ one call

    async def _failed(self, reservation: Reservation, answer: Answer | None, call: Call) -> Retryable:
        """Why the call failed, where trying again at once can help; raises where it cannot."""
        if answer is None:
            return self._unreachable()
        secret = self.credential.token if call.method else None
        error = make_error(self.connector, answer, self.integration, secret=secret)
        if isinstance(error, Retryable) and call.method and answer.status >= 500:
            raise self._ambiguous(answer.status)
        if isinstance(error, Retryable):
            if answer.status >= 500 and (error.after or 0) <= self.patience:
                return error
            await self.ledger.settle(reservation, blocked=error.after)
        raise error

    async def _reserve(self, cost: int, *, search: bool) -> Reservation:
        """Wait for a place in the account's limits."""
        connector = self.connector
        while True:
            reservation = await self.ledger.reserve(
                connector.name,
                self.key,
                connector.limits,
                cost,
                search=search,
                midnight=self.midnight(),
                yields=self.yields,
            )
            if reservation.taken:
                return reservation
            if reservation.until is not None:
                raise self._exhausted(reservation.until)
            if reservation.wait_seconds > self.patience * 1.1:
                message = f"{connector.label} asked not to be called for a while."
                raise self.retryable(message, after=reservation.wait_seconds)
            await self.pause(come_again(reservation.wait_seconds, yields=self.yields))

    async def _send(self, reservation: Reservation, call: Call, token: str) -> Answer | None:
        """One call over the wire at its time; None where no whole answer came. Raises Ambiguous for one that writes, unless
        it cannot have arrived."""
        due = self.clock() + reservation.wait_seconds
        if reservation.wait_seconds > 0:
            await self.pause(reservation.wait_seconds)
        header, form = self.connector.auth[self.credential.kind]
        headers = {header: form.format(token=token), "accept": "application/json"}
        begun = self.clock()
        late = begun - due
        self.made += 1
        self.flying[token] += 1
        try:
            response = await send(self.http, self.base + call.path, call.params, headers, call.body, call.method)
        except BROKEN as error:
            self._tell(None, begun)
            await self.ledger.settle(reservation, late=late)
            if call.method and not isinstance(error, UNSENT):
                raise self._ambiguous(None) from error
            return None
        except REFUSED as error:
            raise Unsupported(
                f"The address of {self.connector.label} is not usable.", crm=self.connector.name
            ) from error
        finally:
            self.flying[token] -= 1
        self._tell(response.status_code, begun)
        late += min(STRETCH, max(0.0, self.clock() - due - late - SWIFT))
        self.ahead = told_time(response.headers.get("date"), self.wall()) or self.ahead
        answer = read_answer(self.connector, response)
        if answer is not None and answer.ok:
            self.accepted |= token == self.renewed
        if answer is None or answer.status != 429:
            told = told_limits(self.connector, answer) if answer else None
            await self.ledger.settle(reservation, late=late, told=told)
        if answer is None and call.method:
            raise self._ambiguous(response.status_code)
        return answer

    def _tell(self, status: int | None, begun: float) -> None:
        if self.observe:
            self.observe(self.connector.name, status, self.clock() - begun)

    async def _limited(self, reservation: Reservation, answer: Answer, refused: int) -> Retryable:
        """The `refused`-th 429 to a call: everybody waits as told. Raises QuotaExhausted where the day's budget is used up.

        Vendors answer both alike. It is the day's where the answer says so or asks for a long wait; and where the answer
        tells nothing, none of our calls were in the window, and it is a 429 still.
        """
        connector, named = self.connector, self.connector.exceeded(answer.body)
        told, limits = told_seconds(answer), told_limits(connector, answer)
        rolling = {limit.window: limit.seconds or 0 for limit in connector.limits if limit.rolling}
        empty = {window for window, (_, left) in limits.items() if left == 0}
        has_day = any(left for window, (_, left) in limits.items() if window not in rolling)
        if told is not None and told > PATIENCE:
            await self.ledger.settle(reservation, told=limits, exhausted=told)
            raise self._exhausted(datetime.now(UTC) + timedelta(seconds=told))
        still = (
            named is None
            and told is None
            and not has_day
            and reservation.quiet
            and refused > (TRIES - 1 if empty & rolling.keys() else 1)
        )
        if named is BudgetWindow.DAY or still or empty - rolling.keys():
            await self.ledger.settle(reservation, told=limits, exhausted=0)
            again = await self.ledger.reserve(connector.name, self.key, connector.limits, 0, midnight=self.midnight())
            until = again.until
            raise self._exhausted(until or datetime.now(UTC) + timedelta(hours=1))
        if told is None:
            spans = [rolling[named]] if named in rolling else rolling.values()
            told = max(reset_seconds(connector, answer) or 0, *spans, 1) * 2.0 ** (refused - 1)
        after = backoff(0, told=min(PATIENCE, max(told, 1.0)))  # some tell 0
        await self.ledger.settle(reservation, told=limits, blocked=after)
        return self.retryable(f"{connector.label} is asked too often (HTTP 429).", after=after, status=429)

    def _exhausted(self, until: datetime) -> QuotaExhausted:
        message = f"The daily quota of the {self.connector.label} account is used up."
        return QuotaExhausted(message, until=until, crm=self.connector.name, integration=self.integration)

    def _unreachable(self) -> Retryable:
        return self.retryable(f"{self.connector.label} cannot be reached, or its answers are cut off.")

    def _ambiguous(self, status: int | None) -> Ambiguous:
        shown = f" (HTTP {status})" if status else ""
        message = f"{self.connector.label} gave no whole answer{shown}: nobody knows whether it has done it."
        return Ambiguous(message, crm=self.connector.name, integration=self.integration, status=status)

    def retryable(self, message: str, *, after: float | None = None, status: int | None = None) -> Retryable:
        return Retryable(message, after=after, crm=self.connector.name, integration=self.integration, status=status)


def told_time(date: str | None, now: float) -> float | None:
    """Seconds by which the clock of an answer's Date is ahead; None where it has none that can be read."""
    try:
        return parsedate_to_datetime(date or "").timestamp() - now
    except ValueError:
        return None
