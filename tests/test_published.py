"""robots.txt as Google's parser reads it: the cases of its published tests
(https://github.com/google/robotstxt/blob/master/robots_test.cc), in a table of our own.

Where that parser is only a part of a crawler, so that its caller has to encode URLs, ours is the whole, and RFC 9309
§2.2.2 decides; those cases stand apart below.
"""

import pytest

from crawler.robots import Rules

FOO = "FooBot"
GROUPS = """allow: /foo/bar/

user-agent: FooBot
disallow: /
allow: /x/
user-agent: BarBot
disallow: /
allow: /y/


allow: /w/
user-agent: BazBot

user-agent: FooBot
allow: /z/
disallow: /
"""
GLOBAL = "user-agent: *\nallow: /\nuser-agent: FooBot\ndisallow: /\n"
SPECIFIC = "user-agent: FooBot\nallow: /\nuser-agent: BarBot\ndisallow: /\nuser-agent: BazBot\ndisallow: /\n"
TWO_WORDS = "User-Agent: *\nDisallow: /\nUser-Agent: Foo Bar\nAllow: /x/\nDisallow: /\n"
X_ALONE = "Allow: /x/\nDisallow: /\n"
INDEX = "User-Agent: *\nAllow: /allowed-slash/index.html\nDisallow: /\n"


def only(*lines: str) -> str:
    return "\n".join(("user-agent: FooBot", *lines, ""))


# robots.txt, agent, path, whether it is allowed
CASES = {
    "nothing": ("", FOO, "", True),
    "no agent": ("user-agent: FooBot\ndisallow: /\n", "", "", True),
    "no URL": ("user-agent: FooBot\ndisallow: /\n", FOO, "", False),
    "nothing at all": ("", "", "", True),
    "a line": ("user-agent: FooBot\ndisallow: /\n", FOO, "/x/y", False),
    "unknown lines": ("foo: FooBot\nbar: /\n", FOO, "/x/y", True),
    "without colons": ("user-agent FooBot\ndisallow /\n", FOO, "/x/y", False),
    "two words": (TWO_WORDS, "Foo", "/x/y", True),
    "everybody but one": (GLOBAL, FOO, "/x/y", False),
    "everybody": (GLOBAL, "BarBot", "/x/y", True),
    "somebody else": (SPECIFIC, "QuxBot", "/x/y", True),
    "case of a path": (only("disallow: /X/"), FOO, "/x/y", True),
    "the same case": (only("disallow: /x/"), FOO, "/x/y", False),
    "longest disallow": (only("disallow: /x/page.html", "allow: /x/"), FOO, "/x/page.html", False),
    "longest allow": (only("allow: /x/page.html", "disallow: /x/"), FOO, "/x/page.html", True),
    "shorter disallow": (only("allow: /x/page.html", "disallow: /x/"), FOO, "/x/", False),
    "empty both": (only("disallow: ", "allow: "), FOO, "/x/page.html", True),
    "alike": (only("disallow: /", "allow: /"), FOO, "/x/page.html", True),
    "alike and long": (only("disallow: /x/page.html", "allow: /x/page.html"), FOO, "/x/page.html", True),
    "without slash": (only("disallow: /x", "allow: /x/"), FOO, "/x", False),
    "with slash": (only("disallow: /x", "allow: /x/"), FOO, "/x/", True),
    "star longer": (only("allow: /page", "disallow: /*.html"), FOO, "/page.html", False),
    "star absent": (only("allow: /page", "disallow: /*.html"), FOO, "/page", True),
    "star shorter": (only("allow: /x/page.", "disallow: /*.html"), FOO, "/x/page.html", True),
    "star only": (only("allow: /x/page.", "disallow: /*.html"), FOO, "/x/y.html", False),
    "own group": ("User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n", FOO, "/x/page", True),
    "own rule": ("User-agent: *\nDisallow: /x/\nUser-agent: FooBot\nDisallow: /y/\n", FOO, "/y/page", False),
    "a URL in a query": (
        only("Disallow: /", "Allow: /foo/bar?qux=taz&baz=http://foo.bar?tar&par"),
        FOO,
        "/foo/bar?qux=taz&baz=http://foo.bar?tar&par",
        True,
    ),
    "UTF-8": (only("Disallow: /", "Allow: /foo/bar/ツ"), FOO, "/foo/bar/%E3%83%84", True),
    "encoded UTF-8": (only("Disallow: /", "Allow: /foo/bar/%E3%83%84"), FOO, "/foo/bar/%E3%83%84", True),
    "encoded ASCII": (only("Disallow: /", "Allow: /foo/bar/%62%61%7A"), FOO, "/foo/bar/%62%61%7A", True),
    "no comment": (only("# Disallow: /", "Disallow: /foo/quz#qux", "Allow: /"), FOO, "/foo/bar", True),
    "comment": (only("# Disallow: /", "Disallow: /foo/quz#qux", "Allow: /"), FOO, "/foo/quz", False),
    "index.html": (INDEX, "foobot", "/allowed-slash/", True),
    "index.htm": (INDEX, "foobot", "/allowed-slash/index.htm", False),
    "index.html itself": (INDEX, "foobot", "/allowed-slash/index.html", True),
    "another": (INDEX, "foobot", "/anyother-url", False),
    "precedence": (only("allow: /p", "disallow: /"), FOO, "/page", True),
    "precedence, alike": (only("allow: /folder", "disallow: /folder"), FOO, "/folder/page", True),
    "precedence, star": (only("allow: /page", "disallow: /*.htm"), FOO, "/page.htm", False),
    "the root alone": (only("allow: /$", "disallow: /"), FOO, "/", True),
    "not the root": (only("allow: /$", "disallow: /"), FOO, "/page.html", False),
}
CASES |= {
    f"groups: {agent} {path}": (GROUPS, agent, path, allowed)
    for agent, path, allowed in (
        (FOO, "/x/b", True), (FOO, "/z/d", True), (FOO, "/y/c", False), ("BarBot", "/y/c", True),
        ("BarBot", "/w/a", True), ("BarBot", "/z/d", False), ("BazBot", "/z/d", True),
        (FOO, "/foo/bar/", False), ("BarBot", "/foo/bar/", False), ("BazBot", "/foo/bar/", False),
    )
}  # fmt: skip
CASES |= {
    f"case of {agent} {allow}": (f"{agent}: FooBot\n{allow}: /x/\n{disallow}: /\n", FOO, path, path == "/x/y")
    for agent, allow, disallow in (
        ("USER-AGENT", "ALLOW", "DISALLOW"), ("user-agent", "allow", "disallow"), ("uSeR-aGeNt", "AlLoW", "dIsAlLoW"),
    )
    for path in ("/x/y", "/a/b")
}  # fmt: skip
CASES |= {
    f"case of {name} for {agent} {path}": (
        f"User-Agent: {name}\nAllow: /x/\nDisallow: /\n",
        agent,
        path,
        path == "/x/y",
    )
    for name in ("FOO BAR", "foo bar", "FoO bAr")
    for agent in ("Foo", "foo")
    for path in ("/x/y", "/a/b")
}
# What the documentation of Google Search says of a pattern that is allowed while all else is not.
CASES |= {
    f"allow {pattern} {path}": (only("disallow: /", f"allow: {pattern}"), FOO, path, allowed)
    for pattern, allowed_paths, refused in (
        ("/fish", "/fish /fish.html /fish/salmon.html /fishheads /fishheads/yummy.html /fish.html?id=anything",
         "/bar /Fish.asp /catfish /?id=fish"),
        ("/fish*", "/fish /fish.html /fish/salmon.html /fishheads /fishheads/yummy.html /fish.html?id=anything",
         "/bar /Fish.bar /catfish /?id=fish"),
        ("/fish/", "/fish/ /fish/salmon /fish/?salmon /fish/salmon.html /fish/?id=anything",
         "/bar /fish /fish.html /Fish/Salmon.html"),
        ("/*.php", "/filename.php /folder/filename.php /folder/filename.php?parameters //folder/any.php.file.html "
         "/filename.php/ /index?f=filename.php/", "/bar /php/ /index?php /windows.PHP"),
        ("/*.php$", "/filename.php /folder/filename.php",
         "/bar /filename.php?parameters /filename.php/ /filename.php5 /php/ /filename?php /aaaphpaaa //windows.PHP"),
        ("/fish*.php", "/fish.php /fishheads/catfish.php?parameters", "/bar /Fish.PHP"),
    )
    for paths, allowed in ((allowed_paths, True), (refused, False))
    for path in paths.split()
}  # fmt: skip
CASES |= {
    f"special characters: {refuse}, {allow}, {path}": (
        only(f"Disallow: {refuse}", f"Allow: {allow}"),
        FOO,
        path,
        allowed,
    )
    for refuse, allow, path, allowed in (
        ("/foo/bar/quz", "/foo/*/qux", "/foo/bar/quz", False),
        ("/foo/bar/quz", "/foo/*/qux", "/foo/quz", True),
        ("/foo/bar/quz", "/foo/*/qux", "/foo//quz", True),
        ("/foo/bar/quz", "/foo/*/qux", "/foo/bax/quz", True),
        ("/foo/bar$", "/foo/bar/qux", "/foo/bar", False),
        ("/foo/bar$", "/foo/bar/qux", "/foo/bar/qux", True),
        ("/foo/bar$", "/foo/bar/qux", "/foo/bar/", True),
        ("/foo/bar$", "/foo/bar/qux", "/foo/bar/baz", True),
    )
}
LONG = "/x/" + "a" * (8 * 2083 - 12 - 3)  # with `disallow: ` before it, a line of which four more characters are cut
CASES |= {
    "a long line": (only(f"disallow: {LONG}/qux"), FOO, "/fux", True),
    "the beginning of a long line": (only(f"disallow: {LONG}/qux"), FOO, f"{LONG}/fux", False),
    "a long line, elsewhere": (only("disallow: /", f"allow: {LONG}/qux"), FOO, "/", False),
    "a long line itself": (only("disallow: /", f"allow: {LONG}/qux"), FOO, f"{LONG}/qux", True),
}


@pytest.mark.parametrize("case", CASES)
def test_as_google_reads_it(case: str) -> None:
    """The verdict is that of Google's parser."""
    text, agent, path, allowed = CASES[case]
    url = f"http://foo.bar{path}" if path else ""
    assert Rules.from_reply(200, text.encode()).allows(agent, url) is allowed


@pytest.mark.parametrize(
    ("allow", "path"),
    [("/foo/bar/ツ", "/foo/bar/ツ"), ("/foo/bar/%E3%83%84", "/foo/bar/ツ"), ("/foo/bar/%62%61%7A", "/foo/bar/baz")],
)
def test_where_the_rfc_decides(allow: str, path: str) -> None:
    """Both sides are encoded in the same way before they are compared (RFC 9309 §2.2.2), which Google's parser leaves
    to its caller, and expects to fail."""
    assert Rules.from_reply(200, only("Disallow: /", f"Allow: {allow}").encode()).allows(FOO, f"http://foo.bar{path}")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_lines_are_counted_whatever_ends_them(ending: str, last: str) -> None:
    """The number of the line that decides is that of an editor, for all line ends that the RFC knows."""
    text = ending.join(("User-Agent: foo", "Allow: /some/path", "User-Agent: bar", "", "", "Disallow: /")) + last
    line = Rules.from_reply(200, text.encode()).line("bar", "http://foo.bar/")
    assert line is not None
    assert (line.number, line.text) == (6, "Disallow: /")


def test_mixed_line_ends_are_counted() -> None:
    """A carriage return and a line feed end one line together, wherever they stand."""
    text = b"User-Agent: foo\nAllow: /some/path\r\nUser-Agent: bar\n\r\n\nDisallow: /"
    line = Rules.from_reply(200, text).line("bar", "http://foo.bar/")
    assert line is not None
    assert line.number == 6


@pytest.mark.parametrize(
    ("start", "is_read"),
    [(b"\xef\xbb\xbf", True), (b"\xef\xbb", True), (b"\xef", True), (b"", True), (b"\xef\x11\xbf", False)],
)
def test_a_byte_order_mark_or_a_part_of_it_is_skipped(start: bytes, is_read: bool) -> None:
    """A mark, or what is left of one, spoils no line; other rubbish does."""
    rules = Rules.from_reply(200, start + b"User-Agent: foo\nDisallow: /AnyValue\n")
    assert rules.allows("foo", "http://foo.bar/AnyValue") is not is_read


def test_a_byte_order_mark_in_the_middle_spoils_its_line() -> None:
    """A mark is one at the beginning only."""
    rules = Rules.from_reply(200, b"User-Agent: foo\n\xef\xbb\xbfDisallow: /AnyValue\n")
    assert rules.allows("foo", "http://foo.bar/AnyValue")


@pytest.mark.parametrize("before", [True, False])
def test_a_sitemap_may_stand_anywhere(before: bool) -> None:
    """A sitemap belongs to no group."""
    group = "User-Agent: foo\nAllow: /some/path\nUser-Agent: bar\n\n\n"
    line = "Sitemap: http://foo.bar/sitemap.xml\n"
    text = line + group if before else group + line
    assert Rules.from_reply(200, text.encode()).sitemaps == ("http://foo.bar/sitemap.xml",)
