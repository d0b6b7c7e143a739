"""`frond dashboard`: the panels of Grafana's dashboards, of the local runtime or of a Prometheus elsewhere."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.dashboard.board import read_boards
from cli.dashboard.prometheus import Prometheus
from cli.dashboard.rendering import Renderer
from cli.dashboard.scraper import SCRAPE_SECONDS, folder_in, scraping, targets_of
from cli.dashboard.server import PageServer
from cli.failure import Failure
from stack.paths import StatePaths
from stack.state import read_state

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8090
USUAL_SCRAPE_SECONDS = 15  # of a Prometheus elsewhere, as compose and the cluster have it, or sooner


def dashboard(
    *,
    prometheus: Annotated[str | None, typer.Option(help="ask the Prometheus at this URL; else one is started")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the pages; 0: a free one")] = PORT,
) -> None:
    """Show Grafana's dashboards without Grafana, until Ctrl-C. Without --prometheus needs `prometheus` on the PATH."""
    with source(prometheus) as (url, scrape_seconds):
        asked = Prometheus(url)
        try:
            if prometheus is not None:
                asked.at("vector(1)", time.time())  # said now, and not on every panel
            with server(port, Renderer(asked, scrape_seconds)) as pages:
                print(f"Dashboards at {pages.url} from Prometheus at {url}. Ctrl-C ends them.", flush=True)
                pages.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            asked.close()


@contextmanager
def source(url: str | None) -> Iterator[tuple[str, float]]:
    """The Prometheus to ask, and how often it looks."""
    if url is not None:
        yield url, USUAL_SCRAPE_SECONDS
        return
    program = shutil.which("prometheus")
    if program is None:
        raise Failure("prometheus is not on the PATH: apt-get install prometheus, or name one with --prometheus.")
    paths = StatePaths.default()
    state = read_state(paths)
    if state is None:
        raise Failure("Frond is not running here. Start it with `frond up`, or name a Prometheus with --prometheus.")
    with scraping(program, targets_of(state), folder_in(paths), paths.log("prometheus")) as started:
        yield started, SCRAPE_SECONDS


@contextmanager
def server(port: int, renderer: Renderer) -> Iterator[PageServer]:
    try:
        pages = PageServer(port, read_boards(), renderer)
    except OSError as error:
        raise Failure(f"Port {port} cannot be had: {error.strerror}. Name another with --port.") from error
    try:
        yield pages
    finally:
        pages.server_close()
