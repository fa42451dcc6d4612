"""The tables behind a golden record: how fields are mapped, what people have said of sources, what has changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from storage.records import now
from storage.tables import MOMENT


class FieldMapping(SQLModel, table=True):
    """A mapping of somebody's own, in the place of the connector's: one local field from or to one field of the CRM."""

    __tablename__ = "field_mapping"
    __table_args__ = (
        Index("uq_field_mapping", "integration_id", "external_type", "local_field", "direction", unique=True),
    )
    id: UUID = Field(primary_key=True)
    workspace_id: UUID
    integration_id: UUID = Field(foreign_key="integration.id", ondelete="CASCADE")
    external_type: str
    local_field: str
    """As GraphQL writes it: jobTitle, customFields.score."""
    crm_field: str
    """As the CRM's API calls it."""
    direction: str
    transform: str | None = None
    """An expression over `value`; none copies."""
    created_at: datetime = Field(default_factory=now, sa_type=MOMENT)
    updated_at: datetime = Field(default_factory=now, sa_type=MOMENT)


class CrmCatalog(SQLModel, table=True):
    """What the mapping of a type looked up beside the records when it was last read from the CRM: fields with their options,
    stages, words. So records can be mapped anew without a call to the CRM."""

    __tablename__ = "crm_catalog"
    integration_id: UUID = Field(primary_key=True, foreign_key="integration.id", ondelete="CASCADE")
    external_type: str = Field(primary_key=True)
    workspace_id: UUID
    catalog: dict[str, Any] = Field(sa_type=JSONB)
    """{"fields": [...], "pipelines": [...], "words": {...}, "account_url": ...}"""
    read_at: datetime = Field(default_factory=now, sa_type=MOMENT)


class Pairing(SQLModel, table=True):
    """What a person, or the CRM, has said of two sources: that they are the same, or that they are not. No matching comes
    against it."""

    __tablename__ = "pairing"
    __table_args__ = (Index("ix_pairing_other", "other_id"),)
    source_id: UUID = Field(primary_key=True)
    """The smaller one of the two ids."""
    other_id: UUID = Field(primary_key=True)
    workspace_id: UUID
    same: bool
    at: datetime = Field(default_factory=now, sa_type=MOMENT)


class ChangeEvent(SQLModel, table=True):
    """A change of a unified record. The numbers of a workspace's changes grow in the order of their commits, since whoever
    writes records holds the workspace's lock."""

    __tablename__ = "change_event"
    __table_args__ = (
        Index("ix_change_event_workspace", "workspace_id", "seq"),
        Index("ix_change_event_record", "record_id"),
    )
    seq: int = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    workspace_id: UUID
    kind: str
    record_type: str
    record_id: UUID
    merged_into: UUID | None = None
    cause: str
    run_id: UUID | None = None
    changes: dict[str, Any] = Field(sa_type=JSONB)
    """field -> [before, after]; of a record that is new its image, as `storage.changes` reads it."""
    at: datetime = Field(default_factory=now, sa_type=MOMENT)


class StagedArchive(SQLModel, table=True):
    """A source that a run has proven to be gone, though the CRM does not name it as deleted: archived at the run's end."""

    __tablename__ = "staged_archive"
    run_id: UUID = Field(primary_key=True, foreign_key="sync_run.id", ondelete="CASCADE")
    source_id: UUID = Field(primary_key=True)
    workspace_id: UUID
