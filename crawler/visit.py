"""What a fetcher does with one task: fetch, parse, judge the outlinks. The result is an `Outcome` for the queue."""

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from crawler import elements, feed, fields, sitemap
from crawler.addresses import Guard, is_loopback
from crawler.config import Config
from crawler.directives import directives, unwanted, wishes
from crawler.fetch import Fetcher, Response
from crawler.fingerprint import digest, sketch
from crawler.frontier import Task
from crawler.outlinks import MAX_REDIRECT_CHAIN, PAGE_REDIRECT, Outlinks
from crawler.page import Page, ParseError, parse
from crawler.probe import Probes, is_alike
from crawler.robots import MAX_BYTES, MAX_REDIRECTS, Rules
from crawler.sitemap import Sitemap, parse_sitemap
from crawler.store import Edge, Outcome, RobotsReply, State
from crawler.transport import FetchError
from crawler.traps import Traps
from crawler.urls import Scope, hostname, is_front, normalize, origin

DEFAULT_DELAY: Final = 1.0  # seconds between requests to a host that is not this machine
MAX_RETRY_AFTER: Final = 3600.0  # seconds; a longer Retry-After is cut to this within a run
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})


class Visited(NamedTuple):
    """The outcome of a visit, and in how many seconds to try again if that may help (None: it may not)."""

    outcome: Outcome
    again_in: float | None = None
    requested: bool = True
    """Whether the host was asked for anything; False when its robots.txt refused that."""


class Visitor:
    """Visits URLs one after another. Belongs to the thread that made it, but for `abort`."""

    def __init__(
        self, config: Config, scope: Scope, guard: Guard, traps: Traps | None = None, probes: Probes | None = None
    ) -> None:
        """`traps` and `probes` are what all visitors of a crawl share."""
        self._config = config
        self._traps = traps or Traps()
        self._probes = probes or Probes()
        self._stopped = threading.Event()
        self._outlinks = Outlinks(config, scope)
        # Where a sitemap may be, though nobody said so.
        self._guesses = {origin(seed) + "/sitemap.xml" for seed in config.seeds}
        self._fetcher = Fetcher(
            user_agent=config.user_agent,
            timeout=config.timeout,
            max_size=config.max_size,
            guard=guard,
            headers=dict(config.headers),
            header_origins=frozenset(map(origin, config.seeds)),
        )

    def robots(self, task: Task) -> tuple[Rules, RobotsReply, float | None]:
        """The rules in a robots.txt, what came for the record, and in how many seconds to try again. Never raises."""
        url, home = task.url.url, origin(task.url.url)
        if not self._config.obey_robots:
            return Rules.from_reply(404), RobotsReply(home, None, "", "not asked for", _now()), None
        again = None
        try:
            reply = self._get_followed(url, MAX_BYTES)
            rules = Rules.from_reply(reply.status, reply.body)
            record = RobotsReply(home, reply.status, _text(reply.body), rules.reason, _now())
            if rules.reason:
                again = _backoff(task.attempts)
        except FetchError as error:
            rules = Rules.from_reply(None, detail=error.detail, code=error.reason)
            record = RobotsReply(home, None, "", str(error), _now())
            again = _backoff(task.attempts) if error.transient else None
        except Exception as error:  # noqa: BLE001 - rule 4: the guard is round the item
            rules = Rules.from_reply(None, detail=f"internal error: {error!r}")
            record = RobotsReply(home, None, "", rules.reason, _now())
        return rules, record, again

    def sitemap(self, url: str) -> Sitemap:
        """What a sitemap says; nothing if it cannot be had. Never raises."""
        try:
            normal = normalize(url)
            reply = self._get_followed(normal, self._config.max_size) if normal else None
        except FetchError:
            return Sitemap()
        if reply is None or reply.status != 200:
            return Sitemap()
        return parse_sitemap(reply.body, reply.url, self._config.max_size)

    def _get_followed(self, url: str, max_size: int) -> Response:
        """The reply for a robots.txt or a sitemap, redirects followed, across hosts too (RFC 9309 §2.3.1.2).

        Raises FetchError.
        """
        for _ in range(MAX_REDIRECTS + 1):
            reply = self._fetcher.get(url, max_size=max_size, any_type=True)
            if reply.location is None:
                return reply
            target = normalize(reply.location, url)
            if target is None:
                raise FetchError("bad-redirect", f"{url} redirects to no http URL")
            url = target
        raise FetchError("redirects", f"{url} redirects, and so on, more than {MAX_REDIRECTS} times")

    def visit(self, task: Task) -> Visited:
        """Fetches a URL if its host's rules allow it. Rule 4: whatever goes wrong costs this one URL; never raises."""
        visited = self._visited(task)
        outcome = visited.outcome
        if task.url.sitemap and task.url.url in self._guesses and outcome.state in ("failed", "skipped"):
            why = outcome.reason if outcome.reason != "no-sitemap" else ""
            detail = ": ".join(filter(None, (why, outcome.detail)))
            others = tuple(edge for edge in self._named(task) if edge.url != task.url.url)
            missed = replace(outcome, state="skipped", reason="no-sitemap", detail=detail, edges=others)
            return visited._replace(outcome=missed)
        return visited

    def _visited(self, task: Task) -> Visited:
        assert task.rules is not None
        try:
            if not task.rules.allows(self._config.user_agent, task.url.url):
                if task.rules.reason:
                    return Visited(
                        _outcome(task, _failed(task.rules.code), task.rules.code, task.rules.reason), requested=False
                    )
                return Visited(_outcome(task, "skipped", "robots"), requested=False)
            if (outcome := self._unasked(task)) is not None:
                return Visited(outcome, requested=False)
            validators = task.url.etag, task.url.last_modified
            return self._judged(task, self._fetched(task), any(validators))
        except FetchError as error:
            again = _backoff(task.attempts) if error.transient else None
            return Visited(_outcome(task, _failed(error.reason), error.reason, error.detail), again)
        except ParseError as error:
            return Visited(_outcome(task, "failed", "parse-error", str(error)))
        except Exception as error:  # noqa: BLE001
            return Visited(_outcome(task, "failed", "internal-error", repr(error)[:500]))

    def _unasked(self, task: Task) -> Outcome | None:
        """The outcome of a URL that need not be asked for: it is in a trap, or robots.txt names other sitemaps."""
        url = task.url.url
        if not task.url.visits and (trap := self._traps.verdict(url)):
            return _outcome(task, "skipped", "trap-shape", trap)
        named = self._named(task)
        if named and url not in {edge.url for edge in named}:
            return _outcome(task, "done", "sitemap", "robots.txt names others", edges=named)
        return None

    def _is_sitemap(self, task: Task) -> bool:
        """Whether robots.txt or an index calls it a sitemap, or it may be one by its usual name."""
        return bool(task.url.sitemap) and self._config.sitemaps

    def _named(self, task: Task) -> tuple[Edge, ...]:
        """The sitemaps that robots.txt names, if the task is to look for those of its origin."""
        assert task.rules is not None
        is_guess = self._is_sitemap(task) and task.url.url in self._guesses
        return self._outlinks.of_robots(origin(task.url.url), task.rules.sitemaps) if is_guess else ()

    def _fetched(self, task: Task) -> Response:
        """The reply for a URL. Raises FetchError."""
        if self._is_sitemap(task):
            return self._fetcher.get(task.url.url, max_size=sitemap.MAX_BYTES, any_type=True)
        return self._fetcher.get(task.url.url, validators=(task.url.etag, task.url.last_modified))

    def _judged(self, task: Task, reply: Response, conditional: bool) -> Visited:
        if reply.status == 304 and conditional:
            return Visited(_outcome(task, "done", reply=reply, unchanged=True))
        if reply.location is not None:
            return Visited(self._redirected(task, reply))
        if not 200 <= reply.status < 300:
            again = _retry_after(reply, task.attempts) if reply.status in _TRY_AGAIN else None
            return Visited(_outcome(task, "failed", f"http-{reply.status}", reply=reply), again)
        if reply.kind == "xml" or self._is_sitemap(task):
            return Visited(self._listed(task, reply))
        if reply.kind == "other":
            return Visited(_outcome(task, "skipped", "content-type", reply.content_type[:200], reply))
        if not reply.body.strip():
            return Visited(_outcome(task, "skipped", "empty", reply=reply))
        return Visited(self._parsed(task, reply))

    def _parsed(self, task: Task, reply: Response) -> Outcome:
        url = task.url.url
        content_type = reply.content_type if reply.kind == "text" else reply.content_type or "text/html"
        if reply.kind == "html" and content_type.startswith("text/plain"):
            content_type = "text/html"
        page = parse(reply.body, url, content_type, agent=self._config.product)
        asked = page.robots | self._asked(reply)
        follow = "nofollow" not in asked
        if page.refresh and page.refresh != url and follow:  # nobody sees the page itself
            return self._sent_on(task, reply, page.refresh, PAGE_REDIRECT)
        edges = tuple(self._outlinks.of_page(page, task.url.redirects, follow=follow))
        # What is at no hop from a page, its canonical URL, is behind it as a redirect's target is.
        task = task._replace(url=task.url._replace(redirects=task.url.redirects + PAGE_REDIRECT - 1))
        if refused := unwanted(asked, _now()):
            return _outcome(task, "skipped", "noindex", "" if refused == "noindex" else refused, reply, edges=edges)
        if not page.sections:
            return _outcome(task, "skipped", "empty", "no text", reply, edges=edges)
        text = page.text
        text_hash = digest(text.encode())
        if self._config.traps:
            if self._is_soft_404(task, page, text, text_hash):
                return _outcome(task, "skipped", "soft-404", reply=reply)
            self._traps.look(page, text)
        page = page._replace(robots=asked, usage="; ".join(filter(None, (wishes((), reply.headers), page.usage))))
        picked = self._config.fields_of(url)
        values = fields.extract(reply.body, page.encoding, picked) if picked and reply.kind == "html" else None
        reason = "cut-at-max-size" if reply.truncated else ""
        outcome = _outcome(task, "done", reason, reply=reply, edges=edges, page=page, values=values)
        return replace(
            outcome,
            detail=f"{page.broken_canonical!r} is no canonical URL" if page.broken_canonical else "",
            body_hash=digest(reply.body),
            text_hash=text_hash,
            sketch=sketch(text),
        )

    def _is_soft_404(self, task: Task, page: Page, text: str, text_hash: str) -> bool:
        """Whether the page is what its server shows for whatever does not exist."""
        url = page.url
        if url in self._config.seeds or is_front(url) or not self._probes.suspects(page, text_hash):
            return False
        answer = self._probes.answer(origin(url), lambda probe: self._text_of(probe, task), 2 * self._config.timeout)
        return answer is not None and is_alike(text, url, answer)

    def _text_of(self, url: str, task: Task) -> str | None:
        """The text of the page at a URL that does not exist; None when there is none, as there should be.

        The host rests before, as it does between any two requests: this thread holds its slot meanwhile.
        """
        assert task.rules is not None
        agent = self._config.user_agent
        own = 0.0 if is_loopback(hostname(url)) else DEFAULT_DELAY
        delay = max(own if self._config.delay == "auto" else self._config.delay, task.rules.delay(agent))
        if not task.rules.allows(agent, url) or self._stopped.wait(delay):
            return None
        try:
            reply = self._fetcher.get(url)
            if reply.status != 200 or reply.kind not in ("html", "text"):
                return None
            content_type = reply.content_type if reply.kind == "text" else "text/html"
            return parse(reply.body, url, content_type).text
        except (FetchError, ParseError):
            return None

    def _asked(self, reply: Response) -> frozenset[str]:
        return directives(reply.headers.get("X-Robots-Tag", ""), self._config.product)

    def _redirected(self, task: Task, reply: Response) -> Outcome:
        """A redirect is an edge that adds no hop: its target goes round the ring as any URL, scope and robots too."""
        target = normalize(reply.location or "", task.url.url) if reply.location else None
        if target is None or target == task.url.url:
            detail = "it redirects to itself" if target else f"Location {(reply.location or '')[:200]!r} is no http URL"
            return _outcome(task, "failed", "bad-redirect", detail, reply)
        return self._sent_on(task, reply, target, 1)

    def _sent_on(self, task: Task, reply: Response, target: str, counts_as: int) -> Outcome:
        """The outcome of a URL that leads to another one, which counts as so many redirects."""
        refused = self._outlinks.verdict(target)
        if task.url.redirects + counts_as <= MAX_REDIRECT_CHAIN:
            edge = Edge(target, refused, 0, rel="redirect")
        else:
            edge = Edge(target, refused or "redirects", None, rel="redirect")
        edges: tuple[Edge, ...] = (edge,)
        if task.url.sitemap:  # what leads to a sitemap is one
            edges = (edge._replace(text=task.url.sitemap, rel="sitemap"), edge)
        detail = "by a meta refresh" if counts_as == PAGE_REDIRECT else ""
        outcome = _outcome(task, "done", "redirect", detail, reply, edges=edges)
        return replace(outcome, redirects=task.url.redirects + counts_as - 1)

    def _listed(self, task: Task, reply: Response) -> Outcome:
        """The outcome of a sitemap or a feed: edges, and no page."""
        url, follow = task.url.url, "nofollow" not in self._asked(reply)
        body = sitemap.unpacked(reply.body)
        root = elements.root(body)
        if self._config.feeds and root in feed.ROOTS:
            edges = tuple(self._outlinks.of_feed(feed.parse_feed(body, url), follow=follow))
            return _outcome(task, "done", "feed", _listing(len(edges), reply), reply, edges=edges)
        if self._config.sitemaps and (root in sitemap.ROOTS or task.url.sitemap):
            found = parse_sitemap(body, url)
            nesting = task.url.redirects
            edges = tuple(self._outlinks.of_sitemap(found, url, task.url.sitemap, nesting, follow=follow))
            edges += tuple(edge for edge in self._named(task) if edge.url != url)
            if edges:
                outcome = _outcome(task, "done", "sitemap", _listing(len(edges), reply), reply, edges=edges)
                return replace(outcome, modified=tuple(said for said in found.pages if said[1]))
            return _outcome(task, "skipped", "no-sitemap", "it lists nothing", reply)
        return _outcome(task, "skipped", "content-type", reply.content_type[:200], reply)

    def abort(self) -> None:
        """Ends the request under way, from another thread: its reads fail at once."""
        self._stopped.set()
        self._fetcher.abort()

    def close(self) -> None:
        self._fetcher.close()


def _outcome(
    task: Task,
    state: State,
    reason: str = "",
    detail: str = "",
    reply: Response | None = None,
    *,
    edges: tuple[Edge, ...] = (),
    page: Page | None = None,
    values: dict[str, fields.Value] | None = None,
    unchanged: bool = False,
) -> Outcome:
    header: Mapping[str, str] = reply.headers if reply else {}
    return Outcome(
        id=task.url.id,
        url=task.url.url,
        redirects=task.url.redirects,
        attempts=task.attempts + 1,
        state=state,
        reason=reason,
        detail=detail[:500],
        fetched_at=_now(),
        status=reply.status if reply else None,
        size=len(reply.body) if reply else 0,
        seconds=reply.seconds if reply else 0.0,
        content_type=header.get("Content-Type", "")[:200],
        etag=header.get("ETag", "")[:500],
        last_modified=header.get("Last-Modified", "")[:100],
        unchanged=unchanged,
        page=page,
        fields=values,
        edges=edges,
    )


def _listing(count: int, reply: Response) -> str:
    return f"{count} URLs" + (", but only its beginning was read" if reply.truncated else "")


def _failed(reason: str) -> State:
    """A private address was not tried, by a rule; everything else was, in vain."""
    return "skipped" if reason == "private-address" else "failed"


def _backoff(attempts: int) -> float:
    """Seconds to wait before the next try: doubling, with jitter so that hosts are not met by a chorus."""
    return 0.5 * 2.0**attempts * random.uniform(0.75, 1.25)  # noqa: S311 - no secret


def _retry_after(reply: Response, attempts: int) -> float:
    """Seconds that Retry-After asks for, as a number or as a date (RFC 9110 §10.2.3), or our own backoff."""
    written = reply.headers.get("Retry-After", "").strip()
    try:
        is_date = not written.isdigit()
        asked = parsedate_to_datetime(written).timestamp() - time.time() if is_date else float(written)
    except (ValueError, TypeError, OverflowError):
        return _backoff(attempts)
    return min(asked, MAX_RETRY_AFTER) if asked > 0 else _backoff(attempts)


def _text(body: bytes) -> str:
    return body[:MAX_BYTES].decode("utf-8", "replace").replace("\0", " ")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
