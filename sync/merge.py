"""Which unified record a source belongs to, and what the record is when several sources speak of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from storage.declare import Relation, columns, declared
from storage.identifiers import uuid7
from storage.records import BY_TYPE
from storage.shapes import RecordType

Key = tuple[str, str]
"""What a record can be recognised by: (kind, normalised value)."""

ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s.]{2,}")
LONGEST_KEY = 250
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(kw_only=True)
class Source:
    """A CRM's record on its way into the store, or one that is there already."""

    id: UUID
    integration_id: UUID
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


# ---------------------------------------------------------------- matching


def contact_keys(values: Mapping[str, Any]) -> Iterable[Key]:
    """E-mail addresses first, then phone numbers; what is no address, or no number, matches nobody."""
    for email in values["emails"]:
        address = email["value"].strip().lower()
        if ADDRESS.fullmatch(address):
            yield "email", address
    for phone in values["phones"]:
        if phone["e164"]:
            yield "phone", phone["e164"]


def organization_keys(values: Mapping[str, Any]) -> Iterable[Key]:
    """The domain first, then the name."""
    if values["domain"]:
        yield "domain", values["domain"].lower()
    if values["name"] and (name := " ".join(values["name"].casefold().split())):
        yield "name", name


KEYS = {RecordType.CONTACT: contact_keys, RecordType.ORGANIZATION: organization_keys}
"""How records of a type are recognised; others only ever by their link."""


def list_keys(type_: RecordType, values: Mapping[str, Any]) -> list[Key]:
    """The keys of a record, the strongest first, each once."""
    found = KEYS[type_](values) if type_ in KEYS else ()
    return list(dict.fromkeys(key for key in found if len(key[1]) <= LONGEST_KEY))


class Matcher:
    """Finds the record of each source of a page: by its link, else by the first of its keys that anybody has.

    Sources of one page find one another too. Companies of one name with different domains are different companies.
    """

    def __init__(self, candidates: Iterable[tuple[str, str, UUID]]) -> None:
        self.owners: dict[Key, UUID] = {}
        self.domains: dict[UUID, set[str]] = {}
        self.made: set[UUID] = set()
        """The records that did not exist before."""
        for kind, value, record in candidates:
            self.learn([(kind, value)], record)

    def learn(self, keys: Iterable[Key], record: UUID) -> None:
        """From now on these keys lead to that record, if they led to none."""
        for kind, value in keys:
            self.owners.setdefault((kind, value), record)
            if kind == "domain":
                self.domains.setdefault(record, set()).add(value)

    def match(self, keys: Sequence[Key]) -> UUID | None:
        """The record that has one of the keys, the strongest first; None where none has."""
        domains = {value for kind, value in keys if kind == "domain"}
        for key in keys:
            if record := self.owners.get(key):
                theirs = self.domains.get(record, set())
                if key[0] == "name" and domains and theirs and not domains & theirs:
                    continue
                return record
        return None

    def place(self, sources: Sequence[Source], keys: Mapping[UUID, Sequence[Key]]) -> None:
        """Gives each source its record: an old one, or a new id."""
        for source in sources:
            if source.record_id:
                self.learn(keys[source.id], source.record_id)
        for source in sorted(sources, key=lambda one: (len(one.external_id), one.external_id)):
            if not source.record_id:
                source.record_id = self.match(keys[source.id]) or self._make()
                self.learn(keys[source.id], source.record_id)

    def _make(self) -> UUID:
        record = uuid7()
        self.made.add(record)
        return record


# ---------------------------------------------------------------- merging


def merge_sources(
    type_: RecordType, sources: Sequence[Source], targets: Mapping[tuple[UUID, str, str], UUID]
) -> tuple[dict[str, Any], dict[str, list[UUID]]]:
    """The row of a unified record, and its links to many, by relation.

    The source that the CRM changed last comes first; deleted ones speak only where no other is left.
    """
    alive = [source for source in sources if not source.deleted_at]
    ranked = sorted(alive or sources, key=lambda one: (one.remote_updated_at or NEVER, one.id.int), reverse=True)
    row: dict[str, Any] = {}
    for name, column in columns(BY_TYPE[type_]).items():
        values = [source.mapped[name] for source in ranked if source.mapped.get(name) is not None]
        if column.merge == "union":
            row[name] = unite(values, {} if name == "custom_fields" else [])
        elif column.merge != "local":
            row[name] = values[0] if values else None
    owner = next((source for source in ranked if source.mapped.get("owner_external_id")), None)
    row["owner_integration_id"] = owner.integration_id if owner else None
    row["archived_at"] = None if alive else max(source.deleted_at or NEVER for source in sources)
    links: dict[str, list[UUID]] = {}
    for source in ranked:
        for relation, refs in source.refs.items():
            found = [targets.get((source.integration_id, kind, one)) for kind, one in refs]
            links.setdefault(relation, []).extend(record for record in found if record)
    several: dict[str, list[UUID]] = {}
    for name, declaration in declared(BY_TYPE[type_], Relation).items():
        records = list(dict.fromkeys(links.get(name, ())))
        if declaration.through and name in links:  # the far side speaks for those that no source names
            several[name] = records
        elif not declaration.many:
            row[declaration.key] = records[0] if records else None
    return row, several


def unite(values: Sequence[Any], nothing: Any) -> Any:
    """What all sources say together, each thing once; where they disagree, the first one is right."""
    if not values:
        return nothing
    if len(values) == 1:
        return values[0]
    if isinstance(nothing, dict):
        return {name: value for each in reversed(values) for name, value in each.items()}
    seen: dict[str, Any] = {}
    for one in (one for each in values for one in each):
        if isinstance(one, dict):
            seen.setdefault((one.get("e164") or one["value"]).casefold(), {**one, "primary": not seen})
        else:
            seen.setdefault(one, one)
    return list(seen.values())
