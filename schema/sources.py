"""The records of CRMs that unified records are made of, and how fresh they are."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from connectors.registry import Crm
from resolvers.sources import ServedFrom, get_payload, get_source_record, measure
from schema.field import Info, field, given, shown
from schema.integrations import Integration, find_integration
from schema.paging import Node, Row, wrap


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
