"""The connectors' own mappings as rows: which field of the CRM fills which of ours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from connectors.declaration import Convert, ExternalType
from connectors.facts import Catalog
from connectors.targets import list_targets
from storage.shapes import Direction


@dataclass(frozen=True, kw_only=True)
class Default:
    """One mapping of a connector's."""

    local_field: str
    crm_field: str
    """Where several are looked at, the one that comes first."""
    direction: Direction
    """BIDIRECTIONAL where a value can go back; INBOUND where it is only read."""


class Watched(dict[str, Any]):
    """A payload without values that remembers which were asked for."""

    def __init__(self, holders: tuple[str, ...] = (), prefix: str = "", seen: list[str] | None = None) -> None:
        super().__init__()
        self.prefix = prefix
        self.seen: list[str] = [] if seen is None else seen
        """Paths, in the order in which they were asked for."""
        self.update({name: Watched((), f"{name}.", self.seen) for name in holders})

    def get(self, name: str, default: Any = None) -> Any:
        """Nothing, or one of the holders."""
        if name not in self:
            self.seen.append(self.prefix + name)
        return super().get(name, default)


def find_looked_at(external: ExternalType, convert: Convert) -> tuple[list[str], Any]:
    """The paths that a function looks at in a payload, each once, the id left out; and what it makes of nothing."""
    payload = Watched(external.holders)
    made = convert(payload, Catalog())
    return [path for path in dict.fromkeys(payload.seen) if path != external.identifier], made


@cache
def list_defaults(external: ExternalType) -> tuple[Default, ...]:
    """What the connector maps by itself, in the order of our fields; what no field of the CRM decides is left out."""
    found = []
    for name, target in list_targets(external.record_type).items():
        column = target.columns[0]
        entry = external.mapping.get(column)
        if entry is None:
            continue
        paths = [entry] if isinstance(entry, str) else find_looked_at(external, entry)[0]
        told = external.telling.get(column) or (name_field(external, paths[0]) if paths else None)
        if told is not None:
            direction = Direction.BIDIRECTIONAL if goes_back(external, column) else Direction.INBOUND
            found.append(Default(local_field=name, crm_field=told, direction=direction))
    return tuple(_write_once(external, found))


def _write_once(external: ExternalType, found: Sequence[Default]) -> Iterator[Default]:
    """A field of the CRM is written from one of ours: from the one that is taken over as it is, else from the first."""
    writers: dict[str, str] = {}
    for one in found:
        if one.direction is Direction.BIDIRECTIONAL:
            column = list_targets(external.record_type)[one.local_field].columns[0]
            is_copied = isinstance(external.mapping[column], str)
            writers[one.crm_field] = one.local_field if is_copied else writers.get(one.crm_field, one.local_field)
    for one in found:
        is_read = one.direction is Direction.INBOUND or writers[one.crm_field] != one.local_field
        yield replace(one, direction=Direction.INBOUND) if is_read else one


def goes_back(external: ExternalType, column: str) -> bool:
    """Whether the connector writes what it reads into a column."""
    if external.writes is not None:
        return column in external.writes.fills
    return isinstance(external.mapping.get(column), str) and external.is_writable


def name_field(external: ExternalType, path: str) -> str:
    """A path as the CRM's list of fields writes it."""
    holder, _, name = path.partition(".")
    return name if name and holder in external.holders else path
