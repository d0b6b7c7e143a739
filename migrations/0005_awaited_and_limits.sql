-- Who is waited for, how large a row may be, how often a user may start, and which replica cleans up.

alter table public.idempotency_keys add column awaited boolean not null default false;
comment on column public.idempotency_keys.awaited is 'Another request waits for its answer: the end is announced.';

-- Both are validated by the next migration: here, with the table locked, everyone would wait while it is read.
alter table public.idempotency_keys add constraint idempotency_keys_rejection_status
  check (error_details is null or coalesce(error_details ->> 'status' ~ '^4[0-9]{2}$', false)) not valid;
-- Users may write their own rows, on Supabase past the gateway: none may be one whose replay would fill its memory.
-- What the gateway writes has a fifth of that at most.
alter table public.idempotency_keys add constraint idempotency_keys_bounded
  check (
    octet_length(response_payload::text) <= 1048576 and octet_length(request_payload::text) <= 65536
    and octet_length(error_details::text) <= 4096 and length(client_tx_id) <= 200
  ) not valid;

-- GCRA, the generic cell rate algorithm: one moment a user is all the state there is.
create table frond.rate_limits (
  user_id uuid primary key,
  full_at timestamptz not null
) with (fillfactor = 50);  -- an update finds room on its own page and touches no index
comment on table frond.rate_limits is 'One row for each user who started something lately. Users have no rights on it.';
comment on column frond.rate_limits.full_at is 'When the whole burst is allowed again. After that the row says nothing.';

create table frond.chores (
  name text primary key,
  leased_until timestamptz not null
);
comment on table frond.chores is 'What one replica does for all: it is that one''s until then.';
insert into frond.chores (name, leased_until) values ('cleanup', '-infinity');

-- The limits are the login's own: a user who may write them would raise them.
grant select, insert, update on frond.rate_limits to frond_gateway;
grant usage on schema frond to service_role;
grant select, update, delete on frond.rate_limits to service_role;
grant select, update on frond.chores to service_role;
