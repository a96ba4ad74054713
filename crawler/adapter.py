"""The HTTP client: requests' adapter, whose connections are ours, whose replies are held to the standard.

Not its session, whose redirects, cookies and environment (.netrc, proxy variables) must not act here; nor what urllib3
does around a request, for methods, bodies, retries and timeouts that there are none of here: that cost as much again as
to send a request and to read the head of its reply.
"""

import re
import socket
from collections.abc import Mapping
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from crawler.framing import FramedResponse
from crawler.transport import Line, tls_context
from crawler.urls import origin

_NO_HEADER: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NO_TARGET: Final = re.compile(r"[^!-~]")


class Adapter(HTTPAdapter):
    """requests' adapter with our connections in its pools."""

    def __init__(self, line: Line, *, verified: bool = True) -> None:
        super().__init__(pool_connections=16, pool_maxsize=1)
        self._verified = verified
        self._home = ""
        self._proxy = proxy = line.proxy if line.proxy and line.proxy.scheme == "http" else None
        self._pool: HTTPConnectionPool

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return line.connect(self._dns_host, self.port or 80)

        class Secure(HTTPSConnection):
            response_class = FramedResponse  # of a proxy to CONNECT

            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                if proxy is not None:
                    host = self._dns_host.strip("[]")
                    self.set_tunnel(f"[{host}]" if ":" in host else host, self.port or 443, proxy.headers)

            def _new_conn(self) -> socket.socket:
                return line.connect(self._dns_host, self.port or 443)

        class PlainPool(_Pool, HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(_Pool, HTTPSConnectionPool):
            ConnectionCls = Secure

        PlainPool.line = SecurePool.line = line
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> HTTPConnectionPool:
        """The pool of the request's origin. A fetcher mostly stays with one host, and to find it costs as much as to
        write the request.
        """
        home = origin(request.url)
        if home != self._home:
            scheme = home.partition(":")[0]
            parts = {"ssl_context": tls_context(self._verified)} if scheme == "https" else {}
            self._pool = self.poolmanager.connection_from_url(home, parts)
            self._home = home
        return self._pool

    def request_url(self, request: Any, _proxies: Any) -> str:
        """The request target, never with the user name that a URL may hold; a proxy wants the origin, too.

        It is sent letter for letter: urllib3 would encode `%zz` and `[` once more, and ask for another page.
        """
        path = "/" + str(request.url).split("/", 3)[3]  # the URL is normalised, so there is one
        is_whole = self._proxy is not None and request.url.startswith("http:")
        return origin(request.url) + path if is_whole else path

    def add_headers(self, request: Any, **_: Any) -> None:
        """Through a tunnel these go to the proxy by themselves; here they stand in the request that it passes on."""
        if self._proxy is not None and self._proxy.headers and request.url.startswith("http:"):
            request.headers = request.headers.copy()
            request.headers.update(self._proxy.headers)

    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> requests.Response:
        """The reply with what is looked at here; requests would make a cookie jar and guess an encoding as well."""
        return _Reply(req, resp)

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: our context verifies, and has its authorities loaded; requests would load them per connection."""


class _Reply(requests.Response):
    """A reply, of which the body is for who asked to read."""

    def __init__(self, request: requests.PreparedRequest, raw: BaseHTTPResponse) -> None:
        """Without what requests makes here: a cookie jar and other things that nobody looks at."""
        self.request = request
        self.status_code = raw.status
        self.headers = raw.headers  # type: ignore[assignment]
        self.raw = raw


class _Pool(HTTPConnectionPool):
    """A pool that asks and reads the head of the reply, and leaves the rest of the reply to who asked."""

    line: Line
    _headers: Mapping[str, str] | None = None  # of the last request
    _written: bytes = b""  # the same, as they are sent

    def urlopen(self, method: str, url: str, *_: Any, headers: Mapping[str, str], **__: Any) -> HTTPResponse:  # type: ignore[override]
        """The reply to a GET of the request target `url`. Raises HTTPException, OSError, ValueError or FetchError."""
        if _NO_TARGET.search(url):
            raise ValueError(f"{url[:200]!r} is no request target")
        connection: Any = self._get_conn()
        try:
            if connection.sock is None:
                connection.connect()
            self.line.before_read(connection.sock)
            connection.sock.sendall(b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode(), url.encode(), self._head(headers)))
            reply = _answered(connection.sock, method)
        except BaseException:
            connection.close()
            raise
        if reply.will_close:
            connection.close()  # the socket is, when the reply was read
        return HTTPResponse(
            reply,
            reply.headers,  # type: ignore[arg-type]
            reply.status,
            preload_content=False,
            decode_content=False,
            original_response=reply,
            pool=self,
            connection=connection,
            request_method=method,
        )

    def _head(self, headers: Mapping[str, str]) -> bytes:
        """Headers as they are sent. Those that all requests share are one object that nobody changes: written once."""
        if headers is not self._headers:
            host = f"[{self.host}]" if ":" in self.host else self.host
            is_usual = self.port in (None, 443 if self.scheme == "https" else 80)
            fields = {"Host": host if is_usual else f"{host}:{self.port}", **headers}
            if any(map(_NO_HEADER.search, fields.values())):
                raise ValueError("a header with control characters")
            self._written = "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode("latin-1")
            self._headers = headers
        return self._written


def _answered(sock: socket.socket, method: str) -> FramedResponse:
    """A reply whose head was read."""
    reply = FramedResponse(sock, method=method)
    try:
        reply.begin()
    except BaseException:
        reply.close()
        raise
    return reply
