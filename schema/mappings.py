"""Mappings of fields: which field of a CRM is which of ours."""

import strawberry

from schema import enums  # noqa: F401 # the enums below get their descriptions there
from schema.field import shown
from schema.paging import Row
from storage.shapes import Direction


@strawberry.type(
    description="One per external type, local field and direction: the connector's own, or one in its place."
)
class FieldMapping(Row):
    external_type: str = shown("The type of record, in the CRM's own word.")
    local_field: str = shown("The field here, as its type has it: jobTitle, amount; or customFields.x.")
    crm_field: str = shown(
        "The field there, as the CRM's API calls it; where a default looks at several, the one that comes first."
    )
    direction: Direction = shown(
        "Which way values go. As shipped nothing is written to a CRM, whatever a mapping says: the integration decides that."
    )
    transform: str | None = shown("An expression over `value`, as docs/mappings.md has it; null copies.")
    is_default: bool = shown("Whether it is the connector's own.")


@strawberry.type(description="A mapping that may be wanted.")
class FieldMappingSuggestion:
    local_field: str = shown("The field here; customFields.x where it is none of them, and worth keeping.")
    crm_field: str = shown("The field there.")
    score: float = shown("How likely it is meant: 0 to 1.")
    reason: str = shown("Why: name, label, type, and what the stored records have in it.")
    row: strawberry.Private[object]
