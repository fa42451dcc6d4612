"""Tokens of an issuer that is faked at the transport: which count, for whom, and how often the issuer is asked."""

import json
from dataclasses import replace
from typing import Any

import pytest
import respx
from joserfc.jwk import Key, RSAKey

from gateway.oidc import Issuer
from resolvers.callers import Claims
from storage.shapes import Role
from tests.gateway.issuer import (
    AUDIENCE,
    BAD_SIGNATURE,
    CONFIGURATION,
    KEYS,
    NO_KEY,
    NOW,
    URL,
    Realm,
    encode,
    hash_with,
    make_ec,
    make_okp,
    make_rsa,
    refuse,
    sign_with,
    spell,
    write,
)

NO_TOKEN = "This is neither an API key, which begins with cw_, nor a signed token (JWT) of a sign-in."
WRONG_ISSUER = f"This token is not of the issuer {URL}."
WRONG_AUDIENCE = "This token is not for this gateway (audience)."
EXPIRED = "This token has expired."
TOO_EARLY = "This token is not valid yet."
ALGORITHM = (
    "This token is signed by an algorithm that does not count: use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384,"
    " ES512, EdDSA."
)


ENCRYPTED = "This token is encrypted: send one that is only signed."


def missing(name: str) -> str:
    return f"The claim {name} of this token is missing, or is no text."


def no_time(name: str) -> str:
    return f"The claim {name} of this token is missing, or is no time."


@pytest.fixture(scope="module")
def rsa() -> Key:
    """One for all: making it takes long."""
    return make_rsa("rsa")


# ---------------------------------------------------------------- good ones


async def test_a_token_tells_who_asks(issuer: Issuer, realm: Realm) -> None:
    token = realm.sign(exp=NOW + 60.5, email="Ada@Acme.Test", role=["VIEWER", "operator", "owner"])
    assert await issuer.verify(token) == Claims(
        subject="person-7",
        workspace="acme",
        email="ada@acme.test",
        role=Role.OPERATOR,
        expires_at=NOW + 60.5,
    )


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
async def test_rsa_counts(issuer: Issuer, realm: Realm, rsa: Key, algorithm: str) -> None:
    realm.keys.append(rsa)
    assert (await issuer.verify(realm.sign(algorithm, rsa))).subject == "person-7"


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", make_ec("k")),
        ("ES384", make_ec("k", "P-384")),
        ("ES512", make_ec("k", "P-521")),
        ("EdDSA", make_okp("k")),
        ("EdDSA", make_okp("k", "Ed448")),
    ],
)
@pytest.mark.parametrize("purpose", [{}, {"use": "sig"}, {"key_ops": ["verify"]}])
async def test_curves_count(issuer: Issuer, realm: Realm, algorithm: str, key: Key, purpose: Any) -> None:
    realm.more.append({**key.as_dict(private=False), **purpose, "alg": algorithm})
    assert (await issuer.verify(realm.sign(algorithm, key))).subject == "person-7"


async def test_headers_that_say_nothing_to_us_are_left_aside(issuer: Issuer, realm: Realm) -> None:
    header = {"alg": "ES256", "kid": "first", "typ": "at+jwt", "x5t": "A" * 600, "nonce": 1}
    token = write(header, realm.claims(), sign_with(realm.keys[0], "ES256"))
    assert (await issuer.verify(token)).subject == "person-7"


@pytest.mark.parametrize(
    ("changed", "subject"),
    [
        ({"aud": ["other", AUDIENCE]}, "person-7"),
        ({"aud": [7, None, AUDIENCE]}, "person-7"),
        ({"nbf": NOW + 60, "iat": NOW + 60}, "person-7"),
        ({"nbf": 0, "iat": ...}, "person-7"),
        ({"exp": NOW + 0.001}, "person-7"),
        ({"sub": "auth0|Zoë"}, "auth0|Zoë"),
    ],
)
async def test_what_claims_may_be_like(issuer: Issuer, realm: Realm, changed: Any, subject: str) -> None:
    assert (await issuer.verify(realm.sign(**changed))).subject == subject


# ---------------------------------------------------------------- bad ones


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"iss": "https://id.example/realms/other"}, WRONG_ISSUER),
        ({"iss": f"{URL}/"}, WRONG_ISSUER),
        ({"iss": ...}, WRONG_ISSUER),
        ({"iss": [URL]}, WRONG_ISSUER),
        ({"aud": "crosswalk"}, WRONG_AUDIENCE),
        ({"aud": ["crosswalk", f"{AUDIENCE}-2"]}, WRONG_AUDIENCE),
        ({"aud": ...}, WRONG_AUDIENCE),
        ({"aud": {AUDIENCE: True}}, WRONG_AUDIENCE),
        ({"exp": NOW}, EXPIRED),
        ({"exp": NOW - 0.5}, EXPIRED),
        ({"exp": 0}, EXPIRED),
        ({"exp": ...}, no_time("exp")),
        ({"exp": None}, no_time("exp")),
        ({"exp": True}, no_time("exp")),
        ({"exp": str(NOW + 300)}, no_time("exp")),
        ({"exp": 1e18}, no_time("exp")),
        ({"exp": 10**40}, no_time("exp")),
        ({"exp": -NOW}, no_time("exp")),
        ({"exp": float("inf")}, NO_TOKEN),
        ({"exp": float("nan")}, NO_TOKEN),
        ({"nbf": NOW + 61}, TOO_EARLY),
        ({"iat": NOW + 61}, TOO_EARLY),
        ({"nbf": "now"}, no_time("nbf")),
        ({"iat": None}, no_time("iat")),
        ({"sub": ...}, missing("sub")),
        ({"sub": ""}, missing("sub")),
        ({"sub": 7}, missing("sub")),
        ({"sub": "a\0b"}, missing("sub")),
        ({"workspace": ...}, missing("workspace")),
        ({"workspace": ""}, missing("workspace")),
        ({"workspace": ["acme"]}, missing("workspace")),
        ({"email": 7}, missing("email")),
        ({"email": "ada\0@acme.test"}, missing("email")),
        ({"email": "\u212aate@acme.test"}, "The claim email of this token has letters that are not safe to compare."),
    ],
)
async def test_claims_that_do_not_count(issuer: Issuer, realm: Realm, changed: Any, why: str) -> None:
    assert await refuse(issuer, realm.sign(**changed)) == why


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"null", b"{", b"\xff", b'"text"', b"[" * 5000])
async def test_a_payload_that_is_no_set_of_claims(issuer: Issuer, realm: Realm, payload: bytes) -> None:
    token = write({"alg": "ES256", "kid": "first"}, payload, sign_with(realm.keys[0], "ES256"))
    assert await refuse(issuer, token) == NO_TOKEN


async def test_a_payload_or_a_signature_that_was_changed(issuer: Issuer, realm: Realm) -> None:
    header, payload, signature = realm.sign(role="VIEWER").split(".")
    better = spell(realm.claims(role="ADMIN"))
    other = realm.sign(role="ADMIN", key=make_ec("first"))
    for token in (
        f"{header}.{better}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}",
        f"{header}.{payload}.{encode(bytes(64))}",
        other,
    ):
        assert await refuse(issuer, token) == BAD_SIGNATURE
    assert (await issuer.verify(f"{header}.{payload}.{signature}")).role is Role.VIEWER


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "HS256", "ES256K", "RSA-OAEP", "", None, 7, ["ES256"], {}]
)
@pytest.mark.parametrize("signature", [b"", b"x"])
async def test_other_algorithms(issuer: Issuer, realm: Realm, algorithm: Any, signature: bytes) -> None:
    token = write({"alg": algorithm, "kid": "first"}, realm.claims(role="ADMIN"), lambda _: signature)
    assert await refuse(issuer, token) == ALGORITHM


async def test_a_public_key_is_no_secret(issuer: Issuer, realm: Realm, rsa: Key) -> None:
    """HS256 by whatever of the public key can be written down."""
    assert isinstance(rsa, RSAKey)
    realm.keys.append(rsa)
    public = rsa.as_dict(private=False)
    modulus = str(public["n"])
    secrets = [
        rsa.as_pem(private=False),
        rsa.as_pem(private=False).strip(),
        rsa.as_der(private=False),
        modulus.encode(),
        rsa.public_key.public_numbers().n.to_bytes(256, "big"),
        json.dumps(public).encode(),
        b"",
    ]
    for secret in secrets:
        for name in ("HS256", "HS384", "RS256"):
            token = write({"alg": name, "kid": "rsa"}, realm.claims(role="ADMIN"), hash_with(secret))
            assert await refuse(issuer, token) == (BAD_SIGNATURE if name == "RS256" else ALGORITHM)


async def test_a_token_brings_no_key_of_its_own(issuer: Issuer, realm: Realm, web: respx.MockRouter) -> None:
    forger = make_ec("forger")
    for name, kid, why in (("jwk", "first", BAD_SIGNATURE), ("jwk", "forger", NO_KEY)):
        header = {"alg": "ES256", "kid": kid, name: forger.as_dict(private=False)}
        assert await refuse(issuer, write(header, realm.claims(), sign_with(forger, "ES256"))) == why
    for name in ("jku", "x5u"):
        header = {"alg": "ES256", "kid": "first", name: "https://forger.example/keys"}
        assert await refuse(issuer, write(header, realm.claims(), sign_with(forger, "ES256"))) == BAD_SIGNATURE
        own = write(header, realm.claims(), sign_with(realm.keys[0], "ES256"))
        assert (await issuer.verify(own)).subject == "person-7"
    assert {str(call.request.url) for call in web.calls} == {CONFIGURATION, KEYS}


async def test_demands_that_are_not_known(issuer: Issuer, realm: Realm) -> None:
    demands: list[dict[str, Any]] = [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": 7},
        {"crit": ["b64"], "b64": False},
    ]
    for more in demands:
        token = write({"alg": "ES256", "kid": "first", **more}, realm.claims(), sign_with(realm.keys[0], "ES256"))
        assert (
            await refuse(issuer, token)
            == "This token demands an extension of the standard that is not known here (crit)."
        )


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (f"{spell({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.xxxx.xxxx.xxxx.xxxx", ENCRYPTED),
        (f"{encode(b'{}')}.{'x' * 16_384}.x", "This token is longer than 16,384 characters."),
        ("", NO_TOKEN),
        ("opaque-token", NO_TOKEN),
        ("a.b.c", NO_TOKEN),
        ("ä.ö.ü", NO_TOKEN),
        ("\ud800.b.c", NO_TOKEN),
        (f"{encode(b'[' * 9000)}.e30.x", NO_TOKEN),
        (f"{spell(['alg'])}.e30.x", NO_TOKEN),
        (f"{spell('alg')}.e30.x", NO_TOKEN),
        (f"{spell({'alg': 'ES256', 'kid': 7})}.e30.x", NO_TOKEN),
        (f"{spell({'alg': 'ES256', 'kid': 'first'})}.e30.x", BAD_SIGNATURE),
        (f"{spell({'alg': 'ES256', 'kid': 'first', 'jku': 7})}.e30.xxxx", BAD_SIGNATURE),
    ],
)
async def test_what_is_no_token(issuer: Issuer, token: str, why: str) -> None:
    assert await refuse(issuer, token) == why


# ---------------------------------------------------------------- what claims say

ROLES: list[tuple[Any, Role | None]] = [
    (..., None),
    (None, None),
    ("VIEWER", Role.VIEWER),
    ("operator", Role.OPERATOR),
    ("Admin", Role.ADMIN),
    ("owner", None),
    ("VIEWER ADMIN", None),
    ("adm\u0131n", None),  # whose capital is that of an i
    ([], None),
    (["owner", "viewer"], Role.VIEWER),
    (["VIEWER", "ADMIN", "OPERATOR"], Role.ADMIN),
    ([None, 7, ["ADMIN"], {"ADMIN": 1}, "operator"], Role.OPERATOR),
    ({"ADMIN": True}, None),
    (7, None),
]

EMAILS: list[tuple[dict[str, Any], str | None]] = [
    ({}, None),
    ({"email": None}, None),
    ({"email": ""}, None),
    ({"email": "Ada@ACME.test"}, "ada@acme.test"),
    ({"email": "zoë@acme.test"}, "zoë@acme.test"),
    ({"email": "Ada@Acme.Test", "email_verified": True}, "ada@acme.test"),
    ({"email": "Ada@Acme.Test", "email_verified": "true"}, "ada@acme.test"),
    ({"email": "ada@acme.test", "email_verified": False}, None),
    ({"email": "ada@acme.test", "email_verified": "false"}, None),
    ({"email": "ada@acme.test", "email_verified": None}, None),
]


@pytest.mark.parametrize(("given", "role"), ROLES)
async def test_roles(issuer: Issuer, realm: Realm, given: Any, role: Role | None) -> None:
    assert (await issuer.verify(realm.sign(role=given))).role is role


@pytest.mark.parametrize(("given", "email"), EMAILS)
async def test_addresses(issuer: Issuer, realm: Realm, given: Any, email: str | None) -> None:
    assert (await issuer.verify(realm.sign(**given))).email == email


async def test_claims_of_other_names(issuer: Issuer, realm: Realm) -> None:
    """As an address, as a path, and as a name that looks like a path."""
    named = replace(
        issuer, workspace_claim="https://acme.test/tenant", email_claim="user.mail", role_claim="realm_access.roles"
    )
    given: dict[str, Any] = {
        "https://acme.test/tenant": "umbrella",
        "user": {"mail": "Ada@Acme.Test"},
        "realm_access": {"roles": ["offline_access", "admin"]},
    }
    claims = await named.verify(realm.sign(**given, email="other@acme.test", role="VIEWER"))
    assert (claims.workspace, claims.email, claims.role) == ("umbrella", "ada@acme.test", Role.ADMIN)
    given |= {"user.mail": "b@acme.test", "realm_access.roles": "VIEWER"}
    literal = await named.verify(realm.sign(**given))
    assert (literal.email, literal.role) == ("b@acme.test", Role.VIEWER)
    assert await refuse(named, realm.sign()) == missing("https://acme.test/tenant")
    given = {"https://acme.test/tenant": "umbrella", "user": "x", "realm_access": []}
    bare = await named.verify(realm.sign(**given))
    assert (bare.email, bare.role) == (None, None)
