"""The tables of what goes out: values written here, the outbox, conflicts, notifications."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from storage.records import now
from storage.shapes import ConflictStatus, PushStatus
from storage.tables import MOMENT

UNDER_WAY = "kind <> 'EDIT' AND (status IN ('PENDING', 'SENDING', 'UNKNOWN') OR (status = 'FAILED' AND NOT is_final))"
"""Of what makes a record in a CRM: there is one at a time."""


class LocalValue(SQLModel, table=True):
    """What somebody has written here of a record: of one column or one relation. It stands beside what the sources say, and
    against each of them from what that one said at the time."""

    __tablename__ = "local_value"
    __table_args__ = (Index("ix_local_value_workspace", "workspace_id"),)
    record_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True)
    """A column of the record, `custom_fields.x`, or a relation."""
    workspace_id: UUID
    record_type: str
    value: Any = Field(default=None, sa_type=JSONB)
    """As a source's `mapped` has it; of a relation the ids of records; null where somebody has emptied it."""
    bases: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """source id -> what both sides agreed on last."""
    at: datetime = Field(default_factory=now, sa_type=MOMENT)
    member_id: UUID | None = None


class CreatedRecord(SQLModel, table=True):
    """A record that was made here with an idempotency key: asked for again, it is the same one."""

    __tablename__ = "created_record"
    __table_args__ = (Index("uq_created_record", "workspace_id", "key", unique=True),)
    record_id: UUID = Field(primary_key=True)
    workspace_id: UUID
    record_type: str
    key: str
    digest: bytes = Field(sa_type=LargeBinary)
    """Of what was asked for: the same key with something else is an error."""
    at: datetime = Field(default_factory=now, sa_type=MOMENT)


class Push(SQLModel, table=True):
    """One change on its way to one CRM: a row of the outbox, written in the transaction of its cause."""

    __tablename__ = "push"
    __table_args__ = (
        Index("ix_push_created", "workspace_id", "created_at", "id"),
        Index("ix_push_integration", "integration_id", "created_at", "id"),
        Index("ix_push_record", "record_id", "seq"),
        Index(
            "ix_push_open",
            "integration_id",
            "status",
            "seq",
            postgresql_where=text("status NOT IN ('COMMITTED', 'SKIPPED')"),
        ),
        Index("ix_push_attempt", "workspace_id", "last_attempt_at"),
        Index("uq_push_create", "integration_id", "record_id", unique=True, postgresql_where=text(UNDER_WAY)),
        Index("uq_push_key", "workspace_id", "idempotency_key", unique=True),
    )
    id: UUID = Field(primary_key=True)
    seq: int = Field(default=None, sa_column=Column(BigInteger, Identity(), nullable=False))
    """Pushes of one record leave in this order."""
    workspace_id: UUID
    integration_id: UUID = Field(foreign_key="integration.id", ondelete="CASCADE")
    kind: str
    record_type: str
    record_id: UUID
    status: str = PushStatus.PENDING.value
    external_type: str | None = None
    external_id: str | None = None
    """Of what was written in the CRM, once that is known."""
    details: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """What was asked for: {"owner": external id of a user, "fields": the columns that an edit is about}."""
    progress: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    """The steps that are done, with what they gave, and the one that may be: whoever goes on begins behind them."""
    attempts: int = 0
    """In all."""
    tries: int = 0
    """Since it was last taken up anew: after three in a row it is FAILED."""
    rounds: int = 0
    """How often three tries in a row have failed."""
    next_attempt_at: datetime | None = Field(default=None, sa_type=MOMENT)
    first_tried_at: datetime | None = Field(default=None, sa_type=MOMENT)
    """By the CRM's clock: what is made there by it is not older."""
    last_attempt_at: datetime | None = Field(default=None, sa_type=MOMENT)
    is_final: bool = False
    """FAILED, and tried again only where somebody asks for it."""
    last_error: str | None = None
    caused_by: str | None = None
    """`member:ID` or `key:ID`: whose pushes it counts among."""
    idempotency_key: str | None = None
    """Asked for again with the same one, it is the same push."""
    is_interactive: bool = False
    """Somebody waits for it: it goes before the others."""
    claim: int = 0
    """Raised each time a worker takes it: a commit under an older claim is refused."""
    created_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    completed_at: datetime | None = Field(default=None, sa_type=MOMENT)


class Conflict(SQLModel, table=True):
    """One field changed on both sides since they agreed, where a person decides."""

    __tablename__ = "conflict"
    __table_args__ = (
        Index("ix_conflict_detected", "workspace_id", "detected_at", "id"),
        Index("ix_conflict_record", "record_id"),
        Index("uq_conflict_open", "source_id", "field", unique=True, postgresql_where=text("status = 'OPEN'")),
    )
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    integration_id: UUID = Field(foreign_key="integration.id", ondelete="CASCADE")
    source_id: UUID
    record_type: str
    record_id: UUID
    field: str
    """The name of a local value."""
    base: Any = Field(default=None, sa_type=JSONB)
    local: Any = Field(default=None, sa_type=JSONB)
    remote: Any = Field(default=None, sa_type=JSONB)
    status: str = ConflictStatus.OPEN.value
    resolution: str | None = None
    resolved_by: UUID | None = None
    detected_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    resolved_at: datetime | None = Field(default=None, sa_type=MOMENT)


class Notification(SQLModel, table=True):
    """What a person should know of, as a frontend's toast shows it."""

    __tablename__ = "notification"
    __table_args__ = (
        Index("ix_notification_at", "workspace_id", "at", "id"),
        Index("uq_notification_about", "workspace_id", "code", "about", unique=True),
    )
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    level: str
    code: str
    message: str
    integration_id: UUID | None = Field(default=None, foreign_key="integration.id", ondelete="CASCADE")
    record_type: str | None = None
    record_id: UUID | None = None
    about: str | None = None
    """What it tells of, such as the id of a row; told once of each."""
    at: datetime = Field(default_factory=now, sa_type=MOMENT)
