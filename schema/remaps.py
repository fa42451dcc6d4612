"""Changing mappings of fields, and trying that before."""

from collections.abc import Awaitable, Sequence
from typing import Annotated, Any

import strawberry

from resolvers.mappings import reset_mappings, update_mappings
from resolvers.rules import RefusedRows, Wish
from resolvers.trials import preview_mappings, suggest_mappings
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.access import AccessMutation
from schema.field import Info, field, mutation, shown
from schema.ids import read_key, require_key
from schema.integrations import SyncRun
from schema.mappings import FieldMapping, FieldMappingSuggestion
from schema.payloads import Payload, UserError, answer
from schema.sources import SourceRecord
from storage.listing import clean
from storage.shapes import Direction, Role

ABOUT = strawberry.argument(description="What is asked for.")


@strawberry.input(description="A mapping that is wanted.")
class FieldMappingInput:
    external_type: str = strawberry.field(description="The type of record, in the CRM's own word.")
    local_field: str = strawberry.field(description="The field here: jobTitle, amount; or customFields.x.")
    crm_field: str = strawberry.field(description="The field there, as the CRM's API calls it: `name` of its `fields`.")
    direction: Direction = strawberry.field(
        description="Which way values go. A field that the CRM lets nobody write takes INBOUND only.",
        default=Direction.BIDIRECTIONAL,
    )
    transform: str | None = strawberry.field(
        description="An expression over `value`, as docs/mappings.md has it; values are copied where not given."
    )

    @property
    def wish(self) -> Wish:
        """As resolvers take it."""
        return Wish(
            external_type=clean(self.external_type),
            local_field=clean(self.local_field),
            crm_field=clean(self.crm_field),
            direction=self.direction,
            transform=None if self.transform is None else clean(self.transform),
        )


@strawberry.input(
    description="Each mapping replaces the one of its external type, local field and direction; `replace` also removes"
    " custom ones of the named external types that are not listed."
)
class UpdateFieldMappingsInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    mappings: list[FieldMappingInput] = strawberry.field(description="The mappings: all are saved, or none.")
    replace: bool = strawberry.field(description="Whether others go.", default=False)

    @property
    def wishes(self) -> list[Wish]:
        """As resolvers take them."""
        return [one.wish for one in self.mappings]


@strawberry.input(description="Whose mappings are to be the connector's again.")
class ResetFieldMappingsInput:
    integration_id: strawberry.ID = strawberry.field(description="The integration.")
    external_type: str | None = strawberry.field(description="Of this type only; of all where not given.")


@strawberry.type(
    description="`remapRun` projects the stored payloads anew with the new mappings: no call to the CRM. It is null where"
    " nothing that is stored is concerned."
)
class UpdateFieldMappingsPayload(Payload):
    mappings: list[FieldMapping] = strawberry.field(
        description="All that count now, of the types concerned.", default_factory=list
    )
    remap_run: SyncRun | None = strawberry.field(description="The run.", default=None)

    @classmethod
    def refuse_rows(cls, refused: RefusedRows) -> "UpdateFieldMappingsPayload":
        """Nothing was saved: what is wrong with each row."""
        return cls(user_errors=[UserError.of(row) for row in refused.rows])


@strawberry.type(description="What would become of one record.")
class MappingPreviewRow:
    row: strawberry.Private[Any]
    before: strawberry.scalars.JSON | None = shown("The fields concerned as they are, by name.")
    after: strawberry.scalars.JSON | None = shown("As they would be; null where it cannot be mapped.")
    error: str | None = shown("Why it cannot be mapped, in a sentence.")

    @field("The record in the CRM.")
    def source(self) -> SourceRecord:
        return SourceRecord.of(self.row.source)


@strawberry.type(description="What mappings would change in the stored payloads.")
class MappingPreview:
    row: strawberry.Private[Any]
    tried: strawberry.Private[Sequence[Any]]
    records: int = shown("Stored records of the types concerned.")
    changed: int = shown("Those whose fields would change.")
    failed: int = shown("Those that could not be mapped.")
    coverage_percent: float = shown(
        "For how many of the records the mappings give a value; of several mappings all together."
    )

    @field("Some of those that would change, or could not be mapped.", size=20)
    def sample(self) -> list[MappingPreviewRow]:
        return [MappingPreviewRow(row=one) for one in self.tried]


async def _answer(work: Awaitable[tuple[Any, Any]]) -> UpdateFieldMappingsPayload:
    try:
        rows, run = await work
    except RefusedRows as refused:
        return UpdateFieldMappingsPayload.refuse_rows(refused)
    return UpdateFieldMappingsPayload(
        mappings=[FieldMapping.of(row) for row in rows], remap_run=SyncRun.of(run) if run else None
    )


async def _update(info: Info, input: UpdateFieldMappingsInput) -> UpdateFieldMappingsPayload:
    key = require_key(input.integration_id, "Integration", "integration", "integrationId")
    work = update_mappings(info.context, integration_id=key, wishes=input.wishes, replace=input.replace)
    return await _answer(work)


async def _reset(info: Info, input: ResetFieldMappingsInput) -> UpdateFieldMappingsPayload:
    key = require_key(input.integration_id, "Integration", "integration", "integrationId")
    return await _answer(reset_mappings(info.context, integration_id=key, external_type=input.external_type))


@strawberry.type(description="What admins do about mappings.")
class MappingMutation(AccessMutation):
    @mutation(
        "Saves mappings after checking them against the CRM's own list of its fields, and maps anew what is stored. An error"
        " names its row; nothing is saved then.",
        role=Role.ADMIN,
        cost=50,
    )
    async def update_field_mappings(
        self, info: Info, input: Annotated[UpdateFieldMappingsInput, ABOUT]
    ) -> UpdateFieldMappingsPayload:
        return await answer(info, UpdateFieldMappingsPayload, _update(info, input))

    @mutation(
        "Removes custom mappings, so that the connector's count again, and maps anew what is stored.", role=Role.ADMIN
    )
    async def reset_field_mappings(
        self, info: Info, input: Annotated[ResetFieldMappingsInput, ABOUT]
    ) -> UpdateFieldMappingsPayload:
        return await answer(info, UpdateFieldMappingsPayload, _reset(info, input))


@strawberry.type(description="What can be asked of mappings before they are changed.")
class MappingQuery:
    @field(
        "Mappings that may be wanted, the best first: for fields of the CRM that none uses, and fields here that none"
        " fills.",
        cost=50,
        size=100,
    )
    async def suggest_field_mappings(
        self,
        info: Info,
        integration_id: Annotated[strawberry.ID, strawberry.argument(description="The integration.")],
        external_type: Annotated[str, strawberry.argument(description="The type of record, in the CRM's own word.")],
    ) -> list[FieldMappingSuggestion] | None:
        key = read_key(integration_id, "Integration")
        found = await suggest_mappings(info.context, key, external_type) if key else None
        return None if found is None else [FieldMappingSuggestion(row=one) for one in found]

    @field("What the mappings would change in the stored payloads; nothing is written and no CRM is called.", cost=200)
    async def preview_field_mappings(
        self, info: Info, input: Annotated[UpdateFieldMappingsInput, ABOUT]
    ) -> MappingPreview | None:
        key = read_key(input.integration_id, "Integration")
        if key is None:
            return None
        found, tried = await preview_mappings(
            info.context, integration_id=key, wishes=input.wishes, replace=input.replace
        )
        return MappingPreview(row=found, tried=tried)
