"""The report as one HTML file that needs nothing else: verdicts, plots, a table."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from loadtest.report.drawing import svg
from loadtest.report.objectives import LATENCIES, duration
from loadtest.report.run import rows
from loadtest.report.series import plots

if TYPE_CHECKING:
    from loadtest.report.objectives import Verdict
    from loadtest.report.run import Plot, Row, Run

STYLE = """
:root{--paper:#fbfaf6;--sheet:#fff;--ink:#1d2622;--soft:#5d6a63;--line:#dfe3dc;--green:#2f7a53;--red:#a83a2a}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.75rem;line-height:1.2;margin:.5rem 0 .25rem;letter-spacing:-.015em}
h2{font-size:1.1rem;margin:0 0 .4rem}p{margin:.4rem 0;max-width:48rem}
.soft,small{color:var(--soft)}.holds{color:var(--green)}.fails{color:var(--red)}
.verdict{font-size:1.25rem;font-weight:600;margin:1rem 0}
figure,.table{background:var(--sheet);border:1px solid var(--line);border-radius:.6rem;margin:1rem 0;padding:.9rem}
.table{overflow-x:auto}figure img{display:block;width:100%;height:auto}figcaption{font-size:.85rem;color:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.35rem .8rem;text-align:right;vertical-align:top;border-bottom:1px solid var(--line)}
tbody tr:last-child>*{border-bottom:0}thead th{font-size:.8rem;color:var(--soft)}
th:first-child,.words td,.words th{text-align:left}tbody th{font-weight:500}
@media(max-width:40rem){th,td{padding:.3rem .2rem}table{font-size:.75rem}thead th{font-size:.65rem}
figure,.table{padding:.4rem}}
code{font:.82em/1.4 ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
"""
# The third state, «not known», is neither green nor red.
MARKS = {True: ' class="holds">✓ holds', False: ' class="fails">✗ does not hold', None: ' class="soft">– not known'}


def html(run: Run) -> str:
    """The whole page."""
    when = datetime.fromtimestamp(run.started_at, UTC).strftime("%d %B %Y, %H:%M UTC")
    parts = [
        f"<h1>{escape(run.title)}</h1><p>{escape(run.what)}</p>",
        f'<p class="soft">{when}, {run.seconds:.0f} s against {escape(run.target)}</p>',
        f"<p><code>{escape(run.command)}</code></p>",
        f'<p class="verdict {"holds" if run.holds else "fails"}">{escape(run.conclusion)}</p>',
        f"<p>Judged: {escape(run.judged_are)}.</p>" if run.judged_are else "",
        _verdicts(run.all_verdicts()),
        *(_figure(plot) for plot in (*plots(run), run.load, *run.plots)),
        _table(rows(run)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(run.title)}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _verdicts(verdicts: list[Verdict]) -> str:
    lines = "".join(
        f"<tr><th>{escape(each.objective)}</th><td>{escape(each.wanted)}</td><td>{escape(each.measured)}</td>"
        f"<td{MARKS[each.holds]}</td></tr>"
        for each in verdicts
    )
    head = "<thead><tr><th>objective</th><th>wanted</th><th>measured</th><th></th></tr></thead>"
    return f'<div class="table words"><table>{head}<tbody>{lines}</tbody></table></div>'


def _figure(plot: Plot) -> str:
    picture = base64.b64encode(svg(plot)).decode()
    note = f"<figcaption>{escape(plot.note)}</figcaption>" if plot.note and plot.lines else ""
    image = f'<img alt="{escape(plot.title)} over time" src="data:image/svg+xml;base64,{picture}">'
    return f"<figure><h2>{escape(plot.title)}</h2>{image}{note}</figure>"


def _table(found: list[Row]) -> str:
    heads = ("kind", "requests", "answers/s", *(f"p{percent}" for percent in LATENCIES), "errors")
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(_line(row) for row in found)
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _line(row: Row) -> str:
    errors = "<br>".join(f"{count:,} × <code>{escape(code)}</code>" for code, count in row.errors.items()) or "0"
    cells = (f"{row.requests:,}", f"{row.per_second:.1f}", *map(duration, row.percentiles.values()), errors)
    return f"<tr><th>{escape(row.kind)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
