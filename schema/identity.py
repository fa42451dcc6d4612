"""Who is who, as people say it: the mutations that merge and split records."""

from typing import Annotated

import strawberry

from resolvers.identity import MOST, merge_records, split_record
from schema.field import Info, mutation
from schema.ids import require_key
from schema.paging import Node, wrap
from schema.payloads import Payload, answer
from storage.listing import GlobalId
from storage.shapes import Role

ABOUT = strawberry.argument(description="What is asked for.")


@strawberry.input(description="Which records are one: contacts, or organizations.")
class MergeRecordsInput:
    keep_id: strawberry.ID = strawberry.field(description="The record that stays.")
    merge_ids: list[strawberry.ID] = strawberry.field(
        description=f"Those that become part of it, 1 to {MOST}: their ids lead to it from then on."
    )


@strawberry.input(description="Which source is somebody else.")
class SplitRecordInput:
    source_record_id: strawberry.ID = strawberry.field(description="A source of a contact or of an organization.")


@strawberry.type(description="The record that has stayed.")
class MergeRecordsPayload(Payload):
    record: Node | None = strawberry.field(description="With the sources of all.", default=None)


@strawberry.type(description="Stays split in later syncs.")
class SplitRecordPayload(Payload):
    kept: Node | None = strawberry.field(
        description="The record that it was part of, with its other sources.", default=None
    )
    separated: Node | None = strawberry.field(description="The source's own record.", default=None)


async def _merge(info: Info, input: MergeRecordsInput) -> MergeRecordsPayload:
    keep, *others = (GlobalId.read(one) for one in (input.keep_id, *input.merge_ids))
    found = await merge_records(info.context, (keep.type, keep.key), [(one.type, one.key) for one in others])
    return MergeRecordsPayload(record=wrap(found))


async def _split(info: Info, input: SplitRecordInput) -> SplitRecordPayload:
    key = require_key(input.source_record_id, "SourceRecord", "source record", "sourceRecordId")
    name, kept, separated = await split_record(info.context, key)
    return SplitRecordPayload(kept=wrap((name, kept)), separated=wrap((name, separated)))


@strawberry.type
class IdentityMutation:
    @mutation(
        "Makes several contacts, or organizations, one. Matching never takes them apart again; splitRecord does.",
        role=Role.OPERATOR,
    )
    async def merge_records(self, info: Info, input: Annotated[MergeRecordsInput, ABOUT]) -> MergeRecordsPayload:
        return await answer(info, MergeRecordsPayload, _merge(info, input))

    @mutation(
        "Gives a source of a contact, or of an organization, a record of its own. Matching never brings it together again"
        " with those that it was with; mergeRecords does.",
        role=Role.OPERATOR,
    )
    async def split_record(self, info: Info, input: Annotated[SplitRecordInput, ABOUT]) -> SplitRecordPayload:
        return await answer(info, SplitRecordPayload, _split(info, input))
