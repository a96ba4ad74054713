"""One GET: an absolute deadline, a cap on the decoded body, redirects reported instead of followed.

One kind of redirect is followed here after all: a cookie wall.
"""

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from http.client import IncompleteRead as ChunkCut
from typing import Any, Final, Self

import requests
from requests.structures import CaseInsensitiveDict
from urllib3 import Timeout
from urllib3.exceptions import DecodeError, HTTPError, IncompleteRead, ProtocolError, ReadTimeoutError

from crawler.adapter import Adapter
from crawler.addresses import Guard
from crawler.credentials import Credentials, with_cookies
from crawler.proxy import Proxy
from crawler.stages import Account
from crawler.transport import FetchError, Line, in_words, is_ours
from crawler.wall import Wall

_UNLIMITED: Final[Any] = Timeout()  # by requests: the line keeps the deadline
_CHUNK: Final = 256 * 1024  # bytes decoded at a time; a decompression bomb is seen after the first
_OVERHEAD: Final = 2 * 1024 * 1024  # bytes on the wire beside the body: headers, chunk sizes, what is read ahead
_DRAIN_TIME: Final = 0.05  # seconds that reading an unwanted body to its end may take
_SMALL: Final = 16 * 1024  # bytes of an unwanted body that are read to keep the connection
_SNIFF: Final = 512  # bytes looked at to tell text from data
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ENCODINGS = frozenset({"gzip", "x-gzip", "deflate", "br", "zstd", "identity", ""})
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_XML = frozenset({"application/xml", "text/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml"})
_ROOT: Final = re.compile(rb"<(?:[a-z]{1,20}:)?(urlset|sitemapindex|rss|feed|rdf)\b", re.I)  # of sitemaps and feeds
_BEFORE_ROOT: Final = re.compile(rb"(?:<\?[^>]*+>|<!--.*?-->|[^<]++)*+", re.S)  # instructions, comments, space
_UNTOLD = frozenset({"", "application/octet-stream", "application/x-unknown", "unknown/unknown", "*/*"})


@dataclass(frozen=True, slots=True)
class Response:
    """The reply to one GET."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    """Decoded, at most `max_size` bytes; empty when the status is not 2xx or `kind` is `other`."""
    kind: str
    """`html`, `text`, `xml` for what may be a sitemap or a feed, or `other` for what was not read."""
    truncated: bool
    """Whether the body was longer than `max_size`, and what is here is its beginning."""
    seconds: float
    cookies: tuple[str, ...] = ()
    """What a redirect would have set: the values of its Set-Cookie headers."""

    @property
    def content_type(self) -> str:
        declared = self.headers.get("Content-Type", "")
        return declared if declared.isprintable() else "".join(c if c.isprintable() else "?" for c in declared)

    @property
    def location(self) -> str | None:
        """Where a redirect points, as the server wrote it; None when this is no redirect."""
        if self.status not in _REDIRECTS:
            return None
        # http.client reads headers as Latin-1; a server that sends UTF-8 there means UTF-8.
        raw = self.headers.get("Location", "").encode("latin-1", "replace")
        return raw.decode("utf-8", "replace")


class Fetcher:
    """Fetches URLs one after another over kept connections. Belongs to the thread that made it."""

    def __init__(
        self,
        *,
        user_agent: str,
        timeout: float,
        max_size: int,
        guard: Guard,
        credentials: Credentials | None = None,
        proxy: Proxy | None = None,
        verified: bool = True,
        account: Account | None = None,
    ) -> None:
        """`timeout` is in seconds for a whole GET, `max_size` in decoded bytes.

        `verified` says whether the certificates of servers are; there is one good reason for False, a server of one's
        own. The `account` is that of the thread.
        """
        self._timeout = timeout
        self._max_size = max_size
        self._line = Line(guard, proxy)
        self._adapter = Adapter(self._line, verified=verified)
        self._credentials = credentials or Credentials()
        self._wall = Wall()
        self._account = account or Account()
        self._common = CaseInsensitiveDict(
            {
                "User-Agent": user_agent,
                "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1",
                "Accept-Encoding": "gzip, deflate, br, zstd",
            }
        )

    def get(
        self,
        url: str,
        *,
        max_size: int | None = None,
        any_type: bool = False,
        validators: tuple[str, str] = ("", ""),
        through: Callable[[str], bool] | None = None,
        timeout: float | None = None,
        as_user: bool = True,
    ) -> Response:
        """Fetches a normalised URL. Blocks until the deadline at most. Raises FetchError.

        The body is read only of a 2xx reply that is HTML, plain text, a sitemap or a feed; with `any_type` of any.
        `validators` are ETag and Last-Modified of a copy that we have: if it is still right, the status is 304
        (RFC 9110 §13.1). `through` says which URLs of the same origin may be asked for on the way through a cookie
        wall; without it, none may. `timeout` is shorter than that of every GET, in seconds. `as_user`
        is False where nothing that proves who the user is may go along.
        """
        started = time.monotonic()  # the deadline holds for a whole chain
        most = max_size or self._max_size

        def ask(target: str, cookies: str = "") -> Response:
            own = validators if target == url else ("", "")
            return self._ask(target, cookies, own, started + (timeout or self._timeout), most, any_type, as_user)

        with self._account("fetch"):
            reply = ask(url)
            if reply.location is not None and through is not None:
                return self._wall.passed(reply, ask, through)
            return reply

    def _ask(
        self,
        url: str,
        cookies: str,
        validators: tuple[str, str],
        deadline: float,
        max_size: int,
        any_type: bool,
        as_user: bool,
    ) -> Response:
        started = time.monotonic()
        self._line.open(deadline)
        headers = self._headers(url, cookies, validators, as_user)
        try:
            reply = self._send(url, headers)
        except FetchError as error:
            # A kept connection that the server had closed meanwhile says nothing about the server.
            if error.reason != "connect-error" or self._line.connected:
                raise
            reply = self._send(url, headers)
        self._line.bytes_left = max_size + _OVERHEAD
        set_cookies: tuple[str, ...] = ()
        try:
            status = reply.status_code
            if "X-Robots-Tag" in reply.headers:  # a line each: joined by commas, nobody knows whom the second one means
                reply.headers["X-Robots-Tag"] = "\n".join(reply.raw.headers.getlist("X-Robots-Tag"))
            if not 200 <= status < 300:
                body, kind, truncated = b"", "other", False
                if status in _REDIRECTS:
                    set_cookies = tuple(reply.raw.headers.getlist("Set-Cookie"))
            else:
                body, kind, truncated = self._read(reply, reply.headers, max_size, any_type)
        finally:
            self._let_go(reply)
        return Response(url, status, reply.headers, body, kind, truncated, time.monotonic() - started, set_cookies)

    def _headers(self, url: str, cookies: str, validators: tuple[str, str], as_user: bool) -> CaseInsensitiveDict[str]:
        own = self._credentials.for_url(url) if as_user else {}
        if not own and not cookies and not any(validators):
            return self._common
        headers = self._common.copy()
        headers.update(with_cookies(own, cookies) if cookies else own)
        for name, value in zip(("If-None-Match", "If-Modified-Since"), validators, strict=True):
            if value:
                headers[name] = value
        return headers

    def _send(self, url: str, headers: CaseInsensitiveDict[str]) -> requests.Response:
        request = requests.PreparedRequest()
        request.method, request.url, request.headers = "GET", url, headers
        try:
            return self._adapter.send(request, stream=True, timeout=_UNLIMITED)
        except (requests.RequestException, HTTPError, HTTPException, OSError, ValueError) as error:
            raise _mapped(error) from error

    def _read(
        self, reply: requests.Response, headers: Mapping[str, str], max_size: int, any_type: bool
    ) -> tuple[bytes, str, bool]:
        """`(body, kind, truncated)`; stops as soon as it is clear that the rest is not wanted."""
        declared = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        kind = _kind(declared)
        if kind == "other" and not any_type:
            return b"", kind, False
        coding = {part.strip().lower() for part in headers.get("Content-Encoding", "").split(",")}
        if not coding <= _ENCODINGS:
            raise FetchError("decode-error", f"Content-Encoding {headers['Content-Encoding'][:80]!r} is unknown")
        chunks: list[bytes] = []
        size = 0
        try:
            for chunk in _pieces(reply.raw, is_coded=coding != {""}):
                if not chunks and not any_type and (kind := _sniffed(kind, chunk[:_SNIFF])) == "other":
                    return b"", kind, False
                chunks.append(chunk)
                size += len(chunk)
                if size > max_size:
                    chunks[-1] = chunk[: max_size - size]
                    break
            else:
                if reply.raw.tell() and not _is_whole(reply.raw):  # also where nothing could be decoded yet
                    raise FetchError("decode-error", f"the {headers['Content-Encoding'][:80]!r} data end too early")
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise _mapped(error) from error
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        return body, kind if kind != "untold" else "text", size > max_size

    def _let_go(self, reply: requests.Response) -> None:
        """Keeps the connection when the reply was read to its end, and closes it otherwise: nothing is drained."""
        raw = reply.raw
        try:
            # An error page: cheaper to read than to connect again. Nothing at all: http.client wants to be told, or it
            # takes the connection for one in use.
            if raw.length_remaining is not None and raw.length_remaining <= _SMALL and not raw.closed:
                self._line.deadline = min(self._line.deadline, time.monotonic() + _DRAIN_TIME)
                raw.read(decode_content=False)
        except (FetchError, HTTPError, HTTPException, OSError, ValueError):
            raw.close()
        if raw.closed or raw.length_remaining == 0:
            raw.release_conn()
        else:
            raw.close()

    def abort(self) -> None:
        """Ends the GET under way, and every later one, from another thread: reads fail at once with FetchError."""
        self._line.cut()

    def close(self) -> None:
        self._adapter.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _pieces(raw: Any, *, is_coded: bool) -> Iterator[bytes]:
    """The decoded body. One whose length is known is not asked for more than that: to be told that there is nothing
    costs as much as a small page.
    """
    while piece := raw.read(_CHUNK if is_coded else min(_CHUNK, raw.length_remaining or _CHUNK), decode_content=True):
        yield piece
        if raw.length_remaining == 0 and not is_coded:
            return


def _is_whole(raw: Any) -> bool:
    """Whether the compressed data came to their own end. urllib3 asks zstd only; its decoders have no other door."""
    decoder = getattr(raw, "_decoder", None)
    for one in getattr(decoder, "_decoders", [decoder]):
        state: Any = getattr(one, "_obj", None)
        if getattr(one, "_state", 0):
            continue  # a whole gzip member, and perhaps something behind it, which everybody ignores
        if getattr(state, "eof", True) is False or (hasattr(state, "is_finished") and not state.is_finished()):
            return False
    return True


def _kind(declared: str) -> str:
    if declared in _HTML:
        return "html"
    if declared == "text/plain":
        return "text"
    if declared in _XML:
        return "xml"
    return "untold" if declared in _UNTOLD else "other"


def _sniffed(kind: str, head: bytes) -> str:
    """What a body is by its first bytes (WHATWG MIME Sniffing §7): data that claims to be text, and text unclaimed."""
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        is_markup = kind == "html" and head.lstrip(b" \t\r\n\f\0").startswith(b"<")  # with a NUL in it, or in UTF-16
        return kind if is_markup else "other"
    if kind == "untold":
        start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:15].lower()
        return "html" if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")) else "other"
    if kind == "xml":
        before = _BEFORE_ROOT.match(head)
        start = head[before.end() :] if before else head
        is_cut = not start or start.startswith((b"<?", b"<!--"))
        return "xml" if is_cut or b"\0" in head or _ROOT.match(start) else "other"
    return kind


def _mapped(error: Exception) -> FetchError:
    """A foreign exception in our words. The most telling one in the chain of causes and contexts decides."""
    if isinstance(error, FetchError):
        return error
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and seen not in chain:
        chain.append(seen)
        inner = next((arg for arg in seen.args if isinstance(arg, BaseException)), None)
        seen = getattr(seen, "reason", None) if isinstance(getattr(seen, "reason", None), BaseException) else inner
    root = chain[-1]
    if any(isinstance(link, TimeoutError | ReadTimeoutError | requests.Timeout) for link in chain):
        return FetchError("timeout", "no complete reply before the deadline", transient=True)
    if any(isinstance(link, ssl.SSLError | requests.exceptions.SSLError) for link in chain):
        return FetchError("tls-error", in_words(root))
    if any(isinstance(link, DecodeError) for link in chain):
        return FetchError("decode-error", in_words(root))
    if any(isinstance(link, IncompleteRead | ChunkCut) for link in chain):
        return FetchError("truncated", "the body is shorter than announced", transient=True)
    if isinstance(root, OSError):  # http.client.RemoteDisconnected is a ConnectionResetError
        return FetchError("connect-error", in_words(root), transient=True, is_ours=is_ours(root))
    if any(isinstance(link, ProtocolError | HTTPException) for link in chain):
        return FetchError("protocol-error", in_words(root))
    return FetchError("protocol-error", in_words(root))
