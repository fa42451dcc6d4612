"""Clients for integrations: who opens the credentials, and where a CRM is reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import orjson

from connectors.client import Client
from connectors.errors import Reauthorize
from connectors.http import Http
from connectors.pacing import Ledger
from connectors.registry import CONNECTORS
from storage.secrets import Keyring
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
        connector = CONNECTORS[crm]
        url = self.api_urls.get(crm, connector.default_api_url)
        return Client(connector, token=token, api_url=url, account=None, ledger=self.ledger, http=self.http)

    async def open(self, integration: Integration) -> Client:
        """A client with the integration's own credential. Raises Reauthorize where it has none."""
        if integration.credentials is None:
            raise Reauthorize("There is no credential: connect the account again.", crm=integration.crm)
        secret = orjson.loads(
            self.keyring.open(integration.credentials, workspace=integration.workspace_id, integration=integration.id)
        )
        client = self.with_token(integration.crm, secret["token"])
        client.integration = str(integration.id)
        client.account, client.account_url = integration.account_id, integration.account_url
        return client

    def seal(self, token: str, *, workspace: UUID, integration: UUID) -> bytes:
        """A token as it is stored."""
        return self.keyring.seal(orjson.dumps({"token": token}), workspace=workspace, integration=integration)
