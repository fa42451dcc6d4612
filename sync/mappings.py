"""What people have decided of an integration's mapping, read where records are mapped."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.declaration import ExternalType
from connectors.errors import Unmappable
from connectors.facts import Catalog, Mapped
from connectors.mapping import map_record
from connectors.overrides import Overrides, Rule
from storage import mappings
from storage.database import Database
from storage.tables import Integration


async def read_overrides(database: Database, integration: Integration) -> Overrides:
    """As they are now."""
    values = {"integration": integration.id}
    rows = await database.fetch(integration.workspace_id, mappings.OVERRIDES, values)
    return make_overrides(rows[0]) if rows else Overrides()


def make_overrides(row: Mapping[str, Any]) -> Overrides:
    """From a row of `storage.mappings.OVERRIDES`."""
    return Overrides(
        version=row["mappings_version"],
        rules=_by_type(row["rules"]),
        outward=_by_type(row["outward"]),
        excluded=frozenset(row["excluded_fields"]),
    )


def _by_type(rows: Sequence[Sequence[Any]]) -> dict[str, tuple[Rule, ...]]:
    rules: dict[str, list[Rule]] = {}
    for external_type, local_field, crm_field, transform in rows:
        rule = Rule(local_field=local_field, crm_field=crm_field, transform=transform)
        rules.setdefault(external_type, []).append(rule)
    return {name: tuple(each) for name, each in rules.items()}


async def find_overrides(database: Database, session: AsyncSession, integration: Integration) -> Overrides:
    """As they are in this transaction."""
    rows = await database.run(session, mappings.OVERRIDES, {"integration": integration.id})
    return make_overrides(rows[0]) if rows else Overrides()


def renew(
    external: ExternalType, records: Sequence[Mapped], catalog: Catalog, overrides: Overrides
) -> tuple[list[Mapped], list[tuple[Mapped, Unmappable]]]:
    """The records as these mappings have them, those that were mapped by others mapped anew; and those that cannot be.

    A page is mapped while the one before is written, and mappings may change in between. Once the page holds the lock of its
    workspace, what they are is what they are: a remap of what was stored before has to wait for that lock.
    """
    kept: list[Mapped] = []
    failed: list[tuple[Mapped, Unmappable]] = []
    for one in records:
        try:
            is_new = one.version == overrides.version
            kept.append(one if is_new else map_record(external, one.payload, catalog, overrides))
        except Unmappable as error:
            failed.append((one, error))
    return kept, failed
