"""A gateway whose settings allow little: what its clients are told, over each way to reach it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from websockets.sync.client import connect as open_socket
from websockets.typing import Subprotocol

from storage.embedded import Embedded
from tests.conftest import copy_database
from tests.flows.conftest import Stage
from tests.stage import HTTP, Gateway, gateway

SETTINGS = {
    "MAX_DEPTH": "4",
    "MAX_COST": "100",
    "COST_BUDGET": "300",
    "COST_PER_SECOND": "1",
    "MAX_SECONDS": "1",
    "INTROSPECTION": "0",
}
VIEWER = "{ viewer { role workspace { name } } }"
HUNDRED = "{ contacts(first: 99) { pageInfo { hasNextPage } } }"


@dataclass(frozen=True)
class Strict:
    """A gateway and its database."""

    gateway: Gateway
    database: str

    def post(self, query: str, **headers: str) -> httpx.Response:
        """The whole answer to a query."""
        return HTTP.post(f"{self.gateway.address}/graphql", json={"query": query}, headers=headers)


@pytest.fixture(scope="module")
def strict(
    shared: Stage, server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Strict]:
    folder = Path(tmp_path_factory.mktemp("strict"))
    with copy_database(server, template) as url, gateway(folder, url, shared.crm, "--no-worker", **SETTINGS) as opened:
        yield Strict(opened, url)


def test_every_answer_says_what_it_has_cost(strict: Strict) -> None:
    address = strict.gateway.address
    answers = [strict.post(VIEWER).json()]
    events = strict.post(VIEWER, accept="text/event-stream").text.splitlines()
    answers += [json.loads(line.removeprefix("data: ")) for line in events if line.startswith("data: {")]
    with open_socket(
        f"{address.replace('http', 'ws', 1)}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None
    ) as socket:
        socket.send('{"type": "connection_init"}')
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": VIEWER}}))
        answers += [message["payload"] for _ in range(2) if (message := json.loads(socket.recv()))["type"] == "next"]
    assert len(answers) == 3
    for answer in answers:
        assert answer["data"] == {"viewer": {"role": "ADMIN", "workspace": {"name": "Demo"}}}
        cost = answer["extensions"]["cost"]
        assert 200 < cost.pop("available") < 300
        assert cost == {"requested": 2, "actual": 2, "limit": 300, "perSecond": 1}


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        (
            "{ contacts(first: 100) { pageInfo { hasNextPage } } }",
            "TOO_COMPLEX",
            "This operation may cost 101, and 100 is the most: ask for shorter pages (`first`), or for less of each record.",
        ),
        (
            "{ contacts(first: 1) { nodes { organization { contacts { totalCount } } } } }",
            "TOO_COMPLEX",
            "A query has fields within fields 4 levels deep at most.",
        ),
        (
            "{ __schema { types { name } } }",
            "BAD_INPUT",
            "__schema is not answered: introspection is switched off here.",
        ),
        ("{ viewr { role } }", "BAD_INPUT", "Cannot query field 'viewr' on type 'Query'."),
    ],
)
def test_limits_are_those_that_are_set(strict: Strict, query: str, code: str, message: str) -> None:
    answer = strict.post(query)
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"], error["message"]) == (400, {"code": code}, message)


def test_a_batch_is_refused(strict: Strict) -> None:
    answer = HTTP.post(f"{strict.gateway.address}/graphql", json=[{"query": VIEWER}] * 1_000)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_INPUT")


def test_what_takes_too_long_is_ended(strict: Strict) -> None:
    with psycopg.connect(strict.database) as other:
        other.execute("LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
        answer = strict.post("{ contacts(first: 1) { nodes { name } } }")
    [error] = answer.json()["errors"]
    assert (answer.status_code, error["extensions"]) == (504, {"code": "TIMEOUT"})
    assert error["message"] == "It took longer than 1 s and was ended: ask for less at a time."


def test_who_asks_for_too_much_waits(strict: Strict) -> None:
    answers = [strict.post(HUNDRED) for _ in range(4)]
    assert answers[0].status_code == 200
    last = answers[-1]
    [error] = last.json()["errors"]
    assert (last.status_code, error["extensions"]["code"]) == (429, "THROTTLED")
    assert last.headers["retry-after"] == str(error["extensions"]["retryAfter"])
    assert 1 <= error["extensions"]["retryAfter"] <= 100
    assert last.json()["extensions"]["cost"]["actual"] == 0
