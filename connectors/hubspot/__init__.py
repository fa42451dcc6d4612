"""HubSpot: the date-versioned CRM API, by private apps, service keys and OAuth."""

from connectors.hubspot.declaration import CONNECTOR

__all__ = ["CONNECTOR"]
