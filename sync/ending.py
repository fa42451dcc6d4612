"""How a run ends: what was proven of it, whether it may archive what waits for that, and from where the next one goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from storage import attest, runs, staging
from storage.database import Database
from storage.shapes import SyncStatus, Verdict
from storage.tables import Integration, SyncRun
from sync.attest import attest_types
from sync.journal import Origin
from sync.pages import Writer
from sync.plan import Plan
from sync.progress import Progress
from sync.staging import Pile
from sync.trouble import Superseded

AT_A_TIME = 500
"""Sources that are archived by one statement."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run has ended, and from where the next one may go on."""

    status: SyncStatus
    message: str | None = None
    watermarks: Mapping[str, str] = field(default_factory=dict)
    """external type -> the CRM's time up to which its changes are here."""
    rounds: Mapping[str, Any] = field(default_factory=dict)
    """How far rounds have come, by name."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Of one run, when its steps are done."""

    database: Database
    integration: Integration
    run: SyncRun
    plan: Plan
    progress: Progress
    begun: datetime
    charge: Callable[[], int]
    """The calls that the run has not been charged with yet."""

    async def finish(self) -> Result:
        """Archives what waits, unless that is too much or something is missing."""
        if not self.run.is_dry_run and not self.run.approved:
            await self._conclude()
        message = self._tell_missing()
        pile = await self._weigh(is_proven=message is None)
        if self.run.is_dry_run:
            self.run.plan = pile.plan(self.run, self.progress.spared, self.progress.sample)
            return Result(status=await self._judge(message), message=message)
        percent = self.integration.delete_guard_percent
        if pile.rows and not self.run.approved and pile.find_heavy(percent):
            self.run.plan = pile.plan(self.run)
            return Result(status=SyncStatus.HELD, message=pile.ask(self.plan.connector.label, percent))
        if pile.rows:
            await self._archive(pile)
        before = self.integration.watermarks if self.plan.is_delta else {}
        marks = self.progress.mark(self.plan.types, self.begun, before) if self.plan.is_whole and not message else {}
        status = await self._judge(message)
        return Result(status=status, message=message, watermarks=marks, rounds=self.progress.rounds)

    async def _conclude(self) -> None:
        """Makes the links that had to wait, and says what was proven."""
        async with self.database.session(self.run.workspace_id) as session:
            await Writer(self.database, session, self.integration, Origin.of(self.run)).relink()
        if self.plan.is_proven:
            async with self.database.session(self.run.workspace_id) as session:
                found = await attest_types(self.database, session, self.plan.types, self.progress)
            self.run.attestation = found

    def _tell_missing(self) -> str | None:
        """What the lists have not shown, in sentences; None where nothing is known to be missing."""
        label, texts = self.plan.connector.label, []
        unlisted = sum(one["count"] for one in self.progress.unlisted.values())
        if unlisted:
            texts.append(f"{label} has {unlisted} records that its lists did not show; others may be missing here.")
        lacking = [one for one in self.run.attestation if one["verdict"] == Verdict.INCOMPLETE.value]
        if lacking:
            parts = ", ".join(f"{one['missingCount']:,} {one['externalType']}" for one in lacking)
            texts.append(
                f"The lists have left out {parts}: see `attestation`. Nothing was archived because of what they did not"
                " show. The next FULL run reads them, and so does a sync of those `records`."
            )
        return " ".join(texts) or None

    async def _weigh(self, *, is_proven: bool) -> Pile:
        """What waits to be archived: nothing, where the lists have proven to be wrong."""
        async with self.database.session(self.run.workspace_id) as session:
            if not is_proven:
                await staging.drop(self.database, session, [self.run.id])
            staged = await staging.list_staged(self.database, session, self.run)
            if not staged:
                return Pile({}, {})
            names = [one.name for one in self.plan.types]
            tallies = await attest.tally(self.database, session, self.run, names, self.run.started_at)
        return Pile.of(staged, {name: one["here"] for name, one in tallies.items()}, self.run)

    async def _archive(self, pile: Pile) -> None:
        """All of it in one transaction, with the run's counts: it is done, or it is not."""
        self.progress.save()
        async with self.database.session(self.run.workspace_id) as session:
            writer = Writer(self.database, session, self.integration, Origin.of(self.run))
            for external in self.plan.connector.types:
                ids: Sequence[str] = [row["external_id"] for row in pile.rows.get(external.name, ())]
                for start in range(0, len(ids), AT_A_TIME):
                    gone = await writer.archive(external, ids[start : start + AT_A_TIME])
                    self.progress.count(external.name, {"archived": gone})
            await staging.drop(self.database, session, [self.run.id])
            if await runs.commit_page(self.database, session, self.run, self.charge()) is None:
                raise Superseded

    async def _judge(self, message: str | None) -> SyncStatus:
        async with self.database.session(self.run.workspace_id) as session:
            has_errors = await runs.has_errors(self.database, session, self.run.id)
        return SyncStatus.PARTIAL if has_errors or message else SyncStatus.SUCCEEDED
