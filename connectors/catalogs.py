"""What mappings look up beside the records: read as types turn up, each list once, side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, TypeAlias, TypeVar

from connectors.client import Client, together
from connectors.declaration import ExternalType
from connectors.errors import Missing, Unsupported
from connectors.facts import Catalog, Field, Payload, Pipeline, Stage
from connectors.once import Once
from connectors.reading import Listing, Source

T = TypeVar("T")
Keep: TypeAlias = Callable[[ExternalType, Catalog], Awaitable[None]]


class Catalogs:
    """The catalogs of one account for as long as a run lasts. `close` it at the end."""

    def __init__(self, client: Client, region: str | None, keep: Keep | None = None) -> None:
        """`keep` is told of each catalog that was read."""
        self.client = client
        self.region = region
        """ISO country of phone numbers without one."""
        self._keep = keep
        self._once = Once()

    def start(self, external: ExternalType) -> None:
        """Begins to read what the type's mapping needs, if nobody has."""
        self._begin(external)

    async def of(self, external: ExternalType) -> Catalog:
        """What the type's mapping needs. Raises what reading it raised, to all who wait."""
        return await asyncio.shield(self._begin(external))

    async def close(self) -> None:
        """Stops what is still being read."""
        await self._once.close()
        await self.client.once.close()

    def _begin(self, external: ExternalType) -> "asyncio.Task[Catalog]":
        return self._once.start(external.name, partial(self._read, external))

    async def _read(self, external: ExternalType) -> Catalog:
        connector = self.client.connector
        if self.client.wire.account_url is None:
            await self._once.of("identity", self.client.identify)
        fields = connector.fields.get(external.name)
        words = {name: source for name, source in connector.words.items() if name in external.needs}
        named, pipelines, *told = await together(
            self._load(fields) if fields else _nothing(),
            self._load(connector.pipelines) if "pipelines" in external.needs else _nothing(),
            *(self._load(source) for source in words.values()),
        )
        catalog = Catalog(
            fields={external.name: named},
            pipelines=pipelines,
            words=dict(zip(words, told, strict=True)),
            region=self.region,
            account_url=self.client.wire.account_url,
        )
        if self._keep:
            await self._keep(external, catalog)
        return catalog

    async def _load(self, source: Source[T]) -> T:
        return source.read(*await together(*(self._rows(listing) for listing in source.listings)))

    async def _rows(self, listing: Listing) -> Sequence[Payload]:
        """The rows of a list that several types may need, some of which can do without it."""
        try:
            return await self.client.rows_once(listing)
        except (Missing, Unsupported):
            if listing.optional:
                return ()
            raise


async def _nothing() -> Any:
    return ()


async def read_catalog(client: Client, external: ExternalType, region: str | None) -> Catalog:
    """The catalog of one type, for once. Lists that somebody else has begun to read with this client are left alone."""
    return await Catalogs(client, region).of(external)


# ---------------------------------------------------------------- kept for later


def pack_catalog(external: ExternalType, catalog: Catalog) -> dict[str, Any]:
    """What a type's catalog has of the account, as JSON."""
    return {
        "fields": [asdict(field) for field in catalog.fields.get(external.name, ())],
        "pipelines": [asdict(pipeline) for pipeline in catalog.pipelines],
        "words": {name: dict(told) for name, told in catalog.words.items()},
        "account_url": catalog.account_url,
    }


def unpack_catalog(external: ExternalType, packed: Mapping[str, Any], region: str | None) -> Catalog:
    """The catalog that `pack_catalog` was given; phone numbers are read as the settings have it now."""
    fields = [Field(**{**one, "options": tuple(map(tuple, one["options"]))}) for one in packed["fields"]]
    pipelines = [
        Pipeline(**{**one, "stages": tuple(Stage(**each) for each in one["stages"])}) for one in packed["pipelines"]
    ]
    return Catalog(
        fields={external.name: fields},
        pipelines=pipelines,
        words=packed["words"],
        region=region,
        account_url=packed["account_url"],
    )
