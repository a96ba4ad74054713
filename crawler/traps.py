"""Traps: URLs without end whose pages say nothing new. What is one shows itself; size alone is no evidence.

Of each shape of URLs (`crawler.shapes`) that has many pages it is asked what a page brings: a word that no page of its
path has used, or a link to where no page of its path has led, other pages of that path apart. A calendar, a grid of
filters or a path that grows soon brings nothing but more of itself, page after page; a forum or a list in five hundred
parts always does. A trap that is found late costs a thousand requests, a site that is taken for one costs its pages: so
the evidence is a thousand pages in a row, and of pages that do not even lead to more of them, which may end, more yet.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from crawler.page import Page
from crawler.shapes import path_of, shape

FREE: Final = 16  # pages of a shape that are not looked at
STALE: Final = 1_024  # pages of a shape, in a row, that bring nothing but more of their path: then it is a trap
STALE_LEAVES: Final = 4_096  # if they do not even bring that
_SELDOM: Final = 16  # of pages that bring something, every one is looked at, every second … at last one of so many
_RICH: Final = 16_000  # words and links: what has brought so many is no trap
_MOST_WATCHED: Final = 4_096  # shapes; and of paths with what their pages brought:
_MOST_PATHS: Final = 64
_NO_DIGITS: Final = re.compile(r"[^\s\d]+")
_BEGINNING: Final = 8_000  # characters of a text that are read
_MOST_LINKS: Final = 300  # links of a page that are looked at


class _Watch:
    """What is known of a shape. Touched under the lock only."""

    __slots__ = ("pages", "pause", "since", "stale", "unread")

    def __init__(self) -> None:
        self.pages = 0
        self.pause = 1  # every so many pages is looked at
        self.unread = 0
        self.stale = 0  # pages in a row; one that brings more of its path weighs as much as STALE_LEAVES / STALE others
        self.since = 0  # pages that were read since one brought something


class Traps:
    """The shapes that are known to be traps, and the evidence for more. One for all threads of a crawl."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        """`known` are shapes that were found to be traps before."""
        self._lock = threading.Lock()
        self._traps = dict.fromkeys(known, "it was found to be one before")
        self._watched: OrderedDict[str, _Watch] = OrderedDict()
        self._brought: OrderedDict[str, set[int]] = OrderedDict()  # by path: hashes of words and links

    def verdict(self, url: str) -> str | None:
        """Why the URL is in a trap; None when it is in none that is known."""
        if not self._traps:  # the common case costs nothing
            return None
        name = shape(url)
        with self._lock:
            return f"{name}: {self._traps[name]}" if name in self._traps else None

    def look(self, page: Page, text: str) -> None:
        """Takes a page with its main text as evidence of what the pages of its shape bring."""
        name = shape(page.url)
        if self._is_to_be_read(name):
            self._weigh(name, *_brings(page, text, path_of(name)))

    def _is_to_be_read(self, name: str) -> bool:
        with self._lock:
            watch = self._watched.get(name)
            if watch is None:
                watch = self._watched[name] = _Watch()
                if len(self._watched) > _MOST_WATCHED:
                    self._watched.popitem(last=False)
            else:
                self._watched.move_to_end(name)
            watch.pages += 1
            if watch.pages <= FREE or name in self._traps:
                return False
            watch.unread += 1
            if watch.unread < watch.pause:
                return False
            watch.unread = 0
            return True

    def _weigh(self, name: str, brings: set[int], more: set[int]) -> None:
        """Weighs what a page brings: words and links to other paths, and links to more of its own."""
        with self._lock:
            watch = self._watched.get(name)
            if watch is None:
                return
            known = self._brought.setdefault(path_of(name), set())
            self._brought.move_to_end(path_of(name))
            if len(self._brought) > _MOST_PATHS:
                self._brought.popitem(last=False)
            is_rich, grows = len(known) > _RICH, not more <= known
            if not is_rich:
                known |= more
            if is_rich or not brings <= known:
                known |= set() if is_rich else brings
                watch.stale, watch.since, watch.pause = 0, 0, min(2 * watch.pause, _SELDOM)
                return
            watch.stale += STALE_LEAVES // STALE if grows else 1
            watch.since, watch.pause = watch.since + 1, 1
            if watch.stale >= STALE_LEAVES:
                found = f"{watch.pages} pages, and the last {watch.since} brought no new word and led nowhere new"
                self._traps[name] = found

    def __repr__(self) -> str:
        with self._lock:
            return f"<Traps {len(self._traps)} known, {len(self._watched)} shapes watched>"


def _brings(page: Page, text: str, path: str) -> tuple[set[int], set[int]]:
    """The words of a page and its links to other paths, and its links to its own path, hashed.

    Digits are no words, nor part of any: a calendar is full of them. A word is what has a letter, of whatever script.
    """
    words = _NO_DIGITS.findall(text[:_BEGINNING])
    found = {hash(word) for word in words if any(map(str.isalpha, word))}
    more: set[int] = set()
    for link in page.links[:_MOST_LINKS]:
        (more if _path_of(link.url) == path else found).add(hash(link.url))
    return found, more


@lru_cache(maxsize=4096)
def _path_of(url: str) -> str:
    return path_of(shape(url))
