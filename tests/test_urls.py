"""One URL, one key; and which keys belong to a crawl."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.fetch import Fetcher
from crawler.transport import Guard
from crawler.urls import (
    MAX_URL,
    Scope,
    ScopeKind,
    has_credentials,
    host,
    hostname,
    normalize,
    origin,
    without_tracking,
)  # fmt: skip
from tests.wire import Wire

BASE = "https://example.org/a/b/c?d"
MANY_THREADS = """
import threading
from crawler.urls import has_credentials, normalize

def work(number):
    for page in range(100):
        base = f"https://example.org/{number}/{page}"
        for link in range(300):
            assert normalize(f"{link}#top", base) == f"https://example.org/{number}/{link}"
            assert not has_credentials(base)
    done.append(number)

done = []
threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(done) == [0, 1, 2, 3], done
"""
"""A program of its own: an extension that many threads confuse ends the process."""


@pytest.mark.parametrize(
    ("written", "key"),
    [
        pytest.param("HTTPS://EXAMPLE.Org/Path", "https://example.org/Path", id="case of scheme and host"),
        pytest.param("http://example.org", "http://example.org/", id="empty path"),
        pytest.param("http://example.org:80/", "http://example.org/", id="default port of http"),
        pytest.param("https://example.org:443/", "https://example.org/", id="default port of https"),
        pytest.param("http://example.org:443/", "http://example.org:443/", id="another scheme's port stays"),
        pytest.param("http://example.org:/", "http://example.org/", id="empty port"),
        pytest.param("http://example.org/a/./b/../c", "http://example.org/a/c", id="dot segments"),
        pytest.param("http://example.org/a/%2e%2E/b", "http://example.org/b", id="encoded dot segments"),
        pytest.param("http://example.org/../../a", "http://example.org/a", id="above the root"),
        pytest.param("http:\\\\example.org\\a", "http://example.org/a", id="backslashes"),
        pytest.param("  http://example.org/a \n", "http://example.org/a", id="space around"),
        pytest.param("ht\ntp://exa\tmple.org/a\r\nb", "http://example.org/ab", id="tabs and newlines inside"),
        pytest.param("http://Bücher.example/", "http://xn--bcher-kva.example/", id="IDN"),
        pytest.param("http://ｅｘ.example/", "http://ex.example/", id="full-width letters"),
        pytest.param("http://ex%61mple.org/", "http://example.org/", id="percent-encoded host"),
        pytest.param("http://example.org/ä b?ö=ü", "http://example.org/%C3%A4%20b?%C3%B6=%C3%BC", id="path and query"),
        pytest.param("http://example.org/%7euser%zz", "http://example.org/%7euser%zz", id="encoding left alone"),
        pytest.param("http://example.org/?b=2&a=1&b=2", "http://example.org/?b=2&a=1&b=2", id="query left alone"),
        pytest.param("http://example.org//a//", "http://example.org//a//", id="slashes left alone"),
        pytest.param("http://0x7f.1/", "http://127.0.0.1/", id="IPv4 in hexadecimal"),
        pytest.param("http://2130706433/", "http://127.0.0.1/", id="IPv4 as one number"),
        pytest.param("http://0177.0.0.1/", "http://127.0.0.1/", id="IPv4 in octal"),
        pytest.param("http://192.168.257/", "http://192.168.1.1/", id="IPv4 in three parts"),
        pytest.param("http://[0:0::0:1]:80/", "http://[::1]/", id="IPv6"),
        pytest.param("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", id="IPv4 in IPv6"),
        pytest.param("http://example.org/a#b", "http://example.org/a", id="fragment"),
        pytest.param("http://example.org/a?b#c#d?e", "http://example.org/a?b", id="fragment after a query"),
        pytest.param("http://example.org/\ud800", "http://example.org/%EF%BF%BD", id="lone surrogate"),
        pytest.param("http://example.org/\ud83d\ude00", "http://example.org/%F0%9F%98%80", id="surrogate pair"),
        pytest.param("http://user:pw@example.org/x@y", "http://example.org/x@y", id="user and password"),
        pytest.param("http://user@[::1]:8080/@", "http://[::1]:8080/@", id="user of an address"),
        pytest.param("http://good.example:80\\@evil.example/", "http://good.example/@evil.example/", id="two readings"),
        pytest.param("http://example.org/#" + "a" * 9999, "http://example.org/", id="long fragment"),
    ],
)
def test_spellings_of_a_url_have_one_key(written: str, key: str) -> None:
    """What a browser takes for the same URL has the same key, and normalising that again changes nothing."""
    assert normalize(written) == key
    assert normalize(key) == key


def standard_cases() -> Iterator[tuple[str, str | None, str | None]]:
    """The web platform's own tests of URLs: input, base, and the serialisation or None for what does not parse."""
    yield from json.loads((Path(__file__).parent / "data" / "urltestdata.json").read_text())


def test_urls_mean_what_the_standard_says() -> None:
    """Every http and https case of the web platform tests holds, but that a user name and password are dropped."""
    wrong = []
    count = 0
    for written, base, href in standard_cases():
        url = (href or "").partition("#")[0]
        key = re.sub("^(https?://)[^/]*@", r"\1", url) if url.startswith(("http://", "https://")) else None
        count += key is not None
        if normalize(written, base) != key or (key and normalize(key) != key):
            wrong.append((written, base, key, normalize(written, base)))
    assert wrong == []
    assert count > 200


def test_what_is_sent_is_the_key_letter_for_letter() -> None:
    """A server is asked for the very path and query of the key, in one request line."""
    paths = {
        "/%zz[]|^{}~%7e%7E",
        "//a//b/",
        "/?q=[a]&b=%zz|^`{}",
        "/;p=1,2?a=b?c=/d/../e",
        "/%C3%BC?%FF%20",
        "/a'(b)*!$",
    }
    paths |= {"/" + url.split("/", 3)[3] for url in keys_of_the_standard()}
    wire = Wire(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    asked = []
    with Fetcher(user_agent="crawler", timeout=10, max_size=100, guard=Guard(allow_private=True)) as fetcher:
        for path in sorted(paths):
            key = normalize(wire.url + path[1:])
            assert key is not None
            fetcher.get(key)
            asked.append(f"GET {key[len(origin(key)) :]} HTTP/1.1")
    wire.close()
    assert [request.split(b"\r\n")[0].decode("ascii") for request in wire.requests] == asked
    assert all(request.count(b"GET ") == 1 for request in wire.requests)


def keys_of_the_standard() -> list[str]:
    keys = (normalize(written, base) for written, base, _ in standard_cases())
    return sorted({key for key in keys if key is not None})


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("http://user:pw@example.org/", True),
        ("http://user@example.org/", True),
        ("http://:@example.org/", False),
        ("http://example.org/@x?a@b", False),
        ("http://[", False),
        ("\ud800", False),
    ],
)
def test_credentials_in_a_url_are_seen(written: str, held: bool) -> None:
    """Whether a person wrote a user name or a password into a URL can be told, to say so."""
    assert has_credentials(written) is held


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("?utm_source=a&id=1&UTM_medium=b", "?id=1"),
        ("?gclid=x&fbclid=y", ""),
        ("?b=2&a=1&&b=%zz&mc_eid=3", "?b=2&a=1&&b=%zz"),
        ("?q=utm_source&ref=x&source=y&session=z", "?q=utm_source&ref=x&source=y&session=z"),
        ("?", "?"),
        ("", ""),
    ],
)
def test_tracking_parameters_can_be_dropped(query: str, kept: str) -> None:
    """What tells where a visitor came from goes; every other parameter stays in its place, as it was written."""
    assert without_tracking(f"https://example.org/a{query}") == f"https://example.org/a{kept}"


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("x", "https://example.org/a/b/x"),
        ("../x", "https://example.org/a/x"),
        ("..\\x", "https://example.org/a/x"),
        ("/x", "https://example.org/x"),
        ("//other.example/x", "https://other.example/x"),
        ("?q", "https://example.org/a/b/c?q"),
        ("#f", "https://example.org/a/b/c?d"),
        ("", "https://example.org/a/b/c?d"),
        ("http://other.example", "http://other.example/"),
    ],
)
def test_references_resolve_against_their_base(reference: str, key: str) -> None:
    """A relative reference means what it means in a browser on the page that holds it."""
    assert normalize(reference, BASE) == key


@pytest.mark.parametrize(
    "written",
    [
        "ftp://example.org/",
        "mailto:someone@example.org",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "blob:https://example.org/1",
        "about:blank",
    ],
)
@pytest.mark.parametrize("base", [None, BASE])
def test_other_schemes_are_not_fetchable(written: str, base: str | None) -> None:
    """Only http and https have a key, also when the link stands on a page."""
    assert normalize(written, base) is None


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("", id="empty"),
        pytest.param("example.org", id="no scheme"),
        pytest.param("//example.org/", id="no scheme but slashes"),
        pytest.param("http://", id="no host"),
        pytest.param("http://[", id="open bracket"),
        pytest.param("http://[::1", id="unclosed bracket"),
        pytest.param("http://[fe80::1%25eth0]/", id="IPv6 zone"),
        pytest.param("http://ex ample.org/", id="space in the host"),
        pytest.param("http://exa\0mple.org/", id="NUL in the host"),
        pytest.param("http://example.org:99999/", id="port out of range"),
        pytest.param("http://example.org:80a/", id="port with a letter"),
        pytest.param("http://256.1.1.1/", id="IPv4 out of range"),
        pytest.param("http://1.2.3.4.5/", id="IPv4 of five parts"),
        pytest.param("http://a%2fb/", id="slash in the host"),
        pytest.param("\udc00", id="lone surrogate"),
        pytest.param("http://exa\ud800mple.org/", id="lone surrogate in the host"),
        pytest.param(f"http://{'a' * 64}.example/", id="label over 63 characters"),
        pytest.param(f"http://{'ü' * 70}.example/", id="label too long in punycode"),
        pytest.param("http://" + ".".join(["a" * 63] * 4) + "/", id="host over 253 characters"),
        pytest.param("http://" + ".".join(["a" * 63] * 4) + ":8080/", id="host over 253 characters, with a port"),
    ],
)
def test_malformed_urls_have_no_key(written: str) -> None:
    """What no client could fetch is None, and nothing raises."""
    assert normalize(written) is None


@pytest.mark.parametrize(
    "hostile", ["http://example.org/\udc00", "\ud800\udfff", "\0", "http://[", "\x7f\x80", "%", "\\", ":"]
)
@pytest.mark.parametrize("base", [None, BASE, "", "junk", "mailto:x", "http://["])
def test_nothing_raises(hostile: str, base: str | None) -> None:
    """Whatever a page writes, and whatever it is relative to, the answer is a key or None."""
    key = normalize(hostile, base)
    assert key is None or normalize(key) == key


def test_a_host_of_the_greatest_length_has_a_key() -> None:
    """The limits of RFC 1035 are allowed, not only what is below them."""
    name = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert len(name) == 253
    assert normalize(f"http://{name}:8080/") == f"http://{name}:8080/"


def test_the_longest_url_has_a_key_and_a_longer_one_has_none() -> None:
    """A URL of MAX_URL characters is fetchable; one more character is too long."""
    longest = "http://example.org/".ljust(MAX_URL, "a")
    assert normalize(longest) == longest
    assert normalize(longest + "a") is None


def test_a_url_that_grows_too_long_by_encoding_has_no_key() -> None:
    """The limit holds for what would be sent, not only for what was written."""
    assert normalize("http://example.org/" + "ä" * (MAX_URL // 3)) is None


def test_a_short_reference_that_resolves_to_too_long_a_url_has_no_key() -> None:
    """The limit holds after resolving as well."""
    assert normalize("x" * 100, "http://example.org/".ljust(MAX_URL - 10, "a") + "/") is None


@pytest.mark.parametrize(
    ("url", "its_host", "its_hostname", "its_origin"),
    [
        ("https://example.org/a", "example.org", "example.org", "https://example.org"),
        ("http://example.org:8080/a:b@c", "example.org:8080", "example.org", "http://example.org:8080"),
        ("https://user:pw@example.org/", "example.org", "example.org", "https://example.org"),
        ("http://[::1]/", "[::1]", "::1", "http://[::1]"),
        ("http://user@[::1]:8080/x@y", "[::1]:8080", "::1", "http://[::1]:8080"),
        ("http://127.0.0.1:8000/?u=http://x@y/", "127.0.0.1:8000", "127.0.0.1", "http://127.0.0.1:8000"),
    ],
)
def test_parts_of_a_url(url: str, its_host: str, its_hostname: str, its_origin: str) -> None:
    """Credentials belong to neither host nor origin, the port to both, brackets not to the name."""
    assert (host(url), hostname(url), origin(url)) == (its_host, its_hostname, its_origin)


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        pytest.param("https://example.org/elsewhere", None, id="same host"),
        pytest.param("http://example.org/docs/", None, id="other scheme"),
        pytest.param("https://www.example.org/", None, id="with www"),
        pytest.param("https://docs.example.org/", "scope", id="subdomain"),
        pytest.param("https://example.org:8443/", "scope", id="other port"),
        pytest.param("https://example.org.evil.example/", "scope", id="seed's name as a prefix"),
        pytest.param("https://notexample.org/", "scope", id="seed's name as a suffix"),
        pytest.param("https://evil.example/example.org/", "scope", id="seed's name in the path"),
        pytest.param("https://example.org@evil.example/", "scope", id="seed's name as a user"),
    ],
)
def test_host_scope(url: str, verdict: str | None) -> None:
    """Host scope is the seed's host and port, whatever the scheme, with or without www."""
    assert Scope("host", ("https://example.org/docs/",)).verdict(url) == verdict


def test_a_seed_with_www_covers_the_host_without() -> None:
    """www. makes no difference in either direction."""
    assert Scope("host", ("https://www.example.org/",)).verdict("https://example.org/a") is None


def test_ports_distinguish_sites() -> None:
    """Two servers on one machine are two sites."""
    scope = Scope("host", ("http://localhost:8000/",))
    assert scope.verdict("http://localhost:8000/a") is None
    assert scope.verdict("http://localhost:8001/a") == "scope"
    assert scope.verdict("http://localhost/a") == "scope"


@pytest.mark.parametrize(
    ("seed", "url", "verdict"),
    [
        pytest.param(
            "https://example.org/docs/index.html",
            "https://example.org/docs/a/b",
            None,
            id="the file's folder",
        ),
        pytest.param("https://example.org/docs/", "https://example.org/docs/a", None, id="the folder"),
        pytest.param("https://example.org/docs/", "https://www.example.org/docs/a", None, id="www"),
        pytest.param("https://example.org/docs/", "http://example.org/docs/a", None, id="other scheme"),
        pytest.param("https://example.org/docs/", "https://example.org/docs-old/", "scope", id="longer name"),
        pytest.param("https://example.org/docs/", "https://example.org/", "scope", id="above"),
        pytest.param("https://example.org/docs/", "https://example.org:81/docs/", "scope", id="other port"),
        pytest.param("https://example.org/docs", "https://example.org/blog", None, id="no slash: a file of the root"),
        pytest.param(
            "https://example.org/docs/?next=/a/b/",
            "https://example.org/docs/c",
            None,
            id="slashes in a query",
        ),
        pytest.param("https://example.org/docs/", "https://other.example/docs/", "scope", id="other host"),
    ],
)
def test_prefix_scope(seed: str, url: str, verdict: str | None) -> None:
    """Prefix scope is what lies in or below the seed's folder."""
    assert Scope("prefix", (seed,)).verdict(url) == verdict


@pytest.mark.parametrize(
    ("seed", "url", "verdict"),
    [
        pytest.param("https://docs.example.co.uk/", "https://blog.example.co.uk:81/", None, id="subdomains of co.uk"),
        pytest.param("https://docs.example.co.uk/", "https://other.co.uk/", "scope", id="neighbours under co.uk"),
        pytest.param("https://ada.github.io/", "https://bob.github.io/", "scope", id="people of a host"),
        pytest.param("https://docs.example.org/", "https://example.org/", None, id="the domain itself"),
        pytest.param("https://docs.example.org/", "https://example.com/", "scope", id="another top level"),
        pytest.param("http://127.0.0.1/", "http://127.0.0.1:81/", None, id="the same address"),
        pytest.param("http://127.0.0.1/", "http://10.0.0.1/", "scope", id="addresses of one ending"),
        pytest.param("http://[::1]/", "http://[::2]/", "scope", id="IPv6 addresses"),
        pytest.param("http://localhost/", "http://localhost:8000/", None, id="a bare name"),
    ],
)
def test_domain_scope(seed: str, url: str, verdict: str | None) -> None:
    """Domain scope is the registrable domain by the Public Suffix List; an address is a domain of its own."""
    assert Scope("domain", (seed,)).verdict(url) == verdict


def test_any_scope_holds_everything() -> None:
    """Scope any refuses no URL."""
    assert Scope("any", ("https://example.org/",)).verdict("http://far.example:81/away") is None


def test_any_of_several_seeds_admits() -> None:
    """What belongs to one seed belongs to the crawl."""
    scope = Scope("host", ("https://a.example/", "https://b.example/"))
    assert scope.verdict("https://b.example/x") is None
    assert scope.verdict("https://c.example/x") == "scope"


def test_many_threads_normalise_at_once() -> None:
    """Without the GIL, too, where Python can do without: the parser is one that does not know of that."""
    is_free = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    environment = os.environ | ({"PYTHON_GIL": "0"} if is_free else {})
    subprocess.run([sys.executable, "-c", MANY_THREADS], env=environment, check=True, timeout=60)


@pytest.mark.parametrize("kind", ["host", "prefix", "domain", "any"])
def test_seeds_are_always_in_scope(kind: ScopeKind) -> None:
    """What a person named is crawled, whatever the globs say."""
    seed = "https://example.org/start"
    scope = Scope(kind, (seed,), include=("/docs/*",), exclude=("*",))
    assert scope.verdict(seed) is None


@pytest.mark.parametrize(
    ("include", "exclude", "url", "verdict"),
    [
        pytest.param(["/docs/*"], [], "https://example.org/docs/a/b", None, id="star crosses slashes"),
        pytest.param(["/docs/*"], [], "https://example.org/blog/docs/", "include", id="path glob holds from the start"),
        pytest.param(["*/docs/*"], [], "https://example.org/v2/docs/a", None, id="whole URL"),
        pytest.param(["*.html"], [], "https://example.org/a.html?x", "include", id="a glob covers all of the URL"),
        pytest.param(["/a", "/b"], [], "https://example.org/b", None, id="any include admits"),
        pytest.param(["/", "https://example.org/x*"], [], "https://example.org/xy", None, id="both sorts together"),
        pytest.param([], ["/private/*"], "https://example.org/private/x", "exclude", id="path excluded"),
        pytest.param([], ["/a?"], "https://example.org/a", None, id="question mark is exactly one character"),
        pytest.param([], ["/a[?]*"], "https://example.org/a?page=2", "exclude", id="path globs see the query"),
        pytest.param([], ["http://*"], "https://example.org/", None, id="exclude by scheme spares the other"),
        pytest.param(["/docs/*"], ["*old*"], "https://example.org/docs/old/", "exclude", id="exclude over include"),
        pytest.param(["/docs/*"], ["/docs/*"], "https://far.example/docs/", "scope", id="scope comes first"),
        pytest.param(["/Docs/*"], [], "https://example.org/docs/", "include", id="case matters"),
    ],
)
def test_include_and_exclude(include: list[str], exclude: list[str], url: str, verdict: str | None) -> None:
    """Globs narrow a scope by path or by whole URL, and the verdict names which of them refused."""
    assert Scope("host", ("https://example.org/seed",), tuple(include), tuple(exclude)).verdict(url) == verdict
