"""robots.txt: a reply becomes rules (RFC 9309). No I/O here."""

import re
from typing import Final

from protego import Protego

from crawler.urls import origin

MAX_BYTES: Final = 500 * 1024  # RFC 9309 §2.5: at least 500 kibibytes must be parsed
MAX_REDIRECTS: Final = 5  # RFC 9309 §2.3.1.2
MAX_DELAY: Final = 30.0  # seconds; a longer Crawl-delay is cut to this

_AGENT_LINE = re.compile(r"^([ \t]*user-?agent[ \t]*:[ \t]*)([^\r\n#]+)", re.I | re.M)


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


def product(agent: str) -> str:
    """The product token of a User-Agent value: `crawler/0.1 (+https://…)` is `crawler` (RFC 9309 §2.2.1)."""
    return agent.partition("/")[0].partition(" ")[0]
