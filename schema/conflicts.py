"""Conflicts: fields that have changed on both sides, and the mutation by which people decide."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from resolvers.conflicts import (
    MOST,
    find_told,
    get_record,
    list_conflicts,
    list_record_conflicts,
    resolve_conflicts,
)
from resolvers.errors import BadInput
from resolvers.records import get_row
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.derive import Paged
from schema.field import Info, field, given, mutation, shown
from schema.ids import read_key, require_key
from schema.integrations import find_member
from schema.paging import Listing, Node, Row, wrap
from schema.payloads import Payload, answer
from schema.shown import show
from schema.sources import SourceRecord
from schema.tenancy import Member
from storage.listing import Window
from storage.shapes import ConflictResolution, ConflictStatus, Role

ABOUT = strawberry.argument(description="What is asked for.")
JSON = strawberry.scalars.JSON


@strawberry.type(description="One field changed on both sides since the last sync: base is what both agreed on.")
class Conflict(Row):
    status: ConflictStatus = shown("Whether it is decided.")
    resolution: ConflictResolution | None = shown(
        "What a person has decided; null where both sides agree again by themselves."
    )
    detected_at: datetime = shown("When it was found.")
    resolved_at: datetime | None = shown("When it was decided.")

    @field("The record.", graphql_type=Node)
    async def record(self, info: Info) -> Any:
        return wrap(require(await get_record(info.context, self.row), "record"))

    @field("The record in the CRM.")
    async def source(self, info: Info) -> SourceRecord:
        row = await get_row(info.context, "SourceRecord", self.row.source_id)
        return SourceRecord.of(require(row, "record in the CRM"))

    @field("What both sides agreed on last.", graphql_type=JSON | None)
    def base(self) -> Any:
        return show(*find_told(self.row), self.row.base)

    @field("What was written here.", graphql_type=JSON | None)
    def local(self) -> Any:
        return show(*find_told(self.row), self.row.local)

    @field("What the CRM has.", graphql_type=JSON | None)
    def remote(self) -> Any:
        return show(*find_told(self.row), self.row.remote)

    @field("The member who has decided; null where nobody had to, or a key has.")
    async def resolved_by(self, info: Info) -> Member | None:
        return await find_member(info, self.row.resolved_by)

    # the last one: its name is the decorator's
    @field("The field's name, as the record's type has it; a custom field as customFields.x.")
    def field(self) -> str:
        return find_told(self.row)[1]


def require(row: Any, what: str) -> Any:
    """What a conflict is about: it is there as long as the conflict is, but for a moment."""
    if row is None:
        raise BadInput(f"The conflict's {what} has just been deleted: ask again.")
    return row


@strawberry.input(description="Conflicts, and what counts in each of them.")
class ResolveConflictsInput:
    conflict_ids: list[strawberry.ID] = strawberry.field(description=f"The conflicts, 1 to {MOST}: all or none.")
    resolution: ConflictResolution = strawberry.field(description="What counts.")
    value: JSON | None = strawberry.field(
        description="For VALUE: what the field is to be, as the input of its record takes it; null clears it."
    )


@strawberry.type(description="The conflicts as they are then.")
class ResolveConflictsPayload(Payload):
    conflicts: list[Conflict] = strawberry.field(description="In the order of the ids.", default_factory=list)


async def list_of_record(info: Info, record: Any, page: Window) -> Listing[Conflict]:
    """The conflicts of a record."""
    return Listing.of(await list_record_conflicts(info.context, record.id, page), Conflict)


@strawberry.type
class ConflictQuery:
    @field("Fields that have changed on both sides, the newest first.", Paged())
    async def conflicts(
        self,
        info: Info,
        page: Window,
        integration_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only those with this integration.")
        ] = strawberry.UNSET,
        status: Annotated[
            list[ConflictStatus] | None, strawberry.argument(description="Only those with one of these.")
        ] = strawberry.UNSET,
    ) -> Listing[Conflict]:
        key, wanted = None, given(integration_id)
        if wanted is not None:
            key = read_key(wanted, "Integration") or UUID(int=0)  # of nothing: another type has none
        found = await list_conflicts(info.context, integration_id=key, statuses=given(status), window=page)
        return Listing.of(found, Conflict)


async def _resolve(info: Info, input: ResolveConflictsInput) -> ResolveConflictsPayload:
    ids = [require_key(one, "Conflict", "conflict", "conflictIds") for one in input.conflict_ids]
    found = await resolve_conflicts(info.context, ids, input.resolution, input.value)
    return ResolveConflictsPayload(conflicts=[Conflict.of(row) for row in found])


@strawberry.type
class ConflictMutation:
    @mutation(
        "Decides conflicts: LOCAL keeps what is here and sends it again, CRM drops it, VALUE writes another value.",
        role=Role.OPERATOR,
    )
    async def resolve_conflicts(
        self, info: Info, input: Annotated[ResolveConflictsInput, ABOUT]
    ) -> ResolveConflictsPayload:
        return await answer(info, ResolveConflictsPayload, _resolve(info, input))
