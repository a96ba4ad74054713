"""Why a URL is where it is: every verdict on a really crawled site."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler import IndexFileError, Report, UsageError, reasons, why
from crawler.views import story as shown
from tests.site import Site

Run = Callable[..., Report]
README = (Path(__file__).parent.parent / "README.md").read_text()


@pytest.fixture
def crawled(site: Site, run: Run) -> Site:
    """A site with something of everything."""
    site.robots("User-agent: other\nDisallow: /\n\nUser-agent: *\nAllow: /private/open\nDisallow: /private\n")
    paths = ["/a", "/private/x", "/private/open", "/old/x", "/missing", "/r", "/image", "/noindex", "/empty", "/copy"]
    site.page("/", links=[*paths, "http://other.invalid/"], body="<a rel=nofollow href=/nofollow>No</a>")
    site.page("/a", title="A", links=["/b"], head="<link rel=canonical href=/canonical>")
    site.page("/b", links=["/c"])
    site.page("/c", links=["/d"])
    site.page("/private/open")
    site.redirect("/r", "/r2")
    site.redirect("/r2", "/a")
    site.raw("/image", b"\x89PNG", Content_Type="image/png")
    site.page("/noindex", head="<meta name=robots content=noindex>")
    site.raw("/empty", b" ", Content_Type="text/html")
    site.page("/copy", title="A", text="This is /a.", links=["/b"])
    site.raw("/copy", site._replies["/a"][0].body, Content_Type="text/html; charset=utf-8")
    run(depth=2, exclude=("/old/*",))
    return site


@pytest.mark.parametrize(
    ("path", "state", "reason", "verdict", "advice"),
    [
        ("/", "done", "", "in the index", ""),
        ("/c", "skipped", "depth", "too deep", "--depth 3"),
        ("/private/x", "skipped", "robots", "robots.txt refuses it", "ask who runs the site"),
        ("/old/x", "skipped", "exclude", "matches an --exclude", "--exclude"),
        ("/missing", "failed", "http-404", "it does not exist", ""),
        ("/r", "done", "redirect", "it leads elsewhere", "/r2"),
        ("/image", "skipped", "content-type", "neither HTML nor plain text", ""),
        ("/noindex", "skipped", "noindex", "asks not to be indexed", ""),
        ("/empty", "skipped", "empty", "holds no text", "script"),
        ("/nofollow", "skipped", "nofollow", "say nofollow", "--seed"),
        ("http://other.invalid/", "skipped", "scope", "outside the scope", "--scope domain"),
    ],
)
def test_every_verdict(crawled: Site, db: Path, path: str, state: str, reason: str, verdict: str, advice: str) -> None:
    """State, reason, the reason in words and what to do."""
    story = why(path if "://" in path else crawled.url(path), db=db)
    assert (story.state, story.reason) == (state, reason)
    assert verdict in story.verdict
    assert advice in story.advice
    assert (story.page is not None) is (reason == "")
    assert json.loads(json.dumps(story.as_dict()))["state"] == state
    assert verdict in shown(story)


def test_the_path_from_the_seed_and_the_links(crawled: Site, db: Path) -> None:
    """How it was found, and who links to it by which words."""
    story = why(crawled.url("/c"), db=db)
    assert story.depth == 3
    assert story.path == tuple(map(crawled.url, ("/", "/a", "/b", "/c")))
    assert [(m.url, m.text, m.nofollow) for m in story.mentions] == [(crawled.url("/b"), "/c", False)]
    assert why(crawled.url("/nofollow"), db=db).mentions[0].nofollow
    assert why(crawled.url("/"), db=db).path == (crawled.url("/"),)


def test_redirects_in_both_directions(crawled: Site, db: Path) -> None:
    """Where it leads to in the end, and what leads to it."""
    assert why(crawled.url("/r"), db=db).redirects_to == (crawled.url("/r2"), crawled.url("/a"))
    story = why(crawled.url("/a"), db=db)
    assert story.redirected_from == (crawled.url("/r2"),)
    assert story.mentioned_on == 1


def test_the_page(crawled: Site, db: Path) -> None:
    """What stands in the index, and how the answer came."""
    story = why(crawled.url("/a#part"), db=db)
    assert story.page is not None
    assert story.answer is not None
    assert (story.page.title, story.page.sections, story.page.lang) == ("A", 1, "en")
    assert story.page.canonical == crawled.url("/canonical")
    assert (story.answer.status, story.answer.attempts, story.answer.visits) == (200, 1, 1)
    assert story.answer.size > 100


def test_a_duplicate_names_the_page_that_stands_for_it(crawled: Site, db: Path) -> None:
    """One of two URLs with the very same body has the page."""
    stories = [why(crawled.url(path), db=db) for path in ("/a", "/copy")]
    (alias,) = [story for story in stories if story.same_as]
    assert alias.reason == "duplicate"
    assert alias.same_as in {story.url for story in stories} - {alias.url}
    assert f"crawl why {alias.same_as}" in alias.advice


@pytest.mark.parametrize(
    ("path", "inside", "rule"),
    [
        ("/", True, "it is a seed"),
        ("/a", True, "host: the same host as seed http"),
        ("/old/x", False, "exclude: /old/*"),
        ("http://other.invalid/", False, "host: on no seed's host"),
    ],
)
def test_the_rule_of_the_scope(crawled: Site, db: Path, path: str, inside: bool, rule: str) -> None:
    """Which rule of the last crawl decides."""
    story = why(path if "://" in path else crawled.url(path), db=db)
    assert story.scope.allowed is inside
    assert story.scope.rule.startswith(rule)


@pytest.mark.parametrize(
    ("scope", "include", "path", "inside", "rule"),
    [
        ("any", (), "http://x.test/", True, "any: everything belongs to it"),
        ("prefix", (), "/docs/x", True, "prefix: in the folder of seed"),
        ("prefix", (), "/other", False, "prefix: in no seed's folder"),
        ("domain", (), "http://x.test/", False, "domain: in no seed's domain"),
        ("host", ("/docs/*", "*.pdf"), "/x.pdf", True, "include: *.pdf"),
        ("host", ("/docs/*", "*.pdf"), "/x", False, "include: matches none of /docs/*, *.pdf"),
    ],
)
def test_other_scopes(
    site: Site, run: Run, db: Path, scope: str, include: tuple[str, ...], path: str, inside: bool, rule: str
) -> None:
    """Every kind of scope says by what it decides, also of URLs never seen."""
    site.page("/docs/")
    run("/docs/", scope=scope, include=include)
    story = why(path if "://" in path else site.url(path), db=db)
    assert not story.seen
    assert story.scope.allowed is inside
    assert rule in story.scope.rule


def test_the_line_of_robots_txt(crawled: Site, db: Path) -> None:
    """Which line decides, for whoever we are."""
    assert why(crawled.url("/private/x"), db=db).robots.rule.startswith("line 6: Disallow: /private (as of ")
    assert why(crawled.url("/private/open"), db=db).robots.rule.startswith("line 5: Allow: /private/open")
    assert why(crawled.url("/a"), db=db).robots.rule.startswith("no line matches")
    other = why(crawled.url("/a"), db=db, agent="other/1.0").robots
    assert (other.allowed, other.rule[:21]) == (False, "line 2: Disallow: / (")
    assert why("http://other.invalid/", db=db).robots.allowed is None


@pytest.mark.parametrize(("status", "allowed", "rule"), [(404, True, "there is none (HTTP 404)"), (503, False, "503")])
def test_robots_txt_without_rules(site: Site, run: Run, db: Path, status: int, allowed: bool, rule: str) -> None:
    """A missing robots.txt allows, a failing one refuses."""
    site.robots("User-agent: *\nDisallow: /\n", status)
    site.page("/")
    run(retries=0)
    ruling = why(site.url("/never"), db=db).robots
    assert ruling.allowed is allowed
    assert rule in ruling.rule


def test_a_url_that_was_never_seen(crawled: Site, db: Path) -> None:
    """No page links to it; scope and robots.txt say what would become of it, and a near URL is offered."""
    story = why(crawled.url("/private/never"), db=db)
    assert (story.seen, story.state, story.answer, story.page) == (False, "", None, None)
    assert "no page links to it" in story.verdict
    assert story.robots.allowed is False
    assert story.advice == reasons.advice("skipped", "robots")  # it would be refused as a seed, too
    assert why(crawled.url("/never"), db=db).advice == f"give it as a seed: --seed {crawled.url('/never')}"
    assert why(crawled.url("/a/"), db=db).advice == f"did you mean {crawled.url('/a')} ?"


def test_what_waits_and_a_visit_that_failed(site: Site, run: Run, db: Path) -> None:
    """A queued URL waits for the same command; a failed visit keeps the page of the one before."""
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    run(max_pages=1)
    story = why(site.url("/b"), db=db)
    assert (story.state, story.verdict) == ("queued", "waits to be fetched")
    assert "run the same command again" in story.advice
    run()
    site.raw("/a", status=503)
    run(fresh=True, retries=0)
    story = why(site.url("/a"), db=db)
    assert story.verdict == "its server answered 503, an error of its own; what was fetched before stays in the index"
    assert story.page is not None


def test_a_loop_in_the_file_ends(crawled: Site, db: Path) -> None:
    """Who found whom, and what leads where, may be nonsense in a file from elsewhere."""
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("UPDATE urls SET found_on = id WHERE url LIKE '%/b'")
        connection.execute("UPDATE urls SET redirect_to = ? WHERE url LIKE '%/r2'", (crawled.url("/r"),))
        connection.execute("UPDATE urls SET redirect_to = url WHERE url LIKE '%/a'")
        connection.commit()
    assert why(crawled.url("/c"), db=db).path == (crawled.url("/b"), crawled.url("/c"))
    assert why(crawled.url("/r"), db=db).redirects_to == (crawled.url("/r2"),)
    assert why(crawled.url("/a"), db=db).redirects_to == ()


@pytest.mark.parametrize(("url", "hint"), [("example.org/x", "did you mean https://example.org/x ?"), ("", "scheme"),
                                           ("mailto:a@b", "scheme"), ("http://", "scheme")])  # fmt: skip
def test_what_is_no_url(crawled: Site, db: Path, url: str, hint: str) -> None:
    """Bad input is one line with a hint."""
    with pytest.raises(UsageError) as refused:
        why(url, db=db)
    assert hint in refused.value.hint


def test_no_index(db: Path) -> None:
    """Without an index there is no story."""
    with pytest.raises(IndexFileError):
        why("http://h/", db=db)
    assert list(db.parent.iterdir()) == []


def test_every_documented_reason_has_words() -> None:
    """What stands in the README is explained here too."""
    table = README.split("Why a URL is not in the index")[1].split("## How")[0]
    for reason in re.findall(r"`([a-z0-9-]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", table, re.M))):
        assert reasons.in_words("skipped", reason) != reason, reason
    assert reasons.in_words("failed", "http-418") == "its server answered 418"
    assert reasons.in_words("skipped", "brand-new") == "brand-new"


def test_a_url_that_links_lose_something_of_is_known_without_it(site: Site, run: Run, db: Path) -> None:
    """What tracks visitors was dropped from the links: who asks by the URL of a link is told where it is."""
    site.page("/", links=["/a?utm_source=x"])
    site.page("/a")
    run(drop_tracking=True)
    told = why(site.url("/a?utm_source=x"), db=db)
    assert told.verdict == "known without what tracks visitors, which links lose"
    assert told.advice == f"crawl why {site.url('/a')}"
