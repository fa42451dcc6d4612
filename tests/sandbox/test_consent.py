"""The consent page, and where it sends people."""

import re
from html import unescape
from urllib.parse import urlsplit

import httpx
import pytest

from tests.sandbox.app import AUTHORIZE, REDIRECT, App, read_query

ASKED = {"client_id": "app", "redirect_uri": REDIRECT, "state": "s"}
RIGHTS = 10


@pytest.fixture
def app(client: httpx.AsyncClient) -> App:
    return App(client)


async def test_the_page_asks_for_consent(app: App) -> None:
    answer = await app.client.get(AUTHORIZE, params={**ASKED, "scope": "all", "prompt": "yes"})
    page = answer.text
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert re.findall(r"<form [^>]*>", page) == [f'<form method="post" action="{AUTHORIZE}">']
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    assert dict(hidden) == ASKED
    assert re.findall(r'name="account" value="(\d)"( checked)?> ([^<]+)<', page) == [
        ("1", " checked", "Nordlicht Handel"),
        ("2", "", "Harbor &amp; Pine LLC"),
    ]
    assert re.findall(r'<button type="submit" name="(\w+)" value="(\w+)"', page) == [
        ("decision", "allow"),
        ("decision", "refuse"),
    ]
    assert "<h1>app asks for access to Pipedrive</h1>" in page
    assert page.count("<li>") == RIGHTS
    assert "<script" not in page


async def test_the_page_escapes_what_it_is_given(app: App) -> None:
    evil = '"><script>alert(1)</script>{x}🤝'
    page = (await app.client.get(AUTHORIZE, params={**ASKED, "client_id": evil, "state": evil})).text
    assert "<script" not in page
    hidden = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)">', page)}
    assert (hidden["client_id"], hidden["state"]) == (evil, evil)


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": "/back"},
        {"redirect_uri": "app.example/back"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "ftp://app.example/"},
        {"redirect_uri": "http:///back"},
        {"redirect_uri": "http://[app/"},
    ],
)
async def test_a_request_that_cannot_be_answered_is_a_page(app: App, wrong: dict[str, str]) -> None:
    for answer in (
        await app.client.get(AUTHORIZE, params=ASKED | wrong),
        await app.decide(decision="allow", **wrong),
        await app.decide(decision="refuse", **wrong),
    ):
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert next(iter(wrong)) in answer.text
        assert "start again" in answer.text


@pytest.mark.parametrize("wrong", [{"decision": "perhaps"}, {}, {"decision": "allow", "account": "3"}])
async def test_a_form_filled_wrongly_is_a_page(app: App, wrong: dict[str, str]) -> None:
    assert (await app.decide(**wrong)).status_code == 400


async def test_refused(app: App) -> None:
    answer = await app.decide(decision="refuse")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"{REDIRECT}?error=user_denied&state=s"


async def test_allowed(app: App) -> None:
    answer = await app.decide(decision="allow")
    assert answer.status_code == 302
    assert re.fullmatch(re.escape(REDIRECT) + r"\?code=[0-9a-f]{40}&state=s", answer.headers["location"])


async def test_the_redirects_own_query_stays(app: App) -> None:
    answer = await app.decide(decision="allow", redirect_uri=f"{REDIRECT}?tenant=a%26b", state="ü&=+ %")
    assert read_query(answer) == {"tenant": "a&b", "code": read_query(answer)["code"], "state": "ü&=+ %"}
    assert urlsplit(answer.headers["location"]).query.startswith("tenant=a%26b&code=")


async def test_without_state_none_comes_back(app: App) -> None:
    answer = await app.decide(decision="refuse", state="")
    assert answer.headers["location"] == f"{REDIRECT}?error=user_denied"
