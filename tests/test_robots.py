"""robots.txt, by RFC 9309."""

import random

import pytest

from crawler.robots import MAX_BYTES, MAX_DELAY, Line, Rules, product

SITE = "https://example.org"


def rules(text: str | bytes) -> Rules:
    return Rules.from_reply(200, text if isinstance(text, bytes) else text.encode())


RFC_EXAMPLE = """
User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""


@pytest.mark.parametrize(
    ("agent", "path", "allowed"),
    [
        ("otherbot", "/", True),
        ("otherbot", "/picture.gif", False),
        ("otherbot", "/picture.gif?size=2", True),
        ("otherbot", "/example/page.html", False),
        ("otherbot", "/publications/", True),
        ("foobot", "/", False),
        ("foobot", "/publications/", False),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("barbot", "/example/other.html", True),
        ("bazbot", "/picture.gif", True),
        ("quxbot", "/example/page.html", True),
    ],
)
def test_the_simple_example_of_the_rfc(agent: str, path: str, allowed: bool) -> None:
    """RFC 9309 §5.1 reads as the RFC says."""
    assert rules(RFC_EXAMPLE).allows(agent, SITE + path) is allowed


@pytest.mark.parametrize(
    ("lines", "path", "allowed"),
    [
        pytest.param("Allow: /page/\nDisallow: /page/no.gif", "/page/no.gif", False, id="longest match"),
        pytest.param("Disallow: /page/no.gif\nAllow: /page/", "/page/no.gif", False, id="longest match in any order"),
        pytest.param("Disallow: /\nAllow: /page", "/page/a", True, id="longer allow"),
        pytest.param("Disallow: /page\nAllow: /page", "/page", True, id="allow wins a tie"),
        pytest.param("Allow: /page\nDisallow: /page", "/page", True, id="allow wins a tie in any order"),
        pytest.param("Disallow: /page", "/pages", False, id="prefix"),
        pytest.param("Disallow: /page/", "/page", True, id="prefix with its slash"),
        pytest.param("Disallow: /Page", "/page", True, id="paths are case-sensitive"),
        pytest.param("Disallow: /*.php", "/a/b.php?x", False, id="star"),
        pytest.param("Disallow: /*.php$", "/a/b.php", False, id="end"),
        pytest.param("Disallow: /*.php$", "/a/b.php?x", True, id="not at the end"),
        pytest.param("Disallow: /a*b*c", "/aXbYcZ", False, id="two stars"),
        pytest.param("Disallow: /a*b*c", "/aXcYb", True, id="two stars out of order"),
        pytest.param("Disallow: /*?", "/a?b", False, id="query"),
        pytest.param("Disallow:", "/a", True, id="empty disallow"),
        pytest.param("Disallow: /a # not /b", "/b", True, id="comment"),
        pytest.param("DISALLOW : /a", "/a", False, id="keys in any case"),
        pytest.param("Noindex: /a\nDisallow: /b", "/b", False, id="unknown keys between"),
        pytest.param("Disallow: /foo/ツ", "/foo/%E3%83%84", False, id="a rule in plain UTF-8"),
        pytest.param("Disallow: /foo/%62%61%7A", "/foo/baz", False, id="a rule that is percent-encoded"),
        pytest.param("Disallow: /foo/%e3%83%84", "/foo/%E3%83%84", False, id="case of percent-encoding"),
    ],
)
def test_matching(lines: str, path: str, allowed: bool) -> None:
    """The longest matching rule decides; `*` is any run of characters and `$` the end."""
    assert rules(f"User-agent: *\n{lines}\n").allows("crawler", SITE + path) is allowed


@pytest.mark.parametrize(
    ("group", "agent", "is_ours"),
    [
        pytest.param("crawler", "crawler", True, id="the same"),
        pytest.param("CRAWLER", "crawler", True, id="group in capitals"),
        pytest.param("crawler", "Crawler/0.1", True, id="agent in capitals with its version"),
        pytest.param("crawler", "crawler/0.1 (+https://example.org/bot)", True, id="agent with a comment"),
        pytest.param("crawler", "crawler (x)", True, id="agent without a version"),
        pytest.param("*", "crawler", True, id="everybody's"),
        pytest.param("crawlerbot", "crawler", False, id="a longer name"),
        pytest.param("supercrawler", "crawler", False, id="our name at the end of another"),
        pytest.param("crawl", "crawler", False, id="a shorter name"),
        pytest.param("example", "crawler/0.1 (example)", False, id="a word of our comment"),
    ],
)
def test_which_group_is_ours(group: str, agent: str, is_ours: bool) -> None:
    """A group applies when it names our product token, in any case, and nothing but that."""
    assert rules(f"User-agent: {group}\nDisallow: /").allows(agent, f"{SITE}/x") is not is_ours


def test_groups_of_one_name_are_one() -> None:
    """Rules of all groups that name us hold together, those of other groups do not."""
    merged = rules(
        "user-agent: ExampleBot\ndisallow: /foo\n\n"
        "user-agent: other\ndisallow: /other\n\n"
        "user-agent: examplebot\ndisallow: /bar\n"
    )
    assert [merged.allows("ExampleBot/1", SITE + path) for path in ("/foo", "/bar", "/other")] == [
        False,
        False,
        True,
    ]


def test_our_own_group_replaces_that_of_everybody() -> None:
    """Who has a group of its own does not read the group of `*`."""
    own = rules("User-agent: *\nDisallow: /\n\nUser-agent: crawler\nDisallow: /private\n")
    assert own.allows("crawler", f"{SITE}/x")
    assert not own.allows("crawler", f"{SITE}/private")
    assert not own.allows("other", f"{SITE}/x")


def test_our_own_empty_group_allows_all() -> None:
    """An empty group of our own frees us from the group of `*`."""
    assert rules("User-agent: crawler\nDisallow:\n\nUser-agent: *\nDisallow: /\n").allows("crawler", f"{SITE}/x")


def test_rules_before_any_group_hold_for_nobody() -> None:
    """A rule that stands in no group is no rule."""
    assert rules("Disallow: /\n").allows("crawler", f"{SITE}/x")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_success_is_parsed(status: int) -> None:
    """The body of any 2xx reply holds the rules."""
    parsed = Rules.from_reply(status, b"User-agent: *\nDisallow: /no")
    assert not parsed.allows("crawler", f"{SITE}/no")
    assert parsed.allows("crawler", f"{SITE}/yes")
    assert parsed.reason == ""


@pytest.mark.parametrize("status", [301, 308, 400, 401, 403, 404, 410, 451])
def test_no_robots_txt_allows_all(status: int) -> None:
    """A 4xx reply, or one redirect too many, means that there are no rules, whatever the body says."""
    none = Rules.from_reply(status, b"User-agent: *\nDisallow: /")
    assert none.allows("crawler", f"{SITE}/x")
    assert none.reason == ""
    assert none.sitemaps == ()


@pytest.mark.parametrize("status", [429, 500, 503, 599, 999])
def test_a_server_in_trouble_refuses_all(status: int) -> None:
    """A 429 or 5xx reply refuses everything, and the reason names the status."""
    refused = Rules.from_reply(status, b"User-agent: *\nAllow: /")
    assert not refused.allows("crawler", f"{SITE}/x")
    assert str(status) in refused.reason


def test_an_unreachable_server_refuses_all() -> None:
    """Without a reply everything is refused, for the reason that was given."""
    refused = Rules.from_reply(None, detail="connection refused")
    assert not refused.allows("crawler", f"{SITE}/x")
    assert "connection refused" in refused.reason


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(rules("User-agent: *\nDisallow: /"), id="disallow all"),
        pytest.param(rules("User-agent: *\nDisallow: /robots.txt"), id="disallow robots.txt"),
        pytest.param(Rules.from_reply(404), id="no rules"),
        pytest.param(Rules.from_reply(503), id="server in trouble"),
        pytest.param(Rules.from_reply(None, detail="timeout"), id="unreachable"),
    ],
)
def test_robots_txt_itself_is_always_allowed(made: Rules) -> None:
    """No rules can forbid to read the rules."""
    assert made.allows("crawler", f"{SITE}/robots.txt")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_byte_order_mark_and_any_line_ends_are_read(ending: str) -> None:
    """The first line counts despite a byte order mark, and every line end ends a line."""
    body = "\ufeff" + ending.join(["User-agent: *", "Disallow: /a", "Disallow: /b", ""])
    assert [rules(body).allows("crawler", SITE + path) for path in ("/a", "/b", "/c")] == [False, False, True]


@pytest.mark.parametrize("page", ["<!DOCTYPE html>", "  \n<html>", "\ufeff<p>"])
def test_an_html_page_is_no_rules(page: str) -> None:
    """A site that answers every path with its home page has no rules."""
    assert rules(f"{page}\nUser-agent: *\nDisallow: /\n").allows("crawler", f"{SITE}/x")


def test_nothing_beyond_the_limit_is_read() -> None:
    """A rule that ends within 500 KiB counts, a rule after them does not."""
    head, tail = b"User-agent: *\nDisallow: /early\n#", b"\nDisallow: /last\n"
    body = head + b"x" * (MAX_BYTES - len(head) - len(tail)) + tail
    long = rules(body + b"Disallow: /late\n")
    assert MAX_BYTES == 512_000
    assert [long.allows("crawler", SITE + path) for path in ("/early", "/last", "/late")] == [
        False,
        False,
        True,
    ]


def test_no_bytes_raise() -> None:
    """Whatever stands in robots.txt, there are rules afterwards."""
    chance = random.Random(9309)
    scraps = [
        b"User-agent:",
        b" *",
        b"\n",
        b"\r",
        b"Disallow:",
        b"Allow:",
        b" /",
        b"http://[",
        b"%",
        b"%zz",
        b"$",
        b"*",
        b"?",
        b"[",
    ]
    scraps += [
        b"\xff",
        b"\0",
        b"\xed\xa0\x80",
        b"Crawl-delay:",
        b"Sitemap:",
        b"//",
        b":",
        b"1e999",
        b"Request-rate: 1/0",
        b"Visit-time: 9-",
    ]
    for _ in range(400):
        made = rules(b"".join(chance.choices(scraps, k=30)))
        assert made.allows("crawler/1.0", f"{SITE}/robots.txt")
        assert made.allows("crawler/1.0", f"{SITE}//[?%zz") in (True, False)
        assert 0 <= made.delay("crawler/1.0") <= MAX_DELAY
        assert all(isinstance(sitemap, str) for sitemap in made.sitemaps)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("0", 0.0), ("29.9", 29.9), ("31", MAX_DELAY), ("1e9", MAX_DELAY)]
    + [(junk, 0.0) for junk in ("", "soon", "-5", "nan", "1,5")],
)
def test_crawl_delay(written: str, seconds: float) -> None:
    """A delay that is asked for is kept up to a cap; what is no number of seconds asks nothing."""
    assert rules(f"User-agent: *\nCrawl-delay: {written}\nDisallow: /x").delay("crawler/0.1") == seconds


def test_crawl_delay_is_a_group_s_own() -> None:
    """The delay asked of another agent is not asked of us."""
    made = rules("User-agent: slowbot\nCrawl-delay: 9\n\nUser-agent: crawler\nCrawl-delay: 1\n")
    assert made.delay("crawler/0.1") == 1.0
    assert made.delay("slowbot") == 9.0
    assert made.delay("other") == 0.0


@pytest.mark.parametrize("status", [404, 503, None])
def test_without_rules_there_is_no_delay(status: int | None) -> None:
    """Who has no rules asks no delay."""
    assert Rules.from_reply(status, b"User-agent: *\nCrawl-delay: 5").delay("crawler") == 0.0


def test_sitemaps_in_their_order() -> None:
    """All sitemaps are known, wherever they stand."""
    made = rules("Sitemap: https://example.org/b.xml\nUser-agent: *\nDisallow: /\nsitemap: https://example.org/a.xml\n")
    assert made.sitemaps == ("https://example.org/b.xml", "https://example.org/a.xml")


@pytest.mark.parametrize(
    ("agent", "token"),
    [
        ("crawler/0.1", "crawler"),
        ("crawler", "crawler"),
        ("crawler/0.1 (+https://example.org/)", "crawler"),
        ("My-Bot (a b)", "My-Bot"),
    ],
)
def test_product_token(agent: str, token: str) -> None:
    """The product token is what stands before version and comment."""
    assert product(agent) == token


def line(text: str, path: str, agent: str = "crawler/0.1") -> tuple[int, bool] | None:
    """Number and verdict of the line that decides."""
    found = rules(text).line(agent, SITE + path)
    return None if found is None else (found.number, found.allows)


@pytest.mark.parametrize(
    ("lines", "path", "decides"),
    [
        pytest.param("Disallow: /a", "/a/b", (2, False), id="one"),
        pytest.param("Disallow: /a", "/b", None, id="none"),
        pytest.param("Disallow:", "/b", None, id="empty"),
        pytest.param("", "/b", None, id="no line"),
        pytest.param("Disallow: /a\nDisallow: /a/b\nDisallow: /a/", "/a/b/c", (3, False), id="longest"),
        pytest.param("Allow: /page\nDisallow: /", "/page", (2, True), id="longer allow"),
        pytest.param("Allow: /\nDisallow: /page", "/page", (3, False), id="longer disallow"),
        pytest.param("Disallow: /page\nAllow: /page", "/page", (3, True), id="allow wins a tie"),
        pytest.param("Disallow: /a\nDisallow: /a", "/a", (2, False), id="the first of two alike"),
        pytest.param("Disallow: /*.php", "/a/b.php?x", (2, False), id="star"),
        pytest.param("Disallow: /*.php$", "/a/b.php", (2, False), id="end"),
        pytest.param("Disallow: /*.php$\nDisallow: /a", "/a/b.php?x", (3, False), id="not at the end"),
        pytest.param("Disallow: /a*\nAllow: /a*b", "/aXb", (3, True), id="a star counts as a character"),
        pytest.param("Allow: /page/index.html\nDisallow: /page/", "/page/", (2, True), id="index.html"),
        pytest.param("# all\n\ndisallow : /a # why", "/a", (4, False), id="comments, blanks, case"),
        pytest.param("Disalow: /a", "/a", (2, False), id="a misspelling that the parser reads"),
        pytest.param("Disallow: /foo/\u30c4\nDisallow: /foo/%E3%83", "/foo/%E3%83%84", (2, False), id="UTF-8"),
        pytest.param("Sitemap: /a\nCrawl-delay: 3\nDisallow: /a", "/a", (4, False), id="other lines"),
        pytest.param("Disallow: /", "/robots.txt", None, id="robots.txt itself"),
    ],
)
def test_which_line_decides(lines: str, path: str, decides: tuple[int, bool] | None) -> None:
    """The longest line that matches, allow before disallow; None where no line matches."""
    assert line(f"User-agent: *\n{lines}\n", path) == decides


@pytest.mark.parametrize(
    ("text", "path", "decides"),
    [
        pytest.param("User-agent: *\nDisallow: /\n\nUser-agent: crawler\nDisallow: /p", "/p", (5, False), id="ours"),
        pytest.param("User-agent: *\nDisallow: /\n\nUser-agent: crawler\nDisallow: /p", "/x", None, id="only ours"),
        pytest.param("User-agent: other\nDisallow: /longer\n\nUser-agent: *\nDisallow: /l", "/longer", (5, False),
                     id="everybody's, though another's is longer"),
        pytest.param("User-agent: other\nUser-agent: crawler\n\nDisallow: /p", "/p", (4, False), id="two names"),
        pytest.param("User-agent: other\nDisallow: /p\nUser-agent: crawler\nDisallow: /q", "/p", None, id="next group"),
        pytest.param("User-agent: other\nSitemap: /s\nUser-agent: crawler\nDisallow: /q", "/q", (4, False),
                     id="a sitemap ends no list of names"),
        pytest.param("User-agent: crawler\nDisallow: /a\n\nUser-agent: x\nDisallow: /\n\nUser-agent: crawler\n"
                     "Disallow: /b", "/b", (8, False), id="a group in two parts"),
        pytest.param("User-agent: crawl\nDisallow: /", "/a", None, id="a shorter name"),
        pytest.param("Disallow: /", "/a", None, id="in no group"),
    ],
)  # fmt: skip
def test_the_deciding_line_is_of_our_group(text: str, path: str, decides: tuple[int, bool] | None) -> None:
    """Lines of other groups decide nothing."""
    assert line(text, path) == decides


def test_the_deciding_line_says_what_the_rules_say() -> None:
    """Whatever stands in robots.txt: a line decides as the whole does, and where none does all is allowed."""
    chance = random.Random(2212)
    names = ["*", "crawler", "other", "crawl", "Crawler/2"]
    patterns = ["", "/", "/a", "/a/", "/a*", "/*b", "/a/b$", "/*.gif$", "/a/b", "*", "/a/*/c", "/%61"]
    for _ in range(150):
        text = "\n".join(
            f"User-agent: {chance.choice(names)}"
            if chance.random() < 0.3
            else f"{chance.choice(['Allow', 'Disallow', 'Noindex'])}: {chance.choice(patterns)}"
            for _ in range(12)
        )
        for path in ("/", "/a", "/a/b", "/a/x/c", "/z.gif"):
            found = line(text, path)
            assert rules(text).allows("crawler", SITE + path) is (found is None or found[1])


def test_the_deciding_line_is_shown_as_it_stands() -> None:
    """Its text is that of the file, and without usable rules there is none."""
    assert rules("User-agent: *\n  Disallow: /a  # no").line("crawler", f"{SITE}/a") == Line(
        2, "Disallow: /a  # no", False
    )
    for made in (Rules.from_reply(404), Rules.from_reply(503), Rules.from_reply(None, detail="timeout")):
        assert made.line("crawler", f"{SITE}/a") is None
