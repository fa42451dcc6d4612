"""What every simulated account has, whichever CRM it is of: tables, faults, limits and a log of calls."""

import gc
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import BaseRoute

from sandbox.calls import Calls
from sandbox.disturb import commit_all, pick_dropped, purge_deleted, share_time, withhold
from sandbox.faults import Faults, check_faults
from sandbox.grants import Grants
from sandbox.table import Key, Table


class Account(ABC):
    """One company's account; `tables` are by external type, in the CRM's own words."""

    grants: Grants  # with tokens as the CRM makes them

    def __init__(self, token: str) -> None:
        self.token = token
        self.faults = Faults()
        self.calls = Calls()
        self.tables: dict[str, Table] = {}
        self.dropped: dict[str, frozenset[Key]] = {}

    @abstractmethod
    def fill(self, size: int, seed: int, broken: int) -> None:
        """Makes the data anew: `size` persons, and `broken` records that no strict reader can map."""

    @abstractmethod
    def reset_limits(self) -> None: ...

    def make_data(self, size: int, seed: int, broken: int) -> None:
        """Fills the tables with the garbage collector at rest: it would look at every new record many times over."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            self.fill(size, seed, broken)
        finally:
            if collecting:
                gc.enable()
        self.arm()

    def replace_data(self, size: int, seed: int, broken: int) -> None:
        self.make_data(size, seed, broken)
        self.reset_limits()
        self.forget()

    def forget(self) -> None:
        """Starts another log; a call that is still under way is noted in the one that it came in."""
        self.calls = Calls()

    def replace_faults(self, given: dict[str, Any]) -> None:
        check_faults(given)
        self.faults = Faults(given)
        self.arm()

    def arm(self) -> None:
        """Applies the faults that touch data."""
        for name, table in self.tables.items():
            commit_all(table)
            purge_deleted(table, purging=self.faults.get("purgeDeleted", False))
            self.dropped[name] = pick_dropped(table, self.faults.get("dropFromLists", 0))
            withhold(table, self.faults.get("lateCommits", 0))
            if shared := self.faults.get("sameTime", 0):
                share_time(table, shared)

    def counts(self) -> dict[str, int]:
        return {name: sum(1 for _ in table.live()) for name, table in self.tables.items()}

    def ids(self, name: str) -> list[str]:
        return [str(row.record["id"]) for row in self.tables[name].live()]


@dataclass(frozen=True)
class Crm:
    """One CRM: its accounts, the large one first, and below its prefix the routes and the consent page."""

    name: str
    accounts: Sequence[Account]
    routes: Sequence[BaseRoute]
    authorize: str
