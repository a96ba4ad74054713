"""How well do searches find what a site's own authors put into its index? By hand.

Manuals have an alphabetical index: entries, and the pages, mostly the very places, that they stand for. Serves a manual
on loopback, crawls it without the pages of its index, searches for a sample of the entries, and prints a row for each
manual that is installed: `crawl eval` says what the columns mean. A sample is the same at every run.

    apt-get install python3.11-doc sqlite3-doc postgresql-doc-15 python-django-doc octave-doc apache2-doc
    python tests/benchmarks/known_items.py
    python tests/benchmarks/known_items.py sqlite --keep /tmp/known
    crawl eval /tmp/known/sqlite.jsonl --db /tmp/known/sqlite.db --misses

`--paths` writes the samples only, with paths in place of URLs: those in tests/data. Exit code 1: no manual is there.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import fmean
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

from bs4 import BeautifulSoup, NavigableString, Tag

from crawler import Config, Evaluation, crawl, evaluate, read_items
from crawler.ranking import Ranking

Entry = tuple[str, list[str]]  # what stands in the index, and the links after it
DOCUMENTATION = Path("/usr/share/doc")
# Indexes, lists of modules and the like, of all of the manuals: they would give the answers away.
INDEXES = (
    "*/genindex*", "*modindex*", "*/keyword_index*", "*/bookindex*", "*/sitemap*", "*/doclist*", "*/contents.html",
    "*/*-Index.html", "*/search.html", "*/docs/index.html", "*/mod/directives.html", "*/mod/quickreference.html",
)  # fmt: skip


def sphinx(page: BeautifulSoup) -> Iterator[Entry]:
    """`abs()`, or within one: `(in module operator)`."""
    for item in page.select("table.indextable li"):
        above = item.parent.parent if item.parent else None
        name = own_name(item)
        if above is not None and above.name == "li":
            of = own_name(above)
            name = f"{re.sub(r' *[(][^()]*[)]$', '', of) if name.startswith('(') else of} {name}"
        yield name, [str(link["href"]) for link in item.find_all("a", recursive=False)]


def own_name(item: Tag) -> str:
    link = item.find("a", recursive=False)
    return link.get_text() if link else own_text(item)


def own_text(item: Tag) -> str:
    return " ".join("".join(part for part in item.children if isinstance(part, NavigableString)).split())


def docbook(page: BeautifulSoup) -> Iterator[Entry]:
    """`name, <a>where</a>, <a>where else</a>`, and such lists within an entry."""
    for item in page.select("div.index dt"):
        name = first_text(item)
        within = item.find_parent("dd")
        above = within.find_previous_sibling("dt") if within else None
        links = [str(link["href"]) for link in item.select("a.indexterm")]
        yield f"{first_text(above)} {name}" if isinstance(above, Tag) else name, links


def first_text(item: Tag) -> str:
    return str(next(item.children, "")).strip().rstrip(",").strip()


def texinfo(page: BeautifulSoup) -> Iterator[Entry]:
    return links_of(page, "table a[href*='#index-']")


def sqlite(page: BeautifulSoup) -> Iterator[Entry]:
    return links_of(page, "ul.lessindent li a[href]")


def apache(page: BeautifulSoup) -> Iterator[Entry]:
    return links_of(page, "#directive-list li a[href]")


def links_of(page: BeautifulSoup, selector: str) -> Iterator[Entry]:
    return ((link.get_text().strip().rstrip(":"), [str(link["href"])]) for link in page.select(selector))


class Manual(NamedTuple):
    folder: str
    """Below /usr/share/doc."""
    indexes: str
    """Its index pages, a glob."""
    entries: Callable[[BeautifulSoup], Iterator[Entry]]
    seed: str = ""

    @property
    def root(self) -> Path:
        return DOCUMENTATION / self.folder


MANUALS = {
    "python": Manual("python3.11/html", "genindex-[!a]*.html", sphinx),
    "sqlite": Manual("sqlite3", "keyword_index.html", sqlite),
    "postgres": Manual("postgresql-doc-15/html", "bookindex.html", docbook),
    "django": Manual("python-django-doc/html", "genindex.html", sphinx),
    "octave": Manual("octave/octave.html", "[CF]*-Index.html", texinfo),
    "apache": Manual("apache2-doc/manual", "en/mod/directives.html", apache, seed="en/"),
}


def sample(manual: Manual, size: int) -> list[tuple[str, list[str]]]:
    """Entries of the index, by chance but always the same, and the paths with fragments that they point to."""
    found: dict[str, dict[str, None]] = {}
    for index in sorted(manual.root.glob(manual.indexes)):
        base = index.relative_to(manual.root).as_posix()
        for name, links in manual.entries(BeautifulSoup(index.read_bytes(), "html.parser")):
            paths = [urljoin(base, link) for link in links]
            if any(char.isalnum() for char in name):
                found.setdefault(" ".join(name.split()), {}).update({p: None for p in paths if is_page(manual, p)})
    entries = [(query, list(paths)) for query, paths in found.items() if paths]
    random.Random(7).shuffle(entries)
    return entries[:size]


def is_page(manual: Manual, path: str) -> bool:
    """Whether it is a page of the manual's text."""
    page = urldefrag(path).url
    return (manual.root / page).is_file() and not any(fnmatch(f"/{page}", glob) for glob in INDEXES)


def write(entries: list[tuple[str, list[str]]], base: str, path: Path) -> None:
    lines = [json.dumps({"query": query, "urls": [base + one for one in paths]}) for query, paths in entries]
    path.write_text("\n".join(lines) + "\n")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder on loopback, at a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *args: Quiet(*args, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def measure(name: str, size: int, folder: Path, ranking: Ranking) -> Evaluation:
    """Crawls a manual into `folder/NAME.db`, and searches there for what it writes into `folder/NAME.jsonl`."""
    manual, db, items = MANUALS[name], folder / f"{name}.db", folder / f"{name}.jsonl"
    db.unlink(missing_ok=True)
    with served(manual.root) as base:
        crawl(Config(seeds=(base + manual.seed,), depth=50, scope="prefix", exclude=INDEXES, db=str(db)))
    write(sample(manual, size), base, items)
    return evaluate(read_items(items), db=db, ranking=ranking)


COLUMNS = (
    "mrr_at_10",
    "mrr_by_page",
    "ndcg_at_10",
    "success_at_1",
    "success_at_10",
    "at_anchor",
    "median_ms",
    "p95_ms",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "manuals",
        nargs="*",
        metavar="MANUAL",
        help=f"{', '.join(MANUALS)}; default: all that are installed",
    )
    parser.add_argument("--sample", type=int, default=300, metavar="N", help="entries of each index")
    parser.add_argument("--without-links", action="store_true", help="leave out what links call their targets")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where indexes and samples are to stay")
    parser.add_argument("--paths", type=Path, metavar="FOLDER", help="only write the samples there, as paths")
    options = parser.parse_args()
    if unknown := set(options.manuals) - set(MANUALS):
        parser.error(f"no such manual: {', '.join(sorted(unknown))}")
    names = [name for name in options.manuals or MANUALS if (MANUALS[name].root).is_dir()]
    if not names:
        print("no manual is installed", file=sys.stderr)
        return 1
    if options.paths:
        for name in names:
            write(sample(MANUALS[name], options.sample), "", options.paths / f"{name}-known-items.jsonl")
        return 0
    print(f"{'':10}{''.join(f'{column:>14}' for column in COLUMNS)}       missing", flush=True)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            found = measure(name, options.sample, folder, Ranking(links=0) if options.without_links else Ranking())
            rows.append([getattr(found, column) or 0.0 for column in COLUMNS])
            print(f"{name:10}{''.join(f'{value:14.3f}' for value in rows[-1])}{found.missing_items:14}", flush=True)
    print(f"{'mean':10}{''.join(f'{fmean(column):14.3f}' for column in zip(*rows, strict=True))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
