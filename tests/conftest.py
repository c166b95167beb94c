"""What holds for all tests, and servers on free loopback ports for those that need the network."""

import hashlib
import logging
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong. The same examples each time, so that a change is judged by what it changes; HYPOTHESIS_PROFILE=search
# looks for new ones, and `make test-all` does so.
settings.register_profile("terrazzo", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "terrazzo"))


@dataclass(kw_only=True)
class WebFile:
    """A file on a server, and the faults with which it is served."""

    body: bytes
    parts: bool = True
    """Obeys Range."""
    head: bool = True
    """Knows HEAD."""
    sized: bool = True
    """Says how many bytes there are."""
    status: int = 200
    location: str | None = None
    """Sends on to there."""
    cuts: int = 0
    """So many answers end in the middle."""
    stalls: int = 0
    """So many answers stop in the middle and keep silent."""
    silent: bool = False
    """Never answers."""
    slow_s: float = 0.0
    """Seconds between two pieces of 64 kB."""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return f'"web-{hashlib.md5(self.body).hexdigest()[:12]}"'


class WebServer(ThreadingHTTPServer):
    """Serves `files` by path, and keeps what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, WebFile] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        """(method, path, range)."""
        self.credentials: list[str | None] = []
        self.sent = 0
        """Bytes of bodies."""
        self.closing = threading.Event()
        self.answers: dict[str, Callable[[bytes], bytes]] = {}
        """Path to a function from the body of a request to that of the answer, in JSON."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(self, path: str, body: bytes, **faults: Any) -> str:
        """Serve a file; returns its address."""
        self.files[path] = WebFile(body=body, **faults)
        return self.address + path

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Nothing on stderr."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append((self.command, self.path, self.headers.get("Range")))
        self.server.credentials.append(self.headers.get("Authorization"))
        answer = self.server.answers.get(path)
        if answer is not None:
            request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._send(WebFile(body=answer(request), headers={"Content-Type": "application/json"}))
            return
        file = self.server.files.get(path)
        if file is not None and file.silent:
            self.server.closing.wait(20)
        if file is None or (self.command == "HEAD" and not file.head):
            self.send_error(404 if file is None else 405)
        elif file.location is not None:
            self.send_response(302)
            self.send_header("Location", file.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif file.status != 200:
            self.send_error(file.status)
        else:
            self._send(file)

    def _send(self, file: WebFile) -> None:
        body = file.body
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if file.parts else None
        if match is None:
            self.send_response(200)
            part = {}
        elif int(match[1]) >= len(body):
            self.send_response(416)
            part = {"Content-Range": f"bytes */{len(body)}"}
            body = b""
        else:
            start, stop = int(match[1]), min(int(match[2] or len(body)) + 1, len(body))
            self.send_response(206)
            part = {"Content-Range": f"bytes {start}-{stop - 1}/{len(body)}"}
            body = body[start:stop]
        self._head(file, body, part)
        if self.command != "HEAD":
            self._body(file, body)

    def _head(self, file: WebFile, body: bytes, part: dict[str, str]) -> None:
        own = {**part, "ETag": file.etag, **({"Accept-Ranges": "bytes"} if file.parts else {}), **file.headers}
        for name, value in own.items():
            self.send_header(name, value)
        self.send_header(*(("Content-Length", str(len(body))) if file.sized else ("Connection", "close")))
        self.end_headers()
        self.close_connection = self.close_connection or not file.sized

    def _body(self, file: WebFile, body: bytes) -> None:
        half = len(body) // 2
        if file.cuts or file.stalls:
            self._pieces(file, body[:half])
            if file.stalls:
                file.stalls -= 1
                self.server.closing.wait(20)
            else:
                file.cuts -= 1
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._pieces(file, body)

    def _pieces(self, file: WebFile, body: bytes) -> None:
        piece = 2**16 if file.slow_s else max(len(body), 1)
        for start in range(0, len(body), piece):
            self.wfile.write(body[start : start + piece])
            self.server.sent += len(body[start : start + piece])
            time.sleep(file.slow_s)


@pytest.fixture
def no_cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own settings for networks and buckets."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    stores = (
        "ACCESS_KEY_ID",
        "SECRET_ACCESS_KEY",
        "SESSION_TOKEN",
        "PROFILE",
        "REGION",
        "DEFAULT_REGION",
        "ENDPOINT_URL",
        "ENDPOINT_URL_S3",
    )
    for name in (*names, *(f"AWS_{store}" for store in stores)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def web(no_cloud: None) -> Iterator[WebServer]:
    """A web server that fails as it is told to."""
    server = WebServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(frozen=True, kw_only=True)
class S3:
    """A bucket of a local S3 server."""

    endpoint: str
    bucket: str

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}"

    def put(self, key: str, body: bytes, etag: str | None = None) -> str:
        """Store a file, anyone may read it; not over the network, so that any key is taken. Returns its address."""
        from moto.s3.models import get_canned_acl

        stored = _backend().put_object(self.bucket, key, body, etag=etag)
        stored.set_acl(get_canned_acl("public-read"))
        return f"{self.address}/{key}"


def _backend() -> Any:
    from moto.s3.models import s3_backends

    return s3_backends["123456789012"]["aws"]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of a local S3 server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_endpoint: str, no_cloud: None, monkeypatch: pytest.MonkeyPatch) -> S3:
    """An empty bucket, which anyone may list, and the credentials for it."""
    from moto.s3.models import get_canned_acl

    bucket = f"bucket-{secrets.token_hex(6)}"
    _backend().create_bucket(bucket, "us-east-1")
    _backend().put_bucket_acl(bucket, get_canned_acl("public-read"))
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return S3(endpoint=s3_endpoint, bucket=bucket)


@pytest.fixture
def breaking_off(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], AbstractContextManager[None]]:
    """Within breaking_off(n) a prediction is interrupted once the journal of its map has taken n blocks."""
    from terrazzo.prediction.journal import Block, Journal

    @contextmanager
    def breaking_off(blocks: int) -> Iterator[None]:
        add, taken = Journal.add, []

        def add_and_interrupt(journal: Journal, block: Block) -> None:
            add(journal, block)
            taken.append(block.row_off)
            if len(taken) == blocks:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "add", add_and_interrupt)
            with pytest.raises(KeyboardInterrupt):
                yield

    return breaking_off


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """small_disk(kib) is the folder of a file system of its own, of so many KiB from now on; what is on it stays."""
    folder = tmp_path / "disk"

    def sized(kib: int) -> Path:
        options = f"size={kib}k" if not folder.exists() else f"remount,size={kib}k"
        folder.mkdir(exist_ok=True)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")
        return folder

    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount")
    yield sized
    subprocess.run(["umount", folder], check=False)
