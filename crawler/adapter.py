"""The HTTP client: requests' adapter, whose connections are ours, whose replies are held to the standard.

Not its session, whose redirects, cookies and environment (.netrc, proxy variables) must not act here.
"""

import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, disable_warnings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import InsecureRequestWarning

from crawler.framing import FramedResponse
from crawler.transport import Line, tls_context
from crawler.urls import origin


class Adapter(HTTPAdapter):
    """requests' adapter with our connections in its pools."""

    def __init__(self, line: Line, *, verified: bool = True) -> None:
        super().__init__(pool_connections=16, pool_maxsize=1)
        self._verified = verified
        self._line = line
        if not verified:
            disable_warnings(InsecureRequestWarning)  # the summary says it once, not each request
        self._home = ""
        self._proxy = proxy = line.proxy if line.proxy and line.proxy.scheme == "http" else None
        self._pool: HTTPConnectionPool

        class Plain(HTTPConnection):
            response_class = FramedResponse

            def _new_conn(self) -> socket.socket:
                return line.connect(self._dns_host, self.port or 80)

            def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
                super().putrequest(method, line.target, *args, **kwargs)

        class Secure(HTTPSConnection):
            response_class = FramedResponse

            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                if proxy is not None:
                    host = self._dns_host.strip("[]")
                    self.set_tunnel(f"[{host}]" if ":" in host else host, self.port or 443, proxy.headers)

            def _new_conn(self) -> socket.socket:
                return line.connect(self._dns_host, self.port or 443)

            def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
                super().putrequest(method, line.target, *args, **kwargs)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

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
        self._line.target = origin(request.url) + path if is_whole else path
        return self._line.target

    def add_headers(self, request: Any, **_: Any) -> None:
        """Through a tunnel these go to the proxy by themselves; here they stand in the request that it passes on."""
        if self._proxy is not None and self._proxy.headers and request.url.startswith("http:"):
            request.headers = request.headers.copy()
            request.headers.update(self._proxy.headers)

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """The reply with what is looked at here; requests would make a cookie jar and guess an encoding as well."""
        response = requests.Response()
        response.request = req
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        return response

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: our context verifies, and has its authorities loaded; requests would load them per connection."""
