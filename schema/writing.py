"""Writing records here: the inputs and mutations that make, change and archive them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry

from resolvers.writing import archive_record, create_record, update_record
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.field import Info, mutation
from schema.ids import require_key
from schema.paging import Node, wrap
from schema.payloads import Payload, answer
from schema.types import Activity, Contact, Deal, Organization
from storage.listing import GlobalId
from storage.records import ActivityKind, ContactKind, DealStatus
from storage.shapes import RecordType, Role

ABOUT = strawberry.argument(description="What is asked for.")
JSON = strawberry.scalars.JSON

NAMED = "The full name; the last word is taken for the family name where firstName and lastName are not given."
EMAILS = "All e-mail addresses."
PHONES = "All phone numbers, best with their country: +420602123456."
EMPLOYER = "The employer."
WARMTH = "0 to 5; warm from the workspace's threshold on."
TAGS = "The labels."
CUSTOM = "Custom fields by name; null clears one, and those that are not named stay."
OWNER = "The user in charge, by the e-mail address: somebody of a connected CRM."
KEY = "Whoever asks again with the same key gets the same record: 1 to 200 characters."
DOMAIN = "The internet domain; that of the website where not given."
DUE = "The moment, with a zone; its day in UTC is taken where `dueOn` is not given."


@strawberry.input(description="An e-mail address.")
class EmailAddressInput:
    value: str = strawberry.field(description="The address.")
    label: str | None = strawberry.field(description="What it is for: work, home …")
    primary: bool = strawberry.field(description="Whether it is the one to use first.", default=False)


@strawberry.input(description="A phone number.")
class PhoneNumberInput:
    value: str = strawberry.field(description="The number.")
    label: str | None = strawberry.field(description="What it is for: work, mobile …")
    primary: bool = strawberry.field(description="Whether it is the one to use first.", default=False)


@strawberry.input(description="A postal address.")
class AddressInput:
    street: str | None = strawberry.field(description="Street and number.")
    city: str | None = strawberry.field(description="City or town.")
    region: str | None = strawberry.field(description="State, province or county.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    country: str | None = strawberry.field(description="Country.")


@strawberry.input(description="An amount in its own currency.")
class MoneyInput:
    amount: Decimal = strawberry.field(description="The amount.")
    currency: str = strawberry.field(description="A code of three letters of ISO 4217.")


@strawberry.input(description="A new contact; it has a name, an e-mail address or a phone number.")
class CreateContactInput:
    kind: ContactKind | None = strawberry.field(description="LEAD where not given.")
    name: str | None = strawberry.field(description=NAMED)
    first_name: str | None = strawberry.field(description="The given name.")
    last_name: str | None = strawberry.field(description="The family name.")
    job_title: str | None = strawberry.field(description="The role at work.")
    emails: list[EmailAddressInput] | None = strawberry.field(description=EMAILS)
    phones: list[PhoneNumberInput] | None = strawberry.field(description=PHONES)
    address: AddressInput | None = strawberry.field(description="The postal address.")
    organization_id: strawberry.ID | None = strawberry.field(description=EMPLOYER)
    warmness: int | None = strawberry.field(description=WARMTH)
    tags: list[str] | None = strawberry.field(description=TAGS)
    custom_fields: JSON | None = strawberry.field(description=CUSTOM)
    owner_email: str | None = strawberry.field(description=OWNER)
    idempotency_key: str | None = strawberry.field(description=KEY)


@strawberry.input(description="What is to be changed; what is absent stays, null clears.")
class UpdateContactInput:
    contact_id: strawberry.ID = strawberry.field(description="The contact.")
    kind: strawberry.Maybe[ContactKind | None] = strawberry.field(description="Not null.")
    name: strawberry.Maybe[str | None] = strawberry.field(description=NAMED)
    first_name: strawberry.Maybe[str | None] = strawberry.field(description="The given name.")
    last_name: strawberry.Maybe[str | None] = strawberry.field(description="The family name.")
    job_title: strawberry.Maybe[str | None] = strawberry.field(description="The role at work.")
    emails: strawberry.Maybe[list[EmailAddressInput] | None] = strawberry.field(description=EMAILS)
    phones: strawberry.Maybe[list[PhoneNumberInput] | None] = strawberry.field(description=PHONES)
    address: strawberry.Maybe[AddressInput | None] = strawberry.field(description="The postal address, as a whole.")
    organization_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(description=EMPLOYER)
    warmness: strawberry.Maybe[int | None] = strawberry.field(description=WARMTH)
    tags: strawberry.Maybe[list[str] | None] = strawberry.field(description=TAGS)
    custom_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=CUSTOM)
    owner_email: strawberry.Maybe[str | None] = strawberry.field(description=OWNER)


@strawberry.input(description="A new organization.")
class CreateOrganizationInput:
    name: str = strawberry.field(description="The name.")
    domain: str | None = strawberry.field(description=DOMAIN)
    website: str | None = strawberry.field(description="The address of the website.")
    industry: str | None = strawberry.field(description="The line of business.")
    employee_count: int | None = strawberry.field(description="How many people work there.")
    phone: str | None = strawberry.field(description="The phone number.")
    address: AddressInput | None = strawberry.field(description="The postal address.")
    tags: list[str] | None = strawberry.field(description=TAGS)
    custom_fields: JSON | None = strawberry.field(description=CUSTOM)
    owner_email: str | None = strawberry.field(description=OWNER)
    idempotency_key: str | None = strawberry.field(description=KEY)


@strawberry.input(description="What is to be changed; what is absent stays, null clears.")
class UpdateOrganizationInput:
    organization_id: strawberry.ID = strawberry.field(description="The organization.")
    name: strawberry.Maybe[str | None] = strawberry.field(description="The name; not null.")
    domain: strawberry.Maybe[str | None] = strawberry.field(description=DOMAIN)
    website: strawberry.Maybe[str | None] = strawberry.field(description="The address of the website.")
    industry: strawberry.Maybe[str | None] = strawberry.field(description="The line of business.")
    employee_count: strawberry.Maybe[int | None] = strawberry.field(description="How many people work there.")
    phone: strawberry.Maybe[str | None] = strawberry.field(description="The phone number.")
    address: strawberry.Maybe[AddressInput | None] = strawberry.field(description="The postal address, as a whole.")
    tags: strawberry.Maybe[list[str] | None] = strawberry.field(description=TAGS)
    custom_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=CUSTOM)
    owner_email: strawberry.Maybe[str | None] = strawberry.field(description=OWNER)


@strawberry.input(description="A new deal.")
class CreateDealInput:
    title: str = strawberry.field(description="What it is about.")
    amount: MoneyInput | None = strawberry.field(description="What it is worth.")
    stage: str | None = strawberry.field(description="The name of its stage.")
    pipeline: str | None = strawberry.field(description="The name of its pipeline.")
    expected_close_on: date | None = strawberry.field(description="The day it should close.")
    organization_id: strawberry.ID | None = strawberry.field(description="The customer.")
    contact_ids: list[strawberry.ID] | None = strawberry.field(description="Those who take part, 100 at most.")
    custom_fields: JSON | None = strawberry.field(description=CUSTOM)
    owner_email: str | None = strawberry.field(description=OWNER)
    idempotency_key: str | None = strawberry.field(description=KEY)


@strawberry.input(description="What is to be changed; what is absent stays, null clears.")
class UpdateDealInput:
    deal_id: strawberry.ID = strawberry.field(description="The deal.")
    title: strawberry.Maybe[str | None] = strawberry.field(description="What it is about; not null.")
    amount: strawberry.Maybe[MoneyInput | None] = strawberry.field(description="What it is worth.")
    status: strawberry.Maybe[DealStatus | None] = strawberry.field(description="Open, won or lost; not null.")
    stage: strawberry.Maybe[str | None] = strawberry.field(description="The name of its stage.")
    pipeline: strawberry.Maybe[str | None] = strawberry.field(description="The name of its pipeline.")
    expected_close_on: strawberry.Maybe[date | None] = strawberry.field(description="The day it should close.")
    organization_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(description="The customer.")
    contact_ids: strawberry.Maybe[list[strawberry.ID] | None] = strawberry.field(
        description="Those who take part, 100 at most."
    )
    custom_fields: strawberry.Maybe[JSON | None] = strawberry.field(description=CUSTOM)
    owner_email: strawberry.Maybe[str | None] = strawberry.field(description=OWNER)


@strawberry.input(description="A call, a meeting, a task, a note, for at least one contact.")
class LogActivityInput:
    contact_ids: list[strawberry.ID] = strawberry.field(description="Those who take part, 1 to 100.")
    kind: ActivityKind = strawberry.field(description="What kind; not OTHER, which only a CRM has.")
    subject: str = strawberry.field(description="What it is about.")
    body: str | None = strawberry.field(description="Plain text, or HTML, of which what could run is taken out.")
    due_on: date | None = strawberry.field(description="The day.")
    due_at: datetime | None = strawberry.field(description=DUE)
    duration_minutes: int | None = strawberry.field(description="How long it takes.")
    is_done: bool | None = strawberry.field(description="Whether it is done; false where not given.")
    deal_id: strawberry.ID | None = strawberry.field(description="The deal it concerns.")
    organization_id: strawberry.ID | None = strawberry.field(description="The company it concerns.")
    owner_email: str | None = strawberry.field(description=OWNER)
    idempotency_key: str | None = strawberry.field(description=KEY)


@strawberry.input(description="What is to be changed; what is absent stays, null clears.")
class UpdateActivityInput:
    activity_id: strawberry.ID = strawberry.field(description="The activity.")
    subject: strawberry.Maybe[str | None] = strawberry.field(description="What it is about; not null.")
    body: strawberry.Maybe[str | None] = strawberry.field(description="Plain text or HTML.")
    due_on: strawberry.Maybe[date | None] = strawberry.field(description="The day; a time goes with the old one.")
    due_at: strawberry.Maybe[datetime | None] = strawberry.field(description=DUE)
    duration_minutes: strawberry.Maybe[int | None] = strawberry.field(description="How long it takes.")
    is_done: strawberry.Maybe[bool | None] = strawberry.field(description="Whether it is done; not null.")


@strawberry.input(description="What is to be archived.")
class ArchiveRecordInput:
    id: strawberry.ID = strawberry.field(description="A contact, an organization, a deal or an activity.")


@strawberry.type(description="The contact as it is then.")
class ContactPayload(Payload):
    contact: Contact | None = strawberry.field(description="The contact.", default=None)


@strawberry.type(description="The organization as it is then.")
class OrganizationPayload(Payload):
    organization: Organization | None = strawberry.field(description="The organization.", default=None)


@strawberry.type(description="The deal as it is then.")
class DealPayload(Payload):
    deal: Deal | None = strawberry.field(description="The deal.", default=None)


@strawberry.type(description="The activity as it is then.")
class ActivityPayload(Payload):
    activity: Activity | None = strawberry.field(description="The activity.", default=None)


@strawberry.type(description="The record as it is then.")
class ArchivePayload(Payload):
    record: Node | None = strawberry.field(description="The record.", default=None)


SHAPES = (EmailAddressInput, PhoneNumberInput, AddressInput, MoneyInput)


def plain(value: Any) -> Any:
    """An input, or a list of them, as resolvers take it."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return dict(vars(value)) if isinstance(value, SHAPES) else value


def read_given(input: Any, *others: str) -> Mapping[str, Any]:
    """The fields of an input that were given, but for these others; in one that makes a record null says nothing."""
    found = {}
    for name, value in vars(input).items():
        if name in others or value is None or value is strawberry.UNSET:
            continue
        found[name] = plain(value.value if isinstance(value, strawberry.Some) else value)
    return found


async def _create(info: Info, type_: RecordType, input: Any) -> Any:
    return await create_record(info.context, type_, read_given(input, "idempotency_key"), input.idempotency_key)


async def _update(info: Info, type_: RecordType, input: Any) -> Any:
    name = type_.value.lower()
    key = require_key(getattr(input, f"{name}_id"), name.capitalize(), name, f"{name}Id")
    return await update_record(info.context, type_, key, read_given(input, f"{name}_id"))


async def _contact(work: Any) -> ContactPayload:
    return ContactPayload(contact=Contact.of(await work))


async def _organization(work: Any) -> OrganizationPayload:
    return OrganizationPayload(organization=Organization.of(await work))


async def _deal(work: Any) -> DealPayload:
    return DealPayload(deal=Deal.of(await work))


async def _activity(work: Any) -> ActivityPayload:
    return ActivityPayload(activity=Activity.of(await work))


async def _archive(info: Info, input: ArchiveRecordInput) -> ArchivePayload:
    found = GlobalId.read(input.id)
    return ArchivePayload(record=wrap(await archive_record(info.context, found.type, found.key)))


LATER = " It is done here at once; what follows in CRMs leaves through the outbox."


@strawberry.type
class WritingMutation:
    @mutation(
        "Makes a contact. Whoever comes later from a CRM with its e-mail address or number is one with it." + LATER,
        role=Role.OPERATOR,
    )
    async def create_contact(self, info: Info, input: Annotated[CreateContactInput, ABOUT]) -> ContactPayload:
        return await answer(info, ContactPayload, _contact(_create(info, RecordType.CONTACT, input)))

    @mutation("Changes a contact." + LATER, role=Role.OPERATOR)
    async def update_contact(self, info: Info, input: Annotated[UpdateContactInput, ABOUT]) -> ContactPayload:
        return await answer(info, ContactPayload, _contact(_update(info, RecordType.CONTACT, input)))

    @mutation(
        "Makes an organization. What comes later from a CRM with its domain or name is one with it." + LATER,
        role=Role.OPERATOR,
    )
    async def create_organization(
        self, info: Info, input: Annotated[CreateOrganizationInput, ABOUT]
    ) -> OrganizationPayload:
        return await answer(info, OrganizationPayload, _organization(_create(info, RecordType.ORGANIZATION, input)))

    @mutation("Changes an organization." + LATER, role=Role.OPERATOR)
    async def update_organization(
        self, info: Info, input: Annotated[UpdateOrganizationInput, ABOUT]
    ) -> OrganizationPayload:
        return await answer(info, OrganizationPayload, _organization(_update(info, RecordType.ORGANIZATION, input)))

    @mutation("Makes a deal." + LATER, role=Role.OPERATOR)
    async def create_deal(self, info: Info, input: Annotated[CreateDealInput, ABOUT]) -> DealPayload:
        return await answer(info, DealPayload, _deal(_create(info, RecordType.DEAL, input)))

    @mutation("Changes a deal." + LATER, role=Role.OPERATOR)
    async def update_deal(self, info: Info, input: Annotated[UpdateDealInput, ABOUT]) -> DealPayload:
        return await answer(info, DealPayload, _deal(_update(info, RecordType.DEAL, input)))

    @mutation("Logs what was done, or is to be done, with contacts." + LATER, role=Role.OPERATOR)
    async def log_activity(self, info: Info, input: Annotated[LogActivityInput, ABOUT]) -> ActivityPayload:
        return await answer(info, ActivityPayload, _activity(_create(info, RecordType.ACTIVITY, input)))

    @mutation("Changes an activity." + LATER, role=Role.OPERATOR)
    async def update_activity(self, info: Info, input: Annotated[UpdateActivityInput, ABOUT]) -> ActivityPayload:
        return await answer(info, ActivityPayload, _activity(_update(info, RecordType.ACTIVITY, input)))

    @mutation(
        "Archives a record for good: no later sync brings it back, and nothing is deleted in a CRM.",
        role=Role.OPERATOR,
    )
    async def archive_record(self, info: Info, input: Annotated[ArchiveRecordInput, ABOUT]) -> ArchivePayload:
        return await answer(info, ArchivePayload, _archive(info, input))
