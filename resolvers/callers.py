"""Who asks: an API key, a person who has signed in elsewhere, or, with the sandbox, whoever is at this machine."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from resolvers.errors import Unauthenticated
from storage import keys, members, workspaces
from storage.database import Database
from storage.errors import DatabaseUnavailable
from storage.events import Hub
from storage.listing import GlobalId, InvalidQuery
from storage.records import now
from storage.shapes import Role
from storage.tables import ApiKey, Member

TRUSTED = 1.0
"""Seconds that a credential is taken for what it last was: another process may have revoked it meanwhile."""

KEPT = 10_000
"""Credentials that are remembered."""

MARK: Final = "cw_"
"""How every API key begins."""

NEEDED: Final = (
    "This needs a credential: send `Authorization: Bearer …`, with an API key or a token of your sign-in;"
    " over a WebSocket, in the payload of connection_init."
)
UNKNOWN: Final = "This API key is not known here."


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks. Without a member: a key, or the gateway itself."""

    workspace_id: UUID
    member_id: UUID | None
    role: Role
    key_id: UUID | None = None
    subject: str | None = None
    """Of a person who has signed in elsewhere: the issuer's own name for them."""
    expires_at: float | None = None
    """Unix time at which the credential ends."""

    @property
    def name(self) -> str:
        """Whose budget it spends: one for each key, person or visitor."""
        return f"{self.workspace_id}:{self.key_id or self.member_id or self.subject or 'visitor'}"


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a token of the issuer says of a person, once it is verified."""

    subject: str
    workspace: str
    """The workspace's id, or its handle."""
    email: str | None
    """None also where the issuer says that nobody has verified it."""
    role: Role | None
    expires_at: float
    """Unix time."""


class Verifier(Protocol):
    """Reads tokens of the issuer."""

    async def verify(self, token: str) -> Claims:
        """What it says. Raises Unauthenticated."""


class Callers:
    """Finds out who asks, from the value of an Authorization header; and tells when that is over."""

    def __init__(
        self, database: Database, hub: Hub, *, verifier: Verifier | None = None, visitor: Caller | None = None
    ) -> None:
        self.database = database
        self._hub = hub
        self._verifier = verifier
        self._visitor = visitor
        self._known: dict[bytes, tuple[Caller, float]] = {}

    async def identify(self, authorization: str | None) -> Caller:
        """The caller. A credential that is sent decides alone. Raises Unauthenticated."""
        if authorization is None:
            if self._visitor is None:
                raise Unauthenticated(NEEDED)
            return self._visitor
        digest = hashlib.sha256(authorization.encode("utf-8", "surrogatepass")).digest()
        caller, until = self._known.get(digest, (None, 0.0))
        if caller is None or time.monotonic() > until or (caller.expires_at or time.time() + 1) <= time.time():
            caller = await self._find(authorization)
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[digest] = caller, time.monotonic() + TRUSTED
        return caller

    def forget(self) -> None:
        """From now on everybody is looked at anew: a key, a member or a workspace has changed."""
        self._known.clear()

    async def outlive(self, authorization: str | None, caller: Caller) -> str:
        """Waits until the credential no longer is that caller's, with that role; why, in a sentence."""
        with self._hub.subscribe(f"access:{caller.workspace_id}") as events:
            while True:
                try:  # before the first event too: it may have ended between being looked up and being watched
                    if await self._find_anew(authorization) != caller:
                        return "What this credential may do has changed: connect again."
                except Unauthenticated as error:
                    return str(error)
                except DatabaseUnavailable:
                    await asyncio.sleep(TRUSTED)
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout(caller.expires_at and max(0.0, caller.expires_at - time.time())):
                        await anext(events)
                self.forget()

    async def _find_anew(self, authorization: str | None) -> Caller:
        """Past what is remembered."""
        return await (self.identify(None) if authorization is None else self._find(authorization))

    # ------------------------------------------------------------ credentials

    async def _find(self, authorization: str) -> Caller:
        scheme, _, credential = authorization.strip().partition(" ")
        credential = credential.strip()
        if scheme.lower() != "bearer" or not credential:
            raise Unauthenticated("The credential is not one of this gateway: send `Authorization: Bearer …`.")
        if credential.startswith(MARK):
            return await self._find_key(credential)
        if self._verifier is None:
            raise Unauthenticated(f"This is no API key, which begins with {MARK}, and nothing else is taken here.")
        return await self._find_person(await self._verifier.verify(credential))

    async def _find_key(self, secret: str) -> Caller:
        found = await self.database.lookup(keys.FIND_DIGEST, {"digest": digest_secret(secret)})
        if not found:
            raise Unauthenticated(UNKNOWN)
        workspace = found[0]["workspace_id"]
        rows = await self.database.fetch(workspace, keys.BY_ID, {"workspace": workspace, "id": found[0]["key_id"]})
        if not rows:
            raise Unauthenticated(UNKNOWN)
        key = ApiKey(**rows[0])
        if key.revoked_at is not None:
            raise Unauthenticated("This API key was revoked.")
        if key.expires_at is not None and key.expires_at <= now():
            raise Unauthenticated("This API key has expired.")
        await keys.note_use(self.database, key)
        expires_at = key.expires_at.timestamp() if key.expires_at else None
        return Caller(workspace_id=workspace, member_id=None, role=Role(key.role), key_id=key.id, expires_at=expires_at)

    async def _find_person(self, claims: Claims) -> Caller:
        """A member, or else whoever the issuer gives a role."""
        workspace = await self._find_workspace(claims.workspace)
        member = await self._find_member(workspace, claims)
        if member and member.removed_at is not None:
            raise Unauthenticated("This person was removed from the workspace.")
        role = Role(member.role) if member else claims.role
        if role is None:
            raise Unauthenticated("This person is no member of the workspace, and the token gives no role.")
        return Caller(
            workspace_id=workspace,
            member_id=member.id if member else None,
            role=role,
            subject=claims.subject,
            expires_at=claims.expires_at,
        )

    async def _find_workspace(self, claimed: str) -> UUID:
        """By its id, in either form, or its handle; never by its name, which its own admins choose."""
        values = {"digest": digest_handle(claimed), "id": read_workspace(claimed)}
        found = await self.database.lookup(workspaces.FIND, values)
        if len(found) != 1:
            raise Unauthenticated("The token is for no workspace of this gateway.")
        workspace: UUID = found[0]["workspace_id"]
        return workspace

    async def _find_member(self, workspace: UUID, claims: Claims) -> Member | None:
        """By the address; a token without one is of whoever last came with one under the same name of the issuer's, so that
        leaving it out lifts neither a removal nor a smaller role."""
        key = {"email": claims.email.lower()} if claims.email else {"subject": claims.subject}
        values = {"workspace": workspace, "email": None, "subject": None, **key}
        found = [Member(**row) for row in await self.database.fetch(workspace, members.BY_PERSON, values)]
        if not found:
            return None
        member = min(found, key=lambda one: one.removed_at is None)
        if member.removed_at is None and claims.email and member.subject != claims.subject:
            await members.note_subject(self.database, member, claims.subject)
        return member


def digest_secret(secret: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def digest_handle(handle: str) -> bytes:
    """What a workspace is found by before it is known."""
    return hashlib.sha256(handle.strip().lower().encode("utf-8", "surrogatepass")).digest()


def read_workspace(text: str) -> UUID | None:
    """The workspace's id, as GraphQL or as the command line shows it; None for what is neither."""
    readers: tuple[Callable[[str], UUID], ...] = (UUID, lambda given: _key(GlobalId.read(given)))
    for read in readers:
        with suppress(ValueError, InvalidQuery):
            return read(text)
    return None


def _key(id: GlobalId) -> UUID:
    if id.type != "Workspace":
        raise ValueError(id.type)
    return id.key
