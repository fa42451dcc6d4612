"""The statements of sync runs: asking for one, claiming it, committing a page, ending it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events, staging
from storage.database import Database
from storage.identifiers import uuid7
from storage.integrations import STAYS
from storage.shapes import LIVE, RecordType, SyncKind, SyncStatus, SyncTrigger
from storage.tables import SLIPS_IN, SyncRun

# One at a time for an integration: whoever asks next sees the run that the first one made.
LOCK_INTEGRATION = "SELECT id FROM integration WHERE id = %(integration)s AND workspace_id = %(workspace)s FOR UPDATE"

BY_ID = f"SELECT t.* FROM sync_run t WHERE t.workspace_id = %(workspace)s AND t.id = %(id)s AND {STAYS}"

BY_IDS = f"SELECT t.* FROM sync_run t WHERE t.workspace_id = %(workspace)s AND t.id = ANY(%(ids)s) AND {STAYS}"

UNDER_WAY = f"""
SELECT t.* FROM sync_run t WHERE t.workspace_id = %(workspace)s AND status IN ('QUEUED', 'RUNNING', 'WAITING', 'HELD')
AND (%(integration)s::uuid IS NULL OR integration_id = %(integration)s) AND {STAYS} ORDER BY created_at, id
"""

# A FULL does what a DELTA does, and more; but one that was held and approved has read all that it reads.
COVERING = """
SELECT * FROM sync_run WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
AND kind = ANY(%(kinds)s) AND status IN ('QUEUED', 'RUNNING', 'WAITING') AND NOT cancel_requested
AND is_dry_run = %(dry)s AND NOT approved
AND record_types @> %(types)s::text[] AND scope = %(scope)s::text::jsonb ORDER BY created_at LIMIT 1
"""

QUEUED = """
SELECT * FROM sync_run WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND kind = %(kind)s
AND status = 'QUEUED' AND is_dry_run = %(dry)s AND NOT approved AND scope = %(scope)s::text::jsonb
"""

WIDEN = "UPDATE sync_run SET record_types = %(types)s WHERE workspace_id = %(workspace)s AND id = %(id)s RETURNING *"

INSERT = """
INSERT INTO sync_run (id, workspace_id, integration_id, kind, status, record_types, scope, counts, api_calls, claim,
  cancel_requested, trigger, triggered_by, is_dry_run, attestation, approved, created_at, updated_at)
VALUES (%(id)s, %(workspace)s, %(integration)s, %(kind)s, 'QUEUED', %(types)s, %(scope)s::text::jsonb, '{}', 0, 0, false,
  %(trigger)s, %(triggered_by)s, %(dry)s, '[]', false, now(), now())
RETURNING *
"""

SAME_LANE = f"(({SLIPS_IN.replace('kind', 'o.kind')}) = ({SLIPS_IN.replace('kind', 'r.kind')}))"
"""Runs that wait for one another: those that slip in do not wait for a long one, whose pages theirs come between."""

# A run that writes already holds the integration: the unique index would refuse a second one, so it stays queued.
CLAIM = f"""
UPDATE sync_run r SET status = 'RUNNING', claim = claim + 1, started_at = coalesce(started_at, now()),
  message = NULL, resumes_at = NULL, updated_at = now()
FROM integration i WHERE r.workspace_id = %(workspace)s AND r.id = %(id)s
AND i.workspace_id = %(workspace)s AND i.id = r.integration_id AND i.status = 'ACTIVE'
AND r.status IN ('QUEUED', 'RUNNING', 'WAITING') AND (r.resumes_at IS NULL OR r.resumes_at <= now() + interval '1 second')
AND NOT EXISTS (SELECT FROM sync_run o WHERE o.workspace_id = %(workspace)s AND o.integration_id = r.integration_id
  AND o.id <> r.id AND o.status IN ('RUNNING', 'WAITING') AND {SAME_LANE})
RETURNING r.*
"""

# Its worker died, and then somebody paused or disconnected the integration: nobody is left who would obey.
PARK = """
UPDATE sync_run r SET status = CASE WHEN cancel_requested THEN 'CANCELLED' ELSE 'WAITING' END,
  message = CASE WHEN cancel_requested THEN 'Cancelled.' ELSE %(message)s END,
  completed_at = CASE WHEN cancel_requested THEN now() END, updated_at = now()
FROM integration i WHERE r.workspace_id = %(workspace)s AND r.id = %(id)s AND r.status = 'RUNNING'
AND i.workspace_id = %(workspace)s AND i.id = r.integration_id AND i.status <> 'ACTIVE'
RETURNING r.*
"""

COMMIT_PAGE = """
UPDATE sync_run r SET cursor = %(cursor)s::text::jsonb, counts = %(counts)s::text::jsonb,
  api_calls = r.api_calls + %(calls)s, updated_at = now()
FROM integration i WHERE r.workspace_id = %(workspace)s AND r.id = %(id)s AND r.claim = %(claim)s
AND r.status = 'RUNNING' AND i.workspace_id = %(workspace)s AND i.id = r.integration_id
RETURNING r.cancel_requested, i.status AS integration_status, i.last_error AS integration_error
"""

SETTLE = """
UPDATE sync_run SET status = %(status)s, message = %(message)s, resumes_at = %(resumes_at)s,
  cursor = coalesce(%(cursor)s::text::jsonb, cursor), counts = %(counts)s::text::jsonb, api_calls = api_calls + %(calls)s,
  attestation = %(attestation)s::text::jsonb, plan = %(plan)s::text::jsonb,
  completed_at = CASE WHEN %(ended)s THEN now() END, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(id)s AND claim = %(claim)s AND status = 'RUNNING' RETURNING *
"""

WAIT_NO_LONGER = """
UPDATE sync_run SET resumes_at = NULL, updated_at = now()
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND status = 'WAITING' AND resumes_at IS NOT NULL
"""

CANCEL = """
UPDATE sync_run SET cancel_requested = true, updated_at = now(),
  status = CASE WHEN status = 'RUNNING' THEN status ELSE 'CANCELLED' END,
  message = CASE WHEN status = 'RUNNING' THEN 'Ends after the page under way.' ELSE 'Cancelled.' END,
  completed_at = CASE WHEN status = 'RUNNING' THEN NULL ELSE now() END
WHERE workspace_id = %(workspace)s AND id = %(id)s AND status IN ('QUEUED', 'RUNNING', 'WAITING', 'HELD') RETURNING *
"""

APPROVE = """
UPDATE sync_run SET status = 'QUEUED', approved = true, message = NULL, updated_at = now()
WHERE workspace_id = %(workspace)s AND id = %(id)s AND status = 'HELD' RETURNING *
"""

# What they would archive a newer run has looked at anew.
CANCEL_HELD = """
UPDATE sync_run SET status = 'CANCELLED', message = %(message)s, completed_at = now(), updated_at = now()
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND status = 'HELD'
AND created_at < %(created_at)s RETURNING *
"""

CANCEL_ALL = """
UPDATE sync_run SET cancel_requested = true, updated_at = now(),
  status = CASE WHEN status = 'RUNNING' THEN status ELSE 'CANCELLED' END,
  message = %(message)s, completed_at = CASE WHEN status = 'RUNNING' THEN NULL ELSE now() END
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
AND status IN ('QUEUED', 'RUNNING', 'WAITING', 'HELD') RETURNING *
"""

NEXT = f"""
SELECT DISTINCT ON ({SLIPS_IN}) * FROM sync_run
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND status IN ('RUNNING', 'WAITING', 'QUEUED')
ORDER BY {SLIPS_IN}, status = 'QUEUED', created_at
"""

ADD_ERROR = """
INSERT INTO sync_error (id, workspace_id, run_id, external_type, external_id, field, code, message, at)
SELECT gen_random_uuid(), %(workspace)s, %(run)s, external_type, external_id, field, code, message, now()
FROM jsonb_to_recordset(%(rows)s::text::jsonb)
  AS src(external_type text, external_id text, field text, code text, message text)
ON CONFLICT DO NOTHING
"""

HAS_ERRORS = """
SELECT EXISTS (SELECT FROM sync_error WHERE workspace_id = %(workspace)s AND run_id = %(run)s) AS found
"""

LIVE_SOURCES = """
SELECT external_type, count(*) AS n FROM source_record
WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s AND deleted_at IS NULL
  AND record_type = ANY(%(types)s) GROUP BY external_type
"""

FULL_HAS_ENDED = """
SELECT EXISTS (SELECT FROM sync_run WHERE workspace_id = %(workspace)s AND integration_id = %(integration)s
  AND kind = 'FULL' AND status IN ('SUCCEEDED', 'PARTIAL') AND record_types @> %(types)s::text[]) AS found
"""


OVERTAKEN = "A newer FULL run has begun: what this one was held for is looked at anew."

COVERED_BY = {SyncKind.DELTA: [SyncKind.DELTA.value, SyncKind.FULL.value]}


async def announce(session: AsyncSession, run: SyncRun) -> None:
    """Tells those who watch the run, or the workspace's runs; they re-read it."""
    await events.notify(session, f"run:{run.id}")
    await events.notify(session, f"runs:{run.workspace_id}", str(run.id))


def load(row: Mapping[str, Any]) -> SyncRun:
    """A row in the shape of its table."""
    return SyncRun(**row)


async def _change(database: Database, session: AsyncSession, sql: str, values: Mapping[str, Any]) -> SyncRun | None:
    """Runs a statement that gives the run as it is now, and tells those who watch it."""
    found = await database.run(session, sql, values)
    if not found:
        return None
    await announce(session, run := load(found[0]))
    return run


async def find(database: Database, session: AsyncSession, run: UUID) -> SyncRun | None:
    """The run, as it is now."""
    found = await database.run(session, BY_ID, {"id": run})
    return load(found[0]) if found else None


async def request(
    database: Database,
    session: AsyncSession,
    *,
    integration: UUID,
    kind: SyncKind,
    types: Sequence[RecordType],
    scope: Mapping[str, Any],
    asked_by: tuple[SyncTrigger, UUID | None],
    dry: bool = False,
) -> tuple[SyncRun, bool]:
    """The run that covers what is asked for, and whether it is new.

    `asked_by` is who or what, and which member. `dry`: nothing is to be written. A queued run of the kind and scope that
    covers fewer types is widened: there is one of each in the queue.
    """
    values: dict[str, Any] = {
        "id": uuid7(),
        "integration": integration,
        "kind": kind.value,
        "kinds": [kind.value] if dry else COVERED_BY.get(kind, [kind.value]),
        "dry": dry,
        "scope": orjson.dumps(scope).decode(),
        "types": [type_.value for type_ in types],
        "trigger": asked_by[0].value,
        "triggered_by": asked_by[1],
    }
    await database.run(session, LOCK_INTEGRATION, values)
    if covering := await database.run(session, COVERING, values):
        return load(covering[0]), False
    if queued := await database.run(session, QUEUED, values):
        wider = dict.fromkeys([*queued[0]["record_types"], *values["types"]])
        widened = await _change(database, session, WIDEN, {"id": queued[0]["id"], "types": list(wider)})
        return widened or load(queued[0]), False
    made = await _change(database, session, INSERT, values)
    if made is None:
        raise RuntimeError("an inserted run came back as no row")
    return made, True


async def claim(database: Database, session: AsyncSession, run: UUID) -> SyncRun | None:
    """Takes the run for this worker; None where it has ended, must wait, or another run holds the integration. A FULL ends
    older ones that are held."""
    taken = await _change(database, session, CLAIM, {"id": run})
    if taken and taken.kind == SyncKind.FULL.value and not taken.is_dry_run:
        values = {"integration": taken.integration_id, "created_at": taken.created_at, "message": OVERTAKEN}
        await _end_all(database, session, CANCEL_HELD, values)
    return taken


async def _end_all(database: Database, session: AsyncSession, sql: str, values: Mapping[str, Any]) -> None:
    """Runs a statement that gives the runs that it ends; what they would have archived stays."""
    ended = [load(row) for row in await database.run(session, sql, values)]
    await staging.drop(database, session, [run.id for run in ended])
    for run in ended:
        await announce(session, run)


async def park(database: Database, session: AsyncSession, run: UUID, message: str) -> None:
    """Does with a run that nobody carries out what its worker would have done: lets it wait, or ends it."""
    await _change(database, session, PARK, {"id": run, "message": message})


async def commit_page(database: Database, session: AsyncSession, run: SyncRun, calls: int) -> dict[str, Any] | None:
    """Cursor and counts of the run, with the page; None where another worker has taken it: roll back."""
    values = {
        "id": run.id,
        "claim": run.claim,
        "cursor": orjson.dumps(run.cursor).decode(),
        "counts": orjson.dumps(run.counts).decode(),
        "calls": calls,
    }
    found = await database.run(session, COMMIT_PAGE, values)
    if not found:
        return None
    await announce(session, run)
    return found[0]


async def settle(
    database: Database,
    session: AsyncSession,
    run: SyncRun,
    status: SyncStatus,
    *,
    message: str | None,
    calls: int = 0,
    resumes_at: datetime | None = None,
) -> SyncRun | None:
    """Ends the run, or lets it wait; None where another worker has taken it in the meantime."""
    values = {
        "id": run.id,
        "claim": run.claim,
        "status": status.value,
        "message": message,
        "resumes_at": resumes_at,
        "calls": calls,
        "cursor": orjson.dumps(run.cursor).decode() if run.cursor else None,
        "counts": orjson.dumps(run.counts).decode(),
        "attestation": orjson.dumps(run.attestation).decode(),
        "plan": orjson.dumps(run.plan).decode() if run.plan else None,
        "ended": status not in LIVE,
    }
    left = await _change(database, session, SETTLE, values)
    if left and values["ended"]:
        await staging.drop(database, session, [run.id])
    return left


async def cancel(database: Database, session: AsyncSession, run: UUID) -> SyncRun | None:
    """Ends it now, or after the page under way; None where it has ended already."""
    cancelled = await _change(database, session, CANCEL, {"id": run})
    if cancelled and cancelled.status == SyncStatus.CANCELLED.value:
        await staging.drop(database, session, [run])
    return cancelled


async def approve(database: Database, session: AsyncSession, run: UUID) -> SyncRun | None:
    """Lets a held run go on; None where it is not held."""
    return await _change(database, session, APPROVE, {"id": run})


async def cancel_all(database: Database, session: AsyncSession, integration: UUID, message: str) -> None:
    """Ends every run of the integration."""
    await _end_all(database, session, CANCEL_ALL, {"integration": integration, "message": message})


async def find_next(database: Database, session: AsyncSession, integration: UUID) -> list[SyncRun]:
    """What has to go on for this integration: the run that holds it, else the one that waits longest; and so for those that
    slip in."""
    return [load(row) for row in await database.run(session, NEXT, {"integration": integration})]


async def add_errors(
    database: Database, session: AsyncSession, run: SyncRun, errors: Sequence[Mapping[str, Any]]
) -> None:
    """What could not be taken over: {external_type, external_id, field, code, message} each; once for each record."""
    if errors:
        values = {"workspace": run.workspace_id, "run": run.id, "rows": orjson.dumps(list(errors)).decode()}
        await database.run(session, ADD_ERROR, values)


async def has_errors(database: Database, session: AsyncSession, run: UUID) -> bool:
    """Whether anything of the run could not be taken over."""
    return bool((await database.run(session, HAS_ERRORS, {"run": run}))[0]["found"])


async def count_expected(database: Database, session: AsyncSession, run: SyncRun) -> dict[str, int]:
    """How many records of each external type a run will meet: of a FULL as many as are here, once one has ended."""
    if run.kind != SyncKind.FULL.value or run.scope:
        return {}
    values = {"integration": run.integration_id, "types": run.record_types}
    if not (await database.run(session, FULL_HAS_ENDED, values))[0]["found"]:
        return {}
    return {row["external_type"]: row["n"] for row in await database.run(session, LIVE_SOURCES, values)}
