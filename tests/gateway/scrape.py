"""Asks for /metrics, and reads what it says."""

from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

Values = dict[str, float]
"""Sample -> value, as `crosswalk_runs_total{kind="FULL",status="SUCCEEDED"}`: labels in the order of the alphabet."""


def parse(text: str) -> Values:
    """All samples of an answer of /metrics."""
    return {
        spell(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def spell(name: str, labels: dict[str, str]) -> str:
    """A sample by its name and labels."""
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def requests(operation: str, kind: str, outcome: str) -> str:
    """The sample that counts such operations."""
    return f'crosswalk_requests_total{{kind="{kind}",operation="{operation}",outcome="{outcome}"}}'


class Client:
    """Speaks to a gateway in this process."""

    def __init__(self, app: Starlette) -> None:
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000")

    async def ask(self, query: str, **headers: str) -> httpx.Response:
        """The answer to an operation; in names of headers, _ is -."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post("/graphql", json={"query": query}, headers=given)

    async def scrape(self, **headers: str) -> Values:
        """What /metrics says."""
        answer = await self.http.get("/metrics", headers=headers)
        assert answer.status_code == 200
        return parse(answer.text)

    async def close(self) -> None:
        """No more requests."""
        await self.http.aclose()


def find(result: Any) -> str:
    """The code of the one error."""
    [error] = result.json()["errors"]
    return str(error["extensions"]["code"])
