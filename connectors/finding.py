"""Whether a record has a key that it was looked for by: exactly, but for how people write it."""

from collections.abc import Callable, Mapping
from typing import Any

from connectors.declaration import ExternalType
from connectors.errors import Unmappable
from connectors.facts import Catalog, Payload
from connectors.paths import follow_path
from connectors.phones import to_e164
from connectors.values import read_domain


def fold(text: str, _: str | None) -> str:
    """Without capitals and needless blanks."""
    return " ".join(text.casefold().split())


def fold_domain(text: str, _: str | None) -> str:
    """The domain of an address or of a website."""
    return read_domain(text) or text.casefold()


def fold_phone(text: str, region: str | None) -> str:
    """E.164 where it can be parsed."""
    return to_e164(text, region) or "".join(one for one in text if one.isalnum() or one == "+")


KEYS: Mapping[str, tuple[str, Callable[[str, str | None], str]]] = {
    "email": ("emails", fold),
    "phone": ("phones", fold_phone),
    "domain": ("domain", fold_domain),
    "name": ("name", fold),
}
"""key -> the column that has it, and how its values are compared."""


def has_key(external: ExternalType, payload: Payload, key: str, value: str, region: str | None) -> bool:
    """Whether a record, as the CRM has it, has that value."""
    column, same = KEYS[key]
    entry = external.mapping.get(column)
    if entry is None:
        return False
    try:
        found: Any = follow_path(payload, entry) if isinstance(entry, str) else entry(payload, Catalog(region=region))
    except Unmappable:
        return False
    texts = [one["value"] for one in found] if isinstance(found, list) else [found] if isinstance(found, str) else []
    return same(value, region) in {same(text, region) for text in texts}
