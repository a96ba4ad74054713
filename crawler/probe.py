"""Soft 404s: servers that answer 200 for what does not exist. One such answer, asked for on purpose, tells them apart.

A probe costs a request, so it is made once an origin and only on suspicion: a page says that it was not found, or
several pages of the origin have the very same text.
"""

import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Final

from crawler.fingerprint import ALIKE, likeness
from crawler.page import Page
from crawler.urls import origin

_SUSPICIOUS: Final = 3  # pages of an origin with the very same text
_MOST_TEXTS: Final = 1_000  # of an origin that are counted
_MOST_ORIGINS: Final = 1_000
_NOT_FOUND: Final = re.compile(
    r"\b404\b|not found|no such page|(?:can ?not|could not|couldn.t|can.t) (?:be found|find)|(?:does not|doesn.t) exist"
    r"|no longer (?:exists|available)|nicht gefunden|existiert nicht|introuvable|n.existe pas|no encontrad|no existe"
    r"|non trovat|niet gevonden|não encontrad|не найден|hittades inte|nie znaleziono|見つかりません|未找到|不存在",
    re.I,
)


class Probes:
    """What each origin answers for what does not exist. One for all threads of a crawl."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, Future[str | None]] = {}
        self._texts: dict[str, Counter[str]] = {}

    def suspects(self, page: Page, text_hash: str) -> bool:
        """Whether the page, with a text of this digest, may be a soft 404: then it is time to ask."""
        heading = next((section.heading for section in page.sections if section.heading), "")
        if _NOT_FOUND.search(page.title) or _NOT_FOUND.search(heading):
            return True
        with self._lock:
            home = origin(page.url)
            texts = self._texts.setdefault(home, Counter())
            if len(texts) >= _MOST_TEXTS:
                texts.clear()
            if len(self._texts) > _MOST_ORIGINS:
                self._texts = {home: texts}
            texts[text_hash] += 1
            return texts[text_hash] >= _SUSPICIOUS

    def answer(self, home: str, ask: Callable[[str], str | None], seconds: float) -> str | None:
        """The text of what an origin shows for what does not exist; None when it says so honestly.

        `ask` makes the request, once an origin, in the thread that comes first; others wait for it, at most so many
        seconds. It takes the URL, and gives the text of a page that was shown, or None.
        """
        with self._lock:
            asked = self._answers.get(home)
            mine = asked is None
            if asked is None:
                asked = self._answers[home] = Future()
        if not mine:
            try:
                return asked.result(seconds)
            except NotYet:
                return None
        text = None
        try:
            text = ask(f"{home}/{secrets.token_hex(8)}/{secrets.token_hex(8)}.html")
        finally:
            asked.set_result(text)
        return text


def is_alike(text: str, url: str, answer: str) -> bool:
    """Whether a page's text is that of the answer, but for numbers and for the URL itself, which such pages quote."""
    return likeness(_bare(text, url), _bare(answer, "")) >= ALIKE


def _bare(text: str, url: str) -> str:
    parts = {part.lower() for part in re.split(r"[/?&=]", url) if len(part) > 3}
    words = (word for word in text.lower().split() if not any(part in word for part in parts))
    return " ".join(word for word in words if not any(map(str.isdigit, word)))
