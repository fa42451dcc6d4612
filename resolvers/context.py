"""What one request carries: who asks, for which workspace, and what this process has to answer with."""

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from connectors.facts import Payload
from connectors.oauth import App
from resolvers.budgets import Budgets, Limits
from resolvers.callers import Caller, Callers
from resolvers.loaders import Loader
from resolvers.operation import Operation
from resolvers.plans import SHIPPED, Plans
from storage.cache import Cache
from storage.database import Database
from storage.events import Hub
from storage.listing import Listing
from storage.tables import Integration
from sync.clients import Clients
from sync.jobs import Jobs

CALLBACK = "/oauth/callback"
"""The path to which CRMs send people with their answer."""

TURNS = 2
"""Reads of one operation at a time."""


class Payloads(Protocol):
    """Reads records of CRMs by id while a query runs: see `resolvers.crm`."""

    async def read(
        self, integration: Integration, external_type: str, external_id: str, max_staleness: float
    ) -> Payload | None:
        """The record as the CRM has it, at most so many seconds old."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """What a process has one of each."""

    database: Database
    hub: Hub
    cache: Cache
    clients: Clients
    jobs: Jobs
    payloads: Payloads
    callers: Callers
    public_url: str
    plans: Plans = field(default_factory=lambda: SHIPPED)
    """What each plan includes."""
    limits: Limits = field(default_factory=Limits)
    budgets: Budgets = field(default_factory=Budgets)
    missing_settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """CRM -> the names of the settings that its OAuth client still lacks."""
    apps: Mapping[str, App] = field(default_factory=dict)
    """CRM -> our OAuth client there; only where it is set."""
    return_origins: Collection[str] = ()
    """Where a person may be sent after a consent."""
    state_seconds: int = 600
    """How long a consent may take."""
    pending_seconds: int = 3600
    """How long an integration waits for one."""

    @property
    def callback_url(self) -> str:
        """To be registered with the vendors."""
        return f"{self.public_url}{CALLBACK}"


@dataclass
class Context:
    """Of one operation: its loaders remember what was read, so it must not outlive what it answers."""

    database: Database
    caller: Caller
    services: Services
    loaders: dict[Hashable, Loader[Any, Any]] = field(default_factory=dict)
    listings: dict[Hashable, Listing] = field(default_factory=dict)
    """Lists that several parents ask for alike, compiled once."""
    reread: set[UUID] = field(default_factory=set)
    """The sources that were read from their CRMs anew."""
    turns: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, TURNS))
    """However much one operation asks for, others get their reads in between."""
    operation: Operation = field(default_factory=Operation)
    """What who looks on is told of it."""

    @property
    def workspace(self) -> UUID:
        """Whose data this is about."""
        return self.caller.workspace_id

    def stop(self) -> None:
        """Nobody waits for the answer any more: what is read for several fields together ends too."""
        for loader in self.loaders.values():
            loader.stop()

    async def fetch(self, sql: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A hot read in the workspace, which the statement finds as `%(workspace)s`."""
        async with self.turns:
            return await self.database.fetch(self.workspace, sql, {**values, "workspace": self.workspace})
