"""What a page asks of whoever reads it by machine: meta robots, X-Robots-Tag, and its wishes about other uses.

There is no standard for robots directives; these are the rules that the large search engines publish
(https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag). The most restrictive one wins.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

# Directives with a value; any other name before a colon is that of the robot that is meant.
_VALUED: Final = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_LONGEST: Final = 4_000  # characters that are read of a value
_NO_AI: Final = frozenset({"noai", "noimageai"})
_UNTIL: Final = re.compile(r"unavailable_after\s{0,9}:([^\n]{0,200})", re.I)
# Wishes about other uses than search, as headers and as meta names: the IETF's AI preferences
# (draft-ietf-aipref-attach) and the W3C community group's reservation of text and data mining (tdmrep).
_WISHES: Final = ("content-usage", "tdm-reservation", "tdm-policy")


def directives(value: str, agent: str = "") -> frozenset[str]:
    """The directives in the value of a meta robots or of an X-Robots-Tag that hold for the agent, in lower case.

    `NoIndex, follow` is {noindex, follow}; `none` is noindex and nofollow. In a header, lines are separated by line
    ends, and a name before a colon says who is meant by what follows in its line: `otherbot: noindex` is nothing.
    The time of an `unavailable_after` is given in ISO 8601, UTC, in lower case; one that is no time says nothing.
    """
    if not value:
        return frozenset()
    found = set()
    for line in _UNTIL.sub(lambda told: _in_one_word(told[1]), value[:_LONGEST]).lower().splitlines():
        meant = True
        for part in re.split(r"[,\s]+", " ".join(line.split()).replace(" :", ":").replace(": ", ":")):
            name, colon, rest = part.partition(":")
            if colon and name not in _VALUED:
                meant = name == agent.lower()
                part = rest
            if part and meant:
                found.add(part)
    return frozenset(found | {"noindex", "nofollow"} if "none" in found else found)


def _in_one_word(text: str) -> str:
    """What follows `unavailable_after:`, its date as one word, or left out when it is none. Dates may hold a comma."""
    parts = text.split(",")
    for count in range(1, min(len(parts), 3) + 1):
        if time := _utc(",".join(parts[:count]).strip()):
            return ",".join([f"unavailable_after:{time}", *parts[count:]])
    return ",".join(parts[1:])


def _utc(date: str) -> str:
    """A date as RFC 822, RFC 850 or ISO 8601 write it, in ISO 8601, UTC; empty for any other text."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(date)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return ""


def unwanted(asked: Iterable[str], now: str) -> str | None:
    """By which of the directives a page is not to be indexed at a time (ISO 8601, UTC); None when it may be."""
    for one in asked:
        if one == "noindex" or (one.startswith("unavailable_after:") and one.partition(":")[2] <= now.lower()):
            return one
    return None


def wishes(asked: Iterable[str], named: Mapping[str, str]) -> str:
    """What is said of other uses than search, recorded and not acted on: `content-usage: train-ai=n; noai`.

    `named` are headers or metas by name; directives of `asked` that say nothing of that are left out.
    """
    said = [f"{name}: {' '.join(value.split())[:200]}" for name in _WISHES if (value := named.get(name))]
    return "; ".join([*said, *sorted(_NO_AI.intersection(asked))])
