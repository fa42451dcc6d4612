"""The records of CRMs that unified records are made of, and how fresh they are."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from connectors.registry import Crm
from resolvers.provenance import Held, Said
from resolvers.sources import ServedFrom, get_payload, get_source_record, measure
from schema.field import Info, field, given, shown
from schema.integrations import Integration, find_integration
from schema.paging import Node, Row, wrap
from schema.shown import show
from storage.records import Record


@strawberry.type(description="asOf is the oldest of the sources; null for a record that only exists here.")
class Freshness:
    as_of: datetime | None = shown("When the oldest of the sources was read from its CRM.")
    age_seconds: int | None = shown("How long ago that was, in seconds.")
    served_from: ServedFrom = shown("Where the answer was taken from.")


@strawberry.type(description="The record in one CRM that a unified record is made of.")
class SourceRecord(Row):
    crm: Crm = shown("Which CRM.")  # type: ignore[valid-type] # made from the registry
    external_type: str = shown(
        "The CRM's own word, one of the integration's types: Person, contacts, Opportunity, Leads …"
    )
    external_id: str = shown("Its id in the CRM.")
    url: str | None = shown("Its page in the CRM.")
    remote_created_at: datetime | None = shown("When it was made, by the CRM's clock.")
    remote_updated_at: datetime | None = shown("When it was last changed, by the CRM's clock.")
    synced_at: datetime = shown("When it was last read from the CRM.")
    deleted_at: datetime | None = shown("Deleted, or merged away, in the CRM.")

    @field("The unified record that it is part of.")
    async def record(self, info: Info) -> Node | None:
        return wrap(await get_source_record(info.context, self.row))

    @field("The integration that it was read by.")
    async def integration(self, info: Info) -> Integration:
        return await find_integration(info, self.row.integration_id)

    @field(
        "The CRM's own payload. Older than maxStaleness seconds, it is read again from the CRM, batched and cached.",
        graphql_type=strawberry.scalars.JSON | None,
        cost=10,
    )
    async def payload(
        self,
        info: Info,
        max_staleness: Annotated[
            int | None,
            strawberry.argument(description="How old it may be, in seconds; as it is stored where not given."),
        ] = strawberry.UNSET,
    ) -> Any:
        return await get_payload(info.context, self.row, given(max_staleness))

    @field("How old it is, and where it was taken from.", graphql_type=Freshness)
    def freshness(self, info: Info) -> Any:
        return measure(info.context, [self.row])


@strawberry.type(description="What another source says of a field.")
class FieldAlternative:
    source: SourceRecord | None = strawberry.field(description="Which one.")
    value: strawberry.scalars.JSON | None = strawberry.field(description="Its value, which may be the same.")
    observed_at: datetime = strawberry.field(description="Since when it has said so, by the CRM's time.")

    @classmethod
    def of(cls, record: type[Record], field: str, said: Said) -> "FieldAlternative":
        """What a source says, as GraphQL shows it."""
        value: Any = show(record, field, said.value)
        source = SourceRecord.of(said.source) if said.source else None
        return cls(source=source, value=value, observed_at=said.observed_at)


@strawberry.type(description="Who holds the truth of one field, and what the other sources say.")
class FieldProvenance:
    field: str = strawberry.field(
        description="Its name, as the record's type has it; a custom field as customFields.x."
    )
    value: strawberry.scalars.JSON | None = strawberry.field(
        description="The value, as the field itself shows it; of a relation the global id, or ids."
    )
    source: SourceRecord | None = strawberry.field(
        description="The best source that says it; of a list, that its first entries come from. Null for what was written"
        " here, what follows from other records, or whose source is no more."
    )
    observed_at: datetime = strawberry.field(description="Since when the source has said so, by the CRM's time.")
    alternatives: list[FieldAlternative] = strawberry.field(
        description="What the others say that have a value, the best one first.", metadata={"size": 2}
    )

    @classmethod
    def of(cls, record: type[Record], held: Held) -> "FieldProvenance":
        """A field as GraphQL shows it."""
        value: Any = show(record, held.field, held.value)
        return cls(
            field=held.field,
            value=value,
            source=SourceRecord.of(held.source) if held.source else None,
            observed_at=held.observed_at,
            alternatives=[FieldAlternative.of(record, held.field, each) for each in held.alternatives],
        )
