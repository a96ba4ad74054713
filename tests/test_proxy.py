"""Proxies, when they are configured: real ones on loopback, and what is checked on this side of them."""

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from crawler import Config, crawl
from crawler.addresses import Guard
from crawler.proxy import Proxy
from crawler.transport import FetchError
from tests.site import Site
from tests.test_fetch import fetcher, html
from tests.wire import Script, Wire, read_request

Serve = Callable[..., Wire]


def passing(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways between two connections, until one of them ends."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    thread = threading.Thread(target=pump, args=(other, one))
    thread.start()
    pump(one, other)
    thread.join()
    other.close()


class Relay:
    """A proxy that speaks HTTP and SOCKS5, and connects to this machine whatever it is asked for."""

    def __init__(self, serve: Serve, to: int, login: bytes = b"") -> None:
        self.asked: list[bytes] = []
        self.headers: list[bytes] = []
        self._to, self._login = to, login
        self._wire = serve(self._talk, deaf=True)
        self.port = self._wire.port

    def _talk(self, connection: socket.socket) -> None:
        if connection.recv(1, socket.MSG_PEEK) == b"\5":
            self._socks(connection)
            return
        request = read_request(connection)
        if not request:
            return
        self.headers.append(request)
        self.asked.append(request.split(b"\r\n")[0])
        with socket.create_connection(("127.0.0.1", self._to)) as server:
            if request.startswith(b"CONNECT"):
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                target = request.split(b" ", 2)[1]
                path = b"/" + target.split(b"/", 3)[3]
                server.sendall(request.replace(target, path, 1).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            passing(connection, server)

    def _socks(self, connection: socket.socket) -> None:
        stream = connection.makefile("rb")
        methods = stream.read(stream.read(2)[1])
        method = 2 if self._login else 0
        connection.sendall(bytes((5, method if method in methods else 255)))
        if self._login:
            user = stream.read(stream.read(2)[1])
            good = user + b":" + stream.read(stream.read(1)[0]) == self._login
            connection.sendall(b"\1" + bytes((not good,)))
            if not good:
                return
        kind = stream.read(4)[3]
        host = stream.read({1: 4, 4: 16}.get(kind) or stream.read(1)[0])
        name = socket.inet_ntoa(host).encode() if kind == 1 else host
        self.asked.append(name + b":%d" % int.from_bytes(stream.read(2), "big"))
        with socket.create_connection(("127.0.0.1", self._to)) as server:
            connection.sendall(b"\5\0\0\1" + b"\0" * 6)
            passing(connection, server)


def port_of(site: Site) -> int:
    return int(site.host.partition(":")[2])


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_a_crawl_goes_through_the_proxy(site: Site, serve: Serve, db: Path, scheme: str) -> None:
    """Every request goes through the proxy that is configured, robots.txt too."""
    relay = Relay(serve, port_of(site))
    site.page("/", links=["/a"])
    site.page("/a")
    report = crawl(Config(seeds=(site.url(),), db=str(db), proxy=f"{scheme}://127.0.0.1:{relay.port}"))
    assert report.pages == 2
    assert {seen.headers["Host"] for seen in site.seen} == {site.host}
    expected = f"GET {site.url('/robots.txt')} HTTP/1.1" if scheme == "http" else site.host
    assert relay.asked[0] == expected.encode()


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_names_that_only_the_proxy_knows_are_left_to_it(site: Site, serve: Serve, scheme: str) -> None:
    """A name without an address here is no failure: the proxy looks it up."""
    relay = Relay(serve, port_of(site))
    site.page("/a", "hello")
    with fetcher(guard=Guard(), proxy=Proxy.parse(f"{scheme}://127.0.0.1:{relay.port}")) as some:
        assert b"hello" in some.get("http://beyond.invalid/a").body
    assert b"beyond.invalid" in relay.asked[0]


@pytest.mark.parametrize(
    ("scheme", "url"),
    [
        ("http", "http://127.0.0.1:5984/"),
        ("http", "http://localhost:5984/"),
        ("http", "http://inside.test:5984/"),
        ("socks5", "http://inside.test:5984/"),
        ("socks5h", "http://169.254.169.254/"),
        ("socks5h", "http://[::ffff:10.0.0.1]/"),
        ("socks5h", "http://app.localhost/"),
    ],
)
def test_what_can_be_checked_here_is_not_asked_of_the_proxy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, scheme: str, url: str
) -> None:
    """A private address, or a name that has one here, is refused before the proxy hears of it."""
    real = socket.getaddrinfo
    local = {"inside.test": "10.0.0.1"}
    monkeypatch.setattr(socket, "getaddrinfo", lambda name, *args, **more: real(local.get(name, name), *args, **more))
    wire = serve(html(b"<p>secret"), deaf=True)
    with (
        fetcher(guard=Guard(), proxy=Proxy.parse(f"{scheme}://127.0.0.1:{wire.port}")) as some,
        pytest.raises(FetchError) as raised,
    ):
        some.get(url)
    assert raised.value.reason == "private-address"
    assert wire.connections == 0


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_tls_through_a_proxy_is_end_to_end(serve: Serve, scheme: str) -> None:
    """The proxy passes on what it cannot read, and its password does not reach the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    secure = serve(html(b"<p>hello"), tls=context)
    relay = Relay(serve, secure.port, b"" if scheme == "http" else b"ann:s3cret")
    proxy = Proxy.parse(f"{scheme}://ann:s3cret@127.0.0.1:{relay.port}")
    with fetcher(proxy=proxy) as some, pytest.raises(FetchError, match="certificate verify failed"):
        some.get(secure.url)
    with fetcher(proxy=proxy, verified=False) as some:
        assert some.get(secure.url).body == b"<p>hello"
    assert b"Proxy-Authorization" not in secure.requests[0]
    if scheme == "http":
        assert relay.asked[-1].startswith(f"CONNECT 127.0.0.1:{secure.port} HTTP/1.".encode())
        assert b"Proxy-Authorization: Basic YW5uOnMzY3JldA==" in relay.headers[-1]


def test_a_plain_request_carries_the_password_of_the_proxy(site: Site, serve: Serve) -> None:
    """An HTTP proxy gets its password with each request."""
    relay = Relay(serve, port_of(site))
    site.page("/", "hello")
    with fetcher(proxy=Proxy.parse(f"http://ann:s3cret@127.0.0.1:{relay.port}")) as some:
        assert b"hello" in some.get(site.url()).body
    assert b"Proxy-Authorization: Basic YW5uOnMzY3JldA==" in relay.headers[0]


def refuse(reply: bytes) -> Script:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(reply)
        connection.recv(65536)

    return talk


@pytest.mark.parametrize(
    ("scheme", "script", "told"),
    [
        ("http", refuse(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "407"),
        ("http", lambda _: None, "closed|reset|disconnected"),
        ("socks5", refuse(b"\4\0"), "does not speak SOCKS5"),
        ("socks5", refuse(b"\5\xff"), "wants to know who asks"),
        ("socks5", refuse(b"\5\0\5\5\0\1"), "connection refused"),
        ("socks5", refuse(b"\5\0\5\x63\0\1"), "refusal 99"),
        ("socks5", lambda connection: connection.close(), "hung up|reset"),
    ],
    ids=["login", "silence", "no SOCKS", "no method", "refused", "unknown refusal", "hangs up"],
)
def test_a_proxy_that_refuses_is_a_connect_error(serve: Serve, scheme: str, script: Script, told: str) -> None:
    """What the proxy says is the detail; it may pass."""
    wire = serve(script, deaf=True)
    with (
        fetcher(proxy=Proxy.parse(f"{scheme}://127.0.0.1:{wire.port}")) as some,
        pytest.raises(FetchError, match=told) as raised,
    ):
        some.get("https://127.0.0.1:1/")
    assert (raised.value.reason, raised.value.transient) == ("connect-error", True)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_stalls_keeps_the_deadline(serve: Serve, scheme: str) -> None:
    """A proxy that says nothing holds a thread no longer than the deadline."""
    wire = serve(lambda _: wire.stopping.wait(), deaf=True)
    with (
        fetcher(proxy=Proxy.parse(f"{scheme}://127.0.0.1:{wire.port}"), timeout=0.4) as some,
        pytest.raises(FetchError) as raised,
    ):
        some.get("https://127.0.0.1:1/")
    assert raised.value.reason == "timeout"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.example", ("http", "proxy.example", 8080, None, None)),
        ("socks5://10.0.0.1:9050/", ("socks5", "10.0.0.1", 9050, None, None)),
        ("socks5h://us%40er:p%3Aw@[::1]:1", ("socks5h", "::1", 1, "us@er", "p:w")),
    ],
)
def test_a_proxy_is_read_from_its_url(url: str, expected: tuple[object, ...]) -> None:
    """Scheme, host, port, and who asks; no message shows the password."""
    proxy = Proxy.parse(url)
    assert (proxy.scheme, proxy.host, proxy.port, proxy.user, proxy.password) == expected
    assert "p:w" not in repr(proxy)
