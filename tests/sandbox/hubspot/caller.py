"""A caller of the simulated HubSpot, in process or over a socket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

TOKENS = {1: "sandbox-hubspot", 2: "sandbox-hubspot-2"}
V = "2026-09"


class Caller:
    """Calls one account's API by path below the CRM's prefix, and the control surface of that account."""

    def __init__(self, client: httpx.AsyncClient, account: int = 1, bearer: str | None = None) -> None:
        self.client = client
        self.account = account
        self.headers = {"authorization": f"Bearer {bearer or TOKENS[account]}"}

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        content = None if body is None else json.dumps(body).encode()
        headers = self.headers | ({"content-type": "application/json"} if content else {})
        return await self.client.request(
            method, f"/hubspot{path}", content=content, params=params or None, headers=headers
        )

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, **params)

    async def data(self, path: str, **params: Any) -> Any:
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, status: int = 200, **params: Any) -> Any:
        answer = await self.call("POST", path, body, **params)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    async def make(self, kind: str, **properties: Any) -> str:
        """The id of a new record."""
        made = await self.post(f"/crm/objects/{V}/{kind}", {"properties": properties}, 201)
        return str(made["id"])

    async def one(self, kind: str, key: str, *names: str) -> Any:
        return await self.data(f"/crm/objects/{V}/{kind}/{key}", properties=",".join(names))

    async def change(self, kind: str, key: str, **properties: Any) -> httpx.Response:
        return await self.call("PATCH", f"/crm/objects/{V}/{kind}/{key}", {"properties": properties})

    async def pages(self, path: str, **params: Any) -> AsyncIterator[list[Any]]:
        """The pages of a list, until it says that it ends."""
        while True:
            body = await self.data(path, **params)
            yield body["results"]
            if "paging" not in body:
                return
            params["after"] = body["paging"]["next"]["after"]

    async def every(self, kind: str, **params: Any) -> list[Any]:
        pages = self.pages(f"/crm/objects/{V}/{kind}", **{"limit": 100, **params})
        return [record async for page in pages for record in page]

    async def search(self, kind: str, status: int = 200, **asked: Any) -> Any:
        return await self.post(f"/crm/objects/{V}/{kind}/search", asked, status)

    async def found(self, kind: str, *filters: Any, **asked: Any) -> list[str]:
        """The ids that a search finds: filters as (property, operator, value), all of which must hold."""
        group = {"filters": [write_filter(*each) for each in filters]}
        found = await self.search(kind, **{"filterGroups": [group], "limit": 200, **asked})
        return [str(each["id"]) for each in found["results"]]

    async def walk(self, kind: str, **asked: Any) -> AsyncIterator[list[Any]]:
        """The pages of a search, until it says that it ends."""
        while True:
            body = await self.search(kind, **asked)
            yield body["results"]
            if "paging" not in body:
                return
            asked["after"] = body["paging"]["next"]["after"]

    async def control(self, method: str, what: str, body: Any = None, **params: Any) -> httpx.Response:
        params["account"] = self.account
        return await self.client.request(method, f"/_sandbox/hubspot/{what}", json=body, params=params)

    async def faults(self, **given: Any) -> None:
        answer = await self.control("PUT", "faults", {"limits": "none", **given})
        assert answer.status_code == 200, answer.text

    async def counts(self) -> dict[str, int]:
        found: dict[str, int] = (await self.control("GET", "counts")).json()
        return found

    async def ids(self, kind: str) -> list[str]:
        found: list[str] = (await self.control("GET", "ids", type=kind)).json()
        return found


def write_filter(name: str, operator: str, *values: Any) -> dict[str, Any]:
    """Two values are a range, a list is one of them."""
    found: dict[str, Any] = {"propertyName": name, "operator": operator}
    if len(values) > 1:
        return found | {"value": values[0], "highValue": values[1]}
    if values:
        found["values" if isinstance(values[0], list) else "value"] = values[0]
    return found


def keys(records: list[Any]) -> list[str]:
    return [str(record["id"]) for record in records]
