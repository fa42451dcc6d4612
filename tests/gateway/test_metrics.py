"""/metrics: what is counted under which names, and who may read it."""

import re
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.metrics import Metrics
from gateway.process import open_process
from gateway.settings import Settings
from storage.embedded import Embedded
from tests.conftest import copy_database
from tests.gateway.scrape import Client, requests
from tests.house.sources import ROOT

HINT = "Set METRICS_TOKEN"


@pytest.fixture(scope="module")
def settings(server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    with copy_database(server, template) as url:
        folder = tmp_path_factory.mktemp("metrics")
        yield Settings.load(database_url=url, crosswalk_data=folder, crosswalk_sandbox=True)


@pytest_asyncio.fixture(scope="module")
async def process(settings: Settings) -> AsyncIterator[Any]:
    async with open_process(settings, works=False) as process:
        yield process


@pytest.fixture
def make_app(settings: Settings, process: Any) -> Callable[..., Starlette]:
    """A gateway of its own counts, over the one process of all."""

    def make(**given: Any) -> Starlette:
        app = create_app(settings.model_copy(update=given))
        app.state.process = process
        return app

    return make


@pytest_asyncio.fixture
async def client(make_app: Callable[..., Starlette]) -> AsyncIterator[Client]:
    client = Client(make_app())
    yield client
    await client.close()


async def test_operations_are_counted_by_name_kind_and_outcome(client: Client) -> None:
    for query in (
        "query Who { integrations { id } }",
        "query Who { crmPlatforms { name } }",
        "{ integrations { id } }",
        'mutation Off { pauseIntegration(input: {integrationId: "x"}) { userErrors { code } } }',
        'query Who { contacts(first: 1, after: "x") { totalCount } }',
        "query Who { nothing }",
    ):
        await client.ask(query)

    values = await client.scrape()

    assert {name: value for name, value in values.items() if name.startswith("crosswalk_requests_total")} == {
        requests("Who", "query", "ok"): 2,
        requests("anonymous", "query", "ok"): 1,
        requests("Off", "mutation", "BAD_INPUT"): 1,
        requests("Who", "query", "BAD_INPUT"): 1,
        requests("none", "none", "BAD_INPUT"): 1,
    }
    assert values['crosswalk_request_seconds_count{operation="Who"}'] == 3
    assert 0 < values['crosswalk_request_seconds_sum{operation="Who"}'] < 10


async def test_clients_cannot_make_series_without_end(client: Client) -> None:
    for number in range(103):
        await client.ask(f"query Name{number} {{ __typename }}")
    await client.ask(f"query {'a' * 65} {{ __typename }}")
    await client.ask("query Name7 { __typename }")

    values = await client.scrape()

    named = re.findall(r'crosswalk_requests_total{kind="query",operation="(\w+)"', "\n".join(values))
    assert sorted(named) == sorted([*(f"Name{number}" for number in range(100)), "other"])
    assert values[requests("other", "query", "ok")] == 4
    assert values[requests("Name7", "query", "ok")] == 2


async def test_what_is_refused_before_there_is_an_operation(client: Client) -> None:
    assert (await client.ask("{ __typename }", authorization="Bearer cw_wrong")).status_code == 401
    assert (await client.ask("{ __typename }", origin="https://elsewhere.example")).status_code == 403
    assert (await client.http.post("/graphql", content=b"{")).status_code == 415
    assert (await client.http.get("/nowhere")).status_code == 404

    values = await client.scrape()

    assert {name: value for name, value in values.items() if name.startswith("crosswalk_requests_total")} == {
        requests("none", "none", "UNAUTHENTICATED"): 1,
        requests("none", "none", "FORBIDDEN"): 1,
        requests("none", "none", "BAD_INPUT"): 1,
    }


async def test_a_database_that_is_away_is_a_figure_too(settings: Settings) -> None:
    app = create_app(settings)
    async with open_process(settings, works=False) as process:
        app.state.process = process
        await process.services.database.close()
        values = await Client(app).scrape()
    assert values["crosswalk_database_up"] == 0
    assert "crosswalk_jobs_waiting" not in values


async def test_openmetrics_where_it_is_asked_for(client: Client) -> None:
    plain = await client.http.get("/metrics")
    asked = await client.http.get("/metrics", headers={"accept": "application/openmetrics-text; version=?, */*;q=0.1"})
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert asked.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert asked.text.endswith("# EOF\n")
    assert "_created" not in plain.text


@pytest.mark.parametrize(
    ("given", "headers", "status"),
    [
        ({}, {}, 200),
        ({}, {"host": "localhost:8000"}, 200),
        ({}, {"x-forwarded-for": "203.0.113.7"}, 404),
        ({}, {"forwarded": "for=203.0.113.7"}, 404),
        ({"crosswalk_sandbox": False}, {"host": "rebound.example:8000"}, 404),
        ({"crosswalk_sandbox": False, "host": "0.0.0.0"}, {}, 404),  # noqa: S104 # nothing listens
        ({"metrics_token": "höher"}, {}, 401),
        ({"metrics_token": "höher"}, {"authorization": "Bearer lower"}, 401),
        ({"metrics_token": "höher"}, {"authorization": "Basic höher"}, 401),
        ({"metrics_token": "höher"}, {"authorization": "Bearer höher"}, 200),
        ({"metrics_token": "höher"}, {"authorization": "bearer höher", "x-forwarded-for": "203.0.113.7"}, 200),
    ],
)
async def test_who_may_read_it(
    make_app: Callable[..., Starlette], given: dict[str, Any], headers: dict[str, str], status: int
) -> None:
    if token := given.get("metrics_token"):
        given = {**given, "metrics_token": Settings.load(metrics_token=token).metrics_token}
    client = Client(make_app(**given))
    answer = await client.http.get(
        "/metrics", headers=[(name.encode(), text.encode()) for name, text in headers.items()]
    )
    assert answer.status_code == status
    assert ("crosswalk_build_info" in answer.text) is (status == 200)
    assert (HINT in answer.text) is (status == 404)
    await client.close()


def test_the_document_names_them_all() -> None:
    registered = {family.name for family in Metrics().registry.collect() if family.name.startswith("crosswalk_")}
    written = re.findall(r"^\| `(crosswalk_\w+?)(?:_total)?(?:\{\S*)?` \|", read("docs/operations.md"), re.MULTILINE)
    assert sorted(written) == sorted(registered)


def test_it_tells_the_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert Metrics().registry.get_sample_value("crosswalk_build_info", {"version": version}) == 1


def read(path: str) -> str:
    return Path(ROOT / path).read_text()
