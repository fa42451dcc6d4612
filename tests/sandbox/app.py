"""An app of somebody's: it sends people to the consent page, and takes tokens for what they allow."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.sandbox.caller import Caller

AUTHORIZE = "/pipedrive/oauth/authorize"
TOKEN = "/pipedrive/oauth/token"
REVOKE = "/pipedrive/oauth/revoke"
REDIRECT = "http://app.example/back"


class App:
    def __init__(self, client: httpx.AsyncClient, account: int = 1, name: str = "app") -> None:
        self.client = client
        self.account = account
        self.name = name
        self.auth = (name, "secret")

    async def decide(self, **form: str) -> httpx.Response:
        """The consent page's form, sent."""
        filled = {"client_id": self.name, "redirect_uri": REDIRECT, "state": "s", "account": str(self.account)}
        return await self.client.post(AUTHORIZE, data=filled | form)

    async def code(self) -> str:
        answer = await self.decide(decision="allow")
        assert answer.status_code == 302
        return read_query(answer)["code"]

    async def token(self, **form: str) -> httpx.Response:
        return await self.client.post(TOKEN, data=form, auth=self.auth)

    async def exchange(self, code: str, redirect: str = REDIRECT) -> httpx.Response:
        return await self.token(grant_type="authorization_code", code=code, redirect_uri=redirect)

    async def refresh(self, refresh: str) -> httpx.Response:
        return await self.token(grant_type="refresh_token", refresh_token=refresh)

    async def revoke(self, token: str, **form: str) -> httpx.Response:
        return await self.client.post(REVOKE, data={"token": token, **form}, auth=self.auth)

    async def install(self) -> dict[str, Any]:
        """The answer to the first exchange."""
        answer = await self.exchange(await self.code())
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def caller(self) -> Caller:
        """One who calls the API with an access token."""
        return self.holder(await self.install())

    def holder(self, given: dict[str, Any]) -> Caller:
        return Caller(self.client, self.account, given["access_token"])


def read_query(answer: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def is_refused(answer: httpx.Response, error: str = "invalid_grant", status: int = 400) -> bool:
    body = answer.json()
    known = set(body) == {"success", "message", "error"} and body["success"] is False and body["message"]
    return bool(known) and (answer.status_code, body["error"]) == (status, error)
