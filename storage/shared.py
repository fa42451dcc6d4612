"""The tables that all workspaces share: ids, hashes, counters and times, and no row-level security."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Index, LargeBinary
from sqlmodel import Field, SQLModel

from storage.records import now
from storage.tables import MOMENT


class RateWindow(SQLModel, table=True):
    """What is left of one limit of a CRM account's API. Workspaces that hold the same account share it: no row-level
    security, and nothing here but numbers."""

    __tablename__ = "rate_window"
    WITHOUT_WORKSPACE: ClassVar[bool] = True
    crm: str = Field(primary_key=True)
    account: str = Field(primary_key=True)
    window: str = Field(primary_key=True)
    limit: int | None = Field(default=None, sa_type=BigInteger)
    used: int = Field(default=0, sa_type=BigInteger)
    """Spent in the window under way, for windows that reset at a time."""
    calls: list[datetime] = Field(default_factory=list, sa_type=ARRAY(MOMENT))
    """When the last calls were, or will be, sent, for windows that roll."""
    resets_at: datetime | None = Field(default=None, sa_type=MOMENT)
    blocked_until: datetime | None = Field(default=None, sa_type=MOMENT)
    updated_at: datetime = Field(default_factory=now, sa_type=MOMENT)


class OauthGrant(SQLModel, table=True):
    """Which integrations, of whatever workspace, live on a user's consent: the last one to leave revokes it. No row-level
    security, and nothing here but ids."""

    __tablename__ = "oauth_grant"
    __table_args__ = (Index("ix_oauth_grant_user", "crm", "account_id", "user_id"),)
    WITHOUT_WORKSPACE: ClassVar[bool] = True
    integration_id: UUID = Field(primary_key=True)
    crm: str
    account_id: str
    user_id: str


class WorkspaceKey(SQLModel, table=True):
    """Which workspaces there are, and which one a handle means: asked before a workspace is known. No row-level security,
    and nothing here but ids and hashes."""

    __tablename__ = "workspace_key"
    WITHOUT_WORKSPACE: ClassVar[bool] = True
    workspace_id: UUID = Field(primary_key=True)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    """SHA-256 of the handle, without regard to capital letters."""


class KeyDigest(SQLModel, table=True):
    """Whose an API key is: asked before a workspace is known. No row-level security, and nothing here but ids and hashes."""

    __tablename__ = "key_digest"
    WITHOUT_WORKSPACE: ClassVar[bool] = True
    digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    """SHA-256 of the secret, which is 256 bits of chance: nothing slower is needed."""
    workspace_id: UUID
    key_id: UUID


class Schedule(SQLModel, table=True):
    """What is due when, for the ticker, which reads it across workspaces: ids and times only."""

    __tablename__ = "schedule"
    __table_args__ = (Index("ix_schedule_due", "next_due_at"),)
    WITHOUT_WORKSPACE: ClassVar[bool] = True
    name: str = Field(primary_key=True)
    """What is done: retry, or push."""
    about: UUID = Field(primary_key=True)
    """Of what: an integration."""
    workspace_id: UUID
    seconds: int
    """Between two times; changed here, it is followed at once. 0: it is due once."""
    next_due_at: datetime = Field(sa_type=MOMENT)
