"""What a call is made with: an API token, or an access token of a grant; its limits."""

from dataclasses import dataclass

from sandbox.credential import Credential
from sandbox.limits import Window
from sandbox.pipedrive.account import Company

BURST = {"BURST": 20, "SEARCH": 10}  # calls of one token per window, by the Lite plan
OAUTH_BURST = {"BURST": 80, "SEARCH": 10}
UNLIMITED = 1000  # what the headers say where calls are not limited


@dataclass(frozen=True)
class CompanyCredential(Credential[Company]):
    """Each token has windows of its own."""

    def window(self, name: str) -> Window:
        return self.account.windows[self.token, name]

    def limit(self, name: str) -> int:
        given = self.account.faults.get("limits", {})
        if name == "DAY":
            vendors = self.account.daily_tokens()
        elif given == "none":
            return UNLIMITED
        else:
            vendors = (OAUTH_BURST if self.access else BURST)[name]
        return int(given.get(name, vendors)) if isinstance(given, dict) else vendors
