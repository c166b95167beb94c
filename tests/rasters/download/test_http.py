"""Requests: who is asked, who is not, and what the answers mean."""

import socket
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from terrazzo.errors import DataError, EnvironmentFault
from terrazzo.rasters.download import http as http_module
from terrazzo.rasters.download.http import Http
from terrazzo.rasters.download.sources import Interruption

LOCAL = frozenset({"127.0.0.1"})


def read(http: Http, address: str, **headers: str) -> bytes:
    with http.ask(address, headers) as answer:
        return answer.body.read()


@pytest.fixture
def http() -> Http:
    return Http(typed=LOCAL, timeout_s=1)


def test_a_body(web: Any, http: Http) -> None:
    assert read(http, web.add("/a b/\u00fc.bin", b"body")) == b"body"
    assert web.asked == [("GET", "/a%20b/%C3%BC.bin", None)]


def test_redirects_are_followed(web: Any, http: Http) -> None:
    web.add("/c", b"there")
    web.add("/b", b"", location="/c")
    assert read(http, web.add("/a", b"", location=f"{web.address}/b")) == b"there"


def test_redirects_in_a_circle_end(web: Any, http: Http) -> None:
    with pytest.raises(DataError, match="sends on and on"):
        read(http, web.add("/a", b"", location="/a"))


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/a", "http://10.0.0.1/a", "http://localhost:1/a", "//[::1]/a"])
def test_redirects_to_private_places_are_refused(web: Any, http: Http, location: str) -> None:
    with pytest.raises(DataError, match=r"sends on to .*not followed"):
        read(http, web.add("/a", b"", location=location))


def test_a_private_host_that_nobody_typed_is_not_asked(web: Any) -> None:
    with pytest.raises(DataError, match="you did not name it"):
        read(Http(typed=frozenset()), web.add("/a", b"secret"))
    assert not web.asked


def test_a_name_that_leads_elsewhere_once_it_is_connected_to(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    with pytest.raises(DataError, match=r"rebound.example.org is on this machine or in a private network"):
        read(Http(typed=frozenset()), f"http://rebound.example.org:{web.server_port}/a")
    assert not web.asked


@pytest.mark.parametrize(
    ("status", "sentence"), [(404, "does not exist"), (410, "any more"), (403, "refuses"), (401, "refuses"), (418, "code 418")]
)
def test_what_a_server_says_for_good(web: Any, http: Http, status: int, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        read(http, web.add("/a", b"", status=status))


@pytest.mark.parametrize("status", [500, 503, 429])
def test_busy_servers_are_asked_again(web: Any, http: Http, status: int) -> None:
    with pytest.raises(Interruption, match=str(status)):
        read(http, web.add("/a", b"", status=status))


def test_a_server_that_hangs(web: Any, http: Http) -> None:
    start = time.monotonic()
    with pytest.raises(Interruption, match="does not answer"):
        read(http, web.add("/a", b"", silent=True))
    assert time.monotonic() - start < 3


def test_nobody_listens(http: Http, no_cloud: None) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Interruption, match="connection failed"):
            read(http, f"http://127.0.0.1:{taken.getsockname()[1]}/a")


def test_a_name_that_is_unknown(http: Http, no_cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Interruption, match="name is unknown"):
        read(http, "http://nowhere.example.org/a")


def test_a_certificate_that_nobody_signed(web: Any, http: Http, tmp_path: Path) -> None:
    encrypt(web, tmp_path)
    address = web.add("/a", b"body").replace("http://", "https://")
    with pytest.raises(EnvironmentFault, match="certificate is not trusted"):
        read(http, address)
    assert not web.asked


def test_from_https_nothing_is_sent_on_to_http(web: Any, http: Http, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = encrypt(web, tmp_path)
    monkeypatch.setattr(http_module, "_tls", lambda: ssl.create_default_context(cafile=str(certificate)))
    secure = web.address.replace("http://", "https://")
    web.add("/there", b"body")
    web.add("/a", b"", location=f"{secure}/there")
    assert read(http, f"{secure}/a") == b"body"
    web.add("/b", b"", location=f"{web.address}/there")
    with pytest.raises(DataError, match="none that is less safe"):
        read(http, f"{secure}/b")


def encrypt(web: Any, folder: Path) -> Path:
    """Let a server speak TLS, with a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    file = folder / "certificate.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    web.socket = context.wrap_socket(web.socket, server_side=True)
    return file


@pytest.mark.parametrize("address", ["http://host:port/a", "http://[::1/a", "https://", "ftp://host/a", "http://a..b/c"])
def test_what_is_no_address(http: Http, address: str) -> None:
    with pytest.raises(DataError):
        read(http, address)


def test_passwords_go_to_their_own_host_alone(web: Any, http: Http) -> None:
    host = web.address.removeprefix("http://")
    web.add("/there", b"x")
    web.add("/here", b"", location=f"{web.address}/there")
    read(http, f"http://user:p%40ss@{host}/here")
    assert web.credentials == ["Basic dXNlcjpwQHNz", None]


def test_a_proxy_is_asked_for_whole_addresses(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    web.add("http://far.example.org/a", b"through the proxy")
    assert read(Http(typed=frozenset()), "http://far.example.org/a") == b"through the proxy"
