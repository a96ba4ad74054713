"""Real servers for tests: a site that is described in the words of the domain, and folders of real documentation."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the server saw it; times are monotonic seconds."""

    path: str
    headers: Mapping[str, str]
    began: float
    ended: float


@dataclass(slots=True)
class _Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None


class Site:
    """A web site on loopback, served by threads. `site.page("/a", links=["/b"])`, then crawl `site.url("/a")`."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self._replies: dict[str, list[_Reply]] = {}
        self._made: list[tuple[str, Callable[[str], bytes]]] = []
        self._lock = threading.Lock()
        self._in_flight = 0
        self.latency = 0.0
        """Seconds that every reply takes."""
        self.asked: set[str] = set()
        """Paths of requests that came in, answered or not."""
        self.seen: list[Seen] = []
        self.most_at_once = 0
        self.robots("User-agent: *\nDisallow:\n")
        self.is_away = False
        self._listen((address, 0))

    def _listen(self, address: tuple[str, int]) -> None:
        self._server = _Server(address, _Handler)
        self._server.site = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def leave(self) -> None:
        """Nobody is there any more: connections are refused, and those that are kept end without a word."""
        self.is_away = True
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def come_back(self) -> None:
        """The site listens again, at the same address."""
        self.is_away = False
        self._listen((str(self._server.server_address[0]), self._server.server_address[1]))

    @property
    def host(self) -> str:
        return f"{self._server.server_address[0]}:{self._server.server_address[1]}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"

    def page(
        self,
        path: str,
        text: str = "",
        *,
        title: str | None = None,
        links: Iterable[str] = (),
        head: str = "",
        body: str = "",
        **headers: str,
    ) -> None:
        """An HTML page with a title, a text, links and whatever else the head or body should hold."""
        anchors = "".join(f'<p><a href="{link}">{link}</a></p>' for link in links)
        html = (
            f"<!doctype html><html lang=en><head><title>{title or f'Page {path}'}</title>{head}</head>"
            f"<body><h1>{title or path}</h1><p>{text or f'This is {path}.'}</p>{anchors}{body}</body></html>"
        )
        self.raw(path, html.encode(), **{"Content-Type": "text/html; charset=utf-8", **_named(headers)})

    def raw(self, path: str, body: bytes = b"", *, status: int = 200, **headers: str) -> None:
        self._replies[path] = [_Reply(status, body, _named(headers))]

    def endless(self, prefix: str, make: Callable[[str], str]) -> None:
        """Every path that begins so and has no page of its own shows the HTML that is made of it."""
        self._made.append((prefix, lambda path: make(path).encode()))

    def redirect(self, path: str, to: str, status: int = 301) -> None:
        self.raw(path, status=status, Location=to)

    def robots(self, text: str, status: int = 200) -> None:
        self.raw("/robots.txt", text.encode(), status=status, **{"Content-Type": "text/plain"})

    def first(self, path: str, *statuses: int, **headers: str) -> None:
        """The path answers these statuses first, in turn, and then what it answers otherwise."""
        replies = [_Reply(status, b"not now", _named(headers)) for status in statuses]
        self._replies[path] = replies + self._replies[path]

    def hold(self, path: str) -> threading.Event:
        """The path answers only once the event that comes back is set."""
        gate = threading.Event()
        for reply in self._replies[path]:
            reply.gate = gate
        return gate

    def requests(self, path: str) -> list[Seen]:
        with self._lock:
            return [seen for seen in self.seen if seen.path == path]

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for, but for robots.txt, in the order in which they were answered."""
        with self._lock:
            return [seen.path for seen in self.seen if seen.path != "/robots.txt"]

    def close(self) -> None:
        for replies in self._replies.values():
            for reply in replies:
                if reply.gate is not None:
                    reply.gate.set()
        if not self.is_away:
            self.leave()

    def _answer(self, path: str) -> _Reply:
        with self._lock:
            self.asked.add(path)
            self._in_flight += 1
            self.most_at_once = max(self.most_at_once, self._in_flight)
            replies = self._replies.get(path)
            if replies is None:
                for prefix, make in self._made:
                    if path.startswith(prefix):
                        return _Reply(200, make(path), {"Content-Type": "text/html; charset=utf-8"})
                return _Reply(404, b"<title>no such page</title>", {"Content-Type": "text/html"})
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def _answered(self, path: str, headers: Mapping[str, str], began: float) -> None:
        with self._lock:
            self._in_flight -= 1
            self.seen.append(Seen(path, headers, began, time.monotonic()))


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


class _Server(ThreadingHTTPServer):
    site: Site
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        if self.server.site.is_away:
            self.close_connection = True
            return
        began = time.monotonic()
        reply = self.server.site._answer(self.path)
        if reply.gate is not None:
            reply.gate.wait(30)
        if self.server.site.latency:
            threading.Event().wait(self.server.site.latency)
        # Before the first byte goes out: whoever has the reply finds the request on record.
        self.server.site._answered(self.path, dict(self.headers), began)
        if self._is_not_modified(reply):
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _is_not_modified(self, reply: _Reply) -> bool:
        """Whether the client has what it asks for, by ETag or else by Last-Modified (RFC 9110 §13.1)."""
        if tag := self.headers["If-None-Match"]:
            return reply.status == 200 and tag == reply.headers.get("ETag")
        since = self.headers["If-Modified-Since"]
        return since is not None and reply.status == 200 and since == reply.headers.get("Last-Modified")

    def log_message(self, *args: Any) -> None:
        """The test speaks."""


class Folder:
    """A folder of files, served by Python's own file server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-u",
                "-m",
                "http.server",
                "0",
                "--bind",
                "127.0.0.1",
                "--directory",
                str(folder),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        port = re.search(r"port (\d+)", self._process.stdout.readline())
        assert port is not None
        self.url = f"http://127.0.0.1:{port[1]}/"

    def close(self) -> None:
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
