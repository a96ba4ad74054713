"""What a second look at a site finds: new, changed, gone, the same; and what shows the same as something else."""

import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crawler import Config, IndexFileError, Report, diff, search, update
from crawler.store import Outcome
from crawler.store.rows import Known, _due
from tests.site import Site
from tests.test_pipeline import indexed, rows, states

Run = Callable[..., Report]
WORDS = " ".join(f"word{number}" for number in range(200))


@pytest.fixture
def again(db: Path) -> Callable[..., dict[str, int]]:
    """Updates everything, and returns what was found."""

    def start(before: str | None = "9999-01-01", **settings: Any) -> dict[str, int]:
        return update(Config(db=str(db), **settings), before=before).changes

    return start


Again = Callable[..., dict[str, int]]


def found(new: int = 0, changed: int = 0, gone: int = 0, same: int = 0) -> dict[str, int]:
    return {"new": new, "changed": changed, "gone": gone, "same": same}


def test_new_changed_gone_and_same(run: Run, again: Again, site: Site, db: Path) -> None:
    """An update tells apart what is new, changed, gone and the same, and the index follows."""
    site.page("/", links=["/stays", "/changes", "/goes"])
    site.page("/stays", "steady")
    site.page("/changes", "before")
    site.page("/goes", "farewell")
    assert run().changes == found(new=4)
    site.page("/changes", "after", links=["/comes"])
    site.page("/comes", "welcome")
    site.raw("/goes", b"no more", status=410)
    assert again() == found(new=1, changed=1, gone=1, same=2)
    assert indexed(db, site) == {"/", "/stays", "/changes", "/comes"}
    assert [search(word, db=db).total for word in ("before", "after", "farewell", "welcome")] == [0, 1, 0, 1]


def test_what_could_not_be_read_is_asked_for_whole_again(
    run: Run, again: Again, site: Site, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older page stays; by the validator of the one that was not read, it would stay for ever."""
    import crawler.reading

    site.page("/", "the older words", ETag='"one"')
    run()
    site.page("/", "the newer words", ETag='"two"')
    with monkeypatch.context() as broken:
        broken.setattr(crawler.reading, "parse", lambda *_, **__: 1 / 0)
        again()
    assert states(db, site)["/"] == "failed internal-error"
    assert search("older", db=db).total == 1
    assert again() == found(changed=1)
    assert search("newer", db=db).total == 1


@pytest.mark.parametrize(
    "validator", [{"ETag": '"one"'}, {"Last-Modified": "Mon, 01 Jun 2026 00:00:00 GMT"}], ids=["etag", "last-modified"]
)
def test_servers_are_asked_only_for_what_has_changed(
    run: Run, again: Again, site: Site, db: Path, validator: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a validator the server need not send the page again, and nothing is parsed; links, page and text stay."""
    site.page("/", "a steady text", links=["/next"], **validator)
    site.page("/next")
    run()
    before = rows(db, "SELECT source, target, text FROM links ORDER BY 1, 2")
    parsed: list[str] = []
    monkeypatch.setattr("crawler.reading.parse", lambda body, url, *_, **__: parsed.append(url))
    site.raw("/next", status=404)
    assert again() == found(gone=1, same=1)
    assert parsed == []
    assert rows(db, "SELECT status, state FROM urls ORDER BY id")[0] == (304, "done")
    assert search("steady", db=db).total == 1
    assert rows(db, "SELECT source, target, text FROM links ORDER BY 1, 2") == before


def test_a_first_crawl_sends_no_validators(run: Run, site: Site) -> None:
    """What was never stored is asked for without conditions, and so is everything in a fresh crawl."""
    site.page("/", ETag='"one"')
    run()
    run(fresh=True)
    assert not any("If-None-Match" in seen.headers for seen in site.requests("/"))


def test_bytes_that_differ_are_no_change(run: Run, again: Again, site: Site, db: Path) -> None:
    """A page has changed when its main text has, not when a comment, a script or the navigation has."""
    site.page("/", "the text", body="<nav>one</nav><script>1</script><!-- at noon -->")
    run()
    site.page("/", "the text", body='<nav>two <a href="/new">new</a></nav><script>2</script><!-- at night -->')
    assert again() == found(same=1)
    assert states(db, site) == {"/": "done", "/new": "failed http-404"}  # its links are new, though
    assert rows(db, "SELECT count(*) FROM versions") == [0]


def test_what_a_page_said_before_is_kept(run: Run, again: Again, site: Site, db: Path) -> None:
    """The text before the last change is kept, compressed; a visit that finds no change leaves it."""
    site.page("/", "first", title="T")
    run()
    site.page("/", "second", title="T")
    again()
    again()
    assert [zlib.decompress(text).decode() for text in rows(db, "SELECT text FROM versions")] == ["T\nfirst"]
    site.page("/", "third", title="T")
    again()
    assert [zlib.decompress(text).decode() for text in rows(db, "SELECT text FROM versions")] == ["T\nsecond"]
    assert rows(db, "SELECT visits, changes FROM urls") == [(4, 2)]


def test_what_a_duplicate_showed_before_is_its_own(run: Run, again: Again, site: Site, db: Path) -> None:
    """Of two URLs that showed the same, the one that changed has an earlier text, and the other has none."""
    site.page("/", links=["/a", "/copy"])
    for path in ("/a", "/copy"):
        site.page(path, "all the same", title="Twin")
    run()
    site.page("/a", "on its own now", title="Twin")
    assert again() == found(changed=1, same=2)
    assert any("+on its own now" in line for line in diff(site.url("/a"), db=db).lines)
    assert diff(site.url("/copy"), db=db).before_at is None
    site.page("/copy", "another way", title="Twin")
    assert again() == found(changed=1, same=2)
    assert any("+another way" in line for line in diff(site.url("/copy"), db=db).lines)
    assert rows(db, "SELECT changes FROM urls ORDER BY id") == [0, 1, 1]


def test_a_text_is_as_old_as_its_last_change(run: Run, again: Again, site: Site, db: Path) -> None:
    """When only the bytes differ, the time of the last change of the text stands."""
    site.page("/", "the text", body="<nav>one</nav>")
    run()
    rows(db, "UPDATE pages SET changed_at = '2026-01-01T00:00:00Z'")
    site.page("/", "the text", body="<nav>two</nav>")
    again()
    assert rows(db, "SELECT changed_at FROM pages") == ["2026-01-01T00:00:00Z"]


def test_gone_pages_stay_known_as_gone_and_may_come_back(run: Run, again: Again, site: Site, db: Path) -> None:
    """A page that is gone is remembered as gone, from when on, however often it is asked for, and may return."""
    site.page("/", links=["/a", "/never"])
    site.page("/a")
    run()
    site.raw("/a", status=404)
    again()
    since = rows(db, "SELECT detail FROM urls WHERE url LIKE '%/a'")
    again()
    assert states(db, site) == {"/": "done", "/a": "gone http-404", "/never": "failed http-404"}
    assert rows(db, "SELECT detail FROM urls WHERE url LIKE '%/a'") == since
    assert since[0].startswith("gone since 20")
    site.page("/a")
    assert again()["new"] == 1
    assert states(db, site)["/a"] == "done"


def test_a_failure_that_may_pass_loses_nothing(run: Run, again: Again, site: Site, db: Path) -> None:
    """A page whose server fails for now stays in the index, with its links, and is asked again the next time."""
    site.page("/", "still here", links=["/a"])
    site.page("/a")
    run()
    site.raw("/", status=503)
    assert again(retries=0) == found(same=1)
    assert search("still here", db=db).total == 1
    assert rows(db, "SELECT count(*) FROM links") == [1]
    site.page("/", "still here", links=["/a"])
    assert again(before=None)["same"] >= 1
    assert states(db, site) == {"/": "done", "/a": "done"}


def test_a_page_that_moved_is_found_where_it_is(run: Run, again: Again, site: Site, db: Path) -> None:
    """A page that redirects now leaves the index, and its target takes its place."""
    site.page("/", links=["/old"])
    site.page("/old", "the treasure")
    run()
    site.redirect("/old", to="/new")
    site.page("/new", "the treasure")
    assert again() == found(new=1, gone=1, same=1)
    assert [hit.url for hit in search("treasure", db=db).results] == [site.url("/new")]


def test_a_page_that_asks_not_to_be_indexed_any_more_leaves_the_index(
    run: Run, again: Again, site: Site, db: Path
) -> None:
    """noindex that appears later takes the page out; when it goes, the page comes back."""
    site.page("/")
    run()
    site.page("/", head="<meta name=robots content=noindex>")
    assert again() == found(gone=1)
    assert indexed(db, site) == set()
    site.page("/")
    assert again() == found(new=1)


def test_a_killed_update_goes_on(run: Run, again: Again, site: Site, db: Path) -> None:
    """An update that was interrupted goes on with what is left; what it has seen already is not asked for again."""
    site.page("/", links=[f"/{number}" for number in range(20)])
    for number in range(20):
        site.page(f"/{number}")
    run(sitemaps=True)
    site.seen.clear()
    assert again(max_pages=5, threads=1) == found(same=5)
    assert again(threads=1) == found(same=16)
    assert len(site.paths) == len(set(site.paths)) == 21 + 1  # the sitemap


def test_an_update_needs_an_index(db: Path) -> None:
    """Without an index, an update says so and makes none."""
    with pytest.raises(IndexFileError, match="nothing to update"):
        update(Config(db=str(db)))
    assert not db.exists()


# When to look again

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "verdict", "wait"),
    [
        (timedelta(days=2), "same", timedelta(days=3)),
        (timedelta(days=2), "changed", timedelta(days=1)),
        (timedelta(days=80), "same", timedelta(days=60)),
        (timedelta(days=-1), "same", timedelta(0)),
        (None, "new", timedelta(0)),
    ],
    ids=["later", "sooner", "sixty days at most", "a clock that was set back", "the first time"],
)
def test_when_a_page_is_due(since: timedelta | None, verdict: str, wait: timedelta) -> None:
    """In proportion to the time since the last look: later if nothing had changed, sooner if something had."""
    outcome = Outcome(id=1, url="http://h.test/", state="done", status=200, fetched_at=written(NOON))
    before = Known(fetched_at=written(NOON - since) if since is not None else None)
    assert _due(outcome, before, verdict) == written(NOON + wait)


def written(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_only_what_is_due_is_asked_for(run: Run, again: Again, site: Site, db: Path) -> None:
    """A page that was just found unchanged is not asked for again before it is due."""
    site.page("/", links=["/a"])
    site.page("/a")
    run(sitemaps=True)
    rows(db, "UPDATE urls SET fetched_at = '2026-01-01T00:00:00Z', due_at = '2026-01-01T00:00:00Z'")
    assert again(before=None) == found(same=2)
    site.seen.clear()
    assert again(before=None) == found()
    assert site.paths == ["/sitemap.xml"]


# What shows the same


def test_identical_pages_are_stored_once(run: Run, site: Site, db: Path) -> None:
    """Of URLs that send the very same bytes, the one that a person would name holds the page; the others name it."""
    site.page("/", links=["/a/long/name", "/b", "/c"])
    for path in ("/a/long/name", "/b", "/c"):
        site.page(path, "all the same", title="Twin")
    report = run()
    assert (report.pages, report.duplicates) == (2, 2)
    assert states(db, site) == {"/": "done", "/a/long/name": "done duplicate", "/b": "done", "/c": "done duplicate"}
    hits = search("twin", db=db).results
    assert [(hit.url, hit.similar) for hit in hits] == [(site.url("/b"), 2)]
    assert rows(db, "SELECT count(*) FROM sections WHERE heading = 'Twin'") == [1]


def test_what_links_call_an_alias_finds_the_page(run: Run, site: Site, db: Path) -> None:
    """The text of a link to a URL that shows the same as another counts for the page that stands for both."""
    site.page("/", links=["/a"], body='<a href="/other/name#part">the zebra handbook</a>')
    for path in ("/a", "/other/name"):
        site.page(path, "all the same", title="Twin", body="<h2 id=part>A part</h2>")
    run()
    assert site.url("/a#part") in [hit.href for hit in search("zebra", db=db).results]


def test_an_alias_inherits_the_page(run: Run, again: Again, site: Site, db: Path) -> None:
    """When the URL that holds a page changes or goes, one of those that show the same takes the page over."""
    site.page("/", links=["/a", "/bb", "/cc"])
    for path in ("/a", "/bb", "/cc"):
        site.page(path, "all the same", title="Twin", ETag='"twin"')
    run()
    site.raw("/a", status=404)
    again()
    assert {hit.url for hit in search("twin", db=db).results} == {site.url("/bb")}
    assert states(db, site) == {"/": "done", "/a": "gone http-404", "/bb": "done", "/cc": "done duplicate"}
    site.page("/bb", "something else", title="Other")
    again()
    assert {hit.url for hit in search("twin", db=db).results} == {site.url("/cc")}
    assert states(db, site)["/cc"] == "done"
    assert [search("something else", db=db).total, rows(db, "SELECT count(*) FROM pages")] == [1, [3]]


def test_an_alias_that_changes_gets_a_page_of_its_own(run: Run, again: Again, site: Site, db: Path) -> None:
    """A URL that showed the same and does not any more is indexed for itself."""
    site.page("/", links=["/a", "/b"])
    for path in ("/a", "/b"):
        site.page(path, "all the same", title="Twin")
    run()
    site.page("/b", "its own now", title="Twin")
    again()
    assert states(db, site)["/b"] == "done"
    assert search("its own now", db=db).results[0].url == site.url("/b")


def test_a_fresh_crawl_that_reaches_only_an_alias_keeps_the_page(run: Run, site: Site, db: Path) -> None:
    """A page whose URL is not linked any more lives on under the one that shows the same."""
    site.page("/", links=["/a", "/bb"])
    for path in ("/a", "/bb"):
        site.page(path, "all the same", title="Twin")
    run()
    site.page("/", links=["/bb"])
    run(fresh=True)
    assert indexed(db, site) == {"/", "/bb"}
    assert search("twin", db=db).results[0].url == site.url("/bb")


def test_pages_that_are_alike_are_shown_as_one_hit(run: Run, site: Site, db: Path) -> None:
    """Near-duplicates stay searchable; a search shows one of them and says how many are like it."""
    site.page("/", links=["/a", "/print/a", "/other"])
    site.page("/a", f"{WORDS} visited 1 times", title="Article")
    site.page("/print/a", f"{WORDS} visited 2 times", title="Article")
    site.page("/other", " ".join(reversed([f"term{number}" for number in range(200)])), title="Article of another kind")
    run()
    hits = search("article", db=db).results
    assert [(hit.url, hit.similar) for hit in hits] == [(site.url("/a"), 1), (site.url("/other"), 0)]
    assert search("word7", db=db).results[0].url == site.url("/a")


def test_pages_of_one_mould_are_not_alike(run: Run, site: Site, db: Path) -> None:
    """Pages that share five sixths of their words, as those of one template may, are hits of their own."""
    mould = WORDS.split()[:170]
    site.page("/", links=[f"/{number}" for number in range(12)])
    for number in range(12):
        own = [f"own{number}x{word}" for word in range(16)]
        site.page(f"/{number}", " ".join([*mould, *own]), title="Mould")
    run()
    hits = search("mould", limit=50, db=db).results
    assert len(hits) == 12
    assert {hit.similar for hit in hits} == {0}


def test_the_canonical_page_stands_for_those_like_it(run: Run, site: Site, db: Path) -> None:
    """Of pages that are alike, one that names another as the original does not stand for them; it is found by it."""
    site.page("/", links=["/x"])
    site.page("/x", f"{WORDS} one", title="Article", head='<link rel=canonical href="/the/original">')
    site.page("/the/original", f"{WORDS} two", title="Article")
    run()
    assert [hit.url for hit in search("article", db=db).results] == [site.url("/the/original")]


def test_a_canonical_page_elsewhere_or_unlike_changes_nothing(run: Run, site: Site, db: Path) -> None:
    """A canonical URL at another origin is not followed, and one that shows something else hides nothing."""
    site.page("/", links=["/x", "/y"])
    site.page("/x", f"{WORDS} one", title="Article", head='<link rel=canonical href="http://elsewhere.test/">')
    site.page("/y", "a text of its own", title="Article", head='<link rel=canonical href="/">')
    run()
    assert {hit.url for hit in search("article", db=db).results} == {site.url("/x"), site.url("/y")}
    assert rows(db, "SELECT count(*) FROM urls WHERE url LIKE '%elsewhere%'") == [0]


def test_a_group_that_loses_its_page_is_made_anew(run: Run, again: Again, site: Site, db: Path) -> None:
    """When the page that stands for others goes, one of the others stands for them."""
    site.page("/", links=["/a", "/bb", "/ccc"])
    for number, path in enumerate(("/a", "/bb", "/ccc")):
        site.page(path, f"{WORDS} visited {number} times", title="Article")
    run()
    site.raw("/a", status=404)
    again()
    assert [(hit.url, hit.similar) for hit in search("article", db=db).results] == [(site.url("/bb"), 1)]


# What sitemaps say


def sitemap(site: Site, path: str, **changed: str) -> None:
    rows = "".join(
        f"<url><loc>{site.url('/' + page)}</loc><lastmod>{at}</lastmod></url>" for page, at in changed.items()
    )
    site.raw(path, f"<urlset>{rows}</urlset>".encode(), Content_Type="application/xml")


def not_due(db: Path) -> None:
    """All pages were visited a while ago, and are due in a far future."""
    rows(db, "UPDATE urls SET fetched_at = '2026-01-01T00:00:00Z', due_at = '2999-01-01T00:00:00Z'")


def test_what_a_sitemap_says_has_changed_is_due(run: Run, again: Again, site: Site, db: Path) -> None:
    """A page that changed after the last visit, by the sitemap, is due before its time; the others are not."""
    site.page("/", links=["/old", "/fresh"])
    site.page("/old")
    site.page("/fresh")
    run(sitemaps=True)
    not_due(db)
    sitemap(site, "/sitemap.xml", old="2025-12-31", fresh="2026-01-02")
    site.page("/fresh", "news")
    site.seen.clear()
    assert again(before=None) == found(changed=1)
    assert site.paths == ["/sitemap.xml", "/fresh"]


def test_sitemaps_that_robots_names_are_read(run: Run, again: Again, site: Site, db: Path) -> None:
    """The sitemaps are those that robots.txt names, and those that they name, unless robots.txt refuses them."""
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    run(sitemaps=True)
    not_due(db)
    elsewhere = site.url("/elsewhere.xml").replace("127.0.0.1", "localhost")
    named = ("/index.xml", site.url("/secret.xml"), elsewhere, "http://[", "mailto:x")
    site.robots("User-agent: *\nDisallow: /secret\n" + "".join(f"Sitemap: {one}\n" for one in named))
    index = "".join(f"<sitemap><loc>{path}</loc></sitemap>" for path in ("/one.xml", "/index.xml", "/missing.xml"))
    site.raw("/index.xml", f"<sitemapindex>{index}</sitemapindex>".encode())
    sitemap(site, "/one.xml", a="2026-02-01")
    sitemap(site, "/secret.xml", b="2026-02-01")
    with closing(sqlite3.connect(db)) as connection, connection:  # the copy of a robots.txt is good for a day
        connection.execute("UPDATE hosts SET robots_at = '2026-01-01T00:00:00Z'")
    site.seen.clear()
    assert again(before=None) == found(same=1)
    assert sorted(site.paths) == ["/a", "/index.xml", "/missing.xml", "/one.xml"]


def test_a_sitemap_that_cannot_be_had_says_nothing(run: Run, again: Again, site: Site, db: Path) -> None:
    """A server error in place of a sitemap, or a page that is none, is no reason to visit anything, nor to fail."""
    site.page("/")
    run()
    not_due(db)
    for status, body in ((500, b""), (200, b"<html><body>welcome"), (301, b"")):
        site.raw("/sitemap.xml", body, status=status)
        assert again(before=None) == found()


def test_the_number_of_pages_of_an_update_can_be_limited(run: Run, again: Again, site: Site) -> None:
    """--max-pages counts pages that have not changed, too."""
    site.page("/", links=["/a", "/b", "/c"], ETag='"x"')
    for path in ("/a", "/b", "/c"):
        site.page(path, ETag='"x"')
    run()
    assert again(max_pages=2, threads=1) == found(same=2)
    assert again() == found(same=2)


def test_an_alias_that_fails_while_its_page_moves_points_to_the_right_one(
    run: Run, again: Again, site: Site, db: Path
) -> None:
    """In one batch the page of a group changes and the alias's server fails: nothing points to a page that is gone."""
    site.page("/", links=["/a", "/bb", "/ccc"])
    for path in ("/a", "/bb", "/ccc"):
        site.page(path, "all the same", title="Twin")
    run()
    site.raw("/a", status=404)
    site.raw("/bb", status=503)
    site.raw("/ccc", status=503)
    again(retries=0)
    held = rows(db, "SELECT url FROM pages WHERE title = 'Twin'")
    assert len(held) == 1
    assert rows(db, "SELECT count(*) FROM urls WHERE same_as NOT IN (SELECT id FROM pages)") == [0]
    assert search("twin", db=db).total == 1


def test_an_update_keeps_the_pages_of_every_seed_of_the_file(run: Run, again: Again, site: Site, db: Path) -> None:
    """Two sites of this machine share a file: an update by the seeds of the last crawl loses no page of the other."""
    other = Site()
    other.page("/", links=["/b"])
    other.page("/b")
    site.page("/", links=["/a"])
    site.page("/a")
    run(seeds=(other.url(),))
    run()
    assert again() == found(same=4)
    other.close()


def test_a_page_at_an_address_that_may_not_be_reached_stays(run: Run, again: Again, site: Site, db: Path) -> None:
    """That a page cannot be asked for, by a rule, says nothing of what it showed."""
    other = Site()
    other.page("/", "zebra")
    site.page("/", links=[other.url()])
    run(scope="any", allow_private=True)
    assert again() == found(same=1)
    assert search("zebra", db=db).total == 1
    other.close()


def test_an_update_drops_what_the_crawl_dropped(run: Run, again: Again, site: Site, db: Path) -> None:
    """Which URLs there are is decided as the crawl decided it: tracking is dropped, sitemaps are left alone."""
    site.page("/", links=["/a?utm_source=x"])
    site.page("/a")
    sitemap(site, "/sitemap.xml", listed="2026-01-02")
    run(drop_tracking=True)
    assert again() == found(same=2)
    assert "/sitemap.xml" not in site.paths
