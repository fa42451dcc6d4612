"""What mappings would make of the stored payloads: nothing is written, and no CRM is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from connectors.facts import Catalog
from connectors.overrides import Overrides
from connectors.registry import CONNECTORS
from connectors.targets import Target, find_target
from storage.database import Database
from storage.declare import Group, camel, declared
from storage.records import BY_TYPE
from storage.shapes import RecordType
from storage.tables import Integration
from sync.catalogs import find_catalogs
from sync.project import Projection, project
from sync.remap import UNREAD
from sync.rewrite import Anew

BATCH = 2_000
"""Records that are read at a time."""
MOST_SAMPLES = 20


class Unread(Exception):  # noqa: N818 # it is told to a person
    """No run has kept what fields mean yet: a sentence that says what helps."""


@dataclass(kw_only=True)
class Sample:
    """One record, as the mappings would have it: by local field. An error where they make nothing of it."""

    source_id: UUID
    before: Mapping[str, Any]
    after: Mapping[str, Any] | None
    error: str | None = None


@dataclass(kw_only=True)
class MappingPreview:
    """What would change."""

    records: int = 0
    changed: int = 0
    failed: int = 0
    values: int = 0
    """Values that the mappings give."""
    asked: int = 0
    """Values that they could give: one of each record for each mapping."""
    sample: list[Sample] = field(default_factory=list)
    """Failures and changes, the first ones of each type."""

    @property
    def coverage_percent(self) -> float:
        """For how many of the records the mappings give a value, in per cent; of several mappings all together."""
        return round(100 * self.values / self.asked, 1) if self.asked else 0.0


async def preview(
    database: Database,
    integration: Integration,
    overrides: Overrides,
    fields: Mapping[str, Sequence[str]],
    region: str | None,
) -> MappingPreview:
    """What these overrides would make of the stored records of some external types; `fields` are the local fields of each
    that are looked at. Raises Unread; Unmappable for a rule that cannot be used at all."""
    catalogs = await find_catalogs(database, integration, region)
    found = MappingPreview()
    for name in (one.name for one in CONNECTORS[integration.crm].types if fields.get(one.name)):
        await _look(database, integration, overrides, found, (name, fields[name], catalogs.get(name)))
    return found


async def _look(
    database: Database,
    integration: Integration,
    overrides: Overrides,
    found: MappingPreview,
    about: tuple[str, Sequence[str], Catalog | None],
) -> None:
    name, fields, catalog = about
    external = CONNECTORS[integration.crm].type(name)
    projection = Projection.of(external, catalog or Catalog(), overrides, fields, brief=True)
    targets = [target for one in fields if (target := find_target(external.record_type, one))]
    known = {"integration": integration.id, "most": BATCH, **projection.values}
    after = ""
    while rows := await database.fetch(integration.workspace_id, projection.statement, {**known, "after": after}):
        if catalog is None:
            raise Unread(UNREAD.format(type=name))
        for row in await project(projection, rows):
            _count(found, external.record_type, targets, row)
        after = rows[-1]["external_id"]


def _count(found: MappingPreview, type_: RecordType, targets: Sequence[Target], row: Anew) -> None:
    found.records += 1
    found.asked += len(targets)
    if row.error:
        found.failed += 1
    else:
        now = row.now
        found.changed += bool(row.changed)
        found.values += sum(pick(type_, target, now) not in (None, "", [], {}) for target in targets)
    if (row.error or row.changed) and len(found.sample) < MOST_SAMPLES:
        found.sample.append(
            Sample(
                source_id=row.id,
                before={target.name: pick(type_, target, row.before) for target in targets},
                after=None if row.error else {target.name: pick(type_, target, row.now) for target in targets},
                error=row.error["message"] if row.error else None,
            )
        )


def pick(type_: RecordType, target: Target, values: Mapping[str, Any]) -> Any:
    """The value of a local field; of a group by the names of its parts."""
    if target.custom is not None:
        return (values.get("custom_fields") or {}).get(target.custom)
    if len(target.columns) == 1:
        return values.get(target.columns[0])
    group = next(
        (one for one in declared(BY_TYPE[type_], Group).values() if target.columns[0] in one.parts.values()), None
    )
    if group is None or values.get(target.columns[0]) is None:
        return values.get(target.columns[0])
    return {camel(name): values.get(column) for name, column in group.parts.items()}
