"""One GET against servers that misbehave: every fault has its reason, its bound, and costs one URL."""

import contextlib
import gc
import gzip
import http.server
import io
import resource
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import responses

from crawler.addresses import Guard
from crawler.fetch import Fetcher
from crawler.framing import FramedResponse
from crawler.transport import FetchError
from tests.site import Site
from tests.wire import Script, Wire, read_request, reset

Serve = Callable[..., Wire]


def fetcher(**settings: object) -> Fetcher:
    defaults = {
        "user_agent": "crawler/test",
        "timeout": 5.0,
        "max_size": 1_000_000,
        "guard": Guard(allow_private=True),
    }
    return Fetcher(**(defaults | settings))  # type: ignore[arg-type]


def html(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", "Content-Type: text/html", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def with_headers(*lines: str, body: bytes = b"<p>hello") -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/html", *lines, "", ""]).encode() + body


def endless_interim_replies(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


WORDS = b"<p>" + b"these are words " * 100
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n"


def reset_in_the_body(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\nhalf")
    reset(connection)


@pytest.mark.parametrize(
    ("reply", "reason", "transient"),
    [
        (b"", "connect-error", True),
        (reset, "connect-error", True),
        (reset_in_the_body, "connect-error", True),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\nhalf", "truncated", True),
        (CHUNKED + b"5\r\nhello\r\n", "truncated", True),
        (CHUNKED + b"zz\r\nhello\r\n", None, None),
        (b"HTTP/9.9 abc\r\n\r\n", "protocol-error", False),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "protocol-error", False),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "protocol-error", False),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", "protocol-error", False),
        (html(b"not gzip at all", "Content-Encoding: gzip"), "decode-error", False),
        (html(b"what is this", "Content-Encoding: foo"), "decode-error", False),
        (html(b"x", "Content-Encoding: " + ", ".join(["gzip"] * 1000)), "decode-error", False),
        (html(gzip.compress(WORDS)[:-20], "Content-Encoding: gzip"), "decode-error", False),
        (html(gzip.compress(WORDS)[:-8] + b"12345678", "Content-Encoding: gzip"), "decode-error", False),
        (html(zlib.compress(WORDS)[:-6], "Content-Encoding: deflate"), "decode-error", False),
        (html(brotli.compress(WORDS)[:-3], "Content-Encoding: br"), "decode-error", False),
        (with_headers("Content-Length: 8", "Content-Length: 3"), "protocol-error", False),
        (with_headers("Content-Length: -8"), "protocol-error", False),
        (with_headers("Content-Length: eight"), "protocol-error", False),
        (with_headers("Content-Length: 1" + "0" * 5000), "protocol-error", False),
        (with_headers("Content-Length: 1000000000000"), "truncated", True),
        (with_headers("Transfer-Encoding: gzip, chunked", body=b"2\r\nhi\r\n0\r\n\r\n"), "protocol-error", False),
        (CHUNKED + b"80000000\r\nhello", "truncated", True),
        (endless_interim_replies, "protocol-error", False),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000, "protocol-error", False),
        (b"<html><p>hello", "protocol-error", False),
        (b"HTTP/1.1 1000 Many\r\nContent-Length: 0\r\n\r\n", "protocol-error", False),
        (html(b"<p>hello").replace(b"200 OK", b"206 Partial Content"), "protocol-error", False),
        (with_headers("a line without a colon", "X-Robots-Tag: noindex"), "protocol-error", False),
        (with_headers("X-Robots-Tag : noindex"), "protocol-error", False),
        (with_headers(*["A: b"] * 101), "protocol-error", False),
        (with_headers("A: b\rContent-Length: 4"), "protocol-error", False),
        (with_headers("Transfer-Encoding: \x0bchunked"), "protocol-error", False),
        (with_headers("Transfer-Encoding: identity", "Transfer-Encoding: chunked"), "protocol-error", False),
        (with_headers("A: b", *["  c"] * 101), "protocol-error", False),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", "truncated", True),
        (b"HTTP/1.1 301 Moved\r\nLocation: http://h/secr", "truncated", True),
        (b"HTTP/1.1 \x1b[31m\0red\r\n\r\n", "protocol-error", False),
    ],
    ids=[
        "closes without a byte", "resets at once", "resets in the body", "body shorter than announced",
        "chunks cut off", "bad chunk size", "bad status line", "not HTTP", "endless header line", "10,000 headers",
        "not gzip", "unknown coding", "1000 codings", "gzip cut off", "gzip with a bad CRC", "deflate cut off",
        "brotli cut off", "two lengths", "negative length", "length in letters", "length of 5,000 digits",
        "length of a terabyte", "unknown transfer coding", "chunk of 2 GiB", "endless interim replies",
        "endless early hints", "HTTP/0.9", "status 1000", "a part that was not asked for",
        "header without a colon", "a space before the colon", "headers without end",
        "a bare CR", "a vertical tab before a coding", "two codings", "a folded line without end",
        "cut behind a header", "cut within a header", "escape sequence in the status",
    ],
)  # fmt: skip
def test_every_fault_has_its_reason(
    serve: Serve, reply: bytes | Script, reason: str | None, transient: bool | None
) -> None:
    """What a server does wrong becomes a FetchError with a short code that says whether trying again may help."""
    wire = serve(reply)
    with fetcher() as some, pytest.raises(FetchError) as raised:
        some.get(wire.url)
    assert raised.value.reason == reason or (reason is None and raised.value.reason in ("protocol-error", "truncated"))
    if transient is not None:
        assert raised.value.transient is transient
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    ("reply", "status", "body"),
    [
        (with_headers("Content-Length: 8", "Content-Length: 8"), 200, b"<p>hello"),
        (html(b"<p>hello", "X-Long: " + "x" * 60_000), 200, b"<p>hello"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + html(b"<p>hello"), 200, b"<p>hello"),
        (html(b"<p>hello").replace(b"200 OK", b"204 No Content"), 204, b""),
        (b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n", 999, b""),
        (b"HTTP/1.1 404 \x1b[31m\0red\r\nContent-Length: 0\r\n\r\n", 404, b""),
        (html(gzip.compress(WORDS) + b"\n", "Content-Encoding: gzip"), 200, WORDS),
        (html(gzip.compress(WORDS[:50]) + gzip.compress(WORDS[50:]), "Content-Encoding: gzip"), 200, WORDS),
        (html(b"", "Content-Encoding: gzip"), 200, b""),
        (html(b"<p>hello", "X-Wide:" + " " * 60_000 + "x"), 200, b"<p>hello"),
        (html(b"<p>hello", "X-Folded: a", "  b", ": nameless"), 200, b"<p>hello"),
    ],
    ids=["the same length twice", "a long header", "early hints", "204 with a body", "999", "escape sequence",
         "something behind gzip", "two gzip members", "nothing, compressed", "a wide header", "a folded header"],
)  # fmt: skip
def test_what_is_odd_but_clear_is_accepted(serve: Serve, reply: bytes, status: int, body: bytes) -> None:
    """A reply that can be read in one way only is read so."""
    with fetcher() as some:
        got = some.get(serve(reply).url)
    assert (got.status, got.body) == (status, body)


def test_bytes_beyond_a_reply_are_not_taken_for_the_next_one(serve: Serve) -> None:
    """What a server sends beyond the length that it gave belongs to no page, and ends the connection."""
    extra = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\nforged"

    def talk(connection: socket.socket) -> None:
        path = wire.requests[-1].split(b" ")[1]
        connection.sendall(html(path) + extra)
        read_request(connection)
        connection.sendall(extra)

    wire = serve(talk)
    with fetcher() as some:
        assert [some.get(wire.url + path).body for path in "abc"] == [b"/a", b"/b", b"/c"]
    assert wire.connections == 3


def test_a_user_name_in_a_url_is_not_sent(serve: Serve) -> None:
    """What a link says before the @ is nobody's password: the request is for the path, and carries none of it."""
    wire = serve(html(b"<p>hello"))
    with fetcher() as some:
        assert some.get(f"http://ann:s3cret@{wire.host}/a/b?c=http://d/").body == b"<p>hello"
    assert wire.paths == ["/a/b?c=http://d/"]
    assert b"Host: " + wire.host.encode() in wire.requests[0]
    assert not any(word in wire.requests[0] for word in (b"ann", b"s3cret", b"Authorization"))


def test_a_connection_that_is_not_made_can_be_aborted() -> None:
    """abort() ends an attempt to connect that would last until the deadline."""
    some = fetcher(timeout=60.0)
    errors: list[FetchError] = []

    def get(url: str) -> None:
        with pytest.raises(FetchError) as raised:
            some.get(url)
        errors.append(raised.value)

    with contextlib.ExitStack() as crowd, socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        for _ in range(4):  # nobody accepts them: those that come after wait
            one = crowd.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        thread = threading.Thread(target=get, args=(f"http://127.0.0.1:{full.getsockname()[1]}/",))
        began = time.monotonic()
        thread.start()
        while thread.is_alive():
            some.abort()
            thread.join(0.05)
        assert time.monotonic() - began < 8  # an attempt takes ten seconds
    some.close()
    assert len(errors) == 1


def test_a_content_type_has_no_control_characters(serve: Serve) -> None:
    """What a header says is shown to people, so nothing in it may act on a terminal."""
    reply = html(b"x").replace(b"text/html", b"image/\x1b[31mred\x07")
    with fetcher() as some:
        assert some.get(serve(reply).url).content_type == "image/?[31mred?"


def test_nobody_listening_is_a_connect_error_that_names_the_host() -> None:
    """A closed port says so, with host, port and cause."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        fetcher() as some,
        pytest.raises(FetchError, match=f"127.0.0.1:{port}: connection refused") as raised,
    ):
        some.get(f"http://127.0.0.1:{port}/")
    assert raised.value.reason == "connect-error"


@pytest.mark.parametrize("part", ["headers", "body", "nothing"])
def test_the_deadline_is_absolute(serve: Serve, part: str) -> None:
    """A server that drips a byte now and then, or says nothing, holds a thread no longer than the deadline."""
    starts = {
        "headers": b"HTTP/1.1 200 OK\r\nX: ",
        "body": html(b"")[:-2] + b"Content-Type: text/html\r\n\r\n",
        "nothing": b"",
    }
    if part == "body":
        starts["body"] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n"

    def drip(connection: socket.socket) -> None:
        connection.sendall(starts[part])
        while not wire.stopping.wait(0.05):
            if part != "nothing":
                connection.sendall(b"x")

    wire = serve(drip)
    began = time.monotonic()
    with fetcher(timeout=0.6) as some, pytest.raises(FetchError) as raised:
        some.get(wire.url)
    assert raised.value.reason == "timeout"
    assert 0.5 < time.monotonic() - began < 5  # the server itself would go on for ever


def test_a_request_under_way_can_be_aborted_from_another_thread(serve: Serve) -> None:
    """abort() ends a read that would last until the deadline."""
    asked = threading.Event()

    def silent(_: socket.socket) -> None:
        asked.set()
        wire.stopping.wait()

    wire = serve(silent)
    some = fetcher(timeout=60.0)
    errors: list[FetchError] = []

    def get() -> None:
        with pytest.raises(FetchError) as raised:
            some.get(wire.url)
        errors.append(raised.value)

    thread = threading.Thread(target=get)
    thread.start()
    assert asked.wait(10)
    while thread.is_alive():  # the reply is waited for a moment after the request was sent
        some.abort()
        thread.join(0.02)
    some.close()
    assert len(errors) == 1


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_every_coding_that_is_offered_is_decoded(site: Site, coding: str) -> None:
    """gzip, deflate, br and zstd replies come out as they went in."""
    body = b"<!doctype html><title>coded</title>" + b"words " * 1000
    site.raw("/", _encoded(body, coding), Content_Type="text/html", Content_Encoding=coding)
    with fetcher() as some:
        reply = some.get(site.url())
    assert reply.body == body
    assert coding in site.requests("/")[0].headers["Accept-Encoding"]


def _encoded(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.compress(body)
    if coding == "deflate":
        return zlib.compress(body)
    if coding == "br":
        return brotli.compress(body)
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return zstd.compress(body)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_compressed_data_that_end_too_early_are_no_page(site: Site, coding: str) -> None:
    """Wherever they end, also where nothing can be decoded yet: a page would be taken for an empty one."""
    data = _encoded(b"<!doctype html><title>coded</title>" + b"words " * 500, coding)
    for end in (1, 2, len(data) // 2, len(data) - 1):
        site.raw("/", data[:end], Content_Type="text/html", Content_Encoding=coding)
        with fetcher() as some, pytest.raises(FetchError) as caught:
            some.get(site.url())
        assert caught.value.reason == "decode-error", end


@pytest.mark.parametrize("size", [b"+5", b"0x5", b"1_0", b"-5", b"5 5", b"", b"\xb2", b"0" * 17 + b"5"])
def test_the_size_of_a_chunk_is_a_hexadecimal_number(serve: Serve, size: bytes) -> None:
    """Nothing else that Python would take for a number (RFC 9112 §7.1)."""
    wire = serve(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
    with fetcher() as some, pytest.raises(FetchError) as caught:
        some.get(wire.url)
    assert caught.value.reason == "protocol-error"


@pytest.mark.parametrize(
    "chunks", [b"3\r\nabcXX2\r\nde\r\n0\r\n\r\n", b"3\r\nabcXX0\r\n\r\n", b"3\r\nabc\n\n0\r\n\r\n"]
)
def test_a_chunk_ends_where_its_size_says(serve: Serve, chunks: bytes) -> None:
    """Two bytes of the text behind it would be lost, and nobody would know (RFC 9112 §7.1)."""
    wire = serve(CHUNKED + chunks)
    with fetcher() as some, pytest.raises(FetchError) as caught:
        some.get(wire.url)
    assert caught.value.reason == "protocol-error"


def test_nothing_that_a_server_said_adds_a_line_to_a_request(serve: Serve) -> None:
    """A validator, a cookie or a URL with a line end in it is not sent at all."""
    wire = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with fetcher() as some:
        for told in ("\r\nAdded: 1", "\nAdded: 1", "\0", "\x7f"):
            with pytest.raises(FetchError, match="protocol-error"):
                some.get(wire.url, validators=(f'"tag"{told}', ""))
            with pytest.raises(FetchError, match="protocol-error"):
                some.get(f"{wire.url}page{told}")
        with pytest.raises(FetchError, match="protocol-error"):
            some.get(f"{wire.url}page HTTP/1.1")
    assert wire.requests == []


def test_a_header_may_begin_on_its_second_line(serve: Serve) -> None:
    """As some servers fold them (RFC 9112 §5.2)."""
    head = CHUNKED.replace(b"Encoding: chunked", b"Encoding:\r\n chunked")
    assert head != CHUNKED
    wire = serve(head + b"5;more\r\nhello\r\n0\r\n\r\n")
    with fetcher() as some:
        assert some.get(wire.url).body == b"hello"


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_decompression_bomb_stops_at_the_cap(site: Site, coding: str) -> None:
    """256 MB of zeros in a small reply give the first megabyte, and memory does not grow with the rest."""
    site.raw(
        "/",
        _encoded(b"<html>" + b" " * 256_000_000, coding),
        Content_Type="text/html",
        Content_Encoding=coding,
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with fetcher(max_size=1_000_000) as some:
        reply = some.get(site.url())
    assert reply.truncated
    assert len(reply.body) == 1_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_redirect_is_reported_and_its_body_is_not_read(site: Site) -> None:
    """The Location comes back as written; nothing is followed, nothing of the body decoded."""
    site.raw("/", gzip.compress(b"x" * 50_000_000), status=302, Location="/next", Content_Encoding="gzip")
    with fetcher() as some:
        reply = some.get(site.url())
    assert (reply.status, reply.location, reply.body) == (302, "/next", b"")
    assert site.paths == ["/"]


def test_a_location_in_utf_8_is_read_as_such(serve: Serve) -> None:
    """A server that sends raw UTF-8 in Location means UTF-8."""
    wire = serve("HTTP/1.1 301 Moved\r\nLocation: /caf\u00e9\r\nContent-Length: 0\r\n\r\n".encode())
    with fetcher() as some:
        assert some.get(wire.url).location == "/caf\u00e9"


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("text/html; charset=utf-8", b"<p>x", "html"),
        ("application/xhtml+xml", b"<p>x", "html"),
        ("text/plain", b"words", "text"),
        ("image/png", b"\x89PNG", "other"),
        ("application/pdf", b"%PDF", "other"),
        ("text/html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "other"),
        ("application/octet-stream", b"<!DOCTYPE html><p>x", "html"),
        ("application/octet-stream", b"MZ\x90", "other"),
        ("", b"  <html><p>x", "html"),
        ("", b"GIF89a", "other"),
    ],
)
def test_only_html_and_text_are_read(site: Site, content_type: str, body: bytes, kind: str) -> None:
    """The declared type decides, and the first bytes where it says nothing or lies."""
    site.raw("/", body, Content_Type=content_type)
    with fetcher() as some:
        reply = some.get(site.url())
    assert reply.kind == kind
    assert reply.body == (body if kind != "other" else b"")


def test_the_body_of_other_content_is_not_downloaded(serve: Serve) -> None:
    """A video costs its headers: the connection is closed, not drained."""
    sent = [0]

    def film(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1500):
            sent[0] += connection.send(b"x" * 65536)

    wire = serve(film)
    with fetcher() as some:
        assert some.get(wire.url).kind == "other"
    wire.close()
    assert sent[0] < 50_000_000


def test_a_connection_is_kept_between_requests(serve: Serve) -> None:
    """Two GETs, an error page between them included, use one connection."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(html(b"first"))
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nmissing")
        connection.recv(65536)
        connection.sendall(html(b"third"))

    wire = serve(talk)
    with fetcher() as some:
        assert [some.get(wire.url).status for _ in range(3)] == [200, 404, 200]
    assert len(wire.requests) == 1  # one connection was accepted, and read by the script above


def test_a_kept_connection_that_the_server_closed_is_no_failure(serve: Serve) -> None:
    """When the server has closed an idle connection, the request goes out again on a new one."""
    wire = serve(html(b"hello"))  # closes after each reply, without saying so
    with fetcher() as some:
        assert [some.get(wire.url).body for _ in range(3)] == [b"hello"] * 3


def test_a_reply_without_a_body_leaves_its_connection_ready(serve: Serve) -> None:
    """A redirect that came after a kept connection had ended does not spoil the request after it."""

    def hangs_up_on_the_second(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
        read_request(connection)

    wire = serve(hangs_up_on_the_second)
    gc.disable()  # whatever an exception holds on to stays, as in a long crawl between two collections
    try:
        with fetcher() as some:
            assert [some.get(wire.url).status for _ in range(4)] == [302] * 4
    finally:
        gc.enable()
    assert wire.connections == 4


def test_private_addresses_are_refused_where_the_connection_is_made() -> None:
    """The verdict falls on the address, whatever name led to it."""
    with fetcher(guard=Guard()) as some:
        for url in (
            "http://127.0.0.1:1/",
            "http://localhost:1/",
            "http://[::ffff:127.0.0.1]:1/",
            "http://169.254.169.254/",
        ):
            with pytest.raises(FetchError) as raised:
                some.get(url)
            assert raised.value.reason == "private-address"


def test_an_unknown_host_is_a_dns_error() -> None:
    """A name that does not exist fails for good (RFC 6761 §6.4: .invalid never resolves)."""
    with fetcher() as some, pytest.raises(FetchError) as raised:
        some.get("http://no-such-host.invalid/")
    assert raised.value.reason == "dns-error"


def test_tls_is_verified(tmp_path: Path) -> None:
    """A self-signed certificate is a tls-error."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with fetcher() as some, pytest.raises(FetchError, match="certificate verify failed") as raised:
            some.get(f"https://127.0.0.1:{server.server_address[1]}/")
        assert raised.value.reason == "tls-error"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@responses.activate
def test_the_request_says_who_we_are_and_what_we_take() -> None:
    """User-Agent, Accept and Accept-Encoding go with every request, and nothing else of note."""
    responses.get("http://example.test/", body=b"<p>hello", content_type="text/html")
    with fetcher(user_agent="crawler/9 (+https://me.example)") as some:
        assert some.get("http://example.test/").body == b"<p>hello"
    headers = responses.calls[0].request.headers
    assert dict(headers) == {
        "User-Agent": "crawler/9 (+https://me.example)",
        "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1",
        "Accept-Encoding": "gzip, deflate, br, zstd",
    }


def test_a_chunk_without_end_is_cut(serve: Serve) -> None:
    """A chunk of negative size, which http.client would read to the end of the connection, stops at a bound."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(CHUNKED + b"-1\r\n")
        for _ in range(4000):
            connection.sendall(b"x" * 65536)

    wire = serve(flood)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with fetcher(max_size=100_000) as some, pytest.raises(FetchError) as raised:
        some.get(wire.url)
    assert raised.value.reason == "protocol-error"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_a_slow_body_that_is_not_wanted_is_not_waited_for(serve: Serve) -> None:
    """The small body of an image or an error page is read only if it is there."""

    def slow(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n")
        wire.stopping.wait(20)

    wire = serve(slow)
    began = time.monotonic()
    with fetcher(timeout=15.0) as some:
        assert some.get(wire.url).kind == "other"
    assert time.monotonic() - began < 10  # the server waits for twenty seconds, the deadline is fifteen


class Sent:
    """What a server sent, as http.client asks a socket for it."""

    def __init__(self, head: bytes) -> None:
        self._head = head

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._head))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
    ],
)
def test_a_connection_is_kept_where_the_end_of_the_reply_is_known(head: bytes, closes: bool) -> None:
    """A length that is told twice, or as that version cannot tell it, is believed once (RFC 9112 §6.1, §6.3)."""
    reply = FramedResponse(Sent(head))  # type: ignore[arg-type]
    reply.begin()
    assert reply.will_close is closes
