"""The pages around the panels; they need nothing but what is in them."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from cli.dashboard.units import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.dashboard.board import Board

MINUTES = (5, 15, 60, 360, 1440)
REFRESH_SECONDS = 10
STYLE = Path(__file__).with_name("style.css").read_text()


def board_page(boards: Mapping[str, Board], name: str, minutes: int, row: str) -> str:
    """`row`: the panels."""
    board = boards[name]
    return page(
        board.title,
        f"<header><h1>{escape(board.title)}</h1>{board_links(boards, name, minutes)}{range_links(name, minutes)}"
        f'</header><main><p class="soft">{escape(board.description)}</p><div class="row">{row}</div></main>',
    )


def failure_page(message: str) -> str:
    return page("Frond", f"<main><p>{escape(message)}</p></main>")


def page(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{body}</body></html>\n"
    )


def board_links(boards: Mapping[str, Board], current: str, minutes: int) -> str:
    entries = (
        link(f"/{name}?minutes={minutes}", board.title.removeprefix("Frond / "), is_current=name == current)
        for name, board in boards.items()
    )
    return f"<nav>{''.join(entries)}</nav>"


def range_links(name: str, current: int) -> str:
    entries = (link(f"/{name}?minutes={each}", text(each * 60, "s"), is_current=each == current) for each in MINUTES)
    return f"<nav>{''.join(entries)}</nav>"


def link(address: str, title: str, *, is_current: bool) -> str:
    current = ' aria-current="page"' if is_current else ""
    return f'<a href="{escape(address)}"{current}>{escape(title)}</a>'
