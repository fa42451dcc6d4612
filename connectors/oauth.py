"""Consent by OAuth: the address where a user gives it, the tokens that come of it, and how they are given back."""

import asyncio
import importlib
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlencode

from connectors.answers import CODE, Answer, told_seconds
from connectors.declaration import Connector, OAuth
from connectors.errors import CrmError, Reauthorize, Retryable, Unsupported
from connectors.facts import Credential
from connectors.http import BROKEN, REFUSED, Http, Response
from connectors.hygiene import decode
from connectors.pacing import backoff
from connectors.paths import follow_path
from connectors.values import read_id
from storage.shapes import CredentialKind

E = TypeVar("E", bound=CrmError)

TRIES = 3
"""Of a renewal that gets no answer."""
SILENT: tuple[type[Exception], ...] = (*BROKEN, TimeoutError)
"""No answer in time."""
PATIENCE = 15.0
"""Seconds for each: whoever renews holds a lock meanwhile, and the database ends a transaction that idles for a minute."""
LIFETIME = 3600.0
"""Seconds that a token is taken to live where its answer does not say so."""
LONGEST = 10 * 365 * 86_400.0

HEADERS = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}

OURS = frozenset({"invalid_client", "unauthorized_client"})
"""Errors of RFC 6749 that are about our OAuth client, for good."""
OVER = OURS | {"invalid_grant"}
PASSING = frozenset({"temporarily_unavailable", "server_error"})

WRONG_CLIENT = "{crm} does not accept the OAuth client of this gateway: check {settings}"
NO_CONSENT = "{crm} does not accept the consent: its code was used before, or came too late"
ENDED = "{crm} does not accept the consent any more: connect the account again"


@dataclass(frozen=True, kw_only=True)
class Token:
    """What a consent, or its renewal, has given."""

    credential: Credential
    scopes: tuple[str, ...] = ()
    """Empty where the answer does not name them."""
    account_url: str | None = None
    """Where the account has its own API; None where the answer names no address that the connector knows as such."""
    user: str | None = None
    """Who has consented, by the `login` of the CRM's users; None where the answer does not say."""


@dataclass(frozen=True, kw_only=True)
class App:
    """What this gateway is to one vendor: its registered OAuth client. It has no connections of its own."""

    connector: Connector
    oauth: OAuth
    client_id: str
    client_secret: str = field(repr=False)
    http: Http
    url: str
    """Where users consent: the vendor's host, or what stands in its place."""
    token_url: str
    """Where tokens are given, likewise."""
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    wall: Callable[[], float] = time.time

    def authorization_url(self, redirect_uri: str, state: str) -> str:
        """Where a user consents. It has what the vendor documents, and nothing else."""
        asked = {"client_id": self.client_id, "redirect_uri": redirect_uri, "state": state}
        if self.oauth.sends_scopes:
            asked |= {"scope": " ".join(self.connector.scopes)}
        return f"{self.url}{self.oauth.authorize}?{urlencode(asked)}"

    async def exchange(self, code: str, redirect_uri: str) -> Token:
        """The tokens for the code of a consent. Raises Reauthorize or Retryable; a code is good for one try."""
        answer = await self._send(
            self._open(NO_CONSENT).fetch_token(
                self.token_url + self.oauth.token,
                grant_type="authorization_code",
                code=code,
                redirect_uri=redirect_uri,
                headers=HEADERS,
            )
        )
        return self._make_token(answer)

    async def refresh(self, refresh_token: str | None) -> Token:
        """A newer token; where the answer has no refresh token, with the one given here. Tried again where no answer comes.

        Raises Reauthorize where there will be no newer one, else Retryable.
        """
        if not refresh_token:
            raise self._error(Reauthorize, ENDED)
        attempt = 0
        while True:
            try:
                answer = await self._send(
                    self._open(ENDED).refresh_token(
                        self.token_url + self.oauth.token, refresh_token=refresh_token, headers=HEADERS
                    )
                )
                return self._make_token(answer, refresh_token)
            except Retryable as error:
                attempt += 1
                silent = error.status is None or error.status >= 500
                if attempt == TRIES or not silent or error.after is not None:
                    raise
            await self.pause(backoff(attempt - 1))

    async def revoke(self, refresh_token: str) -> None:
        """Ends the consent. Raises a CrmError where the vendor does not say that it has."""
        if self.oauth.revoke is None:
            return
        response: Response = await self._send(
            self._open(ENDED).revoke_token(
                self.token_url + self.oauth.revoke,
                token=refresh_token,
                token_type_hint="refresh_token",  # noqa: S106 # the name of a kind
                headers={"accept": HEADERS["accept"]},  # Authlib adds the other one itself
            )
        )
        if response.status_code >= 300:
            raise self._refusal(response, read_body(response), ENDED)

    # ------------------------------------------------------------ one call

    def _open(self, message: str) -> Any:
        """Authlib's client for one call; a refusal for good is told by the message."""
        # The exception to "no loading inside functions": Authlib takes 10 MB and a tenth of a second, and a process whose
        # accounts are all connected by tokens does without it.
        session = importlib.import_module("connectors.session")
        read = partial(self._read, message)
        return session.Session(self.client_id, self.client_secret, self.oauth.client_auth, self.http, read)

    async def _send(self, call: Awaitable[Any]) -> Any:
        try:
            async with asyncio.timeout(PATIENCE):
                return await call
        except SILENT as error:
            raise self._error(Retryable, "{crm} cannot be reached, or its answers are cut off") from error
        except REFUSED as error:
            raise self._error(Unsupported, "The address of {crm} is not usable") from error

    def _read(self, message: str, response: Response) -> dict[str, Any]:
        """A token answer that is one. Raises Reauthorize or Retryable."""
        body = read_body(response)
        if response.status_code >= 300 or body is None or "error" in body:
            raise self._refusal(response, body, message)
        token = body.get("access_token")
        if not isinstance(token, str) or not token:
            raise self._error(Retryable, "{crm} gave an answer without a token", status=response.status_code)
        kept = {name: value for name, value in body.items() if name != "expires_at"}
        return {**kept, "expires_in": read_lifetime(body.get("expires_in"))}

    def _refusal(self, response: Response, body: Mapping[str, Any] | None, message: str) -> CrmError:
        """Why there is no token: for good, or for now."""
        status, given = response.status_code, (body or {}).get("error")
        code = given if isinstance(given, str) and CODE.fullmatch(given) else ""
        shown = f" (HTTP {status}{code and f', {code}'})"
        refused = status in (400, 401) or (code in OVER and status < 500 and status != 429)
        if refused and code not in PASSING:
            ours = code in OURS or (status == 401 and code not in OVER)
            return self._error(Reauthorize, (WRONG_CLIENT if ours else message) + shown, status=status)
        error = self._error(Retryable, "{crm} gives no token now" + shown, status=status)
        error.after = told_seconds(Answer(status=status, body=None, is_json=False, headers=response.headers))
        return error

    def _make_token(self, answer: Mapping[str, Any], refresh_token: str | None = None) -> Token:
        named = follow_path(answer, self.oauth.host) if self.oauth.host else None
        newer = answer.get("refresh_token")
        credential = Credential(
            kind=CredentialKind.OAUTH2,
            token=answer["access_token"],
            refresh_token=newer if isinstance(newer, str) and newer else refresh_token,
            expires_at=self.wall() + answer["expires_in"],
        )
        host = self.connector.account_host
        is_known = isinstance(named, str) and host is not None and re.fullmatch(host, named)
        scopes = read_scopes(follow_path(answer, self.oauth.scopes))
        user = read_id(follow_path(answer, self.oauth.user)) if self.oauth.user else None
        return Token(credential=credential, scopes=scopes, account_url=named if is_known else None, user=user)

    def _error(self, kind: type[E], message: str, *, status: int | None = None) -> E:
        text = message.format(crm=self.connector.label, settings=" and ".join(self.connector.settings))
        return kind(f"{text}.", crm=self.connector.name, status=status)


def read_body(response: Response) -> dict[str, Any] | None:
    """The JSON object of an answer; None where it is none."""
    try:
        body = decode(response.content)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def read_lifetime(value: Any) -> float:
    """Seconds, also where they come as a text; an hour where there are none that can be."""
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return LIFETIME
    return seconds if not isinstance(value, bool) and math.isfinite(seconds) and 0 < seconds < LONGEST else LIFETIME


def read_scopes(value: Any) -> tuple[str, ...]:
    """Scopes apart, which vendors join by commas or spaces, or give as a list."""
    named = value if isinstance(value, list) else re.split(r"[,\s]+", value) if isinstance(value, str) else []
    return tuple(dict.fromkeys(scope for scope in named if isinstance(scope, str) and scope))
