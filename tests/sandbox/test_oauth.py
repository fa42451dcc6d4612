"""Tokens: exchanged, refreshed, revoked, expired, each with its faults; and what the log says of it."""

import json
import re
import time
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from sandbox.grants import CODE_SECONDS, IDLE_SECONDS, Grants
from sandbox.pipedrive import edge, oauth
from sandbox.pipedrive.account import Company
from sandbox.pipedrive.company import SMALL
from tests.sandbox.app import REDIRECT, TOKEN, App, is_refused
from tests.sandbox.caller import Caller

SCOPE = (
    "base,contacts:full,deals:full,activities:full,leads:full,users:read,search:read,recents:read,webhooks:full,"
    "contact-fields:full"
)


@pytest.fixture
def app(crm: Caller) -> App:
    return App(crm.client)


async def status(caller: Caller) -> int:
    return (await caller.get("/v1/users/me")).status_code


async def read_log(crm: Caller) -> Any:
    return (await crm.control("GET", "requests")).json()


async def test_a_code_is_exchanged(app: App) -> None:
    given = await app.install()
    assert list(given) == ["access_token", "token_type", "expires_in", "refresh_token", "scope", "api_domain"]
    assert re.fullmatch(r"v1u:[\w-]{120}", given["access_token"])
    assert re.fullmatch(r"\d+:\d+:[0-9a-f]{40}", given["refresh_token"])
    assert (given["token_type"], given["expires_in"], given["scope"]) == ("Bearer", 3599, SCOPE)
    assert given["api_domain"] == "https://nordlicht-sandbox.pipedrive.com"
    me = await app.holder(given).data("/v1/users/me")
    assert (me["company_id"], me["id"]) == (7812345, 1001)


async def test_the_second_account(crm: Caller) -> None:
    given = await (app := App(crm.client, account=2)).install()
    assert given["api_domain"] == "https://harborpine-sandbox.pipedrive.com"
    assert (await app.holder(given).data("/v1/users/me"))["company_domain"] == "harborpine-sandbox"
    assert (await app.refresh(given["refresh_token"])).json()["api_domain"] == given["api_domain"]


async def test_a_code_is_used_once(app: App) -> None:
    code = await app.code()
    assert (await app.exchange(code)).status_code == 200
    assert is_refused(await app.exchange(code))
    assert is_refused(await app.exchange("0" * 40))


async def test_a_code_is_bound_to_client_and_redirect(app: App) -> None:
    code = await app.code()
    assert is_refused(await App(app.client, name="other").exchange(code))
    assert is_refused(await app.exchange(code, f"{REDIRECT}/"))
    assert (await app.exchange(code)).status_code == 200


async def test_a_refresh(app: App) -> None:
    first = await app.install()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second == first | {"access_token": second["access_token"]}
    assert second["access_token"] != first["access_token"]
    assert [await status(app.holder(given)) for given in (first, second)] == [200, 200]
    assert is_refused(await App(app.client, name="other").refresh(first["refresh_token"]))
    assert is_refused(await app.refresh("1:1:00"))
    assert is_refused(await app.refresh(first["access_token"]))


async def test_credentials_in_the_body_and_a_slash_at_the_end(app: App) -> None:
    code = await app.code()
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT}
    answer = await app.client.post(f"{TOKEN}/", data={**form, "client_id": "app", "client_secret": "s"})
    assert answer.status_code == 200


@pytest.mark.parametrize("header", [None, "Basic", "Basic !", "Basic YXBwOg==", "Basic OnNlY3JldA==", "Basic /w=="])
async def test_without_credentials(app: App, header: str | None) -> None:
    headers = {"authorization": header} if header else {}
    answer = await app.client.post(TOKEN, data={"grant_type": "refresh_token"}, headers=headers)
    assert is_refused(answer, "invalid_client", 401)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "redirect_uri": REDIRECT}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "c"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "1:1:00"}, "invalid_grant"),
    ],
)
async def test_forms_that_are_refused(app: App, form: dict[str, str], error: str) -> None:
    assert is_refused(await app.token(**form), error)


async def test_an_access_token_is_revoked_alone(app: App) -> None:
    first = await app.install()
    second = (await app.refresh(first["refresh_token"])).json()
    answer = await app.revoke(first["access_token"], token_type_hint="access_token")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert [await status(app.holder(given)) for given in (first, second)] == [401, 200]
    assert (await app.refresh(first["refresh_token"])).status_code == 200


async def test_a_refresh_token_is_revoked_with_all_it_gave(app: App) -> None:
    first, other = await app.install(), await app.install()
    second = (await app.refresh(first["refresh_token"])).json()
    assert (await app.revoke(first["refresh_token"], token_type_hint="refresh_token")).json() == {"success": True}
    assert [await status(app.holder(given)) for given in (first, second, other)] == [401, 401, 200]
    assert is_refused(await app.refresh(first["refresh_token"]))


async def test_what_cannot_be_revoked(app: App) -> None:
    given = await app.install()
    assert (await app.revoke("unknown")).json() == {"success": True}
    assert is_refused(await App(app.client, name="other").revoke(given["refresh_token"]))
    assert is_refused(await app.revoke(""), "invalid_request")
    assert is_refused(await app.client.post("/pipedrive/oauth/revoke", data={"token": "t"}), "invalid_client", 401)
    assert await status(app.holder(given)) == 200


async def test_new_data_ends_no_grant(crm: Caller, app: App) -> None:
    given = await app.install()
    await crm.control("PUT", "data", {"size": 10})
    assert await status(app.holder(given)) == 200
    assert (await app.refresh(given["refresh_token"])).status_code == 200


async def test_an_access_token_lives_for_3599_seconds() -> None:
    company, now = Company(SMALL, 5, 1, 0), [0.0]
    company.grants.clock = lambda: now[0]
    grant = company.grants.exchange(company.grants.consent("app", REDIRECT, ["base"]), "app", REDIRECT)
    assert grant is not None
    token = json.loads(oauth.give_token(company, grant).body)["access_token"]
    transport = httpx.ASGITransport(Starlette(routes=edge.make_routes([company])))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        for moment, expected in ((3598.9, 200), (3599.0, 401)):
            now[0] = moment
            answer = await client.get("/v1/users/me", headers={"authorization": f"bearer {token}"})
            assert answer.status_code == expected
    assert company.calls.report()["byStatus"] == {"200": 1, "401": 1}


def test_codes_and_refresh_tokens_expire() -> None:
    now, numbers = [0.0], iter(range(100))
    grants = Grants(lambda: f"a{next(numbers)}", lambda: f"r{next(numbers)}", clock=lambda: now[0])
    codes = [grants.consent("app", REDIRECT, []) for _ in range(2)]
    now[0] = CODE_SECONDS - 0.1
    grant = grants.exchange(codes[0], "app", REDIRECT)
    assert grant is not None
    now[0] = CODE_SECONDS
    assert grants.exchange(codes[1], "app", REDIRECT) is None
    for _ in range(2):
        now[0] += IDLE_SECONDS - 1
        assert grants.renew(grant.refresh, "app", rotates=False) is grant
    now[0] += IDLE_SECONDS
    assert grants.renew(grant.refresh, "app", rotates=False) is None


async def test_tokens_die_after_so_many_calls(crm: Caller, app: App) -> None:
    given = await app.install()
    old = app.holder(given)
    assert [await status(old) for _ in range(3)] == [200] * 3
    await crm.faults(expireTokensAfter=2)
    assert [await status(old) for _ in range(4)] == [200, 200, 401, 401]
    fresh = app.holder((await app.refresh(given["refresh_token"])).json())
    assert [await status(fresh) for _ in range(3)] == [200, 200, 401]
    assert await status(crm) == 200
    await crm.faults()
    assert [await status(old), await status(fresh)] == [401, 401]
    await crm.faults(expireTokensAfter=0)
    assert await status(await app.caller()) == 401


async def test_refreshes_are_refused(crm: Caller, app: App) -> None:
    given = await app.install()
    await crm.faults(refuseRefresh=True)
    assert is_refused(await app.refresh(given["refresh_token"]))
    assert (await app.exchange(await app.code())).status_code == 200
    await crm.faults()
    assert (await app.refresh(given["refresh_token"])).status_code == 200


@pytest.mark.parametrize("rotates", [False, True])
async def test_refresh_tokens_are_omitted(crm: Caller, app: App, rotates: bool) -> None:
    await crm.faults(omitRefreshToken=True, rotateRefreshToken=rotates)
    given = await app.install()
    for _ in range(2):
        answer = await app.refresh(given["refresh_token"])
        assert list(answer.json()) == ["access_token", "token_type", "expires_in", "scope", "api_domain"]


async def test_refresh_tokens_rotate(crm: Caller, app: App) -> None:
    await crm.faults(rotateRefreshToken=True)
    first = await app.install()
    second = (await app.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert is_refused(await app.refresh(first["refresh_token"]))
    third = (await app.refresh(second["refresh_token"])).json()
    await crm.faults()
    assert (await app.refresh(third["refresh_token"])).json()["refresh_token"] == third["refresh_token"]


async def test_a_status_is_for_oauth_where_it_says_so(crm: Caller, app: App) -> None:
    given = await app.install()
    for asked in (503, {"code": 503}, {"code": 503, "path": "/api/v2/persons"}):
        await crm.faults(status=asked)
        assert (await app.refresh(given["refresh_token"])).status_code == 200
    await crm.faults(status={"code": 503, "path": "/oauth/token", "times": 1})
    assert await status(crm) == 200
    refused = await app.refresh(given["refresh_token"])
    assert (refused.status_code, refused.json()["success"]) == (503, False)
    assert (await app.refresh(given["refresh_token"])).status_code == 200


async def test_tokens_are_late(crm: Caller, app: App) -> None:
    given = await app.install()
    await crm.faults(latencyMs=8)
    start = time.monotonic()
    assert (await app.refresh(given["refresh_token"])).status_code == 200
    assert time.monotonic() - start >= 0.008


async def test_access_tokens_are_refused(crm: Caller, app: App) -> None:
    caller = await app.caller()
    await crm.faults(refuseToken=True)
    assert await status(caller) == 401
    await crm.faults()
    assert await status(caller) == 200


async def test_the_log_of_oauth(crm: Caller, small: Caller, app: App) -> None:
    given = await app.install()
    await app.refresh(given["refresh_token"])
    await crm.faults(refuseRefresh=True)
    await app.refresh(given["refresh_token"])
    await app.refresh("1:1:00")
    await status(app.holder(given))
    await app.revoke(given["refresh_token"])
    await status(app.holder(given))
    log = await read_log(crm)
    assert log["oauth"] == {"exchanges": 1, "refreshes": 1, "revocations": 1, "refused": 1}
    assert (log["total"], log["byStatus"], log["tokens"]) == (2, {"200": 1, "401": 1}, 2)
    assert [(call["path"], call["status"], call["count"]) for call in log["calls"]] == [
        ("/api/v1/users/me", 200, 1),
        ("/api/v1/users/me", 401, 1),
        ("/oauth/revoke", 200, 1),
        ("/oauth/token", 200, 2),
        ("/oauth/token", 400, 1),
    ]
    assert [(call["path"], call["query"]) for call in log["recent"] if "oauth" in call["path"]] == [
        ("/oauth/token", "grant_type=authorization_code"),
        *[("/oauth/token", "grant_type=refresh_token")] * 2,
        ("/oauth/revoke", ""),
    ]
    assert not any(secret in json.dumps(log) for secret in (given["access_token"], given["refresh_token"], "secret"))
    nothing = {"exchanges": 0, "refreshes": 0, "revocations": 0, "refused": 0}
    assert (await read_log(small))["calls"] == []
    assert (await read_log(small))["oauth"] == nothing
    assert (await crm.control("DELETE", "requests")).json()["oauth"] == nothing
    await app.install()
    await crm.control("PUT", "data", {"size": 10})
    assert (await read_log(crm))["oauth"] == nothing


async def test_a_call_without_credentials_is_refused_at_the_codes_account(crm: Caller, app: App) -> None:
    form = {"grant_type": "authorization_code", "code": await app.code(), "redirect_uri": REDIRECT}
    assert (await app.client.post(f"{TOKEN}/", data=form)).status_code == 401
    log = await read_log(crm)
    assert log["oauth"]["refused"] == 1
    assert log["calls"] == [{"method": "POST", "path": "/oauth/token", "status": 401, "count": 1}]
