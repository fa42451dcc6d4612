"""All that a process has one of, put together in one place: for the gateway, the worker and the commands."""

import asyncio
import gc
import importlib
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from connectors.http import Http, open_http
from connectors.oauth import App
from connectors.registry import CONNECTORS
from gateway.logs import bind_caller
from gateway.settings import Settings, read_variables
from gateway.watch import Watch
from resolvers.budgets import Budgets, Limits
from resolvers.callers import Caller, Callers, Verifier, digest_handle
from resolvers.context import Context, Services
from resolvers.crm import Payloads
from resolvers.plans import SHIPPED, read_plans
from storage import rotation, workspaces
from storage.cache import Cache
from storage.database import Database
from storage.embedded import Embedded
from storage.errors import StorageError
from storage.events import Hub
from storage.ledger import PostgresLedger
from storage.migrate import migrate
from storage.secrets import Keyring
from storage.shapes import Plan, Role
from storage.tables import Workspace
from sync.clients import Clients
from sync.credentials import Vault
from sync.jobs import Jobs, Task
from sync.leaving import Leaver
from sync.observer import Nobody, Observer
from sync.pushing import Pusher
from sync.ranking import Ranker
from sync.sending.sender import Sender
from sync.ticker import Ticker
from sync.worker import Worker

DEMO: Final = UUID("00000000-0000-4000-8000-00000000de30")
"""The workspace that is there with the sandbox."""

VISITOR: Final = Caller(workspace_id=DEMO, member_id=None, role=Role.ADMIN)
"""Whoever reaches a loopback listener without a credential, while the sandbox is on."""

ANSWER = 2.0
"""Seconds that the database has to say that it is there."""

GRACE = 5
"""Seconds that a statement has beyond the operation that it belongs to, which ends it first."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """What `open_process` has made; `services` is what resolvers get of it."""

    settings: Settings
    services: Services
    jobs: Jobs
    works: bool
    """Carries out jobs itself."""
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def new_context(self, caller: Caller) -> Context:
        """For what one caller asks; from now on the log's lines say who that is."""
        bind_caller(caller)
        return Context(database=self.services.database, caller=caller, services=self.services)

    async def find_troubles(self) -> dict[str, str]:
        """What keeps this process from serving, by part; empty when it is ready. The schema is migrated since the start."""
        troubles = {}
        try:
            async with asyncio.timeout(ANSWER), self.services.database.system() as session:
                await session.connection()
        except (StorageError, TimeoutError) as error:
            troubles["database"] = str(error) or "does not answer"
        if not self.services.hub.connected.is_set():
            troubles["events"] = "not listening to the database"
        if self.works and not self.jobs.is_running:
            troubles["worker"] = "not running"
        return troubles


@asynccontextmanager
async def open_process(
    settings: Settings, *, works: bool = True, watch: Watch | None = None
) -> AsyncGenerator[Process]:
    """Everything up, in order; down again in the reverse order, `watch` last. Raises StorageError, whose message says what
    to do."""
    async with AsyncExitStack() as stack:
        if watch:
            stack.push_async_callback(watch.close)
        url, alone = await open_database(settings, stack)
        await asyncio.to_thread(migrate, url)
        database = Database(url, settings.max_seconds + GRACE)
        stack.push_async_callback(database.close)
        await database.open()
        if settings.crosswalk_sandbox:
            await ensure_demo(database)
        hub, jobs = Hub(url), Jobs(database)
        observer = watch or Nobody()
        services = await make_services(settings, database, hub, jobs, stack, observer)
        worker = Worker(database, jobs, services.clients, observer)
        leaver, ranker = Leaver(database), Ranker(database)
        sender = Sender(database=database, clients=services.clients)
        pusher = Pusher(database=database, jobs=jobs, send=sender.send, observer=observer)
        jobs.handle(
            sync=Task(worker.run_sync, worker.fail),
            leave=Task(leaver.take_away, leaver.fail),
            rank=Task(ranker.settle_all, ranker.fail),
            push=Task(pusher.push, pusher.fail),
            retry=Task(pusher.retry, pusher.fail),
            tick=Ticker(database, jobs).tick,
        )
        stack.push_async_callback(jobs.close)
        await jobs.open()
        calm_collector()
        process = Process(settings=settings, services=services, jobs=jobs, works=works)
        process.tasks.append(await start_task(hub.run(), stack))
        if works:
            if alone:
                await jobs.rescue_orphans()
            process.tasks.append(await start_task(jobs.supervise(), stack))
        yield process


def calm_collector() -> None:
    """Python looks for garbage after every 700 new objects, of which a page of records has 50,000, and no cycles. What is
    loaded by now stays, and need not be looked through either."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


async def open_database(settings: Settings, stack: AsyncExitStack) -> tuple[str, bool]:
    """The address of the database, and whether this process is its only user, so that nobody else has jobs under way."""
    if settings.database_url:
        return settings.database_url.get_secret_value(), False
    embedded = Embedded(settings.crosswalk_data)
    stack.push_async_callback(asyncio.to_thread, embedded.close)
    await asyncio.to_thread(embedded.start)
    return embedded.url(), await asyncio.to_thread(embedded.alone)


async def make_services(
    settings: Settings, database: Database, hub: Hub, jobs: Jobs, stack: AsyncExitStack, observer: Observer
) -> Services:
    keyring = load_keyring(settings)
    await rotation.require_keys(database, keyring)
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    cache, http = Cache.make("crosswalk", redis), open_http()
    stack.push_async_callback(cache.close)
    stack.push_async_callback(http.aclose)
    apps = make_apps(settings, http)
    vault = Vault(database=database, keyring=keyring, apps=apps)
    stack.push_async_callback(vault.close)
    clients = Clients(
        vault=vault,
        ledger=PostgresLedger(database),
        http=http,
        api_urls=settings.api_urls,
        region=settings.default_region,
        observe=observer.call,
    )
    return Services(
        database=database,
        hub=hub,
        cache=cache,
        clients=clients,
        jobs=jobs,
        payloads=Payloads(clients, cache),
        callers=Callers(
            database, hub, verifier=make_issuer(settings, http), visitor=VISITOR if settings.is_open else None
        ),
        plans=read_plans(settings.plans) if settings.plans else SHIPPED,
        limits=Limits(
            depth=settings.max_depth,
            cost=settings.max_cost,
            seconds=settings.max_seconds,
            introspection=settings.introspection,
        ),
        budgets=Budgets(settings.budget, settings.cost_per_second),
        public_url=settings.address,
        missing_settings={} if settings.crosswalk_sandbox else find_missing(),
        apps=apps,
        return_origins=frozenset((settings.return_origins or "").split(",")) - {""},
        state_seconds=settings.oauth_state_seconds,
        pending_seconds=settings.pending_seconds,
    )


def make_issuer(settings: Settings, http: Http) -> Verifier | None:
    """Whose tokens are taken, where that is set: what reads them takes 3 MB, and is loaded only there."""
    if not settings.oidc_issuer or not settings.oidc_audience:
        return None
    issuer: Verifier = importlib.import_module("gateway.oidc").Issuer(
        http=http,
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        workspace_claim=settings.oidc_workspace_claim,
        email_claim=settings.oidc_email_claim,
        role_claim=settings.oidc_role_claim,
    )
    return issuer


def load_keyring(settings: Settings) -> Keyring:
    """The keys of credentials, as they are set."""
    keys = settings.crosswalk_keys.get_secret_value() if settings.crosswalk_keys else None
    return Keyring.load(keys, settings.crosswalk_data)


def make_apps(settings: Settings, http: Http) -> dict[str, App]:
    """CRM -> our OAuth client there, where it is set."""
    apps = {}
    for name, (client_id, client_secret) in settings.oauth_clients.items():
        connector = CONNECTORS[name]
        if connector.oauth:
            url = settings.oauth_urls.get(name, connector.oauth.default_url)
            api_url = settings.api_urls.get(name, connector.default_api_url).rstrip("/")
            apps[name] = App(
                connector=connector,
                oauth=connector.oauth,
                client_id=client_id,
                client_secret=client_secret,
                http=http,
                url=url,
                token_url=api_url if connector.oauth.on_api else url,
            )
    return apps


def find_missing() -> dict[str, tuple[str, ...]]:
    """CRM -> the variables of its OAuth client that are not set."""
    given = read_variables()
    return {name: tuple(v for v in connector.settings if v not in given) for name, connector in CONNECTORS.items()}


async def ensure_demo(database: Database) -> None:
    """The demo workspace is there."""
    with suppress(IntegrityError):  # another process made it just now
        async with database.session(DEMO) as session:
            if await session.get(Workspace, DEMO) is None:
                demo = Workspace(id=DEMO, name="Demo", handle="Demo", plan=Plan.BUSINESS.value)
                await workspaces.add(session, demo, digest_handle("Demo"))


async def start_task(work: Coroutine[Any, Any, None], stack: AsyncExitStack) -> asyncio.Task[None]:
    """Runs it until the stack unwinds, and then waits for its end."""
    task = asyncio.create_task(work)

    async def stop() -> None:
        task.cancel()
        await asyncio.wait([task])

    stack.push_async_callback(stop)
    return task
