"""The callback of a consent as an address: who may come there, and what a fault of ours looks like."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from gateway.oauth import WORDS, send_on, show
from resolvers.consent import ConsentStatus, Outcome
from resolvers.context import CALLBACK
from resolvers.errors import ConsentCode
from resolvers.returns import find_origin
from tests.gateway.stub import create_app

ANSWER = {"state": "A" * 64, "code": "secret-code"}
OUTCOME = Outcome(status=ConsentStatus.CONNECTED, message="<All> is well.", crm="Pipedrive", integration=UUID(int=1))


@pytest_asyncio.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Of a gateway whose process is not whole, so that an answer that could count is a fault."""
    transport = httpx.ASGITransport(create_app())
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.mark.parametrize("origin", ["null", "https://crm.vendor.example"])
async def test_pages_of_others_send_people_there_and_nowhere_else(client: httpx.AsyncClient, origin: str) -> None:
    assert (await client.get(CALLBACK, headers={"origin": origin})).status_code == 400
    assert (await client.get(f"{CALLBACK}/", headers={"origin": origin})).status_code == 403
    assert (await client.get("/graphql", headers={"origin": origin})).status_code == 403
    assert (await client.get(CALLBACK, headers={"host": "rebound.example"})).status_code == 403


async def test_a_fault_of_ours_is_a_page_too(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = await client.get(CALLBACK, params=ANSWER)
    assert answer.status_code == 500
    (sentence, *_) = re.findall("<p>(.*?)</p>", answer.text)
    found = re.fullmatch("Something went wrong here; the log has it under id ([0-9a-f]{16}).", sentence)
    assert found
    assert found[1] in caplog.text
    assert ANSWER["code"] not in answer.text
    assert "<small>INTERNAL</small>" in answer.text


@pytest.mark.parametrize("word", WORDS)
def test_every_outcome_has_a_page(word: ConsentStatus | ConsentCode) -> None:
    code = word if isinstance(word, ConsentCode) else None
    status = word if isinstance(word, ConsentStatus) else ConsentStatus.FAILED
    answer = show(replace(OUTCOME, status=status, code=code))
    text = bytes(answer.body).decode()
    assert answer.status_code == WORDS[word].http
    assert "<p>&lt;All&gt; is well.</p>" in text
    assert "{" not in text.split("</style>")[1]
    assert set(WORDS) == {*ConsentCode, ConsentStatus.CONNECTED, ConsentStatus.REFUSED}


def test_an_address_keeps_what_it_had() -> None:
    there = "https://app.example/a%20b?x=1&integration=2#part"
    answer = send_on(there, replace(OUTCOME, status=ConsentStatus.FAILED, code=ConsentCode.CRM_QUOTA))
    assert answer.headers["location"] == (
        "https://app.example/a%20b?x=1&integration=2&integration="
        "SW50ZWdyYXRpb246MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAx&status=failed&code=CRM_QUOTA#part"
    )


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://App.Example:443/x?y#z", "https://app.example"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://app.example:8443", "https://app.example:8443"),
        ("ftp://app.example", None),
        ("https://me:pw@app.example", None),
        ("https://app.example\\", None),
        ("https:///app.example", None),
        ("https://app.example:port", None),
        ("", None),
    ],
)
def test_origins(url: str, origin: str | None) -> None:
    assert find_origin(url) == origin
