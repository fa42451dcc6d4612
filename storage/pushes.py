"""The statements of the outbox on its way out: what is due, who has taken it, what has become of it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events
from storage.database import Database
from storage.integrations import STAYS
from storage.listing import Key, Listing, Values, Window
from storage.outbound import UNDER_WAY, Push
from storage.shapes import PushStatus

KEPT_DAYS: Final = 30
"""How long a push is kept that has ended well."""
BATCH: Final = 1_000

# Two that take pushes of one workspace at a time would both find room for the same caller.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('push:' || %(workspace)s::text, 3))"

GATE = """
SELECT i.crm, i.status, i.push_failures, i.push_resumes_at, w.pushes_per_minute FROM integration i, workspace w
WHERE i.workspace_id = %(workspace)s AND i.id = %(integration)s AND i.leaving_at IS NULL AND w.id = %(workspace)s
"""

SPENT = """
WITH together AS (
  SELECT * FROM jsonb_to_recordset(%(together)s::text::jsonb) AS together(crm text, type text, most int)
), gone AS (
  SELECT p.caused_by, ceil(count(*)::float8 / coalesce(min(t.most), 1)) AS pushes, min(p.last_attempt_at) AS first
  FROM push p JOIN integration i ON i.id = p.integration_id
  LEFT JOIN together t ON t.crm = i.crm AND t.type = p.record_type AND p.kind = 'EDIT'
  WHERE p.workspace_id = %(workspace)s AND i.workspace_id = %(workspace)s AND p.last_attempt_at > %(since)s
  GROUP BY p.caused_by, p.integration_id, p.record_type, p.kind = 'EDIT', p.last_attempt_at
)
SELECT caused_by, sum(pushes)::int AS pushes, min(first) AS first FROM gone GROUP BY caused_by
"""
"""How many pushes of each caller have left since then: the tries of one are one, and so are as many edits that left together
as the CRM takes in one call."""

IS_TAKEABLE = """t.workspace_id = %(workspace)s AND t.integration_id = %(integration)s AND t.id <> ALL(%(flying)s::uuid[])
  AND NOT EXISTS (SELECT FROM push o WHERE o.workspace_id = %(workspace)s AND o.integration_id = t.integration_id
    AND o.record_id = t.record_id AND o.seq < t.seq
    AND (o.status IN ('PENDING', 'SENDING', 'UNKNOWN') OR (o.status = 'FAILED' AND NOT o.is_final)))"""
"""Nobody has it here, and no older one of its record is still to come. One that failed for good is in nobody's way."""

DUE = f"""
SELECT t.id, t.kind, t.record_type, t.caused_by, t.is_interactive, t.last_attempt_at FROM push t WHERE {IS_TAKEABLE}
AND ((t.status = 'PENDING' AND coalesce(t.next_attempt_at, %(now)s) <= %(now)s)
  OR (t.status = 'UNKNOWN' AND t.next_attempt_at <= %(now)s) OR t.status = 'SENDING')
AND (coalesce(t.last_attempt_at > %(since)s, false)
  OR NOT EXISTS (SELECT FROM unnest(%(spent)s::text[]) AS spent(name) WHERE spent.name IS NOT DISTINCT FROM t.caused_by))
ORDER BY t.is_interactive DESC, t.seq LIMIT %(most)s
"""
"""What can leave now, what somebody waits for first. One that is SENDING and that nobody has here is of a worker that is
dead."""

NEXT_DUE = f"""
SELECT min(t.next_attempt_at) FILTER (WHERE t.next_attempt_at > %(now)s) AS at,
  count(*) FILTER (WHERE coalesce(t.next_attempt_at, %(now)s) <= %(now)s) AS due FROM push t
WHERE {IS_TAKEABLE} AND (t.status = 'PENDING' OR (t.status = 'UNKNOWN' AND t.next_attempt_at IS NOT NULL))
"""

TAKE = """
UPDATE push SET status = 'SENDING', claim = claim + 1, next_attempt_at = NULL, last_attempt_at = %(now)s,
  first_tried_at = coalesce(first_tried_at, %(now)s)
WHERE workspace_id = %(workspace)s AND id = ANY(%(ids)s::uuid[]) AND status IN ('PENDING', 'UNKNOWN', 'SENDING') RETURNING *
"""
"""But for those that have just ended: a merge of records ends what would make one of them a second time."""

KEEP = """
UPDATE push SET progress = %(progress)s::text::jsonb, first_tried_at = %(first_tried_at)s,
  external_type = %(external_type)s, external_id = %(external_id)s
WHERE workspace_id = %(workspace)s AND id = %(id)s AND claim = %(claim)s AND status = 'SENDING' RETURNING id
"""

SETTLE = """
UPDATE push SET status = %(status)s, external_type = coalesce(%(external_type)s, external_type),
  external_id = coalesce(%(external_id)s, external_id), attempts = %(attempts)s, tries = %(tries)s, rounds = %(rounds)s,
  next_attempt_at = %(next_attempt_at)s, is_final = %(is_final)s, last_error = %(last_error)s,
  completed_at = CASE WHEN %(ended)s THEN %(now)s END
WHERE workspace_id = %(workspace)s AND id = %(id)s AND claim = %(claim)s AND status = 'SENDING' RETURNING *
"""

NOTE_FAILURE = """
UPDATE integration SET push_failures = push_failures + 1,
  push_resumes_at = CASE WHEN push_failures + 1 >= %(failures)s THEN %(now)s
    + least(%(longest)s, %(shortest)s * power(2, least(push_failures + 1 - %(failures)s, 20))) * interval '1 second'
    ELSE push_resumes_at END
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND (push_resumes_at IS NULL OR push_resumes_at <= %(now)s)
"""
"""Calls that were under way when the others were told to wait say nothing new."""

NOTE_SUCCESS = """
UPDATE integration SET push_failures = 0, push_resumes_at = NULL
WHERE workspace_id = %(workspace)s AND id = %(integration)s AND (push_failures > 0 OR push_resumes_at IS NOT NULL)
"""

END_HOLD = """
UPDATE integration SET push_resumes_at = NULL WHERE workspace_id = %(workspace)s AND id = %(integration)s
AND push_resumes_at > now() AND push_failures < %(failures)s RETURNING id
"""

HOLD = """
UPDATE integration SET push_resumes_at = greatest(push_resumes_at, %(until)s)
WHERE workspace_id = %(workspace)s AND id = %(integration)s
"""

TAKE_UP = """
UPDATE push SET status = CASE status WHEN 'FAILED' THEN 'PENDING' ELSE status END, tries = 0, next_attempt_at = %(now)s
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
AND ((status = 'FAILED' AND NOT is_final)
  OR (status = 'UNKNOWN' AND coalesce(first_tried_at, created_at) > %(since)s)) RETURNING id
"""

LOOK_AGAIN = """
UPDATE push SET next_attempt_at = now()
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND status = 'UNKNOWN' RETURNING id
"""

_ASKED = f"""
workspace_id = %(workspace)s AND (id = ANY(%(ids)s::uuid[]) OR integration_id = %(integration)s)
AND status IN ('PENDING', 'UNKNOWN', 'FAILED')
AND (NOT is_final OR kind = 'EDIT' OR NOT EXISTS (SELECT FROM push o WHERE o.workspace_id = %(workspace)s
  AND o.integration_id = push.integration_id AND o.record_id = push.record_id AND {
    UNDER_WAY.replace("kind", "o.kind").replace("status", "o.status").replace("is_final", "o.is_final")
}))"""

RETRY = f"""
WITH asked AS (
  SELECT DISTINCT ON (integration_id, record_id, CASE WHEN kind = 'EDIT' THEN id END) id FROM push WHERE {_ASKED}
  ORDER BY integration_id, record_id, CASE WHEN kind = 'EDIT' THEN id END, is_final, seq DESC
)
UPDATE push SET status = CASE status WHEN 'FAILED' THEN 'PENDING' ELSE status END, tries = 0, rounds = 0, is_final = false,
  next_attempt_at = now(), completed_at = NULL
FROM asked WHERE workspace_id = %(workspace)s AND push.id = asked.id RETURNING push.*
"""
"""Of what makes a record in a CRM only one goes on: the one under way, else the newest."""

REOPEN = """
UPDATE integration SET push_failures = 0, push_resumes_at = NULL
WHERE workspace_id = %(workspace)s AND id = %(integration)s
AND EXISTS (SELECT FROM push p WHERE p.workspace_id = %(workspace)s AND p.integration_id = %(integration)s
  AND p.status IN ('PENDING', 'SENDING', 'UNKNOWN')) RETURNING id
"""

FORGET = f"""
WITH old AS MATERIALIZED (
  SELECT p.id FROM push p WHERE p.workspace_id = %(workspace)s AND p.created_at <= now() - interval '{KEPT_DAYS} days'
  AND p.completed_at <= now() - interval '{KEPT_DAYS} days'
  AND (p.status = 'SKIPPED' OR (p.status = 'COMMITTED' AND p.kind <> 'ACTIVITY'))
  ORDER BY p.created_at, p.id LIMIT {BATCH}
)
DELETE FROM push p USING old WHERE p.id = old.id AND p.workspace_id = %(workspace)s RETURNING p.id
"""
"""Of an activity in a CRM its push is all that says that it was logged here."""

BY_IDS = f"SELECT t.* FROM push t WHERE t.workspace_id = %(workspace)s AND t.id = ANY(%(ids)s::uuid[]) AND {STAYS}"

COUNTS = """
SELECT i.id, (SELECT count(*) FROM push p WHERE p.workspace_id = %(workspace)s AND p.integration_id = i.id
    AND p.status IN ('PENDING', 'SENDING')) AS pending,
  (SELECT count(*) FROM push p WHERE p.workspace_id = %(workspace)s AND p.integration_id = i.id AND p.status = 'FAILED')
    AS failed,
  (SELECT count(*) FROM conflict c WHERE c.workspace_id = %(workspace)s AND c.integration_id = i.id AND c.status = 'OPEN')
    AS conflicts
FROM integration i WHERE i.workspace_id = %(workspace)s AND i.id = ANY(%(ids)s::uuid[])
"""

REPLICATION = f"""
SELECT k.id AS activity, t.id AS integration, p.id AS push
FROM unnest(%(ids)s::uuid[]) AS k(id) JOIN integration t ON t.workspace_id = %(workspace)s
LEFT JOIN LATERAL (SELECT o.id FROM push o WHERE o.workspace_id = %(workspace)s AND o.record_id = k.id
  AND o.integration_id = t.id AND o.kind = 'ACTIVITY' ORDER BY o.seq DESC LIMIT 1) p ON true
WHERE t.same_as IS NULL AND t.status <> 'PENDING' AND (t.replicate_activities OR p.id IS NOT NULL)
AND {STAYS.replace("t.integration_id", "t.id")} ORDER BY k.id, t.created_at, t.id
"""
"""Of activities, by integration that takes them or has taken them, the last push that replicates."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Whether anything may leave for an integration now."""

    crm: str
    status: str
    push_failures: int
    push_resumes_at: datetime | None
    pushes_per_minute: int


@dataclass(frozen=True, kw_only=True)
class Due:
    """A push that can leave: what it takes to choose."""

    id: UUID
    kind: str
    record_type: str
    caused_by: str | None
    is_interactive: bool
    last_attempt_at: datetime | None


async def announce(session: AsyncSession, push: UUID) -> None:
    """Tells those who wait for it; they re-read it."""
    await events.notify(session, f"push:{push}")


# ---------------------------------------------------------------- taking


async def read_gate(database: Database, session: AsyncSession, integration: UUID) -> Gate | None:
    """As it is while the transaction lasts, in which nobody else takes pushes of the workspace; None where there is no such
    integration."""
    await database.run(session, LOCK, {})
    found = await database.run(session, GATE, {"integration": integration})
    return Gate(**found[0]) if found else None


async def count_spent(
    database: Database, session: AsyncSession, since: datetime, together: Mapping[tuple[str, str], int]
) -> dict[str | None, tuple[int, datetime]]:
    """Caller -> how many of its pushes have left since then, and when the first did. `together`: (CRM, type of record) ->
    how many edits it takes in one call."""
    rows = [{"crm": crm, "type": type_, "most": most} for (crm, type_), most in together.items()]
    found = await database.run(session, SPENT, {"since": since, "together": orjson.dumps(rows).decode()})
    return {row["caused_by"]: (row["pushes"], row["first"]) for row in found}


async def find_due(database: Database, session: AsyncSession, values: Mapping[str, Any]) -> list[Due]:
    """At most `most` that can leave `now`, but for those that are `flying`, or whose callers are `spent` and that have not
    been tried `since`."""
    return [Due(**row) for row in await database.run(session, DUE, values)]


async def find_next_due(
    database: Database, session: AsyncSession, integration: UUID, now: datetime
) -> tuple[datetime | None, bool]:
    """When the next one of those that wait for a time is due; and whether some are due by now."""
    values = {"integration": integration, "now": now, "flying": []}
    [found] = await database.run(session, NEXT_DUE, values)
    return found["at"], found["due"] > 0


async def take(database: Database, session: AsyncSession, ids: Sequence[UUID], now: datetime) -> dict[UUID, Push]:
    """From the commit on they are the worker's that has taken them, under their new claims; not those that have ended."""
    rows = await database.run(session, TAKE, {"ids": list(ids), "now": now})
    return {row["id"]: Push(**row) for row in rows}


# ---------------------------------------------------------------- what becomes of them


async def keep(database: Database, session: AsyncSession, push: Push) -> bool:
    """Stores how far it has come: `progress`, `first_tried_at` and what is known of it in the CRM. False, and nothing is
    stored, where another worker has taken it."""
    names = ("id", "claim", "first_tried_at", "external_type", "external_id")
    values = {name: getattr(push, name) for name in names}
    return bool(await database.run(session, KEEP, {**values, "progress": orjson.dumps(push.progress).decode()}))


async def settle(database: Database, session: AsyncSession, push: Push, now: datetime) -> Push | None:
    """Writes what has become of a push: its status, counts and times as they are in the row. None where another worker has
    taken it."""
    names = ("id", "claim", "status", "external_type", "external_id", "attempts", "tries", "rounds", "next_attempt_at")
    values = {name: getattr(push, name) for name in (*names, "is_final", "last_error")}
    ended = push.is_final or push.status in (PushStatus.COMMITTED.value, PushStatus.SKIPPED.value)
    found = await database.run(session, SETTLE, {**values, "ended": ended, "now": now})
    if not found:
        return None
    await announce(session, push.id)
    return Push(**found[0])


async def note_success(database: Database, session: AsyncSession, integration: UUID) -> None:
    """The CRM has answered: all may leave."""
    await database.run(session, NOTE_SUCCESS, {"integration": integration})


async def note_failure(
    database: Database,
    session: AsyncSession,
    integration: UUID,
    now: datetime,
    *,
    failures: int,
    pause: tuple[float, float],
) -> None:
    """The CRM has not answered. After so many failures in a row nothing leaves for a while, in seconds: the shortest, then
    twice as long each time, up to the longest."""
    values = {"integration": integration, "now": now, "failures": failures}
    await database.run(session, NOTE_FAILURE, {**values, "shortest": pause[0], "longest": pause[1]})


async def end_hold(database: Database, session: AsyncSession, integration: UUID, failures: int) -> bool:
    """The CRM has answered somebody else: a quota that was used up is there again. Gives whether one was held for; not where
    so many writes in a row have failed."""
    return bool(await database.run(session, END_HOLD, {"integration": integration, "failures": failures}))


async def hold(database: Database, session: AsyncSession, integration: UUID, until: datetime) -> None:
    """Nothing leaves before then."""
    await database.run(session, HOLD, {"integration": integration, "until": until})


async def take_up(database: Database, session: AsyncSession, integration: UUID, now: datetime, since: datetime) -> int:
    """What has failed, and not for good, is due anew; so is a look at what may have arrived, of pushes not older than that.
    Gives how many."""
    values = {"integration": integration, "now": now, "since": since}
    return len(await database.run(session, TAKE_UP, values))


async def look_again(database: Database, session: AsyncSession, integration: UUID) -> bool:
    """What may have arrived is looked for now: something new is known of the CRM. Gives whether there is any."""
    return bool(await database.run(session, LOOK_AGAIN, {"integration": integration}))


async def retry(
    database: Database, session: AsyncSession, ids: Collection[UUID], integration: UUID | None
) -> list[Push]:
    """These, or all of an integration, are due now, also those that had failed for good: a person has asked for it."""
    values = {"ids": list(ids), "integration": integration}
    pushes = [Push(**row) for row in await database.run(session, RETRY, values)]
    return sorted(pushes, key=lambda push: push.seq)


async def reopen(database: Database, session: AsyncSession, integration: UUID) -> bool:
    """Whether anything waits for the integration; from now on for nothing else."""
    return bool(await database.run(session, REOPEN, {"integration": integration}))


async def forget(database: Database, workspace: UUID) -> None:
    """Forgets what has ended well and is older than what is kept, batch by batch."""
    while True:
        async with database.session(workspace) as session:
            found = await database.run(session, FORGET, {})
        if len(found) < BATCH:
            return


# ---------------------------------------------------------------- lists


def list_pushes(
    window: Window,
    *,
    integration_id: UUID | None = None,
    record_ids: Sequence[UUID] | None = None,
    statuses: Sequence[PushStatus] | None = None,
) -> Listing:
    """Pushes of the workspace, of an integration, of a record and those that have become part of it; the newest first."""
    values, conditions = Values(), [STAYS]
    if integration_id is not None:
        conditions.append(f"t.integration_id = {values.bind(integration_id)}")
    if record_ids is not None:
        conditions.append(f"t.record_id = ANY({values.bind(list(record_ids))}::uuid[])")
    if statuses is not None:
        conditions.append(f"t.status = ANY({values.bind([status.value for status in statuses])}::text[])")
    about = (integration_id, record_ids and record_ids[0], statuses and sorted(status.value for status in statuses))
    is_sparse = record_ids is not None or statuses is not None
    return Listing(Push, KEYS, window, values, conditions=conditions, about=about, sparse=is_sparse)


def list_record_pushes(window: Window) -> Listing:
    """The pushes of each of several records, the newest first."""
    return Listing(Push, KEYS, window, Values(), conditions=[STAYS], parent="t.record_id = k.id")


KEYS = (
    Key(name="created_at", type=datetime, sql="{t}.created_at", descending=True),
    Key(name="id", type=UUID, sql="{t}.id", descending=True),
)
