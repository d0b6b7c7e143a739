#!/bin/sh
# Run once by the postgres image, over its socket, when the cluster is new: the gateway's login with its password, which psql
# reads itself, since arguments are for all to see. The migrations leave a role that exists as it is.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\set password `cat /run/secrets/database-gateway`
create role frond_gateway login noinherit password :'password';
SQL
