"""What an account has granted to apps: codes, access tokens and refresh tokens, and how long they live."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from secrets import token_hex

CODE_SECONDS = 5 * 60
IDLE_SECONDS = 60 * 86_400  # a refresh token unused for so long is dead


@dataclass
class Code:
    client: str
    redirect: str
    scopes: Collection[str]
    expires: float
    used: bool = False


@dataclass
class Grant:
    """One consent, to these scopes; `refresh` is its only valid refresh token."""

    client: str
    scopes: Collection[str]
    refresh: str
    touched: float
    revoked: bool = False


@dataclass
class Access:
    token: str
    grant: Grant
    scopes: Collection[str]
    expires: float
    dead: bool = False


class Grants:
    """Dead codes and tokens are kept, so that a call with one is still known to be this account's."""

    def __init__(
        self,
        make_access: Callable[[], str],
        make_refresh: Callable[[], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.make_access = make_access
        self.make_refresh = make_refresh
        self.clock = clock
        self.codes: dict[str, Code] = {}
        self.refreshes: dict[str, Grant] = {}
        self.accesses: dict[str, Access] = {}

    def knows(self, secret: str) -> bool:
        return secret in self.codes or secret in self.refreshes or secret in self.accesses

    def consent(self, client: str, redirect: str, scopes: Collection[str]) -> str:
        """A code for the app to exchange."""
        code = token_hex(20)
        self.codes[code] = Code(client, redirect, scopes, self.clock() + CODE_SECONDS)
        return code

    def exchange(self, code: str, client: str, redirect: str) -> Grant | None:
        found = self.codes.get(code)
        if found is None or found.used or self.clock() >= found.expires:
            return None
        if (found.client, found.redirect) != (client, redirect):
            return None
        found.used = True
        grant = Grant(client, found.scopes, self.make_refresh(), self.clock())
        self.refreshes[grant.refresh] = grant
        return grant

    def find(self, refresh: str) -> Grant | None:
        """The grant of a refresh token that is valid."""
        grant = self.refreshes.get(refresh)
        if grant is None or grant.revoked or grant.refresh != refresh:
            return None
        return None if self.clock() >= grant.touched + IDLE_SECONDS else grant

    def renew(self, refresh: str, client: str, *, rotates: bool) -> Grant | None:
        """The grant, good for another 60 days; `rotates` gives it another refresh token."""
        grant = self.find(refresh)
        if grant is None or grant.client != client:
            return None
        grant.touched = self.clock()
        if rotates:
            grant.refresh = self.make_refresh()
            self.refreshes[grant.refresh] = grant
        return grant

    def issue(self, grant: Grant, scopes: Collection[str], seconds: float) -> str:
        """An access token that lives so long."""
        token = self.make_access()
        self.accesses[token] = Access(token, grant, scopes, self.clock() + seconds)
        return token

    def is_alive(self, access: Access) -> bool:
        return not access.dead and not access.grant.revoked and self.clock() < access.expires

    def revoke(self, token: str, client: str) -> bool:
        """An access token alone, or with a refresh token the whole grant; False where it is another app's."""
        access = self.accesses.get(token)
        grant = access.grant if access else self.refreshes.get(token)
        if grant and grant.client != client:
            return False
        if access:
            access.dead = True
        elif grant:
            grant.revoked = True
        return True

    def withdraw(self, refresh: str) -> None:
        """The refresh token alone: access tokens that it has given live on."""
        if grant := self.find(refresh):
            grant.refresh = ""
