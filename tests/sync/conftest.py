"""A workspace with two accounts of a CRM, into which pages of records are written as a run writes them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from connectors.facts import Catalog
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from storage.database import Database
from storage.tables import Integration, Workspace
from sync.joining import Joiner
from sync.pages import Stored, Writer
from sync.settle import Settler

TYPES = {external.name: external for external in CONNECTORS["PIPEDRIVE"].types}
Payload = Mapping[str, Any]
Name = tuple[int, str]
"""(account, external id)"""


@pytest.fixture(scope="session")
async def database(worker_url: str) -> AsyncIterator[Database]:
    """The database that the tests of one process share: each has a workspace of its own in it."""
    database = Database(worker_url)
    await database.open()
    yield database
    await database.close()


@dataclass(frozen=True)
class Office:
    """A workspace and its two accounts."""

    database: Database
    accounts: tuple[Integration, Integration]

    @property
    def workspace(self) -> UUID:
        """Its id."""
        return self.accounts[0].workspace_id

    async def store(self, kind: str, *payloads: Payload, account: int = 0) -> Stored:
        """A page of a run."""
        external = TYPES[kind]
        async with self.database.session(self.workspace) as session:
            writer = Writer(self.database, session, self.accounts[account])
            return await writer.store_page(external, [map_record(external, one, Catalog()) for one in payloads])

    async def archive(self, kind: str, *ids: str) -> int:
        """What the CRM of the first account names as deleted."""
        async with self.database.session(self.workspace) as session:
            return await Writer(self.database, session, self.accounts[0]).archive(TYPES[kind], ids)

    async def read(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of the workspace."""
        return await self.database.fetch(self.workspace, sql, {**values, "workspace": self.workspace})

    async def records(self, kind: str) -> dict[Name, UUID]:
        """The record of every source of a type."""
        found = await self.read(
            "select integration_id, external_id, record_id from source_record"
            " where workspace_id = %(workspace)s and external_type = %(kind)s",
            kind=kind,
        )
        place = {one.id: number for number, one in enumerate(self.accounts)}
        return {(place[row["integration_id"]], row["external_id"]): row["record_id"] for row in found}

    async def groups(self, kind: str) -> set[frozenset[Name]]:
        """Which sources are one record."""
        groups: dict[UUID, set[Name]] = {}
        for name, record in (await self.records(kind)).items():
            groups.setdefault(record, set()).add(name)
        return {frozenset(group) for group in groups.values()}

    async def split(self, kind: str, name: Name) -> UUID | None:
        """As a person splits a source from its record."""
        sql = (
            "select id, record_id, record_type from source_record where workspace_id = %(workspace)s"
            " and external_type = %(kind)s and integration_id = %(account)s and external_id = %(id)s"
        )
        [row] = await self.read(sql, kind=kind, account=self.accounts[name[0]].id, id=name[1])
        async with self.database.session(self.workspace) as session:
            settler = Settler(self.database, session, self.workspace)
            await settler.lock()
            return await Joiner(settler, TYPES[kind].record_type).split(row["id"], row["record_id"])

    async def merge(self, kind: str, keep: Name, *others: Name) -> None:
        """As a person merges records."""
        records = await self.records(kind)
        async with self.database.session(self.workspace) as session:
            settler = Settler(self.database, session, self.workspace)
            await settler.lock()
            await Joiner(settler, TYPES[kind].record_type).merge(records[keep], {records[one] for one in others})


async def open_accounts(database: Database) -> tuple[Integration, Integration]:
    """A new workspace's two."""
    workspace = uuid4()
    first, second = (
        Integration(
            id=uuid4(),
            workspace_id=workspace,
            crm="PIPEDRIVE",
            display_name="Acme's",
            status="ACTIVE",
            credential_kind="API_TOKEN",
            account_id=account,
        )
        for account in ("4711", "4712")
    )
    async with database.session(workspace) as session:
        session.add(Workspace(id=workspace, name="Acme"))
        await session.flush()
        session.add_all((first, second))
    return first, second


async def open_office(database: Database) -> Office:
    """A new one."""
    return Office(database, await open_accounts(database))


@pytest.fixture
async def office(database: Database) -> Office:
    """One for a test."""
    return await open_office(database)
