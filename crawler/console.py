"""The console, owned by one object: progress, messages and results never write over each other.

Nothing from a page reaches the terminal raw: control characters and invisible formatting are replaced first.
"""

import os
import shutil
import sys
import threading
import time
import unicodedata
from typing import TextIO

from crawler.report import Progress

_PLAIN_EVERY = 5.0  # seconds between two progress lines where there is no terminal


def is_unseen(char: str) -> bool:
    """Whether a character acts, or shows as nothing of its own: controls, bidi, surrogates, private use, line ends."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def printable(text: str) -> str:
    """The text in one line, without characters that could act on a terminal or mislead who reads."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if char in "\t\n\r\u2028\u2029" else "\ufffd" if is_unseen(char) else char for char in text)


def size(count: int) -> str:
    """Bytes for a person: `50.7 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def counted(number: int, noun: str) -> str:
    """So many of something: `1 page`, `2 pages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class ReaderGone(Exception):  # noqa: N818 - no error: the reader may go
    """Whoever read our output has what it wants: `crawl search x | head -1`."""


class Console:
    """Standard output and standard error of one program. Every write happens under one lock."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None, *, quiet: bool = False) -> None:
        self._out = out or sys.stdout or _nowhere()  # None where the stream is closed
        self._err = err or sys.stderr or _nowhere()
        self._quiet = quiet
        self._lock = threading.Lock()
        self._live = self._err.isatty()
        self._shown = False  # a progress line stands on the terminal, without a line end
        self._next_line = time.monotonic() + _PLAIN_EVERY

    @property
    def is_terminal(self) -> bool:
        """Whether results are read by a person at a terminal."""
        return self._out.isatty()

    @property
    def has_color(self) -> bool:
        """Whether results may be coloured (https://no-color.org)."""
        return self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        return max(20, min(shutil.get_terminal_size((100, 24)).columns, 120))

    def progress(self, now: Progress) -> None:
        """Shows how far a crawl is: one live line on a terminal, a line every few seconds elsewhere."""
        if self._quiet:
            return
        rate = now.pages / now.seconds if now.seconds else 0.0
        listed = f" · {now.listed} listed by sitemaps" if now.listed else ""
        waiting = f"{counted(now.pages, 'page')} · {now.queued} queued{listed} · {now.failed} failed"
        line = f"{waiting} · {rate:.1f} pages/s · {size(now.bytes)}"
        line += f" · waits {now.waits}" if now.waits else f" · {now.host}"
        with self._lock:
            if self._live:
                shown = printable(line)[: self.width - 1]
                self._write(f"\r\x1b[K{shown}")
                self._shown = True
            elif time.monotonic() >= self._next_line:
                self._next_line = time.monotonic() + _PLAIN_EVERY
                self._write(printable(line) + "\n")

    def say(self, text: str) -> None:
        """A message of one or more lines for the person, on standard error; none when quiet."""
        if not self._quiet:
            self._message("\n".join(map(printable, text.split("\n"))))

    def error(self, what: str, hint: str = "") -> None:
        """What went wrong and what to do, also when quiet."""
        self._message(f"error: {printable(what)}" + (f"\nhint: {printable(hint)}" if hint else ""))

    def result(self, text: str) -> None:
        """Data, on standard output. Raises ReaderGone when nobody reads it any more."""
        with self._lock:
            self._clear()
            try:
                self._out.write(text + "\n")
                self._out.flush()
            except BrokenPipeError as error:
                raise ReaderGone from error

    def _message(self, text: str) -> None:
        with self._lock:
            self._clear()
            self._write(text + "\n")

    def _clear(self) -> None:
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _write(self, text: str) -> None:
        """Called under the lock. That a message cannot be shown, its terminal closed or its disk full, ends nothing."""
        try:
            self._err.write(text)
            self._err.flush()
        except OSError:
            # What is left in the buffer has to go somewhere, or the interpreter would fail at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._err.fileno())
            os.close(nowhere)


def _nowhere() -> TextIO:
    return open(os.devnull, "w")
