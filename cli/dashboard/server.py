"""The pages on the loopback interface, each drawn anew when it is asked for."""

from __future__ import annotations

from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from cli.dashboard.page import MINUTES, board_page, failure_page
from cli.failure import Failure
from stack.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.dashboard.board import Board
    from cli.dashboard.rendering import Renderer

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class PageServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, boards: Mapping[str, Board], renderer: Renderer) -> None:
        self.boards = boards
        self.renderer = renderer
        super().__init__((LOOPBACK, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: PageServer

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        name = asked.path.strip("/")
        if not name:
            self._redirect(f"/{next(iter(self.server.boards))}?minutes={MINUTES[0]}")
        elif name not in self.server.boards:
            self._answer(HTTPStatus.NOT_FOUND, failure_page("There is no such dashboard."))
        else:
            self._answer(*self._page(name, minutes_of(parse_qs(asked.query))))

    def log_message(self, *_: object) -> None:
        """Whoever looks is no news."""

    def _page(self, name: str, minutes: int) -> tuple[HTTPStatus, str]:
        try:
            row = self.server.renderer.row(self.server.boards[name], minutes)
        except Failure as error:
            return HTTPStatus.BAD_GATEWAY, failure_page(str(error))
        return HTTPStatus.OK, board_page(self.server.boards, name, minutes, row)

    def _redirect(self, address: str) -> None:
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: HTTPStatus, page: str) -> None:
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(body)


def minutes_of(query: Mapping[str, list[str]]) -> int:
    """What the page offers, and nothing else."""
    wanted = query.get("minutes", [""])[0]
    return int(wanted) if wanted in {str(minutes) for minutes in MINUTES} else MINUTES[0]
