"""The few pieces of HTML that the card page is made of."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.bootstrap import Estimate


def tile(name: str, estimate: Estimate) -> str:
    figure = f"<span class=figure>{percent(estimate.value)}</span>{_interval(estimate, 100, 1)}"
    return f"<div class=tile><dt>{escape(name)}</dt><dd>{figure}</dd></div>"


def bullets(items: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]], style: str = "figures") -> str:
    """Everything but `heads` is HTML; the first cell of a row is its head. Scrolls sideways where it is too wide."""
    head = "".join(f"<th scope=col>{escape(text)}</th>" for text in heads)
    body = "".join(
        f"<tr><th scope=row>{row[0]}</th>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>" for row in rows
    )
    return (
        f'<div class=table role=region tabindex=0 aria-label="{escape(heads[0])}"><table class={style}>'
        f"<caption><span>{caption}</span></caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def key(style: str, text: str) -> str:
    """An entry of a legend, in HTML."""
    return f'<span class="key {style}">{text}</span>'


def label(label: str) -> str:
    """A label with places where a line may break."""
    return re.sub("_+", r"\g<0><wbr>", escape(label))


def share(estimate: Estimate, digits: int = 1) -> str:
    return percent(estimate.value, digits) + _interval(estimate, 100, digits)


def number(estimate: Estimate) -> str:
    return f"{estimate.value:.3f}{_interval(estimate, 1, 3)}"


def _interval(estimate: Estimate, scale: float, digits: int) -> str:
    return f"<span class=interval>{estimate.low * scale:.{digits}f}&ndash;{estimate.high * scale:.{digits}f}</span>"


def percent(share: float, digits: int = 1) -> str:
    return f"{share * 100:.{digits}f}&nbsp;%"
