"""Credentials: what is stored of them, and that a renewal is one call whose result nobody loses."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import pytest
import respx

from connectors.calls import EARLY
from connectors.errors import Reauthorize, Retryable
from connectors.facts import Credential
from connectors.http import Http, open_http
from connectors.oauth import App
from connectors.pacing import MemoryLedger
from connectors.registry import CONNECTORS
from storage import integrations, runs
from storage.database import Database
from storage.secrets import Keyring
from storage.shapes import CredentialKind, RecordType, SyncKind, SyncTrigger
from storage.tables import Integration, Workspace
from sync.clients import Clients
from sync.credentials import Vault
from sync.jobs import Jobs
from sync.worker import Worker
from tests.connectors.conftest import BASE

HOST = "https://oauth.pipedrive.com"
HOUR = 3600.0


@pytest.fixture
async def database(worker_url: str) -> AsyncIterator[Database]:
    database = Database(worker_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    async with open_http() as http:
        yield http


@pytest.fixture
def vendor() -> Any:
    with respx.mock(assert_all_called=False) as router:
        yield router.post(f"{HOST}/oauth/token")


def give(number: int, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"access_token": f"new-{number}", "expires_in": HOUR, **more})


def make_vault(database: Database, http: Http, keyring: Keyring) -> Vault:
    connector = CONNECTORS["PIPEDRIVE"]
    assert connector.oauth

    async def pause(_: float) -> None:
        await asyncio.sleep(0)

    app = App(
        connector=connector,
        oauth=connector.oauth,
        client_id="client",
        client_secret="hush",
        http=http,
        url=HOST,
        token_url=HOST,
        pause=pause,
    )
    return Vault(database=database, keyring=keyring, apps={"PIPEDRIVE": app})


@dataclass
class Home:
    """A workspace with an integration that lives on a consent."""

    database: Database
    vault: Vault
    workspace: UUID
    integration: UUID

    async def row(self) -> Integration:
        async with self.database.session(self.workspace) as session:
            found = await integrations.find(session, self.integration)
        assert found
        return found

    async def keep(self, credential: Credential, **values: Any) -> None:
        sealed = self.vault.seal(credential, workspace=self.workspace, integration=self.integration)
        async with self.database.session(self.workspace) as session:
            await integrations.change(session, self.integration, credentials=sealed, **values)

    async def change(self, **values: Any) -> None:
        async with self.database.session(self.workspace) as session:
            await integrations.change(session, self.integration, **values)

    async def renew(self, stale: str = "old", *, vault: Vault | None = None, force: bool = False) -> Credential:
        return await (vault or self.vault).renew(self.workspace, self.integration, stale, force=force)

    async def stored(self) -> tuple[str, str | None]:
        found = self.vault.open(await self.row(), force=True)
        return found.token, found.refresh_token


def make_credential(
    token: str = "old",  # noqa: S107 # made up
    refresh: str | None = "refresh-1",
    lasts: float = HOUR,
) -> Credential:
    return Credential(kind=CredentialKind.OAUTH2, token=token, refresh_token=refresh, expires_at=time.time() + lasts)


@pytest.fixture
async def home(database: Database, http: Http, tmp_path: Path) -> Home:
    home = Home(database, make_vault(database, http, Keyring.load(None, tmp_path)), uuid4(), uuid4())
    async with database.session(home.workspace) as session:
        session.add(Workspace(id=home.workspace, name="Acme"))
        await session.flush()
        session.add(
            Integration(
                id=home.integration,
                workspace_id=home.workspace,
                crm="PIPEDRIVE",
                display_name="Acme",
                status="ACTIVE",
                credential_kind="OAUTH2",
                scopes=["base"],
                account_id=str(home.integration),
            )
        )
    await home.keep(make_credential())
    return home


# ---------------------------------------------------------------- what is stored


async def test_a_credential_comes_back_as_it_was(home: Home) -> None:
    credential = make_credential()
    await home.keep(credential)
    row = await home.row()
    assert home.vault.open(row) == credential
    assert b"old" not in (row.credentials or b"")


async def test_what_was_sealed_before_there_was_consent(home: Home) -> None:
    sealed = home.vault.keyring.seal(
        orjson.dumps({"token": "t"}), workspace=home.workspace, integration=home.integration
    )
    await home.change(credentials=sealed, credential_kind="API_TOKEN")
    assert home.vault.open(await home.row()) == Credential(kind=CredentialKind.API_TOKEN, token="t")


# ---------------------------------------------------------------- one call


async def test_a_renewal_is_stored_and_no_change_by_a_person(home: Home, vendor: respx.Route) -> None:
    vendor.mock(return_value=give(1, refresh_token="refresh-2", scope="base,deals:full"))
    before = await home.row()
    found = await home.renew()
    after = await home.row()
    assert (found.token, await home.stored()) == ("new-1", ("new-1", "refresh-2"))
    assert (after.scopes, after.updated_at, after.status) == (["base", "deals:full"], before.updated_at, "ACTIVE")


async def test_what_an_answer_leaves_out_stays(home: Home, vendor: respx.Route) -> None:
    vendor.mock(return_value=give(1))
    await home.renew()
    assert (await home.stored(), (await home.row()).scopes) == (("new-1", "refresh-1"), ["base"])


async def test_who_comes_later_gets_what_is_stored(home: Home, vendor: respx.Route) -> None:
    await home.keep(make_credential("newer"))
    assert (await home.renew("old")).token == "newer"
    assert vendor.call_count == 0


async def test_one_that_is_about_to_end_is_no_help(home: Home, vendor: respx.Route) -> None:
    vendor.mock(return_value=give(1))
    await home.keep(make_credential("newer", lasts=EARLY - 1))
    assert (await home.renew("old")).token == "new-1"


async def test_fifty_in_two_processes_are_one_call(
    home: Home, database: Database, http: Http, vendor: respx.Route
) -> None:
    other = make_vault(database, http, home.vault.keyring)
    begun = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        begun.set()
        await asyncio.sleep(0.05)
        return give(vendor.call_count + 1)

    vendor.mock(side_effect=answer)
    callers = [asyncio.create_task(home.renew(vault=vault)) for _ in range(25) for vault in (home.vault, other)]
    await begun.wait()
    assert [len(home.vault.renewing), len(other.renewing)] == [1, 1]  # 50 connections would be more than there are
    assert {found.token for found in await asyncio.gather(*callers)} == {"new-1"}
    assert (vendor.call_count, home.vault.renewing, other.renewing) == (1, {}, {})


async def test_a_caller_that_goes_away_takes_nothing_with_it(home: Home, vendor: respx.Route) -> None:
    """The vendor has taken back the old refresh token by then."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        begun.set()
        await go_on.wait()
        return give(1, refresh_token="refresh-2")

    vendor.mock(side_effect=answer)
    caller = asyncio.create_task(home.renew())
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    closing = asyncio.create_task(home.vault.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert await home.stored() == ("new-1", "refresh-2")


# ---------------------------------------------------------------- refused, and meanwhile

GRANT_IS_OVER = httpx.Response(400, json={"error": "invalid_grant"})
ENDED = "Pipedrive does not accept the consent any more: connect the account again (HTTP 400, invalid_grant)."


async def test_a_refusal_for_good_is_asked_for_once(home: Home, vendor: respx.Route) -> None:
    vendor.mock(return_value=GRANT_IS_OVER)
    for _ in range(3):
        with pytest.raises(Reauthorize) as refused:
            await home.renew()
        assert (refused.value.message, refused.value.integration) == (ENDED, str(home.integration))
    row = await home.row()
    assert (row.status, row.last_error, vendor.call_count) == ("ERROR", ENDED, 1)
    with pytest.raises(Reauthorize, match="connect the account again"):
        home.vault.open(row)
    vendor.mock(return_value=give(1))
    assert home.vault.open(row, force=True).token == "old"
    assert (await home.renew(force=True)).token == "new-1"  # a real attempt
    assert (await home.row()).status == "ERROR"  # what it means is for others to say


async def test_a_token_in_error_is_still_tried(home: Home) -> None:
    """Its error may be of a CRM that was set up wrongly; no renewal could help it."""
    await home.keep(Credential(kind=CredentialKind.API_TOKEN, token="t"), status="ERROR", credential_kind="API_TOKEN")
    assert home.vault.open(await home.row()).token == "t"


async def test_a_failure_for_now_changes_nothing(home: Home, vendor: respx.Route) -> None:
    vendor.mock(return_value=httpx.Response(503))
    with pytest.raises(Retryable):
        await home.renew()
    assert ((await home.row()).status, await home.stored()) == ("ACTIVE", ("old", "refresh-1"))


@pytest.mark.parametrize("answer", [give(1), GRANT_IS_OVER])
async def test_disconnected_meanwhile(home: Home, vendor: respx.Route, answer: httpx.Response) -> None:
    async def leave(_: httpx.Request) -> httpx.Response:
        await home.change(status="DISCONNECTED", credentials=None)
        return answer

    vendor.mock(side_effect=leave)
    with pytest.raises(Reauthorize, match="There is no credential"):
        await home.renew()
    row = await home.row()
    assert (row.status, row.credentials, row.last_error) == ("DISCONNECTED", None, None)


@pytest.mark.parametrize("answer", [give(1), GRANT_IS_OVER])
async def test_connected_anew_meanwhile(home: Home, vendor: respx.Route, answer: httpx.Response) -> None:
    async def consent(_: httpx.Request) -> httpx.Response:
        await home.keep(make_credential("consented", "refresh-9"))
        return answer

    vendor.mock(side_effect=consent)
    assert (await home.renew()).token == "consented"
    assert ((await home.row()).status, await home.stored()) == ("ACTIVE", ("consented", "refresh-9"))


async def sync(home: Home, answer: Callable[[httpx.Request], Any]) -> Integration:
    """A run against a CRM that answers so; gives the integration as it leaves it."""
    kind, types, asked_by = SyncKind.FULL, [RecordType.CONTACT], (SyncTrigger.MEMBER, None)
    about: dict[str, Any] = {"kind": kind, "types": types, "scope": {}, "asked_by": asked_by}
    async with home.database.session(home.workspace) as session:
        run, _ = await runs.request(home.database, session, integration=home.integration, **about)
    jobs = Jobs(home.database)
    await jobs.open()
    async with open_http() as http:
        clients = Clients(vault=home.vault, ledger=MemoryLedger(), http=http, api_urls={"PIPEDRIVE": BASE})
        with respx.mock(base_url=BASE) as crm:
            crm.route().mock(side_effect=answer)
            await Worker(home.database, jobs, clients).run_sync(home.workspace, run.id)
    await jobs.close()
    return await home.row()


async def test_a_run_that_gets_through_ends_what_a_quota_held(home: Home) -> None:
    until = datetime.now(UTC) + timedelta(hours=9)
    await home.change(push_resumes_at=until, record_types=["CONTACT"])
    row = await sync(home, lambda _: httpx.Response(200, json={"success": True, "data": []}))
    assert (row.last_synced_at is None, row.push_resumes_at) == (False, None)
    waiting = "select lock from procrastinate_jobs where lock = %(lock)s and task_name = 'push'"
    assert len(await home.database.lookup(waiting, {"lock": f"push:{home.integration}"})) == 1


@pytest.mark.parametrize("given", ["old", "new"])
async def test_what_a_run_was_refused_with_is_not_what_somebody_has_given_meanwhile(home: Home, given: str) -> None:
    def token(name: str) -> Credential:
        return Credential(kind=CredentialKind.API_TOKEN, token=name)

    async def refuse(_: httpx.Request) -> httpx.Response:
        if given == "new":
            await home.keep(token(given))
        return httpx.Response(401, json={"success": False, "error": "unauthorized access"})

    await home.keep(token("old"), credential_kind="API_TOKEN", record_types=["CONTACT"])
    row = await sync(home, refuse)
    assert (row.status, row.last_error is None) == (("ACTIVE", True) if given == "new" else ("ERROR", False))


async def test_without_our_oauth_client_nothing_ends(home: Home) -> None:
    vault = Vault(database=home.database, keyring=home.vault.keyring)
    with pytest.raises(Retryable, match="set PIPEDRIVE_CLIENT_ID and PIPEDRIVE_CLIENT_SECRET"):
        await home.renew(vault=vault)
    assert (await home.row()).status == "ACTIVE"


async def test_an_integration_that_is_gone(home: Home) -> None:
    with pytest.raises(Reauthorize):
        await home.vault.renew(home.workspace, uuid4(), "old")
    with pytest.raises(Reauthorize):
        await home.vault.renew(uuid4(), home.integration, "old")
