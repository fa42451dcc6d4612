"""Clients for integrations: who opens the credentials, and where a CRM is reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from connectors.calls import Calls
from connectors.client import Client
from connectors.declaration import Credential
from connectors.errors import Reauthorize
from connectors.http import Http
from connectors.pacing import Ledger
from connectors.registry import CONNECTORS
from storage.secrets import Keyring
from storage.shapes import CredentialKind
from storage.tables import Integration


@dataclass(frozen=True)
class Clients:
    """Makes a client for each use; they share connections, and the ledger of their account's limits."""

    keyring: Keyring
    ledger: Ledger
    http: Http
    api_urls: Mapping[str, str]
    """CRM -> what stands in the place of the vendor's host; only where that is set."""
    region: str | None = None
    """ISO country of phone numbers without one."""

    def with_token(self, crm: str, token: str) -> Client:
        """A client for a token of which nothing is known yet."""
        return self.with_credential(crm, Credential(kind=CredentialKind.API_TOKEN, token=token))

    def with_credential(self, crm: str, credential: Credential, **known: Any) -> Client:
        """A client for a credential; `known` is what `Calls` can be told of its account."""
        connector = CONNECTORS[crm]
        url = self.api_urls.get(crm, connector.default_api_url).rstrip("/")
        known = {"account": None, **known}
        return Client(Calls(connector, credential, url, ledger=self.ledger, http=self.http, **known))

    async def open(self, integration: Integration) -> Client:
        """A client with the integration's own credential. Raises Reauthorize where it has none."""
        if integration.credentials is None:
            raise Reauthorize("There is no credential: connect the account again.", crm=integration.crm)
        secret = orjson.loads(
            self.keyring.open(integration.credentials, workspace=integration.workspace_id, integration=integration.id)
        )
        return self.with_credential(
            integration.crm,
            Credential(kind=CredentialKind(integration.credential_kind), token=secret["token"]),
            account=integration.account_id,
            account_url=integration.account_url,
            integration=str(integration.id),
        )

    def seal(self, token: str, *, workspace: UUID, integration: UUID) -> bytes:
        """A token as it is stored."""
        return self.keyring.seal(orjson.dumps({"token": token}), workspace=workspace, integration=integration)
