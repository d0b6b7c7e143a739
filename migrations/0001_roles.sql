-- Roles as PostgREST and Supabase name them. What exists stays as it is; only the gateway's login is ours.
-- Roles belong to the whole cluster: another database's migration may make the same one at this moment.

create schema if not exists frond;
comment on schema frond is 'Functions of the Frond gateway. Not for PostgREST: they take claims from whoever may call them.';

do $$
declare
  missing text;
begin
  foreach missing in array array['anon', 'authenticated', 'service_role'] loop
    begin
      if to_regrole(missing) is null then
        execute format('create role %I nologin noinherit', missing);
      end if;
    exception when duplicate_object or unique_violation then
      null;
    end;
  end loop;
end $$;

do $$
begin
  if to_regrole('frond_gateway') is null then
    -- Without a password nobody can log in yet; who deploys sets one.
    create role frond_gateway login noinherit;
  end if;
exception when duplicate_object or unique_violation then
  null;
end $$;

-- A statement that the gateway has given up on must not run on.
alter role frond_gateway set statement_timeout = '5s';
alter role frond_gateway set lock_timeout = '2s';
alter role frond_gateway set idle_in_transaction_session_timeout = '5s';

-- It may become a user and, without inheritance, is nobody until it does.
grant authenticated to frond_gateway;
grant usage on schema frond to frond_gateway;
