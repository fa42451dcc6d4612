"""Rows and shapes: the declarations, the tables, the database, every statement, secrets at rest, the cache."""
