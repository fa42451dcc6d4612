"""What a record is when several sources speak of it: which of them comes first, and what they say together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from storage.declare import Group, Relation, columns, declared
from storage.records import BY_TYPE
from storage.shapes import RecordType

Targets = Mapping[tuple[UUID, str, str], UUID]
"""(integration, external type, external id) -> the unified record that it leads to."""

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(kw_only=True)
class Source:
    """A CRM's record on its way into the store, or one that is there already."""

    id: UUID
    integration_id: UUID
    crm: str
    external_type: str
    external_id: str
    record_id: UUID | None
    mapped: Mapping[str, Any]
    refs: Mapping[str, Sequence[Sequence[str]]]
    remote_updated_at: datetime | None
    deleted_at: datetime | None

    @property
    def targets(self) -> list[tuple[UUID, str, str]]:
        """All that it points at."""
        return [(self.integration_id, kind, one) for refs in self.refs.values() for kind, one in refs]

    def find_targets(self, relation: str, targets: Targets) -> Iterator[UUID]:
        """The records that a relation leads to, of those that are here."""
        for kind, one in self.refs.get(relation, ()):
            if record := targets.get((self.integration_id, kind, one)):
                yield record


S = TypeVar("S", bound=Source)


def rank(sources: Iterable[S], priority: Sequence[UUID]) -> list[S]:
    """The sources that speak, the best one first: by the workspace's priority of integrations, then by the CRM's time, then
    by what they are called there, never by when they came. Deleted ones speak only where no other is left."""
    found = list(sources)
    speaking = [one for one in found if not one.deleted_at] or found
    if len(speaking) == 1:  # as of most records
        return speaking
    places = {integration: place for place, integration in enumerate(priority)}
    speaking.sort(key=lambda one: (one.crm, one.external_type, one.external_id, one.integration_id))
    speaking.sort(key=lambda one: one.remote_updated_at or NEVER, reverse=True)
    speaking.sort(key=lambda one: places.get(one.integration_id, len(places)))
    return speaking


def merge_sources(
    type_: RecordType, sources: Sequence[Source], targets: Targets, priority: Sequence[UUID] = ()
) -> tuple[dict[str, Any], dict[str, list[UUID]]]:
    """The row of a unified record, and its links to many, by relation: each value of the best source that has one.

    What belongs together, as an amount and its currency, comes from one source.
    """
    ranked, record = rank(sources, priority), BY_TYPE[type_]
    row: dict[str, Any] = {}
    for name, column in columns(record).items():
        values = [source.mapped[name] for source in ranked if source.mapped.get(name) is not None]
        if column.merge == "union":
            row[name] = unite(values, {} if name == "custom_fields" else [])
        elif column.merge != "local":
            row[name] = values[0] if values else None
    for group in declared(record, Group).values():
        first = next(iter(group.parts.values()))
        holder = next((one.mapped for one in ranked if one.mapped.get(first) is not None), {})
        row |= {name: holder.get(name) for name in group.parts.values()}
    owner = next((source for source in ranked if source.mapped.get("owner_external_id")), None)
    row["owner_integration_id"] = owner.integration_id if owner else None
    is_gone = all(source.deleted_at for source in sources)
    row["archived_at"] = max(source.deleted_at or NEVER for source in sources) if is_gone else None
    several: dict[str, list[UUID]] = {}
    for name, relation in declared(record, Relation).items():
        found = dict.fromkeys(one for source in ranked for one in source.find_targets(name, targets))
        if relation.through and any(name in source.refs for source in ranked):
            several[name] = list(found)  # the far side speaks for those that no source names
        elif not relation.many:
            row[relation.key] = next(iter(found), None)
    return row, several


def unite(values: Sequence[Any], nothing: Any) -> Any:
    """What all sources say together, each thing once; where they disagree, the first one is right."""
    if not values:
        return nothing
    if len(values) == 1:
        return values[0]
    if isinstance(nothing, dict):
        return {name: value for each in reversed(values) for name, value in each.items() if value is not None}
    seen: dict[str, Any] = {}
    for one in (one for each in values for one in each):
        if isinstance(one, dict):
            seen.setdefault((one.get("e164") or one["value"]).casefold(), {**one, "primary": not seen})
        else:
            seen.setdefault(one, one)
    return list(seen.values())
