-- Claim, complete and release once more: with a rate limit, and announced to those who wait.
-- Gateways of the release before run on while this one is rolled out: what they call stays until a later migration.

alter table public.idempotency_keys validate constraint idempotency_keys_rejection_status;
alter table public.idempotency_keys validate constraint idempotency_keys_bounded;

alter function frond.act_as_user(jsonb) set search_path = '';

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

create or replace function frond.complete_idempotency_key(
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

create or replace function frond.claim_idempotency_key(
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

create or replace function frond.release_idempotency_key(
  p_claims jsonb, p_endpoint text, p_key uuid, p_owner_token uuid, out released boolean
)
  language sql security invoker set search_path = ''
  as $$
    select r.released from frond.release_idempotency_key(p_claims, p_endpoint, p_key, p_owner_token, false) r
  $$;

revoke all on all functions in schema frond from public;
grant execute on all functions in schema frond to frond_gateway;
