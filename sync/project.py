"""Stored payloads in our shape anew: whole records, or the few columns that a changed mapping is about."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from connectors.declaration import ExternalType
from connectors.errors import Unmappable
from connectors.facts import Catalog, Mapped
from connectors.mapping import map_record
from connectors.overrides import Overrides
from connectors.partial import Partial, rebuild
from storage import remap
from sync.digest import digest, renew_digest, write
from sync.rewrite import Anew, is_keyed
from sync.trouble import tell

AT_ONCE = 50
"""Records mapped before others get their turn: requests are answered by the same process."""

MISSING = object()


@dataclass(frozen=True, kw_only=True)
class Projection:
    """How the sources of a type are read and mapped."""

    external: ExternalType
    catalog: Catalog
    overrides: Overrides
    partial: Partial | None
    """None: all of the record."""
    places: Sequence[str] | None
    """The parts of payloads that are read; None: all of them."""
    brief: bool = False
    """Of what was mapped, only the columns concerned are read: enough to compare, not to write."""

    @classmethod
    def of(
        cls,
        external: ExternalType,
        catalog: Catalog,
        overrides: Overrides,
        fields: Sequence[str] | None,
        *,
        brief: bool = False,
    ) -> Self:
        """For these local fields; None for all there is."""
        partial = None if fields is None else Partial.of(external, catalog, overrides, fields)
        places = partial.places if partial else None
        known: dict[str, Any] = {"external": external, "catalog": catalog, "overrides": overrides, "brief": brief}
        return cls(partial=partial, places=places, **known)

    @property
    def is_keyed(self) -> bool:
        """It can change who a record is."""
        return self.partial is None or is_keyed(self.external.record_type, self.partial.written)

    @property
    def statement(self) -> str:
        """Reads the next sources of an integration: `integration`, `after`, `most` and the `values` below."""
        columns = len(self.partial.written) if self.partial and self.brief else 0
        return remap.read_sources(None if self.places is None else len(self.places), columns)

    @property
    def values(self) -> dict[str, Any]:
        """Of the statement, beside what says where it goes on."""
        paths = {f"path{number}": place.split(".") for number, place in enumerate(self.places or ())}
        columns = {f"column{number}": name for number, name in enumerate(self.partial.written if self.partial else ())}
        return {"type": self.external.name, **paths, **columns}

    def map(self, row: Mapping[str, Any]) -> Anew:
        """What the mappings make of a stored source. Raises Unmappable."""
        if self.partial is None:
            mapped = map_record(self.external, row["payload"], self.catalog, self.overrides)
            return renew(self.external, row, mapped)
        payload = row["payload"] if self.places is None else rebuild(self.places, row["payload"])
        values, before = self.partial.map(payload), row["mapped"]
        if "custom_fields" in values:
            kept = {k: v for k, v in (before["custom_fields"] or {}).items() if k not in self.partial.custom}
            values["custom_fields"] = kept | values["custom_fields"]
        changed = differing(before, values)
        writes = changed and not self.brief
        return Anew(
            id=row["id"],
            external_id=row["external_id"],
            record_id=row["record_id"],
            is_shared=not self.brief and row["is_shared"],
            before=before,
            changed=changed,
            hash=renew_digest(row["content_hash"], write({**before, **changed})) if writes else None,
        )


def renew(external: ExternalType, row: Mapping[str, Any], mapped: Mapped) -> Anew:
    """A source beside what was mapped of the whole of it."""
    refs = {name: [list(ref) for ref in mapped.refs.get(name, ())] for name in external.references}
    changed, values = differing(row["mapped"], mapped.values), write(mapped.values)
    is_stripped, is_moved = mapped.payload is not row["payload"], refs != row["refs"]
    new: bytes | None = None
    if is_stripped or is_moved:
        new = digest(write(mapped.payload), write(mapped.refs), values)
    elif changed:
        new = renew_digest(row["content_hash"], values)
    return Anew(
        id=row["id"],
        external_id=row["external_id"],
        record_id=row["record_id"],
        is_shared=row["is_shared"],
        before=row["mapped"],
        changed=changed,
        hash=new,
        payload=mapped.payload if is_stripped else None,
        refs=refs if is_moved else None,
    )


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that say something else now."""
    return {name: value for name, value in now.items() if before.get(name, MISSING) != value}


async def project(projection: Projection, rows: Sequence[Mapping[str, Any]]) -> list[Anew]:
    """Each source, or what is told of it where it cannot be mapped."""
    found = []
    for number, row in enumerate(rows):
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        try:
            found.append(projection.map(row))
        except Unmappable as error:
            found.append(
                Anew(
                    id=row["id"],
                    external_id=row["external_id"],
                    record_id=row["record_id"],
                    before=row["mapped"],
                    error=tell(projection.external.name, row["external_id"], "UNMAPPABLE", error.message, error.field),
                )
            )
    return found
