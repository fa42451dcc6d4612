"""What is there of a workspace, in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from resolvers.context import Context
from storage import stats


@dataclass(frozen=True, kw_only=True)
class TypeCount:
    """Unified records of one type."""

    record_type: str
    records: int
    archived: int
    """Counted in `records` too."""


@dataclass(frozen=True, kw_only=True)
class SourceCount:
    """What one type of an integration has brought; no type where it has brought nothing yet."""

    integration_id: UUID
    integration: str
    crm: str
    status: str
    last_synced_at: datetime | None
    external_type: str | None
    record_type: str | None
    sources: int
    deleted: int
    """Of the sources, those that the CRM has deleted."""
    records: int
    """The unified records that they belong to."""
    verdict: str | None
    """Of the last FULL: whether all of the type is here. None where none has ended."""


async def count_all(context: Context) -> tuple[Sequence[TypeCount], Sequence[SourceCount]]:
    """Records by type, and sources by integration and type."""
    records = await context.fetch(stats.RECORDS, {})
    proven = {row["integration_id"]: row["attestation"] for row in await context.fetch(stats.PROVEN, {})}
    sources = [
        SourceCount(
            integration_id=row["id"],
            integration=row["display_name"],
            crm=row["crm"],
            status=row["status"],
            last_synced_at=row["last_synced_at"],
            external_type=row["external_type"],
            record_type=row["record_type"],
            sources=row["sources"] or 0,
            deleted=row["deleted"] or 0,
            records=row["records"] or 0,
            verdict=find_verdict(proven.get(row["id"], ()), row["external_type"]),
        )
        for row in await context.fetch(stats.SOURCES, {})
    ]
    return [TypeCount(**row) for row in records], sources


def find_verdict(attestation: Sequence[dict[str, Any]], external_type: str | None) -> str | None:
    """What a run has proven of a type."""
    return next((str(one["verdict"]) for one in attestation if one["externalType"] == external_type), None)
