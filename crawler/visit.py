"""What a fetcher does with one task: fetch, parse, judge the outlinks. The result is an `Outcome` for the queue."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from crawler import elements, feed, sitemap
from crawler.access import Access
from crawler.config import Config
from crawler.directives import directives, unwanted, wishes
from crawler.fetch import Response
from crawler.frontier import Task
from crawler.languages import code
from crawler.outlinks import MAX_REDIRECT_CHAIN, PAGE_REDIRECT, Outlinks
from crawler.pace import Answer
from crawler.page import Page, ParseError, parse
from crawler.permit import Asked, answer_to, ask
from crawler.probe import Probes, is_alike
from crawler.readers import Readers
from crawler.reading import Document, Reading
from crawler.robots import MAX_REDIRECTS
from crawler.sitemap import Sitemap, parse_sitemap
from crawler.stages import Account
from crawler.store import Edge, Outcome, RobotsReply, State
from crawler.transport import FetchError
from crawler.traps import Traps
from crawler.urls import is_front, normalize, origin


class Visited(NamedTuple):
    """The outcome of a visit, and how the host bore it: None when it was not asked, as its robots.txt refused that."""

    outcome: Outcome
    answer: Answer | None


class Visitor:
    """Visits URLs one after another. Belongs to the thread that made it, but for `abort`."""

    def __init__(
        self,
        config: Config,
        outlinks: Outlinks,
        access: Access,
        traps: Traps | None = None,
        probes: Probes | None = None,
        readers: Readers | None = None,
        account: Account | None = None,
    ) -> None:
        """`outlinks`, `traps`, `probes` and `readers` are what all visitors of a crawl share; `account` is that of the
        thread.
        """
        self._config = config
        self._traps = traps or Traps()
        self._probes = probes or Probes()
        self._readers = readers or Readers()
        self._stopped = threading.Event()
        self._outlinks = outlinks
        # Where a sitemap may be, though nobody said so.
        self._guesses = {origin(seed) + "/sitemap.xml" for seed in config.seeds}
        self.account = account or Account()
        self._fetcher = access.fetcher(self.account)

    def robots(self, home: str, known: RobotsReply | None = None) -> Asked:
        """What an origin permits; `known` is what it said before. Never raises."""
        return ask(self._get_followed, home, self._config, known)

    def sitemap(self, url: str) -> Sitemap:
        """What a sitemap says; nothing if it cannot be had. Never raises."""
        try:
            normal = normalize(url)
            reply = self._fetcher.get(normal, any_type=True) if normal else None
        except FetchError:
            return Sitemap()
        if reply is None or reply.status != 200:
            return Sitemap()
        return parse_sitemap(reply.body, reply.url, self._config.max_size)

    def _get_followed(self, url: str, max_size: int) -> Response:
        """The reply for a robots.txt, redirects followed, across hosts too (RFC 9309 §2.3.1.2).

        After too many it is the last redirect. Raises FetchError.
        """
        home, until = origin(url), time.monotonic() + self._config.timeout  # for all of them
        reply = self._fetcher.get(url, max_size=max_size, any_type=True, through=lambda _: True)
        for _ in range(MAX_REDIRECTS):
            if reply.location is None:
                break
            if self._stopped.is_set() or (left := until - time.monotonic()) <= 0:
                raise FetchError("timeout", "no complete reply before the deadline", transient=True)
            target = normalize(reply.location, url)
            if target is None:
                raise FetchError("bad-redirect", f"{url} redirects to no http URL")
            url = target
            # Where another origin leads, it leads as nobody: the user's name opens no door for a stranger.
            own = origin(url) == home
            reply = self._fetcher.get(
                url, max_size=max_size, any_type=True, through=lambda _: True, timeout=left, as_user=own
            )
        return reply

    def visit(self, task: Task) -> Visited:
        """Fetches a URL if its host's rules allow it. Rule 4: whatever goes wrong costs this one URL; never raises."""
        visited = self._visited(task)
        return self._guessed(task, visited) if self._is_guess(task) else visited

    def _visited(self, task: Task) -> Visited:
        url = task.url.url
        try:
            if (refused := self._refused(task)) is not None:
                return Visited(refused, None)
            if self._is_sitemap(task):
                validators = "", ""
                reply = self._fetcher.get(url, max_size=sitemap.MAX_BYTES, any_type=True)
            else:
                validators = task.url.etag, task.url.last_modified
                reply = self._fetcher.get(url, validators=validators, through=partial(self._allows, task))
        except FetchError as error:
            outcome = _outcome(task, _failed(error.reason), error.reason, error.detail)
            return Visited(outcome, Answer(trouble=error.reason if error.transient else "", is_ours=error.is_ours))
        except Exception as error:  # noqa: BLE001
            return Visited(_outcome(task, "failed", "internal-error", repr(error)[:500]), Answer())
        answer = answer_to(reply)
        try:
            return Visited(self._judged(task, reply, any(validators)), answer)
        except ParseError as error:
            return Visited(_outcome(task, "failed", "parse-error", str(error), reply), answer)
        except Exception as error:  # noqa: BLE001
            return Visited(_outcome(task, "failed", "internal-error", repr(error)[:500], reply), answer)

    def _refused(self, task: Task) -> Outcome | None:
        """Why the URL is not asked for, by its origin's robots.txt or as part of a trap; None when it is."""
        rules, url, agent = task.rules, task.url.url, self._config.user_agent
        assert rules is not None
        if not rules.allows(agent, url):
            code = rules.code or "robots"
            return _outcome(task, _failed(code), code, rules.reason)
        if self._config.obey_usage and rules.refuses_search(agent, url):
            return _outcome(task, "skipped", "usage")
        if not task.url.visits and (trap := self._traps.verdict(url)):
            return _outcome(task, "skipped", "trap-shape", trap)
        named = self._named(task)
        if named and url not in {edge.url for edge in named}:
            return _outcome(task, "done", "sitemap", "robots.txt names others")
        return None

    def _is_sitemap(self, task: Task) -> bool:
        """Whether robots.txt or an index calls it a sitemap, or it may be one by its usual name."""
        return bool(task.url.sitemap) and self._config.sitemaps

    def _is_guess(self, task: Task) -> bool:
        """Whether it may be a sitemap by its usual name."""
        return self._is_sitemap(task) and task.url.url in self._guesses

    def _named(self, task: Task) -> tuple[Edge, ...]:
        """The sitemaps that robots.txt names, if the task is to look for those of its origin."""
        if not self._is_guess(task):
            return ()
        assert task.rules is not None
        return self._outlinks.of_robots(origin(task.url.url), task.rules.sitemaps)

    def _guessed(self, task: Task, visited: Visited) -> Visited:
        """What became of a sitemap that nobody spoke of: if there is none, that is no failure. The sitemaps that
        robots.txt names are found here.
        """
        outcome = visited.outcome
        if outcome.state in ("failed", "skipped") and outcome.reason != "no-sitemap":
            detail = ": ".join(filter(None, (outcome.reason, outcome.detail)))
            outcome = replace(outcome, state="skipped", reason="no-sitemap", detail=detail)
        others = (edge for edge in self._named(task) if edge.url != task.url.url)
        return visited._replace(outcome=replace(outcome, edges=(*others, *outcome.edges)))

    def _allows(self, task: Task, url: str) -> bool:
        """Whether a URL may be asked for on the way to that of the task; comes when the host has rested."""
        assert task.rules is not None
        may = self._outlinks.verdict(url) is None and task.rules.allows(self._config.user_agent, url)
        return may and self._rested(task)

    def _judged(self, task: Task, reply: Response, conditional: bool) -> Outcome:
        if reply.status == 304 and conditional:
            return _outcome(task, "done", reply=reply, unchanged=True)
        if reply.location is not None:
            return self._redirected(task, reply)
        if not 200 <= reply.status < 300:
            return _outcome(task, "failed", f"http-{reply.status}", reply=reply)
        if reply.kind == "xml" or self._is_sitemap(task):
            return self._listed(task, reply)
        if reply.kind == "other":
            return _outcome(task, "skipped", "content-type", reply.content_type[:200], reply)
        if not reply.body.strip():
            return _outcome(task, "skipped", "empty", reply=reply)
        return self._parsed(task, reply)

    def _parsed(self, task: Task, reply: Response) -> Outcome:
        url = task.url.url
        content_type = reply.content_type if reply.kind == "text" else reply.content_type or "text/html"
        if reply.kind == "html" and content_type.startswith("text/plain"):
            content_type = "text/html"
        lang = code(reply.headers.get("Content-Language", ""))
        picked = self._config.fields_of(url) if reply.kind == "html" else None
        document = Document(url, content_type, self._config.product, reply.body, lang, picked)
        reading = self._readers.read(document, self.account)
        page = reading.page
        asked = page.robots | self._asked(reply)
        follow = "nofollow" not in asked
        if page.refresh and page.refresh != url and follow:  # nobody sees the page itself
            return self._sent_on(task, reply, page.refresh, PAGE_REDIRECT)
        edges = tuple(self._outlinks.of_page(page, task.url.redirects, follow=follow))
        if self._config.drop_tracking:
            edges = tuple(dict.fromkeys(edges))  # only tracking told some of them apart
        # What is at no hop from a page, its canonical URL, is behind it as a redirect's target is.
        task = task._replace(url=task.url._replace(redirects=task.url.redirects + PAGE_REDIRECT - 1))
        if asked and (refused := unwanted(asked, _now())):
            return _outcome(task, "skipped", "noindex", "" if refused == "noindex" else refused, reply, edges=edges)
        if not page.sections:
            detail = "no text in what the parser could take apart in good time" if page.cut else "no text"
            return _outcome(task, "skipped", "empty", detail, reply, edges=edges)
        if self._config.traps:
            text = page.text
            if self._is_soft_404(task, page, text, reading.text_hash):
                return _outcome(task, "skipped", "soft-404", reply=reply)
            self._traps.look(page, text)
        usage = "; ".join(filter(None, (wishes((), reply.headers), page.usage)))
        reading = reading._replace(page=page._replace(robots=asked, usage=usage))
        reason = "cut-at-max-size" if reply.truncated else "cut-by-parser" if page.cut else ""
        detail = f"{page.broken_canonical!r} is no canonical URL" if page.broken_canonical else ""
        return _outcome(task, "done", reason, detail, reply, edges=edges, reading=reading)

    def _is_soft_404(self, task: Task, page: Page, text: str, text_hash: str) -> bool:
        """Whether the page is what its server shows for whatever does not exist."""
        url = page.url
        if url in self._config.seeds or is_front(url) or not self._probes.suspects(page, text_hash):
            return False
        with self.account("per_host"):  # another thread may be asking already
            patience = 2 * self._config.timeout
            answer = self._probes.answer(origin(url), lambda probe: self._text_of(probe, task), patience)
        return answer is not None and is_alike(text, url, answer)

    def _text_of(self, url: str, task: Task) -> str | None:
        """The text of the page at a URL that does not exist; None when there is none, as there should be.

        The host rests before, as it does between any two requests: this thread holds its slot meanwhile.
        """
        assert task.rules is not None
        if not task.rules.allows(self._config.user_agent, url) or not self._rested(task):
            return None
        try:
            reply = self._fetcher.get(url)
            if reply.status != 200 or reply.kind not in ("html", "text"):
                return None
            content_type = reply.content_type if reply.kind == "text" else "text/html"
            return parse(reply.body, url, content_type).text
        except (FetchError, ParseError):
            return None

    def _rested(self, task: Task) -> bool:
        """Lets the host of the task rest, which this thread goes on using; False when the crawl was stopped."""
        with self.account("delay"):
            return not self._stopped.wait(task.delay)

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
        """Ends the request under way, from another thread: its reads fail at once. So does reading elsewhere."""
        self._stopped.set()
        self._fetcher.abort()
        self._readers.abort()

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
    reading: Reading | None = None,
    unchanged: bool = False,
) -> Outcome:
    header: Mapping[str, str] = reply.headers if reply else {}
    # What an older page that stays must not be taken for, when the server is asked whether that has changed.
    validated: Mapping[str, str] = {} if state == "failed" else header
    page, body_hash, text_hash, sketch, values = reading or (None, "", "", None, None)
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
        etag=validated.get("ETag", "")[:500],
        last_modified=validated.get("Last-Modified", "")[:100],
        unchanged=unchanged,
        page=page,
        body_hash=body_hash,
        text_hash=text_hash,
        sketch=sketch,
        fields=values,
        edges=edges,
    )


def _listing(count: int, reply: Response) -> str:
    return f"{count} URLs" + (", but only its beginning was read" if reply.truncated else "")


def _failed(reason: str) -> State:
    """What robots.txt refuses and a private address were not tried, by a rule; everything else was, in vain."""
    return "skipped" if reason in ("private-address", "robots", "usage") else "failed"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
