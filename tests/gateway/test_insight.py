"""A gateway and a worker in processes of their own, one sync, and all that can be seen of it from outside."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.process import DEMO
from storage.embedded import Embedded
from storage.listing import GlobalId
from tests.conftest import copy_database
from tests.gateway.collector import Collector, Span, collecting
from tests.gateway.scrape import Values, parse, requests
from tests.nursery import Process
from tests.stage import HASTE, HTTP, Gateway, environment, free_port, gateway, sandbox, started, wait_until

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TOKEN = {"authorization": "Bearer hush"}
SYNC = "mutation Sync($i: SyncInput!) { sync(input: $i) { syncRun { id } } }"
WATCH = "subscription Watch($r: ID!) { syncProgress(syncRunId: $r) { status } }"
ENDED = 'crosswalk_runs_total{kind="FULL",status="SUCCEEDED"}'


@dataclass
class Insight:
    """What there was to see, once both processes had stopped."""

    integration: str
    run: str
    request: str | None
    """The id that the answer to the mutation has given back."""
    spans: list[Span]
    waiting: Values
    """The gateway's metrics, while the run waited for a worker and somebody watched it."""
    worked: Values = field(default_factory=dict)
    """The worker's, after the run."""
    without_token: int = 0
    """The status of the worker's answer then."""
    exit_code: int | None = None
    """The worker's."""
    log: str = ""
    """Of both."""

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log's."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def find(self, name: str) -> Span:
        """The one span of that name."""
        [found] = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture(scope="module")
def insight(server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Insight]:
    folder = tmp_path_factory.mktemp("insight")
    with copy_database(server, template) as url, sandbox(folder) as crm, collecting() as collector:
        crm.fill(5)
        crm.disturb(**HASTE)
        more = {
            "LOG_LEVEL": "info",
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{collector.address}/",
            "METRICS_TOKEN": "hush",
        }
        with gateway(folder, url, crm, "--no-worker", **more) as serving:
            found = ask(serving, collector)
            work(found, folder, {**environment(folder, url, crm), **more}, serving)
        logs = [path.read_text() for path in folder.glob("*.log") if path.name != "sandbox.log"]
        found.log = "\n".join(logs)
        yield found


def ask(serving: Gateway, collector: Collector) -> Insight:
    """For a run that nobody carries out yet."""
    integration = serving.connect()
    body = {"query": SYNC, "variables": {"i": {"integrationId": integration}}}
    headers = {"x-request-id": "from-the-app.1", "traceparent": f"00-{TRACE}-{CALLER}-01"}
    answer = HTTP.post(f"{serving.address}/graphql", json=body, headers=headers)
    run = answer.json()["data"]["sync"]["syncRun"]["id"]
    socket: Any = serving.by_socket(WATCH, r=run)
    stream: Any = serving.by_stream(WATCH, r=run)
    with contextlib.closing(socket), contextlib.closing(stream):
        assert next(socket) == next(stream) == {"syncProgress": {"status": "QUEUED"}}
        waiting = parse(HTTP.get(f"{serving.address}/metrics", headers=TOKEN).text)
    return Insight(integration, run, answer.headers.get("x-request-id"), collector.spans, waiting)


def work(found: Insight, folder: Path, settings: Mapping[str, str], serving: Gateway) -> None:
    """Until the run has ended."""
    address = f"http://127.0.0.1:{free_port()}"
    command = (sys.executable, "-m", "gateway", "worker", "--metrics-port", address.rpartition(":")[2])
    log = folder / "worker.log"
    worker: Process
    with started(*command, env=settings, ready=lambda: b"waits for jobs" in log.read_bytes(), log=log) as worker:
        assert serving.wait(found.run)["status"] == "SUCCEEDED"

        def scrape() -> Values:
            """Once what follows a run is done as well."""
            values = parse(HTTP.get(f"{address}/metrics", headers=TOKEN).text)
            return values if ENDED in values and not values["crosswalk_jobs_waiting"] else {}

        found.worked = wait_until(scrape)
        found.without_token = HTTP.get(f"{address}/metrics").status_code
    found.exit_code = worker.returncode


def key(id: str) -> str:
    """What the log has for a global id."""
    return str(GlobalId.read(id).key)


def test_the_gateway_counts_what_it_is_asked(insight: Insight) -> None:
    waiting = insight.waiting
    assert waiting[requests("Sync", "mutation", "ok")] == 1
    assert (waiting["crosswalk_sockets_open"], waiting["crosswalk_streams_open"]) == (1, 2)
    assert waiting["crosswalk_jobs_waiting"] == 1
    assert 0 < waiting["crosswalk_oldest_job_seconds"] < 60


def test_the_worker_counts_what_it_does(insight: Insight) -> None:
    worked = insight.worked
    assert worked[ENDED] == 1
    assert worked['crosswalk_run_lag_seconds_count{kind="FULL"}'] == 1
    assert worked['crosswalk_run_lag_seconds_sum{kind="FULL"}'] > insight.waiting["crosswalk_oldest_job_seconds"]
    assert 0 < worked['crosswalk_crm_budget_left_ratio{crm="PIPEDRIVE",window="DAY"}'] < 1
    assert (insight.without_token, insight.exit_code) == (401, 0)


def test_an_operation_is_a_child_of_its_callers_span(insight: Insight) -> None:
    span = insight.find("mutation Sync")
    assert (span.trace, span.parent, span.service, span.failed) == (TRACE, CALLER, "crosswalk", False)
    assert span.attributes["crosswalk.workspace"] == str(DEMO)
    assert span.attributes["crosswalk.outcome"] == "ok"
    assert span.attributes["crosswalk.cost"] >= 1


def test_calls_to_crms_are_children_of_what_has_made_them(insight: Insight) -> None:
    run = insight.find("run FULL")
    calls = [span for span in insight.spans if span.name == "call PIPEDRIVE"]
    children = [span for span in calls if span.parent == run.span]
    assert len(children) == insight.worked['crosswalk_crm_calls_total{crm="PIPEDRIVE",status="200"}'] > 5
    assert {span.attributes["http.response.status_code"] for span in calls} == {200}
    [connecting] = [span for span in calls if span not in children]
    assert connecting.parent in {span.span for span in insight.spans if span.name == "mutation anonymous"}


def test_a_run_has_a_span_and_a_line_with_its_ids(insight: Insight) -> None:
    ids = {"workspace": str(DEMO), "integration": key(insight.integration), "run": key(insight.run), "crm": "PIPEDRIVE"}
    told = insight.find("run FULL").attributes
    assert told == {f"crosswalk.{name}": value for name, value in {**ids, "status": "SUCCEEDED"}.items()}
    [line] = [line for line in insight.lines if line["event"] == "run"]
    assert {name: line[name] for name in ids} == ids
    assert (line["kind"], line["status"], line["level"]) == ("FULL", "SUCCEEDED", "info")


def test_a_mutation_has_a_line_with_the_requests_id(insight: Insight) -> None:
    [line] = [line for line in insight.lines if line.get("operation") == "Sync"]
    del line["timestamp"], line["milliseconds"], line["cost"]
    assert line == {
        "event": "operation",
        "operation": "Sync",
        "kind": "mutation",
        "outcome": "ok",
        "request": "from-the-app.1",
        "workspace": str(DEMO),
        "level": "info",
        "logger": "gateway.journal",
    }
    assert insight.request == "from-the-app.1"


def test_nothing_of_what_was_sent_is_told(insight: Insight) -> None:
    told = insight.log + str(insight.spans) + str(insight.waiting) + str(insight.worked)
    assert [secret for secret in ("sandbox-pipedrive", "hush", "integrationId", "@") if secret in told] == []
    figures = str(insight.waiting) + str(insight.worked)
    assert [one for one in (str(DEMO), key(insight.integration), key(insight.run)) if one in figures] == []


def test_the_log_is_json_alone(insight: Insight) -> None:
    for_people = ("Crosswalk", "  ")
    assert [line for line in insight.log.splitlines() if line and not line.startswith(("{", *for_people))] == []
    assert {line["level"] for line in insight.lines} == {"info"}
