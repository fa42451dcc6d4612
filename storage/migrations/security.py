"""Row-level security, for the revisions."""

from alembic import op

POLICY = """
create policy workspace on {table}
    using ({column} = (select nullif(current_setting('app.workspace', true), '')::uuid))
    with check ({column} = (select nullif(current_setting('app.workspace', true), '')::uuid))
"""
"""`(select …)` is evaluated once per statement; after a transaction the setting is '' and not null, hence `nullif`."""


def enable_rls(table: str, column: str = "workspace_id") -> None:
    """Rows of the transaction's workspace only, for the owner too; without a workspace there are none.

    A revision that changes rows runs as the owner: it has to set app.workspace for each workspace in turn.
    """
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(POLICY.format(table=table, column=column))
