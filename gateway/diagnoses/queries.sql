-- name: claim
select outcome, answer, answer_status, lease_left
from frond.claim_idempotency_key($1::jsonb, $2::text, $3::uuid, $4::text, $5::jsonb, $6::text, $7::uuid, $8::interval);

-- name: complete
select outcome, answer, answer_status
from frond.complete_idempotency_key($1::jsonb, $2::text, $3::uuid, $4::text, $5::uuid, $6::text, $7::jsonb);

-- name: release
select released
from frond.release_idempotency_key($1::jsonb, $2::text, $3::uuid, $4::uuid);
