"""Which records a run takes: what a person has narrowed it to."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from connectors.declaration import ExternalType
from connectors.facts import Mapped
from storage.shapes import RecordType


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Of contacts only these kinds; of all records only those created, or changed, since a time of the CRM's clock."""

    contact_kinds: tuple[str, ...] | None = None
    updated_since: datetime | None = None
    created_since: datetime | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Self:
        """From the JSON of a run or an integration."""
        given = stored or {}
        kinds = given.get("contactKinds")
        return cls(
            contact_kinds=tuple(kinds) if kinds is not None else None,
            updated_since=_moment(given.get("updatedSince")),
            created_since=_moment(given.get("createdSince")),
        )

    @property
    def asks_for_kinds(self) -> bool:
        """Whether it has to be known who is a CONTACT and who a LEAD."""
        return self.contact_kinds is not None

    def accepts(self, external: ExternalType, record: Mapped, customers: Collection[str]) -> bool:
        """Whether the record is one of those. `customers`: the ids of the CRM's persons who take part in a deal."""
        if self.contact_kinds is not None and external.record_type is RecordType.CONTACT:
            kind = "CONTACT" if record.external_id in customers else record.values.get("kind")
            if kind not in self.contact_kinds:
                return False
        return _is_since(record.remote_updated_at, self.updated_since) and _is_since(
            record.remote_created_at, self.created_since
        )


def _is_since(moment: datetime | None, since: datetime | None) -> bool:
    """A record without a time is never left out by it."""
    return since is None or moment is None or moment >= since


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
