"""The connections under a fetch: requests' HTTP adapter over sockets of our own.

Each connection checks the very address that it connects to, and holds every single read against the deadline of the
whole request and against what the server may send: requests' timeout alone is per read, and a server that drips a byte
a second would hold a thread for ever.
"""

import contextlib
import errno
import socket
import ssl
import time
from functools import lru_cache
from typing import Any, Final

import certifi
import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from crawler.addresses import Guard
from crawler.errors import CrawlerError
from crawler.urls import origin

CONNECT_TIMEOUT: Final = 10.0  # seconds


class FetchError(CrawlerError):
    """A GET that gave no usable reply. `reason` is a short code, `transient` says whether trying again may help."""

    def __init__(self, reason: str, detail: str, *, transient: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.transient = transient


class Line:
    """The connections of one fetcher: the deadline that their reads keep, and the guard that they ask."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.deadline = 0.0
        self.connected = False
        """Whether the present request had to connect, rather than use a kept connection."""
        self._cut = False
        self.target = ""
        """What the present request asks for."""
        self.bytes_left = 0
        """What the server may still send for the present request, on the wire."""
        self._reading: socket.socket | None = None

    def open(self, deadline: float, bytes_left: int) -> None:
        self.deadline = deadline
        self.bytes_left = bytes_left
        self.connected = False

    def after_read(self, count: int) -> int:
        """Called by our sockets after each read. Raises FetchError when there is no end to it: http.client reads a
        chunk of negative size, for one, to the end of the connection."""
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise FetchError("protocol-error", "the server sends more than it may")
        return count

    def before_read(self, sock: socket.socket) -> None:
        """Called by our sockets before each read: gives it what is left of the deadline, and no more."""
        self._reading = sock
        sock.settimeout(self.left())

    def cut(self) -> None:
        """From another thread: the read under way ends now, and no other begins."""
        self._cut = True
        if (sock := self._reading) is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0 or self._cut:
            raise TimeoutError("deadline passed")
        return left

    def connect(self, host: str, port: int) -> "_Socket":
        """A connection to the first address of the host that answers. Raises FetchError."""
        self.connected = True
        host = host.strip("[]")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            raise FetchError("dns-error", f"{host}: {in_words(error)}", transient=again) from error
        refused: OSError | None = None
        for family, kind, protocol, _, address in found:
            # The verdict falls on the very address that is connected to: no second look-up can change it.
            if not self.guard.allows(str(address[0])):
                raise FetchError("private-address", f"{host} is {address[0]}, and --allow-private is not set")
            sock = _Socket(family, kind, protocol)
            sock.line = self
            try:
                sock.settimeout(min(CONNECT_TIMEOUT, self.left()))
                sock.connect(address)
            except OSError as error:
                sock.close()
                refused = error
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        if isinstance(refused, TimeoutError):
            raise FetchError("timeout", f"no connection to {host}:{port}", transient=True)
        raise FetchError("connect-error", f"{host}:{port}: {in_words(refused)}", transient=True)


class _Socket(socket.socket):
    """A socket whose every read keeps the deadline of the whole request."""

    line: Line

    def recv_into(self, *args: Any) -> int:
        self.line.before_read(self)
        return self.line.after_read(super().recv_into(*args))


class _TLSSocket(ssl.SSLSocket):
    """The same over TLS. The handshake comes before `line` is set; it keeps the connect timeout."""

    line: Line

    def recv_into(self, *args: Any) -> int:
        self.line.before_read(self)
        return self.line.after_read(super().recv_into(*args))


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One context for all threads: loading the certificate authorities takes 20 ms."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.sslsocket_class = _TLSSocket
    return context


class Adapter(HTTPAdapter):
    """requests' adapter with our connections in its pools."""

    def __init__(self, line: Line) -> None:
        super().__init__(pool_connections=16, pool_maxsize=1)
        self._line = line
        self._home = ""
        self._pool: HTTPConnectionPool

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return line.connect(self._dns_host, self.port or 80)

            def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
                super().putrequest(method, line.target, *args, **kwargs)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return line.connect(self._dns_host, self.port or 443)

            def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
                super().putrequest(method, line.target, *args, **kwargs)

            def connect(self) -> None:
                super().connect()
                if isinstance(self.sock, _TLSSocket):
                    self.sock.line = line

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The pool of the request's origin. A fetcher mostly stays with one host, and to find it costs as much as to
        write the request. No proxy here, whatever the environment says.
        """
        home = origin(request.url)
        if home != self._home:
            scheme = home.partition(":")[0]
            parts = {"ssl_context": _tls()} if scheme == "https" else {}
            self._pool = self.poolmanager.connection_from_url(home, parts)
            self._home = home
        return self._pool

    def request_url(self, request: Any, _proxies: Any) -> str:
        """The request target: the URL is normalised, so it is what follows the origin.

        It is sent letter for letter: urllib3 would encode `%zz` and `[` once more, and ask for another page.
        """
        self._line.target = str(request.url)[len(origin(request.url)) :]
        return self._line.target

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """The reply with what is looked at here; requests would make a cookie jar and guess an encoding as well."""
        response = requests.Response()
        response.request = req
        response.status_code = resp.status
        response.headers = CaseInsensitiveDict(resp.headers)
        response.raw = resp
        return response

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: our context verifies, and has its authorities loaded; requests would load them per connection."""


def in_words(error: BaseException | None) -> str:
    """An exception in one short printable line."""
    if isinstance(error, OSError) and error.errno in errno.errorcode and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())[:200]
    return "".join(char if char.isprintable() else "?" for char in text) or type(error).__name__
