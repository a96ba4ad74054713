"""The durable side of the ring, behind one small protocol, and the values that cross it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from crawler.page import Page

State = Literal["queued", "done", "failed", "skipped", "gone"]


class Queued(NamedTuple):
    """A URL that waits to be fetched."""

    id: int
    url: str
    depth: int
    """Whose is smallest goes first: hops from the nearest seed, and more for one of many URLs of the same shape."""
    redirects: int
    """Redirects in a row that led here."""
    etag: str = ""
    """Of the stored page, to ask whether it has changed (RFC 9110 §13); empty when nothing is stored."""
    last_modified: str = ""
    sitemap: str = ""
    """Of a sitemap, the origin that it speaks for beside its own; empty for everything else."""
    visits: int = 0
    """How often it has answered before."""


class Edge(NamedTuple):
    """An outlink or a redirect of a fetched URL, with the verdict on its target."""

    url: str
    refused: str | None
    """Why the target is not to be fetched (`scope`, `exclude` …), None when it is; too deep is the store's to say."""
    hops: int | None
    """What following it adds to the depth: 1 for a link, 0 for a redirect or a sitemap, None when not followed."""
    fragment: str = ""
    text: str = ""
    """Its words; for a sitemap, the origin that it speaks for."""
    rel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a URL that was taken: the thing that the queue carries."""

    id: int
    url: str
    state: State
    reason: str = ""
    detail: str = ""
    status: int | None = None
    content_type: str = ""
    size: int = 0
    """Decoded bytes of the body."""
    seconds: float = 0.0
    attempts: int = 1
    fetched_at: str = ""
    """ISO 8601, UTC."""
    etag: str = ""
    last_modified: str = ""
    redirects: int = 0
    """Redirects in a row that led to this URL."""
    unchanged: bool = False
    """Whether the server says that what is stored is still right."""
    page: "Page | None" = None
    """The document to index; None when there is none, or it is not to be indexed."""
    body_hash: str = ""
    """Digests of the body and of the main text of `page`, and a sketch of the latter; empty when they are not known."""
    text_hash: str = ""
    sketch: int | None = None
    fields: dict[str, Any] | None = None
    edges: tuple[Edge, ...] = ()
    modified: tuple[tuple[str, str], ...] = ()
    """URLs that it, a sitemap, says to have changed, and when (ISO 8601, UTC)."""


@dataclass(frozen=True, slots=True)
class RobotsReply:
    """What a host answered for /robots.txt, kept for `hosts`."""

    origin: str
    status: int | None
    text: str
    detail: str
    """What of it could not be kept to the letter, or why there is no usable answer; mostly empty."""
    fetched_at: str
    """Of the text; ISO 8601, UTC."""
    usage: str = ""
    """What it says of the use of its pages, to our agent: a line for each path."""


class HostPace(NamedTuple):
    """How a host bears being asked, as far as it is to be remembered."""

    origin: str
    slow: float
    """Seconds between two requests that it had to be slowed down to; 0 for none."""
    rest: float
    """Seconds from now that it wants to be left alone."""


class Revisit(NamedTuple):
    """Which of the URLs that were fetched before are fetched again."""

    before: str | None = None
    """Those whose last visit was not after this time (ISO 8601, UTC); None for those that are due, by their own history
    or by what a sitemap says."""


class Handed(NamedTuple):
    """What a commit came to."""

    urls: list[Queued]
    """URLs that it found to be new."""
    found: int
    """How many it found in all, those left out for want of room included."""
    changes: Mapping[str, int] = {}
    """How many pages are `new`, `changed`, `gone` or the `same`."""


@dataclass(frozen=True, slots=True)
class Totals:
    """How many URLs are in which state, and why; how many pages are in the index."""

    pages: int = 0
    queued: int = 0
    failed: int = 0
    skipped: int = 0
    gone: int = 0
    duplicates: int = 0
    """URLs that show what another page shows."""
    reasons: dict[str, int] = field(default_factory=dict)
    seeds: dict[str, str] = field(default_factory=dict)
    """What became of each seed: its state, reason and detail, joined by `: `."""
    named: tuple[str, ...] = ()
    """All seeds that were ever named, by whatever crawl into the same store."""
    traps: frozenset[str] = frozenset()
    """The shapes of the URLs that were left out as being in a trap."""


class Hosts(Protocol):
    """What is known of hosts beyond their URLs."""

    def robots(self, origin: str) -> RobotsReply | None:
        """What an origin answered for robots.txt; None when it was never asked."""

    def paces(self) -> dict[str, HostPace]:
        """The hosts that have to be asked less often than others, by name."""


class Store(Protocol):
    """What the ring needs of its durable side. One process owns it; every method may be called from any thread."""

    hosts: Hosts

    def rules(self) -> dict[str, Any] | None:
        """Those of the last crawl; None when there was none."""

    def begin(
        self,
        rules: dict[str, Any],
        seeds: Sequence[str],
        *,
        fresh: bool,
        revisit: Revisit | None,
        sitemaps: Sequence[str] = (),
    ) -> bool:
        """Starts a crawl, or goes on with the last one if it is unfinished (then True). Seeds are queued.

        So are the `sitemaps`, where those of the seeds' origins may be, of origins that are new, or all to revisit.
        """

    def commit(self, outcomes: Sequence[Outcome], news: Sequence[RobotsReply | HostPace], room: int) -> Handed:
        """Stores pages, index, links and states in ONE transaction; hands back at most `room` newly found URLs."""

    def queued(self, held: Iterable[int], full: Iterable[str], room: int, per_host: int) -> list[Queued]:
        """URLs that wait, breadth first, but for those held already and those of hosts that hold their share."""

    def finish(self, report: dict[str, Any], *, complete: bool) -> None:
        """Ends a run: what can only be said of the whole is worked out; a complete crawl is marked finished."""

    def interrupt(self) -> None:
        """Ends a call that is under way in another thread; it raises, and what it did is undone."""

    def totals(self, seeds: Sequence[str] = ()) -> Totals:
        """Counts over everything stored, and what became of the seeds."""

    def close(self) -> None:
        """Lets go of the store."""


def stored_rules(path: Path) -> dict[str, Any] | None:
    """The rules of the last crawl into the store at `path`; None when there was none. Raises IndexFileError."""
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return None
    store = open_store(path)
    try:
        return store.rules()
    finally:
        store.close()


def open_store(path: str | Path, *, durable: bool = False) -> Store:
    """The store at `path`, created when there is none, owned by this process until it is closed.

    `durable`: a commit is safe from a power cut, too, not only from a kill. Raises IndexFileError when the file is not
    ours, of a newer schema, locked by another crawl, or cannot be written.
    """
    from crawler.store.sqlite import SqliteStore

    return SqliteStore(Path(path), durable=durable)
