"""robots.txt, by RFC 9309."""

import random
import time

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
        pytest.param("Disallow: /file-with-a-%2A.html", "/file-with-a-*.html", False, id="a star meant as it is"),
        pytest.param("Disallow: /file-with-a-%2A.html", "/file-with-a-b.html", True, id="a star that is no pattern"),
        pytest.param("Disallow: /foo-%24", "/foo-$", False, id="a dollar meant as it is"),
        pytest.param("Disallow: /foo-%24", "/foo-", True, id="a dollar that is no end"),
        pytest.param("Disallow: /a$b", "/a$b", False, id="a dollar in the middle"),
        pytest.param("Disallow: /a%2Fb", "/a/b", True, id="an encoded slash is another octet"),
        pytest.param("Disallow: /a b/{c}", "/a%20b/%7Bc%7D", False, id="what URLs encode and files do not"),
        pytest.param("Disallow: /?q='x'", "/?q=%27x%27", False, id="an apostrophe in a query"),
        pytest.param("Disallow: /a\tb", "/a%09b", False, id="a tab"),
        pytest.param("Disallow: /50%\nDisallow: /%zz", "/50%", False, id="a percent sign alone"),
        pytest.param("Disallow: /a**b", "/aXb", False, id="two stars in a row"),
        pytest.param("Disallow: /*$", "/a", False, id="star to the end"),
        pytest.param("Disallow: /ab*ba$", "/aba", True, id="pieces do not overlap"),
        pytest.param("Disallow: a", "/a", True, id="a pattern that begins with no slash"),
        pytest.param("Disallow: https://example.org/a", "/a", True, id="a whole URL is no path"),
        pytest.param("Disallow: /a\x0bDisallow: /b", "/b", True, id="a vertical tab ends no line"),
        pytest.param("Disallow: /a\u2028Disallow: /b", "/b", True, id="a line separator ends no line"),
        *(
            pytest.param(f"{key}: /a", "/a", False, id=f"misspelt {key}")
            for key in ("dissallow", "dissalow", "disalow", "diasllow", "disallaw", "Disalow")
        ),
        pytest.param("Disallowed: /a\nDis-allow: /a", "/a", True, id="other words"),
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
        pytest.param("crawler/2.0", "crawler", True, id="group with a version"),
        pytest.param("crawler2", "crawler", False, id="a name with a number"),
        pytest.param("* (all)", "crawler", True, id="everybody's, with a remark"),
        pytest.param("*bot", "crawler", False, id="no pattern"),
        pytest.param("ExampleBot", "Mozilla/5.0 (compatible; ExampleBot/0.1; +x)", True, id="as a browser"),
        pytest.param("Mozilla", "Mozilla/5.0 (compatible; ExampleBot/0.1; +x)", False, id="no browser"),
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


@pytest.mark.parametrize("agent", ["useragent", "user agent", "User-agent"])
def test_misspelt_groups(agent: str) -> None:
    """A group is one under the names that are misspelt often, too."""
    assert not rules(f"{agent}: crawler\nDisallow: /").allows("crawler", f"{SITE}/x")


@pytest.mark.parametrize(
    "other", ["Sitemap: /s.xml", "Crawl-delay: 3", "Content-Usage: train-ai=n", "Host: x", "Noindex: /", "", "# x", "x"]
)
def test_no_other_record_ends_a_list_of_names(other: str) -> None:
    """What is neither allow nor disallow must not interfere with groups (RFC 9309 §2.2.4)."""
    made = rules(f"User-agent: crawler\n{other}\nUser-agent: other\nDisallow: /a\n{other}\nDisallow: /b\n")
    assert [made.allows("crawler", SITE + path) for path in ("/a", "/b", "/c")] == [False, False, True]


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


def test_a_rule_that_the_limit_cuts_is_no_rule() -> None:
    """Half a line could mean anything, `Disallow: /` for one; that there was more is told."""
    body = b"User-agent: *\nDisallow: /early\n#" + b"x" * MAX_BYTES
    cut = body[: MAX_BYTES - 12] + b"\nDisallow: /page\n"
    made = rules(cut)
    assert made.allows("crawler", f"{SITE}/x")
    assert not made.allows("crawler", f"{SITE}/early")
    assert "longer than 500 KiB" in made.notes("crawler")
    assert rules(cut[:MAX_BYTES]).notes("crawler") == ""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_utf_16_is_read(encoding: str) -> None:
    """Editors that save UTF-16, with a mark or without, spoil no rules."""
    made = rules("User-agent: *\r\nDisallow: /foo/ツ\r\n".encode(encoding))
    assert [made.allows("crawler", SITE + path) for path in ("/foo/%E3%83%84", "/foo/x")] == [False, True]


def test_what_was_kept_as_text_is_not_cut_again() -> None:
    """Text can be longer than the bytes that it was made of; the last rule still holds a day later."""
    body = b"User-agent: *\n# " + b"\xe9" * 400_000 + b"\nDisallow: /last\n"
    made = rules(body)
    for one in (made, Rules.from_reply(200, made.text)):
        assert not one.allows("crawler", f"{SITE}/last")
        assert one.notes("crawler") == ""


def test_octets_that_are_no_utf_8_are_octets_of_a_path() -> None:
    """A file in Latin-1 names paths in Latin-1, and the rules are the same after they were kept as text."""
    made = rules(b"User-agent: *\nDisallow: /caf\xe9\nDisallow: /\xff\xfe\n")
    for one in (made, rules(made.text), Rules.from_reply(200, made.text)):
        assert [one.allows("crawler", SITE + path) for path in ("/caf%E9", "/caf%C3%A9", "/%FF%fe", "/caf")] == [
            False,
            True,
            False,
            True,
        ]
    assert rules(made.text).text == made.text
    assert rules(b"User-agent: *\n\0Disallow: /a\0b\n").text == "User-agent: *\n Disallow: /a b\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Disallow: " + "*a" * 250_000 + "b", id="one pattern of 250,000 stars"),
        pytest.param(("Disallow: " + "*a" * 1000 + "*b\n") * 240, id="patterns of a thousand stars"),
        pytest.param("Disallow: *a*a*a*a*a*b\n" * 20_000, id="many patterns"),
        pytest.param("Disallow: /x\n" * 40_000, id="many rules"),
        pytest.param("User-agent: x\n" * 36_000 + "Disallow: /", id="many names"),
        pytest.param("User-agent: x\nDisallow: /\nUser-agent: *\n" * 12_000, id="many groups"),
        pytest.param(":" * 500_000, id="colons"),
        pytest.param("a " * 250_000, id="words"),
        pytest.param("Disallow: /" + "%" * 250_000, id="percent signs"),
        pytest.param("Content-Usage: " + "/*a" * 100_000 + " search=n", id="usage"),
    ],
)
def test_no_file_is_slow(text: str) -> None:
    """Half a megabyte of the worst that a server can send costs some tenths of a second, not hours."""
    made = rules(f"User-agent: *\n{text}"[:MAX_BYTES])
    until = time.monotonic() + 10  # against a hang
    for _ in range(3):
        made.allows("crawler", f"{SITE}/{'a' * 2000}")
        made.refuses_search("crawler", f"{SITE}/{'a' * 2000}")
        made.line("crawler", f"{SITE}/{'a' * 2000}")
    assert time.monotonic() < until


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
        b"Content-Usage:",
        b"search=n",
        b"\xff\xfe",
        b"Request-rate: 1/0",
        b"Visit-time: 9-",
    ]
    for _ in range(400):
        made = rules(b"".join(chance.choices(scraps, k=30)))
        assert made.allows("crawler/1.0", f"{SITE}/robots.txt")
        assert made.allows("crawler/1.0", f"{SITE}//[?%zz") in (True, False)
        assert 0 <= made.delay("crawler/1.0") <= MAX_DELAY
        assert all(isinstance(sitemap, str) for sitemap in made.sitemaps)
        assert rules(made.text).allows("crawler/1.0", f"{SITE}/$*") is made.allows("crawler/1.0", f"{SITE}/$*")
        assert not made.refuses_search("other", f"{SITE}/x")


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
    made = rules("User-agent: slowbot\nCrawl-delay: 9\n\nUser-agent: crawler\nCrawl-delay: 1\nCrawl-delay: 0.5\n")
    assert made.delay("crawler/0.1") == 1.0
    assert made.delay("slowbot") == 9.0
    assert made.delay("other") == 0.0


@pytest.mark.parametrize("status", [404, 503, None])
def test_without_rules_there_is_no_delay(status: int | None) -> None:
    """Who has no rules asks no delay."""
    assert Rules.from_reply(status, b"User-agent: *\nCrawl-delay: 5").delay("crawler") == 0.0


def test_a_crawl_delay_belongs_to_the_names_right_before_it() -> None:
    """It ends no list of names, and yet it is not asked of those that come later."""
    made = rules("User-agent: a\nCrawl-delay: 1\nUser-agent: b\nUser-agent: c\nCrawl-delay: 9\n")
    assert [made.delay(name) for name in ("a", "b", "c")] == [1.0, 9.0, 9.0]


def test_a_delay_that_is_cut_is_told() -> None:
    """That a Crawl-delay is not kept to the letter is said, and only then."""
    assert rules("User-agent: *\nCrawl-delay: 120").notes("crawler") == "its Crawl-delay of 120 s is kept as 30 s"
    assert rules("User-agent: *\nCrawl-delay: 30").notes("crawler") == ""


def test_strict_takes_a_refusal_as_one() -> None:
    """With robots_strict, 401 and 403 refuse everything, and 404 still nothing."""
    for status in (401, 403):
        refused = Rules.from_reply(status, strict=True)
        assert not refused.allows("crawler", f"{SITE}/x")
        assert (refused.code, str(status) in refused.reason) == ("robots", True)
    assert Rules.from_reply(404, strict=True).allows("crawler", f"{SITE}/x")


USAGE = """
User-Agent: *
Allow: /
Disallow: /never/
Content-Usage: / train-ai=n
Content-Usage: /ai-ok/ train-ai=y
content-usage : /papers/ train-ai=y, search=n  # not for search
Content-Usage: /papers/open/ search=y

User-Agent: ExampleBot
Allow: /
Content-Usage: train-ai=y;q=1, Search=n
Content-Signal: search=yes
"""


@pytest.mark.parametrize(
    ("agent", "path", "refuses"),
    [
        ("crawler", "/test", False),
        ("crawler", "/papers/1", True),
        ("crawler", "/papers/open/1", False),
        ("ExampleBot", "/papers/open/1", True),
        ("ExampleBot", "/", True),
    ],
)
def test_which_pages_are_not_for_search(agent: str, path: str, refuses: bool) -> None:
    """The longest path of our group decides, and of the same paths the one that refuses."""
    assert rules(USAGE).refuses_search(agent, SITE + path) is refuses


def test_what_is_said_of_use_is_known_word_for_word() -> None:
    """All lines of our group, each with its path; they change no verdict on what may be fetched."""
    assert rules(USAGE).usages("ExampleBot/1.0") == ("/ train-ai=y;q=1, Search=n", "/ search=yes")
    assert rules(USAGE).usages("crawler")[2] == "/papers/ train-ai=y, search=n"
    assert rules(USAGE).allows("crawler", f"{SITE}/papers/1")
    for made in (Rules.from_reply(404), Rules.from_reply(503)):
        assert made.usages("crawler") == ()
        assert not made.refuses_search("crawler", f"{SITE}/x")


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
