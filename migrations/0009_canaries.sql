-- A new release on a share of the traffic: how it does beside the promoted one, over all gateways.

create table frond.canaries (
  version text primary key check (length(version) between 1 and 200),
  started_at timestamptz not null default now(),
  canary_asked bigint not null,
  canary_failed bigint not null,
  canary_abstained bigint not null,
  promoted_asked bigint not null,
  promoted_failed bigint not null,
  promoted_abstained bigint not null,
  rolled_back_at timestamptz,
  verdict text check (length(verdict) <= 1000),
  constraint canaries_rolled_back check ((rolled_back_at is null) = (verdict is null))
);
comment on table frond.canaries is 'One row a release that was tried; with a verdict it gets no traffic. Delete the row to try it again.';
comment on column frond.canaries.canary_failed is 'Requests that failed, or took half of their budget; the promoted release answered those.';
comment on column frond.canaries.verdict is 'Why it was rolled back: by the gateways, from these counts.';
grant select, insert, update on frond.canaries to frond_gateway;
