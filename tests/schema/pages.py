"""Pages of two accounts that are written as a run writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlmodel import update

from connectors.facts import Catalog
from connectors.mapping import map_record
from connectors.registry import CONNECTORS
from storage.changes import forget
from storage.golden import ChangeEvent
from storage.listing import GlobalId
from storage.tables import Integration
from sync.pages import Writer
from tests.feed import CHANGES, LISTS, SHAPES, flatten
from tests.schema.conftest import Home

TYPES = {external.name: external for external in CONNECTORS["PIPEDRIVE"].types}


@dataclass
class Pages:
    """A workspace with two accounts."""

    home: Home
    integrations: list[Integration] = field(default_factory=list)

    @classmethod
    async def open(cls, home: Home) -> "Pages":
        """With the accounts in it."""
        made = cls(home)
        for number in range(2):
            values = {"display_name": f"Account {number}", "status": "ACTIVE", "credential_kind": "API_TOKEN"}
            row = home.make(Integration, crm="PIPEDRIVE", account_id=str(uuid4()), **values)
            await home.add(row)
            made.integrations.append(row)
        return made

    async def store(self, kind: str, *payloads: Mapping[str, Any], account: int = 0) -> None:
        """A page of a run."""
        external = TYPES[kind]
        mapped = [map_record(external, payload, Catalog()) for payload in payloads]
        async with self.home.database.session(self.home.workspace) as session:
            await Writer(self.home.database, session, self.integrations[account]).store_page(external, mapped)

    async def archive(self, kind: str, *ids: str, account: int = 0) -> None:
        """What the CRM names as deleted."""
        async with self.home.database.session(self.home.workspace) as session:
            await Writer(self.home.database, session, self.integrations[account]).archive(TYPES[kind], ids)

    async def end(self) -> None:
        """What a run does at its end."""
        for integration in self.integrations:
            async with self.home.database.session(self.home.workspace) as session:
                await Writer(self.home.database, session, integration).relink()

    async def grow_old(self, days: int) -> None:
        """As if all that has changed so far had changed so many days ago."""
        async with self.home.database.session(self.home.workspace) as session:
            await session.exec(update(ChangeEvent).values(at=ChangeEvent.at - timedelta(days=days)))

    async def forget(self) -> None:
        """What a run does behind its end."""
        await forget(self.home.database, self.home.workspace)

    def gid(self, account: int) -> str:
        """The global id of an account."""
        return str(GlobalId("Integration", self.integrations[account].id))

    async def changes(self, first: int = 7, after: str | None = None) -> list[dict[str, Any]]:
        """The whole feed after a cursor, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = (await self.home.read(CHANGES, first=first, after=after))["changes"]
            found += page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return found
            after = page["pageInfo"]["endCursor"]

    async def records(self) -> dict[str, dict[str, Any]]:
        """All records by their ids, each field as the feed names it, without what is empty."""
        found = {}
        for name, shape in SHAPES.items():
            query = f"{{ list: {LISTS[name]}(first: 250, archived: INCLUDE) {{ nodes {{ id {shape} }} }} }}"
            for node in (await self.home.read(query))["list"]["nodes"]:
                found[node["id"]] = flatten(node)
        return found


def person(id: int, *emails: str, day: int = 1, **values: Any) -> dict[str, Any]:
    """A person of the CRM, changed on that day of January; with an address of its own, or these."""
    addresses = [{"value": email, "primary": not number} for number, email in enumerate(emails or (f"{id}@acme.test",))]
    at = f"2026-01-{day:02}T10:00:00Z"
    return {"id": id, "name": f"Person {id}", "emails": addresses, "update_time": at, **values}
