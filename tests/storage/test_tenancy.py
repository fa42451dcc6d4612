"""Nobody reaches another workspace's rows: row-level security lets nobody, and each statement keeps to its own by itself."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import inspect
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import consents, integrations, matching, merges, runs, upserts
from storage.database import Database
from storage.embedded import Embedded
from storage.errors import WrongWorkspace
from storage.shapes import RecordType, SyncStatus
from storage.shared import RateWindow
from storage.tables import Contact, Integration, SourceRecord
from tests.conftest import copy_database
from tests.house.tables import OWNED
from tests.storage import scoping
from tests.storage.scoping import Row, fill, find_owner, find_unscoped, insert, make_row

ROLES = ["crosswalk_app", "owner"]
"""The role that the program takes, and the one that the tables belong to."""


@dataclass(frozen=True)
class Pair:
    """Two workspaces in a database, each with a row in every table."""

    url: str
    owner: str
    ours: dict[str, Row]
    others: dict[str, Row]

    @contextmanager
    def become(self, role: str, workspace: object) -> Iterator[psycopg.Connection]:
        """A transaction of the role, in a workspace or in none; nothing of it stays."""
        name = self.owner if role == "owner" else role
        with psycopg.connect(self.url, options=f"-c role={name}") as connection:
            connection.execute("select set_config('app.workspace', %s, true)", (workspace and str(workspace),))
            yield connection
            connection.rollback()


@pytest.fixture(scope="module")
def pair(server: Embedded, template: str) -> Iterator[Pair]:
    with copy_database(server, template) as url, psycopg.connect(url, autocommit=True) as admin:
        owner = f"owner_{uuid4().hex}"  # roles are the whole server's
        admin.execute(f"create role {owner}".encode())
        for table in OWNED:
            admin.execute(f"alter table {table} owner to {owner}".encode())
        yield Pair(url, owner, fill(admin, uuid4()), fill(admin, uuid4()))
        admin.execute(f"drop owned by {owner} cascade".encode())
        admin.execute(f"drop role {owner}".encode())


def count(connection: psycopg.Connection, query: str, table: str, **values: Any) -> int:
    """How many rows a statement gives, or changes; `owner` stands for the column that says whose they are."""
    found = connection.execute(query.format(t=table, owner=find_owner(table)).encode(), values)
    return found.rowcount


# ---------------------------------------------------------------- row-level security alone


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", sorted(OWNED))
def test_no_row_of_another_workspace_can_be_reached(pair: Pair, role: str, table: str) -> None:
    ours, others = pair.ours["workspace"]["id"], pair.others["workspace"]["id"]
    with pair.become(role, ours) as connection:
        assert count(connection, "select from {t}", table) == 1
        assert count(connection, "select from {t} where {owner} = %(others)s", table, others=others) == 0
        assert count(connection, "update {t} set {owner} = {owner}", table) == 1
        assert count(connection, "update {t} set {owner} = {owner} where {owner} = %(o)s", table, o=others) == 0
        assert count(connection, "delete from {t} where {owner} = %(others)s", table, others=others) == 0
        assert count(connection, "delete from {t}", table) == 1


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", sorted(OWNED))
def test_no_row_can_be_given_to_another_workspace(pair: Pair, role: str, table: str) -> None:
    ours, others = pair.ours["workspace"]["id"], pair.others["workspace"]["id"]
    with pair.become(role, ours) as connection, pytest.raises(InsufficientPrivilege, match="row-level security"):
        insert(connection, table, make_row(table, others if table != "workspace" else uuid4(), pair.others))
    with pair.become(role, ours) as connection, pytest.raises(InsufficientPrivilege, match="row-level security"):
        count(connection, "update {t} set {owner} = %(others)s", table, others=others)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", sorted(OWNED))
def test_no_row_of_another_workspace_can_be_taken_over(pair: Pair, role: str, table: str) -> None:
    """By an upsert that meets its key."""
    ours = pair.ours["workspace"]["id"]
    keys = sql.SQL(", ").join(sql.Identifier(column.name) for column in SQLModel.metadata.tables[table].primary_key)
    row = {**pair.others[table], **({} if table == "workspace" else {"workspace_id": ours})}
    names, values = (sql.SQL(", ").join(map(kind, row)) for kind in (sql.Identifier, sql.Placeholder))
    upsert = "insert into {} ({}) values ({}) on conflict ({}) do update set {owner} = excluded.{owner}"
    owner = sql.Identifier(find_owner(table))
    statement = sql.SQL(upsert).format(sql.Identifier(table), names, values, keys, owner=owner)
    with pair.become(role, ours) as connection, pytest.raises(InsufficientPrivilege, match="row-level security"):
        connection.execute(statement, row)


@pytest.mark.parametrize("workspace", [None, ""])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("table", sorted(OWNED))
def test_without_a_workspace_there_is_nothing(pair: Pair, role: str, table: str, workspace: str | None) -> None:
    with pair.become(role, workspace) as connection:
        assert count(connection, "select from {t}", table) == 0
        assert count(connection, "update {t} set {owner} = {owner}", table) == 0
        assert count(connection, "delete from {t}", table) == 0
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            insert(connection, table, make_row(table, uuid4(), pair.ours))


# ---------------------------------------------------------------- what the statements say


@pytest.mark.parametrize(("name", "statement"), scoping.list_constants().items(), ids=lambda each: each.split()[0])
def test_every_statement_names_its_workspace(name: str, statement: str) -> None:
    assert find_unscoped(statement) == []


def test_so_does_every_statement_that_is_made() -> None:
    made = list(scoping.list_made())
    assert [statement for statement in made if find_unscoped(statement)] == []
    assert len(made) > 50


def test_no_statement_is_overlooked() -> None:
    assert scoping.find_places() == scoping.MAKERS, "let `list_made` make those of a new place, and name it in MAKERS"
    assert len(scoping.list_constants()) > 50


@pytest.mark.parametrize(
    ("statement", "unscoped"),
    [
        ("SELECT * FROM sync_run WHERE id = %(id)s", ["%(workspace)s", "workspace_id"]),
        ("DELETE FROM contact WHERE id = %(id)s OR workspace_id <> %(workspace)s", ["workspace_id"]),
        ("UPDATE deal t SET stage = 'x' WHERE t.id = (SELECT id FROM deal WHERE workspace_id = %(workspace)s)", ["t"]),
        (
            "SELECT FROM source_record s JOIN contact c ON c.id = s.record_id WHERE s.workspace_id = %(workspace)s",
            ["c"],
        ),
        ("SELECT FROM source_record s, contact c WHERE s.workspace_id = %(workspace)s", ["c"]),
        (
            "SELECT FROM (SELECT FROM deal t WHERE t.workspace_id = %(workspace)s) u, LATERAL (SELECT FROM deal t) v",
            ["t"],
        ),
        ("SELECT %(workspace)s FROM deal t JOIN contact c ON c.workspace_id = t.workspace_id", ["t"]),
        ("UPDATE workspace SET name = 'x' WHERE plan = %(workspace)s", ["id"]),
        (
            "INSERT INTO deal (id, workspace_id) VALUES (1, %(workspace)s) ON CONFLICT (id) DO UPDATE SET id = 2",
            ["deal"],
        ),
        ("INSERT INTO deal (id) SELECT %(workspace)s", ["deal"]),
    ],
)
def test_a_statement_that_does_not_would_be_found(statement: str, unscoped: list[str]) -> None:
    assert find_unscoped(statement) == unscoped


# ---------------------------------------------------------------- SQLAlchemy's statements


@dataclass(frozen=True)
class Bare:
    """A database without row-level security, with two workspaces in it."""

    database: Database
    ours: dict[str, Row]
    others: dict[str, Row]

    @property
    def workspace(self) -> UUID:
        """Ours."""
        found: UUID = self.ours["workspace"]["id"]
        return found


@pytest.fixture(scope="module")
async def bare(server: Embedded, template: str) -> AsyncIterator[Bare]:
    with copy_database(server, template) as url:
        scoping.switch_off(url)
        with psycopg.connect(url) as admin:
            ours, others = fill(admin, uuid4()), fill(admin, uuid4())
        database = Database(url)
        await database.open()
        yield Bare(database, ours, others)
        await database.close()


def whole_key(table: str, row: Row) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in inspect(OWNED[table]).primary_key)


@pytest.mark.parametrize("table", sorted(OWNED))
async def test_sqlalchemys_statements_keep_to_the_workspace_by_themselves(bare: Bare, table: str) -> None:
    model, owner = OWNED[table], find_owner(table)
    column: Any = getattr(model, owner)
    others = bare.others[table][owner]

    async with bare.database.session(bare.workspace) as session:
        assert [getattr(row, owner) for row in (await session.exec(select(model))).all()] == [bare.workspace]
        assert (await session.exec(select(func.count()).select_from(model))).one() == 1
        assert (await session.exec(select(column).where(column == others))).all() == []
        assert (await session.exec(select(aliased(model)))).one()
        assert await session.get(model, whole_key(table, bare.others[table])) is None
        assert await session.get(model, whole_key(table, bare.ours[table])) is not None
        nested = await session.begin_nested()
        assert (await session.exec(update(model).where(column == others).values({owner: others}))).rowcount == 0
        assert (await session.exec(update(model).values({owner: column}))).rowcount == 1
        assert (await session.exec(delete(model).where(column == others))).rowcount == 0
        assert (await session.exec(delete(model))).rowcount == 1
        await nested.rollback()


async def test_so_do_their_joins_and_inner_queries(bare: Bare) -> None:
    """A source of ours that points at a contact and an integration of others."""
    other = aliased(Integration)
    async with bare.database.session(bare.workspace) as session:
        source = (await session.exec(select(SourceRecord))).one()
        source.record_id = bare.others["contact"]["id"]
        await session.flush()

        to_contact, to_any = col(Contact.id) == SourceRecord.record_id, col(SourceRecord.id) == source.id
        inner = await session.exec(select(SourceRecord).join(Contact, to_contact))
        outer = await session.exec(select(SourceRecord, Contact).join(Contact, to_contact, isouter=True))
        within = select(Contact).where(col(Contact.id).in_(select(SourceRecord.record_id)))
        aliases = await session.exec(select(other.id).join(SourceRecord, to_any))

        assert inner.all() == []
        pairs: list[Any] = list(outer)
        assert pairs == [(source, None)]
        assert (await session.exec(within)).all() == []
        assert aliases.all() == [bare.ours["integration"]["id"]]
        await session.rollback()


async def test_a_row_that_is_read_again_is_the_workspaces_own(bare: Bare) -> None:
    async with bare.database.session(bare.workspace) as session:
        contact = (await session.exec(select(Contact))).one()
        session.expire_all()
        await session.refresh(contact)
        assert contact.id == bare.ours["contact"]["id"]


@pytest.mark.parametrize("table", sorted(OWNED))
async def test_a_row_of_another_workspace_is_not_written(bare: Bare, table: str) -> None:
    row = OWNED[table](**{find_owner(table): bare.others["workspace"]["id"]})

    with pytest.raises(WrongWorkspace, match="is not of the workspace that its session is in"):
        async with bare.database.session(bare.workspace) as session:
            session.add(row)
    with pytest.raises(WrongWorkspace):
        async with bare.database.system() as session:
            session.add(row)


async def test_a_row_is_not_given_away(bare: Bare) -> None:
    async with bare.database.session(bare.workspace) as session:
        contact = (await session.exec(select(Contact))).one()
        contact.workspace_id = bare.others["workspace"]["id"]
        with pytest.raises(WrongWorkspace):
            await session.flush()
        session.expunge_all()


async def test_outside_of_workspaces_there_is_nothing_of_theirs(bare: Bare) -> None:
    async with bare.database.system() as session:
        for model in OWNED.values():
            assert (await session.exec(select(model))).all() == []
        assert (await session.exec(select(RateWindow))).all() == []
        with pytest.raises(psycopg.ProgrammingError, match="workspace"):
            await bare.database.run(session, "select from contact where workspace_id = %(workspace)s", {})


async def test_raw_statements_are_told_their_workspace_and_no_other(bare: Bare) -> None:
    query, others = "select id from workspace where id = %(workspace)s", {"workspace": bare.others["workspace"]["id"]}
    async with bare.database.session(bare.workspace) as session:
        assert await bare.database.run(session, query, {}) == [{"id": bare.workspace}]
        assert await bare.database.run(session, query, {"workspace": bare.workspace}) == [{"id": bare.workspace}]
        with pytest.raises(WrongWorkspace, match="names another workspace than the one that it runs in"):
            await bare.database.run(session, query, others)
    assert await bare.database.fetch(bare.workspace, query, {}) == [{"id": bare.workspace}]
    with pytest.raises(WrongWorkspace):
        await bare.database.fetch(bare.workspace, query, others)


# ---------------------------------------------------------------- what writes, given the keys of others

Write = Callable[[Database, AsyncSession, dict[str, Row]], Awaitable[object]]


def take_contact(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a sync writes a record that has that id."""
    row = {"id": others["contact"]["id"], "name": "Taken", "custom_fields": {}, "emails": [], "phones": [], "tags": []}
    return upserts.write_records(database, session, RecordType.CONTACT, [row])


def take_source(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a sync writes a record of that integration."""
    names = ("integration_id", "crm", "external_type", "external_id", "record_type", "record_id")
    row = {name: others["source_record"][name] for name in names} | {"id": uuid4(), "url": "taken"}
    row |= {"payload": {}, "mapped": {}, "refs": {}, "missing": [], "content_hash": "\\x00"}
    return database.run(session, upserts.UPSERT_SOURCES, {"rows": upserts.packed([row])})


def take_user(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a sync writes a user of that integration."""
    row = {name: others["crm_user"][name] for name in ("integration_id", "external_id")} | {"is_active": True}
    return upserts.write_users(database, session, [row])


def absorb(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a sync makes a record part of another one."""
    absorbed = {others[name]["id"]: uuid4() for name in ("contact", "merged_record")}
    return merges.absorb(database, session, RecordType.CONTACT, absorbed)


def move(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a sync gives a source to another record."""
    return merges.move_sources(database, session, {others["source_record"]["id"]: uuid4()})


def judge(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a person says of those two sources that they are the same."""
    pair = others["pairing"]
    return matching.judge(database, session, [(pair["source_id"], pair["other_id"])], same=True)


def reconcile(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a person merges the two records."""
    return matching.reconcile(database, session, [others["pairing"]["source_id"], others["pairing"]["other_id"]])


def unlink(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a sync takes a contact out of a deal."""
    links: dict[UUID, list[UUID]] = {others["deal_contact"]["deal_id"]: []}
    return upserts.write_links(database, session, session.info["workspace"], RecordType.DEAL, "contacts", links)


def end_run(database: Database, session: AsyncSession, others: dict[str, Row]) -> Awaitable[object]:
    """As a worker ends a run."""
    run = runs.load({**others["sync_run"], "counts": {}})
    return runs.settle(database, session, run, SyncStatus.FAILED, message="taken")


WRITES: dict[str, Write] = {
    "contact": take_contact,
    "source": take_source,
    "user": take_user,
    "merge": absorb,
    "move": move,
    "link": unlink,
    "kind": lambda database, session, of: upserts.settle_kinds(database, session, [of["contact"]["id"]], ["x:y"]),
    "same": judge,
    "not the same": reconcile,
    "claim": lambda database, session, of: runs.claim(database, session, of["sync_run"]["id"]),
    "cancel": lambda database, session, of: runs.cancel(database, session, of["sync_run"]["id"]),
    "end": end_run,
    "cancel all": lambda database, session, of: runs.cancel_all(database, session, of["integration"]["id"], "taken"),
    "change": lambda _, session, of: integrations.change(session, of["integration"]["id"], status="PAUSED"),
    "pend": lambda database, session, of: integrations.pend(database, session, of["integration"]["id"], 1),
    "expire": lambda database, session, _: integrations.drop_ended(database, session),
    "state": lambda database, session, of: consents.take_state(database, session, of["oauth_state"]["digest"]),
}


@pytest.mark.parametrize("name", WRITES)
async def test_nothing_of_others_is_written_by_their_keys(bare: Bare, name: str) -> None:
    """Their run is at work; their integration should have had its consent by now."""
    url, others = bare.database.url, bare.others["workspace"]["id"]
    with psycopg.connect(url) as admin:
        admin.execute("update sync_run set status = 'RUNNING' where workspace_id = %s", (others,))
        pending = "update integration set status = 'PENDING', pending_until = now() where workspace_id = %s"
        admin.execute(pending, (others,))
    before = scoping.read_all(url, others)

    async with bare.database.session(bare.workspace) as session:
        await WRITES[name](bare.database, session, bare.others)

    assert scoping.read_all(url, others) == before
