"""What a run does: its steps, worked out from its row and its integration alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.declaration import Connector, ExternalType
from connectors.registry import CONNECTORS
from storage.database import Database
from storage.shapes import SyncKind
from storage.tables import Integration, SyncRun
from sync.attest import list_proofs
from sync.filters import Filter
from sync.rounds import BinStep, TraceStep
from sync.steps import ChangeStep, CheckStep, ListStep, NameStep, RemovalStep, Step


@dataclass(frozen=True)
class Plan:
    """What a run does, worked out from its row and its integration alone."""

    database: Database
    integration: Integration
    run: SyncRun

    @property
    def connector(self) -> Connector:
        """Of the integration's CRM."""
        return CONNECTORS[self.integration.crm]

    @property
    def types(self) -> list[ExternalType]:
        """The types that it reads, in their order: a record comes after what it points at."""
        return [one for one in self.connector.types if one.record_type.value in self.run.record_types]

    @property
    def filter(self) -> Filter:
        """Which of their records it takes."""
        return Filter.read(self.run.scope.get("filter"))

    @property
    def limit(self) -> int | None:
        """After how many records of each type it stops."""
        return self.run.scope.get("limit")

    @property
    def is_delta(self) -> bool:
        """Reads what has changed since the last time."""
        return self.run.kind == SyncKind.DELTA.value

    @property
    def is_whole(self) -> bool:
        """Reads all there is: only then is what it does not show conspicuous, and the next run may start from here."""
        plain = self.limit is None and self.run.scope.get("filter") == self.integration.filter
        return plain and self.run.kind != SyncKind.SELECTIVE.value

    @property
    def checks(self) -> bool:
        """Asks by id for what is here and was not shown."""
        return (
            self.is_whole and not self.is_delta and "records" not in self.run.scope and self.run.started_at is not None
        )

    @property
    def is_proven(self) -> bool:
        """Says of each type whether all of it is here. Where a filter leaves records out, nobody else counts the others."""
        return self.run.kind == SyncKind.FULL.value and self.checks and self.filter == Filter()

    def steps(self) -> list[Step]:
        """All of it, in order."""
        if "records" in self.run.scope:
            return list(self._name())
        steps: list[Step] = [step for external in self.types for step in self._list(external)]
        return [*steps, *(self._find_removed() if self.is_delta else self._check()), *self._prove()]

    def _go_round(self) -> list[Step]:
        """What no list of changes shows: a part of it, from where the last run has left it."""
        known: dict[str, Any] = {"database": self.database, "integration": self.integration}
        types = [one for one in self.types if self.since(one)]
        bins = [BinStep(external=one, listing=one.bin, **known) for one in types if one.bin]
        return [*bins, *(TraceStep(external=one, trace=one.trace, **known) for one in types if one.trace)]

    def since(self, external: ExternalType) -> datetime | None:
        """From when on a DELTA reads the changes of a type; None where it reads all of them."""
        mark = self.integration.watermarks.get(external.name)
        if not self.is_delta or mark is None or not external.changes:
            return None
        return datetime.fromisoformat(mark) - timedelta(seconds=self.connector.overlap)

    def _name(self) -> list[Step]:
        ids: dict[str, list[str]] = {}
        for external_type, external_id in self.run.scope["records"]:
            ids.setdefault(external_type, []).append(external_id)
        return [NameStep(external=one, ids=ids[one.name]) for one in self.connector.types if one.name in ids]

    def _list(self, external: ExternalType) -> list[Step]:
        since, filter_ = self.since(external), self.filter
        times = [moment for moment in (since, filter_.updated_since) if moment is not None]
        size = self.limit if filter_ == Filter() else None
        known: dict[str, Any] = {"external": external, "since": max(times, default=None), "size": size}
        if since is None:
            return [ListStep(listing=listing, **known) for listing in external.listings]
        known |= {"database": self.database, "integration": self.integration}
        return [ChangeStep(listing=listing, **known) for listing in external.changes]

    def _find_removed(self) -> list[Step]:
        since: Mapping[str, datetime] = {one.name: moment for one in self.types if (moment := self.since(one))}
        removals = self.connector.removals
        named: list[Step] = []
        if since and removals:
            named.append(RemovalStep(removals=removals, types=frozenset(since), since=min(since.values())))
        return [*named, *self._go_round()]

    def _check(self) -> list[Step]:
        if not self.checks:
            return []
        known: dict[str, Any] = {"database": self.database, "integration": self.integration}
        before = [one for one in self.types if one.name in self.integration.watermarks]
        bins = [BinStep(external=one, listing=one.bin, whole=True, **known) for one in before if one.bin]
        return [*bins, *(CheckStep(external=one, database=self.database, run=self.run) for one in self.types)]

    def _prove(self) -> list[Step]:
        types = self.types if self.is_proven and not self.run.is_dry_run else ()
        return [step for external in types for step in list_proofs(external, self.database, self.run)]
