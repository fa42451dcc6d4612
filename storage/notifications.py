"""The statements of notifications: what a person should know of, written in the transaction of its cause."""

import hashlib
from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from storage import events
from storage.database import Database
from storage.identifiers import uuid7
from storage.listing import Key, Listing, Values, Window
from storage.outbound import Conflict, Notification, Push
from storage.shapes import NotificationLevel
from storage.tables import Integration, SyncRun
from storage.tenancy import read_workspace

KEPT_DAYS: Final = 30
"""How long they are kept."""

KEPT = f"t.at > now() - interval '{KEPT_DAYS} days'"

ADD = """
INSERT INTO notification (id, workspace_id, level, code, message, integration_id, record_type, record_id, about, at)
VALUES (%(id)s, %(workspace)s, %(level)s, %(code)s, %(message)s, %(integration)s, %(record_type)s, %(record)s, %(about)s,
  now())
ON CONFLICT DO NOTHING RETURNING id
"""

FORGET = f"""
DELETE FROM notification WHERE workspace_id = %(workspace)s AND at <= now() - interval '{KEPT_DAYS} days'
"""

BY_ID = "SELECT t.* FROM notification t WHERE t.workspace_id = %(workspace)s AND t.id = %(id)s"

SINCE = """
SELECT t.* FROM notification t WHERE t.workspace_id = %(workspace)s AND t.at >= %(since)s ORDER BY t.at, t.id
"""


class Code(Enum):
    """What a notification is about, for programs."""

    PUSH_RETRIED = "PUSH_RETRIED"
    PUSH_FAILED = "PUSH_FAILED"
    CONSENT_NEEDED = "CONSENT_NEEDED"
    RUN_HELD = "RUN_HELD"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    CONFLICT = "CONFLICT"


LEVELS: Final = {
    Code.PUSH_RETRIED: NotificationLevel.WARNING,
    Code.PUSH_FAILED: NotificationLevel.ERROR,
    Code.CONSENT_NEEDED: NotificationLevel.ERROR,
    Code.RUN_HELD: NotificationLevel.WARNING,
    Code.QUOTA_EXHAUSTED: NotificationLevel.WARNING,
    Code.CONFLICT: NotificationLevel.WARNING,
}


async def add(
    database: Database,
    session: AsyncSession,
    code: Code,
    message: str,
    *,
    integration: UUID,
    about: str,
    record: tuple[str, UUID] | None = None,
) -> None:
    """Tells those who watch, once for each `about`. What is too old goes at the same time."""
    values = {
        "id": uuid7(),
        "level": LEVELS[code].value,
        "code": code.value,
        "message": message,
        "integration": integration,
        "record_type": record[0] if record else None,
        "record": record[1] if record else None,
        "about": about,
    }
    if made := await database.run(session, ADD, values):
        await database.run(session, FORGET, {})
        await events.notify(session, f"notifications:{read_workspace(session.sync_session)}", str(made[0]["id"]))


async def notify_push(database: Database, session: AsyncSession, push: Push, name: str) -> None:
    """A push has failed: for good, or so that it is tried again every hour. `name`: the integration's."""
    code = Code.PUSH_FAILED if push.is_final else Code.PUSH_RETRIED
    what = {"WARM_LEAD": "A warm lead", "ACTIVITY": "An activity", "EDIT": "A change"}[push.kind]
    goes_on = "It is not tried again by itself." if push.is_final else "It is tried again every hour."
    message = f"{what} could not be written to {name}: {push.last_error or 'no reason was given.'} {goes_on}"
    record = (push.record_type, push.record_id)
    # Taken up again by a person, it is told of anew.
    about = f"{push.id}:{push.claim}" if push.is_final else str(push.id)
    await add(database, session, code, message, integration=push.integration_id, about=about, record=record)


async def notify_refused(database: Database, session: AsyncSession, integration: Integration, message: str) -> None:
    """The CRM takes the credential no more: once for each credential, whoever finds it out."""
    mark = hashlib.sha256(integration.credentials or b"").hexdigest()[:16]
    text = f"{integration.display_name} has to be connected again: {message}"
    about = f"{integration.id}:{mark}"
    await add(database, session, Code.CONSENT_NEEDED, text, integration=integration.id, about=about)


async def notify_held(database: Database, session: AsyncSession, run: SyncRun, name: str) -> None:
    """A run waits for a word of a person."""
    message = f"A run of {name} is held: {run.message or 'approve or cancel it.'}"
    await add(database, session, Code.RUN_HELD, message, integration=run.integration_id, about=str(run.id))


async def notify_quota(
    database: Database, session: AsyncSession, integration: UUID, name: str, until: datetime
) -> None:
    """The account's quota is used up: once for each day."""
    message = f"The quota of {name} is used up: it goes on at {until:%Y-%m-%d %H:%M} UTC."
    about = f"{integration}:{until:%Y-%m-%d}"
    await add(database, session, Code.QUOTA_EXHAUSTED, message, integration=integration, about=about)


async def notify_conflict(database: Database, session: AsyncSession, conflict: Conflict, name: str) -> None:
    """A field has changed on both sides, and a person decides. `name`: the integration's."""
    message = f"{conflict.field} has changed both here and in {name}: decide which value counts."
    record = (conflict.record_type, conflict.record_id)
    integration, about = conflict.integration_id, str(conflict.id)
    await add(database, session, Code.CONFLICT, message, integration=integration, about=about, record=record)


def list_notifications(window: Window) -> Listing:
    """Those of the workspace, the newest first."""
    keys = [
        Key(name="at", type=datetime, sql="{t}.at", descending=True),
        Key(name="id", type=UUID, sql="{t}.id", descending=True),
    ]
    return Listing(Notification, keys, window, Values(), conditions=[KEPT])


def load(row: dict[str, Any]) -> Notification:
    """A row in the shape of its table."""
    return Notification(**row)
