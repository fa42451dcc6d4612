"""An app of somebody's: it sends people to HubSpot's consent page, and takes tokens for what they allow."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

AUTHORIZE = "/hubspot/oauth/authorize"
REDIRECT = "http://app.example/back"
SCOPE = "crm.objects.contacts.read crm.objects.owners.read"
ME = "/hubspot/account-info/2026-09/details"


class App:
    def __init__(self, client: httpx.AsyncClient, account: int = 1, name: str = "app") -> None:
        self.client = client
        self.account = account
        self.name = name
        self.credentials = {"client_id": name, "client_secret": "secret"}

    async def decide(self, path: str = AUTHORIZE, **form: str) -> httpx.Response:
        """The consent page's form, sent."""
        filled = {"client_id": self.name, "redirect_uri": REDIRECT, "scope": SCOPE, "state": "s"}
        return await self.client.post(path, data={**filled, "account": str(self.account), **form})

    async def code(self, **form: str) -> str:
        answer = await self.decide(decision="allow", **form)
        assert answer.status_code == 302
        return read_query(answer)["code"]

    async def post(self, path: str, **form: str) -> httpx.Response:
        return await self.client.post(f"/hubspot/oauth/{path}", data=self.credentials | form)

    async def exchange(self, code: str, version: str = "2026-09", redirect: str = REDIRECT) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect}
        return await self.post(f"{version}/token", **form)

    async def refresh(self, refresh: str, version: str = "2026-09") -> httpx.Response:
        return await self.post(f"{version}/token", grant_type="refresh_token", refresh_token=refresh)

    async def introspect(self, **named: str) -> Any:
        answer = await self.post("2026-09/token/introspect", **named)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def install(self, **form: str) -> dict[str, Any]:
        """The answer to the first exchange."""
        answer = await self.exchange(await self.code(**form))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def status(self, access: str) -> int:
        """What the API answers to a call with that access token."""
        return (await self.client.get(ME, headers={"authorization": f"Bearer {access}"})).status_code

    async def control(self, method: str, what: str, body: Any = None) -> Any:
        path = f"/_sandbox/hubspot/{what}"
        answer = await self.client.request(method, path, json=body, params={"account": self.account})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def faults(self, **given: Any) -> None:
        await self.control("PUT", "faults", {"limits": "none", **given})


def read_query(answer: httpx.Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
