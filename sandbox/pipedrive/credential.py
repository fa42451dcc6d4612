"""What a call is made with: an API token, or an access token of a grant; its limits and its rights."""

from dataclasses import dataclass

from sandbox.grants import Access
from sandbox.limits import Window
from sandbox.pipedrive.account import Company

BURST = {"BURST": 20, "SEARCH": 10}  # calls of one token per window, by the Lite plan
OAUTH_BURST = {"BURST": 80, "SEARCH": 10}
UNLIMITED = 1000  # what the headers say where calls are not limited


@dataclass(frozen=True)
class Credential:
    """Without `access` it is the company's API token, which has no scopes: it may do all."""

    company: Company
    token: str
    access: Access | None = None

    def enters(self) -> bool:
        """Whether this call, counted here, is let in; a worn-out token stays dead when the fault is taken back."""
        faults, access = self.company.faults, self.access
        if faults.get("refuseToken"):
            return False
        if access is None:
            return True
        if faults.wears_out(access.token):
            access.dead = True
        return self.company.grants.is_alive(access)

    def may(self, scopes: set[str]) -> bool:
        return self.access is None or not scopes.isdisjoint(self.access.scopes)

    def window(self, name: str) -> Window:
        return self.company.windows[self.token, name]

    def limit(self, name: str) -> int:
        given = self.company.faults.get("limits", {})
        if name == "DAY":
            vendors = self.company.daily_tokens()
        elif given == "none":
            return UNLIMITED
        else:
            vendors = (OAUTH_BURST if self.access else BURST)[name]
        return int(given.get(name, vendors)) if isinstance(given, dict) else vendors
