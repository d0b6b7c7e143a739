"""One trace as a waterfall: a row for each span, its bar where and as long as it was. SVG, and text for a terminal."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from cli.trace.spans import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cli.trace.spans import Row, Span

WIDTH, LABELS, ROW, HEAD, FOOT = 1080, 330, 24, 64, 34
RIGHT = 70  # room for the last bar's duration
CHARACTER = 6.6  # pixels, about
COLOURS = {"app": "#8a5a00", "frond-gateway": "#1f6f43", "frond-triton": "#3a5bbf"}
FONT = 'font-family="ui-sans-serif, system-ui, sans-serif" font-size="12"'
OTHER = "#666666"
TICKS = 5
BARS = 40  # characters


def render_svg(spans: Sequence[Span]) -> str:
    """Raises ValueError without spans."""
    rows, (began, ended) = rows_of(spans), bounds(spans)
    height = HEAD + ROW * len(rows) + FOOT
    scale = (WIDTH - LABELS - RIGHT) / max(1, ended - began)
    title = f"trace {rows[0].span.trace_id} · {len(rows)} spans · {(ended - began) / 1e6:.1f} ms"
    return "\n".join(
        (
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" {FONT} '
                f'role="img" aria-label="{title}">'
            ),
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="12" y="22" font-weight="600">{title}</text>',
            *axis((ended - began) / 1e6, height),
            *(line for number, row in enumerate(rows) for line in bar(row, HEAD + ROW * number, began, scale)),
            *legend(rows, height - 12),
            "</svg>",
            "",
        )
    )


def bounds(spans: Iterable[Span]) -> tuple[int, int]:
    found = list(spans)
    return min(span.began_ns for span in found), max(span.ended_ns for span in found)


def axis(milliseconds: float, height: int) -> Iterator[str]:
    for tick in range(TICKS + 1):
        x = LABELS + (WIDTH - LABELS - RIGHT) * tick / TICKS
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{HEAD - 10}" y2="{height - FOOT}" stroke="#e3e3e3"/>'
        time = f"{milliseconds * tick / TICKS:.1f} ms"
        yield f'<text x="{x:.1f}" y="{HEAD - 16}" fill="#666" text-anchor="middle">{time}</text>'


def bar(row: Row, top: int, began: int, scale: float) -> Iterator[str]:
    span, colour = row.span, COLOURS.get(row.span.service, OTHER)
    x, width = LABELS + (span.began_ns - began) * scale, max(1.0, (span.ended_ns - span.began_ns) * scale)
    text = f"{span.milliseconds:.2f} ms"
    yield f'<text x="{12 + 14 * row.depth}" y="{top + 15}" fill="#222">{escape(span.name)}</text>'
    yield f'<rect x="{x:.1f}" y="{top + 4}" width="{width:.1f}" height="14" rx="2" fill="{colour}"/>'
    if row.queued_ns is not None:
        start, end = (LABELS + (moment - began) * scale for moment in row.queued_ns)
        yield (
            f'<rect x="{start:.1f}" y="{top + 6}" width="{max(0.0, end - start):.1f}" height="10" fill="#ffffff" '
            'opacity="0.6"/>'
        )
    yield f'<text x="{x + width + 5:.1f}" y="{top + 15}" fill="#444" font-size="11">{text}</text>'


def legend(rows: Sequence[Row], y: int) -> Iterator[str]:
    x = 12.0
    for service in dict.fromkeys(row.span.service for row in rows):
        yield f'<rect x="{x:.1f}" y="{y - 10}" width="12" height="12" rx="2" fill="{COLOURS.get(service, OTHER)}"/>'
        yield f'<text x="{x + 17:.1f}" y="{y}" fill="#222">{escape(service)}</text>'
        x += 40 + CHARACTER * len(service)
    yield f'<text x="{x:.1f}" y="{y}" fill="#666">pale within a bar: in Triton\'s queue</text>'


def render_text(spans: Sequence[Span]) -> str:
    rows, (began, ended) = rows_of(spans), bounds(spans)
    name_width = max(2 * row.depth + len(row.span.name) for row in rows)
    return "\n".join(
        f"{'  ' * row.depth + row.span.name:<{name_width}}  {row.span.service:<14} {row.span.milliseconds:8.2f} ms  "
        f"{strip(row.span, began, ended)}"
        for row in rows
    )


def strip(span: Span, began: int, ended: int) -> str:
    start = (span.began_ns - began) * BARS // max(1, ended - began)
    end = (span.ended_ns - began) * BARS // max(1, ended - began)
    return " " * start + "█" * max(1, end - start)
