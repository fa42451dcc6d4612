"""The database as one process sees it: sessions in a workspace's transaction, hot reads, and who it runs them as."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import SessionTransaction
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from storage.errors import DatabaseUnavailable, NoWorkspace, UnsafeRole, WrongVersion
from storage.tasks import is_cancelled
from storage.tenancy import bind_workspace, check_rows, narrow, read_workspace
from storage.tools import OLDEST

ROLE: Final = "crosswalk_app"
"""What every statement runs as: it owns nothing, so row-level security holds for it."""

READS = 4
"""Hot reads at a time."""

WAIT = 10.0
"""Seconds for a connection, from the server or from a pool."""

SET_WORKSPACE: Final = "select set_config('app.workspace', %s, true)"

IDLE: Final = "-c idle_in_transaction_session_timeout=60000"
"""Milliseconds after which a transaction whose process has halted in the middle of it lets go of its locks."""


class WorkspaceSession(Session):
    """Says in each of its transactions which workspace it is in; row-level security reads it there."""


@event.listens_for(WorkspaceSession, "after_begin")
def _set_workspace(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    workspace = read_workspace(session)
    if workspace is not None and not transaction.nested:
        connection.exec_driver_sql(SET_WORKSPACE, (str(workspace),))


event.listen(WorkspaceSession, "do_orm_execute", narrow)
event.listen(WorkspaceSession, "before_flush", check_rows)


class Database:
    """One per process. `open` it before use and `close` it at the end.

    At most 14 connections: 5 to 10 for sessions, 1 to 4 for hot reads.
    """

    def __init__(self, url: str, read_seconds: int = 60) -> None:
        """A hot read that takes longer is ended by the server, whoever may have forgotten it."""
        self.url = plain_url(url)
        self.read_seconds = read_seconds
        self.statements = 0
        """Statements of callers so far; what a transaction costs besides (begin, workspace, commit) is not in it."""
        self.options = f"-c role={ROLE} -c timezone=UTC {IDLE}"
        """Of every connection; settled by `open`, and for other users of the same database (the job worker)."""
        self._adapters = _adapters()
        self._turns = asyncio.Semaphore(READS)  # whoever waits here is not told that there is no server
        self._engine = self._make_engine()
        self._reads = self._make_reads()

    # ------------------------------------------------------------ life

    async def open(self) -> None:
        """Connect, and refuse what would not be safe. The schema is there by then: `migrate` comes first.

        Raises DatabaseUnavailable; WrongVersion for a server that is too old; UnsafeRole where row-level security would
        not hold.
        """
        with _reachable(self.url):
            await self._settle_role()
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("select")
            await self._reads.open(wait=True, timeout=WAIT)
        self.statements = 0

    async def close(self) -> None:
        """Give the connections back; harmless twice, and without `open`."""
        await self._reads.close()
        await self._engine.dispose()

    async def _settle_role(self) -> None:
        """The app's role where the URL's may take it, else the URL's own, if that one is under row-level security."""
        async with await psycopg.AsyncConnection.connect(self.url, connect_timeout=int(WAIT)) as connection:
            check_version(connection.info)
            found = await connection.execute(
                "select exists(select from pg_roles where rolname = %s and pg_has_role(current_user, oid, 'set'))",
                (ROLE,),
            )
            if not (await found.fetchone() or (False,))[0]:
                self.options = f"-c timezone=UTC {IDLE}"
        async with await self._connect() as connection:
            found = await connection.execute(
                "select rolname, rolsuper, rolbypassrls from pg_roles where rolname = current_user"
            )
            name, superuser, bypass = await found.fetchone() or ("unknown", True, True)
        if superuser or bypass:
            message = (
                f"statements would run as {name}, for whom row-level security does not hold: run `crosswalk migrate`"
            )
            raise UnsafeRole(f"{message}, or name a role without SUPERUSER and BYPASSRLS in DATABASE_URL")

    # ------------------------------------------------------------ statements

    @asynccontextmanager
    async def session(self, workspace: UUID) -> AsyncGenerator[AsyncSession]:
        """One transaction in a workspace, committed at the end of the block and rolled back by an error.

        Raises NoWorkspace at once if there is none, DatabaseUnavailable if the server goes away.
        """
        _checked(workspace)
        async with self._transaction(workspace) as session:
            yield session

    @asynccontextmanager
    async def system(self) -> AsyncGenerator[AsyncSession]:
        """One transaction in no workspace: for tables outside row-level security; the others look empty and take nothing."""
        async with self._transaction(None) as session:
            yield session

    async def fetch(self, workspace: UUID, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Hot reads: the rows of one statement with `%(name)s` placeholders, in a read-only transaction of its own.

        The statement finds its workspace as `%(workspace)s`. JSON comes decoded. A read that loses its connection is
        repeated once on a new one.
        """
        self.statements += 1
        name = _checked(workspace)
        bound = bind_workspace(workspace, values)
        async with self._turns:
            return await self._fetch(name, sql, bound)

    async def lookup(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """As `fetch`, in no workspace: for tables outside row-level security, from which a workspace is found."""
        self.statements += 1
        async with self._turns:
            return await self._fetch("", sql, values)

    async def _fetch(self, name: str, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with _reachable(self.url):
            try:
                return await self._read(name, sql, values)
            except psycopg.OperationalError as error:
                if not _lost(error):
                    raise
            await self._reads.check()
            return await self._read(name, sql, values)

    async def run(self, session: AsyncSession, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A statement in psycopg's own spelling in the session's transaction, such as a bulk upsert of a jsonb `rows`.

        It finds its workspace as `%(workspace)s`. What the session holds back is flushed first. No rows for a statement that
        returns none.
        """
        self.statements += 1
        await session.flush()
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        if not isinstance(driver, psycopg.AsyncConnection):
            raise TypeError("a session of another driver than psycopg")
        async with driver.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql.encode(), bind_workspace(read_workspace(session.sync_session), values))
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def _transaction(self, workspace: UUID | None) -> AsyncIterator[AsyncSession]:
        session = AsyncSession(
            self._engine,
            sync_session_class=WorkspaceSession,
            expire_on_commit=False,
            info={"workspace": workspace},
        )
        with _reachable(self.url):
            async with session, session.begin():
                yield session

    async def _read(self, workspace: str, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Begin and workspace in one round trip; the pool's block commits or rolls back."""
        begin = f"begin; select set_config('app.workspace', '{workspace}', true)".encode()
        async with self._reads.connection() as connection:
            await connection.execute(begin, prepare=False)
            return await (await connection.execute(sql.encode(), values)).fetchall()

    async def analyze(self, *tables: str) -> None:
        """Lets the planner know what is in the tables now: a minute after a large sync it would find out by itself.

        As the role of the URL, to whom they belong; where they do not, Postgres leaves them out with a warning.
        """
        with _reachable(self.url):
            connection = await psycopg.AsyncConnection.connect(self.url, autocommit=True, connect_timeout=int(WAIT))
            async with connection:
                await connection.execute(f"analyze {', '.join(tables)}".encode())

    # ------------------------------------------------------------ connections

    @property
    def busy(self) -> dict[str, int]:
        """Connections in use now: for sessions, of at most 10, and for hot reads, of at most 4."""
        sessions: Any = self._engine.pool
        reads = self._reads.get_stats()
        return {"sessions": sessions.checkedout(), "reads": reads["pool_size"] - reads["pool_available"]}

    def _conninfo(self, *more: str) -> str:
        """With our options behind those of the URL."""
        given = str(conninfo_to_dict(self.url).get("options") or "")
        return make_conninfo(self.url, options=" ".join(filter(None, (given, self.options, *more))))

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._conninfo(), context=self._adapters, connect_timeout=int(WAIT)
        )

    def _make_engine(self) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self._connect,
            pool_size=5,
            max_overflow=5,
            pool_timeout=WAIT,
            pool_pre_ping=True,  # after a restart of the server nobody gets a dead connection
        )
        event.listen(engine.sync_engine, "before_cursor_execute", self._count)
        return engine

    def _make_reads(self) -> AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]:
        """Private and read-only; `options` are read when a connection is made, which is after they are settled."""
        return AsyncConnectionPool(
            conninfo=lambda: self._conninfo(
                "-c default_transaction_read_only=on", f"-c statement_timeout={self.read_seconds * 1000}"
            ),
            kwargs={
                "autocommit": True,
                "prepare_threshold": 0,
                "row_factory": dict_row,
                "context": self._adapters,
                "connect_timeout": int(WAIT),
            },
            min_size=1,
            max_size=READS,
            timeout=WAIT,
            open=False,
        )

    def _count(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement != SET_WORKSPACE:
            self.statements += 1


def plain_url(url: str) -> str:
    """As libpq spells it, so that every part of the program reads the one address in the same way."""
    plain, known = re.subn(r"^postgres(ql)?(\+psycopg)?://", "postgresql://", url)
    if not known:
        raise DatabaseUnavailable("DATABASE_URL is no Postgres address: it begins with postgresql://")
    return plain


def check_version(server: psycopg.ConnectionInfo) -> None:
    """Raises WrongVersion for a server that is too old."""
    if server.server_version < OLDEST * 10_000:
        version = server.server_version // 10_000
        raise WrongVersion(
            f"the server is Postgres {version}: Crosswalk needs {OLDEST} or newer, name one in DATABASE_URL"
        )


def _checked(workspace: UUID) -> str:
    """Its text, which is safe inside a statement; a None or a string that slipped through the types is neither."""
    if not isinstance(workspace, UUID):
        raise NoWorkspace("no statement runs without the id of its workspace")
    return str(workspace)


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    set_json_loads(orjson.loads, adapters)
    set_json_dumps(orjson.dumps, adapters)
    return adapters


def _lost(error: BaseException | None) -> bool:
    """True if the server is away or full, rather than unwilling; psycopg_pool's own time-out is such an error too. So is a
    connection that the server has ended because its transaction was idle for too long."""
    if isinstance(error, (NoConnection, psycopg.errors.IdleInTransactionSessionTimeout)):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P0", "53300"))


@contextmanager
def _reachable(url: str) -> Iterator[None]:
    """Turns a lost server into the sentence that says what to do, and back into the cancellation that it stands for where
    the task has been told to end; other errors pass."""
    try:
        yield
    except (psycopg.Error, DBAPIError, NoConnection) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not _lost(cause):
            raise
        if is_cancelled():
            raise asyncio.CancelledError from error
        parts = conninfo_to_dict(url)
        where = f"{parts.get('host', 'the local socket')}, database {parts.get('dbname', '')}"
        why = (str(cause).strip() or "no answer").splitlines()[0]
        raise DatabaseUnavailable(f"no Postgres at {where} ({why}): start it, or correct DATABASE_URL") from error
