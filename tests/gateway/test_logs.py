"""The log: whose each line is, what has one, and what none of them says."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio
import structlog
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.logs import QUIET, configure
from gateway.process import DEMO, VISITOR, Process, open_process
from gateway.settings import Settings
from resolvers.keys import create_key
from storage.embedded import Embedded
from storage.shapes import Role
from tests.conftest import copy_database
from tests.gateway.scrape import Client, find

Lines = Callable[[], list[dict[str, Any]]]
PAUSE = 'mutation Pause { pauseIntegration(input: {integrationId: "hush@example.com"}) { userErrors { code } } }'


@pytest.fixture(scope="module")
def settings(server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with copy_database(server, template) as url:
        folder = tmp_path_factory.mktemp("logs")
        yield Settings.load(database_url=url, crosswalk_data=folder, crosswalk_sandbox=True)


@pytest_asyncio.fixture(scope="module")
async def process(settings: Settings) -> AsyncIterator[Process]:
    async with open_process(settings, works=False) as process:
        yield process


@pytest_asyncio.fixture
async def client(settings: Settings, process: Process) -> AsyncIterator[Client]:
    app: Starlette = create_app(settings)
    app.state.process = process
    client = Client(app)
    yield client
    await client.close()


@pytest.fixture
def listen(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], Lines]]:
    """Configures the log, and gives what reads its new lines; afterwards it is as it was."""
    known = [logging.getLogger(), *map(logging.getLogger, QUIET)]
    before = [(each, each.level, each.handlers) for each in known]

    def start(level: str) -> Lines:
        configure(level, "json")
        capsys.readouterr()
        return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield start
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers = handlers
    structlog.reset_defaults()


def ours(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the journal, without what differs each time."""
    changing = ("timestamp", "milliseconds", "logger", "cost")
    return [
        {name: value for name, value in line.items() if name not in changing}
        for line in lines
        if line["logger"] == "gateway.journal"
    ]


async def test_a_request_has_the_id_that_it_brings(client: Client, listen: Callable[[str], Lines]) -> None:
    read = listen("info")
    answer = await client.ask(PAUSE, x_request_id="abc-1.2_3")
    assert answer.headers["x-request-id"] == "abc-1.2_3"
    assert ours(read()) == [
        {
            "event": "operation",
            "operation": "Pause",
            "kind": "mutation",
            "outcome": "BAD_INPUT",
            "request": "abc-1.2_3",
            "workspace": str(DEMO),
            "level": "info",
        }
    ]


@pytest.mark.parametrize("given", ["", "with space", "x" * 65, 'quote"', "ü"])
async def test_an_id_that_is_not_sane_is_made_anew(client: Client, listen: Callable[[str], Lines], given: str) -> None:
    read = listen("info")
    answers = [
        await client.http.post("/graphql", json={"query": PAUSE}, headers=[(b"x-request-id", given.encode())])
        for _ in "12"
    ]
    made = [answer.headers["x-request-id"] for answer in answers]
    assert [line["request"] for line in ours(read())] == made
    assert len(set(made)) == 2
    assert all(len(each) == 16 and each.isalnum() for each in made)


async def test_queries_have_lines_for_those_who_look_for_faults(client: Client, listen: Callable[[str], Lines]) -> None:
    read = listen("info")
    await client.ask("query Who { integrations { id } }")
    assert ours(read()) == []
    read = listen("debug")
    await client.ask("query Who { integrations { id } }")
    [line] = ours(read())
    assert (line["operation"], line["kind"], line["outcome"], line["level"]) == ("Who", "query", "ok", "debug")


async def test_a_key_is_named_by_its_id_and_a_refusal_is_a_warning(
    client: Client, process: Process, listen: Callable[[str], Lines]
) -> None:
    key, secret = await create_key(process.new_context(VISITOR), name="reader", role=Role.VIEWER, expires_at=None)
    read = listen("info")
    answer = await client.ask(PAUSE, authorization=f"Bearer {secret}", x_request_id="r")
    assert find(answer) == "FORBIDDEN"
    lines = read()
    assert ours(lines) == [
        {
            "event": "operation",
            "operation": "Pause",
            "kind": "mutation",
            "outcome": "FORBIDDEN",
            "request": "r",
            "workspace": str(DEMO),
            "key": str(key.id),
            "level": "warning",
        }
    ]
    assert [told for told in (secret, "hush", "reader") if told in str(lines)] == []


async def test_whoever_is_refused_cannot_fill_the_disk(client: Client, listen: Callable[[str], Lines]) -> None:
    read = listen("info")
    for number in range(25):
        answer = await client.ask("{ __typename }", authorization="Bearer cw_guess", x_request_id=f"r{number}")
        assert answer.status_code == 401
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        while len(lines) < 11:
            lines += ours(read())
            await asyncio.sleep(0.02)
    refusal = {"event": "request refused", "outcome": "UNAUTHENTICATED", "level": "warning"}
    assert lines[:10] == [{**refusal, "request": f"r{number}"} for number in range(10)]
    assert lines[10:] == [{"event": "refusals that were not told one by one", "number": 15, "level": "warning"}]


async def test_a_fault_has_the_ids_of_its_request(settings: Settings, listen: Callable[[str], Lines]) -> None:
    app = create_app(settings)
    async with open_process(settings, works=False) as process:
        app.state.process = process
        client = Client(app)
        await process.services.database.close()
        read = listen("info")
        answer = await client.ask("query Who { contacts(first: 1) { totalCount } }", x_request_id="r")
        await client.close()
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    [line] = [line for line in read() if error["extensions"]["id"] in line["event"]]
    assert (line["request"], line["workspace"], line["level"]) == ("r", str(DEMO), "error")
    assert "Traceback" in line["exception"]


async def test_requests_side_by_side_keep_their_ids_apart(client: Client, listen: Callable[[str], Lines]) -> None:
    read = listen("info")
    await asyncio.gather(*(client.ask(PAUSE.replace("Pause", f"P{n}"), x_request_id=f"r{n}") for n in range(5)))
    assert {line["operation"]: line["request"] for line in ours(read())} == {f"P{n}": f"r{n}" for n in range(5)}
