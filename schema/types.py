"""The unified records, as clients see them: what is declared of them, and what they have in common beside it."""

from typing import Any

import strawberry
import strawberry.pydantic

from resolvers.sources import get_freshness, get_user, list_sources
from schema.derive import record_type
from schema.field import Info, field
from schema.integrations import CrmUser
from schema.paging import Listing, Row
from schema.sources import Freshness, SourceRecord
from storage import records

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


@record_type(records.Contact)
class Contact(Unified): ...


@record_type(records.Organization)
class Organization(Unified): ...


@record_type(records.Deal)
class Deal(Unified): ...


@record_type(records.Activity)
class Activity(Unified): ...
