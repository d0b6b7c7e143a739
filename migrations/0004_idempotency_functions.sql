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
