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
