"""What a call is made with, at any CRM: an account's own token, or an access token of a grant."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from sandbox.account import Account
from sandbox.grants import Access

Owner = TypeVar("Owner", bound=Account)


@dataclass(frozen=True)
class Credential(Generic[Owner]):
    """Without `access` it is the account's own token, which has no scopes: it may do all."""

    account: Owner
    token: str
    access: Access | None = None

    def enters(self) -> bool:
        """Whether this call, counted here, is let in; a worn-out token stays dead when the fault is taken back."""
        faults, access = self.account.faults, self.access
        if faults.get("refuseToken"):
            return False
        if access is None:
            return True
        if faults.wears_out(access.token):
            access.dead = True
        return self.account.grants.is_alive(access)

    def may(self, scopes: set[str]) -> bool:
        """Whether it has one of them."""
        return self.access is None or not scopes.isdisjoint(self.access.scopes)
