"""Accounts of CRMs: each is one integration of a workspace, connected by a token or a consent, and left again."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import Connector
from connectors.errors import CrmError
from connectors.facts import Credential, Identity
from connectors.registry import CONNECTORS
from resolvers.context import Context
from resolvers.errors import Refused, Unknown, UserErrorCode, refused
from resolvers.integrations import require_integration, require_place, wake
from storage import consents, integrations, rotation, runs, workspaces
from storage.errors import StorageError
from storage.identifiers import uuid7
from storage.shapes import CredentialKind, IntegrationStatus
from storage.shared import OauthGrant
from storage.tables import Integration
from sync.trouble import DISCONNECTED

log = logging.getLogger(__name__)

LONGEST_TOKEN = 4_000
REVOKING = 5.0
"""Seconds that a vendor has to take back a consent: nobody waits longer for that."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account of a CRM, as a credential has opened it."""

    crm: str
    identity: Identity
    credential: Credential
    scopes: tuple[str, ...]
    url: str | None
    """Where people find it; its own API, where it has one, is there too."""
    owner: str | None = None
    """The CRM's user who has consented, where its identity does not say that, and its list of users does."""

    @property
    def user(self) -> str | None:
        """The CRM's user who has given the credential, where the CRM says who that is."""
        return self.identity.user.external_id if self.identity.user else None

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.identity.account_name or self.identity.account_id

    def grant(self, integration: UUID) -> OauthGrant | None:
        """What the integration lives on; None where that is a token that somebody has made."""
        if self.credential.kind is not CredentialKind.OAUTH2:
            return None
        account = self.identity.account_id
        return OauthGrant(integration_id=integration, crm=self.crm, account_id=account, user_id=self.user or "")


class Mismatch(Refused):
    """A credential of another account than the integration's."""

    def __init__(self, expected: Integration, found: Account) -> None:
        names = {"expected": expected.account_name or expected.account_id, "found": found.name}
        message = f"The integration is of the account {names['expected']}, and this is the account {names['found']}."
        super().__init__(UserErrorCode.ACCOUNT_MISMATCH, message, ("integrationId",), names)


# ---------------------------------------------------------------- connecting


async def open_account(context: Context, crm: str, given: str) -> Account:
    """The account that an API token opens. Raises Refused."""
    token = given.strip()
    if not token:
        message = "Give an apiToken; or leave it out, to be asked for consent."
        raise Refused(UserErrorCode.CREDENTIAL_REQUIRED, message, ("apiToken",))
    if len(token) > LONGEST_TOKEN or not token.isascii() or not token.isprintable():
        message = "That is no API token: it has characters that no token has, or is too long."
        raise Refused(UserErrorCode.CREDENTIAL_REFUSED, message, ("apiToken",))
    client = context.services.clients.with_token(crm, token)
    try:
        identity = await client.identify()
    except CrmError as error:
        raise refused(error, ("apiToken",)) from error
    credential = client.wire.credential
    return Account(crm=crm, identity=identity, credential=credential, scopes=(), url=identity.account_url)


async def keep_account(
    context: Context, account: Account, *, wanted: UUID | None = None, name: str | None = None
) -> Integration:
    """The integration of the account: the one that is there already, else the wanted one, else a new one. Runs that wait for
    it go on.

    Raises Unknown where the wanted one is gone, Mismatch where it is another account's.
    """
    try:
        kept, left = await _keep(context, account, wanted, name)
    except IntegrityError:  # somebody connected the same account in this moment: it is renewed
        kept, left = await _keep(context, account, wanted, name)
    await revoke(context, account.crm, left)
    return kept


async def _keep(
    context: Context, account: Account, wanted: UUID | None, name: str | None
) -> tuple[Integration, str | None]:
    """The integration, and the refresh token of a consent that nobody lives on any more."""
    async with context.database.session(context.workspace) as session:
        await workspaces.lock(context.database, session, context.workspace)  # before any integration, as plans do it
        await integrations.drop_ended(context.database, session)
        target = await integrations.find(session, wanted, locked=True) if wanted else None
        if wanted and target is None:
            raise Unknown("integration", "integrationId")
        if target and target.account_id not in (None, account.identity.account_id):
            raise Mismatch(target, account)
        there = await integrations.find_account(session, account.crm, account.identity.account_id)
        if target and there and target.id != there.id:
            await integrations.change(session, target.id, same_as=there.id, pending_until=None, last_error=None)
        old = there or target
        if old is None or old.status != IntegrationStatus.ACTIVE.value:
            await require_place(context, session, account.crm, old)
        own = old.id if old else uuid7()
        left = await _change_grant(context, session, old, account.grant(own))
        await rotation.hold_keys(context.database, session)
        values = make_values(context, account, own)
        if old is None:
            made = make_integration(context, CONNECTORS[account.crm], own, name or account.name, **values)
            await integrations.add(session, made)
            return made, None
        if old.status == IntegrationStatus.PAUSED.value and not old.held_by_plan:
            del values["status"]  # a person has paused it, and nobody has resumed it
        unnamed = old.account_id is None and old.display_name == CONNECTORS[account.crm].label
        values |= {"display_name": name or account.name} if name or unnamed else {}
        renewed = await integrations.change(session, own, **values)
        await wake(context, session, own)
        return renewed or old, left


def make_values(context: Context, account: Account, own: UUID) -> dict[str, Any]:
    """What an integration takes over of the account that it is connected to."""
    vault = context.services.clients.vault
    return {
        "status": IntegrationStatus.ACTIVE.value,
        "credential_kind": account.credential.kind.value,
        "credentials": vault.seal(account.credential, workspace=context.workspace, integration=own),
        "scopes": list(account.scopes),
        "account_id": account.identity.account_id,
        "account_name": account.identity.account_name,
        "account_url": account.url,
        "account_user_id": account.user or account.owner,
        "account_time_zone": account.identity.time_zone,
        "pending_until": None,
        "held_by_plan": False,
        "last_error": None,
        "connected_by": context.caller.member_id,
    }


def make_integration(context: Context, connector: Connector, id: UUID, name: str, **values: Any) -> Integration:
    """A new integration, of all that its CRM has."""
    types = dict.fromkeys(type_.record_type.value for type_ in connector.types)
    given = {"workspace_id": context.workspace, "crm": connector.name, "record_types": list(types), **values}
    return Integration(id=id, display_name=name, **given)


# ---------------------------------------------------------------- leaving


async def disconnect(context: Context, id: UUID) -> Integration:
    """Forgets the credentials and ends the runs; records and links stay. A consent that no other integration lives on is
    taken back, if the vendor can be reached."""
    found = await require_integration(context, id)
    async with context.database.session(context.workspace) as session:
        integration = await integrations.find(session, found.id, locked=True) or found
        left = await leave_account(context, session, integration)
        status = IntegrationStatus.DISCONNECTED.value
        values = {"status": status, "credentials": None, "last_error": None}
        changed = await integrations.change(session, integration.id, **values)
    await revoke(context, integration.crm, left)
    return changed or integration


async def leave_account(context: Context, session: AsyncSession, integration: Integration) -> str | None:
    """Ends the runs, and consents under way. Gives the refresh token of a consent that no integration lives on any more: it
    is for `revoke`, after the commit."""
    await runs.cancel_all(context.database, session, integration.id, DISCONNECTED)
    await consents.drop_states(context.database, session, integration.id)
    return await _change_grant(context, session, integration, None)


async def _change_grant(
    context: Context, session: AsyncSession, old: Integration | None, new: OauthGrant | None
) -> str | None:
    """The integration lives on that consent now. Gives the refresh token of the one before, where it is left by all."""
    is_left = old is not None and await consents.leave_grant(context.database, session, old.id, new)
    if new:
        await consents.keep_grant(context.database, session, new)
    if old is None or not is_left:
        return None
    try:
        return context.services.clients.vault.open(old, force=True).refresh_token
    except (CrmError, StorageError):  # it cannot be read, so it cannot be taken back either
        return None


async def revoke(context: Context, crm: str, refresh_token: str | None) -> None:
    """Takes a consent back, as far as the vendor can be reached; nothing depends on it."""
    app = context.services.apps.get(crm)
    if app is None or refresh_token is None:
        return
    try:
        async with asyncio.timeout(REVOKING):
            await app.revoke(refresh_token)
    except (CrmError, TimeoutError) as error:
        log.warning("a consent was not revoked at %s: %s", app.connector.label, error or "no answer in time")
