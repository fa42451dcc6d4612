"""A CRM's own records, straight from the CRM, each with what it is linked to here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from connectors.client import Client
from connectors.declaration import Connector, ExternalType
from connectors.errors import CrmError, Unmappable
from connectors.excluding import strip_payload
from connectors.facts import Catalog, Payload, Reference
from connectors.mapping import compile_type, map_record
from connectors.registry import CONNECTORS
from connectors.values import read_id
from resolvers.context import Context
from resolvers.errors import BadInput, failed
from resolvers.loaders import load
from storage import sources
from storage.listing import InvalidQuery, Key, Window, clean, digest, read_cursor, write_cursor
from storage.tables import Integration, SourceRecord

USUAL = 50
"""Records of a page, where nothing is said."""
LONGEST = 500
"""Characters of a search."""
MOST_CALLS = 20
"""Of one page. More means that the list does not end."""
NAMES = ("name", "title", "subject")
"""The columns that name a record: each type has one of them, or none."""


@dataclass(frozen=True, kw_only=True)
class RemoteRecord:
    """A record as the CRM has it now."""

    integration: Integration
    external_type: str
    external_id: str
    payload: Payload
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    organization: Reference | None = None


@dataclass(frozen=True, kw_only=True)
class RemotePage:
    """A part of a CRM's list."""

    rows: Sequence[tuple[str, RemoteRecord]]
    """Each with its cursor."""
    has_next: bool
    has_previous: bool


@dataclass(frozen=True)
class Place:
    """Where a list goes on: in which of the type's listings, at which page of the CRM's, behind how many of its rows."""

    listing: int = 0
    page: str | None = None
    skip: int = 0


KEYS = (
    Key(name="listing", type=int, sql=""),
    Key(name="page", type=str, sql="", nullable=True),
    Key(name="skip", type=int, sql=""),
)
"""A place in a cursor."""
Rows = list[tuple[Place, Payload]]
"""Each with the place behind it."""


async def list_remote(
    context: Context, integration: Integration, *, external_type: str, search: str | None, window: Window
) -> RemotePage:
    """A page of the records of one type; with words, of those that the CRM finds by them."""
    external, text = check_type(CONNECTORS[integration.crm], external_type, clean(search or "").strip())
    mark = digest("remote", integration.id, external.name, text)
    place = read_place(mark, window.after, 1 if text else len(external.listings))
    try:
        walk = Walk(await context.services.clients.open(integration), external, text)
        rows, rest = await walk.take(place, window.first or USUAL)
        has_next = await walk.goes_on(rest)
    except CrmError as error:
        raise failed(error) from error
    catalog = Catalog(region=context.services.clients.region)
    return RemotePage(
        rows=[
            (write_cursor(mark, KEYS, vars(behind)), make_record(integration, external, payload, catalog))
            for behind, payload in rows
        ],
        has_next=has_next,
        has_previous=window.after is not None,
    )


def check_type(connector: Connector, name: str, text: str) -> tuple[ExternalType, str]:
    """The type of that name, and the words to search it by; no words where none were given."""
    external = connector.by_name.get(name)
    if external is None:
        raise BadInput(f"`externalType` is one of {', '.join(connector.by_name)}.")
    if text and external.search is None:
        found = [each.name for each in connector.types if each.search]
        raise BadInput(
            f"`search` takes words for the types {', '.join(found)}." if found else "Nothing is searched here."
        )
    if text and external.search and not external.search.shortest <= len(text) <= LONGEST:
        raise BadInput(f"`search` takes {external.search.shortest} to {LONGEST} characters.")
    return external, text


def read_place(mark: str, after: str | None, listings: int) -> Place:
    """The place in a cursor. Raises InvalidQuery for one that is broken, or of another list."""
    if after is None:
        return Place()
    place = Place(*read_cursor(mark, KEYS, after))
    if not (0 <= place.listing <= listings and place.skip >= 0):
        raise InvalidQuery("That is no cursor of this list.")
    return place


@dataclass(frozen=True)
class Walk:
    """Through the lists of a type, one after the other; with words, through what is found by them."""

    client: Client
    external: ExternalType
    text: str

    async def take(self, place: Place, size: int) -> tuple[Rows, Place]:
        """So many rows from a place on, all there are where there are fewer; and where the others begin."""
        rows: Rows = []
        end = 1 if self.text else len(self.external.listings)
        for _ in range(MOST_CALLS):
            if len(rows) == size or place.listing == end:
                return rows, place
            found, place = await self._read(place, size - len(rows))
            rows += found
        wire = self.client.wire
        raise wire.retryable(f"{wire.connector.label} gave a list that does not end.")

    async def goes_on(self, place: Place) -> bool:
        """Whether there is anything from a place on. A list that has not begun yet is looked into."""
        if place.page is not None or place.skip:
            return True
        rows, _ = await self.take(place, 1)
        return bool(rows)

    async def _read(self, place: Place, most: int) -> tuple[Rows, Place]:
        """What one of the CRM's pages has from a place on, and the place behind that."""
        client, size = self.client, place.skip + most
        if self.text:
            page = await client.search(self.external, self.text, place.page, size)
        else:
            page = await client.page(self.external.listings[place.listing], place.page, size=size)
        rest = Place(place.listing + 1) if page.next is None else Place(place.listing, str(page.next))
        behind = [Place(place.listing, place.page, count) for count in range(1, len(page.records))]
        rows = list(zip([*behind, rest], page.records, strict=False))[place.skip :]
        if len(rows) > most:
            rows = rows[:most]
            rest = rows[-1][0]
        return await self._complete(rows), rest

    async def _complete(self, rows: Rows) -> Rows:
        """What a search has found, as the lists show it, where that is a few calls; those that are gone are left out."""
        named = [(place, find_id(self.external, payload), payload) for place, payload in rows]
        if not (self.text and self.external.reads_many):
            kept = [(place, payload) for place, external_id, payload in named if external_id]
            shown = await self.client.complete(self.external, [payload for _, payload in kept])
            return [(place, payload) for (place, _), payload in zip(kept, shown, strict=True)]
        found = await self.client.read(self.external, [external_id for _, external_id, _ in named if external_id])
        return [(place, found[external_id]) for place, external_id, _ in named if external_id in found]


def find_id(external: ExternalType, payload: Payload) -> str:
    """The id of a record; empty where it has none."""
    return read_id(compile_type(external).identifier(payload)) or ""


def make_record(integration: Integration, external: ExternalType, payload: Payload, catalog: Catalog) -> RemoteRecord:
    """A record, without excluded fields, and what its mapping says of it; one that has no shape is shown all the same."""
    external_id = find_id(external, payload)
    payload = strip_payload(external, payload, frozenset(integration.excluded_fields))
    try:
        mapped = map_record(external, payload, catalog)
        values, targets = mapped.values, mapped.refs.get("organization", ())
    except Unmappable:
        values, targets = dict[str, str](), ()
    return RemoteRecord(
        integration=integration,
        external_type=external.name,
        external_id=external_id,
        payload=payload,
        name=next((values[column] for column in NAMES if values.get(column)), None),
        email=values.get("email"),
        phone=values.get("phone"),
        organization=targets[0] if targets else None,
    )


# ---------------------------------------------------------------- what it is linked to


async def get_source(context: Context, record: RemoteRecord) -> SourceRecord | None:
    """The source that the record is here, deleted ones too; None where it was never synced."""
    type_ = _named(record.integration.id, record.external_type)

    async def fetch(ids: list[str]) -> list[SourceRecord | None]:
        rows = await context.fetch(sources.OF_TYPE, {**type_, "ids": ids})
        found = {row["external_id"]: SourceRecord.model_construct(**row) for row in rows}
        return [found.get(each) for each in ids]

    return await load(context, ("remote sources", *type_.values()), fetch, record.external_id)


async def get_organization_name(context: Context, record: RemoteRecord) -> str | None:
    """The name of the organization that the record points at: as it is stored, else as the CRM has it."""
    if record.organization is None:
        return None
    external_type, external_id = record.organization
    type_ = _named(record.integration.id, external_type)

    async def fetch(ids: list[str]) -> list[str | None]:
        rows = await context.fetch(sources.NAMES, {**type_, "ids": ids})
        names: dict[str, str | None] = {row["external_id"]: row["name"] for row in rows}
        missing = [each for each in ids if each not in names]
        if missing:
            names |= await _read_names(context, record.integration, external_type, missing)
        return [names.get(each) for each in ids]

    return await load(context, ("remote names", *type_.values()), fetch, external_id)


def _named(integration: UUID, external_type: str) -> Mapping[str, UUID | str]:
    return {"integration": integration, "type": external_type}


async def _read_names(
    context: Context, integration: Integration, external_type: str, ids: Sequence[str]
) -> dict[str, str | None]:
    external, catalog = CONNECTORS[integration.crm].type(external_type), Catalog()
    try:
        client = await context.services.clients.open(integration)
        found = await client.read(external, ids)
    except CrmError as error:
        raise failed(error) from error
    return {key: make_record(integration, external, payload, catalog).name for key, payload in found.items()}
