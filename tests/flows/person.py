"""A person with a browser, who is sent to the CRM for a consent and from there back to the gateway."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.stage import HTTP, Gateway

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
FIELDS = "id status displayName lastError scopes accountId accountName credentialKind"


def ask(gateway: Gateway, **given: Any) -> tuple[str, str]:
    """The id of the integration that waits, and the address where to consent."""
    payload = gateway.do("connect", "integration { id } authorizationUrl", **{"crm": "PIPEDRIVE", **given})
    if payload["userErrors"]:
        raise RuntimeError(str(payload["userErrors"]))
    return payload["integration"]["id"], payload["authorizationUrl"]


def decide(url: str, decision: str = "allow", account: int = 1) -> str:
    """The page is read, the form is sent: the address that the CRM then sends the person to."""
    page = HTTP.get(url)
    assert page.status_code == 200, page.text
    form = {name: unescape(value) for name, value in HIDDEN.findall(page.text)}
    action = re.findall(r'<form method="post" action="([^"]+)">', page.text)[0]
    address = urlsplit(url)._replace(path=action, query="").geturl()
    sent = HTTP.post(address, data={**form, "account": str(account), "decision": decision})
    assert sent.status_code == 302, sent.text
    return sent.headers["location"]


@dataclass(frozen=True)
class Told:
    """What a person is told at the end: by a page, or where they came from."""

    http: int
    heading: str
    sentence: str
    code: str
    sent_on: tuple[str, dict[str, str]] | None


def visit(address: str) -> Told:
    """Where the CRM has sent the person, as a browser comes from a page of the CRM."""
    return read(HTTP.get(address, headers={"origin": "null", "sec-fetch-site": "cross-site"}))


def read(answer: httpx.Response) -> Told:
    """What the gateway says."""
    assert answer.headers["cache-control"] == "no-store"
    if answer.status_code == 303:
        target = urlsplit(answer.headers["location"])
        return Told(303, "", "", "", (target._replace(query="").geturl(), dict(parse_qsl(target.query))))
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    found = [re.findall(f"<{tag}>(.*?)</{tag}>", answer.text) for tag in ("h1", "p", "small")]
    (heading,), (sentence, *_), code = found
    return Told(answer.status_code, unescape(heading), unescape(sentence), "".join(code), None)


def consent(gateway: Gateway, *, account: int = 1, **given: Any) -> str:
    """From asking to the end, which must be good. Gives the id that was asked for."""
    integration, url = ask(gateway, **given)
    told = visit(decide(url, account=account))
    assert told.http == 200, told
    return integration


def look(gateway: Gateway, integration: str) -> dict[str, Any]:
    """How an integration stands; its id is the one that the id leads to."""
    found: dict[str, Any] = gateway.ask(f"query($i: ID!) {{ integration(id: $i) {{ {FIELDS} }} }}", i=integration)[
        "integration"
    ]
    return found
