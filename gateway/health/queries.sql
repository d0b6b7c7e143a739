-- name: ready
-- A table of the last migration.
select to_regclass('frond.canaries') is not null as migrated;
