"""The stage of tests/flows."""

from tests.flows.conftest import crm, idle, shared, stage

__all__ = ["crm", "idle", "shared", "stage"]
