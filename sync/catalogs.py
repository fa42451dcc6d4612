"""Catalogs as runs have last read them: with them, records are mapped anew without a call to the CRM."""

import asyncio
from dataclasses import dataclass

from connectors.catalogs import pack_catalog, unpack_catalog
from connectors.declaration import ExternalType
from connectors.facts import Catalog
from connectors.registry import CONNECTORS
from storage import catalogs
from storage.database import Database
from storage.tables import Integration


@dataclass(frozen=True)
class Keeper:
    """Keeps those of one integration."""

    database: Database
    integration: Integration

    async def keep(self, external: ExternalType, catalog: Catalog) -> None:
        """What has just been read. Whoever is stopped meanwhile waits for it: a transaction is not cut in the middle."""
        writing = asyncio.create_task(self._write(external, catalog))
        try:
            await asyncio.shield(writing)
        finally:
            await asyncio.wait([writing])

    async def _write(self, external: ExternalType, catalog: Catalog) -> None:
        async with self.database.session(self.integration.workspace_id) as session:
            packed = pack_catalog(external, catalog)
            await catalogs.keep(self.database, session, self.integration.id, external.name, packed)


async def find_catalogs(database: Database, integration: Integration, region: str | None) -> dict[str, Catalog]:
    """By external type; of a type that no run has read yet there is none."""
    kept = await catalogs.find_kept(database, integration.workspace_id, integration.id)
    types = CONNECTORS[integration.crm].by_name
    return {name: unpack_catalog(types[name], packed, region) for name, packed in kept.items() if name in types}
