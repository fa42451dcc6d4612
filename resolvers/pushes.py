"""Pushes: what is on its way to CRMs, what has become of it, and asking for it."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode
from resolvers.integrations import get_integration, not_active
from resolvers.loaders import load
from resolvers.outgoing import name_cause
from resolvers.records import Page, load_page, read_page
from resolvers.waiting import find_hold
from resolvers.writing import check_key
from storage import integrations, merges, outbox, owners, pushes, sources, workspaces
from storage.listing import Window, clean
from storage.outbound import Push
from storage.records import now
from storage.shapes import IntegrationStatus, PushKind, PushStatus, ReplicationStatus
from storage.tables import CrmUser, Integration

WAIT = 10.0
"""Seconds that a person waits for a push."""
MOST = 250
"""Pushes that are retried by name."""


class PushOutcome(Enum):
    """What has become of a push by the time that the answer is given."""

    COMMITTED = "COMMITTED"
    QUEUED = "QUEUED"
    NOT_COMMITTED = "NOT_COMMITTED"
    UNKNOWN = "UNKNOWN"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Traffic:
    """What there is between an integration and its CRM."""

    pending: int = 0
    failed: int = 0
    conflicts: int = 0


@dataclass(frozen=True)
class Replication:
    """How far an activity has come in one integration."""

    integration_id: UUID
    push: Push | None
    status: ReplicationStatus


REPLICATED = {
    PushStatus.COMMITTED.value: ReplicationStatus.REPLICATED,
    PushStatus.SKIPPED.value: ReplicationStatus.NOT_APPLICABLE,
    PushStatus.FAILED.value: ReplicationStatus.FAILED,
}

ENDED = {
    PushStatus.COMMITTED.value: PushOutcome.COMMITTED,
    PushStatus.SKIPPED.value: PushOutcome.SKIPPED,
    PushStatus.UNKNOWN.value: PushOutcome.UNKNOWN,
}


def judge(push: Push) -> PushOutcome:
    """What a client is told of a push: of one that is tried again, that it is queued."""
    if push.status == PushStatus.FAILED.value:
        return PushOutcome.NOT_COMMITTED if push.is_final else PushOutcome.QUEUED
    return ENDED.get(push.status, PushOutcome.QUEUED)


# ---------------------------------------------------------------- reading


async def get_push(context: Context, id: UUID) -> Push | None:
    """One push of the workspace."""

    async def fetch(ids: Sequence[UUID]) -> list[Push | None]:
        found = {row["id"]: Push(**row) for row in await context.fetch(pushes.BY_IDS, {"ids": list(ids)})}
        return [found.get(each) for each in ids]

    found: Push | None = await load(context, Push, fetch, id)
    return found


async def list_pushes(
    context: Context,
    *,
    integration_id: UUID | None,
    record_id: UUID | None,
    statuses: Sequence[PushStatus] | None,
    window: Window,
) -> Page[Push]:
    """A page of the workspace's pushes, the newest first. The id of a record may lead to another one by now."""
    ids = await _follow_merges(context, record_id) if record_id else None
    listing = pushes.list_pushes(window, integration_id=integration_id, record_ids=ids, statuses=statuses)
    return await read_page(context, listing)


async def _follow_merges(context: Context, record: UUID) -> list[UUID]:
    """The record that an id leads to, and the ids of those that have become part of it."""
    moved = await context.fetch(merges.SURVIVORS, {"ids": [record]})
    survivor = moved[0]["record_id"] if moved else record
    merged = await context.fetch(merges.MERGED, {"ids": [survivor]})
    return [survivor, *(row["id"] for row in merged)]


async def list_record_pushes(context: Context, record: UUID, window: Window) -> Page[Push]:
    """So for one of several records: one statement for all of them."""
    return await load_page(context, pushes.list_record_pushes(window), record)


async def get_traffic(context: Context, integration_id: UUID) -> Traffic:
    """How much is on its way to an integration's CRM, has failed there, or waits for a decision."""

    async def fetch(ids: Sequence[UUID]) -> list[Traffic]:
        rows = {row.pop("id"): row for row in await context.fetch(pushes.COUNTS, {"ids": list(ids)})}
        return [Traffic(**rows.get(each, {})) for each in ids]

    traffic: Traffic = await load(context, Traffic, fetch, integration_id)
    return traffic


async def list_replication(context: Context, activity: UUID) -> list[Replication]:
    """How far an activity has come in each integration that takes activities."""

    async def fetch(ids: Sequence[UUID]) -> list[list[Replication]]:
        rows = await context.fetch(pushes.REPLICATION, {"ids": list(ids)})
        told = [row["push"] for row in rows if row["push"]]
        read = await context.fetch(pushes.BY_IDS, {"ids": told}) if told else []
        there = {row["id"]: Push(**row) for row in read}
        found: dict[UUID, list[Replication]] = {each: [] for each in ids}
        for row in rows:
            push = there.get(row["push"])
            status = (
                REPLICATED.get(push.status, ReplicationStatus.PENDING) if push else ReplicationStatus.NOT_APPLICABLE
            )
            found[row["activity"]].append(Replication(row["integration"], push, status))
        return [found[each] for each in ids]

    replication: list[Replication] = await load(context, "replication", fetch, activity)
    return replication


# ---------------------------------------------------------------- trying again


async def retry_pushes(context: Context, *, push_ids: Sequence[UUID], integration_id: UUID | None) -> list[Push]:
    """Tries pushes again now, also those that have failed for good, and although the account's quota is used up, as far as
    we know: these, or all of an integration that have not ended. Raises Refused, Unknown."""
    if not push_ids and integration_id is None:
        raise Refused(UserErrorCode.BAD_INPUT, "Give pushes, or an integration.", ("pushIds",))
    if len(push_ids) > MOST:
        message = f"Give at most {MOST} pushes, or their integration."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("pushIds",))
    async with context.database.session(context.workspace) as session:
        if integration_id is not None and await integrations.find(session, integration_id) is None:
            raise Unknown("integration", "integrationId")
        there = await context.database.run(session, pushes.BY_IDS, {"ids": list(push_ids)})
        if {row["id"] for row in there} != set(push_ids):
            raise Unknown("push", "pushIds")
        asked = {row["integration_id"] for row in there} | {integration_id}
        about = [one for one in await integrations.find_all(session) if one.id in asked]
    for one in about:
        await context.services.clients.release(one)
    async with context.database.session(context.workspace) as session:
        found = await pushes.retry(context.database, session, push_ids, integration_id)
        for integration in sorted({push.integration_id for push in found}):
            await pushes.reopen(context.database, session, integration)
            await context.services.jobs.defer_push(session, integration)
    return found


# ---------------------------------------------------------------- a warm lead


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody asks for."""

    contact_id: UUID
    integration_id: UUID
    owner_email: str | None = None
    key: str | None = None


async def push_warm_lead(context: Context, asked: Asked, wait: float = WAIT) -> Push:
    """Asks for a contact to be written to a CRM, and gives the push as it is when it has ended, or after so many seconds.

    Raises Refused, Unknown. Asked for again with its key, or while it is under way, it is the same push.
    """
    if asked.key is not None:
        check_key(asked.key)
    try:
        push = await _queue_lead(context, asked)
    except IntegrityError:  # somebody has asked for the same at the same time
        push = await _queue_lead(context, asked)
    return await _follow(context, push, wait)


async def _queue_lead(context: Context, asked: Asked) -> Push:
    database = context.database
    async with database.session(context.workspace) as session:
        integration = await _require_integration(session, asked.integration_id)
        contact = await _require_contact(context, session, asked.contact_id)
        if asked.key and (made := await outbox.find_by_key(database, session, asked.key)):
            _require_same(made, integration.id, {asked.contact_id, contact["id"]})
            return made
        owner = await _find_owner(context, session, integration, asked.owner_email)
        if under_way := await outbox.find_open(database, session, integration.id, contact["id"], PushKind.WARM_LEAD):
            await outbox.hurry(database, session, under_way.id)
            await context.services.jobs.defer_push(session, integration.id)
            return under_way
        details = {"owner": owner.external_id} if owner else {}
        if asked.owner_email:
            details["owner_email"] = clean(asked.owner_email)
        push = outbox.make_lead(
            context.workspace,
            integration.id,
            contact["id"],
            details=details,
            caused_by=name_cause(context.caller),
            idempotency_key=asked.key,
        )
        threshold = (await workspaces.read(database, session)).warm_lead_threshold
        if reason := explain_cold(contact, threshold):
            push.status, push.last_error, push.completed_at = PushStatus.SKIPPED.value, reason, now()
        else:
            await context.services.jobs.defer_push(session, integration.id)
        await outbox.add(session, push)
    return push


def explain_cold(contact: dict[str, Any], threshold: int) -> str | None:
    """Why a contact is no warm lead; None where it is one."""
    if contact["archived_at"]:
        return "The contact is archived."
    warmness = contact["warmness"]
    if warmness is None:
        return f"The contact has no warmness: a warm lead has {threshold} or more."
    return (
        None if warmness >= threshold else f"The contact's warmness is {warmness}: a warm lead has {threshold} or more."
    )


async def _follow(context: Context, push: Push, wait: float) -> Push:
    """The push once it has ended, else as it is after so many seconds, or as soon as it cannot leave before then."""
    deadline = now() + timedelta(seconds=wait)
    with context.services.hub.subscribe(f"push:{push.id}") as events, suppress(TimeoutError):
        async with asyncio.timeout(wait):
            while True:
                push = await _read(context, push)
                if push.status not in (PushStatus.PENDING.value, PushStatus.SENDING.value):
                    break
                if push.status == PushStatus.PENDING.value and await _is_held(context, push, deadline):
                    break
                await anext(events)
    return push


async def _is_held(context: Context, push: Push, deadline: datetime) -> bool:
    """Whether a push, as it stands now, cannot leave before then."""
    context.loaders.clear()
    integration = await get_integration(context, push.integration_id)
    hold = find_hold(integration, now()) if integration else None
    until = push.next_attempt_at if hold is None else hold.until
    return (hold is not None and until is None) or (until is not None and until > deadline)


async def _read(context: Context, push: Push) -> Push:
    rows = await context.database.fetch(context.workspace, pushes.BY_IDS, {"ids": [push.id]})
    return Push(**rows[0]) if rows else push


async def _require_integration(session: AsyncSession, id: UUID) -> Integration:
    found = await integrations.find(session, id)
    if found is None:
        raise Unknown("integration", "integrationId")
    if found.status in (IntegrationStatus.DISCONNECTED.value, IntegrationStatus.PENDING.value):
        raise not_active(found)
    return found


async def _require_contact(context: Context, session: AsyncSession, id: UUID) -> dict[str, Any]:
    """The contact that the id leads to by now."""
    moved = await context.database.run(session, merges.SURVIVORS, {"ids": [id]})
    ids = [row["record_id"] for row in moved] or [id]
    found = await context.database.run(session, sources.by_ids("Contact"), {"ids": ids})
    if not found:
        raise Unknown("contact", "contactId")
    return found[0]


def _require_same(push: Push, integration: UUID, contacts: Collection[UUID]) -> None:
    """`contacts`: what was asked for, and what that leads to by now."""
    if push.integration_id != integration or push.record_id not in contacts:
        message = "This key was given with another contact or integration."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("idempotencyKey",))


async def _find_owner(
    context: Context, session: AsyncSession, integration: Integration, email: str | None
) -> CrmUser | None:
    """Who is asked to own the contact there; without an address the caller, where that is a user of the CRM. None where the
    CRM has to be asked. Raises Refused for an address that it does not know."""
    database, member = context.database, context.caller.member_id
    if email is None:
        return await owners.find_by_member(database, session, integration.id, member) if member else None
    user = await owners.find_by_email(database, session, integration.id, clean(email).strip())
    if user is None and await owners.are_known(database, session, integration.id):
        message = f"{integration.display_name} has no user with this e-mail address: linkCrmUser ties a member to one."
        raise Refused(UserErrorCode.NOT_FOUND, message, ("ownerEmail",))
    if user is not None and not user.is_active:
        message = f"This user is deactivated in {integration.display_name}: name another one."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("ownerEmail",))
    return user


# ---------------------------------------------------------------- who is who


async def link_user(context: Context, *, integration_id: UUID, external_id: str, member_id: UUID | None) -> CrmUser:
    """Ties a user of a CRM to a member here, or to nobody. Raises Unknown."""
    async with context.database.session(context.workspace) as session:
        integration = await integrations.find(session, integration_id)
        if integration is None:
            raise Unknown("integration", "integrationId")
        if member_id is not None:
            rows = await context.database.run(session, sources.by_ids("Member"), {"ids": [member_id]})
            if not rows or rows[0]["removed_at"]:
                raise Unknown("member", "memberId")
        user = await owners.link(context.database, session, integration.id, clean(external_id), member_id)
        if user is None:
            raise Unknown("user of the CRM here: a sync of the integration brings them", "externalId")
    return user
