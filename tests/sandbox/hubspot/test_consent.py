"""HubSpot's consent page: the scopes it asks for, the account it offers, and what comes back to the app."""

import re

import httpx
import pytest

from tests.sandbox.hubspot.app import AUTHORIZE, REDIRECT, SCOPE, App, read_query

ASKED = {"client_id": "app", "redirect_uri": REDIRECT, "scope": SCOPE, "state": "s"}
LARGE, SMALL = 24819034, 8120577


@pytest.fixture
def app(client: httpx.AsyncClient) -> App:
    return App(client)


@pytest.mark.parametrize(
    ("path", "chosen"),
    [
        (AUTHORIZE, "1"),
        (f"/hubspot/oauth/{LARGE}/authorize", "1"),
        (f"/hubspot/oauth/{SMALL}/authorize", "2"),
    ],
)
async def test_the_page_asks_for_consent(app: App, path: str, chosen: str) -> None:
    answer = await app.client.get(path, params={**ASKED, "optional_scope": "crm.objects.deals.read tickets"})
    page = answer.text
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert re.findall(r"<form [^>]*>", page) == [f'<form method="post" action="{path}">']
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    assert dict(hidden) == {**ASKED, "optional_scope": "crm.objects.deals.read tickets"}
    assert re.findall(r'name="account" value="(\d)" checked>', page) == [chosen]
    assert re.findall(r'name="account" value="\d"[^>]*> ([^<]+)<', page) == [
        "Nordlicht Handel",
        "Harbor &amp; Pine LLC",
    ]
    assert "<h1>app asks for access to HubSpot</h1>" in page
    assert re.findall(r"<li>([^<]+)</li>", page) == [
        "see which account it is, and who you are",
        "read contacts",
        "see the users who own records",
        "read deals",
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"scope": ""}, "did not say which scopes"),
        ({"scope": "crm.objects.contacts.read contacts.all crm.all"}, "do not exist: contacts.all, crm.all."),
        ({"scope": "crm.objects.contacts.read,crm.objects.deals.read"}, "do not exist"),
        ({"client_id": ""}, "client_id"),
        ({"redirect_uri": "/back"}, "redirect_uri"),
    ],
)
async def test_a_request_that_cannot_be_answered_is_a_page(app: App, wrong: dict[str, str], said: str) -> None:
    for answer in (await app.client.get(AUTHORIZE, params=ASKED | wrong), await app.decide(decision="allow", **wrong)):
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
        assert said in answer.text
        assert "start again" in answer.text


async def test_an_account_that_does_not_exist(app: App) -> None:
    answer = await app.client.get("/hubspot/oauth/1/authorize", params=ASKED)
    assert answer.status_code == 400
    assert "There is no account 1." in answer.text


async def test_refused(app: App) -> None:
    answer = await app.decide(decision="refuse")
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{REDIRECT}?")
    told = read_query(answer)
    assert set(told) == {"error", "error_description", "state"}
    assert (told["error"], told["state"]) == ("access_denied", "s")


@pytest.mark.parametrize("path", [AUTHORIZE, f"/hubspot/oauth/{LARGE}/authorize"])
async def test_allowed(app: App, path: str) -> None:
    answer = await app.decide(path, decision="allow")
    assert answer.status_code == 302
    assert re.fullmatch(re.escape(REDIRECT) + r"\?code=[0-9a-f]{40}&state=s", answer.headers["location"])
