-- name: make_samples
create unlogged table if not exists growth_answers (number int primary key, body text not null);

-- name: add_sample
insert into growth_answers values ($1, $2) on conflict (number) do update set body = excluded.body;

-- name: fill
-- Answered rows in the order in which they were made.
insert into public.idempotency_keys (
  idempotency_key, user_id, endpoint, status, request_payload, response_payload, created_at, expires_at, client_tx_id,
  payload_hash, owner_token, leased_until
)
select
  gen_random_uuid(), md5('user ' || (random() * $2::bigint)::bigint)::uuid, '/v1/ai-inference', 'completed',
  jsonb_build_object(
    'assessmentId', assessment, 'plantContext', jsonb_build_object('id', 'plant-' || n % 1000, 'species', 'Solanum lycopersicum'),
    'client', jsonb_build_object('appVersion', '2.4.1', 'platform', 'ios', 'fallbackReason', 'device_timeout'),
    'modelVersion', null, 'topK', 5, 'images', jsonb_build_array(jsonb_build_object('sha256', photo))
  ),
  a.body::json,
  made, made + interval '24 hours', assessment, asked, gen_random_uuid(), made + interval '10 seconds'
from (
  select
    n, 'assessment-' || n as assessment,
    $3::timestamptz + ($4::timestamptz - $3) * (n::float8 / $1) as made,
    (random() * 255)::int as answer,
    encode(sha256(uuid_send(gen_random_uuid())), 'hex') as photo,
    encode(sha256(uuid_send(gen_random_uuid())), 'hex') as asked
  from generate_series(1, $1::bigint) n
) each join growth_answers a on a.number = each.answer;

-- name: stored
-- Some of the answered rows, from anywhere in the table.
select user_id, idempotency_key, payload_hash, request_payload::text
from public.idempotency_keys tablesample system_rows($1) where status = 'completed' and expires_at > now();

-- name: sizes
select
  pg_relation_size('public.idempotency_keys') as heap,
  pg_total_relation_size('public.idempotency_keys') - pg_table_size('public.idempotency_keys') as indexes,
  pg_table_size('public.idempotency_keys') - pg_relation_size('public.idempotency_keys') as other,
  pg_relation_size('public.idempotency_keys_pkey') as by_id,
  pg_relation_size('public.idempotency_keys_once') as by_key,
  pg_relation_size('public.idempotency_keys_expires_at') as by_expiry;

-- name: updates
select n_tup_upd as updates, n_tup_hot_upd as on_their_page, n_dead_tup as dead, n_live_tup as live, autovacuum_count
from pg_stat_user_tables where relid = 'public.idempotency_keys'::regclass;

-- name: written
-- By whomever: checkpointer, writer, sessions. In pages of 8 KiB; WAL in bytes.
select
  (select sum(coalesce(writes, 0) + coalesce(extends, 0)) from pg_stat_io where object = 'relation') as pages,
  (select wal_bytes from pg_stat_wal) as wal_bytes,
  (select wal_sync from pg_stat_wal) as wal_syncs;

-- name: bloat
select dead_tuple_percent as dead_percent, approx_free_percent as free_percent
from pgstattuple_approx('public.idempotency_keys');

-- name: fillfactor
select coalesce(max(option_value::int) filter (where option_name = 'fillfactor'), 100)
from pg_class, pg_options_to_table(reloptions) where oid = 'public.idempotency_keys'::regclass;
