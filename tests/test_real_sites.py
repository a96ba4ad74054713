"""Real documentation, as Debian packages it, crawled whole and held against an independent judge, page for page."""

import re
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from crawler import Config, crawl, search
from crawler.page import parse
from tests.oracle import Walk, fetch

# Where BeautifulSoup's html.parser is not what a browser is: text after </html>, an entity without its semicolon.
NOT_AS_A_BROWSER = {"consortium.html", "prosupport.html", "floatingpoint.html"}


INDEXED = """
SELECT url, title FROM pages
UNION ALL SELECT alias.url, title FROM urls AS alias JOIN pages ON pages.id = alias.same_as
"""


def pages(db: Path) -> dict[str, str]:
    """Titles by URL; a URL that shows the very same as another has the page of that one."""
    with sqlite3.connect(db) as connection:
        found = dict(connection.execute(INDEXED).fetchall())
    connection.close()
    return found


def own_pages(db: Path) -> dict[str, str]:
    with sqlite3.connect(db) as connection:
        found = dict(connection.execute("SELECT url, title FROM pages").fetchall())
    connection.close()
    return found


@pytest.mark.parametrize("depth", range(5))
def test_every_depth_reaches_what_the_judge_reaches(walk: Walk, tmp_path: Path, depth: int) -> None:
    """The set of indexed pages equals an independent breadth-first walk, page for page."""
    db = tmp_path / "crawl.db"
    crawl(Config(seeds=(walk.seed,), depth=depth, db=str(db)))
    assert set(pages(db)) == walk.pages(depth)


def test_the_whole_site_is_indexed_under_its_titles(walk: Walk, whole: Path) -> None:
    """Every page that there is, with the title that the judge reads."""
    expected = {url: walk.found[url].title for url in walk.pages(50)}
    assert len(expected) > 500
    found = pages(whole)
    assert set(found) == set(expected)
    assert {url: title for url, title in found.items() if expected[url]} == {
        url: title for url, title in expected.items() if title
    }


def test_every_page_is_found_by_its_own_title(walk: Walk, whole: Path) -> None:
    """A search for a page's title finds that page: first, or among those that share its words."""
    titles = own_pages(whole)
    firsts = 0
    for url, title in titles.items():
        hits = search(title, db=whole, limit=100).results
        assert url in [hit.url for hit in hits if hit.title == title] or _has_no_word(title), (url, title)
        firsts += bool(hits) and hits[0].title == title
    assert firsts > 0.9 * len(titles)


def _has_no_word(title: str) -> bool:
    return not re.search(r"\w", title)


def test_parsing_agrees_with_the_judge_on_every_page(walk: Walk) -> None:
    """Title, links and the words before cleaning are those that BeautifulSoup reads, on every page of the site."""
    wrong = []
    for url in sorted(walk.pages(50)):
        judged = walk.found[url]
        page = parse(fetch(url)[2], url, clean=False)
        if judged.title and page.title != judged.title:
            wrong.append(f"{url}: title {page.title!r}, judged {judged.title!r}")
        links = {link.url for link in page.links}
        if links - {url} != set(judged.links) - {url}:
            wrong.append(f"{url}: links differ by {sorted(links ^ set(judged.links))[:3]}")
        words = Counter(re.findall(r"\w+", page.text))
        assert judged.words is not None
        if words != judged.words and url.rpartition("/")[2] not in NOT_AS_A_BROWSER:
            more, less = words - judged.words, judged.words - words
            wrong.append(f"{url}: words more {more.most_common(4)}, less {less.most_common(4)}")
    assert wrong == []
