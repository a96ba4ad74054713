"""The rows of a batch, a list for each table, and what the batch came to."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from crawler.forms import forms
from crawler.languages import spaced
from crawler.store import Outcome, sql
from crawler.urls import host

_SLOWER: Final = 1.5  # an unchanged page is looked at again after so many times the time since the last look
_FASTER: Final = 0.5  # and a changed one
_LONGEST: Final = timedelta(days=60)
_GONE_SINCE: Final = "gone since "

# URL, host, refused, depth, redirects, source, origin that it speaks for as a sitemap
_Target = tuple[str, str, str | None, int | None, int, int, str | None]


class Known(NamedTuple):
    """What the file says of a URL before the batch."""

    depth: int | None = None
    fetched_at: str | None = None
    detail: str | None = None
    same_as: int | None = None
    body_hash: str | None = None
    text_hash: str | None = None
    changed_at: str | None = None
    has_page: int = 0

    @property
    def is_indexed(self) -> bool:
        """Whether a search can find what it showed: by a page of its own, or by the one that stands for it."""
        return bool(self.has_page or self.same_as)


class Rows:
    """What a batch writes. `known` is what the file says of its URLs, by id in decimal.

    First it is said what goes, so that the store can take it away; `add_pages` makes the rest with what is left.
    """

    def __init__(self, outcomes: Sequence[Outcome], known: Mapping[str, Sequence[Any]], *, fresh: bool = False) -> None:
        self.replaced: list[int] = []
        """URLs whose stored page, if there is one, is replaced or goes; a failure that may pass keeps it."""
        self.kept: list[tuple[int, str]] = []
        """URLs that showed again what they had shown, and when."""
        self.relinked: list[int] = []
        """URLs whose links are replaced."""
        self.altered: list[int] = []
        """URLs that show another text now than the one that is stored."""
        self.outcomes: list[tuple[Any, ...]] = []
        self.pages: list[tuple[Any, ...]] = []
        self.sections: list[tuple[Any, ...]] = []
        self.texts: list[bytes] = []
        """Of the sections, spaced, in UTF-8."""
        self.links: list[tuple[Any, ...]] = []
        self.changes: Counter[str] = Counter()
        """How many pages are `new`, `changed`, `gone` or the `same`."""
        self._text_bytes = 0
        self._places: dict[str, int] = {}
        self._best: dict[str, _Target] = {}
        self._outcomes = outcomes
        self._known = {o.id: Known(*known.get(str(o.id), ())) for o in outcomes}
        for outcome in outcomes:
            self._sort(outcome, self._known[outcome.id], fresh)
            self._add_links(outcome, self._known[outcome.id].depth)

    def _sort(self, o: Outcome, before: Known, fresh: bool) -> None:
        if o.unchanged:
            self.kept.append((o.id, o.fetched_at))
            return
        if o.page and before.has_page and o.body_hash and before.body_hash == o.body_hash and not fresh:
            self.kept.append((o.id, o.fetched_at))
        elif not _may_pass(o) or o.reason in sql.GONE:
            self.replaced.append(o.id)
            if o.page and before.is_indexed and before.text_hash != o.text_hash:
                self.altered.append(o.id)
        else:
            return
        self.relinked.append(o.id)

    @property
    def had_page(self) -> list[int]:
        """Those replaced that have a stored page."""
        return [id_ for id_ in self.replaced if self._known[id_].has_page]

    @property
    def had_links(self) -> list[int]:
        """Those relinked that were fetched before."""
        return [id_ for id_ in self.relinked if self._known[id_].fetched_at is not None]

    def add_pages(self, holders: dict[str, int]) -> None:
        """Makes the rows. `holders` are the pages of the file, without those replaced, by the digest of the body."""
        kept, replaced = {id_ for id_, _ in self.kept}, set(self.replaced)
        for o in self._outcomes:
            before, same_as, verdict = self._known[o.id], None, ""
            if o.id in kept:
                same_as, verdict = before.same_as, "same"
            elif o.page is not None:
                changed = before.text_hash != o.text_hash
                verdict = "new" if not before.is_indexed else "changed" if changed else "same"
                holder = holders.setdefault(o.body_hash, o.id) if o.body_hash else o.id
                if holder != o.id:
                    same_as = holder
                else:
                    self._add_page(o, o.fetched_at if changed else before.changed_at or o.fetched_at)
            elif before.is_indexed and o.id in replaced:
                verdict = "gone"
            self._add_outcome(o, before, same_as, verdict)

    def _add_outcome(self, o: Outcome, before: Known, same_as: int | None, verdict: str) -> None:
        if verdict and not (verdict == "new" and same_as):
            self.changes[verdict] += 1
        redirect_to = next((edge.url for edge in o.edges if edge.rel == "redirect"), None)
        state, reason, detail = o.state, o.reason, o.detail
        if o.reason in sql.GONE and (before.is_indexed or (before.detail or "").startswith(_GONE_SINCE)):
            state = "gone"
            detail = _GONE_SINCE + o.fetched_at if before.is_indexed else before.detail or ""
        elif same_as and state == "done":
            reason = "duplicate"
        elif before.is_indexed and _may_pass(o):
            state = "failed"
        self.outcomes.append(
            (o.id, state, reason, detail, o.status, o.attempts, o.fetched_at, round(o.seconds, 4), o.size,
             o.content_type, o.etag, o.last_modified, redirect_to, same_as, int(o.status is not None),
             int(verdict == "changed"), None if o.reason == "trap-shape" else _due(o, before, verdict),
             int(o.unchanged))
        )  # fmt: skip

    def _add_page(self, o: Outcome, changed_at: str) -> None:
        assert o.page is not None
        page = o.page
        fields = None if o.fields is None else json.dumps(o.fields, ensure_ascii=False)
        self.pages.append(
            (o.id, o.url, page.title, page.description, page.lang, host(o.url), o.fetched_at, page.canonical,
             page.encoding, " ".join(sorted(page.robots)), fields, o.body_hash, o.text_hash, o.sketch, changed_at,
             page.usage)
        )  # fmt: skip
        title = spaced(page.title)
        for order, s in enumerate(page.sections):
            text = spaced(s.text).encode()
            self.sections.append(
                (o.id, order, s.level, s.anchor, title, spaced(s.heading), " ".join(s.ids),
                 spaced(" · ".join(s.terms)), self._text_bytes + 1, len(text),
                 forms(f"{page.title} {s.heading} {s.text}", page.lang, "" if order else o.url))
            )  # fmt: skip
            self.texts.append(text)
            self._text_bytes += len(text)

    def _add_links(self, o: Outcome, depth_of: int | None) -> None:
        for edge in o.edges:
            place = self._places.setdefault(edge.url, len(self._places))
            self.links.append((o.id, place, edge.fragment, edge.text, edge.rel, edge.hops))
            depth = None if edge.hops is None or depth_of is None else depth_of + edge.hops
            known = self._best.get(edge.url)
            if known is None or (depth is not None and (known[3] is None or depth < known[3])):
                redirects = o.redirects + 1 if edge.hops == 0 else 0
                speaks_for = edge.text if edge.rel == "sitemap" else None
                self._best[edge.url] = (edge.url, host(edge.url), edge.refused, depth, redirects, o.id, speaks_for)

    @property
    def targets(self) -> list[_Target]:
        """What the batch links to: of all edges to a URL the one that counts, followed and of the smallest depth."""
        return list(self._best.values())

    @property
    def target_urls(self) -> list[str]:
        """The URLs by their place, as `links` name them."""
        return list(self._places)


def _may_pass(o: Outcome) -> bool:
    """Whether what the URL showed before stays: that it cannot be asked now says nothing of it."""
    return o.state == "failed" or o.reason == "private-address"


def _due(o: Outcome, before: Known, verdict: str) -> str:
    """When to look again: sooner what changed, later what did not, in proportion to the time since the last look.

    What was seen once is due at once: nothing is known of how often it changes.
    """
    if o.status is None or not before.fetched_at:
        return o.fetched_at
    now = datetime.fromisoformat(o.fetched_at)
    since = max(timedelta(0), now - datetime.fromisoformat(before.fetched_at))
    wait = since * (_FASTER if verdict in ("changed", "new") else _SLOWER)
    return (now + min(wait, _LONGEST)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
