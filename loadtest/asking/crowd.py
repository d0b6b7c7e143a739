"""Users who ask: each turn is one request, now and then sent twice, and all that is checked of its answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtest.asking.answer import NOT_REPLAYED, OK, OTHER_BYTES, OTHER_VERSION, Answer, Kind, Order, Sample
from loadtest.asking.exchange import Exchange
from loadtest.asking.photos import as_new, photo
from loadtest.asking.rest import Multipart, Uploaded
from loadtest.asking.sdk import Sdk
from loadtest.asking.tensors import Tensors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from loadtest.asking.target import Target

Record = Callable[[Sample], None]
KINDS = (Multipart.name, Uploaded.name, Sdk.name, Tensors.name)


@dataclass(frozen=True, slots=True)
class Habits:
    """What users send: sizes of photos and releases by chance; `duplicate_share` of all requests are second sendings.

    Half of those go out at once with the first one, as after a double tap, and half when it is answered, as after a
    lost answer. At most half of all requests can be second ones.
    """

    photos: tuple[str, ...] = ("1mp",)
    versions: tuple[str | None, ...] = (None,)
    duplicate_share: float = 0.0

    @property
    def chance_of_a_second(self) -> float:
        return self.duplicate_share / (1 - self.duplicate_share)


def turns_per_second(rate: float, kinds: Mapping[str, float], habits: Habits) -> float:
    """How many make so many requests: a turn of a kind with keys has a second one by chance."""
    keyed = sum(weight for kind, weight in kinds.items() if kind != Tensors.name) / sum(kinds.values())
    return rate / (1 + keyed * habits.chance_of_a_second)


class Crowd:
    """All users of a process; used by one event loop."""

    def __init__(self, target: Target, habits: Habits, kinds: Mapping[str, Kind], record: Record) -> None:
        self._wallet = target.wallet
        self._habits = habits
        self._kinds = kinds
        self._record = record

    async def take_turn(self, kind: str, user: str, group: str = "users", meant_at: float | None = None) -> None:
        """`meant_at`: when it should have begun, on the clock of `time.perf_counter`; None: now."""
        began = time.perf_counter() if meant_at is None else meant_at
        habits, asking = self._habits, self._kinds[kind]
        order = Order(
            self._wallet.token(user), as_new(photo(random.choice(habits.photos))), random.choice(habits.versions)
        )
        turn = Turn(asking, order, group, self._record)
        if not asking.has_keys or random.random() >= habits.chance_of_a_second:
            await turn.once(began)
        elif random.random() < 0.5:
            await turn.twice_at_once(began)
        else:
            await turn.again_after(began)


@dataclass(frozen=True, slots=True)
class Turn:
    """One order, asked once or twice."""

    kind: Kind
    order: Order
    group: str
    record: Record

    async def once(self, began: float) -> Answer:
        answer = await self.kind.ask(self.order)
        self._note(began, self._code(answer))
        return answer

    async def again_after(self, began: float) -> None:
        """The answer got lost on its way, so the phone asks again: the stored one must come."""
        first = await self.once(began)
        began = time.perf_counter()
        second = await self.kind.ask(self.order)
        is_checked = first.code == OK
        self._note(began, self._code(second, of=first if is_checked else None), is_duplicate=is_checked)

    async def twice_at_once(self, began: float) -> None:
        """Which one is the first the service decides; the other one waits for it, and gets the same bytes."""
        first, second = await asyncio.gather(self._timed(began), self._timed(began))
        if second[0].code == OK and first[0].is_replay:
            first, second = second, first
        self._note(began, self._code(first[0]), seconds=first[1])
        is_checked = first[0].code == OK
        code = self._code(second[0], of=first[0] if is_checked else None)
        self._note(began, code, seconds=second[1], is_duplicate=is_checked)

    async def _timed(self, began: float) -> tuple[Answer, float]:
        answer = await self.kind.ask(self.order)
        return answer, time.perf_counter() - began

    def _code(self, answer: Answer, of: Answer | None = None) -> str:
        """The answer's, or what is wrong with it; `of`: the first answer of the order, which this one must repeat."""
        if answer.code != OK:
            return answer.code
        if of is not None and not answer.is_replay:
            return NOT_REPLAYED
        if of is not None and answer.body != of.body:
            return OTHER_BYTES
        is_other = self.order.version is not None and answer.version != self.order.version
        return OTHER_VERSION if is_other else OK

    def _note(self, began: float, code: str, *, seconds: float | None = None, is_duplicate: bool = False) -> None:
        now = time.perf_counter()
        taken = now - began if seconds is None else seconds
        at = time.time() - (now - began)
        self.record(Sample(at, taken, self.kind.name, code, is_duplicate, self.group))


@asynccontextmanager
async def crowd(target: Target, habits: Habits, record: Record) -> AsyncIterator[Crowd]:
    """With its connections, which are closed afterwards."""
    for size in habits.photos:
        photo(size)  # drawn before the first one is asked for
    exchange, sdk = Exchange(target.url), Sdk(target.url)
    tensors = Tensors(target.grpc) if target.grpc else None
    every: list[Kind] = [Multipart(exchange), Uploaded(exchange), sdk, *([tensors] if tensors else [])]
    try:
        yield Crowd(target, habits, {kind.name: kind for kind in every}, record)
    finally:
        await exchange.close()
        await sdk.close()
        if tensors:
            await tensors.close()
