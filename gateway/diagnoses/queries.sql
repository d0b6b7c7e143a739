-- name: claim
select outcome, answer, answer_status, lease_left, remaining, full_in, retry_after
from frond.claim_idempotency_key(
  $1::jsonb, $2::text, $3::uuid, $4::text, $5::jsonb, $6::text, $7::uuid, $8::interval, $9::boolean, $10::int, $11::interval
);

-- name: complete
select outcome, answer, answer_status
from frond.complete_idempotency_key($1::jsonb, $2::text, $3::uuid, $4::text, $5::uuid, $6::text, $7::jsonb);

-- name: release
select released
from frond.release_idempotency_key($1::jsonb, $2::text, $3::uuid, $4::uuid, $5::boolean);
