"""What people have decided of an integration's mapping in the place of the connector's."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One inbound mapping of somebody's own."""

    local_field: str
    """As GraphQL writes it: jobTitle, customFields.score."""
    crm_field: str
    """As the CRM's API calls it: the `name` of connectors.facts.Field."""
    transform: str | None = None
    """An expression over `value`; None copies."""


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """All of one integration."""

    version: int = 0
    """Grows with each change of them."""
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """external type -> rules."""
    excluded: frozenset[str] = frozenset()
    """CRM fields of which nothing is taken."""

    def of(self, external_type: str) -> tuple[Rule, ...]:
        """The rules of a type."""
        return self.rules.get(external_type, ())


NONE = Overrides()
