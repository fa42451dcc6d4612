"""HubSpot's tokens: exchanged, refreshed, told of, revoked, each with its faults; and what the log says of it."""

import json
import re
import time
from base64 import b64encode
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from sandbox.hubspot import oauth
from sandbox.hubspot.account import Portal
from sandbox.hubspot.profiles import SMALL
from tests.sandbox.hubspot.app import REDIRECT, App

GRANTED = ["oauth", "crm.objects.contacts.read", "crm.objects.owners.read"]
TOKEN = "2026-09/token"
SHAPE = [
    "token_type", "token_use", "access_token", "refresh_token", "expires_in", "hub_id", "user_id", "scopes",
]  # fmt: skip
LEGACY_SHAPE = ["token_type", "access_token", "refresh_token", "expires_in"]


@pytest.fixture
async def app(client: httpx.AsyncClient) -> App:
    app = App(client)
    await app.faults()
    return app


def is_refused(answer: httpx.Response, error: str = "invalid_grant", status: str = "BAD_REFRESH_TOKEN") -> bool:
    body = answer.json()
    known = set(body) == {"error", "error_description", "status", "message"} and body["message"]
    told = known and body["error_description"] == body["message"]
    return bool(told) and (answer.status_code, body["error"], body["status"]) == (400, error, status)


@pytest.mark.parametrize("version", ["2026-09", "2026-03", "v3"])
async def test_a_code_is_exchanged(app: App, version: str) -> None:
    answer = await app.exchange(await app.code(), version)
    given = answer.json()
    assert (answer.status_code, list(given)) == (200, SHAPE)
    assert re.fullmatch(r"[\w-]{300}", given["access_token"])
    assert re.fullmatch(r"na1-[0-9a-f-]{36}", given["refresh_token"])
    assert (given["token_type"], given["token_use"], given["expires_in"]) == ("bearer", "access_token", 1800)
    assert (given["hub_id"], given["user_id"], given["scopes"]) == (24819034, 50101, GRANTED)
    assert await app.status(given["access_token"]) == 200


async def test_the_first_version_says_less(app: App) -> None:
    first = (await app.exchange(await app.code(), "v1")).json()
    second = (await app.refresh(first["refresh_token"], "v1")).json()
    assert (list(first), list(second)) == (LEGACY_SHAPE, LEGACY_SHAPE)
    assert [await app.status(given["access_token"]) for given in (first, second)] == [200, 200]


async def test_a_version_that_is_not_there(app: App) -> None:
    assert (await app.refresh("na1-0", "2025-09")).status_code == 404
    assert (await app.post("v1/token/revoke", token="na1-0")).status_code == 404


async def test_the_second_account(client: httpx.AsyncClient) -> None:
    given = await (app := App(client, account=2)).install()
    again = (await app.refresh(given["refresh_token"])).json()
    assert (given["hub_id"], again["hub_id"], given["user_id"]) == (8120577, 8120577, 60201)


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ({"scope": "oauth sales-email-read"}, ["oauth", "sales-email-read"]),
        ({"scope": "sales-email-read oauth"}, ["oauth", "sales-email-read"]),
        (
            {"scope": "oauth", "optional_scope": "tickets crm.objects.deals.write"},
            ["oauth", "crm.objects.deals.write"],
        ),
    ],
)
async def test_scopes_are_those_asked_for(app: App, asked: dict[str, str], granted: list[str]) -> None:
    given = await app.install(**asked)
    assert given["scopes"] == granted
    assert (await app.refresh(given["refresh_token"])).json()["scopes"] == granted


async def test_a_code_is_used_once_by_the_app_it_is_for(app: App) -> None:
    code = await app.code()
    assert is_refused(await App(app.client, name="other").exchange(code), status="BAD_AUTH_CODE")
    assert is_refused(await app.exchange(code, redirect=f"{REDIRECT}/"), status="BAD_AUTH_CODE")
    assert (await app.exchange(code)).status_code == 200
    assert is_refused(await app.exchange(code), status="BAD_AUTH_CODE")
    assert is_refused(await app.exchange("0" * 40), status="BAD_AUTH_CODE")


async def test_a_refresh(app: App) -> None:
    first = await app.install()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second == first | {"access_token": second["access_token"]}
    assert second["access_token"] != first["access_token"]
    assert [await app.status(given["access_token"]) for given in (first, second)] == [200, 200]
    assert is_refused(await App(app.client, name="other").refresh(first["refresh_token"]))
    assert is_refused(await app.refresh("na1-0"))
    assert is_refused(await app.refresh(first["access_token"]))


async def test_credentials_belong_in_the_body(app: App) -> None:
    basic = {"authorization": f"Basic {b64encode(b'app:secret').decode()}"}
    form = {"grant_type": "refresh_token", "refresh_token": (await app.install())["refresh_token"]}
    answer = await app.client.post(f"/hubspot/oauth/{TOKEN}", data=form, headers=basic)
    assert is_refused(answer, "invalid_client", "BAD_CLIENT_ID")
    answer = await app.client.post(f"/hubspot/oauth/{TOKEN}", data={**form, "client_id": "app"}, headers=basic)
    assert is_refused(answer, "invalid_client", "BAD_CLIENT_SECRET")


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({}, "unsupported_grant_type", "BAD_GRANT_TYPE"),
        ({"grant_type": "password"}, "unsupported_grant_type", "BAD_GRANT_TYPE"),
        ({"grant_type": "authorization_code", "redirect_uri": REDIRECT}, "invalid_request", "BAD_CODE"),
        ({"grant_type": "authorization_code", "code": "c"}, "invalid_request", "BAD_REDIRECT_URI"),
        ({"grant_type": "refresh_token"}, "invalid_request", "BAD_REFRESH_TOKEN"),
    ],
)
async def test_forms_that_are_refused(app: App, form: dict[str, str], error: str, status: str) -> None:
    assert is_refused(await app.post(TOKEN, **form), error, status)


async def test_a_body_that_is_no_form(app: App) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": "na1-0", **app.credentials}
    answer = await app.client.post(f"/hubspot/oauth/{TOKEN}", json=body)
    assert is_refused(answer, "unsupported_grant_type", "BAD_GRANT_TYPE")


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_what_is_told_of_an_access_token(app: App, name: str) -> None:
    given = await app.install()
    told = await app.introspect(**{name: given["access_token"], "token_type_hint": "access_token"})
    signed = told.pop("signed_access_token")
    assert told.pop("expires_in") in {1799, 1800}
    assert told.pop("app_id") == signed["appId"]
    assert told == {
        "active": True, "client_id": "app", "token_type": "bearer", "token_use": "access_token",
        "token": given["access_token"], "hub_id": 24819034, "hub_domain": "nordlicht-handel.example",
        "user_id": 50101, "user": "rae@nordlicht-sandbox.example", "scopes": GRANTED, "is_private_distribution": False,
    }  # fmt: skip
    assert (signed["hublet"], signed["hubId"], signed["userId"]) == ("na1", 24819034, 50101)


@pytest.mark.parametrize("name", ["token", "refresh_token"])
async def test_what_is_told_of_a_refresh_token(app: App, name: str) -> None:
    given = await app.install()
    told = await app.introspect(**{name: given["refresh_token"], "token_type_hint": "refresh_token"})
    assert isinstance(told.pop("app_id"), int)
    assert told == {
        "active": True, "client_id": "app", "token_type": "bearer", "token_use": "refresh_token",
        "token": given["refresh_token"], "hub_id": 24819034, "hub_domain": "nordlicht-handel.example",
        "user_id": 50101, "user": "rae@nordlicht-sandbox.example", "scopes": GRANTED,
    }  # fmt: skip


async def test_nothing_is_told_of_what_is_dead_or_anothers(app: App) -> None:
    given = await app.install()
    for token in ("na1-0", *(given[name] for name in ("access_token", "refresh_token"))):
        assert await App(app.client, name="other").introspect(token=token) == {"active": False}
    assert is_refused(await app.post("2026-09/token/introspect"), "invalid_request", "BAD_TOKEN")
    await app.post("2026-09/token/revoke", token=given["refresh_token"])
    assert await app.introspect(token=given["refresh_token"]) == {"active": False}


async def test_a_refresh_token_is_revoked_and_no_more(app: App) -> None:
    given, other = await app.install(), await app.install()
    answer = await app.post("2026-09/token/revoke", token=given["refresh_token"], token_type_hint="refresh_token")
    assert answer.status_code == 200
    assert is_refused(await app.refresh(given["refresh_token"]))
    assert await app.status(given["access_token"]) == 200
    assert (await app.refresh(other["refresh_token"])).status_code == 200


async def test_what_cannot_be_revoked(app: App) -> None:
    given = await app.install()
    assert (await app.post("2026-09/token/revoke", token="na1-0")).status_code == 200
    assert (await app.post("2026-09/token/revoke", token=given["access_token"])).status_code == 200
    assert is_refused(await App(app.client, name="other").post("v3/token/revoke", token=given["refresh_token"]))
    assert is_refused(await app.post("v3/token/revoke"), "invalid_request", "BAD_TOKEN")
    assert await app.status(given["access_token"]) == 200
    assert (await app.refresh(given["refresh_token"])).status_code == 200


async def test_the_first_version_has_tokens_in_the_path(app: App) -> None:
    given = await app.install()
    by_access = f"/hubspot/oauth/v1/access-tokens/{given['access_token']}"
    by_refresh = f"/hubspot/oauth/v1/refresh-tokens/{given['refresh_token']}"
    told = (await app.client.get(by_access)).json()
    assert (told["hub_id"], told["hub_domain"], told["user"]) == (
        24819034, "nordlicht-handel.example", "rae@nordlicht-sandbox.example",
    )  # fmt: skip
    assert (told["user_id"], told["scopes"], told["token"]) == (50101, GRANTED, given["access_token"])
    assert told["expires_in"] in {1799, 1800}
    assert (await app.client.get(by_refresh)).json()["client_id"] == "app"
    assert (await app.client.delete(by_refresh)).status_code == 204
    assert is_refused(await app.refresh(given["refresh_token"]))
    assert (await app.client.get(by_refresh)).status_code == 404
    assert (await app.client.get(by_access)).status_code == 200
    assert (await app.client.get("/hubspot/oauth/v1/access-tokens/unknown")).status_code == 404
    assert (await app.client.delete("/hubspot/oauth/v1/refresh-tokens/unknown")).status_code == 204


async def test_an_access_token_lives_for_1800_seconds() -> None:
    portal, now = Portal(SMALL, 5, 1, 0), [0.0]
    portal.grants.clock = lambda: now[0]
    transport = httpx.ASGITransport(Starlette(routes=oauth.make_routes([portal])))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        credentials = {"client_id": "app", "client_secret": "secret"}
        code = portal.grants.consent("app", REDIRECT, ["oauth"])
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
        given = (await client.post("/oauth/v3/token", data=credentials | form)).json()
        asked = credentials | {"token": given["access_token"]}
        for moment, active in ((1799.9, True), (1800.0, False)):
            now[0] = moment
            told = (await client.post("/oauth/v3/token/introspect", data=asked)).json()
            assert told["active"] == active


async def test_refreshes_are_refused(app: App) -> None:
    given = await app.install()
    await app.faults(refuseRefresh=True)
    assert is_refused(await app.refresh(given["refresh_token"]))
    assert (await app.exchange(await app.code())).status_code == 200
    await app.faults()
    assert (await app.refresh(given["refresh_token"])).status_code == 200


async def test_refresh_tokens_are_omitted(app: App) -> None:
    await app.faults(omitRefreshToken=True, rotateRefreshToken=True)
    given = await app.install()
    for _ in range(2):
        answer = await app.refresh(given["refresh_token"])
        assert list(answer.json()) == [name for name in SHAPE if name != "refresh_token"]


async def test_refresh_tokens_rotate(app: App) -> None:
    await app.faults(rotateRefreshToken=True)
    first = await app.install()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert is_refused(await app.refresh(first["refresh_token"]))
    await app.faults()
    third = (await app.refresh(second["refresh_token"])).json()
    assert third["refresh_token"] == second["refresh_token"]


async def test_scopes_are_lacking(app: App) -> None:
    given = await app.install()
    await app.faults(withoutScopes=["crm.objects.owners.read"])
    lacking = (await app.refresh(given["refresh_token"])).json()
    assert lacking["scopes"] == ["oauth", "crm.objects.contacts.read"]
    await app.faults()
    assert (await app.refresh(given["refresh_token"])).json()["scopes"] == GRANTED


async def test_a_status_is_for_oauth_where_it_says_so(app: App) -> None:
    given = await app.install()
    for asked in (503, {"code": 503}, {"code": 503, "path": "/crm/objects/2026-09/contacts"}):
        await app.faults(status=asked)
        assert (await app.refresh(given["refresh_token"])).status_code == 200
    await app.faults(status={"code": 503, "path": "/oauth/2026-09/token", "times": 1})
    assert [(await app.refresh(given["refresh_token"])).status_code for _ in range(2)] == [503, 200]


async def test_tokens_are_late(app: App) -> None:
    given = await app.install()
    await app.faults(latencyMs=8)
    start = time.monotonic()
    assert (await app.refresh(given["refresh_token"])).status_code == 200
    assert time.monotonic() - start >= 0.008


def oauth_calls(log: Any) -> list[tuple[str, str, int, int]]:
    return [
        (call["method"], call["path"], call["status"], call["count"])
        for call in log["calls"]
        if call["path"].startswith("/oauth")
    ]


async def test_the_log_of_oauth(app: App) -> None:
    given = await app.install()
    await app.refresh(given["refresh_token"])
    await app.faults(refuseRefresh=True)
    await app.refresh(given["refresh_token"])
    await app.refresh("na1-0")
    await app.introspect(token=given["access_token"])
    await app.client.get(f"/hubspot/oauth/v1/access-tokens/{given['access_token']}")
    await app.client.delete(f"/hubspot/oauth/v1/refresh-tokens/{given['refresh_token']}")
    log = await app.control("GET", "requests")
    assert log["oauth"] == {"exchanges": 1, "refreshes": 1, "revocations": 1, "refused": 1}
    assert (log["total"], log["byStatus"]) == (0, {})
    assert oauth_calls(log) == [
        ("DELETE", "/oauth/v1/refresh-tokens/{token}", 204, 1),
        ("GET", "/oauth/v1/access-tokens/{token}", 200, 1),
        ("POST", "/oauth/2026-09/token", 200, 2),
        ("POST", "/oauth/2026-09/token", 400, 1),
        ("POST", "/oauth/2026-09/token/introspect", 200, 1),
    ]
    assert not any(secret in json.dumps(log) for secret in (given["access_token"], given["refresh_token"], "secret"))
