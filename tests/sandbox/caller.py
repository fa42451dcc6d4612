"""A caller of the simulator, in process or over a socket."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx

TOKENS = {1: "sandbox-pipedrive", 2: "sandbox-pipedrive-2"}


class Caller:
    """Calls one account's API by path below the CRM's prefix, and the control surface of that account."""

    def __init__(self, client: httpx.AsyncClient, account: int = 1, bearer: str | None = None) -> None:
        self.client = client
        self.account = account
        self.headers = {"authorization": f"Bearer {bearer}"} if bearer else {"x-api-token": TOKENS[account]}

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = self.headers | ({"content-type": "application/json"} if content else {})
        return await self.client.request(
            method, f"/pipedrive{path}", content=content, params=params or None, headers=headers
        )

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, **params)

    async def data(self, path: str, **params: Any) -> Any:
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def make(self, path: str, **body: Any) -> Any:
        answer = await self.call("POST", path, body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()["data"]

    async def pages(self, path: str, **params: Any) -> AsyncIterator[list[Any]]:
        """The pages of a list, by cursor (v2) or offset (v1), until it says that it ends."""
        place: dict[str, Any] = {}
        while True:
            body = (await self.get(path, **params, **place)).json()
            yield body["data"]
            more = body["additional_data"]
            cursor, start = more.get("next_cursor"), more.get("pagination", {}).get("next_start")
            if cursor is None and start is None:
                return
            place = {"cursor": cursor} if cursor else {"start": start}

    async def every(self, path: str, **params: Any) -> list[Any]:
        return [record async for page in self.pages(path, **params) for record in page]

    async def control(self, method: str, what: str, body: Any = None, **params: Any) -> httpx.Response:
        params["account"] = self.account
        return await self.client.request(method, f"/_sandbox/pipedrive/{what}", json=body, params=params)

    async def faults(self, **given: Any) -> None:
        answer = await self.control("PUT", "faults", {"limits": "none", **given})
        assert answer.status_code == 200, answer.text

    async def counts(self) -> dict[str, int]:
        found: dict[str, int] = (await self.control("GET", "counts")).json()
        return found

    async def ids(self, kind: str) -> list[str]:
        found: list[str] = (await self.control("GET", "ids", type=kind)).json()
        return found


def has_lone_surrogate(body: bytes) -> bool:
    pairs = rb"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}"
    return re.search(rb"\\ud[89a-f][0-9a-f]{2}", re.sub(pairs, b"", body)) is not None
