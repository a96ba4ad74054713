"""What pages ask for, and where pages are found: robots directives, canonical URLs, sitemaps, feeds."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler import Config, Report, crawl, search, update, why
from crawler.sitemap import MAX_ENTRIES
from crawler.views import story as shown
from tests.site import Site
from tests.test_pipeline import indexed, rows, states
from tests.wire import Wire

Run = Callable[..., Report]
NOINDEX = "<meta name=robots content=noindex>"


# What pages ask for


@pytest.mark.parametrize(
    ("head", "header", "is_indexed", "is_followed"),
    [
        (NOINDEX, "", False, True),
        ("<meta name=ROBOTS content=NONE>", "", False, False),
        ("<meta name=robots content=index><meta name=robots content=noindex>", "", False, True),
        ("<meta name=crawler content=nofollow>", "", True, False),
        ("<meta name=otherbot content=none>", "otherbot: noindex, nofollow", True, True),
        ("<meta name=robots content='index, follow'>", "noindex", False, True),
        ("", "crawler: none", False, False),
        ("", "unavailable_after: 25 Jun 2010 15:00:00 PST", False, True),
        ("<meta name=robots content='unavailable_after: 2010-06-25'>", "", False, True),
        ("", "unavailable_after: 1 Jan 2999 00:00:00 GMT, noarchive, nosnippet", True, True),
    ],
)
def test_robots_directives(
    run: Run, site: Site, db: Path, head: str, header: str, is_indexed: bool, is_followed: bool
) -> None:
    """Of meta and header, for all and for us, the most restrictive counts; what a page links to is another matter."""
    headers = {"X-Robots-Tag": header} if header else {}
    site.page("/", links=["/asks"])
    site.page("/asks", head=head, links=["/next"], **headers)
    site.page("/next")
    run()
    assert ("/asks" in indexed(db, site)) is is_indexed
    assert states(db, site)["/asks"] == ("done" if is_indexed else "skipped noindex")
    assert ("/next" in indexed(db, site)) is is_followed
    if not is_followed:
        assert states(db, site)["/next"] == "skipped nofollow"


def test_a_header_asks_for_plain_text_too(run: Run, site: Site, db: Path) -> None:
    """X-Robots-Tag is the only way in which a text file can ask for anything."""
    site.page("/", links=["/a.txt", "/b.txt"])
    site.raw("/a.txt", b"secret", Content_Type="text/plain", X_Robots_Tag="noindex")
    site.raw("/b.txt", b"public", Content_Type="text/plain")
    run()
    assert [search(word, db=db).total for word in ("secret", "public")] == [0, 1]


def test_several_headers_are_read_one_by_one(db: Path) -> None:
    """A header for another robot does not swallow the one for all that comes after it, nor give it its name."""
    page = b"<title>T</title>words"
    lines = b"X-Robots-Tag: otherbot: noarchive\r\nX-Robots-Tag: noindex\r\n"
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n%sContent-Length: %d\r\n\r\n%s" % (lines, len(page), page)
    wire = Wire(reply)
    try:
        crawl(Config(seeds=(wire.url,), db=str(db), obey_robots=False, sitemaps=False))
    finally:
        wire.close()
    assert rows(db, "SELECT state, reason FROM urls") == [("skipped", "noindex")]


def test_rel_nofollow_is_an_option(run: Run, site: Site, db: Path) -> None:
    """With follow_nofollow a link is a link; what a page asks of all its links still counts."""
    site.page("/", body="<a rel='noopener NOFOLLOW' href=/a>a</a><a rel=xnofollow href=/b>b</a>")
    site.page("/a", head="<meta name=robots content=nofollow>", links=["/c"])
    site.page("/b")
    run()
    assert indexed(db, site) == {"/", "/b"}
    run(follow_nofollow=True, fresh=True)
    assert indexed(db, site) == {"/", "/a", "/b"}
    assert states(db, site)["/c"] == "skipped nofollow"


def test_what_pages_say_of_other_uses_is_on_record(run: Run, site: Site, db: Path) -> None:
    """AI preferences and reservations of text mining are kept with the page and told, and change nothing."""
    site.page(
        "/",
        "some words",
        head="<meta name=robots content='noai, noimageai'><meta name=tdm-policy content=https://h.test/policy>",
        **{"Content-Usage": "train-ai=n", "TDM-Reservation": "1"},
    )
    run()
    said = "content-usage: train-ai=n; tdm-reservation: 1; tdm-policy: https://h.test/policy; noai; noimageai"
    assert rows(db, "SELECT usage FROM pages") == [said]
    assert search("words", db=db).total == 1
    story = why(site.url(), db=db)
    assert story.page is not None
    assert story.page.usage == said
    assert story.page.robots == "noai noimageai"
    assert said in shown(story)


# Other names of a page


def test_a_refresh_at_once_is_a_redirect(run: Run, site: Site, db: Path) -> None:
    """Nobody sees a page that sends its reader on at once; one that waits is a page with a link."""
    site.page("/", links=["/at-once", "/later", "/without-scripts"])
    site.page("/at-once", head="<meta http-equiv=refresh content='0; url=/target'>", links=["/unseen"])
    site.page("/later", head="<meta http-equiv=refresh content='5; url=/next'>")
    script = "<noscript><meta http-equiv=refresh content='0; url=/plain'></noscript>"
    site.page("/without-scripts", head=script)
    for path in ("/target", "/next", "/plain"):
        site.page(path)
    run(depth=1)
    assert indexed(db, site) == {"/", "/target", "/later", "/without-scripts"}
    assert states(db, site)["/at-once"] == "done redirect"
    assert states(db, site)["/next"] == states(db, site)["/plain"] == "skipped depth"
    assert "/unseen" not in states(db, site)
    assert why(site.url("/at-once"), db=db).redirects_to == (site.url("/target"),)


def test_refreshes_end(run: Run, site: Site, db: Path) -> None:
    """A page that refreshes itself is a page, a circle ends, and of a chain without end one step is gone."""
    site.page("/", links=["/self", "/a", "/chain/0", "/old"])
    site.page("/self", head="<meta http-equiv=refresh content=0>")
    site.page("/a", head="<meta http-equiv=refresh content='0;url=/b'>")
    site.page("/b", head="<meta http-equiv=refresh content='0;url=/a'>")
    for number in range(30):
        site.page(f"/chain/{number}", head=f"<meta http-equiv=refresh content='0;url=/chain/{number + 1}'>")
    site.redirect("/old", "/moved")
    site.page("/moved", head="<meta http-equiv=refresh content='0;url=/new'>")
    site.redirect("/new", "/new/")
    site.page("/new/")
    run()
    assert indexed(db, site) == {"/", "/self", "/new/"}
    assert [path for path in site.paths if path.startswith("/chain")] == ["/chain/0", "/chain/1"]
    assert states(db, site)["/chain/2"] == "skipped redirects"


def test_canonical_urls_that_lead_nowhere(run: Run, site: Site, db: Path) -> None:
    """One at another site, in a circle, missing or no URL at all is ignored, and the story of the page says so."""
    canonical = {
        "/elsewhere": "http://elsewhere.test/",
        "/one": "/two",
        "/two": "/one",
        "/missing": "/gone",
        "/odd": "file:///etc/passwd",
        "/good": "/",
    }
    site.page("/", links=list(canonical))
    for path, named in canonical.items():
        site.page(path, f"the text of {path[1:]}", head=f"<link rel=canonical href={named}>")
    run()
    assert indexed(db, site) == {"/", *canonical}
    ignored = {path: why(site.url(path), db=db) for path in canonical}
    told = {path: story.page.canonical_ignored for path, story in ignored.items() if story.page}
    assert told == {
        "/elsewhere": "it is at another site",
        "/one": "they name each other in a circle",
        "/two": "they name each other in a circle",
        "/missing": "it does not exist",
        "/odd": "",
        "/good": "",
    }
    assert ignored["/odd"].detail == "'file:///etc/passwd' is no canonical URL"
    assert "(ignored: it is at another site)" in shown(ignored["/elsewhere"])
    assert rows(db, "SELECT count(*) FROM urls WHERE url LIKE '%elsewhere.test%' OR url LIKE 'file%'") == [0]


def test_canonical_urls_without_end(run: Run, site: Site, db: Path) -> None:
    """Of pages that each name yet another as the original, one is looked at: no depth would end them."""
    site.page("/", links=["/v/0"])

    def page(path: str) -> str:
        return f"<title>T</title><link rel=canonical href=/v/{int(path[3:]) + 1}><p>text of {path}"

    site.endless("/v/", page)
    run()
    assert sorted(site.paths) == ["/", "/v/0", "/v/1"]


# Sitemaps


def listing(*locations: str, root: str = "urlset", item: str = "url") -> bytes:
    inside = "".join(f"<{item}><loc>{location}</loc></{item}>" for location in locations)
    return f"<?xml version='1.0' encoding='UTF-8'?><{root}>{inside}</{root}>".encode()


def index(*locations: str) -> bytes:
    return listing(*locations, root="sitemapindex", item="sitemap")


def pages(site: Site, *paths: str) -> None:
    for path in paths:
        site.page(path)


def test_a_sitemap_is_found_by_its_usual_name(run: Run, site: Site, db: Path) -> None:
    """What /sitemap.xml lists is a hop away, as if the seed linked to it; the sitemap itself is no page."""
    site.page("/", links=["/linked"])
    pages(site, "/linked", "/a")
    site.page("/b", links=["/behind"])
    pages(site, "/behind")
    site.raw("/sitemap.xml", listing("/a", "/b"), Content_Type="application/xml")
    report = run(depth=1, sitemaps=True)
    assert indexed(db, site) == {"/", "/linked", "/a", "/b"}
    assert (report.fetched, report.listed) == (4, 2)
    assert states(db, site)["/behind"] == "skipped depth"
    story = why(site.url("/a"), db=db)
    assert story.path == (site.url("/sitemap.xml"), site.url("/a"))
    assert "a sitemap, whose URLs were taken (2 URLs)" in shown(why(site.url("/sitemap.xml"), db=db))
    run(depth=2, sitemaps=True)
    assert "/behind" in indexed(db, site)
    assert len(site.requests("/sitemap.xml")) == 1


@pytest.mark.parametrize("settings", [{"depth": 0, "sitemaps": True}, {"depth": 3, "sitemaps": False}])
def test_crawls_without_sitemaps(run: Run, site: Site, db: Path, settings: dict[str, Any]) -> None:
    """At depth 0 there are only the seeds, and without sitemaps only links count."""
    site.robots(f"User-agent: *\nSitemap: {site.url('/s.xml')}\n")
    site.page("/")
    pages(site, "/a")
    site.raw("/sitemap.xml", listing("/a"))
    site.raw("/s.xml", listing("/a"))
    run(**settings)
    assert site.paths == ["/"]


def test_no_sitemap_leaves_no_trace(run: Run, site: Site, db: Path) -> None:
    """A site without one is asked once; the guess was ours, and is neither a URL nor a failure of the site's."""
    site.page("/", links=["/a"])
    pages(site, "/a")
    report = run(sitemaps=True)
    assert states(db, site) == {"/": "done", "/a": "done"}
    assert (report.fetched, report.failed, report.skipped, report.reasons) == (2, 0, 0, {})
    run(sitemaps=True)
    run(sitemaps=True, depth=3)
    assert len(site.requests("/sitemap.xml")) == 1


def test_sitemaps_that_robots_txt_names(run: Run, site: Site, db: Path) -> None:
    """robots.txt says where they are: then the usual name is not tried. XML, gzip and text are read, and an index."""
    names = ("/index.xml", site.url("/urls.txt"), site.url("/refused.xml"), "http://[")
    site.robots("User-agent: *\nDisallow: /refused\n" + "".join(f"Sitemap: {name}\n" for name in names))
    site.page("/")
    pages(site, "/a", "/b", "/c", "/d")
    site.raw("/index.xml", index("/packed.xml.gz", "/plain.xml", "/missing.xml"), Content_Type="text/xml")
    site.raw("/packed.xml.gz", gzip.compress(listing("/a")), Content_Type="application/gzip")
    site.raw("/plain.xml", listing("/b"), Content_Type="text/html")
    site.raw("/urls.txt", f"{site.url('/c')}\nno URL\n {site.url('/d')} \r\n".encode(), Content_Type="text/plain")
    site.raw("/refused.xml", listing("/e"))
    run(sitemaps=True)
    assert indexed(db, site) == {"/", "/a", "/b", "/c", "/d"}
    assert "/sitemap.xml" not in site.paths
    assert states(db, site)["/refused.xml"] == "skipped robots"
    assert states(db, site)["/missing.xml"] == "failed http-404"
    assert search("no URL", db=db).total == 0


def test_robots_txt_may_name_one_that_is_not_there(run: Run, site: Site, db: Path) -> None:
    """The usual name among others, and missing: the others count all the same."""
    site.robots("User-agent: *\nSitemap: /sitemap.xml\nSitemap: /other.xml\n")
    site.page("/")
    pages(site, "/a")
    site.raw("/other.xml", listing("/a"))
    run(sitemaps=True)
    assert indexed(db, site) == {"/", "/a"}
    assert states(db, site)["/sitemap.xml"] == "skipped no-sitemap"


def test_indexes_in_indexes_end(run: Run, site: Site, db: Path) -> None:
    """An index that names itself, or a chain of a hundred, is read to its third and no further."""
    site.page("/")
    site.raw("/sitemap.xml", index("/sitemap.xml", "/s/1"))
    for number in range(1, 100):
        site.raw(f"/s/{number}", index(f"/s/{number + 1}"), Content_Type="application/xml")
    run(sitemaps=True)
    assert sorted(site.paths) == ["/", "/s/1", "/s/2", "/s/3", "/sitemap.xml"]
    assert states(db, site)["/s/4"] == "skipped sitemap-nesting"


def test_a_sitemap_speaks_for_its_own_site(run: Run, site: Site, db: Path) -> None:
    """What it lists of another site is only known; but another site's robots.txt may name it, and then it counts."""
    other = Site()
    try:
        site.page("/", "the front page")
        other.page("/", "another front page")
        pages(site, "/own")
        pages(other, "/theirs", "/named")
        site.raw("/sitemap.xml", listing("/own", other.url("/theirs"), "http://outside.test/", "file:///etc/passwd"))
        site.raw("/for-other.xml", listing(other.url("/named")))
        other.robots(f"User-agent: *\nSitemap: {site.url('/for-other.xml')}\n")
        crawl(Config(seeds=(site.url(), other.url()), db=str(db)))
        assert indexed(db, site) == {"/", "/own", other.url("/"), other.url("/named")}
        assert states(db, site)[other.url("/theirs")] == "skipped foreign-sitemap"
        assert states(db, site)["http://outside.test/"] == "skipped scope"
    finally:
        other.close()


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE urlset [<!ENTITY x '/laugh'>]><urlset><url><loc>&x;</loc></url></urlset>",
        b"<!DOCTYPE urlset [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><urlset><url><loc>/&x;</loc></url></urlset>",
        b"<urlset><url><loc></loc></url><url/></urlset>",
        gzip.compress(b"<urlset>" + b" " * 60_000_000 + b"<url><loc>/never</loc></url></urlset>"),
        b"\x1f\x8bbroken",
        b"<html><title>Welcome</title><a href=/link>x</a>",
        b"",
    ],
    ids=["laughs", "file", "empty", "bomb", "broken", "page", "nothing"],
)
def test_hostile_sitemaps_say_nothing(run: Run, site: Site, db: Path, body: bytes) -> None:
    """No entity is expanded, no file opened, no bomb unpacked; the pages are crawled all the same."""
    site.page("/", links=["/a"])
    pages(site, "/a")
    site.raw("/sitemap.xml", body, Content_Type="application/xml")
    report = run(sitemaps=True)
    assert states(db, site) == {"/": "done", "/a": "done"}
    assert report.failed == 0


def test_a_sitemap_of_fifty_thousand_urls(run: Run, site: Site, db: Path) -> None:
    """All that the protocol allows is taken and no more, and --max-pages still ends the crawl."""
    site.page("/")
    site.endless("/p/", lambda path: f"<title>{path}</title>page {path}")
    site.raw("/sitemap.xml", listing(*(f"/p/{number}" for number in range(MAX_ENTRIES + 5))))
    report = run(sitemaps=True, max_pages=5, threads=1)
    assert (report.pages, report.listed) == (5, MAX_ENTRIES)
    assert report.queued == 1 + MAX_ENTRIES - 5


def test_an_update_finds_what_a_sitemap_lists_anew(run: Run, site: Site, db: Path) -> None:
    """A sitemap is asked again by every update, and by its dates what has changed since."""
    site.page("/", links=["/old"])
    pages(site, "/old", "/new")
    site.raw("/sitemap.xml", listing("/old"))
    run(sitemaps=True)
    rows(db, "UPDATE urls SET due_at = '2999-01-01T00:00:00Z'")
    site.raw("/sitemap.xml", listing("/old", "/new") + b"<!-- -->")
    site.seen.clear()
    assert update(Config(db=str(db))).changes == {"new": 1, "changed": 0, "gone": 0, "same": 0}
    assert site.paths == ["/sitemap.xml", "/new"]


def test_dates_in_a_sitemap_fetch_nothing_twice(run: Run, site: Site, db: Path) -> None:
    """A date after the visit, today's or a wrong one, is no reason to visit a page a second time in one crawl."""
    site.page("/", links=["/a"])
    pages(site, "/a")
    body = b"<urlset><url><loc>/a</loc><lastmod>2999-01-01</lastmod></url></urlset>"
    site.raw("/sitemap.xml", body)
    run(sitemaps=True)
    site.seen.clear()
    gate = site.hold("/sitemap.xml")  # it answers only once the page was visited again

    def open_gate(_: Any) -> None:
        if site.requests("/a"):
            gate.set()

    update(Config(db=str(db), per_host=4), on_progress=open_gate)
    assert len(site.requests("/a")) == 1


# Feeds


def rss(*links: str) -> bytes:
    items = "".join(f"<item><title>About {link}</title><link>{link}</link></item>" for link in links)
    return f"<rss version='2.0'><channel><title>News</title>{items}</channel></rss>".encode()


def alternates(*links: str) -> str:
    return "".join(f"<link rel=alternate type=application/rss+xml href={link}>" for link in links)


def test_feeds_of_a_front_page_and_feeds_that_are_linked(run: Run, site: Site, db: Path) -> None:
    """A feed that a front page names is as near as the page; one behind a link is a hop away. Entries are links."""
    site.page("/", head=alternates("/feed"), links=["/post", "/news.atom"])
    site.page("/post", head=alternates("/post/comments"))
    pages(site, "/entry", "/far")
    site.raw("/feed", rss("/entry", "http://elsewhere.test/"), Content_Type="application/rss+xml")
    atom = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><link href='/far'/></entry></feed>"
    site.raw("/news.atom", atom, Content_Type="application/atom+xml")
    run(depth=1)
    assert indexed(db, site) == {"/", "/post", "/entry"}
    found = states(db, site)
    assert (found["/feed"], found["/news.atom"], found["/far"]) == ("done feed", "done feed", "skipped depth")
    assert found["http://elsewhere.test/"] == "skipped scope"
    assert "/post/comments" not in found
    assert why(site.url("/entry"), db=db).mentions[0].text == "About /entry"


def test_feeds_can_be_left_out(run: Run, site: Site, db: Path) -> None:
    """Without feeds, one is a document of another kind."""
    site.page("/", head=alternates("/named"), links=["/feed"])
    site.raw("/feed", rss("/entry"), Content_Type="application/rss+xml")
    run(feeds=False)
    assert states(db, site) == {"/": "done", "/feed": "skipped content-type"}


@pytest.mark.parametrize("body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<?xml version='1.0'?><!-- x --><a/>"])
def test_other_xml_is_no_page(run: Run, site: Site, db: Path, body: bytes) -> None:
    """XML that is neither a sitemap nor a feed is of another kind, as before."""
    site.page("/", links=["/x"])
    site.raw("/x", body, Content_Type="text/xml")
    run()
    assert states(db, site)["/x"] == "skipped content-type"
