"""What a record is when several sources speak of it: which of them comes first, and what they say together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
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
    ranked, plan = rank(sources, priority), plan_of(type_)
    row = _speak_alone(plan, ranked[0].mapped) if len(ranked) == 1 else _speak_together(plan, ranked)
    owner = next((source for source in ranked if source.mapped.get("owner_external_id")), None)
    row["owner_integration_id"] = owner.integration_id if owner else None
    is_gone = all(source.deleted_at for source in sources)
    row["archived_at"] = max(source.deleted_at or NEVER for source in sources) if is_gone else None
    several: dict[str, list[UUID]] = {}
    for name, relation in plan.relations:
        found = [one for source in ranked for one in source.find_targets(name, targets)]
        if relation.through and any(name in source.refs for source in ranked):
            several[name] = list(dict.fromkeys(found))  # the far side speaks for those that no source names
        elif not relation.many:
            row[relation.key] = found[0] if found else None
    return row, several


@dataclass(frozen=True)
class Plan:
    """How the parts of a record are merged, from their declaration."""

    first: Sequence[str]
    """Columns of the best source that has a value."""
    united: Sequence[tuple[str, Any]]
    """Columns of all sources, and what they are where there is none."""
    groups: Sequence[Sequence[str]]
    relations: Sequence[tuple[str, Relation]]


@cache
def plan_of(type_: RecordType) -> Plan:
    """Of a type of record; once."""
    record = BY_TYPE[type_]
    by_merge = [(name, column.merge) for name, column in columns(record).items()]
    return Plan(
        first=[name for name, merge in by_merge if merge not in ("union", "local")],
        united=[(name, {} if name == "custom_fields" else []) for name, merge in by_merge if merge == "union"],
        groups=[list(group.parts.values()) for group in declared(record, Group).values()],
        relations=list(declared(record, Relation).items()),
    )


def _speak_alone(plan: Plan, mapped: Mapping[str, Any]) -> dict[str, Any]:
    row = {name: mapped.get(name) for name in plan.first}
    for name, nothing in plan.united:
        value = mapped.get(name)
        row[name] = nothing if value is None else value
    for names in plan.groups:
        if mapped.get(names[0]) is None:
            row |= dict.fromkeys(names)
    return row


def _speak_together(plan: Plan, ranked: Sequence[Source]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in plan.first:
        row[name] = next((one.mapped[name] for one in ranked if one.mapped.get(name) is not None), None)
    for name, nothing in plan.united:
        row[name] = unite([one.mapped[name] for one in ranked if one.mapped.get(name) is not None], nothing)
    for names in plan.groups:
        holder = next((one.mapped for one in ranked if one.mapped.get(names[0]) is not None), {})
        row |= {name: holder.get(name) for name in names}
    return row


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
        seen.setdefault(name_entry(one), {**one, "primary": not seen} if isinstance(one, dict) else one)
    return list(seen.values())


def name_entry(entry: Any) -> str:
    """What tells an entry of a list from the others."""
    name: str = (entry.get("e164") or entry["value"]).casefold() if isinstance(entry, dict) else entry
    return name
