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
  awaited boolean not null default false,
  constraint idempotency_keys_once unique (user_id, endpoint, idempotency_key),
  constraint idempotency_keys_answered check ((status = 'pending') = (response_payload is null)),
  constraint idempotency_keys_rejected check ((status = 'failed') = (error_details is not null)),
  constraint idempotency_keys_rejection_status
    check (error_details is null or coalesce(error_details ->> 'status' ~ '^4[0-9]{2}$', false)),
  -- Users may write their own rows, on Supabase past the gateway: none may be one whose replay would fill its memory.
  -- What the gateway writes has a fifth of that at most.
  constraint idempotency_keys_bounded check (
    octet_length(response_payload::text) <= 1048576 and octet_length(request_payload::text) <= 65536
    and octet_length(error_details::text) <= 4096 and length(client_tx_id) <= 200
  )
)
  -- A claim is a third of the row that its answer makes of it. In a full page the answer has to go to another one, and every
  -- index gets an entry anew; with this room it stays, touches no index, and nothing becomes larger.
  with (
    fillfactor = 35,
    -- Every row is deleted a day later. By the default a fifth of the table would be dead before anyone comes.
    autovacuum_vacuum_scale_factor = 0.05
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
comment on column public.idempotency_keys.awaited is 'Another request waits for its answer: the end is announced.';

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

-- GCRA, the generic cell rate algorithm: one moment a user is all the state there is.
create table frond.rate_limits (
  user_id uuid primary key,
  full_at timestamptz not null
) with (fillfactor = 50);  -- an update finds room on its own page and touches no index
comment on table frond.rate_limits is 'One row for each user who started something lately. Users have no rights on it.';
comment on column frond.rate_limits.full_at is 'When the whole burst is allowed again. After that the row says nothing.';

create table frond.chores (
  name text primary key,
  leased_until timestamptz not null,
  reached timestamptz not null default '-infinity'
);
comment on table frond.chores is 'What one replica does for all: it is that one''s until then.';
comment on column frond.chores.reached is 'Cleanup: what expired before this moment was deleted in this round, or was locked.';
insert into frond.chores (name, leased_until) values ('cleanup', '-infinity');

-- The limits are the login's own: a user who may write them would raise them.
grant select, insert, update on frond.rate_limits to frond_gateway;
grant usage on schema frond to service_role;
grant select, update, delete on frond.rate_limits to service_role;
grant select, update on frond.chores to service_role;

-- Claim, complete and release, each one round trip under row-level security.
-- The caller is frond_gateway, which may do nothing; act_as_user makes it the user until the transaction ends.

create function frond.act_as_user(p_claims jsonb) returns void
  language plpgsql security invoker set search_path = ''
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

-- GCRA for one that starts now. Runs as the login: users have no rights on the table.
create function frond.spend_allowance(
  p_user_id uuid,
  p_burst int,
  p_period interval,
  out is_granted boolean,
  out remaining int,        -- how many more may start at once
  out full_in interval,     -- until the whole burst is allowed again
  out retry_after interval  -- not granted: until one is
)
  language plpgsql security invoker set search_path = ''
  as $$
declare
  full_at timestamptz;
begin
  -- Further away than the burst is what another configuration or a clock that went back has left: the burst counts as
  -- spent, and nobody waits for that moment.
  insert into frond.rate_limits as l (user_id, full_at) values (p_user_id, clock_timestamp() + p_period)
    on conflict on constraint rate_limits_pkey do update set full_at =
      least(greatest(l.full_at, clock_timestamp()) + p_period, clock_timestamp() + p_burst * p_period)
    where l.full_at + p_period <= clock_timestamp() + p_burst * p_period
      or l.full_at > clock_timestamp() + p_burst * p_period
    returning l.full_at into full_at;
  is_granted := found;
  if not is_granted then
    select l.full_at into full_at from frond.rate_limits l where l.user_id = p_user_id;
    retry_after := greatest(full_at - (p_burst - 1) * p_period - clock_timestamp(), interval '0');
  end if;
  full_in := greatest(full_at - clock_timestamp(), interval '0');
  remaining := case when is_granted
    then floor(p_burst - extract(epoch from full_in) / extract(epoch from p_period)) else 0 end;
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
  p_may_start boolean,
  p_burst int,              -- how many of a user may start at once; null: no limit
  p_period interval,        -- between two of them in the long run
  out outcome text,         -- claimed, taken_over, replayed, mismatch, in_flight, not_started, rate_limited
  out answer text,          -- replayed: the stored body
  out answer_status int,    -- replayed: its HTTP status
  out lease_left interval,  -- in_flight: how long the other one has at most
  out remaining int,        -- claimed, taken_over: how many more may start at once
  out full_in interval,     -- claimed, taken_over: until the whole burst is allowed again
  out retry_after interval  -- rate_limited: until one may start
)
  language plpgsql security invoker set search_path = ''
  as $$
declare
  held public.idempotency_keys;
  is_granted boolean := true;
begin
  perform frond.act_as_user(p_claims);
  -- A claim that a crash of the server forgets costs a second inference and no second answer: do not wait for the disk.
  perform set_config('synchronous_commit', 'off', true);
  -- An attempt that ends without an outcome lost against another claim, which the next attempt reads.
  for attempt in 1..5 loop
    -- Read first: a replay, the frequent case, then writes nothing, waits for no disk and spends no allowance.
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
    elsif found and held.owner_token = p_owner_token then
      -- This statement a second time: its answer got lost with a connection.
      outcome := 'claimed';
      return;
    elsif found and held.leased_until > clock_timestamp() then
      if not held.awaited then
        update public.idempotency_keys k set awaited = true
          where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
            and k.owner_token = held.owner_token and k.status = 'pending';
        continue when not found;  -- it has ended meanwhile: nobody would tell us
      end if;
      outcome := 'in_flight';
      lease_left := held.leased_until - clock_timestamp();
      return;
    elsif not p_may_start then
      outcome := 'not_started';
      return;
    elsif not is_granted then
      outcome := 'rate_limited';
      return;
    end if;

    if p_burst is not null then
      -- A user's claims queue for the row of the limit: who is refused there looks once more for a duplicate to join.
      perform set_config('role', 'none', true);
      select s.is_granted, s.remaining, s.full_in, s.retry_after into is_granted, remaining, full_in, retry_after
        from frond.spend_allowance((p_claims ->> 'sub')::uuid, p_burst, p_period) s;
      perform frond.act_as_user(p_claims);
      continue when not is_granted;
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
      leased_until = excluded.leased_until, awaited = false
    where k.expires_at <= clock_timestamp()
      or (k.status = 'pending' and k.leased_until <= clock_timestamp() and k.payload_hash = excluded.payload_hash);
    if found then
      outcome := case when held.id is null then 'claimed' else 'taken_over' end;
      if held.awaited then
        -- Those who waited for the one before shall say that they wait for this one.
        perform pg_notify('frond_answers', concat_ws(' ', auth.uid(), p_endpoint, p_key));
      end if;
      return;
    end if;

    if p_burst is not null then
      -- Lost to a duplicate, which has spent for both. The row is still ours.
      perform set_config('role', 'none', true);
      update frond.rate_limits l set full_at = l.full_at - p_period where l.user_id = (p_claims ->> 'sub')::uuid;
      perform frond.act_as_user(p_claims);
      remaining := null;
      full_in := null;
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
  language plpgsql security invoker set search_path = ''
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
      and k.owner_token = p_owner_token and k.status = 'pending'
    returning * into held;
  if found then
    outcome := 'completed';
    if held.awaited then
      -- Only then: a notification makes commits queue (one lock for the whole server).
      perform pg_notify('frond_answers', concat_ws(' ', auth.uid(), p_endpoint, p_key));
    end if;
    return;
  end if;
  select * into held from public.idempotency_keys k
    where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
      and k.payload_hash = p_payload_hash and k.status <> 'pending';
  if not found then
    outcome := 'superseded';
  elsif held.owner_token = p_owner_token then
    -- This statement a second time: its answer got lost with a connection.
    outcome := 'completed';
  else
    outcome := 'replayed';
    answer := held.response_payload::text;
    answer_status := coalesce((held.error_details ->> 'status')::int, 200);
  end if;
end $$;

create function frond.release_idempotency_key(
  p_claims jsonb, p_endpoint text, p_key uuid, p_owner_token uuid, p_unless_awaited boolean, out released boolean
)
  language plpgsql security invoker set search_path = ''
  as $$
declare
  was_awaited boolean;
begin
  perform frond.act_as_user(p_claims);
  delete from public.idempotency_keys k
    where k.user_id = (select auth.uid()) and k.endpoint = p_endpoint and k.idempotency_key = p_key
      and k.owner_token = p_owner_token and k.status = 'pending' and not (p_unless_awaited and k.awaited)
    returning k.awaited into was_awaited;
  released := found;
  if was_awaited then
    perform pg_notify('frond_answers', concat_ws(' ', auth.uid(), p_endpoint, p_key));
  end if;
end $$;

-- As the release before calls them: without a limit, and without waiting for one another.

create function frond.claim_idempotency_key(
  p_claims jsonb,
  p_endpoint text,
  p_key uuid,
  p_payload_hash text,
  p_request_payload jsonb,
  p_client_tx_id text,
  p_owner_token uuid,
  p_lease interval,
  out outcome text,
  out answer text,
  out answer_status int,
  out lease_left interval
)
  language sql security invoker set search_path = ''
  as $$
    select c.outcome, c.answer, c.answer_status, c.lease_left from frond.claim_idempotency_key(
      p_claims, p_endpoint, p_key, p_payload_hash, p_request_payload, p_client_tx_id, p_owner_token, p_lease,
      true, null, null
    ) c
  $$;

create function frond.release_idempotency_key(
  p_claims jsonb, p_endpoint text, p_key uuid, p_owner_token uuid, out released boolean
)
  language sql security invoker set search_path = ''
  as $$
    select r.released from frond.release_idempotency_key(p_claims, p_endpoint, p_key, p_owner_token, false) r
  $$;

-- Cleanup: each function is one small transaction as service_role, and nothing else of the gateway is.
-- They run as their owner, so that the login needs no membership in service_role, which on Supabase may do everything.

create function frond.begin_cleanup(
  p_lease interval,
  out is_ours boolean,          -- no other replica cleans up meanwhile
  out idempotency_rows bigint   -- an estimate, from the server's statistics
)
  language plpgsql security definer set search_path = ''
  as $$
begin
  update frond.chores c set leased_until = clock_timestamp() + p_lease, reached = '-infinity'
    where c.name = 'cleanup' and c.leased_until <= clock_timestamp();
  is_ours := found;
  -- The counted rows are forgotten in a crash, the analysed ones are as old as the last analysis.
  select greatest(c.reltuples, pg_stat_get_live_tuples(c.oid)) into idempotency_rows
    from pg_class c where c.oid = 'public.idempotency_keys'::regclass;
end $$;

create function frond.delete_expired_keys(p_limit int, out deleted int)
  language plpgsql security definer set search_path = ''
  as $$
declare
  began timestamptz;
  ended timestamptz;
begin
  -- Below an open snapshot, a backup's for instance, deleted rows stay in the index: each batch would walk over all of them.
  select c.reached into began from frond.chores c where c.name = 'cleanup';
  with gone as (
    delete from public.idempotency_keys where id = any (array(
      select k.id from public.idempotency_keys k
        where k.expires_at >= began and k.expires_at <= now() order by k.expires_at limit p_limit
        for update skip locked
    )) returning expires_at
  )
  select count(*), max(g.expires_at) into deleted, ended from gone g;
  update frond.chores c set reached = ended where c.name = 'cleanup' and c.reached < ended;
end $$;

create function frond.delete_idle_rate_limits(p_limit int, out deleted int)
  language plpgsql security definer set search_path = ''
  as $$
begin
  -- No index: nearly every row is idle soon, and without one an update of the others touches their page only.
  delete from frond.rate_limits where user_id in (
    select l.user_id from frond.rate_limits l where l.full_at <= now() limit p_limit
    for update skip locked
  );
  get diagnostics deleted = row_count;
end $$;

revoke all on all functions in schema frond from public;
grant execute on all functions in schema frond to frond_gateway;

-- Who gives a function away has to be a member of its new owner's role, who needs the right to make one there.
do $$
declare
  given text;
  is_lent boolean := false;
begin
  grant create on schema frond to service_role;
  foreach given in array array['begin_cleanup', 'delete_expired_keys', 'delete_idle_rate_limits'] loop
    begin
      execute format('alter function frond.%I owner to service_role', given);
    exception when insufficient_privilege then
      grant service_role to current_user;
      is_lent := true;
      execute format('alter function frond.%I owner to service_role', given);
    end;
  end loop;
  revoke create on schema frond from service_role;
  if is_lent then
    revoke service_role from current_user;
  end if;
end $$;

-- A new release on a share of the traffic: how it does beside the promoted one, over all gateways.

create table frond.canaries (
  version text primary key check (length(version) between 1 and 200),
  started_at timestamptz not null default now(),
  canary_asked bigint not null,
  canary_failed bigint not null,
  canary_abstained bigint not null,
  promoted_asked bigint not null,
  promoted_failed bigint not null,
  promoted_abstained bigint not null,
  rolled_back_at timestamptz,
  verdict text check (length(verdict) <= 1000),
  constraint canaries_rolled_back check ((rolled_back_at is null) = (verdict is null))
);
comment on table frond.canaries is 'One row a release that was tried; with a verdict it gets no traffic. Delete the row to try it again.';
comment on column frond.canaries.canary_failed is 'Requests that failed, or took half of their budget; the promoted release answered those.';
comment on column frond.canaries.verdict is 'Why it was rolled back: by the gateways, from these counts.';
grant select, insert, update on frond.canaries to frond_gateway;
