"""Consent, changes since the last run, choice of records, merged records."""

from alembic import op

from storage.migrations.security import enable_rls

revision = "0002"
down_revision = "0001"

TABLES = """
alter table integration add column filter jsonb;
alter table integration add column watermarks jsonb not null default '{}';
alter table integration alter column watermarks drop default;
alter table integration add column health jsonb;
alter table integration add column pending_until timestamptz;
alter table integration add column same_as uuid;

alter table sync_run add column scope jsonb not null default '{}';
alter table sync_run alter column scope drop default;
drop index uq_sync_run_queued;
drop index uq_sync_run_writing;
create unique index uq_sync_run_writing on sync_run (integration_id, (kind = 'SELECTIVE'))
    where status in ('RUNNING', 'WAITING');

create table merged_record (
    id uuid primary key,
    workspace_id uuid not null,
    record_id uuid not null
);
create index ix_merged_record_record on merged_record (record_id);

create table oauth_state (
    digest bytea primary key,
    workspace_id uuid not null,
    integration_id uuid not null references integration (id) on delete cascade,
    display_name varchar,
    member_id uuid,
    return_to varchar,
    expires_at timestamptz not null
);
create index ix_oauth_state_integration on oauth_state (integration_id);

create table oauth_grant (
    integration_id uuid primary key,
    crm varchar not null,
    account_id varchar not null,
    user_id varchar not null
);
create index ix_oauth_grant_user on oauth_grant (crm, account_id, user_id);
"""


def upgrade() -> None:
    """Adds the columns and tables; what is there stays as it is."""
    op.execute(TABLES)
    for table in ("merged_record", "oauth_state"):
        enable_rls(table)
