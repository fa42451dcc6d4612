"""What changes and provenance tell of a record: its fields by the names that GraphQL has for them."""

from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

from storage.declare import Column, Group, Relation, camel, columns, declared
from storage.records import Record

Told: TypeAlias = Column | Group | Relation

CUSTOM = "customFields"
"""The field that has fields of its own: `customFields.x`."""

UNTOLD = frozenset({"id", "created_at", "updated_at", "custom_fields"})

OWNER = Group(
    description="The user in charge, in the CRM.",
    type=dict,
    parts={"externalId": "owner_external_id", "integrationId": "owner_integration_id"},
)


@cache
def list_fields(record: type[Record]) -> Mapping[str, Told]:
    """The fields of a record beside the custom ones: what it is described by, groups as one, relations as ids.

    Of a relation to many, only the side that the table between is named after: a deal has its contacts.
    """
    found: dict[str, Told] = {
        camel(column.name): column
        for column in columns(record).values()
        if column.description and column.name not in UNTOLD
    }
    found |= {camel(name): group for name, group in declared(record, Group).items()}
    for name, relation in declared(record, Relation).items():
        if not relation.many or relation.through.startswith(f"{record.__name__.lower()}_"):
            found[camel(name)] = relation
    return {**found, "owner": OWNER}
