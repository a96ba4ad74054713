"""Whatever comes from the network or from a person: nothing raises, what comes out holds, and nothing is slow."""

import io
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import Config, UsageError, crawl, search
from crawler.charset import decode, encoding_of
from crawler.console import printable
from crawler.filters import where
from crawler.framing import FramedResponse
from crawler.page import MAX_LINKS, parse
from crawler.query import MAX_TERMS, Term, parse_filter, parse_query
from crawler.robots import MAX_DELAY, Rules
from crawler.sections import MAX_TITLE
from crawler.shell import as_json
from crawler.sitemap import parse_sitemap
from crawler.urls import MAX_URL, Scope, host, hostname, normalize, origin, without_tracking
from tests.site import Site

# The same examples in every run, and no deadline: a busy machine is no bug.
steady = settings(derandomize=True, deadline=None, database=None, max_examples=150)

URL = "http://example.org/folder/page?x"
any_text = st.text(st.characters(exclude_categories=()), max_size=60)  # lone surrogates too


class Sent:
    """What a server sent, as http.client asks a socket for it: as a whole, or a byte at a time."""

    def __init__(self, data: bytes, ahead: int) -> None:
        self._data, self._ahead = data, ahead

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(io.BytesIO(self._data), self._ahead)  # type: ignore[arg-type]


def head_of(data: bytes, ahead: int) -> tuple[object, ...]:
    """What a reply's head comes to, or why it is refused, and what is left after it."""
    reply = FramedResponse(Sent(data, ahead))  # type: ignore[arg-type]
    try:
        reply.begin()
    except HTTPException as error:
        return type(error), str(error)
    told = (reply.status, reply.version, reply.reason, reply.will_close, reply.length, reply.chunked)
    return *told, [*reply.headers.items()], reply.fp.read()


def pieces(*parts: str) -> st.SearchStrategy[str]:
    """Texts made of these parts, and of any others between them."""
    return st.lists(st.sampled_from(parts) | any_text, max_size=12).map("".join)


urls = pieces(
    "http:", "https:", "HTTP:", "file:", "javascript:", "//", "/", "\\", "@", ":", "?", "#", "[", "]", "[::1]", "%",
    "%00", "%2e", "%zz", "..", ".", "example.org", "xn--", "\u00fc", "\uff0e", "\u00ad", "127.1", "0x7f", "256",
    "99999", "user", "utm_source=1", "&", "=", "\t", "\n", " ", "\0", "\ud800", "a" * 64, "b" * 250,
)  # fmt: skip
markup = pieces(
    "<html>", "<head>", "<title>", "</title>", "<base href=", "<meta name=robots content=", "<meta charset=",
    "<link rel=canonical href=", "<a href='", "<a name=", "'>", '">', ">", "<p>", "</p>", "<h1>", "</h1>",
    "<h2 id=x>", "<dl><dt id=y>", "<b>", "<code>", "</b>", "<table><td>", "<svg>", "<script>", "</script>", "<!--",
    "-->", "<![CDATA[", "<template>", "<nav>", "<header>", "&#0;", "&#xD800;", "&amp", "\0", "\x01", "\x02", "\ud800",
    " ", "\n", "word", "http://h/", "#f", "<body", "<form>", "<select>", "<iframe src=x>",
)  # fmt: skip
documents = st.binary(max_size=200) | markup.map(lambda text: text.encode("utf-8", "surrogatepass"))
content_types = st.sampled_from(
    ["text/html", "text/plain", "", "text/html; charset=utf-16", "text/plain; charset=\ud800"]
)
lines = st.sampled_from(
    [
        "Content-Length: 4", "Content-Length:4, 4", "content-length: x", "Transfer-Encoding: chunked",
        "Connection: close", "A: 1", "a:2\t ", "A: \xa0", "\xe9: \xe9", "Set-Cookie: a=b", "B:", "B:\0", "B: \x85",
        "B: \x1c", "X : 1", ": empty", " more", "no colon",
    ]
)  # fmt: skip
ends = st.sampled_from(["\r\n"] * 20 + ["\n", "\r", ""])
statuses = st.sampled_from(
    ["HTTP/1.1 200 OK"] * 4
    + ["HTTP/1.1 304 Not Modified", "HTTP/1.0 200 OK", "HTTP/1.1 100 Continue", "HTTP/2 200", "HTTP/1.1 200"]
    + ["HTTP/1.1  404  x ", "HTTP/1.1 2000 OK", "http/1.1 200 OK", ""]
)
heads = st.tuples(statuses, st.lists(st.tuples(ends, lines), max_size=6), ends).map(
    lambda head: head[0] + "".join(map("".join, head[1])) + head[2] + "\r\n"
)
robots = pieces(
    "User-agent: *\n", "User-agent: crawler\n", "User-agent: craw\n", "Disallow: /", "Allow: /", "Crawl-delay: ",
    "Sitemap: ", "9e99", "-1", "\n", "\r", ":", "#", "*", "$", "%", "%2F", "/a", "nan", "\ufeff", "<html>", "\0",
)  # fmt: skip
queries = pieces(
    '"', "“", "'", "(", ")", "*", "^", "-", "+", ":", "|", "NEAR(", " AND ", " OR ", " NOT ", "zebra", "C++", "\0",
    "\ud800", " ", " site:", "path:", "title:", " -lang:", " type:", "before:", "2025-01", "en",
)  # fmt: skip
sitemaps = pieces(
    "<?xml version='1.0'?>", "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>", "&e;", "<urlset>",
    "<sitemapindex>", "<url>", "<sitemap>", "<loc>", "http://example.org/a", "</loc>", "<lastmod>", "2026-01-01",
    "9999-12-31T23:59:59-14:00", "</lastmod>", "</url>", "</sitemap>", "</urlset>", "</sitemapindex>", "<![CDATA[",
    "]]>", "\0",
)  # fmt: skip


def is_clean(text: str) -> bool:
    """Whether UTF-8, SQLite and a line can carry it."""
    return not re.search("[\0\ud800-\udfff]", text)


@steady
@given(urls, st.none() | urls | st.just(URL))
def test_any_url_has_one_key_or_none(text: str, base: str | None) -> None:
    """A key is a short, plain, fetchable URL, its own key, without fragment and credentials; its parts can be told."""
    key = normalize(text, base)
    if key is None:
        return
    assert normalize(key) == key
    assert re.fullmatch(r"https?://[!-~]+", key)
    assert len(key) <= MAX_URL
    assert "#" not in key
    assert "@" not in origin(key)
    assert key.startswith(origin(key) + "/")
    assert 0 < len(hostname(key)) <= len(host(key))
    assert normalize(without_tracking(key)) == without_tracking(key)
    for kind in ("host", "prefix", "domain", "any"):
        assert Scope(kind, (key,), ("/a*",), ("*b*",)).verdict(key) is None  # type: ignore[arg-type]
        Scope(kind, (URL,), ("/a*",), ("*b*",)).verdict(key)  # type: ignore[arg-type]


@steady
@given(documents, content_types, st.booleans())
def test_any_document_is_a_page(body: bytes, content_type: str, clean: bool) -> None:
    """A page comes out of whatever bytes, in texts that can be stored, and within its limits."""
    page = parse(body, URL, content_type, clean=clean)
    assert 0 < len(page.title) <= MAX_TITLE
    assert len(page.links) <= MAX_LINKS
    texts = [page.title, page.text, page.description, page.lang, page.canonical, *page.robots]
    texts += [text for s in page.sections for text in (s.anchor, s.heading, s.text, *s.ids, *s.terms)]
    texts += [text for link in page.links for text in link]
    assert [text for text in texts if not is_clean(text)] == []
    assert [text for text in texts if re.search("[\x01\x02]", text)] == []
    assert [link.url for link in page.links if normalize(link.url) != link.url] == []
    assert all(text == " ".join(text.split()) for s in page.sections for text in (s.heading, s.text))
    assert parse(body, URL, content_type, clean=clean) == page


@steady
@given(documents, st.text(max_size=40) | content_types)
def test_any_bytes_are_text(body: bytes, content_type: str) -> None:
    """Every document has an encoding that Python knows, and decodes to text without surrogates."""
    text, encoding = decode(body, content_type)
    assert encoding == encoding_of(body, content_type)
    assert not re.search("[\ud800-\udfff]", text)


@steady
@given(st.sampled_from([200, 204, 301, 404, 429, 500, None]), robots | st.binary(max_size=100), urls)
def test_any_robots_txt_is_rules(status: int | None, text: str | bytes, reference: str) -> None:
    """Rules answer every question, and the line that decides says what is decided."""
    rules = Rules.from_reply(status, text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    url = normalize(reference, URL) or URL
    for agent in ("crawler", "crawler/1.0 (+http://me)", "", "\u00fc*$"):
        allowed = rules.allows(agent, url)
        assert 0 <= rules.delay(agent) <= MAX_DELAY
        line = rules.line(agent, url)
        assert line is None or line.allows == allowed
    assert all(isinstance(url, str) for url in rules.sitemaps)


@steady
@given(sitemaps | documents.map(lambda body: body.decode("latin-1")), st.booleans())
def test_any_sitemap_is_a_list(text: str, packed: bool) -> None:
    """A sitemap, broken or not, names normalised URLs, and times that are times."""
    body = text.encode("utf-8", "replace")
    sitemap = parse_sitemap(b"\x1f\x8b" + body if packed else body, URL, 1000)
    for url, changed in sitemap.pages:
        assert normalize(url) == url
        assert re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?", changed)
    assert [url for url in sitemap.sitemaps if normalize(url) != url] == []


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("index") / "crawl.db"
    site = Site()
    site.page("/", "zebra and C++ and NEAR(", links=["/a"])
    site.page("/a", "another zebra")
    crawl(Config(seeds=(site.url(),), db=str(db)))
    site.close()
    return db


@steady
@given(queries)
def test_any_text_is_a_query(text: str) -> None:
    """What comes out is bounded and clean, and means the same when it is written again."""
    query = parse_query(text)
    assert parse_query(text) == query
    terms = [term for group in query.groups for term in group]
    assert len(terms) + len(query.excluded) + len(query.filters) <= MAX_TERMS
    assert terms or not query.excluded
    assert all(is_clean(term.text) and any(map(str.isalnum, term.text)) for term in (*terms, *query.excluded))
    for term in terms:
        assert parse_query(written(term)).groups == ((term,),)
    for term in query.excluded:
        assert parse_query(f"first -{written(term)}").excluded == (term,)
    for one in query.filters:
        assert is_clean(one.value)
        assert parse_filter(one.name, one.value, excluded=one.excluded) == one


def written(term: Term) -> str:
    """A term as a person would type it."""
    if term.kind == "phrase":
        return f'"{term.text}"'
    word = term.text + "*" * (term.kind == "prefix")
    return f"{word} AND {word}" if term.required else word


@steady
@given(text=queries)
def test_any_query_is_answered(index: Path, text: str) -> None:
    """A query of whatever text finds pages or none; what is no language is said to be none."""
    results = search(text, db=index)
    assert len(results.results) <= results.total <= 2
    with suppress(UsageError):
        assert search("x", db=index, site=text or None, lang=text or None).total <= 2


@steady
@given(any_text)
def test_any_text_is_printable_and_json(text: str) -> None:
    """What is printed is one line that acts on nothing; what JSON escapes is the same text when it is read."""
    shown = printable(text)
    assert len(shown) == len(text)
    assert not re.search("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)
    assert shown.splitlines() in ([shown], [])
    written = as_json({"text": text})
    assert json.loads(written) == {"text": text}
    assert not re.search("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", written)


def long_inputs(n: int) -> dict[str, Callable[[], object]]:
    """By name, calls on inputs of about n characters that would show whatever grows faster than its input."""
    rules = "User-agent: *\n" + "Disallow: /a\n" * (n // 15)
    calls: dict[str, Callable[[], object]] = {}
    for shape in ("@", "a", "%", "/", "../", "?", "#", "[", ".", "\u00fc", "\t", " ", "&a=b", ":", "xn--", "\ud800"):
        text = shape * (n // len(shape))
        calls |= {
            f"url {shape!a}": partial(normalize, "http://h/" + text),
            f"host {shape!a}": partial(normalize, "http://" + text[:2000]),
            f"path {shape!a}": partial(normalize, text[:2000], URL),
            f"base {shape!a}": partial(normalize, "x", "http://h/" + text),
            f"query {shape!a}": partial(parse_query, text),
            f"quoted {shape!a}": partial(parse_query, '"' + text),
            f"filter {shape!a}": partial(where, parse_query("site:" + text + " path:" + text).filters),
            f"text {shape!a}": partial(parse, text.encode("utf-8", "replace"), URL, "text/plain"),
            f"printable {shape!a}": partial(printable, text),
        }
    for shape in ("<meta ", "<meta charset", "charset=", "<meta charset =  ", "\xff", "\x81\x40", "\x1b$B"):
        body = shape.encode("latin-1") * (n // len(shape))
        calls[f"charset {shape!a}"] = partial(decode, body, "text/html; " + "charset " * 1000)
    for shape in ("<url>", "<url><loc>http://h/a</loc></url>", "<!--", "&amp;", "<a b='c'>"):
        body = b"<urlset>" + shape.encode() * (n // len(shape))
        calls[f"sitemap {shape!a}"] = partial(parse_sitemap, body, URL, n)
    for shape in ("0;", " ", "0 ; url = ", "'", "1."):
        body = b'<meta http-equiv=refresh content="' + shape.encode() * (n // len(shape)) + b'">'
        calls[f"refresh {shape!a}"] = partial(parse, body, URL)
    calls["robots"] = lambda: Rules.from_reply(200, rules.encode()).allows("crawler", URL)
    return calls


def test_nothing_is_slow() -> None:
    """An input of a million characters, whatever it is made of, takes a fraction of a second on the whole."""
    child = subprocess.run([sys.executable, "-m", "tests.test_properties"], capture_output=True, text=True, timeout=300)
    done = child.stdout.splitlines()
    names = [*long_inputs(100)]
    assert done == names, f"stopped at {names[len(done) : len(done) + 1]}: {child.stderr[-500:]}"


if __name__ == "__main__":  # in a process of its own, of at most a minute of CPU for all
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    for name, call in long_inputs(1_000_000).items():
        call()
        print(name, flush=True)


@steady
@given(heads)
def test_a_head_is_the_same_whether_it_comes_at_once_or_by_bytes(head: str) -> None:
    data = head.encode("latin-1", "replace") + b"body"
    assert head_of(data, 8192) == head_of(data, 1)
