"""People's names in a CRM that has the whole name alone: the parts that it shows are of its own making."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from connectors.registry import CONNECTORS
from storage.outbound import LocalValue
from storage.shapes import RecordType
from sync.golden import Source
from sync.local import Unit, compose_name, find_unit

WHOLE = "name"
PARTS = ("first_name", "last_name")
NAMES = (*PARTS, WHOLE)
"""Of a contact: parts of two people's names make a third one's."""


def find_told(type_: RecordType, unit: Unit, source: Source) -> Unit:
    """What a source has been told, and tells, in the place of a unit: the whole name for a part that it only makes."""
    is_part = type_ is RecordType.CONTACT and unit.name in PARTS
    return find_unit(type_, WHOLE) if is_part and _has_whole_alone(source.crm, source.external_type) else unit


@cache
def _has_whole_alone(crm: str, external_type: str) -> bool:
    connector = CONNECTORS.get(crm)
    external = connector.by_name.get(external_type) if connector else None
    fills = external.writes.fills if external and external.writes else {}
    return WHOLE in fills and fills.keys().isdisjoint(PARTS)


def compose_ours(values: Mapping[str, Any], source: Source) -> str | None:
    """The whole name as it stands here: what was written of it, the rest as the source has it."""
    if WHOLE in values:
        return str(values[WHOLE]) if values[WHOLE] else None
    return compose_name(*(values.get(part, source.mapped.get(part)) for part in PARTS))


def compose_base(written: Mapping[str, LocalValue], source: Source) -> str | None:
    """The whole name from which both sides have started."""
    key = str(source.id)
    held = {part: written[part].bases.get(key) for part in PARTS if part in written}
    return compose_name(*(held.get(part, source.mapped.get(part)) for part in PARTS))


def compose_said(source: Source) -> str | None:
    """The whole name, of the parts that a source shows."""
    return compose_name(*(source.mapped.get(part) for part in PARTS))


def find_missing(written: Mapping[str, LocalValue], source: Source) -> str | None:
    """The part of the name that was not written of a record, where the other one was, and the source shows that otherwise:
    if it is our name that it has, the part shown here is ours too."""
    held = [part for part in PARTS if part in written]
    if WHOLE in written or len(held) != 1 or written[held[0]].value == source.mapped.get(held[0]):
        return None
    return next(part for part in PARTS if part != held[0])
