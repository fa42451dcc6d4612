"""A sync keeps to its workspace by itself: people, companies and ids that another one has alike are not touched."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from connectors.facts import Catalog
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from storage import upserts
from storage.database import Database
from storage.embedded import Embedded
from storage.tables import Integration, SyncRun
from sync.jobs import Jobs
from sync.pages import Writer
from tests.conftest import copy_database
from tests.storage.scoping import read_all, switch_off
from tests.sync.conftest import open_accounts

TYPES = {external.name: external for external in CONNECTORS["PIPEDRIVE"].types}
PERSON, ORGANIZATION, DEAL, ACTIVITY = (TYPES[name] for name in ("Person", "Organization", "Deal", "Activity"))


@dataclass(frozen=True)
class Tenant:
    """A workspace with two integrations, over a database without row-level security."""

    database: Database
    integrations: tuple[Integration, Integration]

    @property
    def workspace(self) -> UUID:
        """Its id."""
        return self.integrations[0].workspace_id

    def state(self) -> dict[str, list[str]]:
        """All that is its own."""
        return read_all(self.database.url, self.workspace)

    async def store(self, kind: str, *payloads: Mapping[str, Any], account: int = 0) -> None:
        """A page of a run."""
        external = TYPES[kind]
        async with self.database.session(self.workspace) as session:
            writer = Writer(self.database, session, self.integrations[account])
            await writer.store_page(external, [map_record(external, payload, Catalog()) for payload in payloads])

    async def end(self) -> None:
        """What a run does at its end."""
        async with self.database.session(self.workspace) as session:
            await Writer(self.database, session, self.integrations[0]).relink()

    async def archive(self, kind: str, *ids: str) -> None:
        """What the CRM names as deleted."""
        async with self.database.session(self.workspace) as session:
            await Writer(self.database, session, self.integrations[0]).archive(TYPES[kind], ids)

    async def meet(self, *users: Mapping[str, Any]) -> None:
        """The users of the CRM."""
        async with self.database.session(self.workspace) as session:
            common = {"integration_id": self.integrations[0].id, "is_active": True}
            await upserts.write_users(self.database, session, [{**common, **user} for user in users])


@pytest.fixture
async def pair(server: Embedded, template: str) -> AsyncIterator[tuple[Tenant, Tenant]]:
    with copy_database(server, template) as url:
        switch_off(url)
        database = Database(url)
        await database.open()
        yield await move_in(database), await move_in(database)
        await database.close()


async def move_in(database: Database) -> Tenant:
    """A workspace that holds the same two accounts as everybody here."""
    return Tenant(database, await open_accounts(database))


def person(id: int, *emails: str, **values: Any) -> dict[str, Any]:
    addresses = [{"value": email, "primary": not number} for number, email in enumerate(emails)]
    return {"id": id, "name": "Ann", "emails": addresses, "org_id": 10, **values}


async def arrive(tenant: Tenant) -> None:
    """A first FULL: links that have to wait, a person of two accounts, two that are not recognised as one yet."""
    await tenant.meet({"external_id": "7", "name": "Una", "email": "una@acme.test"})
    await tenant.store("Deal", {"id": 20, "title": "Pumps", "person_id": 1, "org_id": 10})
    await tenant.store("Person", person(1, "ann@acme.test"), person(2, "a.lee@acme.test"), person(3, "bo@acme.test"))
    await tenant.store("Organization", {"id": 10, "name": "Acme", "website": "https://acme.test"})
    activity = {"id": 30, "subject": "Call", "org_id": 10, "deal_id": 20, "participants": [{"person_id": 2}]}
    await tenant.store("Activity", activity)
    await tenant.end()
    await tenant.store("Person", person(91, "ann@acme.test", org_id=None), account=1)


async def change(tenant: Tenant) -> None:
    """What comes later: one that is as it was, one that is changed, one that was merged into another, one that is gone."""
    await tenant.meet({"external_id": "7", "name": "Una Lee", "email": "una@acme.test"})
    await tenant.store("Person", person(3, "bo@acme.test"), person(1, "ann@acme.test", "a.lee@acme.test", name="Ann L"))
    await tenant.store("Deal", {"id": 20, "title": "Pumps", "person_id": 2, "org_id": None})
    await tenant.store("Person", person(2, "a.lee@acme.test", is_deleted=True))
    await tenant.archive("Person", "3")
    await tenant.end()


async def test_the_same_people_of_another_workspace_stay_as_they_are(pair: tuple[Tenant, Tenant]) -> None:
    """Each in turn does what the other one has done, so that the other's rows are there to be met."""
    one, other = pair
    await arrive(one)
    before = one.state()
    await arrive(other)
    assert one.state() == before

    await change(other)
    assert one.state() == before

    after = other.state()
    await change(one)
    assert other.state() == after

    counts = {table: len(rows) for table, rows in one.state().items() if rows}
    assert counts == {table: len(rows) for table, rows in after.items() if rows}
    assert counts == {
        "workspace": 1,
        "integration": 2,
        "crm_user": 1,
        "source_record": 7,
        "match_key": 7,
        "contact": 2,
        "merged_record": 1,
        "organization": 1,
        "deal": 1,
        "deal_contact": 1,
        "activity": 1,
        "activity_contact": 1,
        "change_event": 15,
        "pairing": 1,
    }


async def test_no_row_leads_to_another_workspace(pair: tuple[Tenant, Tenant]) -> None:
    for tenant in pair:
        await arrive(tenant)
        await change(tenant)

    crossed = """
    select s.id from source_record s join contact c on c.id = s.record_id where s.workspace_id <> c.workspace_id
    union select c.id from contact c join organization o on o.id = c.organization_id where c.workspace_id <> o.workspace_id
    union select d.id from deal d join organization o on o.id = d.organization_id where d.workspace_id <> o.workspace_id
    union select a.id from activity a join deal d on d.id = a.deal_id where a.workspace_id <> d.workspace_id
    union select l.deal_id from deal_contact l join contact c on c.id = l.contact_id where l.workspace_id <> c.workspace_id
    union select k.source_id from match_key k join contact c on c.id = k.record_id where k.workspace_id <> c.workspace_id
    union select m.id from merged_record m join contact c on c.id = m.record_id where m.workspace_id <> c.workspace_id
    """
    with psycopg.connect(pair[0].database.url) as connection:
        assert connection.execute(crossed).fetchall() == []
        assert connection.execute("select count(distinct workspace_id) from merged_record").fetchone() == (2,)


async def test_a_job_says_ids_and_nothing_else(pair: tuple[Tenant, Tenant]) -> None:
    """Jobs are outside of row-level security: a new one has to be looked at."""
    tenant, jobs = pair[0], Jobs(pair[0].database)
    workspace, integration = tenant.workspace, tenant.integrations[0]
    run = SyncRun(id=uuid4(), workspace_id=workspace, integration_id=integration.id, kind="FULL", trigger="MEMBER")
    await jobs.open()
    async with tenant.database.session(workspace) as session:
        await jobs.defer_sync(session, run)
        await jobs.defer_leave(session, integration)
        await jobs.defer_rank(session, workspace)
        await jobs.defer_push(session, integration.id)
        await jobs.defer_due(session, "retry", workspace, integration.id)
    tasks = {name for name in jobs.app.tasks if not name.startswith(("builtin:", "procrastinate."))}
    await jobs.close()

    with psycopg.connect(tenant.database.url) as connection:
        deferred = connection.execute("select task_name, args, lock, queueing_lock from procrastinate_jobs order by id")
        rows = deferred.fetchall()
    assert tasks == {"sync", "leave", "rank", "push", "retry", "rescue", "tick"}
    ids = {"workspace_id": str(workspace), "integration_id": str(integration.id)}
    assert rows == [
        ("sync", {"workspace_id": str(workspace), "run_id": str(run.id)}, None, None),
        ("leave", ids, None, None),
        ("rank", {"workspace_id": str(workspace)}, None, None),
        ("push", ids, f"push:{integration.id}", None),
        ("retry", ids, f"push:{integration.id}", None),
    ]
