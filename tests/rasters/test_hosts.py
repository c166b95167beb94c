"""Which links are followed: none to this machine or a private network, unless the user typed the host."""

import socket
from typing import Any

import pytest

from terrazzo.errors import DataError
from terrazzo.rasters.hosts import check_link, host_of, is_private

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    "number",
    [
        *("127.0.0.1", "127.8.9.10", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
        *("::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"),
    ],
)
def test_private_numbers_in_every_spelling(number: str) -> None:
    assert is_private(number)


@pytest.mark.parametrize("number", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_numbers_of_the_internet(number: str) -> None:
    assert not is_private(number)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "/etc/passwd",
            "../a.tif",
            "a.tif",
            "ftp://host/a",
            "data:text/plain,x",
            "https://",
            "",
        ),
        *("http://127.0.0.1/a", "http://127.1/a", "http://2130706433/a", "http://0x7f.1/a", "http://[::1]:80/a", "https://localhost/a"),
        *("http://user@10.1.2.3:8080/a", "http://[::ffff:192.168.0.1]/a", "http://169.254.169.254/latest/meta-data", "http://[broken/a"),
    ],
)
def test_links_that_are_not_followed(address: str) -> None:
    with pytest.raises(DataError, match=r"item x links to .*not followed"):
        check_link(address, NOBODY, "item x")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9000/a", "https://LOCALHOST/a", "http://[::1]/a", "s3://bucket/a", "gs://bucket/a"])
def test_hosts_that_the_user_typed_are_followed(address: str) -> None:
    check_link(address, frozenset({"127.0.0.1", "localhost", "::1"}), "item x")


def test_a_name_that_leads_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        numbers = {"inside.example.org": ["93.184.216.34", "10.0.0.7"], "outside.example.org": ["93.184.216.34"]}
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 0)) for number in numbers[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    check_link("https://outside.example.org/a", NOBODY, "item x")
    with pytest.raises(DataError, match=r"private network \(10.0.0.7\)"):
        check_link("https://inside.example.org/a", NOBODY, "item x")


@pytest.mark.parametrize(
    ("address", "host"),
    [("https://User:p@Host:80/a", "host"), ("s3://bucket/a", "bucket"), ("http://[::1]:8/", "::1"), ("http://[broken", ""), ("a/b", "")],
)
def test_hosts(address: str, host: str) -> None:
    assert host_of(address) == host
