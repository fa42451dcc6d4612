"""What a run is asked to read: which kind, which types, which records; checked, and as it is stored with the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.registry import CONNECTORS
from resolvers.errors import Refused, UserErrorCode
from storage.records import ContactKind
from storage.shapes import RecordType, SyncKind
from storage.tables import Integration
from sync.filters import Filter

MOST_RECORDS = 10_000
"""That one run can be asked for by name."""
LONGEST_ID = 200

Reference = tuple[str, str]
"""(external type, external id)"""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What somebody asks a run to read; None is what they left to the integration."""

    kind: str | None = None
    record_types: Sequence[RecordType] | None = None
    records: Sequence[Reference] | None = None
    filter: Mapping[str, Any] | None = None
    """As `store_filter` gives it."""
    limit: int | None = None
    dry_run: bool = False
    """Only what would change is wanted."""

    def choose_kind(self, integration: Integration) -> SyncKind:
        """What was asked for. Else named records make it SELECTIVE; DELTA where a FULL has ended; FULL."""
        if self.kind:
            return SyncKind(self.kind)
        if self.records is not None:
            return SyncKind.SELECTIVE
        return SyncKind.DELTA if integration.watermarks else SyncKind.FULL

    def choose_types(self, integration: Integration) -> list[RecordType]:
        """All that the integration syncs, or the part that was asked for."""
        synced = [RecordType(name) for name in integration.record_types]
        named = [self._type_of(integration, name) for name, _ in self.records or ()]
        asked = named if self.records is not None else self.record_types
        if asked is None:
            return synced
        if not asked or not set(synced).issuperset(asked):
            names = ", ".join(type_.value for type_ in synced)
            message = f"This integration syncs {names}: give at least one of them, or change its recordTypes first."
            raise bad_input(message, "recordTypes" if self.records is None else "records")
        return list(dict.fromkeys(asked))

    def make_scope(self, integration: Integration, kind: SyncKind) -> dict[str, Any]:
        """What is stored with the run beside its types: {"records": …} or {"filter": …, "limit": …}."""
        if self.records is not None:
            return {"records": self._check_records(kind)}
        if kind is SyncKind.SELECTIVE and self.record_types is None and self.filter is None and self.limit is None:
            raise bad_input(
                "A SELECTIVE run takes `records`, or at least one of recordTypes, filter and limit.", "kind"
            )
        if self.limit is not None and self.limit < 1:
            raise bad_input("`limit` is a number of records, 1 or more.", "limit")
        filter_ = {**(integration.filter or {}), **(self.filter or {})}
        scope = {"filter": filter_ or None, "limit": self.limit}
        return {name: value for name, value in scope.items() if value is not None}

    def _check_records(self, kind: SyncKind) -> list[list[str]]:
        records = list(dict.fromkeys(self.records or ()))
        if kind is not SyncKind.SELECTIVE:
            raise bad_input("`records` are for a run of kind SELECTIVE.", "kind")
        if self.filter is not None or self.limit is not None or self.record_types is not None:
            raise bad_input("Named records are taken as they are: leave recordTypes, filter and limit out.", "records")
        if not records or len(records) > MOST_RECORDS:
            raise bad_input(f"Give 1 to {MOST_RECORDS:,} records.", "records")
        for _, external_id in records:
            if not external_id.strip() or len(external_id) > LONGEST_ID or "\0" in external_id:
                raise bad_input(f"An externalId has 1 to {LONGEST_ID} characters.", "records")
        return [list(reference) for reference in records]

    @staticmethod
    def _type_of(integration: Integration, name: str) -> RecordType:
        types = CONNECTORS[integration.crm].by_name
        if name not in types:
            raise bad_input(f"`externalType` is one of {', '.join(types)}.", "records")
        return types[name].record_type


def store_filter(
    contact_kinds: Sequence[ContactKind] | None, updated_since: datetime | None, created_since: datetime | None
) -> dict[str, Any] | None:
    """A filter as it is stored, what is not given left out; None where it leaves nothing out."""
    if contact_kinds is not None and not contact_kinds:
        raise bad_input("`contactKinds` has at least one kind; leave it out for all.", "filter")
    given = {
        "contactKinds": sorted({kind.value for kind in contact_kinds}) if contact_kinds else None,
        "updatedSince": updated_since.astimezone(UTC).isoformat() if updated_since else None,
        "createdSince": created_since.astimezone(UTC).isoformat() if created_since else None,
    }
    return {name: value for name, value in given.items() if value is not None} or None


def read_filter(integration: Integration) -> Filter | None:
    """The filter of an integration; None where its runs take everything."""
    return Filter.read(integration.filter) if integration.filter else None


def bad_input(message: str, *field: str) -> Refused:
    """What somebody has to put right in the input."""
    return Refused(UserErrorCode.BAD_INPUT, message, field)
