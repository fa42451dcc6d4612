"""Signing in elsewhere, over real sockets: a gateway, an issuer on this machine, and people who work in a workspace."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from websockets import ClientConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from gateway.app import create_app
from gateway.serve import listen
from gateway.settings import Settings
from resolvers.callers import digest_handle
from storage import members, workspaces
from storage.database import Database
from storage.records import now
from storage.tables import Member, Workspace
from tests.gateway.issuer import AUDIENCE, Realm, bearer, make_ec

ASKED = "{ viewer { role member { email } workspace { name } } }"
VISITED = {"viewer": {"role": "OPERATOR", "member": None, "workspace": {"name": "Acme"}}}


@dataclass
class Stage:
    """A gateway that takes an issuer's tokens, and a workspace in it."""

    address: str
    realm: Realm
    database: Database
    workspace: UUID
    handle: str

    def sign(self, **changed: Any) -> str:
        """A token for the workspace."""
        given: dict[str, Any] = {"workspace": self.handle, **changed}
        return self.realm.sign(**given)

    async def add(self, email: str, role: str, **values: Any) -> Member:
        """A member."""
        member = Member(id=uuid4(), workspace_id=self.workspace, email=email, role=role, invited_at=now(), **values)
        async with self.database.session(self.workspace) as session:
            session.add(member)
        return member

    async def ask(self, token: str) -> Any:
        """The data of a good answer over HTTP."""
        status, answer = await self.send(token)
        assert (status, "errors" in answer) == (200, False), answer
        return answer["data"]

    async def send(self, token: str) -> tuple[int, Any]:
        """The status and the answer."""
        async with httpx.AsyncClient(trust_env=False, headers=bearer(token)) as client:
            answer = await client.post(f"{self.address}/graphql", json={"query": ASKED})
        return answer.status_code, answer.json()

    async def refuse(self, token: str) -> str:
        """Why it is refused."""
        status, answer = await self.send(token)
        [error] = answer["errors"]
        assert (status, error["extensions"]["code"], "data" in answer) == (401, "UNAUTHENTICATED", False)
        return str(error["message"])

    def dial(self) -> connect:
        address = f"{self.address.replace('http', 'ws', 1)}/graphql"
        return connect(address, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None)


@asynccontextmanager
async def serve(app: Starlette) -> AsyncIterator[int]:
    """The port on which it answers."""
    with listen("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        task = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await task


def publish(realm: Realm) -> Starlette:
    """The issuer as a program."""
    routes = {"/.well-known/openid-configuration": realm.about, "/keys": realm.key_set}
    return Starlette(routes=[Route(path, lambda _, show=show: JSONResponse(show())) for path, show in routes.items()])


@pytest_asyncio.fixture(scope="module")
async def stage(worker_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    realm, workspace = Realm(""), uuid4()
    async with serve(publish(realm)) as port:
        realm.url = f"http://127.0.0.1:{port}/"
        settings = Settings.load(
            database_url=worker_url,
            crosswalk_data=Path(tmp_path_factory.mktemp("signin")),
            crosswalk_sandbox=False,
            oidc_issuer=realm.url,
            oidc_audience=AUDIENCE,
        )
        app = create_app(settings, works=False)
        async with app.router.lifespan_context(app), serve(app) as gate:
            database, handle = app.state.process.services.database, f"acme-{workspace}"
            async with database.session(workspace) as session:
                row = Workspace(id=workspace, name="Acme", handle=handle, plan="BUSINESS")
                await workspaces.add(session, row, digest_handle(handle))
            yield Stage(f"http://127.0.0.1:{gate}", realm, database, workspace, handle)


async def hear(socket: ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


async def greet(socket: ClientConnection, token: str) -> Any:
    """Says who it is, and what comes back."""
    payload = {"Authorization": f"Bearer {token}"}
    await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
    return await hear(socket)


async def wait_closed(socket: ClientConnection) -> tuple[int, str]:
    """The code and the reason with which the gateway closes it."""
    with pytest.raises(ConnectionClosed) as closed:
        await hear(socket)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_the_role_of_the_token_counts_for_whoever_is_no_member(stage: Stage) -> None:
    assert await stage.ask(stage.sign(role="operator")) == VISITED
    assert await stage.ask(stage.sign(role="operator", workspace=str(stage.workspace))) == VISITED
    refused = await stage.refuse(stage.sign())
    assert refused == "This person is no member of the workspace, and the token gives no role."


async def test_a_token_counts_for_an_event_stream(stage: Stage) -> None:
    headers = {**bearer(stage.sign(role="OPERATOR")), "accept": "text/event-stream"}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{stage.address}/graphql", json={"query": ASKED}, headers=headers)
        refused = await client.post(
            f"{stage.address}/graphql", json={"query": ASKED}, headers={**headers, **bearer(stage.sign(exp=1))}
        )
    lines = [line for line in answer.text.splitlines() if line.startswith(("event", "data: {"))]
    assert lines[0] == "event: next"
    assert json.loads(lines[1].removeprefix("data: "))["data"] == VISITED
    assert lines[2] == "event: complete"
    assert (refused.status_code, refused.json()["errors"][0]["message"]) == (401, "This token has expired.")


async def test_a_token_counts_for_a_socket(stage: Stage) -> None:
    async with stage.dial() as socket:
        assert await greet(socket, stage.sign(role="OPERATOR")) == {"type": "connection_ack"}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": ASKED}}))
        assert (await hear(socket))["payload"]["data"] == VISITED
    async with stage.dial() as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": bearer(stage.sign(aud="other"))}))
        assert await wait_closed(socket) == (4403, "This token is not for this gateway (audience).")


async def test_a_members_own_role_wins(stage: Stage) -> None:
    await stage.add("vera@acme.test", "VIEWER")
    seen = {"viewer": {"role": "VIEWER", "member": {"email": "vera@acme.test"}, "workspace": {"name": "Acme"}}}
    assert await stage.ask(stage.sign(sub="vera", email="Vera@Acme.Test", role="ADMIN")) == seen
    assert await stage.ask(stage.sign(sub="vera", email="Vera@Acme.Test")) == seen


@pytest.mark.parametrize("without", [{"email": None}, {"email_verified": False}])
async def test_leaving_the_address_out_changes_nothing(stage: Stage, without: dict[str, Any]) -> None:
    address = f"{uuid4()}@acme.test"
    member = await stage.add(address, "VIEWER")
    sally = {"sub": f"sally-{address}", "email": address, "role": "ADMIN"}
    assert (await stage.ask(stage.sign(**sally)))["viewer"]["role"] == "VIEWER"
    seen = await stage.ask(stage.sign(**{**sally, **without}))
    assert (seen["viewer"]["role"], seen["viewer"]["member"]) == ("VIEWER", {"email": address})
    async with stage.database.session(stage.workspace) as session:
        await members.remove(stage.database, session, stage.workspace, member.id)
    assert await stage.refuse(stage.sign(**{**sally, **without})) == "This person was removed from the workspace."
    assert (await stage.ask(stage.sign(sub="somebody else", role="ADMIN")))["viewer"]["role"] == "ADMIN"


async def test_who_was_removed_is_refused_and_put_out(stage: Stage) -> None:
    removed = "This person was removed from the workspace."
    await stage.add("rita@acme.test", "ADMIN", removed_at=now())
    assert await stage.refuse(stage.sign(sub="rita", email="rita@acme.test", role="ADMIN")) == removed
    member = await stage.add("otto@acme.test", "ADMIN")
    async with stage.dial() as socket:
        assert await greet(socket, stage.sign(sub="otto", email="otto@acme.test", role="ADMIN")) == {
            "type": "connection_ack"
        }
        async with stage.database.session(stage.workspace) as session:
            await members.remove(stage.database, session, stage.workspace, member.id)
        async with asyncio.timeout(2):
            assert await wait_closed(socket) == (4403, removed)


@pytest.mark.parametrize("workspace", ["Acme", "nowhere", "5f0c3c8e-5d7e-4b0a-9a52-0c9be0a1d001", "a" * 3000])
async def test_a_workspace_that_is_not_there(stage: Stage, workspace: str) -> None:
    """Nor by its name, which its own admins choose."""
    refused = await stage.refuse(stage.sign(workspace=workspace, role="ADMIN"))
    assert refused == "The token is for no workspace of this gateway."


async def test_new_keys_count_without_a_restart(stage: Stage) -> None:
    new = make_ec("second")
    token = stage.realm.sign("ES256", new, workspace=stage.handle, role="OPERATOR")
    assert await stage.refuse(token) == "The issuer has no key that fits this token."
    stage.realm.keys.append(new)
    assert await stage.ask(token) == VISITED


async def test_a_socket_closes_when_its_token_ends(stage: Stage) -> None:
    ends = time.time() + 1.2
    async with stage.dial() as socket:
        assert await greet(socket, stage.sign(role="ADMIN", exp=ends)) == {"type": "connection_ack"}
        assert await wait_closed(socket) == (4403, "This token has expired.")
    assert ends <= time.time() < ends + 2
