"""GraphQL over HTTP: methods, bodies, media types, status codes, streams; and who is not answered at all."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.gateway.stub import MAX_BODY, create_app

ECHO = '{ echo(text: "ü") }'
RESPONSE_JSON = "application/graphql-response+json"


@pytest_asyncio.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


def code(answer: httpx.Response) -> tuple[int, str]:
    [error] = answer.json()["errors"]
    assert "data" not in answer.json()
    return answer.status_code, error["extensions"]["code"]


async def test_a_query_by_post_and_by_get(client: httpx.AsyncClient) -> None:
    posted = await client.post("/graphql", json={"query": ECHO})
    got = await client.get("/graphql", params={"query": ECHO})
    assert posted.json() == got.json() == {"data": {"echo": "ü"}}
    assert (posted.status_code, posted.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("accept", "kind", "status"),
    [
        ("*/*", "application/json", 400),
        ("application/json", "application/json", 200),  # as the specification has it for this type
        (RESPONSE_JSON, RESPONSE_JSON, 400),
        (f"{RESPONSE_JSON}, application/json;q=0.9", RESPONSE_JSON, 400),
    ],
)
async def test_what_does_not_validate(client: httpx.AsyncClient, accept: str, kind: str, status: int) -> None:
    answer = await client.post("/graphql", json={"query": "{ nothing }"}, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    assert "data" not in answer.json()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"[" * 9000,
        b'{"query": 1}',
        b'{"query": "{ echo }", "variables": 1}',
    ],
)
async def test_malformed_bodies(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert code(answer) == (400, "BAD_INPUT")


async def test_an_integer_is_kept_to_the_last_digit(client: httpx.AsyncClient) -> None:
    numbers = b'[9223372036854775807, 123456789012345678901234567890, "9223372036854775808"]'
    body = b'{"query": "query ($v: JSON!) { keep(value: $v) }", "variables": {"v": %b}}' % numbers
    answer = await client.post("/graphql", content=body, headers={"content-type": "application/json"})
    assert answer.json() == {
        "data": {"keep": [9223372036854775807, "123456789012345678901234567890", "9223372036854775808"]}
    }


@pytest.mark.parametrize("body", [{}, {"query": ""}, {"query": ECHO, "operationName": 1}, [{"query": ECHO}]])
async def test_requests_that_say_nothing_or_too_much(client: httpx.AsyncClient, body: object) -> None:
    assert code(await client.post("/graphql", json=body)) == (400, "BAD_INPUT")


async def test_no_query_is_no_request_in_any_media_type(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={}, headers={"accept": "application/json"})
    assert code(answer) == (400, "BAD_INPUT")


async def test_an_unknown_operation_name(client: httpx.AsyncClient) -> None:
    answer = await client.post("/graphql", json={"query": "query A { __typename }", "operationName": "B"})
    assert code(answer) == (400, "BAD_INPUT")


async def test_a_body_over_the_limit_is_too_complex(client: httpx.AsyncClient) -> None:
    body = b" " * (MAX_BODY + 1)
    headers = {"content-type": "application/json"}

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b" " * MAX_BODY

    assert code(await client.post("/graphql", content=body, headers=headers)) == (413, "TOO_COMPLEX")
    assert code(await client.post("/graphql", content=chunks(), headers=headers)) == (413, "TOO_COMPLEX")


async def test_other_media_types(client: httpx.AsyncClient) -> None:
    assert code(await client.post("/graphql", content=ECHO)) == (415, "BAD_INPUT")
    assert code(await client.post("/graphql", data={"query": ECHO})) == (415, "BAD_INPUT")


async def test_methods(client: httpx.AsyncClient) -> None:
    mutation = await client.get("/graphql", params={"query": "mutation { change }"})
    assert (*code(mutation), mutation.headers["allow"]) == (405, "BAD_INPUT", "POST")
    put = await client.put("/graphql", json={"query": ECHO})
    assert (*code(put), put.headers["allow"]) == (405, "BAD_INPUT", "GET, POST")


async def test_a_subscription_needs_a_stream(client: httpx.AsyncClient) -> None:
    body = {"query": "subscription { count(to: 2) }"}
    refused = await client.post("/graphql", json=body)
    assert code(refused) == (400, "BAD_INPUT")
    assert "graphql-transport-ws" in refused.json()["errors"][0]["message"]
    stream = await client.post("/graphql", json=body, headers={"accept": "text/event-stream"})
    events = [line for line in stream.text.splitlines() if line and not line.startswith(":")]
    assert events == [
        *("event: next", 'data: {"data":{"count":0}}'),
        *("event: next", 'data: {"data":{"count":1}}'),
        *("event: complete", "data: "),
    ]
    got = await client.get("/graphql", params=body, headers={"accept": "text/event-stream"})
    assert code(got) == (405, "BAD_INPUT")


async def test_a_browser_gets_graphiql(client: httpx.AsyncClient) -> None:
    page = await client.get("/graphql", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert 'src="/static/page.js"' in page.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "crm.example"}, 200),
        ({"host": "rebound.example:8000"}, 403),
        ({"host": "127.0.0.1.rebound.example"}, 403),
        ({"host": "[::1"}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "https://crm.example"}, 200),
        ({"origin": "http://127.0.0.1:3000"}, 403),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_who_is_answered(client: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    answer = await client.post("/graphql", json={"query": ECHO}, headers=headers)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    if status == 403:
        assert code(answer) == (403, "FORBIDDEN")


async def test_a_fault_outside_of_operations_tells_only_the_logs_id(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app()
    del app.state.process
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        answer = await client.post("/graphql", json={"query": ECHO})
    assert code(answer) == (500, "INTERNAL")
    assert answer.json()["errors"][0]["extensions"]["id"] in caplog.text
    assert "process" not in answer.text
