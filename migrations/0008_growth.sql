-- What ten million rows taught (docs/capacity.md): answers that stay on their page, and a cleanup that looks at nothing twice.

-- A claim is a third of the row that its answer makes of it. In a full page the answer has to go to another one, and every
-- index gets an entry anew; with this room it stays, touches no index, and nothing becomes larger.
alter table public.idempotency_keys set (
  fillfactor = 35,
  -- Every row is deleted a day later. By the default a fifth of the table would be dead before anyone comes.
  autovacuum_vacuum_scale_factor = 0.05
);

alter table frond.chores add column reached timestamptz not null default '-infinity';
comment on column frond.chores.reached is 'Cleanup: what expired before this moment was deleted in this round, or was locked.';

create or replace function frond.begin_cleanup(
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

create or replace function frond.delete_expired_keys(p_limit int, out deleted int)
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
