"""What the idempotency table costs at 10,000 to 10 M rows: `python -m loadtest.table_growth`.

A PostgreSQL of its own for each size, with the real schema. Ten million rows take 20 GB and half an hour.
`--folder` keeps what was filled. `--publish` writes docs/capacity.md. The last line is one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.capacity.measured import SHIPPED, Row, read
from loadtest import arguments, ending, markdown
from loadtest.table_growth import page, server
from loadtest.table_growth.measurement import measure
from loadtest.table_growth.rows import fill
from stack.paths import ROOT

if TYPE_CHECKING:
    import argparse

PAGE, PLOT = ROOT / "docs" / "capacity.md", ROOT / "docs" / "images" / "table-growth.svg"
PAGE_BYTES, ROWS_A_PAGE = 8192, 4  # as the table's fillfactor leaves them (decision 0024)
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)


def main() -> None:
    options = read_options()
    results: dict[str, Any] = json.loads(options.results.read_text()) if options.results.exists() else {}
    with tempfile.TemporaryDirectory(prefix="frond-growth-") as temporary:
        folder = options.folder or Path(temporary)
        folder.chmod(0o755)  # PostgreSQL's user passes through
        for rows in options.rows or SIZES:
            if options.only != "measure":
                with server.running(folder / str(rows), filling=True) as filling:
                    asyncio.run(fill(filling, rows, say))
            if options.only != "fill":
                with server.running(folder / str(rows)) as running:
                    expired = min(rows, options.expired)
                    asyncio.run(running.set_storage(options.set))
                    key = " ".join([str(rows), *options.set])
                    results[key] = asyncio.run(measure(running, rows, options.requests, expired, say))
    options.results.write_text(json.dumps(results, indent=1))
    if options.publish:
        publish(results)
    print("\n\n".join(page.tables(results).values()))
    print(json.dumps(results))


def publish(results: dict[str, Any]) -> None:
    """The largest plain table says what a row costs: its indexes are as deep as they get."""
    from loadtest.table_growth import plot  # noqa: PLC0415  (matplotlib comes with `make .venv/loadtest`)

    markdown.put(PAGE, page.tables(results))
    plot.draw(results, PLOT)
    largest = results[max((title for title in results if title.isdigit()), key=int)]
    figures = read(SHIPPED).model_copy(update={"row": row(largest)})
    SHIPPED.write_text(figures.model_dump_json(by_alias=True, indent=2) + "\n")


def row(found: dict[str, Any]) -> Row:
    """Of the filled table; a page of eight KiB that has room for four answers is never fuller."""
    return Row(
        table_bytes=max(found["sizes"]["heap"] / found["rows"], PAGE_BYTES / ROWS_A_PAGE),
        index_bytes=found["sizes"]["indexes"] / found["rows"],
        wal_bytes=found["written"]["wal_bytes"],
        pages_written=found["written"]["pages"],
    )


def read_options() -> argparse.Namespace:
    parser = arguments.parser("loadtest.table_growth", __doc__)
    parser.add_argument("--rows", type=arguments.whole, action="append", help="again for several sizes")
    parser.add_argument("--requests", type=arguments.whole, default=3000, help="new ones and replays at each size")
    parser.add_argument("--expired", type=arguments.whole, default=100_000, help="rows that a cleanup deletes")
    parser.add_argument(
        "--folder", type=arguments.folder, help="where the databases stay; a later run finds them filled"
    )
    parser.add_argument("--only", choices=("fill", "measure"), help="one half of the work")
    parser.add_argument(
        "--results", type=arguments.file, default=f"{ROOT}/build/table-growth.json", help="all that was seen"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="the table's storage, to try another"
    )
    parser.add_argument("--publish", action="store_true", help="into docs/capacity.md")
    return parser.parse_args()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    ending.run(main)
