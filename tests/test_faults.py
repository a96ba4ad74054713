"""Whole crawls beside a server that misbehaves: its URL has its reason, and costs no other page anything."""

import socket
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import brotli
import pytest

from crawler import Report
from tests.site import Site
from tests.test_fetch import CHUNKED, endless_interim_replies, html, reset_in_the_body, with_headers
from tests.wire import Script, Wire, reset

Serve = Callable[..., Wire]
Run = Callable[..., Report]
NO_ROBOTS = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def silent(wire: list[Wire]) -> Script:
    return lambda _: wire[0].stopping.wait() and None


def dripping(head: bytes) -> Callable[[list[Wire]], Script]:
    def script(wire: list[Wire]) -> Script:
        def drip(connection: socket.socket) -> None:
            connection.sendall(head)
            while not wire[0].stopping.wait(0.05):
                connection.sendall(b"x")

        return drip

    return script


FAULTS: dict[str, tuple[bytes | Script | Callable[[list[Wire]], Script], str]] = {
    "closes without a byte": (b"", "connect-error"),
    "resets": (reset, "connect-error"),
    "resets in the body": (reset_in_the_body, "connect-error"),
    "never answers": (silent, "timeout"),
    "drips headers": (dripping(b"HTTP/1.1 200 OK\r\nX: "), "timeout"),
    "drips a body": (dripping(with_headers("Content-Length: 9999999")), "timeout"),
    "drips a status line": (dripping(b""), "timeout"),
    "drips a chunk size": (dripping(CHUNKED + b"0"), "timeout"),
    "longer than it is": (with_headers("Content-Length: 1000"), "truncated"),
    "a terabyte": (with_headers("Content-Length: 1000000000000"), "truncated"),
    "chunks cut off": (CHUNKED + b"5\r\nhello\r\n", "truncated"),
    "chunk of 2 GiB": (CHUNKED + b"80000000\r\nhello", "truncated"),
    "two lengths": (with_headers("Content-Length: 8", "Content-Length: 3"), "protocol-error"),
    "negative length": (with_headers("Content-Length: -8"), "protocol-error"),
    "gzip thousandfold": (html(b"x", "Content-Encoding: " + ", ".join(["gzip"] * 1000)), "decode-error"),
    "no gzip": (html(b"no gzip", "Content-Encoding: gzip"), "decode-error"),
    "unknown coding": (html(b"what", "Content-Encoding: foo"), "decode-error"),
    "endless interim replies": (endless_interim_replies, "protocol-error"),
    "HTTP/9.9": (b"HTTP/9.9 abc\r\n\r\n", "protocol-error"),
    "HTTP/0.9": (b"<html>hello", "protocol-error"),
    "999": (b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n", "http-999"),
    "a part": (html(b"<p>hello").replace(b"200 OK", b"206 Partial"), "protocol-error"),
    "endless header": (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", "protocol-error"),
    "10,000 headers": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", "protocol-error"),
    "1,000 cookies": (with_headers(*["Set-Cookie: a=b"] * 1000), "protocol-error"),
    "redirect to itself": (b"HTTP/1.1 302 F\r\nLocation: /fault\r\nContent-Length: 0\r\n\r\n", "bad-redirect"),
    "redirect to nowhere": (b"HTTP/1.1 302 F\r\nContent-Length: 0\r\n\r\n", "bad-redirect"),
    "redirect to the empty": (b"HTTP/1.1 302 F\r\nLocation:\r\nContent-Length: 0\r\n\r\n", "bad-redirect"),
    "redirect to a file": (b"HTTP/1.1 302 F\r\nLocation: file:///etc/hostname\r\n\r\n", "bad-redirect"),
    "redirect to a script": (b"HTTP/1.1 302 F\r\nLocation: javascript:alert(1)\r\n\r\n", "bad-redirect"),
    "redirect to data": (b"HTTP/1.1 302 F\r\nLocation: data:text/html,x\r\n\r\n", "bad-redirect"),
    "redirect to ftp": (b"HTTP/1.1 302 F\r\nLocation: ftp://127.0.0.1/\r\n\r\n", "bad-redirect"),
    "redirect to control characters": (b"HTTP/1.1 302 F\r\nLocation: http://\x1b[31m\0/\r\n\r\n", "bad-redirect"),
    "redirect of 60 kB": (b"HTTP/1.1 302 F\r\nLocation: /" + b"x" * 60_000 + b"\r\n\r\n", "bad-redirect"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_bad_url_costs_no_other_page(site: Site, serve: Serve, db: Path, run: Run, fault: str) -> None:
    """Among good pages one URL fails, with its reason in words that fit on a line; all others are indexed."""
    script, reason = FAULTS[fault]
    own: list[Wire] = []
    if script is silent or getattr(script, "__qualname__", "").startswith("dripping"):
        script = script(own)  # type: ignore[operator]
    own.append(serve(script, robots=NO_ROBOTS))
    site.page("/", links=["/a", own[0].url + "fault", "/b"])
    site.page("/a", links=["/c"])
    site.page("/b")
    site.page("/c")
    report = run(scope="any", allow_private=True, timeout=0.7, retries=0)
    assert (report.pages, report.failed, report.queued, report.reasons) == (4, 1, 0, {reason: 1})
    with closing(sqlite3.connect(db)) as connection:
        (url, state, detail), *rest = connection.execute("SELECT url, state, detail FROM urls WHERE reason <> ''")
    assert (url, state, rest) == (own[0].url + "fault", "failed", [])
    assert detail.isprintable()


def test_a_bad_url_is_tried_again_before_it_fails(site: Site, serve: Serve, run: Run) -> None:
    """A connection that is reset may work the next time: it is tried as often as retries says."""
    wire = serve(reset, robots=NO_ROBOTS.replace(b"Length: 0", b"Length: 0\r\nConnection: close"))
    site.page("/", links=[wire.url])
    report = run(scope="any", allow_private=True, retries=1)
    assert report.reasons == {"connect-error": 1}
    assert len(wire.paths) == 2


@pytest.mark.parametrize(
    ("location", "target"),
    [(b"next", "/next"), (b"?q", "/from?q"), (b"/caf\xc3\xa9", "/caf%C3%A9"), (b"/caf\xe9", "/caf%EF%BF%BD"),
     (b" \t/next\t ", "/next"), (b"\\next", "/next"), (b"//HOST/next#part", "/next"), (b"/a/../next", "/next")],
)  # fmt: skip
def test_a_location_is_read_as_browsers_read_it(serve: Serve, run: Run, db: Path, location: bytes, target: str) -> None:
    """Relative, with blanks, in whatever encoding: a redirect leads where it would lead a browser."""

    def talk(connection: socket.socket) -> None:
        path = wire.requests[-1].split(b" ")[1]
        to = location.replace(b"HOST", wire.host.encode())
        reply = b"HTTP/1.1 301 M\r\nLocation: " + to + b"\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(reply if path == b"/from" else html(b"<p>there"))

    wire = serve(talk, robots=NO_ROBOTS)
    assert run(seeds=(wire.url + "from",), threads=1).pages == 1
    assert wire.paths == ["/from", target]


def test_no_link_or_redirect_forges_a_header(serve: Serve, run: Run) -> None:
    """Line breaks and other control characters in URLs, written or encoded, never end a request line."""
    evil = ["/a\r\nX-Evil:1", "/b%0d%0aX-Evil:1", "/c&#13;&#10;X-Evil:1", "/d\x0bX-Evil:1", "/e?q=\tX-Evil:1"]
    links = "".join(f'<a href="{url}">x</a>' for url in evil).encode()

    def talk(connection: socket.socket) -> None:
        first = wire.requests[-1].startswith(b"GET / ")
        away = b"HTTP/1.1 302 F\r\nLocation: /f%0d%0aX-Evil:1\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(html(links) if first else away)

    wire = serve(talk, robots=NO_ROBOTS)
    run(seeds=(wire.url,), threads=1)
    assert len(wire.paths) == 7
    for request in wire.requests:
        line, *headers = request.decode("latin-1").split("\r\n")
        assert line.isprintable()
        assert not any(header.lower().startswith("x-evil") for header in headers)


def test_chains_of_redirects_end(serve: Serve, run: Run) -> None:
    """Of five thousand redirects ten are followed; two that lead to each other are each asked for once."""

    def talk(connection: socket.socket) -> None:
        path = wire.requests[-1].split(b" ")[1]
        to = {b"/a": b"/b", b"/b": b"/a"}.get(path) or b"/%d" % (int(path[1:] or b"0") + 1)
        connection.sendall(b"HTTP/1.1 302 F\r\nLocation: " + to + b"\r\nContent-Length: 0\r\n\r\n")

    wire = serve(talk, robots=NO_ROBOTS)
    report = run(seeds=(wire.url + "a", wire.url + "0"), threads=1)
    assert report.pages == 0
    assert wire.paths.count("/a") == wire.paths.count("/b") == 1
    assert wire.paths.count("/10") == 1
    assert "/11" not in wire.paths


def zeros(coding: str) -> Iterator[bytes]:
    """Blanks without end, compressed a thousandfold and more; ten GiB of them in the end."""
    blanks = b" " * 2**20
    if coding == "gzip":
        packer = zlib.compressobj(wbits=31)
        yield packer.compress(b"<html>") + packer.flush(zlib.Z_FULL_FLUSH)
        block = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)  # the same bytes as often as one likes
    elif coding == "zstd":
        block = _zstd(blanks)
        yield _zstd(b"<html>")
    else:
        squeezer = brotli.Compressor(quality=1)
        yield squeezer.process(b"<html>") + squeezer.flush()
        for _ in range(10 * 1024):
            yield squeezer.process(blanks) + squeezer.flush()
        return
    for _ in range(10 * 1024):
        yield block


def _zstd(data: bytes) -> bytes:
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return bytes(zstd.compress(data))


def bomb(coding: str, status: str = "200 OK", *headers: str) -> Script:
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/html", f"Content-Encoding: {coding}", *headers, "", ""]

    def explode(connection: socket.socket) -> None:
        connection.sendall("\r\n".join(lines).encode())
        for block in zeros(coding):
            connection.sendall(block)

    return explode


def film(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 10000000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 2**20)


# Peak memory of a process of its own: VmHWM begins anew with it, ru_maxrss does not on Linux.
CHILD = """
import resource, sys
from pathlib import Path
from crawler import Config, crawl

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

warm, bad, db = sys.argv[1:]
crawl(Config(seeds=(warm,), db=db))
before = peak()
report = crawl(Config(seeds=(warm, bad), db=db, retries=0, allow_private=True, fresh=True))
print(peak() - before, report.pages, report.seconds, report.seeds[bad])
"""


@pytest.mark.parametrize(
    ("script", "robots", "fate"),
    [
        (bomb("gzip"), False, "skipped: empty"),
        (bomb("br"), False, "skipped: empty"),
        (bomb("zstd"), False, "skipped: empty"),
        (bomb("gzip", "302 Found", "Location: http://127.0.0.1:1/"), False, "done: redirect"),
        (bomb("gzip", "404 Not Found"), False, "failed: http-404"),
        (bomb("gzip"), True, "skipped: empty"),
        (bomb("br"), True, "skipped: empty"),
        (film, False, "failed: http-404"),
        (with_headers("Content-Length: 1000000000000"), False, "failed: truncated"),
        (endless_interim_replies, False, "failed: protocol-error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 50_000_000, False, "failed: protocol-error"),
        (CHUNKED + b"x" * 50_000_000, False, "failed: "),
        (CHUNKED + b"5;" + b"x" * 50_000_000, False, "failed: "),
    ],
    ids=["gzip", "br", "zstd", "in a redirect", "in a 404", "robots.txt in gzip", "robots.txt in br", "huge 404",
         "length of a terabyte", "interim replies", "50 MB header", "50 MB chunk size", "50 MB chunk extension"],
)  # fmt: skip
def test_memory_stays_flat(site: Site, serve: Serve, db: Path, script: Script | bytes, robots: bool, fate: str) -> None:
    """Ten GiB in a few megabytes, or announced, or in headers, cost less than 64 MiB, and end at the cap."""
    site.page("/", "a page of the usual size " * 200)
    wire = serve(script, robots=b"" if robots else NO_ROBOTS)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, site.url(), wire.url, str(db)], capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 0, child.stderr
    grown, pages, seconds, what = child.stdout.split(maxsplit=3)
    assert what.startswith(fate)
    assert int(pages) == 1
    assert int(grown) < 64 * 2**20
    assert float(seconds) < 20
