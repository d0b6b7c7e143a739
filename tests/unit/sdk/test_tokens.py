"""Where the access token comes from, and how a refused one is replaced."""

from __future__ import annotations

import asyncio

import pytest

from frond.errors import CloudAuthError
from frond.tokens import Tokens


class Refresh:
    """Gives another token each time."""

    def __init__(self) -> None:
        self.times = 0

    async def __call__(self) -> str:
        await asyncio.sleep(0)
        self.times += 1
        return f"fresh-{self.times}"


async def test_a_fixed_token_that_is_refused_has_no_other() -> None:
    tokens = Tokens("fixed", None)
    assert await tokens.current() == "fixed"
    assert await tokens.replacement_of("fixed") is None


async def test_a_refused_token_is_replaced_from_then_on() -> None:
    tokens = Tokens("old", Refresh())
    assert await tokens.replacement_of("old") == "fresh-1"
    assert await tokens.current() == "fresh-1"
    assert await tokens.replacement_of("fresh-1") == "fresh-2"
    assert await tokens.current() == "fresh-2"


async def test_calls_that_are_refused_at_once_share_one_refresh() -> None:
    refresh = Refresh()
    tokens = Tokens("old", refresh)
    assert set(await asyncio.gather(*(tokens.replacement_of("old") for _ in range(5)))) == {"fresh-1"}
    assert set(await asyncio.gather(*(tokens.replacement_of("fresh-1") for _ in range(5)))) == {"fresh-2"}
    assert refresh.times == 2


async def test_the_apps_own_newer_token_counts_more_than_the_replacement() -> None:
    given = ["first"]
    tokens = Tokens(lambda: given[0], Refresh())
    await tokens.replacement_of("first")
    given[0] = "second"
    assert await tokens.current() == "second"
    assert await tokens.replacement_of("second") == "fresh-2"


async def test_a_source_without_a_refresh_is_asked_again() -> None:
    given = iter(["first", "second"])
    tokens = Tokens(lambda: next(given), None)
    refused = await tokens.current()
    assert await tokens.replacement_of(refused) == "second"


async def test_a_callback_that_fails_is_an_error_of_ours() -> None:
    def broken() -> str:
        raise KeyError("session")

    with pytest.raises(CloudAuthError) as caught:
        await Tokens(broken, None).current()
    assert caught.value.code == "token_unavailable"
    assert isinstance(caught.value.__cause__, KeyError)


async def test_a_callback_that_gives_something_else_is_an_error_of_ours() -> None:
    """Else an app where nobody is signed in would send a token `None`."""

    async def later() -> None:
        return None

    for nothing in (lambda: None, later):
        with pytest.raises(CloudAuthError) as caught:
            await Tokens(nothing, None).current()  # type: ignore[arg-type]
        assert caught.value.code == "token_unavailable"
