"""Credentials of integrations: sealed where they are stored, and renewed once for all who hold them."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import orjson
from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.calls import EARLY
from connectors.errors import Reauthorize, Retryable
from connectors.facts import Credential
from connectors.oauth import App
from connectors.registry import CONNECTORS
from storage import consents, integrations, rotation
from storage.database import Database
from storage.secrets import Keyring
from storage.shapes import CredentialKind, IntegrationStatus
from storage.tables import Integration

TURNS = 3
"""Renewals at a time in this process: each holds a connection to the database for as long as the vendor takes."""
LAST = 5.0
"""Seconds that renewals under way have when the process ends: the vendor may have taken back the old token by then."""

GONE = "There is no credential: connect the account again."


@dataclass(frozen=True, kw_only=True)
class Vault:
    """Keeps the credentials of all integrations."""

    database: Database
    keyring: Keyring
    apps: Mapping[str, App] = field(default_factory=dict)
    """CRM -> our OAuth client there; only where it is set."""
    renewing: dict[tuple[UUID, str, bool], asyncio.Task[Credential]] = field(default_factory=dict)
    turns: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, TURNS))

    def seal(self, credential: Credential, *, workspace: UUID, integration: UUID) -> bytes:
        """A credential as it is stored, in a transaction that holds the keys (`rotation.hold_keys`)."""
        secret = {"token": credential.token, "refresh": credential.refresh_token, "expires": credential.expires_at}
        return self.keyring.seal(orjson.dumps(secret), workspace=workspace, integration=integration)

    def open(self, integration: Integration, *, force: bool = False) -> Credential:
        """The credential as it was read with the integration.

        Raises Reauthorize where there is none, and where the vendor has refused to renew it: only a person can help then, so
        nobody asks the vendor again, unless by `force`.
        """
        refused = (
            integration.status == IntegrationStatus.ERROR.value
            and integration.credential_kind == CredentialKind.OAUTH2.value
            and not force
        )
        if integration.credentials is None or refused:
            message = integration.last_error or GONE
            raise Reauthorize(message, crm=integration.crm, integration=str(integration.id))
        return self._unseal(integration)

    async def renew(self, workspace: UUID, integration: UUID, stale: str, *, force: bool = False) -> Credential:
        """A credential that is newer than the one with the token `stale`: one call to the vendor, whoever asks for it.

        Raises Reauthorize where there will be none, as `open` does.
        """
        key = (integration, stale, force)
        task = self.renewing.get(key)
        if task is None:
            task = asyncio.create_task(self._renew(workspace, integration, stale, force))
            self.renewing[key] = task
            task.add_done_callback(partial(self._forget, key))
        return await asyncio.shield(task)  # it goes on for the others, and for what it has to store

    async def close(self) -> None:
        """Waits for what is under way, but not for long."""
        if tasks := list(self.renewing.values()):
            _, late = await asyncio.wait(tasks, timeout=LAST)
            for task in late:
                task.cancel()

    # ------------------------------------------------------------ one renewal

    async def _renew(self, workspace: UUID, integration: UUID, stale: str, force: bool) -> Credential:
        """What is stored, where another process has renewed it; else the vendor's, stored before anybody uses it."""
        async with self.turns, self.database.session(workspace) as session:
            await consents.lock_credential(self.database, session, integration)
            row = await self._read(session, integration)
            credential = self.open(row, force=force)
            if credential.token != stale and not is_ending(credential):
                return credential
            refused = await self._replace(session, row, credential)
            if refused is None:
                session.expire_all()
                return self.open(await self._read(session, integration), force=force)
        raise refused  # now that it is committed

    async def _replace(self, session: AsyncSession, row: Integration, credential: Credential) -> Reauthorize | None:
        """Asks the vendor and stores what comes of it. Gives the refusal that now is the integration's error; none where
        there is a credential, be it that a person has given another one meanwhile."""
        app = self.apps.get(row.crm)
        if app is None:
            connector = CONNECTORS[row.crm]
            message = f"The token of {connector.label} cannot be renewed: set {' and '.join(connector.settings)}."
            raise Retryable(message, crm=row.crm, integration=str(row.id))
        try:
            token = await app.refresh(credential.refresh_token)
        except Reauthorize as error:
            error.integration = str(row.id)
            return error if await consents.refuse(self.database, session, row, error.message) else None
        await rotation.hold_keys(self.database, session)
        sealed = self.seal(token.credential, workspace=row.workspace_id, integration=row.id)
        await consents.store(self.database, session, row, sealed, list(token.scopes) or None)
        return None

    async def _read(self, session: AsyncSession, integration: UUID) -> Integration:
        row = await integrations.find(session, integration)
        if row is None:
            raise Reauthorize(GONE, integration=str(integration))
        return row

    def _unseal(self, integration: Integration) -> Credential:
        """Those that were sealed before there was OAuth have a token only."""
        sealed = integration.credentials or b""
        secret = orjson.loads(self.keyring.open(sealed, workspace=integration.workspace_id, integration=integration.id))
        return Credential(
            kind=CredentialKind(integration.credential_kind),
            token=secret["token"],
            refresh_token=secret.get("refresh"),
            expires_at=secret.get("expires"),
        )

    def _forget(self, key: tuple[UUID, str, bool], task: asyncio.Task[Credential]) -> None:
        del self.renewing[key]
        if not task.cancelled():
            task.exception()  # heard, even if nobody waits any more


def is_ending(credential: Credential) -> bool:
    """It is about to end, so that whoever took it would have to renew it at once."""
    return credential.expires_at is not None and credential.expires_at - time.time() < EARLY
