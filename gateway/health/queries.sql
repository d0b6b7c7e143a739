-- name: ready
-- A function of the last migration.
select to_regprocedure('frond.begin_cleanup(interval)') is not null as migrated;
