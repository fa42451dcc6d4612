"""The connectors there are: one for each folder here, found by looking."""

from collections.abc import Mapping
from enum import Enum
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import cast

import connectors
from connectors.declaration import Connector


def find_connectors() -> Mapping[str, Connector]:
    """Every folder beside this module that has a CONNECTOR, by its name."""
    folders = (found.name for found in iter_modules(connectors.__path__, "connectors.") if found.ispkg)
    declared = sorted(
        (cast("Connector", import_module(folder).CONNECTOR) for folder in folders), key=lambda one: one.name
    )
    return MappingProxyType({connector.name: connector for connector in declared})


CONNECTORS = find_connectors()

Crm = cast("type[Enum]", Enum("Crm", [(name, name) for name in CONNECTORS]))
"""The CRMs, as GraphQL's enum: name and value are the connector's name."""
