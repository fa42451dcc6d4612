"""The pump: takes what is due of an integration's outbox, has it sent, and writes what has become of it."""

import asyncio
import logging
import random
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID, uuid4

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.errors import CrmError
from connectors.registry import CONNECTORS
from storage import consents, integrations, notifications, outbox, pushes, schedule
from storage.database import Database
from storage.errors import DatabaseUnavailable, StorageError
from storage.outbound import Push
from storage.pushes import Due, Gate
from storage.records import now
from storage.shapes import IntegrationStatus, PushKind, PushStatus
from storage.tables import Integration
from storage.tasks import is_cancelled
from sync.jobs import Jobs
from sync.observer import Nobody, Observer
from sync.outcomes import Committed, Handler, Later, Outcome, Refused, Retry, Skipped, Unknown, judge

log = logging.getLogger(__name__)

TRIES = 3
"""In a row; then a push has FAILED."""
ROUNDS = 72
"""How often it is taken up again then, every HOUR: for three days."""
HOUR = 3600
DAYS = timedelta(days=3)
SHORTEST, FACTOR = 4.0, 4.0
"""Seconds before the second try, and how much longer before the third; half of it is chance."""

FAILURES = 5
"""Pushes in a row that the CRM has not answered: from then on it is taken to be down."""
PAUSE = (30.0, 900.0)
"""Seconds that nothing is sent then, at first and at most; then one push tries it out."""

MINUTE = timedelta(minutes=1)
BATCH = 100
"""Edits that are read, and as far as the CRM allows written, together."""
TOGETHER = {
    (crm, type_.value): min(
        one.writes.changes.most for one in connector.types if one.record_type is type_ and one.writes
    )
    for crm, connector in CONNECTORS.items()
    for type_ in {one.record_type for one in connector.types if one.writes}
}
"""(CRM, type of record) -> how many changes it takes in one call: so many count as one."""
LANES = 6
"""Pushes, or batches of edits, under way at a time for one integration."""
SPARE = 2
"""More of those that somebody waits for."""
LOOK = 200
"""Rows that are looked through for them."""
GLANCE = 0.5
"""Seconds after which the outbox is looked at again while something is under way."""


class Superseded(Exception):  # noqa: N818 # named by what has happened
    """Another worker has taken the push."""


@dataclass(frozen=True)
class Chosen:
    """What a look at the outbox has given."""

    groups: Sequence[Sequence[Due]] = ()
    """Pushes that are sent together."""
    wake_at: datetime | None = None
    """When there may be more; None: when something is queued."""


@dataclass(frozen=True, kw_only=True)
class Pusher:
    """Carries out the jobs of outboxes. Whoever takes a job over goes on where the rows say."""

    database: Database
    jobs: Jobs
    send: Handler
    observer: Observer = field(default_factory=Nobody)
    clock: Callable[[], datetime] = now
    chance: Callable[[], float] = random.random
    flying: dict[UUID, set[UUID]] = field(default_factory=dict)
    """integration -> the pushes that this process has under way."""

    async def push(self, workspace: UUID, integration: UUID) -> None:
        """Sends what is due, until nothing is. One job of an integration runs at a time, so what was SENDING before is of a
        worker that is dead."""
        lanes: set[asyncio.Task[None]] = set()
        self.flying[integration] = set()
        try:
            while True:
                for row, group in await self._claim(workspace, integration, len(lanes)):
                    lanes.add(asyncio.create_task(self._send(row, group)))
                if not lanes:
                    return
                done, lanes = await asyncio.wait(lanes, timeout=GLANCE, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
        finally:
            for each in lanes:
                each.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)
            del self.flying[integration]

    async def retry(self, workspace: UUID, integration: UUID) -> None:
        """Takes up anew what has failed, and then sends what is due."""
        moment = self.clock()
        async with self.database.session(workspace) as session:
            since = moment - DAYS
            if not await pushes.take_up(self.database, session, integration, moment, since):
                await schedule.drop(self.database, session, integration, schedule.RETRY)
        await self.push(workspace, integration)

    async def fail(self, workspace: UUID, integration: UUID, error: BaseException) -> None:
        """Logs an error of ours and raises it: the job is tried again."""
        del workspace
        log.error("the outbox of %s stopped, %s", integration, uuid4().hex[:12], exc_info=error)
        raise error

    # ------------------------------------------------------------ taking

    async def _claim(self, workspace: UUID, integration: UUID, taken: int) -> list[tuple[Integration, list[Push]]]:
        """Takes what can leave now beside so many lanes that are taken, those together that are sent together. Where nothing
        can and nothing is under way, it sets the alarm for what comes next."""
        moment, flying = self.clock(), self.flying[integration]
        async with self.database.session(workspace) as session:
            gate = await pushes.read_gate(self.database, session, integration)
            if gate is None:
                await schedule.drop(self.database, session, integration, schedule.PUSH, schedule.RETRY)
                return []
            if gate.status != IntegrationStatus.ACTIVE.value:
                return []  # whoever resumes it, or connects it again, wakes the outbox
            if gate.push_resumes_at is not None and gate.push_resumes_at > moment:
                chosen = Chosen(wake_at=gate.push_resumes_at)
            else:
                chosen = await self._choose(session, gate, integration, moment, taken)
            row = await integrations.find(session, integration) if chosen.groups else None
            if row is None:
                if chosen.wake_at and not taken:
                    await schedule.set_alarm(self.database, session, schedule.PUSH, integration, chosen.wake_at)
                return []
            ids = [push.id for group in chosen.groups for push in group]
            claimed = await pushes.take(self.database, session, ids, moment)
        flying.update(claimed)
        groups = [[claimed[push.id] for push in group if push.id in claimed] for group in chosen.groups]
        return [(row, group) for group in groups if group]

    async def _choose(
        self, session: AsyncSession, gate: Gate, integration: UUID, moment: datetime, taken: int
    ) -> Chosen:
        """Those that leave now, within what each caller may send in a minute, and when there may be more."""
        flying, since = self.flying[integration], moment - MINUTE
        spent = await pushes.count_spent(self.database, session, since, TOGETHER)
        room = {name: gate.pushes_per_minute - count for name, (count, _) in spent.items()}
        values = {
            "integration": integration,
            "now": moment,
            "since": since,
            "flying": list(flying),
            "spent": [name for name, left in room.items() if left <= 0],
            "most": LOOK,
        }
        due = await pushes.find_due(self.database, session, values)
        groups = self._pick(group_edits(due), gate, room, taken, since)
        if groups or taken:
            return Chosen(groups)
        at, is_crowded = await pushes.find_next_due(self.database, session, integration, moment)
        times = [first + MINUTE for name, (_, first) in spent.items() if room[name] <= 0 and is_crowded]
        return Chosen(wake_at=min([*times, *([at] if at else [])], default=None))

    @staticmethod
    def _pick(
        groups: Iterable[Sequence[Due]], gate: Gate, room: dict[str | None, int], taken: int, since: datetime
    ) -> list[Sequence[Due]]:
        """As many as there are lanes for, and of each group as many as its caller has room for; of a CRM that is down only
        one, by itself, to try it out."""
        picked: list[Sequence[Due]] = []
        for group in groups:
            first = group[0]
            if gate.push_failures >= FAILURES:
                return [group[:1]] if not taken else []
            if taken + len(picked) >= (LANES + SPARE if first.is_interactive else LANES):
                break
            new = [push.id for push in group if push.last_attempt_at is None or push.last_attempt_at <= since]
            most = TOGETHER.get((gate.crm, first.record_type), 1) if first.kind == PushKind.EDIT.value else 1
            left = room.setdefault(first.caused_by, gate.pushes_per_minute)
            late = set(new[max(left, 0) * most :])
            if leaving := [push for push in group if push.id not in late]:
                room[first.caused_by] = left - ceil((len(new) - len(late)) / most)
                picked.append(leaving)
        return picked

    # ------------------------------------------------------------ sending

    async def _send(self, integration: Integration, group: Sequence[Push]) -> None:
        """Has pushes sent, and writes what has become of each."""
        try:
            outcomes = await self._ask(integration, group)
            is_counted = False
            for push in group:
                outcome = outcomes.get(push.id, UNTOLD)
                if isinstance(outcome, (Retry, Unknown)) and outcome.is_down:
                    outcome, is_counted = replace(outcome, is_down=not is_counted), True  # one call has failed
                await self._finish(integration, push, outcome)
        finally:
            self.flying[integration.id].difference_update(push.id for push in group)

    async def _ask(self, integration: Integration, group: Sequence[Push]) -> Mapping[UUID, Outcome]:
        """What has become of each. After a fault of ours each goes by itself, so that only the one that it is about has it:
        a change can be made again."""
        outcome: Outcome
        try:
            return await self.send(integration, group)
        except DatabaseUnavailable:
            raise  # nothing can be said of the pushes either: the job is tried again
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            outcome = blame(error)  # of something that it has waited for
        except CrmError as error:
            outcome = judge(error)
        except StorageError as error:
            outcome = Later(str(error))
        except Exception as error:  # noqa: BLE001 # the edge of the worker: one push must not hold up the others
            if len(group) > 1:
                return ChainMap(*[dict(await self._ask(integration, [push])) for push in group])
            outcome = blame(error)
        return {push.id: outcome for push in group}

    # ------------------------------------------------------------ what becomes of them

    async def _finish(self, integration: Integration, push: Push, outcome: Outcome) -> None:
        """Writes an outcome; what goes wrong with that is one too. Nothing where another worker has taken the push."""
        with suppress(Superseded):
            try:
                await self._settle(integration, Push(**push.model_dump()), outcome)
            except (DatabaseUnavailable, Superseded):
                raise
            except Exception as error:  # noqa: BLE001 # the edge of the worker, as above
                await self._settle(integration, push, blame(error))

    async def _settle(self, integration: Integration, push: Push, outcome: Outcome) -> None:
        """One transaction: the push, what goes with it, and what it says of the CRM. Raises Superseded where another worker
        has taken it."""
        moment = self.clock()
        async with self.database.session(push.workspace_id) as session:
            if isinstance(outcome, (Committed, Skipped)) and outcome.store:
                await outcome.store(session)
            self._judge(push, outcome, moment)
            if push.status == PushStatus.FAILED.value and not push.is_final:
                push.next_attempt_at = await schedule.repeat(
                    self.database, session, schedule.RETRY, integration.id, HOUR, moment
                )
            elif push.status == PushStatus.UNKNOWN.value:
                await schedule.repeat(self.database, session, schedule.RETRY, integration.id, HOUR, moment)
            settled = await pushes.settle(self.database, session, push, moment)
            if settled is None:
                raise Superseded
            await self._note(session, integration, outcome, moment)
            if settled.status == PushStatus.FAILED.value:
                await notifications.notify_push(self.database, session, settled, integration.display_name)
            if settled.status == PushStatus.COMMITTED.value and settled.kind == PushKind.WARM_LEAD.value:
                await self._follow(session, settled)
        self.observer.push(integration.crm, settled.kind, settled.status)

    def _judge(self, push: Push, outcome: Outcome, moment: datetime) -> None:
        """Puts into the row what the outcome means."""
        push.attempts += not isinstance(outcome, Later)
        match outcome:
            case Committed():
                push.status, push.last_error = PushStatus.COMMITTED.value, outcome.note
                push.external_type, push.external_id = outcome.external_type, outcome.external_id
            case Skipped():
                push.status, push.last_error = PushStatus.SKIPPED.value, outcome.reason
            case Refused():
                push.status, push.last_error, push.is_final = PushStatus.FAILED.value, outcome.message, True
            case Unknown():
                push.status, push.last_error = PushStatus.UNKNOWN.value, outcome.message
                push.next_attempt_at = None if outcome.after is None else moment + timedelta(seconds=outcome.after)
            case Later():
                push.status, push.last_error = PushStatus.PENDING.value, outcome.message
                soon = None if outcome.needs_consent else moment + timedelta(seconds=PAUSE[1])
                push.next_attempt_at = outcome.until or soon
            case Retry():
                self._try_again(push, outcome, moment)

    def _try_again(self, push: Push, outcome: Retry, moment: datetime) -> None:
        push.tries, push.last_error = push.tries + 1, outcome.message
        if push.tries < TRIES:
            wait = SHORTEST * FACTOR ** (push.tries - 1) * (0.5 + self.chance() / 2)
            push.status = PushStatus.PENDING.value
            push.next_attempt_at = moment + timedelta(seconds=max(wait, outcome.after or 0))
            return
        push.rounds += 1
        push.status, push.is_final = PushStatus.FAILED.value, push.rounds > ROUNDS

    async def _note(self, session: AsyncSession, integration: Integration, outcome: Outcome, moment: datetime) -> None:
        """What it says of the CRM: whether others may leave."""
        if isinstance(outcome, (Retry, Unknown)) and outcome.is_down:
            await pushes.note_failure(self.database, session, integration.id, moment, failures=FAILURES, pause=PAUSE)
        elif isinstance(outcome, Later):
            await self._hold(session, integration, outcome)
        elif isinstance(outcome, (Committed, Refused)):
            await pushes.note_success(self.database, session, integration.id)

    async def _hold(self, session: AsyncSession, integration: Integration, outcome: Later) -> None:
        if outcome.needs_consent:
            await consents.refuse(self.database, session, integration, outcome.message)
        elif outcome.until:
            name = integration.display_name
            await pushes.hold(self.database, session, integration.id, outcome.until)
            await notifications.notify_quota(self.database, session, integration.id, name, outcome.until)

    async def _follow(self, session: AsyncSession, push: Push) -> None:
        """A contact that is in the CRM now takes along what was logged for it before."""
        contact, integration, cause = push.record_id, push.integration_id, push.caused_by
        if await outbox.queue_earlier(self.database, session, contact, integration=integration, caused_by=cause):
            await self.jobs.defer_push(session, integration)


def blame(error: BaseException) -> Retry:
    """An error of ours: the log has it."""
    name = uuid4().hex[:12]
    log.error("a push failed, %s", name, exc_info=error)
    return Retry(f"Something went wrong here; the log has it under {name}.", is_down=False)


UNTOLD = Retry("It was not said what has become of it.", is_down=False)


def group_edits(due: Iterable[Due]) -> list[list[Due]]:
    """Edits of one type of record that one caller has caused go together, each where the first of them stands; whatever else
    by itself."""
    groups: list[list[Due]] = []
    open_: dict[tuple[Any, ...], list[Due]] = {}
    for push in due:
        key = (push.record_type, push.caused_by, push.is_interactive)
        room = open_.get(key) if push.kind == PushKind.EDIT.value else None
        if room is not None and len(room) < BATCH:
            room.append(push)
            continue
        groups.append([push])
        if push.kind == PushKind.EDIT.value:
            open_[key] = groups[-1]
    return groups
