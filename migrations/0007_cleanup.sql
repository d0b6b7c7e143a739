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
  update frond.chores c set leased_until = clock_timestamp() + p_lease
    where c.name = 'cleanup' and c.leased_until <= clock_timestamp();
  is_ours := found;
  -- The counted rows are forgotten in a crash, the analysed ones are as old as the last analysis.
  select greatest(c.reltuples, pg_stat_get_live_tuples(c.oid)) into idempotency_rows
    from pg_class c where c.oid = 'public.idempotency_keys'::regclass;
end $$;

create function frond.delete_expired_keys(p_limit int, out deleted int)
  language plpgsql security definer set search_path = ''
  as $$
begin
  delete from public.idempotency_keys where id in (
    select k.id from public.idempotency_keys k where k.expires_at <= now() order by k.expires_at limit p_limit
    for update skip locked
  );
  get diagnostics deleted = row_count;
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
