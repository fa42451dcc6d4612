"""OAuth against a vendor faked at the transport: what is sent, to the letter, and what becomes of every kind of answer."""

import base64
import traceback
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

from connectors.calls import EARLY
from connectors.declaration import OAuth
from connectors.errors import CrmError, Reauthorize, Retryable, Unsupported
from connectors.http import Http
from connectors.oauth import LIFETIME, TRIES, App, read_lifetime
from connectors.registry import CONNECTORS
from storage.shapes import CredentialKind
from tests.connectors.clock import Time

HOST = "https://oauth.pipedrive.com"
REDIRECT = "https://gateway.example/oauth/callback"
SECRETS = ("access-1", "refresh-1", "code-1", "hush")
ANSWER: dict[str, Any] = {
    "access_token": "access-1",
    "token_type": "Bearer",
    "expires_in": 3599,
    "refresh_token": "refresh-1",
    "scope": "base,contacts:full,activities:full",
    "api_domain": "https://acme.pipedrive.com",
}

ODD_LIFETIMES: list[Any] = [None, 0, -1, True, "soon", [], {}, "nan", "inf", 1e300, "9" * 400]


@pytest.fixture
def app(time: Time, http: Http) -> App:
    connector = CONNECTORS["PIPEDRIVE"]
    assert connector.oauth
    return App(
        connector=connector,
        oauth=connector.oauth,
        client_id="client+1",
        client_secret="hush",
        http=http,
        url=HOST,
        token_url=HOST,
        pause=time.pause,
        wall=time.clock,
    )


async def fail(call: Any) -> CrmError:
    """The error, which shows no secret however it is printed."""
    with pytest.raises(CrmError) as raised:
        await call
    printed = "".join(traceback.format_exception(raised.value))
    assert [secret for secret in SECRETS if secret in printed.replace('"code-1"', "").replace('"refresh-1"', "")] == []
    return raised.value


# ---------------------------------------------------------------- what is sent


def test_the_address_has_what_the_vendor_documents(app: App) -> None:
    url = urlsplit(app.authorization_url(REDIRECT, "state-1"))
    assert url._replace(query="").geturl() == f"{HOST}/oauth/authorize"
    assert parse_qsl(url.query) == [("client_id", "client+1"), ("redirect_uri", REDIRECT), ("state", "state-1")]


def test_where_scopes_are_asked_for_they_are_named(app: App) -> None:
    oauth = OAuth(default_url=HOST, authorize="/consent", token="/token")
    url = urlsplit(replace(app, oauth=oauth).authorization_url(REDIRECT, "s"))
    assert url.path == "/consent"
    assert parse_qsl(url.query)[3:] == [("scope", " ".join(app.connector.scopes))]


@respx.mock
async def test_the_requests_to_the_letter(app: App) -> None:
    token = respx.post(f"{HOST}/oauth/token").respond(json=ANSWER)
    revoke = respx.post(f"{HOST}/oauth/revoke").respond(json={"success": True})
    await app.exchange("code-1/~ä", REDIRECT)
    await app.refresh("1:2:refresh")
    await app.revoke("1:2:refresh")
    sent = [call.request for call in (*token.calls, *revoke.calls)]
    assert [dict(parse_qsl(request.content.decode())) for request in sent] == [
        {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code": "code-1/~ä"},
        {"grant_type": "refresh_token", "refresh_token": "1:2:refresh"},
        {"token": "1:2:refresh", "token_type_hint": "refresh_token"},
    ]
    for request in sent:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert request.headers["accept"] == "application/json"
        assert request.headers["authorization"] == f"Basic {base64.b64encode(b'client+1:hush').decode()}"
        assert not request.url.query


@respx.mock
async def test_a_redirect_is_not_followed(app: App) -> None:
    respx.post(f"{HOST}/oauth/token").respond(307, headers={"location": "https://evil.example/"})
    error = await fail(app.exchange("code-1", REDIRECT))
    assert (type(error), len(respx.calls)) == (Retryable, 1)


# ---------------------------------------------------------------- what a token is made of


@respx.mock
async def test_a_token(app: App, time: Time) -> None:
    respx.post(f"{HOST}/oauth/token").respond(json=ANSWER)
    token = await app.exchange("code-1", REDIRECT)
    credential = token.credential
    assert (credential.kind, credential.token, credential.refresh_token) == (
        CredentialKind.OAUTH2,
        "access-1",
        "refresh-1",
    )
    assert credential.expires_at == time.now + 3599
    assert token.scopes == ("base", "contacts:full", "activities:full")
    assert token.account_url == "https://acme.pipedrive.com"
    assert [secret for secret in SECRETS if secret in repr((token, app))] == []


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(60, 60), ("120", 120), (59.5, 59.5)] + [(odd, LIFETIME) for odd in ODD_LIFETIMES],
)
def test_a_lifetime_that_cannot_be_is_an_hour(given: Any, seconds: float) -> None:
    assert read_lifetime(given) == seconds
    assert LIFETIME > EARLY


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"scope": "base deals:full"}, ("base", "deals:full")),
        ({"scope": " base,  base ,x"}, ("base", "x")),
        ({"scope": ["base", 1]}, ("base",)),
        ({"scope": None}, ()),
        ({"scope": ""}, ()),
        ({"scope": 7}, ()),
    ],
)
@respx.mock
async def test_scopes_however_they_are_joined(app: App, changed: dict[str, Any], expected: tuple[str, ...]) -> None:
    respx.post(f"{HOST}/oauth/token").respond(json=ANSWER | changed)
    assert (await app.refresh("refresh-1")).scopes == expected


@pytest.mark.parametrize(
    "host",
    [
        "http://acme.pipedrive.com",
        "https://acme.pipedrive.com.evil.example",
        "https://acme.pipedrive.com/",
        "https://acme.pipedrive.com\n",
        "https://acme.pipedrive.com:444",
        "https://me@acme.pipedrive.com",
        "https://evil.example/#.pipedrive.com",
        "acme.pipedrive.com",
        ["https://acme.pipedrive.com"],
        None,
    ],
)
@respx.mock
async def test_an_address_that_is_not_the_vendors_is_not_taken(app: App, host: Any) -> None:
    respx.post(f"{HOST}/oauth/token").respond(json=ANSWER | {"api_domain": host})
    assert (await app.exchange("code-1", REDIRECT)).account_url is None


ODD: list[dict[str, Any]] = [{"expires_in": "soon"}, {"expires_in": None}, {"expires_at": "tomorrow"}]


@pytest.mark.parametrize("odd", ODD)
@respx.mock
async def test_odd_times_do_not_lose_the_token(app: App, time: Time, odd: dict[str, Any]) -> None:
    respx.post(f"{HOST}/oauth/token").respond(json={"access_token": "access-1", **odd})
    assert (await app.refresh("refresh-1")).credential.expires_at == time.now + LIFETIME


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, "refresh-1"), ({"refresh_token": None}, "refresh-1"), ({"refresh_token": "refresh-2"}, "refresh-2")],
)
@respx.mock
async def test_a_refresh_token_is_kept_until_there_is_another(app: App, given: dict[str, Any], kept: str) -> None:
    respx.post(f"{HOST}/oauth/token").respond(json={"access_token": "access-2", "expires_in": 60, **given})
    credential = (await app.refresh("refresh-1")).credential
    assert (credential.token, credential.refresh_token) == ("access-2", kept)


# ---------------------------------------------------------------- a vendor that gives tokens at its API's host

API = "https://api.example"


@pytest.fixture
def other(app: App) -> App:
    """It takes the client's secret in the body, and names scopes in a list."""
    oauth = OAuth(
        default_url=HOST,
        authorize="/oauth/authorize",
        token="/oauth/token",
        revoke="/oauth/revoke",
        on_api=True,
        client_auth="client_secret_post",
        scopes="given.scopes",
    )
    return replace(app, oauth=oauth, token_url=API)


@respx.mock
async def test_users_consent_at_one_host_and_tokens_are_at_the_other(other: App, time: Time) -> None:
    answer = {**ANSWER, "scope": "not these", "given": {"scopes": ["oauth", "contacts.read"]}}
    token = respx.post(f"{API}/oauth/token").respond(json=answer)

    given = await other.exchange("code-1", REDIRECT)

    assert other.authorization_url(REDIRECT, "s").startswith(f"{HOST}/oauth/authorize?client_id=client%2B1&")
    assert token.call_count == 1
    assert given.scopes == ("oauth", "contacts.read")
    assert (given.credential.token, given.credential.expires_at) == ("access-1", time.now + 3599)


@respx.mock
async def test_a_secret_in_the_body_is_in_no_header(other: App) -> None:
    token = respx.post(f"{API}/oauth/token").respond(json=ANSWER)
    revoke = respx.post(f"{API}/oauth/revoke").respond(200)

    await other.exchange("code-1", REDIRECT)
    await other.refresh("refresh-1")
    await other.revoke("refresh-1")

    sent = [call.request for call in (*token.calls, *revoke.calls)]
    client = {"client_id": "client+1", "client_secret": "hush"}
    assert [dict(parse_qsl(request.content.decode())) for request in sent] == [
        {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code": "code-1", **client},
        {"grant_type": "refresh_token", "refresh_token": "refresh-1", **client},
        {"token": "refresh-1", "token_type_hint": "refresh_token", **client},
    ]
    for request in sent:
        assert "authorization" not in request.headers
        assert "hush" not in str(request.url)


@respx.mock
async def test_a_refusal_there_tells_no_secret(other: App) -> None:
    body = {"error": "invalid_grant", "status": "BAD_REFRESH_TOKEN", "message": "refresh-1 of hush is invalid"}
    respx.post(f"{API}/oauth/token").respond(400, json=body)

    error = await fail(other.refresh("refresh-1"))

    assert type(error) is Reauthorize


# ---------------------------------------------------------------- refusals and failures

CLIENT = (
    "Pipedrive does not accept the OAuth client of this gateway:"
    " check PIPEDRIVE_CLIENT_ID and PIPEDRIVE_CLIENT_SECRET (HTTP 401{})."
)
ENDED = "Pipedrive does not accept the consent any more: connect the account again (HTTP {})."


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, {"success": False, "message": "refresh-1", "error": "invalid_grant"}, ENDED.format("400, invalid_grant")),
        (401, {"error": "invalid_grant"}, ENDED.format("401, invalid_grant")),
        (401, {"error": "invalid_client"}, CLIENT.format(", invalid_client")),
        (401, None, CLIENT.format("")),
        (400, {"error": "a text with refresh-1 in it"}, ENDED.format("400")),
        (400, {"error": {"code": 1}}, ENDED.format("400")),
        (400, None, ENDED.format("400")),
        (403, {"error": "invalid_grant"}, ENDED.format("403, invalid_grant")),
        (200, {"success": False, "error": "invalid_grant"}, ENDED.format("200, invalid_grant")),
    ],
)
@respx.mock
async def test_refused_for_good(app: App, status: int, body: Any, message: str) -> None:
    route = respx.post(f"{HOST}/oauth/token").respond(status, json=body)
    error = await fail(app.refresh("refresh-1"))
    assert (type(error), error.message, error.crm, route.call_count) == (Reauthorize, message, "PIPEDRIVE", 1)


@respx.mock
async def test_a_code_that_is_used_up(app: App) -> None:
    respx.post(f"{HOST}/oauth/token").respond(400, json={"error": "invalid_grant"})
    error = await fail(app.exchange("code-1", REDIRECT))
    assert error.message == (
        "Pipedrive does not accept the consent: its code was used before, or came too late (HTTP 400, invalid_grant)."
    )


async def test_without_a_refresh_token_nobody_is_asked(app: App) -> None:
    error = await fail(app.refresh(None))
    assert (type(error), error.message) == (
        Reauthorize,
        "Pipedrive does not accept the consent any more: connect the account again.",
    )


@pytest.mark.parametrize(
    ("answer", "message", "after"),
    [
        (httpx.Response(429, json={"error": "invalid_grant"}), "gives no token now (HTTP 429, invalid_grant)", None),
        (httpx.Response(429, headers={"retry-after": "7"}), "gives no token now (HTTP 429)", 7),
        (httpx.Response(503, headers={"retry-after": "9"}), "gives no token now (HTTP 503)", 9),
        (httpx.Response(403, text="<html>"), "gives no token now (HTTP 403)", None),
        (httpx.Response(404, json={"error": "not_found"}), "gives no token now (HTTP 404, not_found)", None),
        (
            httpx.Response(400, json={"error": "temporarily_unavailable"}),
            "gives no token now (HTTP 400, temporarily_unavailable)",
            None,
        ),
        (httpx.Response(200, text="<html>"), "gives no token now (HTTP 200)", None),
        (httpx.Response(200, json=["access-1"]), "gives no token now (HTTP 200)", None),
        (httpx.Response(200, json={"refresh_token": "refresh-1"}), "gave an answer without a token", None),
        (httpx.Response(200, json={"access_token": 7}), "gave an answer without a token", None),
        (httpx.Response(200, json={"access_token": ""}), "gave an answer without a token", None),
    ],
)
@respx.mock
async def test_refused_for_now(app: App, answer: httpx.Response, message: str, after: float | None) -> None:
    route = respx.post(f"{HOST}/oauth/token").mock(return_value=answer)
    error = await fail(app.refresh("refresh-1"))
    assert isinstance(error, Retryable)
    assert (error.message, error.after, route.call_count) == (f"Pipedrive {message}.", after, 1)


SILENT: list[Any] = [
    httpx.Response(500, json={"error": "server_error"}),
    httpx.Response(502, text="<html>"),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("late"),
    httpx.RemoteProtocolError("cut"),
]


@pytest.mark.parametrize("broken", SILENT)
@respx.mock
async def test_a_renewal_without_an_answer_is_tried_again(app: App, time: Time, broken: Any) -> None:
    route = respx.post(f"{HOST}/oauth/token")
    route.side_effect = [broken, broken, httpx.Response(200, json=ANSWER)]
    assert (await app.refresh("refresh-1")).credential.token == "access-1"
    assert [0.25 <= time.waited[0] <= 0.5, 0.5 <= time.waited[1] <= 1, len(time.waited)] == [True, True, 2]
    route.side_effect = [broken] * TRIES
    assert type(await fail(app.refresh("refresh-1"))) is Retryable
    assert route.call_count == 2 * TRIES


@pytest.mark.parametrize("broken", SILENT)
@respx.mock
async def test_a_code_is_tried_once(app: App, broken: Any) -> None:
    route = respx.post(f"{HOST}/oauth/token").mock(side_effect=[broken])
    assert type(await fail(app.exchange("code-1", REDIRECT))) is Retryable
    assert route.call_count == 1


async def test_an_address_that_is_none(app: App) -> None:
    error = await fail(replace(app, token_url="ftp://oauth.example").refresh("refresh-1"))
    assert (type(error), error.message) == (Unsupported, "The address of Pipedrive is not usable.")


@respx.mock
async def test_a_revocation_that_fails_says_so(app: App) -> None:
    respx.post(f"{HOST}/oauth/revoke").mock(side_effect=[httpx.Response(500), httpx.ConnectError("refused")])
    assert [type(await fail(app.revoke("refresh-1"))) for _ in range(2)] == [Retryable, Retryable]


async def test_a_vendor_without_revocation_is_not_asked(app: App) -> None:
    await replace(app, oauth=OAuth(default_url=HOST, authorize="/a", token="/t")).revoke("refresh-1")
