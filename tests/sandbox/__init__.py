"""The simulated CRMs: what the users of the simulator rely on."""
