"""How often a user may do something in one process."""

from __future__ import annotations

import uuid

from gateway.buckets import MAX_USERS, UserBuckets
from tests.gateways import ALICE, BOB

FAR_TOO_SLOW = 0.001  # a second one in a quarter of an hour


def test_a_user_has_a_burst_and_is_told_when_to_come_again() -> None:
    buckets = UserBuckets(FAR_TOO_SLOW, burst=2)
    assert [buckets.take(ALICE), buckets.take(ALICE)] == [0, 0]
    assert 900 < buckets.take(ALICE) <= 1000


def test_users_do_not_share_a_burst() -> None:
    buckets = UserBuckets(FAR_TOO_SLOW, burst=1)
    assert [buckets.take(ALICE), buckets.take(BOB)] == [0, 0]


def test_only_so_many_users_are_remembered_and_the_one_seen_last_is() -> None:
    buckets = UserBuckets(FAR_TOO_SLOW, burst=1)
    buckets.take(ALICE)
    buckets.take(BOB)
    for _ in range(MAX_USERS - 2):
        buckets.take(uuid.uuid4())
    assert buckets.take(BOB) > 0
    buckets.take(uuid.uuid4())
    assert buckets.take(ALICE) == 0
