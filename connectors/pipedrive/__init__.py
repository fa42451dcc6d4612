"""Pipedrive: API v2 wherever it exists, v1 for users, notes, leads and the names of activity types."""

from connectors.pipedrive.declaration import CONNECTOR

__all__ = ["CONNECTOR"]
