"""The job engine: procrastinate on the same Postgres. Jobs are wake-ups; what they are about is in our own rows."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException, JobAborted
from procrastinate.jobs import Job, Status
from sqlmodel.ext.asyncio.session import AsyncSession
from structlog.contextvars import bind_contextvars

from storage import schedule
from storage.database import Database
from storage.errors import DatabaseUnavailable
from storage.tables import Integration, SyncRun
from storage.tasks import is_cancelled
from storage.tenancy import read_workspace

log = logging.getLogger(__name__)

Handler = Callable[[UUID, UUID], Awaitable[None]]
Failure = Callable[[UUID, UUID, BaseException], Awaitable[None]]
Tick = Callable[[], Awaitable[None]]

STALLED = 6
"""Seconds without a heartbeat after which a job belongs to whoever takes it; a heart beats every 2."""

DRAIN = 3
"""Seconds that a stopping worker gives its jobs; a run that is cut then goes on at its cursor elsewhere."""

RETRY = 1
"""Seconds between the attempts of a job whose database is away."""

PATIENCE = 5.0
"""Seconds that the engine waits for a connection: so much longer does a process take to stop while the database is away."""

AHEAD = 10
"""The priority of pushes: where workers are busy, they start before runs."""

OPTIONS: dict[str, Any] = {
    "concurrency": 20,
    "install_signal_handlers": False,
    "update_heartbeat_interval": 2,
    "stalled_worker_timeout": 60,
    "fetch_job_polling_interval": 1,
    "abort_job_polling_interval": 5,
    "shutdown_graceful_timeout": DRAIN,
    "delete_jobs": "successful",
}


class Resume(BaseRetryStrategy):
    """A job that a shutdown cut goes back to the queue; so does one whose database went away."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """At once after a shutdown, else after a second more for each attempt."""
        if isinstance(exception, (asyncio.CancelledError, JobAborted)):
            return RetryDecision(retry_in={"seconds": 0})
        return RetryDecision(retry_in={"seconds": min(1 + job.attempts, 30)})


@dataclass(frozen=True)
class Task:
    """What a job does with (workspace, what it is about), and with an error of ours: to raise it brings the job back."""

    handler: Handler
    failure: Failure


class Jobs:
    """Defers jobs, and runs them where `supervise` is called."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.is_running = False
        """The worker of this process is at work."""
        self._tasks: dict[str, Task] = {}
        self._tick: Tick | None = None
        self._app: App | None = None

    def handle(self, *, tick: Tick | None = None, **tasks: Task) -> None:
        """What jobs do: `sync` with a run, `leave` with an integration that is being deleted, `rank` with a workspace whose
        priority of sources has changed, `push` with an integration's outbox, `retry` with what has failed there. `tick` is
        done every two seconds."""
        self._tasks, self._tick = dict(tasks), tick

    @property
    def app(self) -> App:
        """The engine; `open` has made it."""
        if self._app is None:
            raise RuntimeError("Jobs.open comes first")
        return self._app

    async def open(self) -> None:
        """Connects the engine, as the role that all our statements run as."""
        connector = PsycopgConnector(
            conninfo=self.database.url,
            min_size=1,
            max_size=4,
            timeout=PATIENCE,
            kwargs={"options": self.database.options},
        )
        self._app = app = App(connector=connector)
        app.task(name="sync", queue="sync", retry=Resume())(self._sync)
        app.task(name="leave", queue="leave", retry=Resume())(self._leave)
        app.task(name="rank", queue="rank", retry=Resume())(self._rank)
        app.task(name=schedule.PUSH, queue="push", retry=Resume(), priority=AHEAD)(self._push)
        app.task(name=schedule.RETRY, queue="push", retry=Resume())(self._retry)
        rescue = app.task(name="rescue", queue="system", queueing_lock="rescue", priority=100, pass_context=True)
        # croniter wants the seconds in the sixth place: every two seconds of every minute.
        app.periodic(cron="* * * * * */2")(rescue(self._rescue))
        tick = app.task(name="tick", queue="system", queueing_lock="tick", priority=100)
        app.periodic(cron="* * * * * */2")(tick(self._look))
        await app.open_async()

    async def close(self) -> None:
        """Gives the connections back."""
        if self._app is not None:
            await self._app.close_async()
            self._app = None

    async def supervise(self) -> None:
        """Runs the worker until it is cancelled: a worker returns silently after its database was away."""
        while not is_cancelled():
            self.is_running = True
            try:
                await self.app.run_worker_async(**OPTIONS)
            except asyncio.CancelledError:
                raise
            except Exception:  # the edge of the worker: whatever it was, it starts again
                log.exception("the job worker stopped")
            finally:
                self.is_running = False
            await asyncio.sleep(0.5)

    async def defer_sync(self, session: AsyncSession, run: SyncRun, *, at: datetime | None = None) -> None:
        """Wakes a worker for the run once the session's transaction commits, or then `at` that time."""
        await self._defer(session, "sync", at, workspace_id=str(run.workspace_id), run_id=str(run.id))

    async def defer_leave(self, session: AsyncSession, integration: Integration) -> None:
        """Wakes a worker for what is left of the integration once the session's transaction commits."""
        ids = {"workspace_id": str(integration.workspace_id), "integration_id": str(integration.id)}
        await self._defer(session, "leave", None, **ids)

    async def defer_rank(self, session: AsyncSession, workspace: UUID) -> None:
        """Wakes a worker for the records that a new priority is about once the session's transaction commits."""
        await self._defer(session, "rank", None, workspace_id=str(workspace))

    async def defer_push(self, session: AsyncSession, integration: UUID) -> None:
        """Wakes a worker for the outbox of an integration of the session's workspace once the transaction commits."""
        workspace = read_workspace(session.sync_session)
        await self.defer_due(session, schedule.PUSH, workspace, integration)

    async def defer_due(self, session: AsyncSession, name: str, workspace: UUID | None, about: UUID) -> None:
        """Wakes a worker for what is due of an integration: one at a time, so that one worker has its outbox."""
        ids = {"workspace_id": str(workspace), "integration_id": str(about)}
        await self._defer(session, name, None, lock=f"push:{about}", **ids)

    async def _defer(
        self, session: AsyncSession, name: str, at: datetime | None, *, lock: str | None = None, **ids: str
    ) -> None:
        connection = await (await session.connection()).get_raw_connection()
        task = self.app.tasks[name].configure(connection=connection.driver_connection, schedule_at=at, lock=lock)
        await task.defer_async(**ids)

    async def rescue_orphans(self) -> None:
        """Every job that is marked as being done is nobody's: for a process that knows it is the only one."""
        await self._requeue(0)

    async def _sync(self, workspace_id: str, run_id: str) -> None:
        # For the log: each job is a task, with a context of its own.
        bind_contextvars(workspace=workspace_id, run=run_id)
        await self._carry_out("sync", UUID(workspace_id), UUID(run_id))

    async def _leave(self, workspace_id: str, integration_id: str) -> None:
        bind_contextvars(workspace=workspace_id, integration=integration_id)
        await self._carry_out("leave", UUID(workspace_id), UUID(integration_id))

    async def _rank(self, workspace_id: str) -> None:
        bind_contextvars(workspace=workspace_id)
        await self._carry_out("rank", UUID(workspace_id), UUID(workspace_id))

    async def _push(self, workspace_id: str, integration_id: str) -> None:
        bind_contextvars(workspace=workspace_id, integration=integration_id)
        await self._carry_out(schedule.PUSH, UUID(workspace_id), UUID(integration_id))

    async def _retry(self, workspace_id: str, integration_id: str) -> None:
        bind_contextvars(workspace=workspace_id, integration=integration_id)
        await self._carry_out(schedule.RETRY, UUID(workspace_id), UUID(integration_id))

    async def _look(self, timestamp: int) -> None:
        del timestamp
        if self._tick:
            await self._tick()

    async def _carry_out(self, name: str, workspace: UUID, about: UUID) -> None:
        task = self._tasks.get(name)
        if task is None:  # of a release that is newer than this worker, or of a part that is not wired here
            log.warning("nothing here does the job %s of %s", name, about)
            return None
        while True:
            try:
                return await self._try(task, workspace, about)
            except DatabaseUnavailable as away:
                # Tried again here: while the database is away, the engine could not even put the job back.
                log.warning("the job %s of %s waits for the database: %s", name, about, away)
                await asyncio.sleep(RETRY)

    @staticmethod
    async def _try(task: Task, workspace: UUID, about: UUID) -> None:
        try:
            await task.handler(workspace, about)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 # the edge of the worker: the task knows what becomes of it
            await task.failure(workspace, about, error)

    async def _rescue(self, context: JobContext, timestamp: int) -> None:
        del context, timestamp
        await self._requeue(STALLED)

    async def _requeue(self, seconds: float) -> None:
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=seconds):
            if job.task_name == "rescue" and seconds:
                continue
            try:
                await manager.retry_job(job)
            except ConnectorException:  # its twin waits already
                await manager.finish_job(job, Status.FAILED, delete_job=False)
