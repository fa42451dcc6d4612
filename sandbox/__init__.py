"""The CRMs, simulated as one Starlette app over real HTTP; it imports nothing else of this project."""
