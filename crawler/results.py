"""What a search found: hits, and what was done to find them."""

from dataclasses import dataclass, field
from typing import Any

# Private-use characters around the matching words of a snippet; a face puts its own highlight in their place.
MARK, MARK_END = "\ue000", "\ue001"


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that matches, seen at its best section."""

    rank: int
    """1 for the best of all, on whichever page of results."""
    url: str
    href: str
    """The page at the anchor of its best section: what to open."""
    title: str
    heading: str
    snippet: str
    """Text of the section around the matching words, which stand between MARK and MARK_END. Not escaped."""
    score: float
    """Of the best section: 1 for the best of full text, and more for a name like the query. Within one search only."""
    site: str
    lang: str
    fetched_at: str
    """ISO 8601, UTC."""
    fields: dict[str, Any] | None = None
    also: tuple[str, ...] = ()
    """Anchors of up to three more sections of the page that match."""
    similar: int = 0
    """How many other pages are alike or the very same; a search shows one of them."""
    signs: str = ""
    """What the score is the sum of, for whoever wants to know why: `text 0.82 · names 1.20 · exact 0.30`."""
    section: int = 0
    """Which section of its page the best one is, from 0: tells those apart that have no anchor."""

    @property
    def plain_snippet(self) -> str:
        return self.snippet.replace(MARK, "").replace(MARK_END, "").strip()


@dataclass(frozen=True, slots=True)
class Results:
    """What a search found."""

    query: str
    total: int
    """Pages that match, shown or not."""
    took_ms: float
    results: tuple[Hit, ...] = field(default_factory=tuple)
    page: int = 1
    """Which page of results these are."""
    match: str = ""
    """The FTS5 expression that the query became; empty when it held no word."""
    is_estimate: bool = False
    """Whether the total is one, which it is where very many pages match."""
    unknown: tuple[str, ...] = ()
    """Words that no page holds."""
    suggestion: str = ""
    """The query with words of the index in place of the unknown ones; empty when there are none like them."""
    relaxed: tuple[str, ...] = ()
    """What was required, and is not held by what was found: no page has it, or none all of it."""
    more: bool = False
    """Whether there is another page of results."""
    crowded: str = ""
    """A site that has better hits than some of those shown, held back so that others have a turn; mostly empty."""
    unfiltered: int = 0
    """Where nothing was found: how many pages would match without the filters of the query."""

    def as_dict(self, *, explain: bool = False) -> dict[str, Any]:
        """The JSON form, with the signs of each hit if it is to explain itself; a contract."""
        names = ("rank", "url", "href", "title", "heading", "score", "site", "lang", "fetched_at")
        hits = []
        for hit in self.results:
            row = {name: getattr(hit, name) for name in names} | {"snippet": hit.plain_snippet}
            optional: dict[str, Any] = {
                "fields": hit.fields,
                "similar": hit.similar or None,
                "also": list(hit.also) or None,
            }
            optional["signs"] = hit.signs if explain else None
            hits.append(row | {name: value for name, value in optional.items() if value is not None})
        told = {"query": self.query, "total": self.total, "took_ms": self.took_ms, "results": hits}
        more = {
            "estimate": self.is_estimate,
            "unknown": list(self.unknown),
            "suggestion": self.suggestion,
            "relaxed": list(self.relaxed),
            "crowded": self.crowded,
            "unfiltered": self.unfiltered,
        }
        return told | {name: value for name, value in more.items() if value}
