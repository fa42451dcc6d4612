"""What a run has done, would do and has proven, type by type."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import strawberry

from connectors.registry import CONNECTORS
from resolvers.records import get_row
from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.field import Info, field
from schema.paging import Node, wrap
from schema.shown import FieldChange
from storage.records import BY_TYPE
from storage.shapes import Evidence, PlannedAction, RecordType, Verdict

NUMBERS = ("fetched", "created", "updated", "skipped", "archived", "failed")


@strawberry.type(description="What became of the records of one type in a run.")
class RecordCounts:
    external_type: str = strawberry.field(description="The CRM's own word.")
    record_type: RecordType = strawberry.field(description="The unified type.")
    fetched: int = strawberry.field(description="Read from the CRM.")
    created: int = strawberry.field(description="New here.")
    updated: int = strawberry.field(description="Changed here.")
    skipped: int = strawberry.field(description="The same as before.")
    archived: int = strawberry.field(description="Archived here, because the CRM has deleted them.")
    failed: int = strawberry.field(description="Could not be taken over: see the run's errors.")
    expected: int | None = strawberry.field(description="How many there should be; null while nobody knows.")

    @classmethod
    def list_of(cls, crm: str, counts: Mapping[str, Mapping[str, int]]) -> "list[RecordCounts]":
        """From {external type: {name: number}}, in the order in which a FULL reads the types."""
        return [
            cls(
                external_type=type_.name,
                record_type=type_.record_type,
                expected=numbers.get("expected"),
                **{name: numbers.get(name, 0) for name in NUMBERS},
            )
            for type_ in CONNECTORS[crm].types
            if (numbers := counts.get(type_.name)) is not None
        ]


@strawberry.type(
    description="Whether a FULL has read all records of a type, by evidence that is not its own lists. `missing` holds at"
    " most 100 ids."
)
class Attestation:
    external_type: str = strawberry.field(description="The CRM's own word.")
    record_type: RecordType = strawberry.field(description="The unified type.")
    evidence: Evidence = strawberry.field(description="What it was held against.")
    remote_count: int | None = strawberry.field(
        description="How many the CRM has, by that evidence; null where there is none."
    )
    local_count: int = strawberry.field(description="How many are here and not deleted in the CRM.")
    missing_count: int | None = strawberry.field(
        description="How many the lists have left out: they are not here, or only from before; null where nobody knows."
    )
    missing: list[str] = strawberry.field(description="The CRM's ids of those, as far as they can be named.")
    verdict: Verdict = strawberry.field(description="What follows.")

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Attestation":
        """From what the run's row holds."""
        return cls(
            external_type=row["externalType"],
            record_type=RecordType(row["recordType"]),
            evidence=Evidence(row["evidence"]),
            remote_count=row["remoteCount"],
            local_count=row["localCount"],
            missing_count=row["missingCount"],
            missing=row["missing"],
            verdict=Verdict(row["verdict"]),
        )


@strawberry.type(description="What a run would do with one record of the CRM.")
class PlannedChange:
    change: strawberry.Private[Mapping[str, Any]]
    external_type: str = strawberry.field(description="The type in the CRM, in the CRM's own word.")
    external_id: str = strawberry.field(description="The id in the CRM.")
    action: PlannedAction = strawberry.field(description="What would become of the unified record.")

    @field("The unified record as it is; null for one that would be new.")
    async def record(self, info: Info) -> Node | None:
        name, key = self._model.__name__, self.change["recordId"]
        row = await get_row(info.context, name, UUID(key)) if key else None
        return wrap((name, row)) if row else None

    @field("What would be another value; nothing where another source keeps the record as it is.", size=5)
    def changes(self) -> list[FieldChange]:
        return FieldChange.list_of(self._model, self.change["changes"])

    @property
    def _model(self) -> Any:
        return BY_TYPE[RecordType(self.change["recordType"])]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "PlannedChange":
        """From what the run's row holds."""
        action = PlannedAction(row["action"])
        return cls(change=row, external_type=row["externalType"], external_id=row["externalId"], action=action)


@strawberry.type(description="What a run would do: of a dry run, or of a run that is held.")
class SyncPlan:
    row: strawberry.Private[Mapping[str, Any]]
    crm: strawberry.Private[str]
    calls: strawberry.Private[int]

    @field("What would become of the records, by their type in the CRM.", size=8)
    def counts(self) -> list[RecordCounts]:
        return RecordCounts.list_of(self.crm, self.row["counts"])

    @field("How many calls to the CRM it takes to read them.")
    def api_calls(self) -> int:
        return self.calls + int(self.row["moreCalls"])

    @field(
        "How many per cent of a type's sources would be archived though the CRM does not name them as deleted: of the type"
        " of which it is most."
    )
    def archive_percent(self) -> float:
        return float(self.row["archivePercent"])

    @field("Some of what would change, 100 at most.", size=100)
    def sample(self) -> list[PlannedChange]:
        return [PlannedChange.of(one) for one in self.row["sample"]]
