"""A workspace with an integration in the shared database, a context for it, and rows put in by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import orjson
import pytest
import respx
from sqlmodel import SQLModel, col, update
from strawberry.types import ExecutionResult

from connectors.facts import Credential
from connectors.http import open_http
from connectors.pacing import MemoryLedger
from resolvers.budgets import Budgets, Limits
from resolvers.callers import Caller, Callers
from resolvers.context import Context, Services
from resolvers.crm import Payloads
from schema.build import schema
from storage import tables
from storage.cache import Cache
from storage.database import Database
from storage.events import Hub
from storage.identifiers import uuid7
from storage.listing import GlobalId
from storage.records import Record
from storage.secrets import Keyring
from storage.shapes import CredentialKind, Role
from sync.clients import Clients
from sync.credentials import Vault
from sync.jobs import Jobs

START = datetime(2026, 1, 1, tzinfo=UTC)
T = TypeVar("T", bound=SQLModel)


@pytest.fixture(scope="session")
async def database(worker_url: str) -> AsyncIterator[Database]:
    """The database that the tests of one process share: each has a workspace of its own in it."""
    database = Database(worker_url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def services(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """The real ones; no test here lets them reach a CRM."""
    async with open_services(database, Path(tmp_path_factory.mktemp("keys"))) as services:
        yield services


@asynccontextmanager
async def open_services(database: Database, keys: Path) -> AsyncIterator[Services]:
    """Over a database, with a new key in a folder."""
    http, cache = open_http(), Cache.make("test")
    keyring = Keyring.load(None, keys)
    vault = Vault(database=database, keyring=keyring)
    clients = Clients(vault=vault, ledger=MemoryLedger(), http=http, api_urls={})
    hub = Hub(database.url)
    yield Services(
        database=database,
        hub=hub,
        callers=Callers(database, hub),
        cache=cache,
        clients=clients,
        jobs=Jobs(database),
        payloads=Payloads(clients, cache),
        public_url="http://gateway.test",
        missing_settings={"PIPEDRIVE": ("PIPEDRIVE_CLIENT_ID",)},
        limits=Limits(cost=10**12),
        budgets=Budgets(10**12),
    )
    await cache.close()
    await http.aclose()


@dataclass
class Home:
    """A workspace with a member and an integration, and what is put into it."""

    database: Database
    services: Services
    workspace: UUID = field(default_factory=uuid4)
    member: UUID = field(default_factory=uuid4)
    integration: UUID = field(default_factory=uuid4)

    def context(self) -> Context:
        """Of one request by the member."""
        return Context(
            self.database, Caller(workspace_id=self.workspace, member_id=self.member, role=Role.ADMIN), self.services
        )

    async def ask(self, query: str, **variables: Any) -> ExecutionResult:
        """The answer to an operation, errors included."""
        return await schema.execute(query, variable_values=variables, context_value=self.context())

    async def read(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation that has no errors."""
        answer = await self.ask(query, **variables)
        assert answer.errors is None, answer.errors
        assert answer.data is not None
        return answer.data

    async def refused(self, query: str, **variables: Any) -> tuple[str, str]:
        """The code and the message of the one error of an operation."""
        answer = await self.ask(query, **variables)
        assert answer.errors is not None
        [error] = answer.errors
        assert error.extensions is not None
        orjson.dumps(error.formatted)  # as it leaves the gateway
        return error.extensions["code"], error.message

    async def add(self, *rows: SQLModel) -> None:
        """Puts rows into the workspace."""
        async with self.database.session(self.workspace) as session:
            session.add_all(rows)

    async def change(self, **values: Any) -> None:
        """Changes the integration, as if it had always been so."""
        async with self.database.session(self.workspace) as session:
            here = col(tables.Integration.id) == self.integration
            await session.exec(update(tables.Integration).where(here).values(**values))

    def make(self, model: type[T], **values: Any) -> T:
        """A row of the workspace; with an id, where its table has one."""
        identity = {"id": uuid7()} if "id" in model.model_fields else {}
        return model(**{**identity, "workspace_id": self.workspace, **values})

    def contact(self, number: int = 0, **values: Any) -> tables.Contact:
        """A contact, an hour older than the next one."""
        moment = START + timedelta(hours=number)
        return self.make(tables.Contact, **{"created_at": moment, "updated_at": moment, **values})

    def source(self, record: Record, external_id: str, **values: Any) -> tables.SourceRecord:
        """A source of a record."""
        given = {
            "integration_id": self.integration,
            "crm": "PIPEDRIVE",
            "external_type": "Person",
            "external_id": external_id,
            "record_type": type(record).__name__.upper(),
            "record_id": record.id,
            "payload": {"id": external_id},
            "mapped": {},
            "refs": {},
            "content_hash": b"",
            "synced_at": START,
        }
        return self.make(tables.SourceRecord, **{**given, **values})


@pytest.fixture
async def home(database: Database, services: Services) -> Home:
    """A workspace of its own for a test."""
    return await move_in(Home(database, services))


@pytest.fixture
async def neighbour(database: Database, services: Services) -> Home:
    """Another workspace, of which nothing may be seen."""
    return await move_in(Home(database, services))


async def move_in(home: Home) -> Home:
    """The rows that a workspace begins with."""
    async with home.database.session(home.workspace) as session:
        session.add(tables.Workspace(id=home.workspace, name="Acme", plan="TEAMS"))
        await session.flush()
        email = f"{home.member}@acme.test"
        session.add(tables.Member(id=home.member, workspace_id=home.workspace, email=email, name="Ada", role="ADMIN"))
        session.add(
            tables.Integration(
                id=home.integration,
                workspace_id=home.workspace,
                crm="PIPEDRIVE",
                display_name="Acme's Pipedrive",
                status="ACTIVE",
                credential_kind="API_TOKEN",
                account_id=str(home.integration),
                account_user_id="7",
                record_types=["CONTACT", "DEAL"],
                created_at=START,
            )
        )
    return home


def gid(row: Any, name: str = "") -> str:
    """The global id of a row."""
    return str(GlobalId(name or type(row).__name__, row.id))


HOST = "https://acme.pipedrive.com"


@pytest.fixture
async def crm(home: Home) -> AsyncIterator[respx.MockRouter]:
    """The CRM of the home's integration, faked; the integration has a token."""
    token = Credential(kind=CredentialKind.API_TOKEN, token="secret-token-3")
    vault = home.services.clients.vault
    sealed = vault.seal(token, workspace=home.workspace, integration=home.integration)
    await home.change(credentials=sealed, account_url=HOST)
    with respx.mock(base_url=HOST, assert_all_called=False) as router:
        yield router
