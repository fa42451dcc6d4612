"""What a call is made with: an account's private token, or an access token of a grant; its limits and its rights."""

from dataclasses import dataclass

from sandbox.credential import Credential
from sandbox.hubspot.account import Portal
from sandbox.limits import Window

BURST = {"BURST": 100, "SEARCH": 5, "DAY": 250_000}  # of a private app, by the lowest plan
OAUTH_BURST = {"BURST": 110, "SEARCH": 5}
BODIES = frozenset({"hs_email_text", "hs_email_html", "hs_email_headers"})
UNLIMITED = 1000  # what the headers say where calls are not limited


@dataclass(frozen=True)
class HubCredential(Credential[Portal]):
    """Searches are counted for the account as a whole, all else by private token or by app."""

    def window(self, name: str) -> Window:
        caller = f"app {self.access.grant.client}" if self.access else self.token
        return self.account.windows["" if name == "SEARCH" else caller, name]

    def windows(self, *, search: bool) -> list[str]:
        """Those that a call is counted in; an app's searches are counted as such only."""
        if not search:
            return ["BURST"]
        return ["SEARCH"] if self.access else ["SEARCH", "BURST"]

    def limit(self, name: str) -> int | None:
        """None where there is none: apps have no limit by the day."""
        given = self.account.faults.get("limits", {})
        vendors = (OAUTH_BURST if self.access else BURST).get(name)
        if given == "none":
            return None if name == "DAY" and self.access else UNLIMITED if name != "DAY" else vendors
        return int(given[name]) if name in given else vendors

    def blank(self) -> frozenset[str]:
        """The properties that are not shown to it."""
        return frozenset() if self.may({"sales-email-read"}) else BODIES
