-- name: spend
select is_granted, remaining, full_in, retry_after
from frond.spend_allowance($1::uuid, $2::int, $3::interval);
