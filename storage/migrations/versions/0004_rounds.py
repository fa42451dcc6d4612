"""Rounds: how far DELTAs have gone through what shows no change by itself; and by whose midnight an account's days end."""

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
alter table integration add column account_time_zone varchar;
alter table integration add column rounds jsonb not null default '{}';
alter table integration alter column rounds drop default;
"""


def upgrade() -> None:
    """Adds them."""
    op.execute(TABLES)
