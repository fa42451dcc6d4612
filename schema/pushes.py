"""Pushes: what is on its way to CRMs, what has become of it, and the mutations about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from resolvers.pushes import (
    Asked,
    PushOutcome,
    judge,
    link_user,
    list_pushes,
    push_warm_lead,
    retry_pushes,
)
from resolvers.records import get_row
from resolvers.sources import get_user, list_sources
from resolvers.waiting import explain, find_next_attempt
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.derive import Paged
from schema.field import Info, field, given, mutation, shown, words
from schema.ids import read_key, require_key
from schema.integrations import CrmUser, Integration, find_integration
from schema.paging import NODES, Listing, Node, Row, wrap
from schema.payloads import Payload, answer
from schema.sources import SourceRecord
from storage.listing import Window
from storage.records import BY_TYPE
from storage.shapes import PushStatus, RecordType, ReplicationStatus, Role

ABOUT = strawberry.argument(description="What is asked for.")

words(
    PushOutcome,
    "PushOutcome",
    "What has become of a push by the time that the answer is given.",
    {
        "COMMITTED": "It is in the CRM.",
        "QUEUED": "It has not ended yet: it goes on, whoever waits for it.",
        "NOT_COMMITTED": "The CRM has refused it, or has not answered for three days: see the push's `lastError`.",
        "UNKNOWN": "It may have arrived; it is not written again before that is known.",
        "SKIPPED": "There was nothing to be written: see the push's `lastError`.",
    },
)


@strawberry.type(description="One change on its way to one CRM: a row of the outbox.")
class Push(Row):
    status: PushStatus = shown("How it stands.")
    external_type: str | None = shown("The type of what was written, in the CRM's own word.")
    external_id: str | None = shown("The id of what was written in the CRM.")
    attempts: int = shown("How often it was tried.")
    created_at: datetime = shown("When it was caused.")
    completed_at: datetime | None = shown(
        "When it ended: it is in the CRM, is not needed any more, or failed for good."
    )

    @field("The integration that it is for.")
    async def integration(self, info: Info) -> Integration:
        return await find_integration(info, self.row.integration_id)

    @field("When it is tried again; null where it is as soon as it is its turn, or a person has acted.")
    async def next_attempt_at(self, info: Info) -> datetime | None:
        return await find_next_attempt(info.context, self.row)

    @field("What went wrong last, what it waits for, or what had to be left out, in a sentence.")
    async def last_error(self, info: Info) -> str | None:
        return await explain(info.context, self.row)

    @field("The record that it is about.")
    async def record(self, info: Info) -> Node | None:
        return await find_record(info, self.row.record_type, self.row.record_id)


async def find_record(info: Info, type_: str, id: UUID) -> Node | None:
    """A record by what a row calls its type; of one that has become part of another one that one."""
    name = BY_TYPE[RecordType(type_)].__name__
    row = await get_row(info.context, name, id)
    return wrap((name, row)) if row else None


@strawberry.type(description="Whether, and how far, an activity that was logged here has reached a CRM.")
class Replication:
    row: strawberry.Private[Any]
    status: ReplicationStatus = shown("How far it has come.")

    @field("The integration that takes activities.")
    async def integration(self, info: Info) -> Integration:
        return await find_integration(info, self.row.integration_id)

    @field("Its id in the CRM, once it is there.")
    def external_id(self) -> str | None:
        return self.row.push.external_id if self.row.push else None

    @field("How often it was tried.")
    def attempts(self) -> int:
        return self.row.push.attempts if self.row.push else 0

    @field("When it was last tried.")
    def last_attempt_at(self) -> datetime | None:
        return self.row.push.last_attempt_at if self.row.push else None

    @field("What went wrong last, or what it waits for, in a sentence.")
    async def last_error(self, info: Info) -> str | None:
        return await explain(info.context, self.row.push) if self.row.push else None

    @field("The push that brings it there; null where there is none.")
    def push(self) -> Push | None:
        return Push.of(self.row.push) if self.row.push else None


@strawberry.type
class PushQuery:
    @field("What is on its way to CRMs, and what has become of it; the newest first.", Paged())
    async def pushes(
        self,
        info: Info,
        page: Window,
        integration_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those for this integration.")
        ] = strawberry.UNSET,
        record_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those of this record.")
        ] = strawberry.UNSET,
        status: Annotated[
            list[PushStatus] | None, strawberry.argument(description="Only those with one of these.")
        ] = strawberry.UNSET,
    ) -> Listing[Push]:
        found = await list_pushes(
            info.context,
            integration_id=read_wanted(given(integration_id), "Integration"),
            record_id=read_wanted(given(record_id), *(record.__name__ for record in BY_TYPE.values())),
            statuses=given(status),
            window=page,
        )
        return Listing.of(found, Push)


def read_wanted(id: str | None, *types: str) -> UUID | None:
    """The key to look for; one that nothing has, where the id is of another type."""
    return None if id is None else read_key(id, *types) or UUID(int=0)


# ---------------------------------------------------------------- what can be done


@strawberry.input(description="Without ownerEmail: the caller's member, else the integration's account user.")
class PushWarmLeadInput:
    contact_id: strawberry.ID = strawberry.field(description="The contact.")
    integration_id: strawberry.ID = strawberry.field(description="Where it is to be written.")
    owner_email: str | None = strawberry.field(
        description="The e-mail address of the user there, or of the member here, who is to own it."
    )
    idempotency_key: str | None = strawberry.field(
        description="Asked for again with the same one, it is the same push."
    )


@strawberry.type(
    description="What became of it in the CRM. QUEUED: the CRM cannot be reached now, and it is kept and tried again."
)
class PushWarmLeadPayload(Payload):
    push: Push | None = strawberry.field(description="The push.", default=None)

    @field("The contact as it is then.")
    async def contact(self, info: Info) -> Annotated["Contact", strawberry.lazy("schema.types")] | None:  # type: ignore[name-defined] # noqa: F821
        row = await self._read_contact(info)
        found: Any = NODES["Contact"].of(row) if row else None
        return found

    @field("What has become of it so far.")
    def outcome(self) -> PushOutcome | None:
        return judge(self.push.row) if self.push else None

    @field("Whether it is warm enough.")
    async def is_warm_lead(self, info: Info) -> bool | None:
        row = await self._read_contact(info)
        if row is None:
            return None
        workspace = await get_row(info.context, "Workspace", info.context.workspace)
        return row.warmness is not None and row.warmness >= workspace.warm_lead_threshold

    @field("What the contact is in the CRM.")
    async def person_source(self, info: Info) -> SourceRecord | None:
        row = await self._read_contact(info)
        return await self._find_source(info, row.id) if row else None

    @field("What the contact's organization is in the CRM.")
    async def organization_source(self, info: Info) -> SourceRecord | None:
        row = await self._read_contact(info)
        return await self._find_source(info, row.organization_id) if row and row.organization_id else None

    @field("Who owns it in the CRM.")
    async def owner(self, info: Info) -> CrmUser | None:
        if self.push is None:
            return None
        owner = self.push.row.progress.get("owner") or self.push.row.details.get("owner")
        row = await get_user(info.context, self.push.row.integration_id, owner)
        return CrmUser(row=row) if row else None

    async def _read_contact(self, info: Info) -> Any:
        return await get_row(info.context, "Contact", self.push.row.record_id) if self.push else None

    async def _find_source(self, info: Info, record: UUID) -> SourceRecord | None:
        wanted = self.push.row.integration_id if self.push else None
        found = [one for one in await list_sources(info.context, record) if one.integration_id == wanted]
        return SourceRecord.of(found[0]) if found else None


@strawberry.input(description="Which pushes: named ones, or all of an integration that have not ended well.")
class RetryPushesInput:
    push_ids: list[strawberry.ID] | None = strawberry.field(description="Those that are to be tried.")
    integration_id: strawberry.ID | None = strawberry.field(description="Or all of this integration.")


@strawberry.type(description="What is tried again; one that is in the CRM already is not among them.")
class RetryPushesPayload(Payload):
    pushes: list[Push] = strawberry.field(description="The pushes, in their order.", default_factory=list)


@strawberry.input(description="Ties a member to a user of a CRM where the e-mails differ.")
class LinkCrmUserInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    external_id: str = strawberry.field(description="The user's id in the CRM.")
    member_id: strawberry.ID | None = strawberry.field(description="The member; null unties.")


@strawberry.type(description="The user as it is then.")
class LinkCrmUserPayload(Payload):
    user: CrmUser | None = strawberry.field(description="The user of the CRM.", default=None)


async def _push(info: Info, input: PushWarmLeadInput) -> PushWarmLeadPayload:
    asked = Asked(
        contact_id=require_key(input.contact_id, "Contact", "contact", "contactId"),
        integration_id=require_key(input.integration_id, "Integration", "integration", "integrationId"),
        owner_email=input.owner_email,
        key=input.idempotency_key,
    )
    return PushWarmLeadPayload(push=Push.of(await push_warm_lead(info.context, asked)))


async def _retry(info: Info, input: RetryPushesInput) -> RetryPushesPayload:
    keys: Sequence[UUID] = [require_key(each, "Push", "push", "pushIds") for each in input.push_ids or ()]
    wanted = input.integration_id
    integration = require_key(wanted, "Integration", "integration", "integrationId") if wanted else None
    found = await retry_pushes(info.context, push_ids=keys, integration_id=integration)
    return RetryPushesPayload(pushes=[Push.of(row) for row in found])


async def _link(info: Info, input: LinkCrmUserInput) -> LinkCrmUserPayload:
    integration = require_key(input.integration_id, "Integration", "integration", "integrationId")
    member = require_key(input.member_id, "Member", "member", "memberId") if input.member_id else None
    row = await link_user(info.context, integration_id=integration, external_id=input.external_id, member_id=member)
    return LinkCrmUserPayload(user=CrmUser(row=row))


@strawberry.type
class PushMutation:
    @mutation(
        "Writes a warm contact to a CRM, with its organization, owner and label, and waits up to 10 seconds for it. One that"
        " is not warm is SKIPPED.",
        role=Role.OPERATOR,
        cost=50,
    )
    async def push_warm_lead(self, info: Info, input: Annotated[PushWarmLeadInput, ABOUT]) -> PushWarmLeadPayload:
        return await answer(info, PushWarmLeadPayload, _push(info, input))

    @mutation("Tries pushes again now, also those that have failed for good.", role=Role.OPERATOR)
    async def retry_pushes(self, info: Info, input: Annotated[RetryPushesInput, ABOUT]) -> RetryPushesPayload:
        return await answer(info, RetryPushesPayload, _retry(info, input))

    @mutation(
        "Says which user of a CRM a member is: records that the member causes there are that user's.", role=Role.ADMIN
    )
    async def link_crm_user(self, info: Info, input: Annotated[LinkCrmUserInput, ABOUT]) -> LinkCrmUserPayload:
        return await answer(info, LinkCrmUserPayload, _link(info, input))
