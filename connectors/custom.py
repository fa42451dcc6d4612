"""Custom fields: the names that people gave them, and values as their types have them in JSON."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.facts import Field

EXACT = 2**53
"""Up to here every integer is a number to all who read JSON: https://www.rfc-editor.org/rfc/rfc8259#section-6"""


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


def name_options(options: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """value -> label of a picklist. Options of one label carry their values too, so that each leads back to its value."""
    given = tuple(options)
    taken = Counter(label for _, label in given)
    return {value: label if taken[label] == 1 else f"{label} ({value})" for value, label in given}


def read_number(value: Any) -> Any:
    """A number that JSON holds exactly, else its text; what is no number stays as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        exact = Decimal(str(value))
        number = int(exact) if exact == exact.to_integral_value() and abs(exact) < EXACT else float(exact)
    except (InvalidOperation, ValueError, OverflowError):
        return value
    return number if exact.is_finite() and Decimal(str(number)) == exact else str(value)
