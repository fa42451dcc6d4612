"""How HubSpot's API is to be called: its version, its pages, its limits, its errors."""

from typing import Any

from connectors.declaration import Limit, Rate, Remedy
from connectors.errors import Conflict, Missing, Reauthorize, Rejected, Retryable, Unsupported
from connectors.paths import follow_path
from connectors.reading import Paging
from storage.shapes import BudgetWindow

VERSION = "2026-09"
"""Of all paths. Versions come in March and September and live for 18 months.

https://developers.hubspot.com/docs/developer-tooling/platform/versioning
"""

PAGING = {
    "after": Paging(items="results", next=("paging.next.after",), param="after", size={"limit": "100"}),
    "all": Paging(items="results"),
    "one": Paging(items=""),
}

LIMITS = (
    # https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines, a private app of the plan Free; one
    # that is connected by OAuth has 110, which the answers' headers tell
    Limit(window=BudgetWindow.BURST, seconds=10, limit=100, rolling=True),
    # of the account, whatever the plan; no header tells how it stands
    Limit(window=BudgetWindow.SEARCH, seconds=1, limit=5, rolling=True),
    Limit(window=BudgetWindow.DAY, seconds=86_400, limit=250_000, rolling=False, firm=False),
)

RATES = (
    Rate(window=BudgetWindow.BURST, limit="x-hubspot-ratelimit-max", remaining="x-hubspot-ratelimit-remaining"),
    # not with OAuth
    Rate(window=BudgetWindow.DAY, limit="x-hubspot-ratelimit-daily", remaining="x-hubspot-ratelimit-daily-remaining"),
)

POLICIES = {"DAILY": BudgetWindow.DAY, "ROLLING": BudgetWindow.BURST, "SECONDLY": BudgetWindow.SEARCH}
"""What a part of a 429's policyName, or of its message, says: which limit it was. The documents promise no exact words."""

ERRORS = (
    # https://developers.hubspot.com/docs/api-reference/latest/error-handling
    Remedy(status=(400, 400), error=Rejected, message="{crm} refuses the request"),
    Remedy(status=(401, 401), error=Reauthorize, message="{crm} refuses the token"),
    # a wall of the network in front of the API answers with a page
    Remedy(status=(403, 403), json=False, error=Retryable, after=300, message="{crm} blocks this server for a while"),
    Remedy(status=(403, 403), error=Unsupported, message="{crm} does not allow that: a scope, a right or the plan"),
    Remedy(status=(404, 404), error=Missing, message="{crm} has no such record, or does not show it"),
    Remedy(status=(405, 405), error=Unsupported, message="{crm} does not know this method"),
    Remedy(status=(409, 409), error=Conflict, message="{crm} holds a newer state"),
    Remedy(status=(410, 410), error=Unsupported, message="{crm} has removed this part of its API"),
    Remedy(status=(423, 423), error=Retryable, after=2, message="{crm} is changing the same records for somebody else"),
    Remedy(status=(429, 429), error=Retryable, message="{crm} is asked too often"),
    Remedy(
        status=(477, 477), error=Retryable, after=3600, message="{crm} is moving the account to another data centre"
    ),
    Remedy(status=(400, 499), error=Rejected, message="{crm} refuses the request"),
    Remedy(status=(501, 501), error=Unsupported, message="{crm} has not got that function"),
    Remedy(status=(500, 599), error=Retryable, message="{crm} has a failure"),
)


def find_policy(body: Any) -> BudgetWindow | None:
    """The limit that a 429 was about; None where it does not say."""
    said = str(follow_path(body, "policyName") or follow_path(body, "message") or "").upper()
    return next((window for word, window in POLICIES.items() if word in said), None)
