"""Access: API keys, invitations, the directory of workspaces, integrations that a plan holds or that are leaving."""

from alembic import op

from storage.migrations.security import enable_rls

revision = "0003"
down_revision = "0002"

TABLES = """
alter table workspace add column handle varchar;

alter table member add column invitation bytea;
alter table member add column invitation_ends_at timestamptz;
alter table member add column subject varchar;
alter table member add column removed_at timestamptz;

alter table integration add column held_by_plan boolean not null default false;
alter table integration alter column held_by_plan drop default;
alter table integration add column leaving_at timestamptz;
alter table match_key drop constraint match_key_source_id_fkey;

alter table sync_run add column triggered_by uuid;

create table api_key (
    id uuid primary key,
    workspace_id uuid not null references workspace (id) on delete cascade,
    name varchar not null,
    role varchar not null,
    prefix varchar not null,
    created_by uuid,
    created_at timestamptz not null,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index ix_api_key_workspace on api_key (workspace_id, created_at, id);

create table workspace_key (
    workspace_id uuid primary key,
    digest bytea not null unique
);

create table key_digest (
    digest bytea primary key,
    workspace_id uuid not null,
    key_id uuid not null
);
"""

DEMO = "00000000-0000-4000-8000-00000000de30"
"""The only workspace that any earlier version has made. Its handle is given here, under the lock of the migration."""

HANDLES = f"""
select set_config('app.workspace', '{DEMO}', true);
update workspace set handle = name;
insert into workspace_key (workspace_id, digest) select id, sha256(convert_to(lower(handle), 'utf8')) from workspace;
select set_config('app.workspace', '', true);
"""

KEYS_IN_USE = """
create function crosswalk_keys_in_use() returns table (workspace_id uuid, key_id text, integrations bigint)
language plpgsql as $$
declare
    before text := coalesce(current_setting('app.workspace', true), '');
    each uuid;
begin
    for each in select k.workspace_id from workspace_key k loop
        perform set_config('app.workspace', each::text, true);
        return query
            select each, sealed.key_id, count(*)
            from (
                select case when length(i.credentials) > 29
                    then encode(substring(i.credentials from 2 for get_byte(i.credentials, 0)), 'escape') end as key_id
                from integration i where i.workspace_id = each
            ) sealed
            where sealed.key_id ~ '^[A-Za-z0-9_.-]{1,32}$'
            group by sealed.key_id;
    end loop;
    perform set_config('app.workspace', before, true);
end
$$;
"""
"""Ids and counts over all workspaces, for whoever has no workspace: what row-level security covers stays behind it. A sealed
value begins with the length of its key's id, and the id."""


def upgrade() -> None:
    """Adds the columns and tables; what is there stays as it is."""
    op.execute(TABLES)
    op.execute(HANDLES)
    op.execute(KEYS_IN_USE)
    enable_rls("api_key")
