"""Global ids, as they come in."""

from uuid import UUID

from resolvers.errors import Unknown
from storage.listing import GlobalId, InvalidQuery


def read_key(id: str, *types: str) -> UUID | None:
    """The key in a global id; None where it is of another type. Raises InvalidQuery for what can be no id."""
    found = GlobalId.read(id)
    return found.key if found.type in types else None


def require_key(id: str, type_: str, what: str, field: str) -> UUID:
    """The key in a global id of an input. Raises Unknown where it is of another type."""
    key = read_key(id, type_)
    if key is None:
        raise Unknown(what, field)
    return key


def decode_id(text: str) -> tuple[str, UUID] | None:
    """The type and the key in a global id; None where it is none."""
    try:
        found = GlobalId.read(text)
    except InvalidQuery:
        return None
    return found.type, found.key
