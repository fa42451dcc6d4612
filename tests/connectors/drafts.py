"""A person and an organization as drafts, and how what was written is read back."""

from collections.abc import Mapping
from typing import Any

from connectors.catalogs import read_catalog
from connectors.client import Client
from connectors.declaration import ExternalType
from connectors.errors import CrmError
from connectors.facts import Mapped
from connectors.mapping import map_record
from connectors.writing import Draft
from storage.shapes import RecordType
from tests.connectors.simulator import Simulator

ANN: Mapping[str, Any] = {
    "name": "Ann Lee",
    "first_name": "Ann",
    "last_name": "Lee",
    "emails": [{"value": "ann@acme.example", "label": "work", "primary": True}],
    "phones": [{"value": "+49 30 901820", "e164": "+4930901820", "label": "mobile", "primary": True}],
}
ACME: Mapping[str, Any] = {
    "name": "Acme s.r.o.",
    "domain": "acme.example",
    "website": "https://acme.example",
    "employee_count": 12,
    "address": {"street": "Hlavní 1", "city": "Brno", "region": None, "postal_code": "602 00", "country": "Czechia"},
}


def find_type(simulator: Simulator, record_type: RecordType) -> ExternalType:
    return next(external for external in simulator.connector.types if external.record_type is record_type)


async def read_back(client: Client, external: ExternalType, one: str) -> Mapped:
    catalog = await read_catalog(client, external, "DE")
    return map_record(external, (await client.read(external, [one]))[one], catalog)


async def create(client: Client, external: ExternalType, draft: Draft) -> str:
    catalog = await read_catalog(client, external, "DE")
    return await client.create(external, draft, catalog)


async def change(client: Client, external: ExternalType, drafts: Mapping[str, Draft]) -> dict[str, CrmError | None]:
    return await client.change(external, drafts, await read_catalog(client, external, "DE"))


def told(mapped: Mapped, *columns: str) -> dict[str, Any]:
    return {column: mapped.values[column] for column in columns}


async def find_owner(client: Client) -> str:
    return next(user.external_id for user in await client.users() if user.is_active)
