"""The flow between the CRMs and the store."""
