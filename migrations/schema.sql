-- The database as the migrations leave it: their sum, for reading. A test compares the two.

-- Roles as PostgREST and Supabase name them. What exists stays as it is; only the gateway's login is ours.
-- Roles belong to the whole cluster: another database's migration may make the same one at this moment.

create schema if not exists frond;
comment on schema frond is 'Functions of the Frond gateway. Not for PostgREST: they take claims from whoever may call them.';

do $$
declare
  missing text;
begin
  foreach missing in array array['anon', 'authenticated', 'service_role'] loop
    begin
      if to_regrole(missing) is null then
        execute format('create role %I nologin noinherit', missing);
      end if;
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;
end $$;

do $$
begin
  if to_regrole('frond_gateway') is null then
    -- Without a password nobody can log in yet; who deploys sets one.
    create role frond_gateway login noinherit;
  end if;
exception when duplicate_object or unique_violation then
  null;
end $$;

-- A statement that the gateway has given up on must not run on.
alter role frond_gateway set statement_timeout = '5s';
alter role frond_gateway set lock_timeout = '2s';
alter role frond_gateway set idle_in_transaction_session_timeout = '5s';

-- It may become a user and, without inheritance, is nobody until it does.
grant authenticated to frond_gateway;
grant usage on schema frond to frond_gateway;

-- auth.uid() where Supabase has not made it: the user of the claims that the transaction carries.

do $$
begin
  if to_regprocedure('auth.uid()') is null then
    create schema if not exists auth;
    create function auth.uid() returns uuid
      language sql stable
      as $uid$
        select coalesce(
          nullif(current_setting('request.jwt.claim.sub', true), ''),
          nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
        )::uuid
      $uid$;
    comment on function auth.uid() is 'As Supabase defines it: the legacy setting is read first; after a transaction both are empty.';
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
end $$;

-- One row for each request that was claimed: who is working on it, and the answer once there is one.

create table public.idempotency_keys (
  id uuid primary key default gen_random_uuid(),
  idempotency_key uuid not null,
  user_id uuid not null,
  endpoint text not null check (length(endpoint) between 1 and 200),
  status text not null default 'pending' check (status in ('pending', 'completed', 'failed')),
  request_payload jsonb not null,
  -- json, not jsonb: it keeps the text, so that a replay is the same byte for byte.
  response_payload json,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null default now() + interval '24 hours',
  client_tx_id text,
  payload_hash text not null check (payload_hash ~ '^[0-9a-f]{64}$'),
  error_details jsonb,
  owner_token uuid not null,
  leased_until timestamptz not null,
  constraint idempotency_keys_once unique (user_id, endpoint, idempotency_key),
  constraint idempotency_keys_answered check ((status = 'pending') = (response_payload is null)),
  constraint idempotency_keys_rejected check ((status = 'failed') = (error_details is not null))
);

create index idempotency_keys_expires_at on public.idempotency_keys (expires_at);

comment on table public.idempotency_keys is 'One row for each claimed request; gone 24 hours after its claim.';
comment on column public.idempotency_keys.idempotency_key is 'The header Idempotency-Key.';
comment on column public.idempotency_keys.endpoint is 'What was asked for; the same key may be used once for each.';
comment on column public.idempotency_keys.status is 'pending: someone works on it. completed: answered. failed: rejected, and always would be.';
comment on column public.idempotency_keys.request_payload is 'What was asked, image hashes included; no signed URL.';
comment on column public.idempotency_keys.response_payload is 'The body as it was sent.';
comment on column public.idempotency_keys.client_tx_id is 'The caller''s own name for it: assessmentId.';
comment on column public.idempotency_keys.payload_hash is 'SHA-256 of what was asked: another one under the same key is another request.';
comment on column public.idempotency_keys.error_details is 'Of a rejection: HTTP status, category, code.';
comment on column public.idempotency_keys.owner_token is 'Who may complete or release it: a token for each attempt.';
comment on column public.idempotency_keys.leased_until is 'After this moment, on this clock, a pending row may be taken over.';

alter table public.idempotency_keys enable row level security;
alter table public.idempotency_keys force row level security;

-- Supabase grants everything in public to everyone, TRUNCATE included, which no policy stops.
revoke all on public.idempotency_keys from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.idempotency_keys to authenticated, service_role;

-- (select auth.uid()) is evaluated once a statement, auth.uid() once a row.
create policy "own rows: select" on public.idempotency_keys
  for select to authenticated using ((select auth.uid()) = user_id);
create policy "own rows: insert" on public.idempotency_keys
  for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "own rows: update" on public.idempotency_keys
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "own rows: all" on public.idempotency_keys
  for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "service role: all" on public.idempotency_keys
  for all to service_role using (true) with check (true);

-- Claim, complete and release, each one round trip under row-level security.
-- The caller is frond_gateway, which may do nothing; act_as_user makes it the user until the transaction ends.

create function frond.act_as_user(p_claims jsonb) returns void
  language plpgsql security invoker
  as $$
begin
  if p_claims ->> 'role' is distinct from 'authenticated' or p_claims ->> 'sub' is null then
    raise insufficient_privilege using message = 'claims of no authenticated user';
  end if;
  perform
    set_config('role', 'authenticated', true),
    set_config('request.jwt.claims', p_claims::text, true),
    -- auth.uid() reads this one first: a stale value must not win.
    set_config('request.jwt.claim.sub', p_claims ->> 'sub', true),
    set_config('request.jwt.claim.role', 'authenticated', true);
end $$;

create function frond.claim_idempotency_key(
  p_claims jsonb,
  p_endpoint text,
  p_key uuid,
  p_payload_hash text,
  p_request_payload jsonb,
  p_client_tx_id text,
  p_owner_token uuid,
  p_lease interval,
  out outcome text,        -- claimed, taken_over, replayed, mismatch, in_flight
  out answer text,         -- replayed: the stored body
  out answer_status int,   -- replayed: its HTTP status
  out lease_left interval  -- in_flight: how long the other one has at most
)
  language plpgsql security invoker
  as $$
declare
  held public.idempotency_keys;
begin
  perform frond.act_as_user(p_claims);
  -- A claim that a crash of the server forgets costs a second inference and no second answer: do not wait for the disk.
  perform set_config('synchronous_commit', 'off', true);
  -- A turn that ends without an answer lost against another claim, which the next turn reads.
  for turn in 1..3 loop
    -- Read first: a replay, the frequent case, then writes nothing and waits for no disk.
    select * into held from public.idempotency_keys k
      where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
        and k.expires_at > clock_timestamp();
    if found and held.payload_hash <> p_payload_hash then
      outcome := 'mismatch';
      return;
    elsif found and held.status <> 'pending' then
      outcome := 'replayed';
      answer := held.response_payload::text;
      answer_status := coalesce((held.error_details ->> 'status')::int, 200);
      return;
    elsif found and held.leased_until > clock_timestamp() then
      outcome := 'in_flight';
      lease_left := held.leased_until - clock_timestamp();
      return;
    end if;

    insert into public.idempotency_keys as k (
      idempotency_key, user_id, endpoint, request_payload, client_tx_id, payload_hash, owner_token, leased_until
    ) values (
      p_key, (select auth.uid()), p_endpoint, p_request_payload, p_client_tx_id, p_payload_hash, p_owner_token,
      clock_timestamp() + p_lease
    )
    on conflict on constraint idempotency_keys_once do update set
      id = excluded.id, status = excluded.status, request_payload = excluded.request_payload, response_payload = null,
      created_at = excluded.created_at, expires_at = excluded.expires_at, client_tx_id = excluded.client_tx_id,
      payload_hash = excluded.payload_hash, error_details = null, owner_token = excluded.owner_token,
      leased_until = excluded.leased_until
    where k.expires_at <= clock_timestamp()
      or (k.status = 'pending' and k.leased_until <= clock_timestamp() and k.payload_hash = excluded.payload_hash);
    if found then
      outcome := case when held.id is null then 'claimed' else 'taken_over' end;
      return;
    end if;
  end loop;
  raise serialization_failure using message = 'the key changes hands too fast';
end $$;

create function frond.complete_idempotency_key(
  p_claims jsonb,
  p_endpoint text,
  p_key uuid,
  p_payload_hash text,
  p_owner_token uuid,
  p_answer text,
  p_error_details jsonb,
  out outcome text,       -- completed; replayed: another one has answered; superseded: another one works on it
  out answer text,        -- replayed: the stored body
  out answer_status int   -- replayed: its HTTP status
)
  language plpgsql security invoker
  as $$
declare
  held public.idempotency_keys;
begin
  perform frond.act_as_user(p_claims);
  update public.idempotency_keys k set
      status = case when p_error_details is null then 'completed' else 'failed' end,
      response_payload = p_answer::json,
      error_details = p_error_details
    where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
      and k.owner_token = p_owner_token and k.status = 'pending';
  if found then
    outcome := 'completed';
    return;
  end if;
  select * into held from public.idempotency_keys k
    where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
      and k.payload_hash = p_payload_hash and k.status <> 'pending';
  if found then
    outcome := 'replayed';
    answer := held.response_payload::text;
    answer_status := coalesce((held.error_details ->> 'status')::int, 200);
  else
    outcome := 'superseded';
  end if;
end $$;

create function frond.release_idempotency_key(
  p_claims jsonb, p_endpoint text, p_key uuid, p_owner_token uuid, out released boolean
)
  language plpgsql security invoker
  as $$
begin
  perform frond.act_as_user(p_claims);
  delete from public.idempotency_keys k
    where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
      and k.owner_token = p_owner_token and k.status = 'pending';
  released := found;
end $$;

-- Nothing here is for users: who calls act_as_user chooses who to be.
revoke all on all functions in schema frond from public;
grant execute on all functions in schema frond to frond_gateway;
