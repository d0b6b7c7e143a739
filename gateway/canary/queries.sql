-- name: add
-- From 1,000 requests of the canary on all counts are halved: 500 to 1,000 are judged, the older ones for a half, a
-- quarter, and so on.
insert into frond.canaries as c
  (version, canary_asked, canary_failed, canary_abstained, promoted_asked, promoted_failed, promoted_abstained)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (version) do update set
  canary_asked = (c.canary_asked + excluded.canary_asked) / case when c.canary_asked < 1000 then 1 else 2 end,
  canary_failed = (c.canary_failed + excluded.canary_failed) / case when c.canary_asked < 1000 then 1 else 2 end,
  canary_abstained = (c.canary_abstained + excluded.canary_abstained) / case when c.canary_asked < 1000 then 1 else 2 end,
  promoted_asked = (c.promoted_asked + excluded.promoted_asked) / case when c.canary_asked < 1000 then 1 else 2 end,
  promoted_failed = (c.promoted_failed + excluded.promoted_failed) / case when c.canary_asked < 1000 then 1 else 2 end,
  promoted_abstained = (c.promoted_abstained + excluded.promoted_abstained) / case when c.canary_asked < 1000 then 1 else 2 end
returning canary_asked, canary_failed, canary_abstained, promoted_asked, promoted_failed, promoted_abstained, verdict;

-- name: roll_back
update frond.canaries set verdict = coalesce(verdict, $2), rolled_back_at = coalesce(rolled_back_at, now())
where version = $1 returning verdict;
