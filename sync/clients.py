"""Clients for integrations: with which credential, and where a CRM is reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.calls import Calls, Observe
from connectors.client import Client
from connectors.facts import Credential
from connectors.http import Http
from connectors.pacing import Ledger
from connectors.registry import CONNECTORS
from storage.shapes import CredentialKind
from storage.tables import Integration
from sync.credentials import Vault


@dataclass(frozen=True)
class Clients:
    """Makes a client for each use; they share connections, and the ledger of their account's limits."""

    vault: Vault
    ledger: Ledger
    http: Http
    api_urls: Mapping[str, str]
    """CRM -> what stands in the place of the vendor's host; only where that is set."""
    region: str | None = None
    """ISO country of phone numbers without one."""
    observe: Observe | None = None

    def with_token(self, crm: str, token: str) -> Client:
        """A client for a token of which nothing is known yet."""
        return self.with_credential(crm, Credential(kind=CredentialKind.API_TOKEN, token=token))

    def with_credential(self, crm: str, credential: Credential, **known: Any) -> Client:
        """A client for a credential; `known` is what `Calls` can be told of its account."""
        connector = CONNECTORS[crm]
        url = self.api_urls.get(crm, connector.default_api_url).rstrip("/")
        known = {"account": None, **known}
        calls = Calls(connector, credential, url, ledger=self.ledger, http=self.http, observe=self.observe, **known)
        return Client(calls)

    async def release(self, integration: Integration) -> None:
        """A person asks for a call: it is made although the account's quota is used up, as far as we know."""
        if integration.account_id is not None:
            await self.ledger.release(integration.crm, integration.account_id, CONNECTORS[integration.crm].limits)

    async def open(self, integration: Integration, *, force: bool = False, yields: bool = False) -> Client:
        """A client with the integration's own credential, renewed as it needs to be. `yields`: other calls to the account go
        first.

        Raises Reauthorize where there is none, and where only a new consent helps: `force` makes a real attempt even then.
        """
        credential = self.vault.open(integration, force=force)
        renew = partial(self.vault.renew, integration.workspace_id, integration.id, force=force)
        return self.with_credential(
            integration.crm,
            credential,
            account=integration.account_id,
            account_url=integration.account_url,
            time_zone=integration.account_time_zone,
            integration=str(integration.id),
            yields=yields,
            renew=renew if credential.kind is CredentialKind.OAUTH2 else None,
        )
