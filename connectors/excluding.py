"""Fields of the CRM of which nothing is stored."""

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from connectors.declaration import Connector, ExternalType
from connectors.facts import Payload

HOLDERS = ("properties", "custom_fields")
"""Where payloads have fields beside the top."""


def strip_payload(external: ExternalType, payload: Payload, excluded: frozenset[str]) -> Payload:
    """The payload without these fields, at its top and where it holds others; itself where it has none of them."""
    if not excluded:
        return payload
    keys = _list_keys(external, excluded)
    held = {name: payload[name] for name in HOLDERS if isinstance(payload.get(name), dict)}
    if all(keys.isdisjoint(each) for each in (payload, *held.values())):
        return payload
    return {**_without(payload, keys), **{name: _without(each, keys) for name, each in held.items()}}


def _without(fields: Payload, keys: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in keys}


@lru_cache(maxsize=1_000)
def _list_keys(external: ExternalType, excluded: frozenset[str]) -> frozenset[str]:
    return frozenset(key for name in excluded for key in external.keys(name))


def list_needed(connector: Connector) -> frozenset[str]:
    """The fields that cannot be left out: ids, times and marks of deletion, without which nothing can be synced."""
    return connector.needed | {name for external in connector.types for name in _name_needed(external)}


def _name_needed(external: ExternalType) -> Iterator[str]:
    paths = (external.identifier, external.created, external.updated, external.deleted)
    return (path.rpartition(".")[2] for path in paths if isinstance(path, str))
