-- name: ready
select to_regprocedure('frond.release_idempotency_key(jsonb, text, uuid, uuid)') is not null as migrated;
