"""Browsers: which pages may call, what a link may do, and the headers of every answer."""

from typing import Any

import httpx
import pytest

from gateway.app import create_app as create_gateway
from gateway.settings import Settings
from resolvers.context import CALLBACK
from tests.gateway.stub import create_app

QUERY = {"query": '{ echo(text: "x") }'}
APP = "https://app.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
HTML = {"accept": "text/html"}


def browse(**options: Any) -> httpx.AsyncClient:
    """Callers of a gateway on this machine."""
    transport = httpx.ASGITransport(create_app(**options))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


# ---------------------------------------------------------------- CORS


async def test_a_page_of_another_origin_is_refused_before_and_without_a_preflight() -> None:
    async with browse() as client:
        asked = await client.options("/graphql", headers={"origin": APP, **PREFLIGHT})
        called = await client.post("/graphql", json=QUERY, headers={"origin": APP})
    assert (asked.status_code, called.status_code) == (403, 403)
    assert "access-control-allow-origin" not in {*asked.headers, *called.headers}


async def test_pages_of_an_origin_that_is_named_may_call_and_read_all_answers() -> None:
    async with browse(origins=[APP]) as client:
        asked = await client.options("/graphql", headers={"origin": APP, **PREFLIGHT})
        called = await client.post("/graphql", json=QUERY, headers={"origin": APP})
        refused = await client.post("/graphql", json={}, headers={"origin": APP})
    assert (asked.status_code, called.status_code, refused.status_code) == (200, 200, 400)
    allowed = {name.strip() for name in asked.headers["access-control-allow-headers"].lower().split(",")}
    assert allowed >= {"authorization", "content-type", "accept", "x-request-id", "traceparent"}
    assert asked.headers["access-control-allow-methods"] == "GET, POST"
    assert int(asked.headers["access-control-max-age"]) > 0
    for answer in (asked, called, refused):
        assert answer.headers["access-control-allow-origin"] == APP
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers
    assert called.headers["access-control-expose-headers"] == "x-request-id, retry-after"


@pytest.mark.parametrize("origin", ["https://app.example:8443", "http://app.example", "https://b.example", "null"])
async def test_naming_one_origin_lets_no_other_in(origin: str) -> None:
    async with browse(origins=[APP]) as client:
        asked = await client.options("/graphql", headers={"origin": origin, **PREFLIGHT})
        called = await client.post("/graphql", json=QUERY, headers={"origin": origin})
    assert (asked.status_code, called.status_code) == (403, 403)


async def test_a_credential_that_is_missing_is_told_to_pages_of_a_named_origin_too() -> None:
    async with browse(origins=[APP], is_open=False) as client:
        answer = await client.post("/graphql", json=QUERY, headers={"origin": APP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, APP)


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "crm.internal:9000"}, 401),
        ({"host": "crm.internal:9000", "origin": "https://crm.internal:9000"}, 401),
        ({"host": "crm.internal:9000", "origin": "https://crm.example"}, 401),
        ({"host": "crm.internal:9000", "origin": "https://elsewhere.example"}, 403),
    ],
)
async def test_where_all_bring_a_credential_a_proxy_may_give_any_name(headers: dict[str, str], status: int) -> None:
    async with browse(is_open=False) as client:
        answer = await client.post("/graphql", json=QUERY, headers=headers)
    assert answer.status_code == status


# ---------------------------------------------------------------- what carries no Origin


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("mode", ["no-cors", "cors"])
async def test_an_image_or_a_script_of_another_site_asks_for_nothing(site: str, mode: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    async with browse(origins=[APP]) as client:
        asked = await client.get("/graphql", params=QUERY, headers=headers)
        shown = await client.get("/graphql", headers={**headers, **HTML})
    assert (asked.status_code, shown.status_code) == (403, 403)


async def test_a_link_of_another_site_leads_to_the_page_and_runs_nothing() -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", **HTML}
    async with browse() as client:
        page = await client.get("/graphql", headers=headers)
        asked = await client.get("/graphql", params=QUERY, headers=headers)
        spelled = await client.get("/graphql?%71uery=%7B__typename%7D", headers=headers)
        posted = await client.post("/graphql", json=QUERY, headers=headers)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [each.status_code for each in (asked, spelled, posted)] == [403, 403, 403]


async def test_the_answer_of_a_consent_comes_from_another_site() -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "origin": "https://crm.vendor.example"}
    async with browse() as client:
        answer = await client.get(CALLBACK, headers=headers)
    assert (answer.status_code, "cannot be used" in answer.text) == (400, True)


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_our_own_pages_and_what_a_person_types_are_answered(site: str) -> None:
    headers = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
    async with browse() as client:
        answer = await client.get("/graphql", params=QUERY, headers=headers)
    assert answer.json() == {"data": {"echo": "x"}}


async def test_a_form_of_our_own_page_may_be_sent_though_its_origin_is_not_told() -> None:
    headers = {"origin": "null", "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}
    async with browse() as client:
        answer = await client.post("/graphql", content="", headers=headers)
    assert answer.status_code == 415  # it has come as far as to the view


# ---------------------------------------------------------------- headers

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
STRICT = "default-src 'none'; frame-ancestors 'none'"


@pytest.fixture
def gateway() -> httpx.AsyncClient:
    """The whole application, without what it stands on."""
    app = create_gateway(Settings.load(crosswalk_sandbox=True, public_url="https://crm.example"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://crm.example")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/healthz", {}, 200),
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/healthz", {}, 405),
        ("GET", "/", {}, 307),
        ("POST", "/graphql", {"origin": "https://elsewhere.example"}, 403),
        ("POST", "/graphql", {}, 500),
        ("GET", "/readyz", {}, 500),
    ],
)
async def test_every_answer_has_them(
    gateway: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with gateway:
        answer = await gateway.request(method, path, headers=headers)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert answer.headers["content-security-policy"] == STRICT
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


async def test_a_page_brings_its_own_policy_and_a_file_may_be_kept(gateway: httpx.AsyncClient) -> None:
    async with gateway:
        page = await gateway.get("/graphql", headers=HTML)
        file = await gateway.get("/static/page.js")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"
    assert file.headers["content-security-policy"] == STRICT
    assert "no-store" not in file.headers.get("cache-control", "")


@pytest.mark.parametrize(("public_url", "sent"), [("https://crm.example", True), ("http://crm.example", False)])
async def test_browsers_are_held_to_https_where_the_public_address_is(public_url: str, sent: bool) -> None:
    async with browse(public_url=public_url) as client:
        answer = await client.post("/graphql", json=QUERY)
    assert ("strict-transport-security" in answer.headers) is sent


async def test_a_fault_that_nobody_catches_tells_only_the_logs_id(
    gateway: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway:
        answer = await gateway.get("/readyz")  # nothing is up
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["id"] in caplog.text
    assert "process" not in answer.text
