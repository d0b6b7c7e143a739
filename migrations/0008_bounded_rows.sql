-- Users may write their own rows, on Supabase past the gateway: none may be one whose replay would fill its memory.
-- What the gateway writes has a fifth of that at most.
alter table public.idempotency_keys
  add constraint idempotency_keys_bounded check (
    octet_length(response_payload::text) <= 1048576 and octet_length(request_payload::text) <= 65536
    and octet_length(error_details::text) <= 4096 and length(client_tx_id) <= 200
  );
