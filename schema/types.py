"""The unified records, as clients see them: what is declared of them, and what they have in common beside it."""

from typing import Annotated, Any

import strawberry
import strawberry.pydantic

from resolvers.identity import list_merged
from resolvers.provenance import list_provenance
from resolvers.pushes import list_record_pushes, list_replication
from resolvers.sources import get_freshness, get_user, list_sources
from resolvers.writing import is_warm
from schema.conflicts import Conflict, list_of_record
from schema.derive import Paged, record_type
from schema.field import Info, field, given
from schema.integrations import CrmUser
from schema.paging import Listing, Row
from schema.pushes import Push, Replication
from schema.sources import FieldProvenance, Freshness, SourceRecord
from storage import records
from storage.listing import GlobalId, Window

for shape in (records.EmailAddress, records.PhoneNumber, records.Address, records.Money):
    strawberry.pydantic.type(shape, description=shape.__doc__)

__all__ = ["Activity", "Contact", "Deal", "Listing", "Organization"]  # Listing: the derived fields name it


@strawberry.type
class Unified(Row):
    """What all four have beside their columns and relations."""

    @field("The user in charge, in the CRM.")
    async def owner(self, info: Info) -> CrmUser | None:
        row = await get_user(info.context, self.row.owner_integration_id, self.row.owner_external_id)
        return CrmUser(row=row) if row else None

    @field("The records of CRMs that it is made of.", size=2)
    async def sources(self, info: Info) -> list[SourceRecord]:
        return [SourceRecord.of(row) for row in await list_sources(info.context, self.row.id)]

    @field("How old the data is, and where it was taken from.", graphql_type=Freshness)
    async def freshness(self, info: Info) -> Any:
        return await get_freshness(info.context, self.row)


@strawberry.type
class Golden(Unified):
    """What those have besides that several CRMs may have a say in."""

    @field(
        "Of each field that has a value, or of these: who holds it, since when, and what the other sources say.",
        size=15,
    )
    async def provenance(
        self,
        info: Info,
        fields: Annotated[
            list[str] | None,
            strawberry.argument(description="Names of fields, as the type has them: jobTitle, customFields.x …"),
        ] = strawberry.UNSET,
    ) -> list[FieldProvenance]:
        record = records.RECORDS[type(self).__name__]
        found = await list_provenance(info.context, self.row, given(fields))
        return [FieldProvenance.of(record, held) for held in found]

    @field("Fields that have changed both here and in a CRM, the newest first.", Paged(names=("first", "after")))
    async def conflicts(self, info: Info, page: Window) -> Listing[Conflict]:
        return await list_of_record(info, self.row, page)

    @field("What of it is on its way to CRMs, or was; the newest first.", Paged(names=("first", "after")))
    async def pushes(self, info: Info, page: Window) -> Listing[Push]:
        return Listing.of(await list_record_pushes(info.context, self.row.id, page), Push)

    @field("The ids of records that have become part of it: they lead here.", size=1)
    async def merged_ids(self, info: Info) -> list[strawberry.ID]:
        name = type(self).__name__
        return [strawberry.ID(str(GlobalId(name, one))) for one in await list_merged(info.context, self.row.id)]


@record_type(records.Contact)
class Contact(Golden):
    @field("Whether it is as warm as the workspace's threshold, or warmer.")
    async def is_warm_lead(self, info: Info) -> bool:
        return await is_warm(info.context, self.row)


@record_type(records.Organization)
class Organization(Golden): ...


@record_type(records.Deal)
class Deal(Golden): ...


@record_type(records.Activity)
class Activity(Unified):
    @field("Whether, and how far, it has reached the CRMs that take activities.", size=2)
    async def replication(self, info: Info) -> list[Replication]:
        return [Replication(row=row) for row in await list_replication(info.context, self.row.id)]
