"""The first tables."""

from alembic import op

from storage.migrations.security import enable_rls

revision = "0001"
down_revision = None

TABLES = """
create table activity (
    id uuid primary key,
    workspace_id uuid not null,
    custom_fields jsonb not null,
    owner_integration_id uuid,
    owner_external_id varchar,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    archived_at timestamptz,
    kind text not null,
    kind_label varchar,
    subject varchar,
    body varchar,
    due_on date,
    due_at timestamptz,
    duration_minutes integer,
    is_done boolean not null,
    organization_id uuid,
    deal_id uuid,
    search tsvector generated always as (
        to_tsvector('simple', regexp_replace(
            (coalesce(subject, '')) collate "default",
            '[^[:alnum:]]+', ' ', 'g'))
    ) stored
);
create index ix_activity_created_at on activity (workspace_id, created_at, id);
create index ix_activity_deal_id on activity (deal_id);
create index ix_activity_due_on on activity (workspace_id, due_on, id);
create index ix_activity_due_on_down on activity (workspace_id, due_on desc nulls last, id desc);
create index ix_activity_organization_id on activity (organization_id);
create index ix_activity_owner_integration_id on activity (owner_integration_id);
create index ix_activity_updated_at on activity (workspace_id, updated_at, id);

create table activity_contact (
    activity_id uuid not null,
    contact_id uuid not null,
    workspace_id uuid not null,
    primary key (activity_id, contact_id)
);
create index ix_activity_contact_contact on activity_contact (contact_id);

create table contact (
    id uuid primary key,
    workspace_id uuid not null,
    custom_fields jsonb not null,
    owner_integration_id uuid,
    owner_external_id varchar,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    archived_at timestamptz,
    kind text,
    name text collate "C",
    first_name varchar,
    last_name varchar,
    job_title varchar,
    email text collate "C",
    emails jsonb not null,
    phone varchar,
    phones jsonb not null,
    address jsonb,
    lifecycle_stage varchar,
    tags text[] not null,
    organization_id uuid,
    search tsvector generated always as (
        to_tsvector('simple', regexp_replace(
            (coalesce(name, '') || ' '
            || jsonb_path_query_array(emails, '$[*].value')::text || ' '
            || jsonb_path_query_array(phones, '$[*].e164 ? (@ != null)')::text || ' '
            || regexp_replace(jsonb_path_query_array(phones, '$[*].value')::text, '[^0-9,]', '', 'g')) collate "default",
            '[^[:alnum:]]+', ' ', 'g'))
    ) stored
);
create index ix_contact_created_at on contact (workspace_id, created_at, id);
create index ix_contact_email on contact (workspace_id, left(email, 250), id);
create index ix_contact_email_down on contact (workspace_id, left(email, 250) desc nulls last, id desc);
create index ix_contact_name on contact (workspace_id, left(name, 250), id);
create index ix_contact_name_down on contact (workspace_id, left(name, 250) desc nulls last, id desc);
create index ix_contact_organization_id on contact (organization_id);
create index ix_contact_owner_integration_id on contact (owner_integration_id);
create index ix_contact_updated_at on contact (workspace_id, updated_at, id);

create table deal (
    id uuid primary key,
    workspace_id uuid not null,
    custom_fields jsonb not null,
    owner_integration_id uuid,
    owner_external_id varchar,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    archived_at timestamptz,
    title text collate "C",
    amount_value numeric,
    amount_currency text collate "C",
    status text,
    stage varchar,
    pipeline varchar,
    probability integer,
    expected_close_on date,
    closed_at timestamptz,
    organization_id uuid,
    search tsvector generated always as (
        to_tsvector('simple', regexp_replace(
            (coalesce(title, '')) collate "default",
            '[^[:alnum:]]+', ' ', 'g'))
    ) stored
);
create index ix_deal_amount_value on deal (workspace_id, amount_currency, amount_value, id);
create index ix_deal_amount_value_down on deal (workspace_id, amount_currency, amount_value desc nulls last, id desc);
create index ix_deal_created_at on deal (workspace_id, created_at, id);
create index ix_deal_expected_close_on on deal (workspace_id, expected_close_on, id);
create index ix_deal_expected_close_on_down on deal (workspace_id, expected_close_on desc nulls last, id desc);
create index ix_deal_organization_id on deal (organization_id);
create index ix_deal_owner_integration_id on deal (owner_integration_id);
create index ix_deal_title on deal (workspace_id, left(title, 250), id);
create index ix_deal_title_down on deal (workspace_id, left(title, 250) desc nulls last, id desc);
create index ix_deal_updated_at on deal (workspace_id, updated_at, id);

create table deal_contact (
    deal_id uuid not null,
    contact_id uuid not null,
    workspace_id uuid not null,
    primary key (deal_id, contact_id)
);
create index ix_deal_contact_contact on deal_contact (contact_id);

create table organization (
    id uuid primary key,
    workspace_id uuid not null,
    custom_fields jsonb not null,
    owner_integration_id uuid,
    owner_external_id varchar,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    archived_at timestamptz,
    name text collate "C",
    domain varchar,
    website varchar,
    industry varchar,
    employee_count integer,
    phone varchar,
    address jsonb,
    tags text[] not null,
    search tsvector generated always as (
        to_tsvector('simple', regexp_replace(
            (coalesce(name, '') || ' ' || coalesce(domain, '')) collate "default",
            '[^[:alnum:]]+', ' ', 'g'))
    ) stored
);
create index ix_organization_created_at on organization (workspace_id, created_at, id);
create index ix_organization_employee_count on organization (workspace_id, employee_count, id);
create index ix_organization_employee_count_down
    on organization (workspace_id, employee_count desc nulls last, id desc);
create index ix_organization_name on organization (workspace_id, left(name, 250), id);
create index ix_organization_name_down on organization (workspace_id, left(name, 250) desc nulls last, id desc);
create index ix_organization_owner_integration_id on organization (owner_integration_id);
create index ix_organization_updated_at on organization (workspace_id, updated_at, id);

create table rate_window (
    crm varchar not null,
    account varchar not null,
    "window" varchar not null,
    "limit" bigint,
    used bigint not null,
    calls timestamptz[] not null,
    resets_at timestamptz,
    blocked_until timestamptz,
    updated_at timestamptz not null,
    primary key (crm, account, "window")
);

create table workspace (
    id uuid primary key,
    name varchar not null,
    plan varchar not null,
    created_at timestamptz not null
);

create table integration (
    id uuid primary key,
    workspace_id uuid not null references workspace on delete cascade,
    crm varchar not null,
    display_name varchar not null,
    status varchar not null,
    credential_kind varchar not null,
    credentials bytea,
    scopes text[] not null,
    account_id varchar,
    account_name varchar,
    account_url varchar,
    account_user_id varchar,
    record_types text[] not null,
    last_synced_at timestamptz,
    last_error varchar,
    connected_by uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
create unique index uq_integration_account on integration (workspace_id, crm, account_id);

create table member (
    id uuid primary key,
    workspace_id uuid not null references workspace on delete cascade,
    email varchar not null,
    name varchar,
    role varchar not null,
    invited_at timestamptz,
    joined_at timestamptz
);
create unique index uq_member_email on member (workspace_id, email);

create table crm_user (
    integration_id uuid not null references integration on delete cascade,
    external_id varchar not null,
    workspace_id uuid not null,
    name varchar,
    email varchar,
    is_active boolean not null,
    primary key (integration_id, external_id)
);

create table source_record (
    id uuid primary key,
    workspace_id uuid not null,
    integration_id uuid not null references integration on delete cascade,
    crm varchar not null,
    external_type varchar not null,
    external_id varchar not null,
    record_type varchar not null,
    record_id uuid not null,
    url varchar,
    payload jsonb not null,
    mapped jsonb not null,
    refs jsonb not null,
    missing text[] not null,
    content_hash bytea not null,
    remote_created_at timestamptz,
    remote_updated_at timestamptz,
    synced_at timestamptz not null,
    deleted_at timestamptz
);
create index ix_source_record_missing on source_record (integration_id) where cardinality(missing) > 0;
create index ix_source_record_record on source_record (record_id);
create unique index uq_source_record on source_record (integration_id, external_type, external_id);

create table sync_run (
    id uuid primary key,
    workspace_id uuid not null,
    integration_id uuid not null references integration on delete cascade,
    kind varchar not null,
    status varchar not null,
    record_types text[] not null,
    cursor jsonb,
    counts jsonb not null,
    api_calls integer not null,
    claim integer not null,
    cancel_requested boolean not null,
    message varchar,
    resumes_at timestamptz,
    trigger varchar not null,
    created_at timestamptz not null,
    started_at timestamptz,
    completed_at timestamptz,
    updated_at timestamptz not null
);
create index ix_sync_run_created on sync_run (workspace_id, created_at, id);
create index ix_sync_run_integration on sync_run (integration_id, created_at, id);
create unique index uq_sync_run_queued on sync_run (integration_id, kind) where status = 'QUEUED';
create unique index uq_sync_run_writing on sync_run (integration_id) where status in ('RUNNING', 'WAITING');

create table match_key (
    source_id uuid not null references source_record on delete cascade,
    kind varchar not null,
    value varchar not null,
    workspace_id uuid not null,
    record_type varchar not null,
    record_id uuid not null,
    primary key (source_id, kind, value)
);
create index ix_match_key_record on match_key (record_id);
create index ix_match_key_value on match_key (workspace_id, record_type, kind, value);

create table sync_error (
    id uuid primary key,
    workspace_id uuid not null,
    run_id uuid not null references sync_run on delete cascade,
    external_type varchar,
    external_id varchar,
    field varchar,
    code varchar not null,
    message varchar not null,
    at timestamptz not null
);
create unique index uq_sync_error on sync_error (run_id, external_type, external_id, code);
"""

WITH_WORKSPACE = (
    "activity",
    "activity_contact",
    "contact",
    "deal",
    "deal_contact",
    "organization",
    "integration",
    "member",
    "crm_user",
    "source_record",
    "sync_run",
    "match_key",
    "sync_error",
)


def upgrade() -> None:
    """Forward only: a database goes back by its backup."""
    op.get_bind().exec_driver_sql(TABLES)
    enable_rls("workspace", column="id")
    for table in WITH_WORKSPACE:
        enable_rls(table)
