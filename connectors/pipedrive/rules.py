"""How Pipedrive's API is to be called: its pages, its limits, its errors."""

from dataclasses import dataclass
from typing import Any

from connectors.declaration import Limit, Rate, Remedy
from connectors.errors import Conflict, Missing, Reauthorize, Rejected, Retryable, Unsupported
from connectors.paths import follow_first
from connectors.reading import Api, Paging
from storage.shapes import BudgetWindow


@dataclass(frozen=True, kw_only=True)
class Offset(Paging):
    """By the number of rows before the page: where an answer does not tell the next one, it is counted."""

    def follow(self, api: Api, body: Any, cursor: Any | None, count: int) -> Any | None:
        """The number of rows before the next page."""
        found = super().follow(api, body, cursor or 0, count)
        if found is None and follow_first(body, self.more):
            found = self.check(api, int(cursor or 0) + count, cursor or 0, count)
        return found


PAGING = {
    "cursor": Paging(
        items="data", next=("additional_data.next_cursor",), size={"limit": "500"}
    ),  # https://pipedrive.readme.io/docs/core-api-concepts-pagination
    "offset": Offset(
        items="data",
        # the leads' description has them without `pagination`
        next=("additional_data.pagination.next_start", "additional_data.next_start"),
        more=(
            "additional_data.pagination.more_items_in_collection",
            "additional_data.more_items_in_collection",
        ),
        param="start",
        size={"limit": "500"},
    ),
    "search": Paging(items="data.items", next=("additional_data.next_cursor",), size={"limit": "100"}),
    "all": Paging(items="data"),
}

LIMITS = (
    # https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting, the plan Lite with an API token
    Limit(window=BudgetWindow.BURST, seconds=2, limit=20, rolling=True),
    Limit(window=BudgetWindow.SEARCH, seconds=2, limit=10, rolling=True),
    # for each seat: a company with two has twice that
    Limit(window=BudgetWindow.DAY, seconds=86_400, limit=30_000, rolling=False, firm=False),
)

RATES = (
    Rate(
        window=BudgetWindow.BURST,
        limit="x-ratelimit-limit",
        remaining="x-ratelimit-remaining",
        reset="x-ratelimit-reset",
    ),
    Rate(
        window=BudgetWindow.DAY,
        limit="x-daily-ratelimit-token-limit",
        remaining="x-daily-ratelimit-token-remaining",
    ),
)

ERRORS = (
    # https://pipedrive.readme.io/docs/core-api-concepts-http-status-codes
    Remedy(status=(400, 400), error=Rejected, message="{crm} refuses the request"),
    Remedy(status=(401, 401), error=Reauthorize, message="{crm} refuses the token"),
    Remedy(status=(402, 402), error=Reauthorize, message="The {crm} account is closed, or its trial is over"),
    # Cloudflare, in front of Pipedrive, answers with a page to those who ignore 429s
    Remedy(status=(403, 403), json=False, error=Retryable, after=300, message="{crm} blocks this server for a while"),
    Remedy(status=(403, 403), error=Unsupported, message="{crm} does not allow that: a scope, a right or the plan"),
    Remedy(status=(404, 404), error=Missing, message="{crm} has no such record, or does not show it"),
    Remedy(status=(405, 405), error=Unsupported, message="{crm} does not know this method"),
    Remedy(status=(409, 409), error=Conflict, message="{crm} holds a newer state"),
    Remedy(status=(410, 410), error=Unsupported, message="{crm} has removed this part of its API"),
    Remedy(status=(415, 415), error=Unsupported, message="{crm} does not take this format"),
    Remedy(status=(429, 429), error=Retryable, message="{crm} is asked too often"),
    Remedy(status=(400, 499), error=Rejected, message="{crm} refuses the request"),
    Remedy(status=(501, 501), error=Unsupported, message="{crm} has not got that function"),
    Remedy(status=(500, 599), error=Retryable, message="{crm} has a failure"),
)


def widen(scope: str) -> tuple[str, ...]:
    """Who may change may read. `admin` has none of the others in it.

    https://pipedrive.readme.io/docs/marketplace-scopes-and-permissions-explanations
    """
    area, _, right = scope.partition(":")
    return (f"{area}:full",) if right == "read" else ()
