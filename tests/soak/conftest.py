"""The stage of tests/flows."""

from tests.flows.conftest import idle, shared, stage

__all__ = ["idle", "shared", "stage"]
