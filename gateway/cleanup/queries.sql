-- name: begin
select is_ours, idempotency_rows from frond.begin_cleanup($1::interval);

-- name: delete_keys
select deleted from frond.delete_expired_keys($1::int);

-- name: delete_rate_limits
select deleted from frond.delete_idle_rate_limits($1::int);
