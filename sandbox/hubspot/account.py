"""A HubSpot account (a portal): its owners and properties, its tables, its associations, its limits."""

from collections import defaultdict
from datetime import datetime
from secrets import token_urlsafe
from uuid import uuid4
from zoneinfo import ZoneInfo

from sandbox.account import Account
from sandbox.grants import Grants
from sandbox.hubspot.catalog import make_properties
from sandbox.hubspot.data import make_records
from sandbox.hubspot.kinds import KINDS, Kind
from sandbox.hubspot.links import Links
from sandbox.hubspot.moments import write_moment
from sandbox.hubspot.profiles import Profile, make_owners, make_pipelines
from sandbox.limits import Budget, Window
from sandbox.table import Json, Row, Table

SECONDS = {"BURST": 10, "SEARCH": 1}


class Windows(defaultdict[tuple[str, str], Window]):
    """By whom and name; made when first asked for."""

    def __missing__(self, key: tuple[str, str]) -> Window:
        self[key] = Window(SECONDS[key[1]])
        return self[key]


def make_table(kind: Kind) -> Table:
    return Table(kind.title, write_moment, lambda _: True, time=kind.changed)


class Portal(Account):
    """`tables` hold what is not archived; `archives` is the recycle bin; `forwards` lead from merged ids on.

    A record is its properties by name, and `id`, a number, and `archivedAt`, which are no names of properties.
    """

    def __init__(self, profile: Profile, size: int, seed: int, broken: int) -> None:
        super().__init__(profile.token)
        self.profile = profile
        self.tables = {name: make_table(kind) for name, kind in KINDS.items()}
        self.archives = {name: make_table(kind) for name, kind in KINDS.items()}
        self.make_data(size, seed, broken)
        self.reset_limits()
        self.grants = Grants(self.make_access, self.make_refresh)

    def fill(self, size: int, seed: int, broken: int) -> None:
        self.owners: list[Json] = make_owners(self.profile)
        self.pipelines: list[Json] = make_pipelines(self.profile)
        self.properties: dict[str, dict[str, Json]] = make_properties(self.profile)
        self.forwards: dict[str, dict[int, int]] = {kind: {} for kind in KINDS}
        made = make_records(self.profile, size, seed, broken)
        self.links = Links(made.links.found)
        for kind in KINDS:
            table, archive = self.tables[kind], self.archives[kind]
            table.load(made.records[kind])
            archive.load(made.archived[kind])
            table.last_id = max(table.last_id, archive.last_id, 1000)

    def arm(self) -> None:
        super().arm()
        if self.faults.get("purgeDeleted", False):
            for archive in self.archives.values():
                archive.load([])

    def reset_limits(self) -> None:
        """Bursts are counted by token or app, searches and the day by account; a day is the account's own."""
        self.windows = Windows()
        self.budget = Budget(lambda: datetime.now(ZoneInfo(self.profile.time_zone)))

    def make_access(self) -> str:
        return token_urlsafe(225)

    def make_refresh(self) -> str:
        return f"na1-{uuid4()}"

    def find(self, kind: str, key: int) -> Row | None:
        """The record with that id, or the one it was merged into, if it is not archived."""
        forwards = self.forwards[kind]
        while key in forwards:
            key = forwards[key]
        return self.tables[kind].get(key)
