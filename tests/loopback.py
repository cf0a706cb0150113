"""An HTTP server on loopback, as long as a test needs it."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator


class Handler(http.server.BaseHTTPRequestHandler):
    """Has `answer` answer GET and HEAD, and logs nothing."""

    def answer(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.answer()

    do_HEAD = do_GET  # noqa: N815 -- http.server's name

    def log_message(self, *_arguments: object) -> None:
        pass


@contextlib.contextmanager
def index(handler: type[Handler]) -> Iterator[str]:
    """The address of a package index that `handler` answers for."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()
