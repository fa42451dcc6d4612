"""People who have signed in elsewhere: tokens of an OpenID Connect issuer, checked by the keys that it publishes."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from typing_extensions import override

from connectors.http import BROKEN, REFUSED, Http
from connectors.paths import follow_path
from gateway.settings import is_loopback
from resolvers.callers import MARK, Claims
from resolvers.errors import Unauthenticated
from storage.shapes import Role

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)
"""Only those whose key everybody may know: what verifies a token must not be able to make one."""

CURVES: Final = ("P-256", "P-384", "P-521", "Ed25519", "Ed448")
STRONG: Final = 2048
"""Bits that RFC 7518 demands of an RSA key."""

LONGEST: Final = 16_384
"""Characters of a token."""
LARGEST: Final = 1_000_000
"""Bytes of what the issuer answers."""
MOST: Final = 100
"""Keys that are looked at."""

KEPT: Final = 600.0
"""Seconds that keys are taken for current: so long does one count that the issuer has withdrawn."""
AGAIN: Final = 30.0
"""Seconds until an issuer that has not answered is asked again, where there are keys to go on with."""
PATIENCE: Final = 5.0
"""Seconds that it has to answer: whoever shows a token waits meanwhile."""
BURST, EVERY = 5, 5.0
"""So often it is asked at once, and then once in so many seconds: names of keys can be made up faster than that."""

LEEWAY: Final = 60.0
"""Seconds by which the issuer's clock may be ahead of ours."""
LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""

UNREADABLE: Final = (JoseError, ValueError, TypeError, KeyError, RecursionError, UnsupportedAlgorithm)
"""What the library makes of a token or a key that is none."""

NO_ANSWER: tuple[type[Exception], ...] = (*BROKEN, *REFUSED, TimeoutError, ValueError)
"""Of the issuer, in time, or none that can be read."""

NO_TOKEN: Final = f"This is neither an API key, which begins with {MARK}, nor a signed token (JWT) of a sign-in."

log = logging.getLogger(__name__)


class Pinned(JWSRegistry):
    """Takes the algorithms above and nothing else. Other headers are left aside, as RFC 7515 asks, and not refused."""

    max_header_length = LONGEST
    max_signature_length = 4096

    @override
    def get_alg(self, name: str) -> JWSAlgModel:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


PINNED: Final = Pinned(strict_check_header=False)


class Keys:
    """The issuer's keys, as it published them last."""

    def __init__(self, http: Http, issuer: str, clock: Callable[[], float]) -> None:
        self._http, self._issuer, self._clock = http, issuer, clock
        self._address: str | None = None
        self._keys: Sequence[Key] | None = None
        self._until = -float("inf")
        self._turn = asyncio.Lock()
        self._asked = 0
        self._spent = -float("inf")
        """The moment up to which the allowance of questions is used up."""

    async def find(self, algorithm: str, name: str | None) -> Sequence[Key]:
        """Those of that name that fit the algorithm; without a name, the only one that fits.

        The issuer is asked where the keys are old, and where none fits: it may have a new one. Raises Unauthenticated where
        there are no keys at all, since it has never answered.
        """
        asked = self._asked
        if self._keys is None or self._clock() >= self._until:
            await self._refresh(asked)
        found = choose_keys(self._keys or (), algorithm, name)
        if not found:
            await self._refresh(asked)
            found = choose_keys(self._keys or (), algorithm, name)
        if self._keys is None:
            raise Unauthenticated("The issuer of sign-ins cannot be asked now: try again.")
        return found

    async def _refresh(self, asked: int) -> None:
        """Asks for the keys, unless somebody has since then, or too many have; the old ones stay where no answer comes."""
        async with self._turn:
            if self._asked != asked or not self._may_ask():
                return
            try:
                async with asyncio.timeout(PATIENCE):
                    self._keys = await self._fetch()
                self._until = self._clock() + KEPT
            except NO_ANSWER as error:
                self._address, self._until = None, self._clock() + AGAIN
                reason = str(error) or type(error).__name__
                log.warning("the keys of %s cannot be read, so sign-ins may fail: %s", self._issuer, reason)
            self._asked += 1

    def _may_ask(self) -> bool:
        now = self._clock()
        earliest = max(self._spent, now - BURST * EVERY) + EVERY
        if earliest > now:
            return False
        self._spent = earliest
        return True

    async def _fetch(self) -> Sequence[Key]:
        """Raises ValueError, whose message says what is wrong with the answer."""
        if self._address is None:
            about = await self._read(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            self._address = read_address(about, self._issuer)
        return read_keys(await self._read(self._address))

    async def _read(self, address: str) -> Any:
        body = bytearray()
        async with self._http.stream("GET", address, headers={"accept": "application/json"}) as answer:
            if answer.status_code != 200:
                raise ValueError(f"{address} answers {answer.status_code}")
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > LARGEST:
                    raise ValueError(f"{address} answers more than {LARGEST:,} bytes")
        return orjson.loads(body)


@dataclass(kw_only=True)
class Issuer:
    """Whose tokens are taken. A claim's name is taken as it is, and where there is no such claim, as a path: `a.b`."""

    http: Http
    issuer: str
    """To the letter as its tokens have it."""
    audience: str
    workspace_claim: str = "workspace"
    email_claim: str = "email"
    role_claim: str = "role"
    wall: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic
    keys: Keys = field(init=False)

    def __post_init__(self) -> None:
        self.keys = Keys(self.http, self.issuer, self.clock)

    async def verify(self, token: str) -> Claims:
        """What it says. Raises Unauthenticated, with a sentence that has nothing of the token."""
        signed = read_token(token)
        header = signed.headers()
        keys = await self.keys.find(header["alg"], header.get("kid"))
        if not keys:
            raise Unauthenticated("The issuer has no key that fits this token.")
        if not any(is_signed(signed, key) for key in keys):
            raise Unauthenticated("The signature of this token does not count.")
        return self._read_claims(signed.payload)

    def _read_claims(self, payload: bytes) -> Claims:
        try:
            claims = orjson.loads(payload)
        except orjson.JSONDecodeError:
            raise Unauthenticated(NO_TOKEN) from None
        if not isinstance(claims, dict):
            raise Unauthenticated(NO_TOKEN)
        if claims.get("iss") != self.issuer:
            raise Unauthenticated(f"This token is not of the issuer {self.issuer}.")
        audience = claims.get("aud")
        if self.audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated("This token is not for this gateway (audience).")
        return Claims(
            expires_at=check_times(claims, self.wall()),
            subject=require_text(claims, "sub"),
            workspace=require_text(claims, self.workspace_claim),
            email=read_email(claims, self.email_claim),
            role=read_role(claims, self.role_claim),
        )


# ---------------------------------------------------------------- the issuer's answers


def read_address(about: Any, issuer: str) -> str:
    """Where the keys are, by what the issuer says of itself. Raises ValueError."""
    if not isinstance(about, dict) or about.get("issuer") != issuer:
        raise ValueError("what it says of itself is of another issuer: OIDC_ISSUER must have the same letters")
    address = about.get("jwks_uri")
    parts = urlsplit(address if isinstance(address, str) else "")
    if not parts.hostname:
        raise ValueError("it does not say where its keys are (jwks_uri)")
    may_be_open = is_loopback(parts.hostname) or urlsplit(issuer).scheme == "http"
    if parts.scheme != "https" and not may_be_open:
        raise ValueError("its keys are at an address without https, where anybody on the way could change them")
    return parts.geturl()


def read_keys(document: Any) -> Sequence[Key]:
    """The keys of a set that can verify signatures; others are left out. Raises ValueError where it is no set."""
    given = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(given, list):
        raise ValueError("its keys are no set of keys (JWKS)")
    return [key for each in given[:MOST] if (key := read_key(each))]


def read_key(given: Any) -> Key | None:
    """None for a key of a kind that is not known, or that is too weak."""
    if not isinstance(given, dict):
        return None
    try:
        key = import_key(given)
    except UNREADABLE:
        return None
    if isinstance(key, RSAKey):
        return key if key.raw_value.key_size >= STRONG else None
    return key if isinstance(key, ECKey | OKPKey) and key.curve_name in CURVES else None


def choose_keys(keys: Sequence[Key], algorithm: str, name: str | None) -> Sequence[Key]:
    """Those of that name that fit; without a name, the only one that fits."""
    found = [key for key in keys if name in (None, key.kid) and fits(key, algorithm)]
    return found if name is not None or len(found) == 1 else []


def fits(key: Key, algorithm: str) -> bool:
    """Whether the key is of the algorithm's type and curve, and the issuer has not set it apart for something else."""
    try:
        PINNED.get_alg(algorithm).check_key(key)
        key.check_key_op("verify")
    except JoseError:
        return False
    return True


# ---------------------------------------------------------------- the token


def read_token(token: str) -> CompactSignature:
    """Its parts, with nothing verified yet. Whatever else its header names, a key or where one is, counts for nothing."""
    if len(token) > LONGEST:
        raise Unauthenticated(f"This token is longer than {LONGEST:,} characters.")
    if token.count(".") == 4:
        raise Unauthenticated("This token is encrypted: send one that is only signed.")
    try:
        signed = extract_compact(token.encode(), registry=PINNED)
    except UNREADABLE:
        raise Unauthenticated(NO_TOKEN) from None
    header: object = signed.headers()
    if not isinstance(header, dict) or not isinstance(header.get("kid", ""), str):
        raise Unauthenticated(NO_TOKEN)
    if header.get("alg") not in ALGORITHMS:
        raise Unauthenticated(f"This token is signed by an algorithm that does not count: use {', '.join(ALGORITHMS)}.")
    if "crit" in header:
        raise Unauthenticated("This token demands an extension of the standard that is not known here (crit).")
    return signed


def is_signed(signed: CompactSignature, key: Key) -> bool:
    try:
        return validate_compact(signed, key, registry=PINNED)
    except UNREADABLE:
        return False


# ---------------------------------------------------------------- its claims


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """None where there is none."""
    return claims[name] if name in claims else follow_path(claims, name)


def require_text(claims: Mapping[str, Any], name: str) -> str:
    value = find_claim(claims, name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Unauthenticated(f"The claim {name} of this token is missing, or is no text.")
    return value


def check_times(claims: Mapping[str, Any], now: float) -> float:
    """When it ends, in Unix time."""
    expires_at = read_time(claims, "exp")
    if expires_at <= now:
        raise Unauthenticated("This token has expired.")
    if any(name in claims and read_time(claims, name) > now + LEEWAY for name in ("nbf", "iat")):
        raise Unauthenticated("This token is not valid yet.")
    return expires_at


def read_time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LATEST:
        raise Unauthenticated(f"The claim {name} of this token is missing, or is no time.")
    return float(value)


def read_email(claims: Mapping[str, Any], name: str) -> str | None:
    """In lower case; None where there is none, or where the issuer says of it anything but that it is verified."""
    if claims.get("email_verified", True) not in (True, "true", "True"):
        return None
    if not find_claim(claims, name):
        return None
    email = require_text(claims, name)
    if not email.isascii() and email != email.lower():  # two letters beyond ASCII may have one in lower case
        raise Unauthenticated(f"The claim {name} of this token has letters that are not safe to compare.")
    return email.lower()


def read_role(claims: Mapping[str, Any], name: str) -> Role | None:
    """The highest of ours among those that are named, in small letters or capitals; None where none is."""
    value = find_claim(claims, name)
    named = [each.lower() for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    return next((role for role in reversed(Role) if role.value.lower() in named), None)
