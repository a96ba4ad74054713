"""robots.txt: a reply becomes rules (RFC 9309). No I/O here."""

import re
from bisect import bisect_left
from functools import lru_cache
from typing import Final, NamedTuple

from protego import Protego

from crawler.urls import origin

MAX_BYTES: Final = 500 * 1024  # RFC 9309 §2.5: at least 500 kibibytes must be parsed
MAX_REDIRECTS: Final = 5  # RFC 9309 §2.3.1.2
MAX_DELAY: Final = 30.0  # seconds; a longer Crawl-delay is cut to this

_AGENT_LINE = re.compile(r"^([ \t]*user-?agent[ \t]*:[ \t]*)([^\r\n#]+)", re.I | re.M)


class Line(NamedTuple):
    """The line of a robots.txt that decides over a URL."""

    number: int
    """Of the line, from 1."""
    text: str
    allows: bool


class Rules:
    """What one origin's robots.txt says. Immutable, and safe to share between threads."""

    __slots__ = ("_parsed", "_text", "_verdict", "code", "reason")

    def __init__(self, verdict: bool | None, text: str = "", reason: str = "", code: str = "") -> None:
        self._verdict = verdict
        self._text = text
        self._parsed: dict[str, Protego] = {}  # by product token; made on first use, the same whoever makes it
        self.code = code or "robots-unreachable"
        """Short, for why everything is refused: what failed on the way, or that there was no usable answer."""
        self.reason = reason
        """Why everything is refused, empty when not: `robots-unreachable: connection refused`."""

    @classmethod
    def from_reply(cls, status: int | None, body: bytes = b"", detail: str = "", code: str = "") -> "Rules":
        """Rules from an HTTP status and the body; `status` None means that no reply came: `detail` and `code` say why.

        RFC 9309 §2.3.1: 2xx is parsed, 4xx allows everything, 5xx and unreachable refuse everything. 429 counts
        as a server error: it says "not now", not "no rules here".
        """
        if status is not None and 200 <= status < 300:
            text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
            if text.lstrip()[:1] == "<":  # an HTML page in place of robots.txt: no rules
                return cls(True)
            return cls(None, text)
        if status is not None and 400 <= status < 500 and status != 429:
            return cls(True)
        return cls(False, reason=detail or f"robots.txt answers {status}", code=code)

    def allows(self, agent: str, url: str) -> bool:
        """Whether the agent may fetch the URL. /robots.txt itself is always allowed."""
        if self._verdict is None:
            return self._parse(agent).can_fetch(url, product(agent))
        return self._verdict or url.partition("?")[0] == origin(url) + "/robots.txt"

    def line(self, agent: str, url: str) -> Line | None:
        """The line that decides whether the agent may fetch the URL; None when none does, and the URL is allowed.

        RFC 9309 §2.2.2: of the lines of the agent's group that match, the longest, and of as long ones an allow.
        The parser itself is asked, for a line at a time, so that what is told is what holds.
        """
        if self._verdict is not None or url.partition("?")[0] == origin(url) + "/robots.txt":
            return None
        lines = self._text.splitlines()
        # The same groups, but each rule refuses a path that is its number: which numbers are refused is our group.
        numbered = Rules(None, "\n".join(f"Disallow: /{n}$" if _is_rule(t) else t for n, t in enumerate(lines, 1)))
        allows, home = self.allows(agent, url), origin(url)
        matching = (
            Line(number, text.strip(), allows)
            for number, text in enumerate(lines, 1)
            if _matches(text, url, allows=allows) and not numbered.allows(agent, f"{home}/{number}")
        )
        return max(matching, key=lambda line: _weight(line.text, url, allows=allows), default=None)

    def delay(self, agent: str) -> float:
        """Seconds between requests that Crawl-delay asks of the agent, 0 when it asks nothing; at most MAX_DELAY."""
        asked = self._parse(agent).crawl_delay(product(agent)) if self._verdict is None else None
        return min(max(asked or 0.0, 0.0), MAX_DELAY)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps it names, in its order."""
        return tuple(self._parse("").sitemaps) if self._verdict is None else ()

    def _parse(self, agent: str) -> Protego:
        """The parsed rules for an agent. Protego takes a group named `crawl` as meant for `crawler`; RFC 9309 §2.2.1
        wants the whole product token, so such names are made strangers first."""
        name = product(agent).lower()
        if name not in self._parsed:

            def renamed(line: re.Match[str]) -> str:
                other = product(line[2]).lower()
                is_prefix = other not in (name, "*") and name.startswith(other)
                return f"{line[1]}not-{line[2]}" if is_prefix else line[0]

            self._parsed[name] = Protego.parse(_AGENT_LINE.sub(renamed, self._text))
        return self._parsed[name]

    def __repr__(self) -> str:
        if self._verdict is None:
            return "<Rules from robots.txt>"
        return "<Rules allow all>" if self._verdict else f"<Rules refuse all: {self.reason}>"


def _alone(*lines: str) -> Protego:
    return Protego.parse("\n".join(("User-agent: *", *lines)))


@lru_cache(maxsize=4096)
def _is_rule(line: str) -> bool:
    """Whether the line ends the list of names that a group begins with, as any rule does."""
    text = f"User-agent: a\n{line}\nUser-agent: b\nCrawl-delay: 9309"
    return Protego.parse(text).crawl_delay("a") != 9309.0


@lru_cache(maxsize=4096)
def _matches(line: str, url: str, *, allows: bool) -> bool:
    """Whether the line is one that allows, or one that refuses, and matches the URL."""
    return _alone("Disallow: /", line).can_fetch(url, "*") if allows else not _alone(line).can_fetch(url, "*")


def _weight(line: str, url: str, *, allows: bool) -> int:
    """The length of a matching line's pattern as the parser counts it: the shortest pattern that overrules it."""
    other = "Disallow" if allows else "Allow"

    def overruled(length: int) -> bool:
        return _alone(line, f"{other}: /{'*' * (length - 1)}").can_fetch(url, "*") is not allows

    # A character is twelve at most once it is percent-encoded.
    return 1 + bisect_left(range(1, 12 * len(line) + 2), True, key=overruled)


def product(agent: str) -> str:
    """The product token of a User-Agent value: `crawler/0.1 (+https://…)` is `crawler` (RFC 9309 §2.2.1)."""
    return agent.partition("/")[0].partition(" ")[0]
