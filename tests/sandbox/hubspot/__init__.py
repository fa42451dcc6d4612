"""The simulated HubSpot: what the users of the simulator rely on."""
