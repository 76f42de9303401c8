"""Places to find data in: folders of this test alone, and a mirror on this machine."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import resources
from pathlib import Path

import pytest

TRAIN_IMAGES = "train-images-idx3-ubyte.gz"


@dataclass
class Reply:
    """What the mirror answers: a body, the length that it announces (None: none), a status."""

    body: bytes = b""
    announced: int | None = None
    status: int = 200


@dataclass
class Mirror:
    """A mirror on this machine: its address, what it answers and what it was asked for."""

    address: str
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(
        self, file: str, body: bytes = b"", announced: int | None = None, status: int = 200
    ) -> None:
        """What to answer from now on when asked for `file`."""
        self.replies[file] = Reply(body, announced, status)


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    served = Mirror(f"http://127.0.0.1:{server.server_port}/")
    server.RequestHandlerClass = _handler(served)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def _handler(mirror: Mirror) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = self.path.removeprefix("/")
            mirror.asked.append(file)
            reply = mirror.replies.get(file, Reply(status=404))
            self.send_response(reply.status)
            if reply.announced is not None:
                self.send_header("Content-Length", str(reply.announced))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address where connections are refused: the port is taken, but nobody listens."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no folder of the user's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RETROGRAD_DATA", raising=False)
    return tmp_path / "cache" / "retrograd" / "mnist"


@pytest.fixture
def own(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's own beside an empty cache."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("RETROGRAD_DATA", str(folder))
    return folder


@pytest.fixture
def labels() -> bytes:
    """A small file of MNIST, as published: the gzipped labels of the test images."""
    files = resources.files("retrograd.data") / "files" / "mnist-10k"
    return (files / "t10k-labels-idx1-ubyte.gz").read_bytes()


@pytest.fixture
def mnist_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all of MNIST: RETROGRAD_DATA, else `shared/data` beside the repository."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    given = os.environ.get("RETROGRAD_DATA")
    for folder in [Path(given), beside] if given else [beside]:
        if any((place / TRAIN_IMAGES).is_file() for place in (folder, folder / "mnist")):
            monkeypatch.setenv("RETROGRAD_DATA", str(folder))
            return folder
    pytest.skip("MNIST's training files are not here: set RETROGRAD_DATA to a folder with them")
