"""What people have decided of an integration's mapping in the place of the connector's."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One mapping of somebody's own, in one direction."""

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
    """external type -> rules of the way in."""
    outward: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """external type -> rules of the way out; a transform of theirs makes the CRM's value of ours."""
    excluded: frozenset[str] = frozenset()
    """CRM fields of which nothing is taken."""

    def of(self, external_type: str) -> tuple[Rule, ...]:
        """The rules of a type for the way in."""
        return self.rules.get(external_type, ())

    def out_of(self, external_type: str) -> tuple[Rule, ...]:
        """The rules of a type for the way out."""
        return self.outward.get(external_type, ())


NONE = Overrides()
