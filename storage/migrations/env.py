"""Alembic runs this file for each command; the connection is handed over by storage.migrations.upgrade."""

from alembic import context

from storage.migrations.upgrade import METADATA, include_object

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    include_object=include_object,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
