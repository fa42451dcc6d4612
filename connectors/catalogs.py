"""What mappings look up beside the records: read as types turn up, each list once, side by side."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from connectors.client import Client, together
from connectors.declaration import Catalog, ExternalType, Listing, Payload, Source
from connectors.errors import Missing, Unsupported

T = TypeVar("T")


class Catalogs:
    """The catalogs of one account for as long as a run lasts. `close` it at the end."""

    def __init__(self, client: Client, region: str | None) -> None:
        self.client = client
        self.region = region
        """ISO country of phone numbers without one."""
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    def start(self, external: ExternalType) -> None:
        """Begins to read what the type's mapping needs, if nobody has."""
        self._once(external.name, partial(self._read, external))

    async def of(self, external: ExternalType) -> Catalog:
        """What the type's mapping needs. Raises what reading it raised, to all who wait."""
        self.start(external)
        catalog: Catalog = await asyncio.shield(self._tasks[external.name])
        return catalog

    async def close(self) -> None:
        """Stops what is still being read."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _once(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Any]]) -> asyncio.Task[Any]:
        if key not in self._tasks:
            self._tasks[key] = task = asyncio.create_task(work())
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard, even if nobody waits
        return self._tasks[key]

    async def _read(self, external: ExternalType) -> Catalog:
        connector = self.client.connector
        if self.client.wire.account_url is None:
            await self._once("identity", self.client.identify)
        fields = connector.fields.get(external.name)
        words = {name: source for name, source in connector.words.items() if name in external.needs}
        named, pipelines, *told = await together(
            self._load(fields) if fields else _nothing(),
            self._load(connector.pipelines) if "pipelines" in external.needs else _nothing(),
            *(self._load(source) for source in words.values()),
        )
        return Catalog(
            fields={external.name: named},
            pipelines=pipelines,
            words=dict(zip(words, told, strict=True)),
            region=self.region,
            account_url=self.client.wire.account_url,
        )

    async def _load(self, source: Source[T]) -> T:
        return source.read(*await together(*(self._rows(listing) for listing in source.listings)))

    async def _rows(self, listing: Listing) -> Sequence[Payload]:
        """The rows of a list that several types may need, some of which can do without it."""
        key = (listing.path, *sorted(listing.params.items()))
        task = self._once(key, partial(self.client.rows, replace(listing, optional=False)))
        try:
            rows: Sequence[Payload] = await asyncio.shield(task)
        except (Missing, Unsupported):
            if listing.optional:
                return ()
            raise
        return rows


async def _nothing() -> Any:
    return ()


async def read_catalog(client: Client, external: ExternalType, region: str | None) -> Catalog:
    """The catalog of one type, for once."""
    catalogs = Catalogs(client, region)
    try:
        return await catalogs.of(external)
    finally:
        await catalogs.close()
