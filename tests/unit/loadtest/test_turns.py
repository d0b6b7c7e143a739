"""A turn of a user: one request or two, and what is wrong with the answers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from loadtest.asking.answer import NOT_REPLAYED, OK, OTHER_BYTES, OTHER_VERSION, Answer, Order, Sample
from loadtest.asking.crowd import Crowd, Habits, Turn
from loadtest.asking.exchange import Reply
from loadtest.asking.photos import as_new, photo
from loadtest.asking.target import Target, TargetError, Wallet
from preprocess.header import read_header

FIRST, REPLAY = Answer(OK, b"answer", version="1"), Answer(OK, b"answer", is_replay=True, version="1")


class Scripted:
    """Answers as it is told, one after the other."""

    name: ClassVar[str] = "scripted"
    has_keys: ClassVar[bool] = True

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.keys: list[uuid.UUID] = []

    async def ask(self, order: Order) -> Answer:
        self.keys.append(order.key)
        return self.answers.pop(0) if self.answers else FIRST


async def samples_of(how: str, answers: Sequence[Answer], version: str | None = None) -> list[Sample]:
    samples: list[Sample] = []
    turn = Turn(Scripted(answers), Order("token", b"", version), "users", samples.append)
    await getattr(turn, how)(time.perf_counter())
    return samples


@pytest.mark.parametrize("how", ["again_after", "twice_at_once"])
async def test_a_replay_with_the_same_bytes_is_well(how: str) -> None:
    samples = await samples_of(how, [FIRST, REPLAY])
    assert [(sample.code, sample.is_duplicate) for sample in samples] == [(OK, False), (OK, True)]


async def test_either_of_two_at_once_may_be_the_replay() -> None:
    samples = await samples_of("twice_at_once", [REPLAY, FIRST])
    assert [(sample.code, sample.is_duplicate) for sample in samples] == [(OK, False), (OK, True)]


@pytest.mark.parametrize("how", ["again_after", "twice_at_once"])
@pytest.mark.parametrize(
    ("second", "code"), [(FIRST, NOT_REPLAYED), (Answer(OK, b"another", is_replay=True), OTHER_BYTES)]
)
async def test_a_second_answer_that_is_no_equal_replay_is_a_failure(how: str, second: Answer, code: str) -> None:
    assert (await samples_of(how, [FIRST, second]))[1].code == code


async def test_after_an_error_the_second_sending_is_a_new_try() -> None:
    samples = await samples_of("again_after", [Answer("overloaded"), FIRST])
    assert [(sample.code, sample.is_duplicate) for sample in samples] == [("overloaded", False), (OK, False)]


async def test_the_answer_of_another_release_is_a_failure() -> None:
    assert (await samples_of("once", [FIRST], version="2"))[0].code == OTHER_VERSION


@pytest.mark.parametrize("share", [0.05, 0.5])
async def test_as_many_requests_are_second_ones_as_the_habits_say(share: float) -> None:
    samples: list[Sample] = []
    kind = Scripted([])
    crowd = Crowd(
        Target("http://x", None, Wallet(("a",))), Habits(("256px",), (None,), share), {"k": kind}, samples.append
    )
    for _ in range(2000):
        await crowd.take_turn("k", "user")
    assert sum(sample.is_duplicate for sample in samples) / len(samples) == pytest.approx(share, abs=0.02)
    assert len(set(kind.keys)) == 2000


async def test_latency_counts_from_the_moment_that_was_meant() -> None:
    samples: list[Sample] = []
    crowd = Crowd(Target("http://x", None, Wallet(("a",))), Habits(("256px",)), {"k": Scripted([])}, samples.append)
    await crowd.take_turn("k", "user", meant_at=time.perf_counter() - 3)
    assert 3 <= samples[0].seconds < 30
    assert samples[0].ended_at == pytest.approx(time.time(), abs=20)


def test_every_photo_has_bytes_of_its_own_and_is_a_photo_still() -> None:
    one, other = as_new(photo("256px")), as_new(photo("256px"))
    assert one != other
    header = read_header(one)
    assert (header.content_type, header.width, header.height) == ("image/jpeg", 256, 256)


def test_tokens_that_are_given_are_shared_out_and_each_user_keeps_one() -> None:
    wallet = Wallet(("a", "b", "c"))
    assert {wallet.token(f"user-{number}") for number in range(100)} == {"a", "b", "c"}
    assert len({wallet.token("user-1") for _ in range(5)}) == 1


def test_a_target_is_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a\nb\n")
    target = Target.from_environment({"FROND_URL": "https://x/", "FROND_TOKENS_FILE": str(tmp_path / "tokens")})
    assert target is not None
    assert (target.url, target.grpc, target.wallet.given) == ("https://x", None, ("a", "b"))
    assert Target.from_environment({}) is None


@pytest.mark.parametrize("content", [None, " \n"])
def test_a_file_of_tokens_that_has_none_is_an_error(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TargetError, match="tokens"):
        Target.from_environment({"FROND_URL": "https://x", "FROND_TOKENS_FILE": str(file)})


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(503, b'{"success": false, "error": {"code": "overloaded"}}'), "overloaded"),
        (Reply(502, b"<html>Bad gateway"), "http_502"),
        (Reply(200, b"<html>Welcome"), "answer_invalid"),
        (Reply(200, b'{"success": true}'), "answer_invalid"),
        (Reply(0, code="no_connection"), "no_connection"),
    ],
)
def test_what_is_no_diagnosis_has_a_code(reply: Reply, code: str) -> None:
    assert reply.answer().code == code
