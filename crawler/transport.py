"""The connections under a fetch: sockets of our own, which the HTTP client is given.

Each connection checks the very address that it connects to, and holds the look-up of the name, the TLS handshake and
every single read against the deadline of the whole request, and what it reads against what the server may send:
requests' timeout alone is per read, and a server that drips a byte a second would hold a thread for ever.
"""

import contextlib
import errno
import io
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import certifi

from crawler.addresses import Guard, is_address, is_loopback
from crawler.errors import CrawlerError
from crawler.proxy import Proxy
from crawler.resolver import RESOLVER, Address

CONNECT_TIMEOUT: Final = 10.0  # seconds, for each address of a host
_HEAD: Final = 512 * 1024  # bytes on the wire before the body: headers and interim replies
_PATIENCE: Final = 2.0  # seconds for a look-up that a request through a proxy can do without
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})


class FetchError(CrawlerError):
    """A GET that gave no usable reply. `reason` is a short code, `transient` says whether trying again may help, and
    `is_ours` whether this very machine had no more to give: no open file, no memory.
    """

    def __init__(self, reason: str, detail: str, *, transient: bool = False, is_ours: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.is_ours = is_ours


class Line:
    """The connections of one fetcher: the deadline that they keep, the guard that they ask, the proxy in between."""

    def __init__(self, guard: Guard, proxy: Proxy | None = None) -> None:
        self.guard = guard
        self.proxy = proxy
        self.deadline = 0.0
        self.connected = False
        """Whether the present request had to connect, rather than use a kept connection."""
        self._cut = False
        self.bytes_left = 0
        """What the server may still send for the present request, on the wire."""
        self._in_use: socket.socket | None = None
        self._answered = threading.Event()
        """Of the present look-up, if there is one."""

    def open(self, deadline: float) -> None:
        self.deadline = deadline
        self.bytes_left = _HEAD
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
        self._in_use = sock
        sock.settimeout(self.left())

    def cut(self) -> None:
        """From another thread: what is under way ends now, and nothing else begins."""
        self._cut = True
        self._answered.set()
        if (sock := self._in_use) is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError when it has passed."""
        left = self.deadline - time.monotonic()
        if left <= 0 or self._cut:
            raise TimeoutError("deadline passed")
        return left

    def connect(self, host: str, port: int) -> "PlainSocket":
        """A connection to the host, or to the proxy that stands for it. Raises FetchError, TimeoutError."""
        self.connected = True
        host = host.strip("[]")
        if self.proxy is None:
            return self._dial(host, port, self._checked(host, port))
        destination = self._through_proxy(self.proxy, host, port)
        sock = self._dial(self.proxy.host, self.proxy.port, self._addresses(self.proxy.host), "proxy ")
        if self.proxy.scheme != "http":
            try:
                self.proxy.lead(sock, destination, port)
            except OSError as error:
                sock.close()
                if isinstance(error, TimeoutError):
                    raise
                detail = f"proxy {self.proxy.host}:{self.proxy.port}, asked for {host}:{port}: {in_words(error)}"
                raise FetchError("connect-error", detail, transient=True) from error
        return sock

    def _through_proxy(self, proxy: Proxy, host: str, port: int) -> str:
        """What the proxy is asked to connect to. What can be checked from here is; the rest is the proxy's affair."""
        if proxy.scheme == "socks5":
            return str(self._checked(host, port)[0][1][0])
        if is_address(host) or is_loopback(host):
            address = host if is_address(host) else "127.0.0.1"
            if not self.guard.allows(address, port):
                raise _private(host, address)
        elif proxy.scheme == "http":
            try:
                self._checked(host, port, _PATIENCE)
            except FetchError as error:  # a name that is known beyond the proxy only is no failure
                if error.reason == "private-address":
                    raise
        return host

    def _checked(self, host: str, port: int, patience: float | None = None) -> list[Address]:
        """The addresses of the host that may be connected to. The verdict falls on the very address that is connected
        to: no second look-up can change it."""
        found = self._addresses(host, patience)
        allowed = [one for one in found if self.guard.allows(str(one[1][0]), port)]
        if not allowed:
            raise _private(host, str(found[0][1][0]))
        return allowed

    def _addresses(self, host: str, patience: float | None = None) -> tuple[Address, ...]:
        """All addresses of the host. Waits for them to the deadline, or for so many seconds."""
        answer = RESOLVER.look_up(host)
        if not answer.done():
            answered = self._answered = threading.Event()
            answer.add_done_callback(lambda _: answered.set())
            left = self.left()  # asked after the event is where cut() finds it
            if not answered.wait(min(left, patience or left)) or self._cut:
                raise FetchError("timeout", f"the look-up of {host} has no answer yet", transient=True)
        try:
            return answer.result()
        except (OSError, UnicodeError) as error:
            again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
            raise FetchError("dns-error", f"{host}: {in_words(error)}", transient=again) from error

    def _dial(self, host: str, port: int, addresses: Iterable[Address], role: str = "") -> "PlainSocket":
        """A connection to the first of the addresses that answers."""
        refused: OSError | None = None
        for family, address in addresses:
            sock = PlainSocket(family, socket.SOCK_STREAM)
            sock.line = self
            try:
                self.before_read(sock)  # so that cut() finds it
                sock.settimeout(min(CONNECT_TIMEOUT, self.left()))
                sock.connect((address[0], port, *address[2:]))
                sock.settimeout(self.left())
            except OSError as error:
                sock.close()
                refused = error
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        RESOLVER.forget(host)  # perhaps it has moved
        place = f"{role}{host}:{port}"
        if isinstance(refused, TimeoutError):
            raise FetchError("timeout", f"no connection to {place}", transient=True)
        raise FetchError("connect-error", f"{place}: {in_words(refused)}", transient=True, is_ours=is_ours(refused))


def is_ours(error: OSError | None) -> bool:
    """Whether it was this very machine that had no more to give."""
    return error is not None and error.errno in _EXHAUSTED


def _private(host: str, address: str) -> FetchError:
    return FetchError("private-address", f"{host} is {address}, and --allow-private is not set")


class _Kept:
    """What our sockets have in common: every read keeps the deadline of the whole request."""

    line: Line
    at_end = False
    """Whether the reply was read, and all that is looked for is what was read beyond it: no more is received."""

    def recv_into(self, *args: Any) -> int:
        if self.at_end:
            raise BlockingIOError(errno.EAGAIN, "the reply was read")
        self.line.before_read(self)  # type: ignore[arg-type]
        return self.line.after_read(super().recv_into(*args))  # type: ignore[misc]

    def makefile(self, mode: str = "r", buffering: int | None = None, **more: Any) -> Any:
        if mode == "rb" and buffering is None:
            return _Reader(self)  # type: ignore[arg-type]
        return super().makefile(mode, buffering, **more)  # type: ignore[misc]


class PlainSocket(_Kept, socket.socket):
    """A socket that keeps the deadline."""


class TLSSocket(_Kept, ssl.SSLSocket):
    """The same over TLS."""


class _Reader(io.BufferedReader):
    """One reply, as http.client reads it. Bytes beyond its end answer nothing that was asked: with them, the connection
    ends, or the next reply on it would be taken for another's. Those that come later are seen by the pool, which gives
    out no connection that can be read from.
    """

    def __init__(self, sock: PlainSocket | TLSSocket) -> None:
        super().__init__(sock.makefile("rb", buffering=0))
        self._sock = sock

    def close(self) -> None:
        if not self.closed:
            sock = self._sock
            sock.at_end = True
            with contextlib.suppress(OSError):
                if self.peek(1):
                    sock.shutdown(socket.SHUT_RDWR)
            sock.at_end = False
        super().close()


class _Context(ssl.SSLContext):
    """Makes TLS connections of our plain ones. The handshake keeps the deadline, too, and can be cut."""

    def wrap_socket(self, sock: Any, *_: Any, server_hostname: Any = None, **__: Any) -> ssl.SSLSocket:
        line: Line = sock.line
        tls = super().wrap_socket(sock, do_handshake_on_connect=False, server_hostname=server_hostname)
        assert isinstance(tls, TLSSocket)
        tls.line = line
        try:
            line.before_read(tls)
            tls.do_handshake()
        except TimeoutError as error:
            tls.close()
            raise FetchError("timeout", "no TLS handshake before the deadline", transient=True) from error
        except (ssl.SSLEOFError, AttributeError) as error:  # AttributeError: it was over before TLS began
            tls.close()
            raise FetchError("connect-error", "the connection ended in the TLS handshake", transient=True) from error
        except BaseException:
            tls.close()
            raise
        return tls


@lru_cache(maxsize=2)
def tls_context(verified: bool) -> ssl.SSLContext:
    """One context for all threads: loading the certificate authorities takes 20 ms."""
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)  # TLS 1.2 or newer, names checked
    context.sslsocket_class = TLSSocket
    if verified:
        context.load_verify_locations(certifi.where())
        if sys.version_info >= (3, 13):  # as Python's own default has it from there on
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    else:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def in_words(error: BaseException | None) -> str:
    """An exception in one short printable line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    known = isinstance(error, socket.gaierror) or (isinstance(error, OSError) and error.errno in errno.errorcode)
    if known and isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = " ".join(str(error).split())[:200]
    return "".join(char if char.isprintable() else "?" for char in text) or type(error).__name__
