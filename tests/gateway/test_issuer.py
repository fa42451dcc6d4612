"""The keys of an issuer: which of them count, how new ones come, how often they are asked for; and any garbage at all."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
import respx
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.oidc import Issuer
from resolvers.callers import Claims
from resolvers.errors import Unauthenticated
from tests.connectors.clock import Time
from tests.gateway.issuer import (
    BAD_SIGNATURE,
    KEYS,
    NO_KEY,
    NOW,
    URL,
    Realm,
    make_ec,
    make_okp,
    make_rsa,
    refuse,
    sign_with,
    write,
)

SILENT = "The issuer of sign-ins cannot be asked now: try again."


def count(web: respx.MockRouter) -> tuple[int, int]:
    """How often the issuer was asked about itself, and for its keys."""
    return web["about"].call_count, web["keys"].call_count


# ---------------------------------------------------------------- which keys count


@pytest.mark.parametrize(
    ("algorithm", "more"),
    [
        ("ES256", {"use": "enc"}),
        ("ES256", {"use": "tls"}),
        ("ES256", {"alg": "ES384"}),
        ("ES256", {"alg": "ECDH-ES"}),
        ("ES256", {"key_ops": ["deriveKey"]}),
        ("ES256", {"kid": 7}),
        ("ES256", {"kty": "oct", "k": "c2VjcmV0" * 8}),
        ("ES256", {"kty": "RSA"}),
        ("ES256", {"crv": "P-384"}),
        ("ES256", {"x": "!"}),
    ],
)
async def test_a_key_that_is_set_apart_or_broken(issuer: Issuer, realm: Realm, algorithm: str, more: Any) -> None:
    key = make_ec("other")
    realm.more.append({**key.as_dict(private=False), **more})
    assert await refuse(issuer, realm.sign(algorithm, key)) == NO_KEY
    assert (await issuer.verify(realm.sign())).subject == "person-7"


async def test_a_key_of_another_kind_than_the_algorithm(issuer: Issuer, realm: Realm) -> None:
    """The forger has a key of every kind; the names are those of the issuer's."""
    forged = {"RS256": make_rsa("r"), "ES256": make_ec("e"), "ES384": make_ec("e", "P-384"), "EdDSA": make_okp("o")}
    realm.keys = [make_rsa("r"), make_ec("e"), make_okp("o"), make_okp("x", "X25519"), make_ec("k", "secp256k1")]
    for algorithm, key in forged.items():
        for real in realm.keys:
            token = write({"alg": algorithm, "kid": real.kid}, realm.claims(), sign_with(key, algorithm))
            same = real.kid == key.kid and algorithm != "ES384"
            assert await refuse(issuer, token) == (BAD_SIGNATURE if same else NO_KEY)


@pytest.mark.filterwarnings("ignore:Key size")
async def test_a_short_key(issuer: Issuer, realm: Realm) -> None:
    realm.keys.append(make_rsa("short", 1024))
    assert await refuse(issuer, realm.sign("RS256", realm.keys[1])) == NO_KEY


async def test_without_a_name_there_must_be_one_key(issuer: Issuer, realm: Realm, time: Time) -> None:
    token = write({"alg": "ES256"}, realm.claims(), sign_with(realm.keys[0], "ES256"))
    realm.keys += [make_okp("other"), make_ec("third", "P-384")]
    realm.more.append(make_ec("enc", use="enc").as_dict(private=False))
    assert (await issuer.verify(token)).subject == "person-7"
    realm.keys.append(make_ec("second"))
    time.now += 600
    assert await refuse(issuer, write({"alg": "ES256"}, realm.claims(), sign_with(realm.keys[0], "ES256"))) == NO_KEY


# ---------------------------------------------------------------- new keys


async def test_keys_are_asked_for_once(issuer: Issuer, realm: Realm, web: respx.MockRouter, time: Time) -> None:
    tokens = [realm.sign(sub=f"person-{number}", exp=NOW + 9999) for number in range(20)]
    assert count(web) == (0, 0)
    found = await asyncio.gather(*map(issuer.verify, tokens))
    assert [claims.subject for claims in found] == [f"person-{number}" for number in range(20)]
    assert count(web) == (1, 1)
    time.now += 599
    await issuer.verify(tokens[0])
    assert count(web) == (1, 1)
    time.now += 1
    await asyncio.gather(*map(issuer.verify, tokens))
    assert count(web) == (1, 2)


async def test_a_new_key_counts_at_once(issuer: Issuer, realm: Realm, web: respx.MockRouter) -> None:
    new = make_ec("second")
    await issuer.verify(realm.sign())
    assert await refuse(issuer, realm.sign(key=new)) == NO_KEY
    assert await refuse(issuer, realm.sign(key=new)) == NO_KEY
    realm.keys.append(new)
    found = await asyncio.gather(*[issuer.verify(realm.sign(key=new)) for _ in range(20)])
    assert {claims.subject for claims in found} == {"person-7"}
    assert (await issuer.verify(realm.sign())).subject == "person-7"
    assert count(web) == (1, 4)


async def test_a_key_that_is_withdrawn_counts_for_ten_minutes(issuer: Issuer, realm: Realm, time: Time) -> None:
    old = realm.keys[0]
    await issuer.verify(realm.sign())
    realm.keys = [make_ec("second")]
    time.now += 599
    assert (await issuer.verify(realm.sign(key=old))).subject == "person-7"
    time.now += 1
    assert await refuse(issuer, realm.sign(key=old)) == NO_KEY


async def test_made_up_names_cost_few_questions(
    issuer: Issuer, realm: Realm, web: respx.MockRouter, time: Time
) -> None:
    await issuer.verify(realm.sign())
    forger = make_ec("")
    for number in range(300):
        header = {"alg": "ES256", "kid": f"made-up-{number}"}
        assert await refuse(issuer, write(header, realm.claims(), sign_with(forger, "ES256"))) == NO_KEY
    assert count(web) == (1, 5)
    realm.keys.append(make_ec("second"))
    assert await refuse(issuer, realm.sign(key=realm.keys[1])) == NO_KEY
    assert (await issuer.verify(realm.sign())).subject == "person-7"
    time.now += 5
    assert (await issuer.verify(realm.sign(key=realm.keys[1]))).subject == "person-7"
    assert count(web) == (1, 6)


# ---------------------------------------------------------------- an issuer that does not answer


async def test_without_keys_it_is_not_the_callers_fault(
    issuer: Issuer, realm: Realm, web: respx.MockRouter, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    token = realm.sign()
    good = web["about"].side_effect
    web["about"].side_effect = httpx.ConnectError
    for _ in range(20):
        assert await refuse(issuer, token) == SILENT
    assert count(web) == (5, 0)
    lines = {record.getMessage() for record in caplog.records if record.name == "gateway.oidc"}
    assert lines == {f"the keys of {URL} cannot be read, so sign-ins may fail: Mock Error"}
    web["about"].side_effect = good
    time.now += 5
    assert (await issuer.verify(token)).subject == "person-7"


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ReadTimeout, httpx.ProxyError, httpx.Response(503)])
async def test_the_old_keys_go_on(
    issuer: Issuer, realm: Realm, web: respx.MockRouter, time: Time, failure: Any
) -> None:
    token = realm.sign(exp=NOW + 9999)
    await issuer.verify(token)
    web["keys"].mock(**{"return_value" if isinstance(failure, httpx.Response) else "side_effect": failure})
    time.now += 601
    for _ in range(20):
        assert (await issuer.verify(token)).subject == "person-7"
    assert count(web) == (1, 2)
    assert await refuse(issuer, realm.sign(key=make_ec("second"))) == NO_KEY
    time.now += 30
    await issuer.verify(token)
    assert count(web) == (3, 4)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"issuer": "https://id.example/realms/other"}, "of another issuer"),
        ({"issuer": f"{URL}/"}, "of another issuer"),
        ({"issuer": None}, "of another issuer"),
        ({"jwks_uri": None}, "does not say where its keys are"),
        ({"jwks_uri": "http://id.example/realms/acme/keys"}, "without https"),
        ({"jwks_uri": "file://id.example/keys"}, "without https"),
        ({"jwks_uri": "https://[id.example/keys"}, "Invalid IPv6 URL"),
        ({"jwks_uri": "https:///keys"}, "does not say where its keys are"),
        ({"jwks_uri": [KEYS]}, "does not say where its keys are"),
    ],
)
async def test_what_an_issuer_must_not_say_of_itself(
    issuer: Issuer, realm: Realm, web: respx.MockRouter, changed: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    web["about"].mock(return_value=httpx.Response(200, json={**realm.about(), **changed}))
    assert await refuse(issuer, realm.sign()) == SILENT
    assert reason in caplog.text
    assert count(web) == (1, 0)


@pytest.mark.parametrize("address", ["http://127.0.0.1:5556/keys", "http://localhost/keys", "http://[::1]/keys"])
async def test_keys_on_this_machine_need_no_https(
    issuer: Issuer, realm: Realm, web: respx.MockRouter, address: str
) -> None:
    web["about"].mock(return_value=httpx.Response(200, json={**realm.about(), "jwks_uri": address}))
    web.get(address).respond(json=realm.key_set())
    assert (await issuer.verify(realm.sign())).subject == "person-7"


async def test_an_issuer_without_https_has_its_keys_so_too(issuer: Issuer, web: respx.MockRouter, time: Time) -> None:
    realm = Realm("http://id.internal/", wall=time.clock)
    web.get("http://id.internal/.well-known/openid-configuration").respond(json=realm.about())
    web.get("http://id.internal/keys").respond(json=realm.key_set())
    assert (await replace(issuer, issuer=realm.url).verify(realm.sign())).subject == "person-7"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b'{"keys": []}'.ljust(1_000_001)),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"keys": {}}),
        httpx.Response(301, headers={"location": KEYS}),
        httpx.Response(404, json={"keys": []}),
    ],
)
async def test_answers_that_are_no_keys(
    issuer: Issuer, realm: Realm, web: respx.MockRouter, answer: httpx.Response
) -> None:
    web["keys"].mock(return_value=answer)
    assert await refuse(issuer, realm.sign()) == SILENT


# ---------------------------------------------------------------- anything at all

TEXT = st.text(st.characters())
NAMES = st.text(st.characters(codec="utf-8"))
KNOWN = st.sampled_from([URL, "ADMIN", "RSA", "EC", "OKP", "ES256", "sig", NOW, NOW + 300])


def nest(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Of such values, lists and objects."""
    known = st.none() | st.booleans() | st.integers() | KNOWN
    return st.recursive(
        known | leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=6,
    )


ANYTHING = nest(TEXT | st.floats())
"""JSON, and what is none: numbers that are not finite, halves of letters."""
JSON = nest(st.text(st.characters(codec="utf-8")) | st.floats(allow_nan=False, allow_infinity=False))
CLAIMS = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "workspace", "email", "email_verified", "role"])
HEADERS = st.sampled_from(["alg", "kid", "typ", "cty", "crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc"])
PARTS = st.sampled_from(["kty", "kid", "use", "alg", "key_ops", "crv", "x", "y", "n", "e", "d", "k", "x5c"])
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def try_out(issuer: Issuer, token: str) -> None:
    """Any other error is one of ours."""
    with suppress(Unauthenticated):
        assert isinstance(await issuer.verify(token), Claims)


@many
@given(changed=st.dictionaries(CLAIMS, ANYTHING, max_size=4))
@example(changed={"exp": 10**400})
async def test_any_claims(issuer: Issuer, realm: Realm, changed: Any) -> None:
    await try_out(issuer, realm.sign(**changed))


@many
@given(changed=st.dictionaries(HEADERS | TEXT, ANYTHING, max_size=4), payload=st.binary() | ANYTHING)
async def test_any_header_and_payload(issuer: Issuer, realm: Realm, changed: Any, payload: Any) -> None:
    await try_out(
        issuer, write({"alg": "ES256", "kid": "first", **changed}, payload, sign_with(realm.keys[0], "ES256"))
    )


@many
@given(token=TEXT | st.lists(st.text("AQaz09-_=+/ "), max_size=6).map(".".join))
async def test_any_text(issuer: Issuer, token: str) -> None:
    await try_out(issuer, token)


@many
@given(changed=st.dictionaries(PARTS, JSON, max_size=3), more=JSON, key=st.sampled_from([make_ec("k"), make_okp("k")]))
async def test_any_keys(issuer: Issuer, realm: Realm, time: Time, changed: Any, more: Any, key: Any) -> None:
    """One that is broken spoils none of the others, and nothing is verified by what it might be."""
    realm.more = [{**key.as_dict(private=False), **changed}, more]
    time.now += 600
    await try_out(issuer, realm.sign("ES256", key if key.key_type == "EC" else None))
    assert (await issuer.verify(realm.sign())).subject == "person-7"
