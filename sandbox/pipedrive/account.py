"""A Pipedrive company: its users and fields, its tables, its limits."""

from collections import defaultdict
from secrets import token_hex, token_urlsafe
from typing import Any

from sandbox.account import Account
from sandbox.grants import Grants
from sandbox.limits import Budget, Window
from sandbox.pipedrive.company import (
    Profile,
    make_activity_types,
    make_currencies,
    make_lead_labels,
    make_pipelines,
    make_stages,
    make_users,
)
from sandbox.pipedrive.data import make_tables
from sandbox.pipedrive.fields import make_fields
from sandbox.pipedrive.moments import write_lead, write_v1, write_v2
from sandbox.table import Json, Table

SEAT_TOKENS = 30_000  # a day, by the Lite plan
WINDOW_SECONDS = 2


def is_kept(record: Json) -> bool:
    return not record["is_deleted"]


class Company(Account):
    def __init__(self, profile: Profile, size: int, seed: int, broken: int) -> None:
        super().__init__(profile.token)
        self.profile = profile
        self.tables = {
            "Person": Table("name", write_v2, is_kept),
            "Organization": Table("name", write_v2, is_kept),
            "Deal": Table("title", write_v2, is_kept),
            "Lead": Table("title", write_lead, lambda _: True),
            "Activity": Table("subject", write_v2, is_kept, ("attendees",)),
            "Note": Table("content", write_v1, lambda record: bool(record["active_flag"])),
        }
        self.settings = {"Pipeline": Table("name", write_v2, is_kept), "Stage": Table("name", write_v2, is_kept)}
        self.make_data(size, seed, broken)
        self.reset_limits()
        self.grants = Grants(self.make_access, self.make_refresh)

    def fill(self, size: int, seed: int, broken: int) -> None:
        self.users: list[Json] = make_users(self.profile)
        self.fields: dict[str, list[Json]] = make_fields(self.profile)
        self.lead_labels: list[Json] = make_lead_labels(self.profile)
        self.activity_types: list[Json] = make_activity_types()
        self.currencies: list[Json] = make_currencies()
        self.settings["Pipeline"].load(make_pipelines(self.profile))
        self.settings["Stage"].load(make_stages(self.profile))
        for kind, records in make_tables(self.profile, size, seed, broken).items():
            self.tables[kind].load(records)

    def reset_limits(self) -> None:
        """Each token has windows of its own, by name; the daily budget is the company's."""
        self.windows: defaultdict[tuple[str, str], Window] = defaultdict(lambda: Window(WINDOW_SECONDS))
        self.budget = Budget()

    def table(self, kind: str) -> Table:
        return self.settings.get(kind) or self.tables[kind]

    def daily_tokens(self) -> int:
        return SEAT_TOKENS * sum(1 for user in self.users if user["active_flag"])

    def make_access(self) -> str:
        return f"v1u:{token_urlsafe(90)}"

    def make_refresh(self) -> str:
        return f"{self.profile.company_id}:{self.me()['id']}:{token_hex(20)}"

    def user(self, key: Any) -> Json | None:
        return next((user for user in self.users if user["id"] == key), None)

    def me(self) -> Json:
        return next(user for user in self.users if user["is_you"])
