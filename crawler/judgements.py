"""Queries and the pages that answer them, as people write them down: JSON lines or tab-separated."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from crawler.errors import UsageError
from crawler.urls import normalize

_MOST_RELEVANT: Final = 100.0  # the highest grade; TREC's go to 4, others to 10 or to 100
_FORMS: Final = 'give a query and its URLs, tab-separated, or JSON: {"query": "…", "urls": ["…"]}'


class Target(NamedTuple):
    """A page that answers a query."""

    url: str
    """Normalised, without its fragment."""
    anchor: str = ""
    """Where on the page the answer is, decoded; empty when nothing is said of that."""
    grade: float = 1.0
    """How well it answers, above 0."""


class Item(NamedTuple):
    """A query and what a search for it should find."""

    query: str
    targets: tuple[Target, ...]


def read_items(path: str | Path) -> tuple[Item, ...]:
    """The items of a file, or of standard input for `-`; UTF-8.

    A file whose first item begins with `{` is JSON lines: objects with `query`, and `url`, `urls` (a list) or
    `relevant` (grades by URL, 0 for what does not answer). In any other, a line is a query and its URLs, with tabs
    between. Empty lines and lines that begin with `#` are skipped. Raises UsageError for the first line that cannot be
    read, and when no item is left.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            line = data.count(b"\n", 0, error.start) + 1
            raise UsageError(f"{name}:{line}: is not UTF-8", "convert it, or give another file") from None
        raise UsageError(f"{name}: cannot be read: {getattr(error, 'strerror', error)}", "give another file") from None
    lines = [(number, line.strip(" \r")) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]
    if not lines:
        raise UsageError(f"{name}: holds no item", _FORMS)
    read = _of_json if lines[0][1].startswith("{") else _of_cells
    items = []
    for number, line in lines:
        try:
            items.append(read(line))
        except ValueError as error:
            raise UsageError(f"{name}:{number}: {error}", _FORMS) from None
    return tuple(items)


def _of_cells(line: str) -> Item:
    query, *urls = (cell.strip() for cell in line.split("\t"))
    return _item(query, ((url, 1.0) for url in urls if url))


def _of_json(line: str) -> Item:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(data, dict):
        raise ValueError("is not a JSON object")
    query, url, urls, relevant = (data.get(name) for name in ("query", "url", "urls", "relevant"))
    if not isinstance(query, str):
        raise ValueError("has no query")
    for name, value, kind in (("url", url, str), ("urls", urls, list), ("relevant", relevant, dict)):
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"its {name} is not {_KINDS[kind]}")
    plain = [*([url] if url is not None else []), *(urls or [])]
    return _item(query.strip(), [*((one, 1.0) for one in plain), *(relevant or {}).items()])


_KINDS: Final = {str: "a text", list: "a list", dict: "an object of grades by URL"}


def _item(query: str, judged: Any) -> Item:
    """Raises ValueError, in words for the person who wrote the line."""
    if not query:
        raise ValueError("its query is empty")
    targets = tuple(_targets(judged))
    if not targets:
        raise ValueError("names no page that answers")
    return Item(query, targets)


def _targets(judged: Any) -> Iterator[Target]:
    for url, grade in judged:
        known_as = normalize(url) if isinstance(url, str) else None
        if known_as is None:
            raise ValueError(f"{str(url)[:200]!r} is not a URL that could be crawled")
        if isinstance(grade, bool) or not isinstance(grade, int | float) or not 0 <= grade <= _MOST_RELEVANT:
            raise ValueError(f"a grade is not a number from 0 to {_MOST_RELEVANT:g}: {str(grade)[:40]}")
        if grade:
            yield Target(known_as, unquote(url.partition("#")[2]), float(grade))
