"""Ranked sections become pages of hits, page after page. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import ceil
from typing import Final, Literal, NamedTuple

from crawler.candidates import Candidate

_NEARLY: Final = 0.95  # of the best score of pages that are alike; above it the one that stands for them is shown
_HITS_A_SITE: Final = 2  # of ten that are shown at once, when several sites match
_MATCHES_WELL: Final = 0.5  # of the best score; what has less is no answer, however new it is

Sort = Literal["rank", "newest"]


class Seen(NamedTuple):
    """A section that matches, and its score."""

    score: float
    candidate: Candidate
    signs: str
    """What the score is made of."""


class Shown(NamedTuple):
    """A page of hits."""

    pages: Sequence[Sequence[Seen]]
    """The sections of each, the best first."""
    rank: int
    """Of the first of them, from 1."""
    crowded: str
    """A site of which more would stand here, had not others their turn; mostly empty."""


def paged(blocks: Iterable[Sequence[Seen]], limit: int, sort: Sort) -> Iterator[Shown]:
    """Pages of at most `limit` hits, from blocks of ranked sections; a page that came in one block comes in no other.

    Where several sites match, two of ten hits at once are of one, but where dates decide; what is over comes on the
    next page, and fills it once no other site has a turn. A page does not depend on whether the next are asked for.
    """
    known: set[int] = set()
    rank = 1
    waiting: list[list[Seen]] = []
    for seen in blocks:
        new = [sections for sections in by_page(seen) if sections[0].candidate.group not in known]
        known.update(sections[0].candidate.group for sections in new)
        waiting += _newest(new) if sort == "newest" else new
        while waiting:
            shown, over, crowded = _first(waiting, limit, takes_turns=sort == "rank")
            if not over and len(shown) < limit:
                break  # the next block may fill it
            yield Shown(shown, rank, crowded)
            waiting, rank = over, rank + len(shown)
    if waiting:
        yield Shown(waiting, rank, "")


def by_page(seen: Iterable[Seen]) -> list[list[Seen]]:
    """The sections of each page, the best page and the best section first.

    Of pages that are alike, the one that stands for them, unless another matches better.
    """
    groups: dict[int, dict[int, list[Seen]]] = {}
    for one in seen:
        groups.setdefault(one.candidate.group, {}).setdefault(one.candidate.page, []).append(one)
    pages = []
    for group, alike in groups.items():
        first = next(iter(alike.values()))
        own = alike.get(group)
        pages.append(own if own and own[0].score >= _NEARLY * first[0].score else first)
    return pages


def _newest(pages: Sequence[list[Seen]]) -> list[list[Seen]]:
    """What matches well, that which changed last first; then the rest."""
    best = max((sections[0].score for sections in pages), default=0.0)
    enough = _MATCHES_WELL * best if best > 0 else best - 1
    by_date = sorted(pages, key=lambda sections: sections[0].candidate.changed_at or "", reverse=True)
    return sorted(by_date, key=lambda sections: sections[0].score < enough)


def _first(
    pages: Sequence[list[Seen]], limit: int, *, takes_turns: bool
) -> tuple[list[list[Seen]], list[list[Seen]], str]:
    """The page of hits that some pages begin with, those that are over, and a site that has to wait."""
    several = takes_turns and len({sections[0].candidate.site for sections in pages}) > 1
    most = _HITS_A_SITE * ceil(limit / 10) if several else limit
    shown, over, count, crowded = list[list[Seen]](), list[list[Seen]](), Counter[str](), ""
    for place, sections in enumerate(pages):
        if len(shown) == limit:
            over += pages[place:]
            break
        site = sections[0].candidate.site
        count[site] += 1
        if count[site] > most:
            crowded = crowded or site
            over.append(sections)
        else:
            shown.append(sections)
    return shown, over, crowded
