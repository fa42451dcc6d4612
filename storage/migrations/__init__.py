"""Alembic's side of the database: the revisions, and what they are run with."""
