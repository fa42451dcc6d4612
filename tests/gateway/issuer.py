"""A made-up issuer of sign-ins: its keys, what it publishes, the tokens that it signs and those that are forged."""

import base64
import hashlib
import hmac
import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from gateway.oidc import Issuer
from resolvers.errors import Unauthenticated

URL = "https://id.example/realms/acme"
CONFIGURATION = f"{URL}/.well-known/openid-configuration"
KEYS = f"{URL}/keys"
AUDIENCE = "crosswalk-gateway"
NOW = 1_795_262_400

NO_KEY = "The issuer has no key that fits this token."
BAD_SIGNATURE = "The signature of this token does not count."
Curve = Literal["Ed25519", "Ed448", "X25519", "X448"]


def make_rsa(name: str, bits: int = 2048, **parameters: Any) -> Key:
    return RSAKey.generate_key(bits, name_key(name, parameters))


def make_ec(name: str, curve: str = "P-256", **parameters: Any) -> Key:
    return ECKey.generate_key(curve, name_key(name, parameters))


def make_okp(name: str, curve: Curve = "Ed25519", **parameters: Any) -> Key:
    return OKPKey.generate_key(curve, name_key(name, parameters))


def name_key(name: str, parameters: Mapping[str, Any]) -> Any:
    return {"kid": name, **parameters}


@dataclass
class Realm:
    """What an issuer has. The first key signs what nothing else is said of."""

    url: str
    keys: list[Key] = field(default_factory=lambda: [make_ec("first")])
    more: list[Any] = field(default_factory=list)
    """What else is in its set of keys."""
    wall: Callable[[], float] = time.time

    def about(self) -> dict[str, Any]:
        """The document under .well-known/openid-configuration."""
        return {"issuer": self.url, "jwks_uri": f"{self.url.rstrip('/')}/keys"}

    def key_set(self) -> dict[str, Any]:
        """The document with its keys; the private parts are not in it."""
        return {"keys": [*(key.as_dict(private=False) for key in self.keys), *self.more]}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Those of a good token, with changes; `...` takes a claim away."""
        now = int(self.wall())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "person-7",
            "iat": now,
            "exp": now + 300,
            "workspace": "acme",
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not ...}

    def sign(self, algorithm: str = "ES256", key: Key | None = None, **changed: Any) -> str:
        """A token whose claims are good but for the changes."""
        key = key or self.keys[0]
        return write({"alg": algorithm, "kid": key.kid}, self.claims(**changed), sign_with(key, algorithm))


def sign_with(key: Key, algorithm: str) -> Callable[[bytes], bytes]:
    """Makes signatures by a private key."""
    return lambda text: JWSRegistry.algorithms[algorithm].sign(text, key)


def hash_with(secret: bytes) -> Callable[[bytes], bytes]:
    """Makes those of HS256."""
    return lambda text: hmac.new(secret, text, hashlib.sha256).digest()


def write(header: Any, claims: Any, sign: Callable[[bytes], bytes]) -> str:
    """A token by hand, whatever is in it."""
    text = f"{spell(header)}.{spell(claims)}"
    return f"{text}.{encode(sign(text.encode()))}"


def spell(part: Any) -> str:
    """A part of a token; bytes are taken for what they are."""
    return encode(part if isinstance(part, bytes) else json.dumps(part).encode())


def encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def bearer(token: str) -> Mapping[str, str]:
    """The header that carries it."""
    return {"authorization": f"Bearer {token}"}


async def refuse(issuer: Issuer, token: str) -> str:
    """Why it is refused; nothing of the token is in that, nor in what a traceback would show."""
    with pytest.raises(Unauthenticated) as raised:
        await issuer.verify(token)
    printed = "".join(traceback.format_exception(raised.value))
    assert [part for part in token.split(".") if len(part) > 10 and part in printed] == []
    return str(raised.value)
