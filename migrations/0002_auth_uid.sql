-- auth.uid() where Supabase has not made it: the user of the claims that the transaction carries.

do $$
begin
  if to_regprocedure('auth.uid()') is null then
    create schema if not exists auth;
    create function auth.uid() returns uuid
      language sql stable
      as $uid$
        select coalesce(
          nullif(current_setting('request.jwt.claim.sub', true), ''),
          nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
        )::uuid
      $uid$;
    comment on function auth.uid() is 'As Supabase defines it: the legacy setting is read first; after a transaction both are empty.';
    grant usage on schema auth to anon, authenticated, service_role;
  end if;
end $$;
