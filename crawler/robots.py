"""robots.txt: a reply becomes rules (RFC 9309). No I/O here."""

from typing import Final

from protego import Protego

MAX_BYTES: Final = 500 * 1024  # RFC 9309 §2.5: at least 500 kibibytes must be parsed
MAX_REDIRECTS: Final = 5  # RFC 9309 §2.3.1.2
MAX_DELAY: Final = 30.0  # seconds; a longer Crawl-delay is cut to this


class Rules:
    """What one origin's robots.txt says. Immutable, and safe to share between threads."""

    __slots__ = ("_parsed", "_verdict", "reason")

    def __init__(self, verdict: bool | None, parsed: Protego | None = None, reason: str = "") -> None:
        self._verdict = verdict
        self._parsed = parsed
        self.reason = reason
        """Why everything is refused, empty when not: `robots-unreachable: connection refused`."""

    @classmethod
    def from_reply(cls, status: int | None, body: bytes = b"", detail: str = "") -> "Rules":
        """Rules from an HTTP status and the body; `status` None means that no reply came (`detail` says why).

        RFC 9309 §2.3.1: 2xx is parsed, 4xx allows everything, 5xx and unreachable refuse everything. 429 counts
        as a server error: it says "not now", not "no rules here".
        """
        if status is not None and 200 <= status < 300:
            text = body[:MAX_BYTES].decode("utf-8-sig", "replace")
            if text.lstrip()[:1] == "<":  # an HTML page in place of robots.txt: no rules
                return cls(True)
            return cls(None, Protego.parse(text))
        if status is not None and 400 <= status < 500 and status != 429:
            return cls(True)
        return cls(False, reason=detail or f"robots.txt answers {status}")

    def allows(self, agent: str, url: str) -> bool:
        """Whether the agent may fetch the URL. /robots.txt itself is always allowed."""
        if self._parsed is None:
            return bool(self._verdict)
        return self._parsed.can_fetch(url, product(agent))

    def delay(self, agent: str) -> float:
        """Seconds between requests that Crawl-delay asks of the agent, 0 when it asks nothing; at most MAX_DELAY."""
        asked = self._parsed.crawl_delay(product(agent)) if self._parsed else None
        return min(max(asked or 0.0, 0.0), MAX_DELAY)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps it names, in its order."""
        return tuple(self._parsed.sitemaps) if self._parsed else ()

    def __repr__(self) -> str:
        if self._parsed is not None:
            return "<Rules from robots.txt>"
        return "<Rules allow all>" if self._verdict else f"<Rules refuse all: {self.reason}>"


def product(agent: str) -> str:
    """The product token of a User-Agent value: `crawler/0.1 (+https://…)` is `crawler` (RFC 9309 §2.2.1)."""
    return agent.partition("/")[0].partition(" ")[0]
