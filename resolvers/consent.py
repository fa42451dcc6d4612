"""Consent: where a user is sent to give it, and what becomes of the answer."""

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from uuid import UUID

from connectors.answers import CODE
from connectors.declaration import Connector
from connectors.errors import CrmError
from connectors.oauth import PASSING, App, Token
from connectors.registry import CONNECTORS
from resolvers.accounts import Account, keep_account, make_integration, open_account, revoke
from resolvers.callers import Caller
from resolvers.context import Context, Services
from resolvers.errors import CODES, ConsentCode, Refused, Unknown, UserErrorCode
from resolvers.integrations import check_name, require_included, require_integration, require_place
from resolvers.returns import check_return
from storage import consents, integrations
from storage.identifiers import uuid7
from storage.records import now
from storage.shapes import CredentialKind, IntegrationStatus, Role
from storage.tables import Integration, OauthState

CHANCE: Final = 32
"""Bytes of a state that nobody can guess."""
STATE = re.compile(r"[A-Za-z0-9_-]{64}")

INVALID: Final = "The consent came too late, was used before, or was not asked for here."


async def connect(
    context: Context,
    *,
    crm: str,
    display_name: str | None = None,
    api_token: str | None = None,
    integration_id: UUID | None = None,
    return_to: str | None = None,
) -> tuple[Integration, str | None]:
    """The integration of the account that the token opens; without a token, the one that waits for a consent.

    The second value is the address where a user consents; None where a token was given.
    """
    name = check_name(display_name)
    return_to = check_return(return_to, context.services.return_origins)
    wanted = await require_integration(context, integration_id) if integration_id else None
    if wanted and wanted.crm != crm:
        message = f"The integration is of {CONNECTORS[wanted.crm].label}: give that crm."
        raise Refused(UserErrorCode.BAD_INPUT, message, ("crm",))
    if api_token is not None:
        await require_included(context, crm)
        account = await open_account(context, crm, api_token)
        return await keep_account(context, account, wanted=wanted.id if wanted else None, name=name), None
    app = require_app(context, CONNECTORS[crm])
    return await ask_consent(context, app, wanted, name, return_to)


def require_app(context: Context, connector: Connector) -> App:
    """Our OAuth client at the vendor. Raises Refused where there is none."""
    if connector.oauth is None:
        message = f"{connector.label} is connected by a token: give an apiToken."
        raise Refused(UserErrorCode.CREDENTIAL_REQUIRED, message, ("apiToken",))
    app = context.services.apps.get(connector.name)
    if app is None:
        missing = list(context.services.missing_settings.get(connector.name, ())) or list(connector.settings)
        message = (
            f"{connector.label} cannot be asked for consent yet: set {' and '.join(missing)}, see {connector.docs}."
        )
        raise Refused(UserErrorCode.NOT_CONFIGURED, message, ("crm",), {"missingSettings": missing})
    return app


async def ask_consent(
    context: Context, app: App, wanted: Integration | None, name: str | None, return_to: str | None
) -> tuple[Integration, str]:
    """The integration that waits for the consent, and the address where it is given."""
    services, connector = context.services, app.connector
    state = make_state(context.workspace)
    async with context.database.session(context.workspace) as session:
        await require_place(context, session, connector.name, wanted)
        await integrations.drop_ended(context.database, session)
        await consents.drop_states(context.database, session)
        own = wanted.id if wanted else uuid7()
        if wanted is None:
            values = {"credential_kind": CredentialKind.OAUTH2.value, "connected_by": context.caller.member_id}
            made = make_integration(context, connector, own, name or connector.label, **values)
            await integrations.add(session, made)
        await integrations.pend(context.database, session, own, services.pending_seconds)
        asked = OauthState(
            digest=digest_state(state),
            workspace_id=context.workspace,
            integration_id=own,
            display_name=name,
            member_id=context.caller.member_id,
            return_to=return_to,
            expires_at=now(),
        )
        await consents.add_state(context.database, session, asked, services.state_seconds)
        found = await integrations.find(session, own)
    if found is None:
        raise Unknown("integration", "integrationId")
    return found, app.authorization_url(services.callback_url, state)


# ---------------------------------------------------------------- the state


def make_state(workspace: UUID) -> str:
    """64 characters that only we have made: whose they are, and chance."""
    return urlsafe_b64encode(workspace.bytes + secrets.token_bytes(CHANCE)).decode()


def read_state(state: str) -> UUID | None:
    """The workspace that it says it is of; None for what cannot be a state."""
    return UUID(bytes=urlsafe_b64decode(state)[:16]) if STATE.fullmatch(state) else None


def digest_state(state: str) -> bytes:
    """What is stored of it."""
    return hashlib.sha256(state.encode()).digest()


async def take_state(services: Services, state: str) -> OauthState | None:
    """What the state was made for; from then on it is of no use. None where it is forged, used or too old."""
    workspace = read_state(state)
    if workspace is None:
        return None
    async with services.database.session(workspace) as session:
        return await consents.take_state(services.database, session, digest_state(state))


# ---------------------------------------------------------------- the answer


class ConsentStatus(Enum):
    """What has come of a consent, as `returnTo` gets it."""

    CONNECTED = "connected"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What has come of a consent."""

    status: ConsentStatus
    message: str
    """A sentence for the person who has answered."""
    code: ConsentCode | None = None
    integration: UUID | None = None
    crm: str = ""
    """As people write it."""
    return_to: str | None = field(default=None, repr=False)


def is_invalid() -> Outcome:
    """Forged, used, too old: they are told alike, so that nobody learns which states there are."""
    return Outcome(status=ConsentStatus.FAILED, code=ConsentCode.STATE_INVALID, message=INVALID)


async def take_answer(services: Services, state: OauthState, *, code: str | None, error: str | None) -> Outcome:
    """What becomes of the answer to a consent that somebody was sent to the CRM for."""
    caller = Caller(workspace_id=state.workspace_id, member_id=state.member_id, role=Role.ADMIN)
    context = Context(database=services.database, caller=caller, services=services)
    async with context.database.session(context.workspace) as session:
        integration = await integrations.find(session, state.integration_id)
    if integration is None:
        return is_invalid()
    return await Answer(context, state, integration, CONNECTORS[integration.crm]).take(code, error)


@dataclass(frozen=True)
class Answer:
    """An answer to the consent for an integration, on its way."""

    context: Context
    state: OauthState
    integration: Integration
    connector: Connector

    async def take(self, code: str | None, error: str | None) -> Outcome:
        """Connects the account; or says why not, here and at the integration that waits."""
        try:
            app = require_app(self.context, self.connector)
        except Refused as refused:
            return await self._fail(ConsentCode.CREDENTIAL_REFUSED, refused.message)
        if error or not code:
            return await self._refuse(app, error or "")
        try:
            token = await app.exchange(code, self.context.services.callback_url)
            account = await self._open(token)
        except CrmError as failure:
            return await self._fail(ConsentCode(CODES[type(failure)][1].value), failure.message)
        return await self._keep(account)

    async def _open(self, token: Token) -> Account:
        crm = self.connector.name
        client = self.context.services.clients.with_credential(crm, token.credential)
        identity = await client.identify()
        owner = await client.find_user(token.user) if token.user else None
        return Account(
            crm=crm,
            identity=identity,
            credential=token.credential,
            scopes=token.scopes,
            url=identity.account_url or token.account_url,
            owner=owner.external_id if owner else None,
        )

    async def _keep(self, account: Account) -> Outcome:
        try:
            kept = await keep_account(self.context, account, wanted=self.integration.id, name=self.state.display_name)
        except Unknown:
            await self._give_back(account)
            return is_invalid()
        except Refused as refused:  # another account, or more than the plan includes
            await self._give_back(account)
            return await self._fail(ConsentCode(refused.code.value), refused.message)
        known = "" if kept.display_name == account.name else f" as {kept.display_name}"
        return self._tell(ConsentStatus.CONNECTED, f"The account {account.name} is connected{known}.", kept.id)

    async def _give_back(self, account: Account) -> None:
        """A consent that nobody asked for, unless other integrations live on it."""
        grant = account.grant(self.integration.id)
        if grant:
            async with self.context.database.system() as session:
                is_used = await consents.is_used(self.context.database, session, grant)
            if not is_used:
                await revoke(self.context, account.crm, account.credential.refresh_token)

    # ------------------------------------------------------------ what is told

    async def _refuse(self, app: App, error: str) -> Outcome:
        label = self.connector.label
        if error in app.oauth.refusals:
            message = f"The consent was refused in {label}."
            await self._note(message)
            return self._tell(ConsentStatus.REFUSED, message)
        shown = f" ({error})" if CODE.fullmatch(error) else ""
        code = ConsentCode.CRM_UNAVAILABLE if error in PASSING else ConsentCode.CREDENTIAL_REFUSED
        return await self._fail(code, f"{label} could not ask for the consent{shown}.")

    async def _fail(self, code: ConsentCode, message: str) -> Outcome:
        await self._note(message, also_error=code is ConsentCode.ACCOUNT_MISMATCH)
        return self._tell(ConsentStatus.FAILED, message, code=code)

    async def _note(self, message: str, *, also_error: bool = False) -> None:
        """The integration says so too, where it is of no use as it is: a wizard waits for it."""
        async with self.context.database.session(self.context.workspace) as session:
            found = await integrations.find(session, self.integration.id, locked=True)
            told = {IntegrationStatus.PENDING.value} | ({IntegrationStatus.ERROR.value} if also_error else set())
            if found and found.status in told:
                await integrations.change(session, found.id, last_error=message)

    def _tell(
        self, status: ConsentStatus, message: str, id: UUID | None = None, code: ConsentCode | None = None
    ) -> Outcome:
        return Outcome(
            status=status,
            message=message,
            code=code,
            integration=id or self.integration.id,
            crm=self.connector.label,
            return_to=self.state.return_to,
        )
