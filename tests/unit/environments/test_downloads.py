"""The size of a file as its server says it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from harness.environments.downloads import _download, _File


class Server:
    """Gives one answer, and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.asked = b""
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            while not self.asked.endswith(b"\r\n\r\n"):
                self.asked += connection.recv(65536)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def answering(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(request.param)
    yield server
    server.close()


@pytest.mark.parametrize("answering", [b"HTTP/1.0 200 OK\r\nContent-Length: 42\r\n\r\n"], indirect=True)
@pytest.mark.parametrize("userinfo", ["", "user:s3kr3t@", "user:s3kr/3t@"])
def test_no_password_goes_to_the_server(answering, userinfo):
    url = f"http://{userinfo}127.0.0.1:{answering.port}/torch.whl"
    assert _download(_File("torch", "2.1.0", url=url, size=None)).size == 42
    assert answering.asked.startswith(b"HEAD /torch.whl HTTP/1.1")
    assert b"r3t" not in answering.asked


@pytest.mark.parametrize("answering", [b"nonsense\r\n\r\n", b"", b"HTTP/1.0 401 No\r\n\r\n"], indirect=True)
def test_a_server_that_does_not_say_it(answering):
    url = f"http://127.0.0.1:{answering.port}/torch.whl"
    assert _download(_File("torch", "2.1.0", url=url, size=None)).size is None


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:port/torch.whl", "http://a b/torch.whl", "http://[/x", "http://u:s3kr3t@:x/"]
)
def test_what_is_no_url_has_no_size(url):
    assert _download(_File("torch", "2.1.0", url=url, size=None)).size is None
