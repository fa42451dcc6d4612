"""The statements that read what records come from: sources, users of CRMs; and single rows by their ids."""

from collections.abc import Mapping
from typing import Final

from sqlmodel import SQLModel

from storage import records, tables
from storage.integrations import STAYS
from storage.listing import stored

NODES: Final[Mapping[str, type[SQLModel]]] = {
    **records.RECORDS,
    "SourceRecord": tables.SourceRecord,
    "Member": tables.Member,
    "Workspace": tables.Workspace,
}
"""What can be read by its id, by the name that its global ids have."""

HEAVY: Final = frozenset({"payload", "mapped", "refs", "content_hash"})
"""Columns of a source record that are larger than all the others together: a payload is read where it is asked for."""


def by_ids(name: str) -> str:
    """The rows of `%(ids)s`."""
    table, columns = stored(NODES[name])
    owner = "t.id" if table == "workspace" else "t.workspace_id"
    found = f"SELECT {_list(columns)} FROM {table} t WHERE {owner} = %(workspace)s AND t.id = ANY(%(ids)s::uuid[])"
    return f"{found} AND {STAYS}" if name == "SourceRecord" else found


def _list(columns: tuple[str, ...]) -> str:
    return ", ".join(f"t.{column}" for column in columns if column not in HEAVY)


_SOURCE = _list(stored(tables.SourceRecord)[1])

OF_RECORDS: Final = (
    f"SELECT {_SOURCE} FROM source_record t WHERE t.workspace_id = %(workspace)s"
    f" AND t.record_id = ANY(%(ids)s::uuid[]) AND {STAYS}"
    " ORDER BY t.record_id, t.crm, t.integration_id, t.external_type, t.external_id"
)
"""All sources of several records, always in the same order."""

SPEAKING: Final = (
    f"SELECT {_SOURCE}, t.mapped, t.refs, w.source_priority FROM source_record t JOIN workspace w ON w.id = t.workspace_id"
    " WHERE w.id = %(workspace)s AND t.workspace_id = %(workspace)s"
    f" AND t.record_id = ANY(%(ids)s::uuid[]) AND {STAYS}"
)
"""What all sources of several records say, and which integrations come first in the workspace."""

PAYLOADS: Final = (
    "SELECT t.id, t.payload FROM source_record t WHERE t.workspace_id = %(workspace)s AND t.id = ANY(%(ids)s::uuid[])"
)
"""What the CRM gave for several sources."""

BY_SOURCE: Final = (
    "SELECT t.record_type, t.record_id FROM source_record t WHERE t.workspace_id = %(workspace)s"
    " AND t.integration_id = %(integration)s AND t.external_type = %(type)s AND t.external_id = %(id)s"
    f" AND {STAYS}"
)
"""The record that a CRM's record belongs to."""

OF_TYPE: Final = (
    f"SELECT {_SOURCE} FROM source_record t WHERE t.workspace_id = %(workspace)s"
    " AND t.integration_id = %(integration)s AND t.external_type = %(type)s AND t.external_id = ANY(%(ids)s::text[])"
)
"""What several records of one type of a CRM are here."""

NAMES: Final = (
    "SELECT t.external_id, t.mapped ->> 'name' AS name FROM source_record t WHERE t.workspace_id = %(workspace)s"
    " AND t.integration_id = %(integration)s AND t.external_type = %(type)s AND t.external_id = ANY(%(ids)s::text[])"
)
"""What they are called there."""

USERS: Final = (
    "SELECT t.* FROM unnest(%(integrations)s::uuid[], %(ids)s::text[]) AS k(integration_id, external_id)"
    f" JOIN crm_user t USING (integration_id, external_id) WHERE t.workspace_id = %(workspace)s AND {STAYS}"
)
"""Users of CRMs, by integration and id."""

MEMBERS: Final = (
    "SELECT t.* FROM member t WHERE t.workspace_id = %(workspace)s AND lower(t.email) = ANY(%(emails)s::text[])"
    " AND t.removed_at IS NULL"
)
"""Members by e-mail, in lower case."""
