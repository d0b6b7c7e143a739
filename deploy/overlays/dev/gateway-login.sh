#!/bin/sh
# Run once by PostgreSQL's image: the migrations find the gateway's login there already, with its password, which psql reads
# itself, since arguments are for all to see.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv password GATEWAY_PASSWORD
create role frond_gateway login noinherit password :'password';
SQL
