"""Who may come in, and as what: a gateway without a sandbox of its own, so that every call needs a credential."""

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_socket
from websockets.typing import Subprotocol

from storage.embedded import Embedded
from tests.conftest import copy_database
from tests.flows.conftest import Stage
from tests.nursery import NURSERY
from tests.stage import HASTE, HTTP, ROOT, Gateway, Sandbox, environment, gateway, wait_until

VIEWER = "{ viewer { role workspace { name plan } } }"
RUNS = "subscription { syncRuns { id } }"


@dataclass(frozen=True)
class Guarded:
    """A gateway that knows nobody but by a credential."""

    crm: Sandbox
    gateway: Gateway
    env: dict[str, str]

    def command(self, *words: str) -> str:
        """What `crosswalk` prints."""
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.env}
        command = [sys.executable, "-m", "gateway", *words]
        ended = NURSERY.run(command, env)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def make_workspace(self, name: str, plan: str = "BUSINESS") -> Gateway:
        """A new one, called by a key of its admin."""
        assert name in self.command("workspaces", "create", name, "--plan", plan)
        return self.gateway.by(self.make_key(name, "ADMIN"))

    def make_key(self, workspace: str, role: str) -> str:
        return self.command("keys", "create", "--workspace", workspace, "--role", role).splitlines()[-1]


@pytest.fixture(scope="module")
def guarded(
    shared: Stage, server: Embedded, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    folder = Path(tmp_path_factory.mktemp("guarded"))
    settings = {"CROSSWALK_SANDBOX": "0"}
    for what in ("API_URL", "OAUTH_URL"):
        settings[f"PIPEDRIVE_{what}"] = f"{shared.crm.address}/pipedrive"
    with copy_database(server, template) as url, gateway(folder, url, shared.crm, **settings) as opened:
        yield Guarded(shared.crm, opened, {**environment(folder, url, shared.crm), **settings})


@pytest.fixture(scope="module")
def acme(guarded: Guarded) -> Gateway:
    return guarded.make_workspace("Acme")


@pytest.fixture(scope="module")
def beta(guarded: Guarded) -> Gateway:
    return guarded.make_workspace("Beta", "FREE")


@pytest.fixture
def fresh(guarded: Guarded) -> Sandbox:
    guarded.crm.fill(30)
    guarded.crm.disturb(**HASTE)
    return guarded.crm


def make_key(admin: Gateway, role: str, **given: Any) -> tuple[str, str]:
    """(id, secret)."""
    query = "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { secret apiKey { id } userErrors { code } } }"
    payload = admin.ask(query, i={"name": f"a {role}", "role": role, **given})["createApiKey"]
    assert payload["userErrors"] == []
    return payload["apiKey"]["id"], payload["secret"]


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer["errors"]]


@contextmanager
def open_runs(caller: Gateway) -> Iterator[ClientConnection]:
    """A socket that watches all runs."""
    address = f"{caller.address.replace('http', 'ws', 1)}/graphql"
    with open_socket(address, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": caller.headers}))
        assert json.loads(socket.recv(10))["type"] == "connection_ack"
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": RUNS}}))
        yield socket


def wait_until_closed(socket: ClientConnection, seconds: float = 10) -> tuple[int, str]:
    """The code and the reason."""
    with pytest.raises(ConnectionClosed) as closed:
        list(iter(partial(socket.recv, seconds), None))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


# ---------------------------------------------------------------- nobody, and wrong credentials


def test_without_a_credential_nothing_is_answered(guarded: Guarded) -> None:
    nobody = guarded.gateway
    for headers in ({}, {"accept": "text/event-stream"}):
        answer = HTTP.post(f"{nobody.address}/graphql", json={"query": VIEWER}, headers=headers)
        assert (answer.status_code, codes(answer.json())) == (401, ["UNAUTHENTICATED"])
        assert answer.headers["www-authenticate"] == "Bearer"
    assert HTTP.get(f"{nobody.address}/graphql", params={"query": "{ __typename }"}).status_code == 401
    with pytest.raises(ConnectionClosed, match="4403"), open_runs(nobody):
        pass
    assert HTTP.get(f"{nobody.address}/healthz").status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["Bearer cw_nobodys", "Bearer", "", "Basic YWRtaW46YWRtaW4=", "cw_nobodys", "Bearer a.b.c"],
)
def test_a_wrong_credential_is_never_the_demo_admin(stage: Stage, authorization: str) -> None:
    assert stage.gateway.ask(VIEWER)["viewer"]["role"] == "ADMIN"
    answer = HTTP.post(
        f"{stage.gateway.address}/graphql", json={"query": VIEWER}, headers={"authorization": authorization}
    )
    assert (answer.status_code, codes(answer.json())) == (401, ["UNAUTHENTICATED"])
    assert "data" not in answer.json()
    address = f"{stage.gateway.address.replace('http', 'ws', 1)}/graphql"
    with open_socket(address, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": authorization}}))
        assert wait_until_closed(socket)[0] == 4403


# ---------------------------------------------------------------- keys


def test_a_key_is_shown_once_listed_and_used(acme: Gateway) -> None:
    key, secret = make_key(acme, "OPERATOR", name="  the\n backend ")
    assert re.fullmatch(r"cw_[A-Za-z0-9_-]{43}", secret)
    query = "{ viewer { workspace { apiKeys { id name role prefix expiresAt lastUsedAt revokedAt } } } }"
    listed = {one["id"]: one for one in acme.ask(query)["viewer"]["workspace"]["apiKeys"]}
    assert listed[key] == {
        "id": key,
        "name": "the backend",
        "role": "OPERATOR",
        "prefix": secret[:8],
        "expiresAt": None,
        "lastUsedAt": None,
        "revokedAt": None,
    }
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert acme.by(secret).ask(VIEWER)["viewer"] == {
        "role": "OPERATOR",
        "workspace": {"name": "Acme", "plan": "BUSINESS"},
    }
    node = acme.ask("query($i: ID!) { node(id: $i) { ... on ApiKey { lastUsedAt } } }", i=key)["node"]
    assert datetime.fromisoformat(node["lastUsedAt"]) >= before


def test_each_role_does_its_own(acme: Gateway, fresh: Sandbox) -> None:
    integration = acme.connect()
    (key, view), (_, operate) = make_key(acme, "VIEWER"), make_key(acme, "OPERATOR")
    viewer, operator = acme.by(view), acme.by(operate)
    start = f'mutation {{ sync(input: {{integrationId: "{integration}"}}) {{ syncRun {{ id trigger }} }} }}'
    pause = f'mutation {{ pauseIntegration(input: {{integrationId: "{integration}"}}) {{ integration {{ id }} }} }}'
    invite = 'mutation { inviteMember(input: {email: "eve@acme.test"}) { acceptUrl } }'

    assert viewer.ask("{ integrations { id } }")["integrations"] == [{"id": integration}]
    refused = viewer.answer(start)
    assert (refused["data"], codes(refused)) == (None, ["FORBIDDEN"])
    assert refused["errors"][0]["extensions"]["requiredRole"] == "OPERATOR"
    for query in (pause, invite):
        for caller in (viewer, operator):
            assert codes(caller.answer(query)) == ["FORBIDDEN"]
    for caller in (viewer, operator):
        assert codes(caller.answer("{ viewer { workspace { apiKeys { prefix } } } }")) == ["FORBIDDEN"]
        assert caller.ask("query($i: ID!) { node(id: $i) { id } }", i=key)["node"] is None
    assert acme.ask("{ integrations { status } }")["integrations"] == [{"status": "ACTIVE"}]
    run = operator.ask(start)["sync"]["syncRun"]
    assert run["trigger"] == "API_KEY"
    assert acme.wait(run["id"])["status"] == "SUCCEEDED"


def test_a_revoked_key_is_refused_and_what_it_has_open_is_closed(acme: Gateway) -> None:
    key, secret = make_key(acme, "VIEWER")
    holder = acme.by(secret)
    ended: list[float] = []

    def watch() -> None:
        with pytest.raises(KeyError):  # the last event has errors, and no data
            list(holder.by_stream(RUNS))
        ended.append(time.monotonic())

    with open_runs(holder) as socket:
        stream = threading.Thread(target=watch)
        stream.start()
        wait_until(lambda: holder.ask(VIEWER))
        before = time.monotonic()
        acme.do("revokeApiKey", "apiKey { revokedAt }", apiKeyId=key)
        refused = HTTP.post(f"{acme.address}/graphql", json={"query": VIEWER}, headers=holder.headers)
        assert (refused.status_code, refused.json()["errors"][0]["message"]) == (401, "This API key was revoked.")
        assert wait_until_closed(socket, 2) == (4403, "This API key was revoked.")
        stream.join(2)
    assert ended
    assert ended[0] - before < 2
    assert time.monotonic() - before < 2


def test_an_expired_key_is_refused_and_what_it_has_open_is_closed(acme: Gateway) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    _, secret = make_key(acme, "VIEWER", expiresAt=soon.isoformat())
    holder = acme.by(secret)
    with open_runs(holder) as socket:
        assert holder.ask(VIEWER)["viewer"]["role"] == "VIEWER"
        assert wait_until_closed(socket) == (4403, "This API key has expired.")
    assert datetime.now(UTC) < soon + timedelta(seconds=2)
    assert codes(holder.answer(VIEWER)) == ["UNAUTHENTICATED"]
    query = "mutation($i: CreateApiKeyInput!) { createApiKey(input: $i) { secret userErrors { code field } } }"
    given = {"name": "late", "role": "VIEWER", "expiresAt": "2020-01-01T00:00:00Z"}
    payload = acme.ask(query, i=given)["createApiKey"]
    assert payload == {"secret": None, "userErrors": [{"code": "BAD_INPUT", "field": ["input", "expiresAt"]}]}


def test_a_key_that_the_command_revokes(guarded: Guarded, acme: Gateway) -> None:
    _, secret = make_key(acme, "VIEWER", name="to be revoked")
    with open_runs(acme.by(secret)) as socket:
        assert "to be revoked" in guarded.command("keys", "list", "--workspace", "Acme")
        guarded.command("keys", "revoke", "--workspace", "Acme", secret[:8])
        assert wait_until_closed(socket, 2)[0] == 4403
    assert codes(acme.by(secret).answer(VIEWER)) == ["UNAUTHENTICATED"]


# ---------------------------------------------------------------- members


def test_a_person_is_invited_and_accepts(acme: Gateway) -> None:
    fields = "acceptUrl member { id email name role invitedAt joinedAt }"
    first = acme.do("inviteMember", fields, email="Ada@ACME.test")
    again = acme.do("inviteMember", fields, email="ada@acme.test", name="Ada")
    member = again["member"]
    assert (member["email"], member["name"], member["role"]) == ("ada@acme.test", "Ada", "VIEWER")
    assert member["id"] == first["member"]["id"]
    assert HTTP.get(first["acceptUrl"]).status_code == 404

    page = HTTP.get(again["acceptUrl"])
    assert page.status_code == 200
    assert "ada@acme.test is invited to the workspace Acme, as VIEWER." in page.text
    assert '<form method="post"><button>Accept</button>' in page.text
    assert acme.ask("query($i: ID!) { node(id: $i) { ... on Member { joinedAt } } }", i=member["id"]) == {
        "node": {"joinedAt": None}
    }
    assert "You are a member of Acme" in HTTP.post(again["acceptUrl"]).text
    for method in ("GET", "POST"):
        assert HTTP.request(method, again["acceptUrl"]).status_code == 404
    listed = acme.ask("{ viewer { workspace { members(first: 250) { nodes { id joinedAt } totalCount } } } }")
    [found] = [one for one in listed["viewer"]["workspace"]["members"]["nodes"] if one["id"] == member["id"]]
    assert found["joinedAt"]
    refused = acme.do("inviteMember", fields, email="ada@acme.test")
    assert refused["userErrors"][0]["code"] == "ALREADY_MEMBER"


def test_members_are_changed_and_removed(acme: Gateway) -> None:
    member = acme.do("inviteMember", "acceptUrl member { id }", email="bob@acme.test", name="Bob")
    key = member["member"]["id"]
    query = "mutation($i: UpdateMemberInput!) { updateMember(input: $i) { member { name role } userErrors { code field } } }"
    for given, name, role in (
        ({"role": "ADMIN"}, "Bob", "ADMIN"),
        ({"name": None}, None, "ADMIN"),
        ({}, None, "ADMIN"),
    ):
        payload = acme.ask(query, i={"memberId": key, **given})["updateMember"]
        assert payload == {"member": {"name": name, "role": role}, "userErrors": []}
    refused = acme.ask(query, i={"memberId": key, "role": None})["updateMember"]
    assert refused == {"member": None, "userErrors": [{"code": "BAD_INPUT", "field": ["input", "role"]}]}
    acme.do("removeMember", "member { id }", memberId=key)
    assert HTTP.get(member["acceptUrl"]).status_code == 404
    assert acme.do("removeMember", "member { id }", memberId=key)["userErrors"][0]["code"] == "NOT_FOUND"
    listed = acme.ask("{ viewer { workspace { members { nodes { email } } } } }")["viewer"]["workspace"]["members"]
    assert "bob@acme.test" not in [one["email"] for one in listed["nodes"]]
    assert acme.do("inviteMember", "member { id }", email="bob@acme.test")["member"]["id"] == key


@pytest.mark.parametrize("email", ["", "bob", "bob@", "bob@acme test", "a" * 400 + "@acme.test"])
def test_what_is_no_address_is_not_invited(acme: Gateway, email: str) -> None:
    query = "mutation($e: String!) { inviteMember(input: {email: $e}) { acceptUrl userErrors { code field } } }"
    payload = acme.ask(query, e=email)["inviteMember"]
    assert payload == {"acceptUrl": None, "userErrors": [{"code": "BAD_INPUT", "field": ["input", "email"]}]}


# ---------------------------------------------------------------- workspaces and plans


def test_a_workspace_is_renamed_and_still_found_by_its_first_name(guarded: Guarded, acme: Gateway) -> None:
    renamed = acme.do("updateWorkspace", "workspace { name }", name="Acme Holding")
    assert renamed["workspace"]["name"] == "Acme Holding"
    assert "Acme Holding" in guarded.command("workspaces", "list")
    guarded.make_key("Acme", "VIEWER")
    guarded.make_key("acme holding", "VIEWER")
    assert acme.do("updateWorkspace", "workspace { name }", name="Acme")["workspace"]["name"] == "Acme"
    assert acme.do("updateWorkspace", "workspace { name }", name=" ")["userErrors"][0]["code"] == "BAD_INPUT"


def test_a_plan_that_does_not_include_it(guarded: Guarded, beta: Gateway, fresh: Sandbox) -> None:
    platforms = "{ crmPlatforms { crm requiredPlan isIncludedInPlan } }"
    lacking = {"requiredPlan": "BUSINESS", "isIncludedInPlan": False}
    assert beta.ask(platforms)["crmPlatforms"] == [{"crm": name, **lacking} for name in ("HUBSPOT", "PIPEDRIVE")]
    for given in ({"apiToken": "sandbox-pipedrive"}, {}):
        query = (
            "mutation($i: ConnectInput!) { connect(input: $i)"
            " { integration { id } authorizationUrl userErrors { code field details } } }"
        )
        assert beta.ask(query, i={"crm": "PIPEDRIVE", **given})["connect"] == {
            "integration": None,
            "authorizationUrl": None,
            "userErrors": [
                {"code": "PLAN_INSUFFICIENT", "field": ["input", "crm"], "details": {"requiredPlan": "BUSINESS"}}
            ],
        }
    assert beta.ask("{ integrations { id } }")["integrations"] == []
    guarded.command("workspaces", "plan", "Beta", "business")
    assert [one["isIncludedInPlan"] for one in beta.ask(platforms)["crmPlatforms"]] == [True, True]
    assert beta.ask("query($i: ID!) { integration(id: $i) { status } }", i=beta.connect())["integration"] == {
        "status": "ACTIVE"
    }


def test_a_downgrade_pauses_an_upgrade_resumes_and_nothing_is_lost(guarded: Guarded, fresh: Sandbox) -> None:
    gamma = guarded.make_workspace("Gamma", "TEAMS")
    integration = gamma.connect()
    fresh.disturb(**HASTE, latencyMs=400)
    run = gamma.start(integration)
    gamma.follow(run, lambda state: state["status"] == "RUNNING" and state["recordsCreated"] > 0)
    fresh.disturb(**HASTE, latencyMs=5000)  # the rest takes longer than the command

    assert "paused: " in guarded.command("workspaces", "plan", "Gamma", "STARTER")
    state = gamma.ask("query($i: ID!) { integration(id: $i) { status lastError } }", i=integration)["integration"]
    assert state == {"status": "PAUSED", "lastError": "Paused: the plan STARTER does not include it."}
    assert gamma.wait(run, "WAITING", seconds=20)["recordsCreated"] > 0
    fresh.disturb(**HASTE)
    resumed = gamma.do("resumeIntegration", "integration { id }", integrationId=integration)
    assert (resumed["integration"], resumed["userErrors"][0]["code"]) == (None, "PLAN_INSUFFICIENT")
    held = len(gamma.sources())

    assert "resumed: " in guarded.command("workspaces", "plan", "Gamma", "ENTERPRISE")
    assert gamma.wait(run)["status"] == "SUCCEEDED"
    assert set(gamma.sources()) == fresh.ids()
    assert 0 < held <= len(fresh.ids())


def test_a_plan_holds_and_frees_several(guarded: Guarded, fresh: Sandbox) -> None:
    guarded.crm.fill(5, account=2)
    epsilon = guarded.make_workspace("Epsilon")
    first, second = epsilon.connect(), epsilon.connect("sandbox-pipedrive-2")
    told = guarded.command("workspaces", "plan", "Epsilon", "FREE")
    assert told.count("paused: ") == 2
    statuses = "{ integrations { id status } }"
    assert {one["status"] for one in epsilon.ask(statuses)["integrations"]} == {"PAUSED"}
    paused = epsilon.do("pauseIntegration", "integration { status lastError }", integrationId=second)
    assert paused == {"integration": {"status": "PAUSED", "lastError": None}, "userErrors": []}
    told = guarded.command("workspaces", "plan", "Epsilon", "TEAMS")
    assert told.count("resumed: ") == 1
    assert epsilon.ask(statuses)["integrations"] == [
        {"id": first, "status": "ACTIVE"},
        {"id": second, "status": "PAUSED"},
    ]


def test_an_upgrade_leaves_what_a_person_has_paused(guarded: Guarded, fresh: Sandbox) -> None:
    delta = guarded.make_workspace("Delta")
    integration = delta.connect()
    delta.do("pauseIntegration", "integration { id }", integrationId=integration)
    for plan in ("FREE", "BUSINESS"):
        guarded.command("workspaces", "plan", "Delta", plan)
        assert delta.ask("{ integrations { status } }")["integrations"] == [{"status": "PAUSED"}]
    resumed = delta.do("resumeIntegration", "integration { status }", integrationId=integration)
    assert resumed["integration"] == {"status": "ACTIVE"}
