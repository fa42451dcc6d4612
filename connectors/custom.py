"""Custom fields by the name that people gave them."""

from collections import Counter
from collections.abc import Iterable, Mapping

from connectors.facts import Field


def name_fields(fields: Iterable[Field]) -> Mapping[str, str]:
    """key -> name for the custom fields. Fields of one name are told apart by the beginning of their keys.

    The key stays when a field is renamed, so its values move to the new name with the next run.
    """
    custom = [field for field in fields if field.is_custom]
    taken = Counter(field.label for field in custom)
    named = {field.name: field.label for field in custom if taken[field.label] == 1}
    used = set(named.values())
    for field in custom:
        if taken[field.label] > 1:
            short = f"{field.label} ({field.name[:6]})"
            named[field.name] = f"{field.label} ({field.name})" if short in used else short
            used.add(named[field.name])
    return named
